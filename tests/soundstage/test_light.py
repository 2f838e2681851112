"""The physics that everything learnt from the stage stands on."""

from __future__ import annotations

import math
from dataclasses import replace

import colour as science
import numpy as np
import pytest
import torch

from footagefit.records import Light
from footagefit.soundstage import environment, lights, training
from footagefit.soundstage import materials as m
from footagefit.soundstage.camera import Camera, view
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import lit, look
from footagefit.soundstage.scene import scene
from footagefit.soundstage.sets import Set, Thing, wall
from footagefit.soundstage.wild import wild_set

AT = Camera((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), 50.0)
WIDE = Camera((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), 32.0)


def key(way, *, rgb=(1.0, 1.0, 1.0), spread=0.003):
    towards = torch.tensor([way], dtype=torch.float32)
    nowhere = torch.zeros(1, 3)
    return Source(
        "key", "far", towards / towards.norm(), nowhere, torch.tensor([[spread]]),
        torch.tensor([rgb], dtype=torch.float32), nowhere,
    )  # fmt: skip


def dome(rgb=(0.2, 0.2, 0.2)):
    colour = torch.tensor([rgb])
    up = torch.tensor([[0.0, 1.0, 0.0]])
    return Source("fill", "dome", up, torch.zeros(1, 3), torch.ones(1, 1), colour, colour)


def plain(albedo=0.18):
    made = Set()
    made.material(m.PAINT, np.full(3, albedo), second=np.full(3, albedo), contrast=0.0, shine=0.0)
    return made


def seen_of(made, size=(96, 96), camera=AT, time_s=0.0):
    return look(scene([made], time_s), view([camera], size))


def on_sphere(seen, way, radius=0.5):
    """Cosine to a light by the sphere's own equation (H,W), and where the sphere is."""
    normal = seen.picture(seen.hits.point)[0] / radius
    hit = seen.picture((seen.hits.item >= 0).float())[0, 0] > 0
    return (normal * torch.tensor(way, dtype=torch.float32)[:, None, None]).sum(0), hit


def wild(index=0):
    return wild_set(np.random.default_rng([4, index]))[0]


def test_a_grey_card_facing_the_key_renders_its_reflectance():
    made = plain()
    wall(made, (0, 0, 1), 0.0, 0)
    picture = lit(seen_of(made), key((0, 0, 1))).direct
    assert torch.allclose(picture, torch.full_like(picture, 0.18), atol=2e-3)


def test_a_grey_card_under_the_fill_alone_renders_its_reflectance():
    made = plain()
    wall(made, (0, 0, 1), 0.0, 0)
    picture = lit(seen_of(made), dome((1.0, 1.0, 1.0))).total
    assert torch.allclose(picture, torch.full_like(picture, 0.18), atol=4e-3)


def test_a_sphere_under_a_far_light_is_lambert():
    made = plain(0.5)
    made.things.append(Thing("blob", np.zeros(3), np.eye(3), np.full(3, 0.5), 0))
    way = np.array([0.6, 0.5, 0.62])
    way /= np.linalg.norm(way)
    seen = seen_of(made)
    picture = lit(seen, key(tuple(way))).direct[0, 1]
    closed, hit = on_sphere(seen, way)
    clear = hit & (closed > 0.04)
    assert int(clear.sum()) > 300
    assert (picture - 0.5 * closed)[clear].abs().max() < 6e-3
    assert picture[hit & (closed < -0.05)].max() < 1e-3


@pytest.mark.parametrize("index", range(3))
def test_sources_add_up(index):
    """Light is linear: the joint render is the sum of the single ones, and doubling doubles."""
    seen = seen_of(wild(index), (48, 64), Camera((0.2, 0.1, 1.2), (0, 0, 0), 35.0))
    one, two = key((0.5, 0.4, 0.7), rgb=(1.0, 0.8, 0.5)), key((0.5, 0.4, 0.7), rgb=(0.3, 0.5, 0.9))
    both = key((0.5, 0.4, 0.7), rgb=(1.3, 1.3, 1.4))
    apart = lit(seen, one).total + lit(seen, two).total
    assert torch.allclose(lit(seen, both).total, apart, atol=1e-5, rtol=1e-4)
    double = key((0.5, 0.4, 0.7), rgb=(2.0, 1.6, 1.0))
    assert torch.allclose(lit(seen, double).total, 2 * lit(seen, one).total, atol=1e-5, rtol=1e-5)
    again = lit(seen, one).total
    assert torch.equal(again, lit(seen, one).total)


def test_two_lights_on_a_sphere_are_their_closed_forms_together():
    """Not a sum of renders: both cosines from the sphere's equation, against the joint picture."""
    made = plain(0.5)
    made.things.append(Thing("blob", np.zeros(3), np.eye(3), np.full(3, 0.5), 0))
    seen = seen_of(made)
    ways = np.array([[0.6, 0.5, 0.62], [-0.7, 0.1, 0.5]])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    colours = np.array([[1.0, 0.8, 0.5], [0.2, 0.5, 1.4]])
    picture = sum(lit(seen, key(tuple(w), rgb=tuple(c))).direct[0]
                  for w, c in zip(ways, colours, strict=True))  # fmt: skip
    expected, clear = torch.zeros(3, 96, 96), torch.ones(96, 96, dtype=torch.bool)
    for way, colour_ in zip(ways, colours, strict=True):
        cosine, hit = on_sphere(seen, way)
        expected += 0.5 * cosine.clamp_min(0) * torch.tensor(colour_)[:, None, None].float()
        clear &= hit & (cosine.abs() > 0.04)  # but for the rounded foot of the terminator
    assert int(clear.sum()) > 300
    assert float((picture - expected).abs()[:, clear].max()) < 8e-3


def test_a_balls_shadow_is_where_geometry_puts_it():
    """A far light throws a ball's outline onto a wall: its place and width in closed form."""
    made = plain(0.5)
    wall(made, (0, 0, 1), -1.0, 0)
    made.things.append(Thing("blob", np.zeros(3), np.eye(3), np.full(3, 0.2), 0))
    seen = seen_of(made, (192, 192), WIDE)
    shadow = lit(seen, key((0.6, 0.0, 0.8))).shadow[0, 0]
    point = seen.picture(seen.hits.point)[0]
    on_wall = seen.picture((seen.hits.item == 0).float())[0, 0] > 0
    dark = on_wall & (shadow < 0.5)
    assert float(point[0][dark].mean()) == pytest.approx(-0.75, abs=0.02)  # 1.0 x 0.6 / 0.8
    assert float(point[1][dark].amax()) == pytest.approx(0.2, abs=0.02)
    area = float(dark.sum()) * (2 * 4.0 * 12.45 / 32 / 192) ** 2
    assert area == pytest.approx(math.pi * 0.2**2 / 0.8, rel=0.08)


def test_a_shadows_edge_is_as_wide_as_the_source_makes_it():
    """Penumbra of a source of angular radius a at distance t from a ball: about 2 t tan a."""
    made = plain(0.5)
    wall(made, (0, 0, 1), -1.0, 0)
    made.things.append(Thing("blob", np.zeros(3), np.eye(3), np.full(3, 0.2), 0))
    seen = seen_of(made, (320, 320), WIDE)
    point = seen.picture(seen.hits.point)[0]
    middle = (point[1].abs() < 0.02) & (point[0] < -0.5)
    widths = []
    for spread in (0.06, 0.12):
        share = lit(seen, key((0.6, 0.0, 0.8), spread=spread)).shadow[0, 0]
        between = middle & (share > 0.02) & (share < 0.98)
        x = point[0][between]
        outer = x[x < -0.75]
        widths.append(float(outer.max() - outer.min()))
    assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.2)
    assert widths[1] == pytest.approx(2 * 1.25 * 0.12 / 0.8, rel=0.35)


@pytest.mark.parametrize("radius", [0.02, 0.05, 0.1, 0.2, 0.4])
def test_what_looks_smaller_than_a_source_hides_no_more_of_it(radius):
    """Behind a ball's middle the source is covered by as much as the ball's disc covers its own."""
    made = plain(0.5)
    wall(made, (0, 0, 1), -1.0, 0)
    made.things.append(Thing("blob", np.zeros(3), np.eye(3), np.full(3, radius), 0))
    seen = seen_of(made, (64, 64), WIDE)
    share = lit(seen, key((0.6, 0.0, 0.8), spread=0.24)).shadow[0, 0]
    point = seen.picture(seen.hits.point)[0]
    on_wall = seen.picture((seen.hits.item == 0).float())[0, 0] > 0
    off = (point[0] + 0.75).square() + point[1].square() + 9.0 * ~on_wall
    expected = 1 - min(1.0, (radius / (1.25 * 0.24)) ** 2)
    assert float(share.flatten()[off.argmin()]) == pytest.approx(expected, abs=0.06)


def test_padding_throws_no_shadow_however_wide_the_source():
    one = key((0.0, -1.0, 0.2), spread=1.2)
    names = ("way", "place", "spread", "colour", "ground")
    every = {name: getattr(one, name).expand(2, -1) for name in names}
    few, many = wild(3), wild(1)
    assert 1 < len(few.at(0.0)) < len(many.at(0.0)) - 40
    alone = look(scene([few]), view([AT], (48, 48)))
    both = look(scene([few, many]), view([AT, AT], (48, 48)))
    share = lit(both, replace(one, **every)).shadow[0]
    assert torch.allclose(lit(alone, one).shadow[0], share, atol=1e-3)


def test_the_sun_comes_through_the_window_only():
    made = plain(0.5)
    wall(made, (0, 1, 0), -1.0, 0)
    source = key((0.0, 0.5, -1.0), spread=0.005)
    gate = [[0.0, 0.5, -2.0], [0.4, 0, 0], [0, 0.3, 0], [0, 0, -1.0]]
    source.gate = torch.tensor([gate])
    seen = seen_of(made, (128, 128), Camera((0.0, 3.0, 4.0), (0.0, -1.0, 0.0), 24.0))
    part = lit(seen, source)
    point = seen.picture(seen.hits.point)[0]
    dark = part.shadow[0, 0] == 0
    # from the floor at y = -1 the ray rises 0.5 a metre to the window's plane at z = -2
    z = point[2]
    inside = (point[0].abs() < 0.36) & ((-1 + 0.5 * (z + 2) - 0.5).abs() < 0.26) & (z < 2.5)
    bars = (point[0].abs() < 0.06) | ((-1 + 0.5 * (z + 2) - 0.5).abs() < 0.06)
    outside = (point[0].abs() > 0.44) | ((-1 + 0.5 * (z + 2) - 0.5).abs() > 0.34)
    hit = seen.picture((seen.hits.item >= 0).float())[0, 0] > 0
    assert int((inside & hit).sum()) > 50
    assert float(part.shadow[0, 0][inside & ~bars & hit].min()) > 0.95
    assert bool(dark[outside & hit].all())


def test_a_wall_with_a_hole_shows_what_is_behind():
    made = plain(0.5)
    wall(made, (0, 0, 1), 0.0, 0, (0.2, 0.1, 0.3, 0.2))
    seen = seen_of(made, (96, 96))
    way = seen.picture(seen.view.rays())[0]
    at = way[:2] / -way[2:] * 3.0
    inside = ((at[0] - 0.2).abs() < 0.3) & ((at[1] - 0.1).abs() < 0.2)
    assert bool(((seen.depth[0, 0] == 0) == inside).all())


def test_a_map_lights_as_its_harmonics_and_its_pixels_do():
    """What a card receives from a sky, by adding up the map's pixels: second order is close."""
    around = environment.sky(np.random.default_rng(3), size=(48, 96))
    ways = environment.directions((48, 96))
    solid = torch.sin((torch.arange(48) + 0.5) / 48 * math.pi)[:, None] * (math.pi / 48) ** 2
    solid = solid.expand(48, 96).reshape(-1)
    normal = torch.nn.functional.normalize(torch.randn(12, 3, generator=torch.manual_seed(1)))
    cosine = (normal @ ways.T).clamp_min(0) * solid
    exact = cosine @ around.reshape(3, -1).T / math.pi
    near = environment.received(environment.harmonics(around)[None], normal.T[None])[0].T
    assert float((near - exact).abs().max() / exact.max()) < 0.06


def test_leaves_dim_what_is_behind_them():
    made = plain(0.5)
    wall(made, (0, 0, 1), -1.0, 0)
    made.things.append(Thing("bush", np.zeros(3), np.eye(3), np.full(3, 0.4), 0, cell=0.08,
                             density=0.9))  # fmt: skip
    seen = seen_of(made, (64, 64))
    assert int((seen.hits.item >= seen.scene.parts.first[4]).sum()) > 100
    share = lit(seen, key((0, 0, 1))).shadow[0, 0]
    item = seen.picture(seen.hits.item.float())[0, 0]
    assert float(share[32, 32]) < 1 and float(share[item == 0].max()) == 1.0


def test_shadows_fall_away_from_the_light_and_soften_with_its_size():
    made = plain(0.5)
    wall(made, (0, 0, 1), -0.6, 0)
    made.things.append(Thing("blob", np.zeros(3), np.eye(3), np.full(3, 0.25), 0))
    seen = seen_of(made)
    on_wall = seen.picture((seen.hits.item == 0).float())[0, 0] > 0
    hard = lit(seen, key((1, 0, 1))).shadow[0, 0]
    soft = lit(seen, key((1, 0, 1), spread=0.4)).shadow[0, 0]
    columns = torch.arange(96.0).expand(96, 96)
    dark = on_wall & (hard < 0.5)
    assert int(dark.sum()) > 50
    assert columns[dark].mean() < 48  # light from the right, shadow to the left
    half = [int(((s > 0.05) & (s < 0.95) & on_wall).sum()) for s in (soft, hard)]
    assert half[0] > 2 * half[1]


def test_the_same_seed_is_the_same_bits():
    def draw():
        return training.draw(seed=3, index=5, count=2, size_px=(32, 48), lights=2)

    one, two = draw(), draw()
    assert torch.equal(one.images, two.images)
    assert torch.equal(one.normals, two.normals)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        other = draw()
    finally:
        torch.set_num_threads(threads)
    scale = one.images.abs().amax()
    assert float(((one.images - other.images).abs() / scale).max()) < 1e-5


def test_a_scene_does_not_depend_on_its_batch():
    together = training.draw(seed=3, index=0, count=3, size_px=(32, 32), lights=1)
    alone = training.draw(seed=3, index=1, count=1, size_px=(32, 32), lights=1)
    assert torch.allclose(together.images[1], alone.images[0], atol=1e-4, rtol=1e-3)


def test_normals_are_unit_and_face_the_camera():
    batch = training.draw(seed=1, index=0, count=4, size_px=(48, 48), lights=1)
    hit = batch.depth[:, 0] > 0
    length = batch.normals.square().sum(1).sqrt()
    assert torch.allclose(length[hit], torch.ones_like(length[hit]), atol=1e-4)
    assert batch.images.min() >= 0
    assert bool((batch.images > 1).any())


def test_no_scene_breaks():
    batch = training.draw(seed=9, index=0, count=24, size_px=(24, 24), lights=2)
    for tensor in (batch.images, batch.albedo, batch.normals, batch.depth, batch.shadow):
        assert torch.isfinite(tensor).all()
    assert batch.albedo.max() <= 0.97


@pytest.mark.parametrize("kelvin", [2000, 2856, 4300, 5600, 6500, 10000])
@pytest.mark.parametrize("duv", [0.0, 0.01, -0.006])
def test_light_colours_match_colour_science(kelvin, duv):
    """Planckian, Bradford-adapted from the show's white to ACES's, by an independent library."""
    uv = science.CCT_to_uv(np.array([kelvin, duv]), method="Ohno 2013")
    white = science.CCT_to_uv(np.array([5600.0, 0.0]), method="Ohno 2013")
    light, adapted_to = (science.xy_to_XYZ(science.UCS_uv_to_xy(c)) for c in (uv, white))
    aces = science.RGB_COLOURSPACES["ACEScg"]
    adapted = science.adaptation.chromatic_adaptation_VonKries(
        light, adapted_to, science.xy_to_XYZ(aces.whitepoint), transform="Bradford"
    )
    expected = aces.matrix_XYZ_to_RGB @ adapted
    got = np.array(lights.light_rgb(float(kelvin), duv))
    assert np.allclose(got / got[1], expected / expected[1], atol=0.012)


def test_show_white_is_even_and_green_is_greener():
    assert np.allclose(lights.light_rgb(5600.0), 1.0, atol=1e-3)
    assert lights.light_rgb(5600.0, 0.02)[1] > lights.light_rgb(5600.0)[1]
    red, _, blue = lights.light_rgb(3200.0)
    assert red > blue


@pytest.mark.parametrize(
    ("azimuth", "elevation", "way"),
    [(0, 0, (0, 0, 1)), (90, 0, (1, 0, 0)), (180, 0, (0, 0, -1)), (0, 90, (0, 1, 0))],
)
def test_directions_follow_the_convention(azimuth, elevation, way):
    got = lights.direction(Light(azimuth_deg=azimuth, elevation_deg=elevation))
    assert np.allclose(got, way, atol=1e-9)
    if abs(elevation) < 90:
        assert np.allclose(lights.angles(got), (azimuth, elevation), atol=1e-6)


def test_lambert_foot_is_exact_for_a_point_and_smooth_for_a_source():
    cosine = torch.linspace(-1, 1, 201)
    assert torch.allclose(lights.facing(cosine, torch.tensor(0.0)), cosine.clamp_min(0), atol=1e-4)
    wide = lights.facing(cosine, torch.tensor(math.sin(0.6)))
    assert bool((wide.diff() >= 0).all())
    assert float((wide - cosine.clamp_min(0)).abs().max()) < 0.15

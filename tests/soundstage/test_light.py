"""The physics that everything learnt from the stage stands on."""

from __future__ import annotations

import math

import colour as science
import numpy as np
import pytest
import torch

from footagefit.records import Light
from footagefit.soundstage import lights, training
from footagefit.soundstage import materials as m
from footagefit.soundstage.camera import Camera, view
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import lit, look
from footagefit.soundstage.scene import scene
from footagefit.soundstage.sets import Set, Thing, wall, wild_set

AT = Camera((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), 50.0)


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
    picture = lit(seen, key(tuple(way))).direct[0, 1].flatten()
    normal = seen.hits.point[0] / 0.5
    hit = seen.hits.item[0] >= 0
    closed = 0.5 * (normal @ torch.tensor(way, dtype=torch.float32)).clamp_min(0)
    clear = hit & (closed > 0.02)
    assert int(clear.sum()) > 300
    assert (picture - closed)[clear].abs().max() < 6e-3
    assert picture[hit & ((normal @ torch.tensor(way, dtype=torch.float32)) < -0.05)].max() < 1e-3


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
    between = lambda s: int(((s > 0.05) & (s < 0.95) & on_wall).sum())  # noqa: E731
    assert between(soft) > 2 * between(hard)


def test_the_same_seed_is_the_same_bits():
    draw = lambda: training.draw(seed=3, index=5, count=2, size_px=(32, 48), lights=2)  # noqa: E731
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
    xyz = lambda c: science.xy_to_XYZ(science.UCS_uv_to_xy(c))  # noqa: E731
    aces = science.RGB_COLOURSPACES["ACEScg"]
    adapted = science.adaptation.chromatic_adaptation_VonKries(
        xyz(uv), xyz(white), science.xy_to_XYZ(aces.whitepoint), transform="Bradford"
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

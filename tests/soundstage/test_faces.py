"""Heads are people's: where features lie, how they shade, and how far people differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from footagefit.soundstage import heads, sculpt, training
from footagefit.soundstage.camera import Camera, view
from footagefit.soundstage.face import GENES, Face, faced
from footagefit.soundstage.figures import draw_figure
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import lit, look
from footagefit.soundstage.scene import scene
from footagefit.soundstage.sets import Actor, Moving, Set

_METRES = 0.46  # how much the camera sees


def still(count: int) -> Moving:
    return Moving(np.zeros(count), np.ones(count), np.zeros(count))


def person(seed: int) -> Actor:
    figure = draw_figure(np.random.default_rng(seed))
    return Actor(figure, np.zeros(3), 0.0, still(3), still(5), (0.0, 0.0))


def seen_of(actor: Actor, size: int = 160):
    made = Set()
    made.add_actor(actor, np.random.default_rng(0))
    camera = Camera((0.0, 0.0, 8.0), (0.0, 0.0, 0.0), 24.9 * 8.0 / _METRES)
    return look(scene([made], chart_px=96), view([camera], (size, size)))


def key(way: tuple[float, float, float], ev: float = 0.0) -> Source:
    towards, nowhere = torch.tensor([way]), torch.zeros(1, 3)
    colour = torch.full((1, 3), 2.0**ev)
    return Source("key", "far", normalize(towards, dim=1), nowhere, torch.tensor([[0.03]]), colour,
                  nowhere)  # fmt: skip


def open_eyed() -> Actor:
    return next(a for a in map(person, range(50)) if a.figure.face.open > 0.6)


def test_eyes_lie_half_way_up_and_an_eyes_width_apart():
    actor = open_eyed()
    seen = seen_of(actor, 320)
    wet = (seen.picture(seen.surface.rough)[0, 0] < 0.22) & (seen.depth[0, 0] > 0)
    at = seen.picture(seen.hits.point)[0] / actor.figure.scale
    assert abs(float(at[1][wet].mean())) < 0.08
    left, right = wet & (at[0] < 0), wet & (at[0] > 0)
    width = float(at[0][right].max() - at[0][right].min())
    apart = float(at[0][right].min() - at[0][left].max())
    assert apart == pytest.approx(width, rel=0.35)
    assert 0.18 < width < 0.32


def test_the_nose_is_foremost_and_the_chin_lowest():
    for seed in range(12):
        face = person(seed).figure.face
        clay, _ = heads.in_clay(normalize(torch.randn(9000, 3, generator=torch.manual_seed(1))))
        place = clay * sculpt.height(face, sculpt.skull(clay))[0][:, None]
        nose = place[place[:, 2].argmax()]
        assert abs(float(nose[0])) < 0.05 and -0.48 < float(nose[1]) < -0.22
        assert -1.12 < float(place[:, 1].min()) < -0.92 and 0.92 < float(place[:, 1].max()) < 1.06


def test_slopes_are_those_of_heights():
    face = faced(np.random.default_rng(0).standard_normal(GENES), pale=0.5)
    generator = torch.manual_seed(3)
    way = normalize(torch.randn(3000, 3, generator=generator), dim=1)
    aside = torch.randn(3000, 3, generator=generator)
    aside = normalize(aside - (aside * way).sum(1, keepdim=True) * way, dim=1)

    def near(step: float) -> torch.Tensor:
        return sculpt.height(face, sculpt.skull(normalize(way + step * aside, dim=1)))[0]

    slope = (sculpt.height(face, sculpt.skull(way))[1] * aside).sum(1)
    assert float((slope - (near(2e-3) - near(-2e-3)) / 4e-3).abs().quantile(0.98)) < 0.02


def test_a_face_lit_from_the_front_is_not_in_its_own_shadow():
    seen = seen_of(open_eyed())
    share = lit(seen, key((0.0, 0.0, 1.0))).shadow[0, 0]
    face = torch.zeros(seen.open.shape[1], dtype=torch.bool)
    face[seen.hits.faces[0].rays] = True
    front = seen.picture(face[None].float())[0, 0] > 0
    front &= seen.picture(seen.hits.normal)[0, 2] > 0.7
    assert float(share[front].quantile(0.05)) > 0.9


def test_a_nose_throws_its_shadow_away_from_the_key():
    seen = seen_of(open_eyed())
    at = seen.picture(seen.hits.point)[0]
    share = lit(seen, key((0.9, 0.1, 0.45))).shadow[0, 0]
    scale = 0.12
    cheek = (at[1] > -0.45 * scale) & (at[1] < -0.1 * scale) & (at[2] > 0.3 * scale)
    lit_side = cheek & (at[0] > 0.2 * scale) & (at[0] < 0.35 * scale)
    other = cheek & (at[0] < -0.12 * scale) & (at[0] > -0.25 * scale)
    assert float(share[lit_side].mean()) > float(share[other].mean()) + 0.3


def test_a_lamp_that_is_off_gives_nothing():
    seen = seen_of(person(1), 64)
    part = lit(seen, key((0.3, 0.2, 1.0), ev=-40.0))
    assert float(part.total.abs().max()) < 1e-10


def test_people_differ_over_the_whole_human_range():
    people = [person(seed).figure for seed in range(300)]
    tones = np.array([f.skin.mean() for f in people])
    assert tones.min() < 0.06 and tones.max() > 0.4
    faces = np.array([f.face for f in people])
    spread = faces.std(0)
    assert all(s > 0.05 for s in spread), dict(zip(Face._fields, spread, strict=True))
    assert 0.03 < np.mean(faces[:, Face._fields.index("open")] == 0) < 0.25
    again = person(7).figure
    assert again.face == people[7].face


def test_cameras_often_come_close_to_skin():
    batch = training.draw(seed=21, index=0, count=32, size_px=(32, 32), lights=1)
    depth = batch.depth[:, 0].flatten(1)
    close = ((depth > 0) & (depth < 0.6)).float().mean(1) > 0.5
    assert float(close.float().mean()) > 0.1


def test_caches_of_another_drawing_are_not_read(tmp_path, monkeypatch):
    for drawing in (training.DRAWING, -1):
        monkeypatch.setattr(training, "DRAWING", drawing)
        training.Cache(tmp_path, seed=1, count=1, size_px=(16, 16), lights=1)
    assert len(list(tmp_path.iterdir())) == 2

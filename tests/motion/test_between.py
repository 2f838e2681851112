"""Frames between and beyond those that were shot."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.errors import WrongValue
from footagefit.motion.between import between
from footagefit.motion.homography import Motion
from footagefit.motion.onward import ahead, onward
from motion_made import SIZE, Scene, decibels, disc, pan, shifted, view


def scene_with_actor(place: float, camera: float = 0.0) -> torch.Tensor:
    background, actor = view(Scene(40), shifted(camera)), view(Scene(41), shifted(-place))
    return torch.where(disc(40 + place, 36, 15) > 0, actor, background)


@pytest.mark.parametrize("at", [0.25, 0.5])
def test_a_moving_shot_is_met_between_its_frames(at):
    before, after = scene_with_actor(0.0), scene_with_actor(8.0, 4.0)
    truth = scene_with_actor(8.0 * at, 4.0 * at)
    inner = torch.zeros(1, *SIZE)
    inner[:, 6:-6, 8:-8] = 1.0
    made = between(before, after, at)
    blend = before * (1 - at) + after * at
    assert decibels(made.rgb_CHW, truth, inner) > decibels(blend, truth, inner) + 4.0
    assert float(made.grain_1HW.max()) <= 1.0


def test_the_ends_are_the_frames_themselves():
    before, after = scene_with_actor(0.0), scene_with_actor(5.0, 2.0)
    assert decibels(between(before, after, 0.0).rgb_CHW, before) > 40.0
    assert decibels(between(before, after, 1.0).rgb_CHW, after) > 40.0
    with pytest.raises(WrongValue, match="0 to 1"):
        between(before, after, 1.5)


def test_a_hole_in_one_neighbour_is_seen_in_the_other():
    frames = pan(Scene(42), 3, by=2.0)
    hole = disc(50, 30, 8)
    made = between(frames[0] * (1 - hole), frames[2], 0.5, hole_before_1HW=hole)
    around = disc(50, 30, 12)
    assert decibels(made.rgb_CHW, frames[1], around) > 28.0


def test_a_steady_camera_goes_on_and_a_shaking_one_comes_to_rest():
    steady = [Motion(shifted(-3.0), 1.0)] * 10
    corner = np.array([0.0, 0.0, 1.0])
    assert (ahead(steady, 8, SIZE)[-1] @ corner)[0] == pytest.approx(-24.0, abs=0.1)
    rng = np.random.default_rng(3)
    shaken = [Motion(shifted(*rng.normal(0, 3, 2)), 1.0) for _ in range(24)]
    gone = [np.abs((m @ corner)[:2]).max() for m in ahead(shaken, 8, SIZE)]
    assert max(gone) < 4.0
    assert np.allclose(ahead([], 2, SIZE)[1], np.eye(3))


def test_onward_follows_camera_and_actor():
    frames = [scene_with_actor(4.0 * i, 2.0 * i) for i in range(6)]
    made = onward(frames, 2)
    truth = scene_with_actor(24.0, 12.0)
    shown = (made[0].confidence_1HW > 0).float()
    assert decibels(made[0].rgb_CHW, truth, shown) > decibels(frames[-1], truth, shown) + 3.0
    assert float(made[1].confidence_1HW.mean()) < float(made[0].confidence_1HW.mean())
    assert len(onward(frames[:1], 3)) == 3  # a single frame stands

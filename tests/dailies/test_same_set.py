"""One set framed and lit in two ways, known again; two sets, told apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from footagefit.dailies import same_set
from footagefit.dailies.same_set import SURE, Landmarks, standing
from standing_set import somebody, wall


def lit_otherwise(light: np.ndarray) -> np.ndarray:
    """Two stops down, warm, and falling off to one side."""
    across = np.linspace(-1.0, 1.0, light.shape[1], dtype=np.float32)[None, :, None]
    return light * 2.0 ** (across - 2.0) * np.array([1.3, 1.0, 0.7], np.float32)


@pytest.mark.parametrize("framed", [(1.0, 0.0, 0.0), (1.0, 14.0, -6.0), (1.5, -40.0, -30.0)])
def test_a_set_is_known_again_however_it_is_framed_and_lit(framed):
    size, right, down = framed
    light = wall(3)
    warp = np.array([[size, 0, right], [0, size, down]], np.float32)
    other = cv2.warpAffine(light, warp, (256, 144), flags=cv2.INTER_LINEAR)
    seen = standing(Landmarks(lit_otherwise(other)), Landmarks(light))
    assert seen is not None and seen.sure > SURE
    there = cv2.warpAffine(np.ones((144, 256), np.float32), warp, (256, 144)) > 0.999
    still = (seen.still_HW > 0.5) & there
    assert still.mean() > 0.6 * there.mean()
    apart = np.abs(np.log2(seen.over_HWC[still] / other[still]))
    assert np.median(apart) < 0.02


def test_other_sets_are_not_taken_for_it():
    for seed in range(5):
        assert standing(Landmarks(wall(seed)), Landmarks(wall(seed + 50))) is None


def test_a_set_without_landmarks_is_known_again_by_votes_of_its_parts(monkeypatch):
    monkeypatch.setattr(same_set, "_CONTRAST", 1e3)  # no corner is sharp enough
    light = wall(3, width=300)
    one, other = Landmarks(light[:, :256]), Landmarks(lit_otherwise(light[:, 24:280]))
    assert len(one.points[0]) == 0
    seen = standing(one, other)
    assert seen is not None and seen.sure > SURE
    assert np.abs(seen.warp - [[1, 0, -24], [0, 1, 0]]).max() < 1.0


def test_plain_places_are_not_taken_for_each_other():
    """A sky is as plain as any wall, with a tree before it as with nothing."""
    sky, bare = (
        np.full((144, 256, 3), colour, np.float32) for colour in ((0.3, 0.5, 1.2), (0.2, 0.1, 0.05))
    )
    rng = np.random.default_rng(1)
    bare *= 1.0 + 0.01 * rng.standard_normal(bare.shape).astype(np.float32)
    assert standing(Landmarks(sky), Landmarks(bare)) is None
    for one, other in ((somebody, somebody), (_panelled, somebody), (_panelled, _panelled)):
        left = one(sky, at=(90, 60), colour=(0.05, 0.1, 0.02))
        right = other(bare, at=(60, 200), colour=(0.5, 0.5, 0.5))
        assert standing(Landmarks(left), Landmarks(right)) is None


def _panelled(light: np.ndarray, *, at: tuple[int, int], colour: tuple[float, float, float]):
    """The same with a window, or what is like one, in it."""
    out, (y, x) = light.copy(), at
    out[y - 35 : y + 35, x - 30 : x + 30] = colour
    return out


def test_who_stands_before_it_is_no_set():
    light = wall(7)
    one = somebody(light, at=(80, 90), colour=(0.1, 0.1, 0.1))
    other = somebody(light, at=(80, 170), colour=(0.5, 0.2, 0.05))
    seen = standing(Landmarks(one), Landmarks(other))
    assert seen is not None
    assert not seen.still_HW[70:90, 85:95].any() and not seen.still_HW[70:90, 165:175].any()
    assert seen.still_HW[:30].mean() > 0.9


def test_pictures_may_have_other_sizes_and_nothing_in_them():
    light = wall(4)
    tall = np.pad(light, ((20, 20), (0, 0), (0, 0)), mode="edge")
    seen = standing(Landmarks(light), Landmarks(tall))
    assert seen is not None and seen.over_HWC.shape == light.shape
    plain = np.full((144, 256, 3), 0.18, np.float32)
    assert standing(Landmarks(light), Landmarks(plain)) is None

"""The grain of a shot without a signature, whatever is in the picture and however it moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.errors import FootagefitWarning
from footagefit.rendering.shot_grain import measured, plausible
from footagefit.signature.grain import Grain
from footagefit.signature.grain_synthesis import Synthesis
from motion_made import Scene, Shot, shifted, view
from signature_made import LEVELS, shot_noise

SIZE = (272, 416)


@pytest.mark.parametrize("by", [0.0, 1.7, 2.5])
def test_grain_is_measured_whatever_the_texture(by):
    """The camera stands, or moves over a set that is all detail."""
    frames = [view(Scene(50), shifted(by * n), SIZE) for n in range(4)]
    plates = [Synthesis(shot_noise(), seed=9).apply(f, number=n) for n, f in enumerate(frames)]
    hole = torch.zeros(1, *SIZE)
    hole[:, 60:120, 100:200] = 1.0
    found = measured(Shot(plates, [hole] * 4), range(1001, 1005))
    assert found is not None
    assert found.share == pytest.approx(shot_noise().share, rel=0.1)
    assert found.correlation()[0, 1] == pytest.approx(shot_noise().correlation()[0, 1], abs=0.04)


def test_a_hole_is_not_taken_for_calm():
    """Small holes all over: what is black in both frames has no grain, and is no measure of it."""
    light = view(Scene(50), np.eye(3), SIZE)
    plates = [Synthesis(shot_noise(), seed=9).apply(light, number=n) for n in range(3)]
    hole = torch.zeros(1, *SIZE)
    hole[:, 8::48, :] = hole[:, 9::48, :] = hole[:, 10::48, :] = 1.0
    whole, cut = (measured(Shot(plates, [h] * 3), range(1001, 1004)) for h in (0 * hole, hole))
    assert whole is not None
    assert cut is not None
    assert cut.share == pytest.approx(whole.share, rel=0.06)


def test_grain_that_cannot_be_told_is_said_to_be_missing():
    plates = [torch.full((3, *SIZE), 0.18)] * 2
    for there in (range(1001, 1003), [1001]):
        with pytest.warns(FootagefitWarning, match="grain cannot be told"):
            assert measured(Shot(plates, [torch.ones(1, *SIZE)] * 2), there) is None


def test_texture_is_not_put_into_the_dark_as_grain():
    """What eight-bit foliage measured as: ever more the darker, and nothing below a third."""
    rows = ((0.0375, 0.0140, 0.0095),) * 3
    flat = tuple(((1.0,) * 16,) * 16 for _ in range(3))
    seen = Grain((0.354, 0.5, 0.707), rows, flat, tuple(map(tuple, np.eye(3).tolist())))
    told = plausible(seen)
    assert float(seen.at(np.array(0.01), 1)) > 0.03
    assert float(told.at(np.array(0.01), 1)) < 0.0015
    assert float(told.at(np.array(0.354), 1)) < 0.016
    assert float(told.at(np.array(0.7), 1)) == pytest.approx(0.0097, rel=0.03)


@pytest.mark.parametrize("at", [3, 4, 9])
def test_a_level_that_stands_out_is_brought_to_what_the_others_tell(at):
    true = shot_noise()
    rows = np.array(true.deviation)[:, 10:20]
    levels = LEVELS[10:20]
    rows[:, at] *= 3.0
    given = tuple(tuple(float(v) for v in row) for row in rows)
    told = plausible(Grain(levels, given, true.spectrum, true.channels))
    assert told.at(np.array(levels), 1) == pytest.approx(true.at(np.array(levels), 1), rel=0.13)


def test_texture_at_the_darkest_levels_is_no_floor_of_grain():
    """Of six levels the lower three are half foliage: what is darker still follows the others."""
    levels = (0.125, 0.177, 0.25, 0.354, 0.707, 1.0)
    true = np.sqrt(0.002 * np.array(levels) ** 2 + 0.0001 * np.array(levels))
    given = tuple((true * np.sqrt([6.0, 3.0, 1.6, 1.0, 1.0, 1.0])).tolist())
    plain = shot_noise()
    told = plausible(Grain(levels, (given,) * 3, plain.spectrum, plain.channels))
    share = told.at(np.array(levels), 1) / true
    assert share.min() > 0.85 and share.max() < 1.15

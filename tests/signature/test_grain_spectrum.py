"""A field made of what its blocks showed shows the same in blocks again."""

from __future__ import annotations

import numpy as np
import pytest

from footagefit.signature.grain_patches import BLOCK_PX, cosines
from footagefit.signature.grain_spectrum import POINTS, of_field, window
from footagefit.signature.grain_synthesis import Synthesis
from signature_made import grain


def shown(field_HW: np.ndarray) -> np.ndarray:
    """Mean power by cosine term of a field's blocks (16,16)."""
    n, wave = BLOCK_PX, cosines()
    rows, columns = field_HW.shape[0] // n, field_HW.shape[1] // n
    blocks = field_HW.reshape(rows, n, columns, n).swapaxes(1, 2)
    return ((wave @ blocks @ wave.T) ** 2).mean((0, 1))


def test_white_stays_white_and_no_power_is_lost():
    assert window().sum(1) == pytest.approx(np.ones(BLOCK_PX))
    made = of_field(np.ones((BLOCK_PX, BLOCK_PX)))
    assert made == pytest.approx(np.ones((POINTS, POINTS)), abs=1e-5)


def test_what_leaks_into_fine_terms_is_not_in_the_field():
    turn = np.pi * np.arange(POINTS) / (POINTS - 1)
    true = np.exp(-((1.2 * turn) ** 2))
    seen = window() @ np.outer(true, true) @ window().T
    made = of_field(seen)
    strong = seen > 1e-3 * seen.max()
    assert (window() @ made @ window().T)[strong] == pytest.approx(seen[strong], rel=0.01)
    high = POINTS * 3 // 4
    assert made[high, 0] / made[0, 0] == pytest.approx(true[high], rel=0.05)
    assert seen[12, 0] / seen[0, 0] > 2 * true[high]  # what it would have been taken for


def test_coarse_grain_shows_in_blocks_what_was_measured_of_it():
    coarse = grain(size_px=1.6)
    power = np.array(coarse.spectrum[1])
    field = Synthesis(coarse, seed=3).field((768, 768), number=1)[1].numpy()
    ratio = shown(field) / power
    assert np.exp(np.abs(np.log(ratio)).mean()) < 1.06
    assert ratio[10:, :6].mean() == pytest.approx(1, abs=0.06)

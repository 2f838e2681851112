"""A field's spectrum, from the power that its blocks show.

Here: undoing what looking through a window does. Not here: measuring blocks (`grain.py`), making
fields (`grain_synthesis.py`).

A block's cosine term holds power of the frequencies about its own, and a little of all others: its
window leaks. Coarse grain's finest terms are mostly such leakage, and a field made with them would
be too fine by it. What a spectrum would show through the same window is a product of matrices
without negative numbers; the field's spectrum is what shows the measured one.

Shapes: u and v cosine terms, k frequencies from 0 to the highest, both ends among them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from footagefit.signature.grain_patches import BLOCK_PX, cosines

POINTS = 4 * BLOCK_PX + 1
_ROUNDS = 40
_LEAST = 1e-7


@lru_cache(maxsize=1)
def window() -> np.ndarray:
    """How much of a frequency's power a cosine term sees (16,k); rows add up to 1."""
    turn = np.pi * np.arange(POINTS) / (POINTS - 1)
    wave = np.exp(-1j * turn[:, None] * np.arange(BLOCK_PX))
    seen = np.abs(cosines().astype(np.float64) @ wave.T) ** 2
    seen[:, [0, -1]] *= 0.5  # the ends stand for half as wide a piece as the others
    return seen / (POINTS - 1)


def waves(reach: int) -> np.ndarray:
    """How power at each frequency (reach,k) agrees with itself so many pixels on, by its share."""
    turn = np.pi * np.arange(POINTS) / (POINTS - 1)
    made = np.cos(np.arange(reach)[:, None] * turn)
    made[:, [0, -1]] *= 0.5
    return made / (POINTS - 1)


@lru_cache(maxsize=1)
def _between() -> np.ndarray:
    """Values at all frequencies from values at the terms' own (k,16), straight between them."""
    at = np.minimum(np.arange(POINTS) * BLOCK_PX / (POINTS - 1), BLOCK_PX - 1.0)
    return np.clip(1 - np.abs(at[:, None] - np.arange(BLOCK_PX)), 0, None)


def of_field(power_uv: np.ndarray) -> np.ndarray:
    """The field's power by frequency (k,k), rows go with y, of the power by cosine term."""
    seen, between = window(), _between()
    wanted = np.maximum(power_uv, _LEAST)
    made = np.exp(between @ np.log(wanted) @ between.T)
    for _ in range(_ROUNDS):
        ratio = wanted / np.maximum(seen @ made @ seen.T, _LEAST)
        made = np.maximum(made * (between @ ratio @ between.T), _LEAST)
    return made

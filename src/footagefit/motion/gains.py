"""How a frame's light differs from another's, in closed form.

Here: a gain by channel that may lean across the frame, from pixels that both show. Not here: which
pixels these are.

Shapes: N places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FLOOR = 2.0**-8  # light below which a ratio is noise
_MOST_EV = 3.0
_LEAST = 24
_LEAN_PRICE = 200.0  # places that must ask for a lean before it is believed by half


@dataclass(frozen=True)
class Gain:
    """Stops by channel: at the middle, and what they gain to the right and down.

    Attributes:
        stops_3x3: Rows are channels; columns constant, x, y in units of `half_px` from `middle`.
        middle: x, y px.
        half_px: Half the longest side.
    """

    stops_3x3: np.ndarray
    middle: tuple[float, float] = (0.0, 0.0)
    half_px: float = 1.0

    def at(self, place_N2: np.ndarray) -> np.ndarray:
        """Factors (N,3) at places of the frame that is to be met."""
        terms = _terms(place_N2, self.middle, self.half_px)
        stops = (terms @ self.stops_3x3.T).clip(-_MOST_EV, _MOST_EV)
        return np.exp2(stops).astype(np.float32)


NONE = Gain(np.zeros((3, 3)))


def fitted(
    wanted_N3: np.ndarray, seen_N3: np.ndarray, place_N2: np.ndarray, weight_N: np.ndarray,
    *, half_px: float,
) -> Gain:  # fmt: skip
    """The gain that brings what was seen to what is wanted: least squares on stops, reweighted.

    Args:
        wanted_N3: Light of the frame to be met.
        seen_N3: Light of the other at the same things.
        place_N2: Where, in the frame to be met.
        weight_N: How sure each is.
        half_px: Half the frame's longest side.
    """
    bright = (wanted_N3 > _FLOOR).all(1) & (seen_N3 > _FLOOR).all(1) & (weight_N > 0.05)
    if bright.sum() < _LEAST:
        return NONE
    apart = np.log2(wanted_N3[bright] / seen_N3[bright])
    place, weight = place_N2[bright], weight_N[bright].astype(np.float64)
    middle = (float(place[:, 0].mean()), float(place[:, 1].mean()))
    terms = _terms(place, middle, half_px)
    found = np.zeros((3, 3))
    for channel in range(3):
        found[channel] = _robust(terms, apart[:, channel], weight)
    return Gain(found, middle, half_px)


def _terms(place_N2: np.ndarray, middle: tuple[float, float], half_px: float) -> np.ndarray:
    about = (place_N2 - np.array(middle)) / half_px
    return np.concatenate([np.ones((len(about), 1)), about], 1)


def _robust(terms: np.ndarray, goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Constant and lean; what disagrees with the rest counts less and less."""
    value = np.array([float(np.median(goal)), 0.0, 0.0])
    spread = terms[:, 1:].std() + 1e-6
    for _ in range(4):
        rest = goal - terms @ value
        scale = max(0.01, 1.48 * float(np.median(np.abs(rest))))
        firm = weight / (1.0 + (rest / (2.0 * scale)) ** 2) ** 2
        lean = (terms * firm[:, None]).T
        price = np.diag([1e-6, _LEAN_PRICE * spread**2, _LEAN_PRICE * spread**2])
        value = np.linalg.solve(lean @ terms + price, lean @ goal)
    return value

"""Values known in places, spread smoothly to where they are not.

Here: push and pull over a pyramid (Gortler et al. 1996, section 5): the wider the gap, the coarser
what fills it. Not here: what is spread.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

import numpy as np

_LEAST_PX = 3
_ENOUGH = 1e-3  # weight above which a place counts as known when it is pulled


def spread(values_HWC: np.ndarray, weight_HW: np.ndarray, *, softly: bool = False) -> np.ndarray:
    """The values where their weight is 1, and a smooth surface through them where it is 0.

    Args:
        values_HWC: Whatever is where the weight is 0 is not looked at.
        weight_HW: 0..1.
        softly: Whether to smooth known values too, by what is round them, as far as their weight
            is below 1.
    """
    import cv2

    weight = weight_HW.astype(np.float32)
    values = np.where(weight[..., None] > 0, values_HWC, 0.0).astype(np.float32)
    levels = [(values * weight[..., None], weight)]
    while min(levels[-1][1].shape) > _LEAST_PX:
        mass, known = levels[-1]
        half = (max(1, -(-known.shape[1] // 2)), max(1, -(-known.shape[0] // 2)))
        less = cv2.resize(cv2.GaussianBlur(known, (5, 5), 1.0), half, interpolation=cv2.INTER_AREA)
        small = cv2.resize(cv2.GaussianBlur(mass, (5, 5), 1.0), half, interpolation=cv2.INTER_AREA)
        small = small.reshape(*less.shape, -1)
        # What is known in part is known: weights saturate on the way up.
        grown = np.minimum(1.0, 4.0 * less)
        levels.append((small * (grown / np.maximum(less, 1e-6))[..., None], grown))
    made = _top(*levels[-1])
    for mass, known in reversed(levels[:-1]):
        size = (known.shape[1], known.shape[0])
        wide = cv2.resize(made, size, interpolation=cv2.INTER_LINEAR)
        made = mass + (1.0 - known[..., None]) * wide.reshape(*known.shape, -1)
    if softly:
        return made
    return np.where(weight[..., None] >= 1.0, values, made)


def _top(mass_HWC: np.ndarray, known_HW: np.ndarray) -> np.ndarray:
    total = float(known_HW.sum())
    if total < _ENOUGH:
        return np.zeros_like(mass_HWC)
    mean = mass_HWC.sum((0, 1)) / total
    return mass_HWC + (1.0 - known_HW[..., None]) * mean

"""Premultiplication: where alpha is 0, colour passes as it is."""

from __future__ import annotations

import numpy as np


def divide(rgb_HWC: np.ndarray, alpha_HW: np.ndarray) -> None:
    """Make premultiplied colour straight, in place."""
    partial = (alpha_HW != 0) & (alpha_HW != 1)
    if partial.any():
        rgb_HWC[partial] /= alpha_HW[partial][:, None]


def multiply(rgb_HWC: np.ndarray, alpha_HW: np.ndarray) -> None:
    """Make straight colour premultiplied, in place."""
    partial = (alpha_HW != 0) & (alpha_HW != 1)
    if partial.any():
        rgb_HWC[partial] *= alpha_HW[partial][:, None]

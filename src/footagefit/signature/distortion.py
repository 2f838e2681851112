"""Distortion: r_d = r_u (1 + k1 r_u^2 + k2 r_u^4) about a centre, and the anamorphic squeeze.

Here: the model, pictures through it and back. Not here: measuring it (`distortion_fit.py`,
`charts.py`), ST-maps (`stmaps.py`).

A picture read at `undistorted` places is bent as the lens bends it; read at `distorted` places it
is straightened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from footagefit.signature import coordinates

_FURTHEST = 2.0  # half-diagonals: a fit on its way may fold the picture, and must not run off


@dataclass(frozen=True)
class Distortion:
    """How a lens bends straight lines.

    Attributes:
        k1: See the module; below 0 is barrel.
        k2: See the module.
        centre_x: Of the distortion, in lens coordinates.
        centre_y: Likewise, up.
        squeeze: Anamorphic squeeze: 2 for 2x.
        error_px: Standard error at the corner of an HD frame; None where it was not measured.
        lines: Straight edges it was fitted to.
        points: Points it was fitted to that were followed as the camera turned.
    """

    k1: float = 0.0
    k2: float = 0.0
    centre_x: float = 0.0
    centre_y: float = 0.0
    squeeze: float = 1.0
    error_px: float | None = None
    lines: int = 0
    points: int = 0

    def distorted(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the lens puts what a pinhole would put at x, y."""
        x, y = x - self.centre_x, y - self.centre_y
        r2 = x * x + y * y
        scale = 1 + self.k1 * r2 + self.k2 * r2 * r2
        return x * scale + self.centre_x, y * scale + self.centre_y

    def undistorted(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where a pinhole would put what the lens puts at x, y; by Newton's method."""
        x, y = x - self.centre_x, y - self.centre_y
        far = np.sqrt(x * x + y * y)
        r = far.copy()
        for _ in range(10):
            r2 = r * r
            value = r * (1 + self.k1 * r2 + self.k2 * r2 * r2) - far
            r = r - value / np.maximum(1 + 3 * self.k1 * r2 + 5 * self.k2 * r2 * r2, 0.05)
            r = np.minimum(r, _FURTHEST)
        scale = r / np.maximum(far, 1e-9)
        return x * scale + self.centre_x, y * scale + self.centre_y


def apply(frame_CHW: Tensor, lens: Distortion) -> Tensor:
    """A pinhole's picture as the lens bends it."""
    x, y = coordinates.grid(_size(frame_CHW), squeeze=lens.squeeze)
    return coordinates.read_at(frame_CHW, *lens.undistorted(x, y), squeeze=lens.squeeze)


def remove(frame_CHW: Tensor, lens: Distortion) -> Tensor:
    """The lens's picture, straightened; what it never saw is its border's last pixels."""
    x, y = coordinates.grid(_size(frame_CHW), squeeze=lens.squeeze)
    return coordinates.read_at(frame_CHW, *lens.distorted(x, y), squeeze=lens.squeeze)


def _size(frame_CHW: Tensor) -> tuple[int, int]:
    return int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1])

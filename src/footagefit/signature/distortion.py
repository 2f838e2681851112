"""Distortion: r_d = r_u (1 + k1 r_u^2 + k2 r_u^4) about a centre, and the anamorphic squeeze.

Here: the model, pictures through it and back, and its fit to edges that should be straight
(plumb lines: Brown 1971; Devernay and Faugeras 2001) or to a chessboard. Not here: finding edges
(`edges.py`), ST-maps (`stmaps.py`).

A picture read at `undistorted` places is bent as the lens bends it; read at `distorted` places it
is straightened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from footagefit.signature import coordinates
from footagefit.signature.coordinates import HD_HALF_PX

STRAIGHT_PX = 0.35  # of an HD frame: a line that bends more after the fit was never straight
LEAST_LINES = 6
WORST_PX = 4.0  # a fit less certain than this at the corner of an HD frame says nothing
_K1_SPAN = np.linspace(-0.24, 0.16, 81)


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
    """

    k1: float = 0.0
    k2: float = 0.0
    centre_x: float = 0.0
    centre_y: float = 0.0
    squeeze: float = 1.0
    error_px: float | None = None
    lines: int = 0

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


def fit_lines(
    lines: Sequence[np.ndarray], *, squeeze: float = 1.0, centre: bool = True
) -> Distortion | None:
    """The distortion that makes the most edges straight, or None where too few say anything.

    Args:
        lines: Points (N,2) along each edge, in lens coordinates.
        squeeze: Of the frames the lines come from.
        centre: Whether to look for the centre too, where the lines allow it.
    """
    if len(lines) < LEAST_LINES:
        return None
    even = np.stack([_evenly(line) for line in lines])
    score = [_consensus(even, np.array([k1, 0.0, 0.0, 0.0])) for k1 in _K1_SPAN]
    start = np.array([_K1_SPAN[int(np.argmin(score))], 0.0, 0.0, 0.0])
    kept, found, spread = even, start, np.full(5, np.inf)
    whole = (0, 1, 2, 3) if centre else (0, 1)
    for free in ((0,), (0, 1), whole, whole):
        bend = _bend(even, found) * HD_HALF_PX
        loose = STRAIGHT_PX * (3.0 if free == (0,) else 1.0)
        kept = even[bend < max(loose, 2.0 * float(np.quantile(bend, 0.25)))]
        if len(kept) < LEAST_LINES:
            return None
        found, spread = _refined(kept, found, free)
    error_px = float(spread[-1]) * HD_HALF_PX
    if not np.isfinite(error_px) or error_px > WORST_PX:
        return None
    k1, k2, x, y = (float(v) for v in found)
    return Distortion(k1, k2, x, y, squeeze, round(error_px, 3), len(kept))


_POINTS = 24
_PRIOR = np.array([0.3, 0.05, 0.02, 0.02])  # how far from 0 parameters lie before a look


def _evenly(line: np.ndarray) -> np.ndarray:
    """A line as the means of even stretches of it: noise goes down, the bend stays."""
    parts = np.array_split(line, _POINTS) if len(line) >= _POINTS else None
    if parts is None:
        at = np.linspace(0, len(line) - 1, _POINTS)
        index = np.arange(len(line))
        return np.stack([np.interp(at, index, line[:, i]) for i in (0, 1)], 1)
    return np.stack([p.mean(0) for p in parts])


def _straightened(lines_LP2: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    k1, k2, x, y = parameters
    lens = Distortion(float(k1), float(k2), float(x), float(y))
    return np.stack(lens.undistorted(lines_LP2[..., 0], lines_LP2[..., 1]), -1)


def _offsets(lines_LP2: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Distance (L,P) of each point from its own best straight line, after straightening."""
    plain = _straightened(lines_LP2, parameters)
    about = plain - plain.mean(1, keepdims=True)
    a, b, c = ((about[..., i] * about[..., j]).sum(1) for i, j in ((0, 0), (0, 1), (1, 1)))
    turn = 0.5 * np.arctan2(2 * b, a - c)
    return about[..., 1] * np.cos(turn)[:, None] - about[..., 0] * np.sin(turn)[:, None]


def _bend(lines_LP2: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return np.sqrt((_offsets(lines_LP2, parameters) ** 2).mean(1))


def _consensus(lines_LP2: np.ndarray, parameters: np.ndarray) -> float:
    """How badly lines are straight; each counts by its length, no further than a bound."""
    bend = np.minimum(_bend(lines_LP2, parameters) * HD_HALF_PX / STRAIGHT_PX, 3.0) ** 2
    long = np.linalg.norm(lines_LP2[:, -1] - lines_LP2[:, 0], axis=1)
    return float((bend * long**2).sum())


def _refined(
    lines_LP2: np.ndarray, start: np.ndarray, free: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Robust least squares over some parameters; and their errors, the corner's last.

    Errors are by the scatter between lines, not between points, which share what is wrong.
    """
    from scipy.optimize import least_squares

    noise = max(0.03 / HD_HALF_PX, float(np.median(_bend(lines_LP2, start))))
    index = np.array(free)

    def whole(values: np.ndarray) -> np.ndarray:
        out = start.copy()
        out[index] = values
        return out

    def rest(values: np.ndarray) -> np.ndarray:
        off = _offsets(lines_LP2, whole(values)) / noise
        return np.concatenate([off.ravel(), values / _PRIOR[index]])

    done = least_squares(rest, start[index], loss="soft_l1", x_scale=_PRIOR[index], max_nfev=40)
    points = lines_LP2.shape[0] * lines_LP2.shape[1]
    lean = done.jac[:points].reshape(*lines_LP2.shape[:2], -1)
    off = rest(done.x)[:points].reshape(lines_LP2.shape[:2])
    push = np.einsum("lpk,lp->lk", lean, off * (1 + off**2) ** 0.25)
    inverse = np.linalg.pinv(done.jac.T @ done.jac)
    spread = inverse @ (push.T @ push) @ inverse
    errors = np.full(5, 0.0)
    errors[index] = np.sqrt(np.diag(spread))
    corner = np.isin(index, (0, 1)).astype(float)  # dr at r = 1 is dk1 + dk2
    errors[4] = float(np.sqrt(max(0.0, corner @ spread @ corner)))
    return whole(done.x), errors

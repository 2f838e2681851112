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

LEAST_LINES = 6
WORST_PX = 4.0  # a fit less certain than this at the corner of an HD frame says nothing
_K1_SPAN = np.linspace(-0.14, 0.14, 71)  # beyond, k1 alone folds the picture over


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


def fit_lines(
    lines: Sequence[np.ndarray], *, shots: Sequence[int] | None = None, squeeze: float = 1.0,
    centre: bool = True,
) -> Distortion | None:  # fmt: skip
    """The distortion that makes the most edges straight, or None where too few say anything.

    Args:
        lines: Points (N,2) along each edge, in lens coordinates.
        shots: Which shot each is from: with four and more, what they disagree by is the error; of
            fewer, twice what edges say. None of a chart, whose edges are straight.
        squeeze: Of the frames the lines come from.
        centre: Whether to look for the centre too, where the lines allow it.
    """
    if len(lines) < LEAST_LINES:
        return None
    even = np.stack([_evenly(line) for line in lines])
    shot_L = np.zeros(len(even), int) if shots is None else np.array(shots)
    long = np.linalg.norm(even[:, -1] - even[:, 0], axis=1) > _LONG
    if long.sum() >= 4 * LEAST_LINES:
        even, shot_L = even[long], shot_L[long]
    share = _shares(even)
    bends = np.stack([_bend(even, np.array([k1, 0.0, 0.0, 0.0])) for k1 in _K1_SPAN])
    noise = float(np.clip(np.quantile(bends.min(0), 0.12), *_NOISE))
    votes = (np.minimum((bends / noise) ** 2, 2.0) * share).sum(1)
    start = np.array([_K1_SPAN[int(np.argmin(votes))], 0.0, 0.0, 0.0])
    found, _, _ = _refined(even, share, start, (0, 1), noise)
    free = (0, 1, 2, 3) if centre else (0, 1)
    found, error, count = _refined(even, share, found, free, noise)
    if len(np.unique(shot_L)) >= _LEAST_SHOTS:
        error = max(error, _apart(even, share, found, free, noise, shot_L))
    elif shots is not None:
        error *= _ALONE * float(np.sqrt(count / max(count - len(free), 1)))
    error_px = error * HD_HALF_PX
    if count < LEAST_LINES or not np.isfinite(error_px) or error_px > WORST_PX:
        return None
    if _agree(even, share, found, noise) < _LEAST_AGREE:
        return None
    k1, k2, x, y = (float(v) for v in found)
    return Distortion(k1, k2, x, y, squeeze, round(error_px, 3), count)


_FURTHEST = 2.0  # half-diagonals: a fit on its way may fold the picture, and must not run off
_POINTS = 24
_MOST = np.array([0.3, 0.15, 0.1, 0.1])
_NOISE = (0.05 / HD_HALF_PX, 0.3 / HD_HALF_PX)
_SAME_PLACE = 0.03
_OTHER = 0.04  # in k1
_LEAST_AGREE = 3.5
_LONG = 0.2  # of the half-diagonal: what is shorter bends by itself more than by the lens
_LEAST_SHOTS = 4
_ALONE = 2.0  # edges of few shots err together, by how much cannot be told from these
_MOST_PARTS = 10  # that are left out in turn
_ALIKE = 6.0  # neighbouring points of a line share their error: as many go for one
_PRIOR = np.array([0.3, 0.06, 0.006, 0.006])  # how far from 0 parameters lie before a look


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


def _agree(lines_LP2: np.ndarray, share: np.ndarray, found: np.ndarray, noise: float) -> float:
    """How many edges are straight under the answer and bent under any quite other one."""
    straight = _bend(lines_LP2, found) < 2.5 * noise
    told = np.full(len(lines_LP2), np.inf)
    for step in (-_OTHER, _OTHER):
        other = found + np.array([step, 0.0, 0.0, 0.0])
        told = np.minimum(told, _bend(lines_LP2, other))
    return float(share[straight & (told > 3.0 * noise)].sum())


def _shares(lines_LP2: np.ndarray) -> np.ndarray:
    """Weights by which an edge that stands still in many frames counts but once."""
    ends = lines_LP2[:, [0, -1]].reshape(-1, 4)
    back = lines_LP2[:, [-1, 0]].reshape(-1, 4)
    near = np.zeros(len(ends))
    for i in range(len(ends)):
        apart = np.minimum(np.abs(ends - ends[i]).max(1), np.abs(back - ends[i]).max(1))
        near[i] = (apart < _SAME_PLACE).sum()
    return 1.0 / near


def _apart(
    lines_LP2: np.ndarray, share: np.ndarray, found: np.ndarray, free: tuple[int, ...],
    noise: float, shot_L: np.ndarray,
) -> float:  # fmt: skip
    """The error in r at the corner by leaving out shots in turn (Tukey's jackknife).

    What passes for straight in a set is in all frames of it: edges of one shot err together.
    """
    part = np.unique(shot_L, return_inverse=True)[1] % _MOST_PARTS
    told = []
    for one in np.unique(part):
        kept = part != one
        other = _refined(lines_LP2[kept], share[kept], found, free, noise, turns=5)[0]
        told.append(other[0] + other[1])
    count = len(told)
    return float(np.sqrt((count - 1) * np.var(told)))


def _refined(
    lines_LP2: np.ndarray, share: np.ndarray, start: np.ndarray, free: tuple[int, ...],
    noise: float, *, turns: int = 14,
) -> tuple[np.ndarray, float, int]:  # fmt: skip
    """Gauss and Newton, lines that stay bent counting less and less.

    Returns:
        The parameters; the error in r at the corner, by the scatter between lines, whose points
        share what is wrong with them; and how many lines were straight.
    """
    index, found = np.array(free), start.copy()
    step_of = np.array([1e-4, 1e-4, 1e-4, 1e-4])
    lean = np.zeros((*lines_LP2.shape[:2], len(free)))
    weight, off, inverse = share, _offsets(lines_LP2, found), np.eye(len(free))
    for turn in range(turns):
        off = _offsets(lines_LP2, found)
        wide = noise * max(1.0, 2.5 - 0.3 * (turn + 14 - turns))
        weight = share / (1 + (off**2).mean(1) / wide**2) ** 2
        for k, i in enumerate(index):
            moved = found.copy()
            moved[i] += step_of[i]
            lean[..., k] = (_offsets(lines_LP2, moved) - off) / step_of[i]
        scale = weight[:, None, None] / noise**2 / _ALIKE
        normal = np.einsum("lpi,lpj->ij", lean * scale, lean) + np.diag(_PRIOR[index] ** -2.0)
        pull = np.einsum("lpi,lp->i", lean * scale, -off) - found[index] / _PRIOR[index] ** 2
        inverse = np.linalg.inv(normal)
        found[index] = (found[index] + inverse @ pull).clip(-_MOST[index], _MOST[index])
    push = np.einsum("lpi,lp->li", lean * (weight / noise**2 / _ALIKE)[:, None, None], off)
    spread = inverse @ (push.T @ push + np.diag(_PRIOR[index] ** -2.0)) @ inverse
    corner = np.isin(index, (0, 1)).astype(float)  # dr at r = 1 is dk1 + dk2
    error = float(np.sqrt(max(0.0, corner @ spread @ corner)))
    return found, error, int((weight > 0.25 * share).sum())

"""From likely pixels to wires: long, thin, smooth curves, gaps closed, all else left out.

What belongs here: finding such curves in a likelihood, and how sure one must be. What does not: the
likelihood (`finders`, `finder_net`).

A curve is a parabola over a straight axis: what hangs, what is taut, and what a lens bends.

Shapes: H rows, W columns, N points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_WEAK = 0.3  # likelihood from which a pixel may belong to a wire
_MOST = 16  # curves looked for in a frame
_TRIES = 64  # pairs of points that a straight start is drawn from
_POINTS = 500  # of a piece, for its start
_NEAR_PX = 3.0
_BIN_PX = 4.0
_REACH = 0.5  # of its length by which a curve may grow at either end with each round
_ROUNDS = 6
_THICK_SHARE, _THICK_PX = 0.02, 5.0  # of the short side, and at least: no wire is wider
_GAP_SHARE = 0.15  # of the short side: what is closed


@dataclass(frozen=True)
class Limits:
    """What a curve must be to be a wire.

    Attributes:
        sure: Likelihood that it reaches over a fifth of its pixels.
        mean: Mean likelihood of its pixels.
        least_share: Its length as a share of the frame's short side.
        cover: Share of its length that is likely.
    """

    sure: float = 0.85
    mean: float = 0.6
    least_share: float = 0.45
    cover: float = 0.6


@dataclass
class Curve:
    """A parabola over an axis: `across = c0 + c1 along + c2 along^2`.

    Attributes:
        origin_2: Where the axis starts, x y.
        axis_2: Its direction.
        shape_3: c0, c1, c2.
        low: Where it begins on the axis.
        high: Where it ends.
    """

    origin_2: np.ndarray
    axis_2: np.ndarray
    shape_3: np.ndarray
    low: float
    high: float

    def along(self, points_N2: np.ndarray) -> np.ndarray:
        """Places on the axis (N,)."""
        return (points_N2 - self.origin_2) @ self.axis_2

    def off(self, points_N2: np.ndarray) -> np.ndarray:
        """How far points lie from the curve, in pixels (N,)."""
        t = self.along(points_N2)
        across = (points_N2 - self.origin_2) @ np.array([-self.axis_2[1], self.axis_2[0]])
        c0, c1, c2 = self.shape_3
        slope = c1 + 2.0 * c2 * t
        return np.abs(across - (c0 + c1 * t + c2 * t * t)) / np.sqrt(1.0 + slope * slope)

    def at(self, along_N: np.ndarray) -> np.ndarray:
        """Points of the curve (N,2), x y."""
        c0, c1, c2 = self.shape_3
        across = c0 + c1 * along_N + c2 * along_N**2
        normal = np.array([-self.axis_2[1], self.axis_2[0]])
        return self.origin_2 + along_N[:, None] * self.axis_2 + across[:, None] * normal


def traced(likely_HW: np.ndarray, limits: Limits) -> np.ndarray:
    """The pixels of wires (H,W).

    Args:
        likely_HW: How likely each pixel is of a wire.
        limits: What a wire must be.
    """
    import cv2

    left = (likely_HW >= _WEAK).astype(np.uint8)
    out = np.zeros(likely_HW.shape, bool)
    short = min(likely_HW.shape)
    for _ in range(_MOST):
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(left, connectivity=8)
        length = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT])
        length[0] = 0.0
        if count < 2 or length.max() < max(12.0, 0.08 * short):
            break
        rows, columns = np.nonzero(left)
        points = np.stack([columns, rows], 1).astype(np.float64)
        mine = labels[rows, columns] == int(length.argmax())
        curve = _followed(points, points[mine])
        close = (curve.off(points) <= 2.0 * _NEAR_PX) & _within(curve, points)
        taken = close if close.any() else mine
        if close.any() and _is_wire(curve, points[close], likely_HW, limits):
            out[rows[close], columns[close]] = True
            _close_gaps(out, curve, points[close])
        left[rows[taken], columns[taken]] = 0
        if not close[mine].any():  # the piece told of no curve
            left[rows[mine], columns[mine]] = 0
    return out


def _followed(points_N2: np.ndarray, piece_N2: np.ndarray) -> Curve:
    """A curve that starts in a piece and takes in what lies on its way."""
    curve = _start(piece_N2)
    for _ in range(_ROUNDS):
        reach = max(12.0, _REACH * (curve.high - curve.low))
        t = curve.along(points_N2)
        near = curve.off(points_N2) <= _NEAR_PX
        near &= (t >= curve.low - reach) & (t <= curve.high + reach)
        if near.sum() < 8:
            break
        curve = _fitted(points_N2[near])
    return curve


def _start(piece_N2: np.ndarray) -> Curve:
    """The straight line through two of a piece's points that most others lie near."""
    rng = np.random.default_rng(0)
    some = piece_N2[:: max(1, len(piece_N2) // _POINTS)]
    pairs = rng.integers(0, len(some), (_TRIES, 2))
    way = some[pairs[:, 1]] - some[pairs[:, 0]]
    size = np.linalg.norm(way, axis=1)
    way = way / np.maximum(size, 1e-6)[:, None]
    apart = some[None] - some[pairs[:, 0]][:, None]
    off = np.abs(apart[..., 0] * way[:, None, 1] - apart[..., 1] * way[:, None, 0])
    votes = (off <= 2.0).sum(1) * (size > 6.0)
    best = int(votes.argmax())
    near = off[best] <= 2.0 if votes[best] else np.ones(len(some), bool)
    return _fitted(some[near])


def _fitted(points_N2: np.ndarray) -> Curve:
    """The parabola through points, a straight line where they are few or short."""
    origin = points_N2.mean(0)
    _, spread, axes = np.linalg.svd(points_N2 - origin, full_matrices=False)
    curve = Curve(origin, axes[0], np.zeros(3), 0.0, 0.0)
    t = curve.along(points_N2)
    across = (points_N2 - origin) @ np.array([-axes[0][1], axes[0][0]])
    degree = 2 if np.ptp(t) > 48.0 and spread[0] > 0 else 1
    shape = np.zeros(3)
    shape[: degree + 1] = np.polynomial.polynomial.polyfit(t, across, degree)
    return Curve(origin, axes[0], shape, float(t.min()), float(t.max()))


def _within(curve: Curve, points_N2: np.ndarray) -> np.ndarray:
    t = curve.along(points_N2)
    return (t >= curve.low - 1.0) & (t <= curve.high + 1.0)


def _bins(curve: Curve, points_N2: np.ndarray) -> np.ndarray:
    """Which steps along the curve have points."""
    count = max(1, int(np.ceil((curve.high - curve.low) / _BIN_PX)))
    at = ((curve.along(points_N2) - curve.low) / _BIN_PX).astype(int).clip(0, count - 1)
    return np.bincount(at, minlength=count) > 0


def _is_wire(curve: Curve, points_N2: np.ndarray, likely_HW: np.ndarray, limits: Limits) -> bool:
    """Whether it is long, thin, mostly there and sure enough."""
    short = min(likely_HW.shape)
    length = curve.high - curve.low
    steps = _bins(curve, points_N2)
    thick = len(points_N2) / max(1.0, steps.sum() * _BIN_PX)
    likely = likely_HW[points_N2[:, 1].astype(int), points_N2[:, 0].astype(int)]
    return bool(
        length >= limits.least_share * short
        and steps.mean() >= limits.cover
        and thick <= max(_THICK_PX, _THICK_SHARE * short)
        and likely.mean() >= limits.mean
        and np.quantile(likely, 0.8) >= limits.sure
    )


def _close_gaps(out: np.ndarray, curve: Curve, points_N2: np.ndarray) -> None:
    """Draw the curve where short pieces of it lack."""
    import cv2

    steps = _bins(curve, points_N2)
    thick = max(1, round(len(points_N2) / max(1.0, steps.sum() * _BIN_PX)))
    most = max(2, int(_GAP_SHARE * min(out.shape) / _BIN_PX))
    edges = np.flatnonzero(np.diff(np.concatenate([[1], steps.astype(int), [1]])))
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        if high - low > most:
            continue
        along = curve.low + _BIN_PX * np.linspace(low - 0.5, high + 0.5, 3 + int(high - low))
        path = np.round(curve.at(along)).astype(np.int32)[:, None]
        drawn = np.zeros(out.shape, np.uint8)
        cv2.polylines(drawn, [path], False, 1, thick)
        out |= drawn > 0

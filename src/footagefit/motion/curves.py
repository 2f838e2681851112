"""Parabolas over a frame, what lies on them and beside them.

What belongs here: a curve, reading planes along it, how thick a line on it is, drawing it. What
does not: looking for curves (`wires`), telling wires from other lines (`hanging`).

Shapes: H rows, W columns, N places along a curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BORDER_SHARE = 0.06  # of the short side: an end so near the border is at it


@dataclass(frozen=True)
class Curve:
    """A parabola over rows or columns: `v = c0 + c1 u + c2 u^2`, u from `low` to `high`.

    Attributes:
        steep: Whether u counts rows (and v columns), or the other way about.
        shape_3: c0, c1, c2.
        low: Where it begins.
        high: Where it ends.
    """

    steep: bool
    shape_3: tuple[float, float, float]
    low: float
    high: float

    def across(self, u_N: np.ndarray) -> np.ndarray:
        """Where it is at steps of u."""
        c0, c1, c2 = self.shape_3
        return c0 + c1 * u_N + c2 * u_N * u_N

    def slant(self, u_N: np.ndarray) -> np.ndarray:
        """Pixels of curve to a step of u."""
        return np.hypot(1.0, self.shape_3[1] + 2.0 * self.shape_3[2] * u_N)

    @property
    def length(self) -> float:
        """In pixels."""
        return float(self.slant(np.linspace(self.low, self.high, 64)).mean() * self.span)

    @property
    def span(self) -> float:
        """From its beginning to its end along u."""
        return self.high - self.low


def along(likely_HW: np.ndarray, curve: Curve, *, off_px: float = 0.0) -> np.ndarray:
    """The likeliest within a pixel of the curve, or of one beside it, at each step of u."""
    plane = likely_HW if curve.steep else likely_HW.T
    u = np.arange(int(curve.low), int(curve.high) + 1)
    v = curve.across(u.astype(np.float64)) + off_px * curve.slant(u.astype(np.float64))
    found = np.zeros(len(u), np.float32)
    for aside in (-1, 0, 1):
        at = np.round(v).astype(int) + aside
        inside = (at >= 0) & (at < plane.shape[1])
        values = plane[u, np.clip(at, 0, plane.shape[1] - 1)] * inside
        found = np.maximum(found, values)
    return found


def read(plane_HW: np.ndarray, curve: Curve, off_px: float) -> np.ndarray:
    """A plane so far beside the curve at each step of u; not a number where that is outside."""
    plane = plane_HW if curve.steep else plane_HW.T
    u = np.arange(int(curve.low), int(curve.high) + 1)
    v = curve.across(u.astype(np.float64)) + off_px * curve.slant(u.astype(np.float64))
    at = np.round(v).astype(int)
    inside = (at >= 0) & (at < plane.shape[1])
    return np.where(inside, plane[u, np.clip(at, 0, plane.shape[1] - 1)], np.float32(np.nan))


def ends_at_border(likely_HW: np.ndarray, curve: Curve) -> int:
    """How many of the curve's ends are at the frame's border, or near it."""
    rows, columns = likely_HW.shape if curve.steep else likely_HW.shape[::-1]
    near = _BORDER_SHARE * min(rows, columns)
    count = 0
    for u in (curve.low, curve.high):
        v = float(curve.across(np.array([u]))[0])
        count += min(u, rows - 1 - u, v, columns - 1 - v) <= near
    return count


def thickness(likely_HW: np.ndarray, curve: Curve) -> float:
    """How many pixels across it are half as likely as its middle, mostly."""
    plane = likely_HW if curve.steep else likely_HW.T
    u = np.arange(int(curve.low), int(curve.high) + 1)
    reach = widest(likely_HW) // 2
    at = np.round(curve.across(u.astype(np.float64)))[:, None] + np.arange(-reach, reach + 1)
    inside = (at >= 0) & (at < plane.shape[1])
    values = plane[u[:, None], np.clip(at, 0, plane.shape[1] - 1).astype(int)] * inside
    middle = along(likely_HW, curve)
    wide = (values >= 0.5 * middle[:, None]).sum(1) / curve.slant(u.astype(np.float64))
    clear = middle >= np.median(middle)
    return max(1.0, float(np.median(wide[clear])))


def drawn(likely_HW: np.ndarray, curve: Curve, thick: int) -> np.ndarray:
    """The curve some pixels wide (H,W)."""
    import cv2

    u = np.arange(int(curve.low), int(curve.high) + 1).astype(np.float64)
    v = curve.across(u)
    points = np.stack([v, u] if curve.steep else [u, v], 1)
    out = np.zeros(likely_HW.shape, np.uint8)
    path = np.round(points * 8).astype(np.int32)[:, None]
    cv2.polylines(out, [path], False, 1, max(1, thick), shift=3)
    return out > 0


def widest(likely_HW: np.ndarray) -> int:
    """How wide a wire can be."""
    return 2 * max(3, round(max(likely_HW.shape) / 120)) + 1

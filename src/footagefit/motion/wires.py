"""From likely pixels to wires: long, thin, smooth curves, gaps closed, all else left out.

What belongs here: finding such curves in a likelihood, and how sure one must be. What does not: the
likelihood (`finders`, `finder_net`).

No pixel of a thin wire over foliage is sure; a few hundred of them on one curve are. So all
parabolas across the frame are scored by what lies on them, the best are fitted to the pixels, and
each is judged as a whole, beside what runs along its flanks.

Shapes: H rows, W columns, N curves or points, S samples along a curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_LONG_PX = 160  # of the picture in which curves are looked for
_SAMPLES = 56
_STEP = 2  # of the ends of curves, in its pixels
_BEYOND = 0.25  # of a side: how far beyond the frame a curve may end
_SAGS = (-0.24, -0.14, -0.08, -0.035, 0.0, 0.035, 0.08, 0.14, 0.24)
_COST = 0.12  # likelihood that a sample must have to be worth having
_LEAST = 3.5  # sum over samples, less their cost, under which no curve is a wire
_TOP = 0.7  # what is likelier counts no more
_MOST = 6  # wires of a frame
_IN_VAIN = 2  # curves that are none before no more are looked for
_ROUNDS = 4
_BORDER_SHARE = 0.06  # of the short side: an end so near the border is at it
_FLANK_PX = (6.0, 9.0)
_WEAK = 0.7  # share of a wire's own likelihood that its pixels must have


@dataclass(frozen=True)
class Limits:
    """What a curve must be to be a wire.

    Attributes:
        least_share: Its length as a share of the frame's short side.
        mean: Mean likelihood along it.
        weight: The same times its length as a share of the short side, where both ends are at the
            frame's border.
        inside: The same where one ends in the picture; a wire does not end there twice.
        cover: Share of its length that is likelier than `even`.
        even: See `cover`.
        over_flanks: Likelihood along it over what is likeliest beside it.
    """

    least_share: float = 0.5
    mean: float = 0.4
    weight: float = 0.42
    inside: float = 0.55
    cover: float = 0.75
    even: float = 0.2
    over_flanks: float = 2.0


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


def traced(likely_HW: np.ndarray, limits: Limits) -> np.ndarray:
    """The pixels of wires (H,W).

    Args:
        likely_HW: How likely each pixel is of a wire.
        limits: What a wire must be.
    """
    left = likely_HW.astype(np.float32)
    out = np.zeros(likely_HW.shape, bool)
    in_vain = 0
    for _ in range(_MOST):
        curve = best(left)
        if curve is None or in_vain == _IN_VAIN:
            break
        curve = settled(left, curve)
        if is_wire(left, curve, limits):
            out |= painted(left, curve)
        else:
            in_vain += 1
        _forget(left, curve)
    return out


def best(likely_HW: np.ndarray) -> Curve | None:
    """The curve on which most that is likely lies, roughly; None where nothing is."""
    import cv2

    height, width = likely_HW.shape
    shrink = max(1, round(max(height, width) / _LONG_PX))
    padded = np.pad(likely_HW, ((0, -height % shrink), (0, -width % shrink)))
    rows, columns = padded.shape[0] // shrink, padded.shape[1] // shrink
    small = padded.reshape(rows, shrink, columns, shrink).max((1, 3))
    small = cv2.dilate(small, np.ones((3, 3), np.uint8)) if shrink == 1 else small
    found: tuple[float, Curve] | None = None
    for steep, plane in ((True, small), (False, np.ascontiguousarray(small.T))):
        score, curve = _best_of(plane, steep)
        if found is None or score > found[0]:
            found = (score, curve)
    if found is None or found[0] < _LEAST:
        return None
    return _enlarged(found[1], shrink)


def _best_of(plane_UV: np.ndarray, steep: bool) -> tuple[float, Curve]:
    """The best run along any parabola from first to last row of a plane."""
    length, across = plane_UV.shape
    ends_N2, sags_N, at_SN = _family(across)
    padded = np.pad(np.minimum(plane_UV, _TOP) - _COST, ((0, 0), (1, 1)), constant_values=-_COST)
    run = np.zeros(len(sags_N), np.float32)
    start = np.zeros(len(sags_N), np.int16)
    top, first, last = run.copy(), start.copy(), start.copy()
    for s in range(_SAMPLES):  # the best run so far of each curve (Kadane)
        start[run <= 0.0] = s
        np.maximum(run, 0.0, out=run)
        run += padded[int((s + 0.5) / _SAMPLES * length)].take(at_SN[s])
        better = run > top
        top[better], first[better], last[better] = run[better], start[better], s
    n = int(top.argmax())
    a, b, sag = float(ends_N2[n, 0]), float(ends_N2[n, 1]), float(sags_N[n])
    shape = (a, (b - a + 4.0 * sag) / length, -4.0 * sag / length**2)
    low, high = first[n] / _SAMPLES * length, (last[n] + 1) / _SAMPLES * length
    return float(top[n]), Curve(steep, shape, float(low), float(high))


@lru_cache(maxsize=4)
def _family(across: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where parabolas begin and end, how much they hang, and their places (S,N), padded by 1."""
    places = np.arange(-_BEYOND * across, (1 + _BEYOND) * across, _STEP)
    a, b, sag = np.meshgrid(places, places, np.array(_SAGS) * across, indexing="ij")
    ends = np.stack([a.ravel(), b.ravel()], 1).astype(np.float32)
    sags = sag.ravel().astype(np.float32)
    at = np.empty((_SAMPLES, len(sags)), np.int16)
    for s in range(_SAMPLES):
        u = (s + 0.5) / _SAMPLES
        v = ends[:, 0] * (1 - u) + ends[:, 1] * u + sags * (4.0 * u * (1 - u))
        at[s] = np.clip(np.floor(v) + 1, 0, across + 1)
    return ends, sags, at


def _enlarged(curve: Curve, by: int) -> Curve:
    """The same in a picture so many times as large."""
    c0, c1, c2 = curve.shape_3
    return Curve(curve.steep, (c0 * by + 0.5 * (by - 1), c1, c2 / by), curve.low * by,
                 curve.high * by)  # fmt: skip


def settled(likely_HW: np.ndarray, curve: Curve) -> Curve:
    """The curve fitted to the likely pixels near it, and as long as there are any."""
    plane = likely_HW if curve.steep else likely_HW.T
    reach = max(4.0, max(likely_HW.shape) / _LONG_PX * 2.0)
    for _ in range(_ROUNDS):
        u = np.arange(max(0, int(curve.low)), min(plane.shape[0], int(np.ceil(curve.high)) + 1))
        if len(u) < 8:
            return curve
        v = curve.across(u.astype(np.float64))
        wide = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
        at = np.round(v[:, None] + wide)
        inside = (at >= 0) & (at < plane.shape[1])
        weight = plane[u[:, None], np.clip(at, 0, plane.shape[1] - 1).astype(int)] * inside
        weight = weight * (weight > 0.1)
        total = weight.sum(1)
        centre = (weight * at).sum(1) / np.maximum(total, 1e-6)
        some = total > 0.15
        if some.sum() < 8:
            return curve
        shape = np.polynomial.polynomial.polyfit(u[some], centre[some], 2, w=np.sqrt(total[some]))
        curve = Curve(curve.steep, tuple(float(c) for c in shape), curve.low, curve.high)  # pyright: ignore[reportArgumentType]
        reach = max(3.0, 0.7 * reach)
    return _as_long_as_likely(likely_HW, curve)


def _as_long_as_likely(likely_HW: np.ndarray, curve: Curve) -> Curve:
    """Grown or cut to the run on which most that is likely lies."""
    rows = likely_HW.shape[0 if curve.steep else 1]
    whole = Curve(curve.steep, curve.shape_3, 0.0, float(rows - 1))
    gains = np.minimum(_along(likely_HW, whole), _TOP) - _COST
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums)
    high = int((sums - lowest).argmax())
    low = int(sums[: high + 1].argmin())
    return Curve(curve.steep, curve.shape_3, float(low), float(max(low, high - 1)))


def _along(likely_HW: np.ndarray, curve: Curve, *, off_px: float = 0.0) -> np.ndarray:
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


def is_wire(likely_HW: np.ndarray, curve: Curve, limits: Limits) -> bool:
    """Whether it is long, likely, evenly so, and more than its flanks are."""
    share = curve.length / min(likely_HW.shape)
    if share < limits.least_share:
        return False
    ends = _ends_at_border(likely_HW, curve)
    if not ends:
        return False
    weight = limits.weight if ends == 2 else limits.inside
    on = _along(likely_HW, curve)
    scale = max(1.0, max(likely_HW.shape) / 640)
    beside = max(
        float(_along(likely_HW, curve, off_px=side * far * scale).mean())
        for side in (-1.0, 1.0)
        for far in _FLANK_PX
    )
    return bool(
        on.mean() >= max(limits.mean, weight / share)
        and (on >= limits.even).mean() >= limits.cover
        and on.mean() >= limits.over_flanks * beside
    )


def _ends_at_border(likely_HW: np.ndarray, curve: Curve) -> int:
    """How many of the curve's ends are at the frame's border, or near it."""
    rows, columns = likely_HW.shape if curve.steep else likely_HW.shape[::-1]
    near = _BORDER_SHARE * min(rows, columns)
    count = 0
    for u in (curve.low, curve.high):
        v = float(curve.across(np.array([u]))[0])
        count += min(u, rows - 1 - u, v, columns - 1 - v) <= near
    return count


def painted(likely_HW: np.ndarray, curve: Curve) -> np.ndarray:
    """The wire's pixels (H,W): the curve, as wide as it mostly is, and what is likely beside it."""
    thick = _thickness(likely_HW, curve)
    level = float(np.median(_along(likely_HW, curve)))
    near = _drawn(likely_HW, curve, round(thick) + 2)
    return (near & (likely_HW >= _WEAK * level)) | _drawn(likely_HW, curve, round(thick))


def _thickness(likely_HW: np.ndarray, curve: Curve) -> float:
    """How many pixels across it are half as likely as its middle, mostly."""
    plane = likely_HW if curve.steep else likely_HW.T
    u = np.arange(int(curve.low), int(curve.high) + 1)
    reach = _widest(likely_HW) // 2
    at = np.round(curve.across(u.astype(np.float64)))[:, None] + np.arange(-reach, reach + 1)
    inside = (at >= 0) & (at < plane.shape[1])
    values = plane[u[:, None], np.clip(at, 0, plane.shape[1] - 1).astype(int)] * inside
    middle = _along(likely_HW, curve)
    wide = (values >= 0.5 * middle[:, None]).sum(1) / curve.slant(u.astype(np.float64))
    clear = middle >= np.median(middle)
    return max(1.0, float(np.median(wide[clear])))


def _drawn(likely_HW: np.ndarray, curve: Curve, thick: int) -> np.ndarray:
    """The curve some pixels wide (H,W)."""
    import cv2

    u = np.arange(int(curve.low), int(curve.high) + 1).astype(np.float64)
    v = curve.across(u)
    points = np.stack([v, u] if curve.steep else [u, v], 1)
    out = np.zeros(likely_HW.shape, np.uint8)
    path = np.round(points * 8).astype(np.int32)[:, None]
    cv2.polylines(out, [path], False, 1, max(1, thick), shift=3)
    return out > 0


def _widest(likely_HW: np.ndarray) -> int:
    """How wide a wire can be."""
    return 2 * max(3, round(max(likely_HW.shape) / 120)) + 1


def _forget(likely_HW: np.ndarray, curve: Curve) -> None:
    """Take the curve's likelihood away, in place, so that the next best is another."""
    likely_HW[_drawn(likely_HW, curve, _widest(likely_HW))] = 0.0

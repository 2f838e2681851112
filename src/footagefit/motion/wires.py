"""From likely pixels to wires: long, thin, smooth curves, gaps closed, all else left out.

What belongs here: finding such curves in a likelihood, and drawing them as wide as they are. What
does not: the likelihood (`finders`, `finder_net`), telling wires from other lines (`hanging`).

No pixel of a thin wire over foliage is sure; a few hundred of them on one curve are. So all
parabolas across the frame are scored by what lies on them, the best are fitted to the pixels, and
each is judged as a whole.

Shapes: H rows, W columns, N curves or points, S samples along a curve.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from footagefit.motion.curves import Curve, along, drawn, thickness, widest

_LONG_PX = 160  # of the picture in which curves are looked for
_SAMPLES = 56
_STEP = 2  # of the ends of curves, in its pixels
_BEYOND = 0.25  # of a side: how far beyond the frame a curve may end
_SAGS = (-0.24, -0.14, -0.08, -0.035, 0.0, 0.035, 0.08, 0.14, 0.24)
_COST = 0.12  # likelihood that a sample must have to be worth having
_LEAST = 3.5  # sum over samples, less their cost, under which no curve is a wire
_TOP = 0.7  # what is likelier counts no more
_MOST = 6  # wires of a frame
_ROUNDS = 4
_WEAK = 0.7  # share of a wire's own likelihood that its pixels must have


def candidates(likely_HW: np.ndarray) -> Iterator[tuple[Curve, np.ndarray]]:
    """Curves on which much is likely, the likeliest first, and the likelihood that is left to each.

    Args:
        likely_HW: How likely each pixel is of a wire.
    """
    left = likely_HW.astype(np.float32)
    for _ in range(_MOST):
        curve = best(left)
        if curve is None:
            return
        curve = settled(left, curve)
        yield curve, left
        left[drawn(left, curve, widest(left))] = 0.0


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
    gains = np.minimum(along(likely_HW, whole), _TOP) - _COST
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums)
    high = int((sums - lowest).argmax())
    low = int(sums[: high + 1].argmin())
    return Curve(curve.steep, curve.shape_3, float(low), float(max(low, high - 1)))


def painted(likely_HW: np.ndarray, curve: Curve) -> np.ndarray:
    """The wire's pixels (H,W): the curve, as wide as it mostly is, and what is likely beside it."""
    thick = thickness(likely_HW, curve)
    level = float(np.median(along(likely_HW, curve)))
    near = drawn(likely_HW, curve, round(thick) + 2)
    return (near & (likely_HW >= _WEAK * level)) | drawn(likely_HW, curve, round(thick))

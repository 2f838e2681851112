"""Slice and apply in one pass over the frame, for CPUs where nothing compiles C++.

What belongs here: the numba kernel behind `slicing.slice_and_apply`; it imports numba and is
imported only when it runs. log2 and exp2 are polynomials good to 2e-7, so that the loops
vectorise; a change of exactly zero stops has a gain of exactly one.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from footagefit.models.nets.light import GREY_STOPS, HIGHEST_STOPS, TOE

_TOE = np.float32(TOE)
_GREY = np.float32(GREY_STOPS)
_HIGHEST = np.float32(HIGHEST_STOPS)
_NONE, _ONE, _HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
_ROOT_HALF = np.float32(math.sqrt(0.5))
# log2((1 + t) / (1 - t)) = 2 / ln 2 (t + t^3/3 + t^5/5 + ...), |t| <= 0.1716
_LOG = [np.float32(2.0 / math.log(2.0) / k) for k in (1, 3, 5, 7, 9)]
_L1, _L3, _L5, _L7, _L9 = _LOG
# 2^f = sum (f ln 2)^k / k!, |f| <= 1/2
_E1, _E2, _E3, _E4, _E5, _E6 = (
    np.float32(math.log(2.0) ** k / math.factorial(k)) for k in range(1, 7)
)


@numba.njit(inline="always")
def _log2(x):
    """log2 of a positive normal float32."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits >> np.int32(23)) - np.int32(127)
    mantissa = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    power = np.float32(exponent + np.int32(1))
    if mantissa < _ROOT_HALF:
        mantissa = mantissa + mantissa
        power = power - _ONE
    t = (mantissa - _ONE) / (mantissa + _ONE)
    s = t * t
    return power + t * (_L1 + s * (_L3 + s * (_L5 + s * (_L7 + s * _L9))))


@numba.njit(inline="always")
def _exp2(x):
    """2^x for -126 <= x <= 127, float32; exactly 1 at 0."""
    x = min(max(x, np.float32(-126.0)), np.float32(127.0))
    whole = np.float32(math.floor(x + _HALF))
    f = x - whole
    p = _ONE + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
    scale = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return p * scale


@numba.njit(inline="always")
def _floor_cell(position, cells):
    clamped = min(max(position, np.float32(0.0)), np.float32(cells - 1))
    cell = min(np.int32(clamped), max(np.int32(cells - 2), np.int32(0)))
    # Unsigned: an index that cannot be negative needs no wrap-around.
    return np.uint32(cell), np.float32(clamped - np.float32(cell))


@numba.njit(error_model="numpy", fastmath={"contract", "nsz", "arcp"})
def _depths(view, luma, offset, inner, inner_offset, outer, deepest, z):
    """Where each pixel of a row reads the grid in depth: the guide, times the cells there are."""
    width = z.shape[0]
    for x in range(width):
        z[x] = luma[0] * view[0, x] + luma[1] * view[1, x] + luma[2] * view[2, x] + offset[0]
    for h in range(inner.shape[0]):
        a, b, c, d, w = inner[h, 0], inner[h, 1], inner[h, 2], inner_offset[h], outer[h]
        for x in range(width):
            part = a * view[0, x] + b * view[1, x] + c * view[2, x] + d
            z[x] += w * max(part, np.float32(0.0))
    for x in range(width):
        u = z[x]
        z[x] = (_HALF + _HALF * u / (_ONE + abs(u))) * deepest


@numba.njit(error_model="numpy")
def _spans(width, grid_columns):
    """Where in a row each column of cells begins, and how far past it each pixel lies."""
    past = np.empty(width, np.float32)
    edges = np.zeros(max(grid_columns - 1, 1) + 1, np.int64)
    ratio = np.float32(grid_columns / width)
    for x in range(width):
        cell, past[x] = _floor_cell((np.float32(x) + _HALF) * ratio - _HALF, grid_columns)
        edges[cell + np.uint32(1)] = x + 1
    for i in range(1, edges.shape[0]):
        edges[i] = max(edges[i], edges[i - 1])
    return past, edges


@numba.njit(error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})
def _add_depth(total, near, far, first, past, z, at, r, g, b):
    """Add what one depth of the grid changes in one channel, over one column of cells.

    Each depth weighs by a hat about its own: no pixel looks anything up, so that all vectorises.
    """
    n0, n1, n2, n3 = near[first], near[first + 1], near[first + 2], near[first + 3]
    f0, f1, f2, f3 = far[first] - n0, far[first + 1] - n1, far[first + 2] - n2, far[first + 3] - n3
    for x in range(z.shape[0]):
        hat = _ONE - abs(z[x] - at)
        hat = hat if hat > _NONE else _NONE
        change = (n0 + f0 * past[x]) * r[x] + (n1 + f1 * past[x]) * g[x]
        change += (n2 + f2 * past[x]) * b[x] + (n3 + f3 * past[x])
        total[x] += hat * change


@numba.njit(error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})
def _changes(line, view, z, past, edges, delta):
    """The change of stops of each pixel of a row, from the grid's line at that row."""
    grid_columns, depth, _ = line.shape
    delta[:] = _NONE
    for column in range(edges.shape[0] - 1):
        low, high = edges[column], edges[column + 1]
        if high <= low:
            continue
        following = min(column + 1, grid_columns - 1)
        depths, beyond = z[low:high], past[low:high]
        r, g, b = view[0, low:high], view[1, low:high], view[2, low:high]
        shallow, deep = depths.min(), depths.max()
        for at in range(depth):
            if np.float32(at) <= shallow - _ONE or np.float32(at) >= deep + _ONE:
                continue
            near, far = line[column, at], line[following, at]
            for c in range(3):
                _add_depth(delta[c, low:high], near, far, 4 * c, beyond, depths,
                           np.float32(at), r, g, b)  # fmt: skip


@numba.njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"})
def apply_rows(light, cells, luma, offset, inner, inner_offset, outer, out):
    """Apply a grid to one frame.

    Args:
        light: (3,H,W) float32, scene-linear.
        cells: (h,w,Z,12) float32 changes of stops.
        luma: (3,), offset (1,), inner (K,3), inner_offset (K,), outer (K,): the guide's weights.
        offset: See above.
        inner: See above.
        inner_offset: See above.
        outer: See above.
        out: (3,H,W) float32, written.
    """
    _, height, width = light.shape
    grid_rows, grid_columns, depth, _ = cells.shape
    next_row = 1 if grid_rows > 1 else 0
    past, edges = _spans(width, grid_columns)
    for row in numba.prange(height):
        place = (np.float32(row) + _HALF) * np.float32(grid_rows / height) - _HALF
        y0, fy = _floor_cell(place, grid_rows)
        line = np.empty((grid_columns, depth, 12), np.float32)
        for i in range(grid_columns):
            for j in range(depth):
                for k in range(12):
                    a = cells[y0, i, j, k]
                    line[i, j, k] = a + (cells[y0 + next_row, i, j, k] - a) * fy
        view = np.empty((3, width), np.float32)
        for c in range(3):
            for x in range(width):
                lit = max(light[c, row, x], np.float32(0.0)) + _TOE
                view[c, x] = min(_log2(lit) - _GREY, _HIGHEST)
        z = np.empty(width, np.float32)
        _depths(view, luma, offset, inner, inner_offset, outer, np.float32(depth - 1), z)
        delta = np.empty((3, width), np.float32)
        _changes(line, view, z, past, edges, delta)
        for c in range(3):
            for x in range(width):
                gain = _exp2(delta[c, x])
                out[c, row, x] = light[c, row, x] * gain + _TOE * (gain - _ONE)


def set_threads(count: int) -> None:
    """Let the kernel use as many threads as torch does."""
    numba.set_num_threads(max(1, min(count, numba.config.NUMBA_NUM_THREADS)))  # pyright: ignore

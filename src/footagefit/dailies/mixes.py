"""Dissolves and fades: stretches where each picture is a blend of the shots around it.

Here: finding them in the scan's small pictures. Not here: hard cuts (`cuts`).

The test is the definition: between its ends s and e, every frame is (1 - a) x_s + a x_e with an a
that climbs from 0 to 1. A pan, a door that opens, a face that turns fail it: their pictures in
between are no blend. A change of light passes it, but keeps the picture, so the ends must be
unlike, block by block, nearly everywhere. In a fade one end is empty.
"""

from __future__ import annotations

import numpy as np

from footagefit.dailies import cuts
from footagefit.dailies.entries import DISSOLVE, FADE

_LAGS = {8: 1, 16: 1, 32: 2}  # frames looked across, and every how manieth start is tried
_LONGEST = 72
_MOST_RESIDUE = 0.33  # of what lies between the ends, in coarse pictures
_MOST_DETAIL, _MOST_DETAIL_UNLIKE = 0.33, 0.46  # in fine ones; more where the ends are unlike
_UNLIKE = 0.42
_LEAST_UNLIKE = 0.30
_EMPTY = 3.5  # code values of spread under which a picture is empty
_FULL = 9.0


def find_mixes(small_THWC: np.ndarray, jump_T: np.ndarray) -> list[cuts.Change]:
    """Dissolves and fades of a clip, in order, from its small pictures."""
    spread_T = spreads(small_THWC)
    found = _fades(small_THWC, spread_T)
    for mix in _dissolves(small_THWC, jump_T, spread_T):
        if not any(mix.start <= other.at and other.start <= mix.at for other in found):
            found.append(mix)
    return sorted(found, key=lambda change: change.at)


def spreads(small_THWC: np.ndarray) -> np.ndarray:
    """Spread of luma code values in each picture: next to nothing in an empty one."""
    out = np.zeros(len(small_THWC), np.float32)
    for start in range(0, len(out), 256):
        luma = small_THWC[start : start + 256, ..., 0].reshape(-1, cuts.HEIGHT * cuts.WIDTH)
        luma = luma.astype(np.float32)
        mean = luma.mean(1)
        square = np.einsum("td,td->t", luma, luma) / luma.shape[1]
        out[start : start + 256] = np.sqrt(np.maximum(0.0, square - mean * mean))
    return out


# -- dissolves ------------------------------------------------------------------------------------


def _dissolves(
    small_THWC: np.ndarray, jump_T: np.ndarray, spread_T: np.ndarray
) -> list[cuts.Change]:
    total = len(small_THWC)
    found: list[cuts.Change] = []
    if total < min(_LAGS) + 2:
        return found
    coarse_TD = _coarse(small_THWC)
    signature_TD = _normalised(coarse_TD)
    tried, refused = np.zeros(total, bool), set[tuple[int, int]]()
    for lag, every in _LAGS.items():
        if total <= lag:
            break
        alike = np.einsum("td,td->t", signature_TD[:-lag], signature_TD[lag:])
        steady = _steady(jump_T, lag)
        likely = np.flatnonzero((alike < 0.6) & steady)
        likely = likely[likely % every == 0]  # any piece of a blend is one
        likely = likely[_blends(coarse_TD, likely, lag=lag, most=1.2 * _MOST_RESIDUE)]
        for start in likely:
            middle = int(start) + lag // 2
            if tried[middle]:
                continue
            ends = _whole(coarse_TD, int(start), int(start) + lag)
            if ends is None or ends in refused:
                continue
            full = spread_T[[*ends]].min() >= _EMPTY
            mix = _fit(small_THWC, coarse_TD, *ends) if full else None
            if mix is None:
                refused.add(ends)
                continue
            tried[max(0, mix.start - 2) : mix.at + 3] = True
            if not any(mix.start <= other.at and other.start <= mix.at for other in found):
                found.append(mix)
    return found


def _normalised(coarse_TD: np.ndarray) -> np.ndarray:
    """Coarse luma with mean 0 and length 1: pictures are alike if their product is 1."""
    flat = coarse_TD[:, ::3] - coarse_TD[:, ::3].mean(1, keepdims=True)
    return flat / np.maximum(1e-3, np.linalg.norm(flat, axis=1, keepdims=True))


def _blends(picture_TD: np.ndarray, start_N: np.ndarray, *, lag: int, most: float) -> np.ndarray:
    """Whether a few frames between each start and its end could be blends of both: a cheap look.

    Args:
        picture_TD: Pictures as rows of numbers.
        start_N: Starts to look at.
        lag: From start to end.
        most: Of what lies between the ends, how much a blend may leave unexplained.
    """
    one = picture_TD[start_N]
    away = picture_TD[start_N + lag] - one
    size = np.maximum(1.0, np.einsum("nd,nd->n", away, away))
    left, last, climbs = np.zeros(len(start_N)), np.zeros(len(start_N)), np.ones(len(start_N), bool)
    steps = np.linspace(lag // 4, 3 * lag // 4, 5).round().astype(int)
    for step in steps:
        run = picture_TD[start_N + step] - one
        share = np.einsum("nd,nd->n", run, away) / size
        square = np.einsum("nd,nd->n", run, run) / size - share * share
        left += np.sqrt(np.maximum(0.0, square)) / len(steps)
        climbs &= share > last - 0.1
        last = share
    return climbs & (left < most)


def _steady(jump_T: np.ndarray, lag: int) -> np.ndarray:
    """Where no single step of the `lag` steps after a frame stands out: a blend has no jolt."""
    steps = np.lib.stride_tricks.sliding_window_view(jump_T[1:], lag)
    middle = np.sort(steps, axis=1)[:, max(1, lag // 4) :].mean(1)
    return (steps.max(1) < 3.0 * middle) & (middle > 0.5)


def _fit(small_THWC: np.ndarray, coarse_TD: np.ndarray, start: int, end: int) -> cuts.Change | None:
    """The dissolve from frame start to frame end, or None."""
    ends = small_THWC[start], small_THWC[end]
    if not 4 <= end - start <= _LONGEST or _kept(*ends) > 0.12:
        return None
    share, residue = _shares(coarse_TD, start, end)
    if _line(share) is None or residue > _MOST_RESIDUE:
        return None
    fine_TD = small_THWC[start : end + 1].reshape(end - start + 1, -1).astype(np.float32)
    detail = _shares(fine_TD, 0, end - start)[1]
    if detail > _MOST_DETAIL_UNLIKE:
        return None
    across = cuts.unlike(*ends)
    if across < _LEAST_UNLIKE or (across < _UNLIKE and detail > _MOST_DETAIL):
        return None
    if not _ends_hold(small_THWC, start, end, across):
        return None
    return cuts.Change(DISSOLVE, start + 1, end, float(np.clip(1.2 - 2 * residue, 0.1, 1.0)))


def _shares(picture_TD: np.ndarray, start: int, end: int) -> tuple[np.ndarray, float]:
    """How much of the end picture is in each frame, and what the blend leaves unexplained.

    Coarse pictures serve best; motion inside the blend disturbs fine ones more.
    """
    share, size = _along(picture_TD, start, end, low=start, high=end)
    if size < 1.0:
        return share, 1.0
    quarter = len(share) // 4
    middle = slice(quarter, max(quarter + 1, 3 * len(share) // 4 + 1))
    away = picture_TD[start : end + 1][middle] - picture_TD[start]
    square = np.einsum("td,td->t", away, away) / size - share[middle] ** 2
    return share, float(np.sqrt(np.maximum(0.0, square)).mean())


def _along(
    picture_TD: np.ndarray, start: int, end: int, *, low: int, high: int
) -> tuple[np.ndarray, float]:
    """How far each of the frames low..high has come from start's picture to end's, 0..1.

    Also how far those two lie apart, squared.
    """
    away = picture_TD[end] - picture_TD[start]
    size = float(away @ away)
    if size < 1.0:
        return np.zeros(high - low + 1, np.float32), size
    return (picture_TD[low : high + 1] @ away - picture_TD[start] @ away) / size, size


def _coarse(small_THWC: np.ndarray) -> np.ndarray:
    """Pictures of 9 x 16 as rows of numbers: small motion inside a blend is averaged away."""
    out = np.empty((len(small_THWC), 9 * 16 * 3), np.float32)
    for start in range(0, len(out), 64):  # few enough to stay in the cache
        run = small_THWC[start : start + 64]
        rows = run[:, 0::3].astype(np.uint16)
        rows += run[:, 1::3]
        rows += run[:, 2::3]
        cells = rows[:, :, 0::3] + rows[:, :, 1::3]
        cells += rows[:, :, 2::3]
        out[start : start + 64] = cells.reshape(len(run), -1)
    out /= 9
    return out


def _whole(coarse_TD: np.ndarray, start: int, end: int) -> tuple[int, int] | None:
    """The ends of the climb that start..end is a piece of: any piece of a blend is a blend.

    None where it is a piece of none.
    """
    share, residue = _shares(coarse_TD, start, end)
    line = _line(share)
    if line is None or residue > _MOST_RESIDUE:
        return None
    slope = 1.0 / (line[1] - line[0])
    low, high = max(0, start - _LONGEST), min(len(coarse_TD) - 1, end + _LONGEST)
    rise = np.diff(_along(coarse_TD, start, end, low=low, high=high)[0])
    rise = np.convolve(np.pad(rise, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    first, last = start + round(line[0]), start + round(line[1])
    first, last = max(low, first), min(high, last)
    while first > low and rise[first - 1 - low] > 0.5 * slope:
        first -= 1
    while last < high and rise[last - low] > 0.5 * slope:
        last += 1
    return first, last


def _line(share_T: np.ndarray) -> tuple[float, float] | None:
    """Where a straight climb through the shares starts and ends, in steps; None if none climbs."""
    inside = (share_T > 0.12) & (share_T < 0.88)
    if inside.sum() < 2:
        return None
    steps = np.flatnonzero(inside)
    if steps[-1] - steps[0] + 1 != len(steps):
        return None
    rise = np.diff(share_T[max(0, steps[0] - 1) : steps[-1] + 2])
    if rise.min() < -0.04 or rise.max() > 4.0 * max(1e-3, _middle(rise)):
        return None
    middle, height = float(steps.mean()), float(share_T[steps].mean())
    apart = steps - middle
    slope = float(apart @ (share_T[steps] - height)) / float(apart @ apart)
    offset = height - slope * middle
    if slope <= 0:
        return None
    fitted = slope * steps + offset
    if np.abs(fitted - share_T[steps]).max() > 0.12:
        return None
    return float(-offset / slope), float((1 - offset) / slope)


def _middle(values: np.ndarray) -> float:
    """The median of a few values; numpy's own takes five times as long for them."""
    ranked, half = np.sort(values), len(values) // 2
    return float(0.5 * (ranked[half] + ranked[-1 - half]))


def _kept(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    """Share of the picture that is the same in both: a prop that fades leaves its room."""
    away = np.maximum(one_HWC, other_HWC) - np.minimum(one_HWC, other_HWC)
    return float(np.count_nonzero(away.max(-1) < 7)) / (cuts.HEIGHT * cuts.WIDTH)


def _ends_hold(small_THWC: np.ndarray, start: int, end: int, across: float) -> bool:
    """Whether the picture stays itself before and after: a dissolve leads from shot to shot."""
    length = end - start
    reach = max(3, length // 2)
    before, after = max(0, start - reach), min(len(small_THWC) - 1, end + reach)
    return (
        cuts.unlike(small_THWC[before], small_THWC[start]) < 0.6 * across
        and cuts.unlike(small_THWC[end], small_THWC[after]) < 0.6 * across
    )


# -- fades ----------------------------------------------------------------------------------------


def _fades(small_THWC: np.ndarray, spread_T: np.ndarray) -> list[cuts.Change]:
    """Climbs out of and falls into empty pictures."""
    empty = spread_T < _EMPTY
    found: list[cuts.Change] = []
    edges = np.flatnonzero(np.diff(empty.astype(np.int8)))
    for edge in edges:
        rising = bool(empty[edge])
        step = 1 if rising else -1
        inner = int(edge) + 1 if rising else int(edge)  # the first frame that is not empty
        outer = _climb(small_THWC, spread_T, inner, step)
        if abs(outer - inner) < 3:
            continue
        start, at = (inner, outer) if rising else (outer + 1, inner + 1)
        found.append(cuts.Change(FADE, start, at, 0.9))
    return found


def _climb(small_THWC: np.ndarray, spread_T: np.ndarray, inner: int, step: int) -> int:
    """From an almost empty picture outwards to where the picture has its full contrast."""
    index = inner
    while 0 <= index + step < len(spread_T) and abs(index - inner) < _LONGEST:
        ahead = spread_T[min(len(spread_T) - 1, max(0, index + 2 * step))]
        if spread_T[index + step] < spread_T[index] * 1.01 and ahead < spread_T[index] * 1.02:
            break
        index += step
    if spread_T[index] < _FULL:
        return inner
    full = small_THWC[index].astype(np.float32)[..., 0]
    half = small_THWC[(index + inner) // 2].astype(np.float32)[..., 0]
    alike = np.corrcoef(full.ravel(), half.ravel())[0, 1]
    return index if alike > 0.5 else inner

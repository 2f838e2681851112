"""Where one shot ends and the next begins: hard cuts, dissolves and fades in small pictures.

Here: the built-in detector, and the choice between it and a learned one. Not here: decoding
(`looking`), mixes (`mixes`), slates and black (`leaders`).

All of it looks at every frame as a 48 x 27 picture of code values (Y, Cb, Cr), which the scan has
anyway. A hard cut is a frame whose blocks cannot be found near their place in the frame before,
while its neighbours' can; whatever matches again across a few frames was a flash, not a cut.

Shape suffixes: T frames, H rows, W columns, C channels (Y, Cb, Cr), B blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from footagefit.dailies.entries import DISSOLVE, FADE

HEIGHT, WIDTH = 27, 48
_BLOCK_H, _BLOCK_W = 9, 8
_REACH_Y, _REACH_X = 4, 7
_FLASH_FRAMES = 6  # anything that comes back within so many frames was no cut
_LEAST_UNLIKE = 0.34  # unlikeness below this is the same picture, moved
_MOVED = 0.16  # unlikeness that no light switched on makes
_OVER_NEIGHBOURS = 1.55  # a cut stands so far above the motion around it
_LEAST_JUMP = 3.0  # code values of mean change under which nothing is looked at


@dataclass(frozen=True)
class Change:
    """A transition: `at` is the index of the first frame that is wholly the next shot's.

    Attributes:
        kind: `cut`, `dissolve` or `fade`.
        start: Index of the first frame that is no longer wholly the shot before.
        at: Index of the first frame that is wholly the shot after; equals `start` for cuts.
        score: 0..1, how sure.
    """

    kind: str
    start: int
    at: int
    score: float


def find_changes(small_THWC: np.ndarray) -> list[Change]:
    """All transitions of a clip, in order, from its small pictures (uint8 Y, Cb, Cr)."""
    from footagefit.dailies.mixes import find_mixes

    mixes = find_mixes(small_THWC)
    found = list(mixes)
    for cut in find_cuts(small_THWC):
        if not any(m.start - 2 <= cut.at <= m.at + 1 for m in mixes):
            found.append(cut)
    return sorted(found, key=lambda change: change.at)


def find_cuts(small_THWC: np.ndarray) -> list[Change]:
    """Hard cuts only."""
    total = len(small_THWC)
    if total < 3:
        return []
    jump_T = jumps(small_THWC)
    found: list[Change] = []
    for index in _candidates(jump_T):
        score = _cut_score(small_THWC, jump_T, int(index))
        if score <= 0:
            continue
        if found and index - found[-1].at < 2:
            if score > found[-1].score:
                found[-1] = Change("cut", int(index), int(index), score)
            continue
        found.append(Change("cut", int(index), int(index), score))
    return found


def jumps(small_THWC: np.ndarray) -> np.ndarray:
    """Mean change of code values from the frame before, chroma counted twice; 0 for the first."""
    jump_T = np.zeros(len(small_THWC), np.float32)
    weight_C = np.array([1.0, 2.0, 2.0], np.float32)
    for start in range(1, len(small_THWC), 512):
        after = small_THWC[start : start + 512].astype(np.int16)
        before = small_THWC[start - 1 : start - 1 + len(after)].astype(np.int16)
        jump_T[start : start + len(after)] = np.abs(after - before).mean((1, 2)) @ weight_C
    return jump_T


def _candidates(jump_T: np.ndarray) -> np.ndarray:
    """Frames that differ more from the one before than is usual around them."""
    padded = np.pad(jump_T[1:], (4, 3), mode="reflect" if len(jump_T) > 8 else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 7)[: len(jump_T)]
    usual_T = np.median(around, axis=1)
    return np.flatnonzero((jump_T > _LEAST_JUMP) & (jump_T > 1.3 * usual_T))


def _cut_score(small_THWC: np.ndarray, jump_T: np.ndarray, index: int) -> float:
    """0 for no cut, else how clear it is in 0..1."""
    here = unlike(small_THWC[index - 1], small_THWC[index])
    colour = colour_shift(small_THWC[index - 1], small_THWC[index])
    if here < _LEAST_UNLIKE and (colour < _LEAST_UNLIKE or here < _MOVED):
        return 0.0
    around = [
        unlike(small_THWC[i - 1], small_THWC[i])
        for i in (index - 2, index - 1, index + 1, index + 2)
        if 1 <= i < len(small_THWC)
    ]
    motion = sorted(around)[-2] if len(around) > 1 else max(around, default=0.0)
    beside = [jump_T[i] for i in range(index - 3, index + 4) if 1 <= i < len(jump_T) and i != index]
    calm = float(np.median(beside)) if beside else 0.0
    stands_out = here > _OVER_NEIGHBOURS * motion or (
        colour > _LEAST_UNLIKE and jump_T[index] > 3.0 * calm
    )
    if not stands_out or jump_T[index] < 1.6 * calm:
        return 0.0
    across = _across(small_THWC, index)
    if across < 0.62 * max(here, _LEAST_UNLIKE):
        return 0.0
    return float(np.clip(max(here - motion, colour) / 0.5, 0.05, 1.0))


def _across(small_THWC: np.ndarray, index: int) -> float:
    """The least unlikeness of any frame just before to any just after: low after a flash."""
    before = range(max(0, index - _FLASH_FRAMES), index)
    after = range(index, min(len(small_THWC), index + _FLASH_FRAMES + 1))
    return min(
        max(unlike(small_THWC[a], small_THWC[b]), colour_shift(small_THWC[a], small_THWC[b]))
        for a in before
        for b in after
        if b - a <= _FLASH_FRAMES + 1
    )


def unlike(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    """0 where the second picture's blocks lie near their place in the first, 1 where none does.

    Blocks are compared by normalised correlation, so that a change of exposure is no change of
    picture, and count by their contrast, so that empty walls have no say.
    """
    one = one_HWC[..., 0].astype(np.float32)
    other = other_HWC[..., 0].astype(np.float32)
    padded = np.pad(one, ((_REACH_Y, _REACH_Y), (_REACH_X, _REACH_X)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, (_BLOCK_H, _BLOCK_W))
    rows, columns = HEIGHT // _BLOCK_H, WIDTH // _BLOCK_W
    likeness = np.zeros((rows, columns), np.float32)
    weight = np.zeros((rows, columns), np.float32)
    for r in range(rows):
        for c in range(columns):
            y, x = r * _BLOCK_H, c * _BLOCK_W
            block = other[y : y + _BLOCK_H, x : x + _BLOCK_W].ravel()
            near = views[y : y + 2 * _REACH_Y + 1, x : x + 2 * _REACH_X + 1]
            near = near.reshape(-1, _BLOCK_H * _BLOCK_W)
            likeness[r, c], weight[r, c] = _best_match(block, near)
    total = float(weight.sum())
    if total < 1e-3:  # two empty pictures: only their level can tell them apart
        return min(1.0, float(np.abs(one.mean() - other.mean())) / 64.0)
    return float(1.0 - (likeness * weight).sum() / total)


def _best_match(block: np.ndarray, near: np.ndarray) -> tuple[float, float]:
    """Highest correlation of a block with the places near it, and the block's say."""
    flat = block - block.mean()
    spread = float(np.sqrt((flat * flat).mean()))
    places = near - near.mean(1, keepdims=True)
    spreads = np.sqrt((places * places).mean(1))
    say = min(24.0, max(spread, float(spreads[len(spreads) // 2]))) - 2.0
    if say <= 0:
        return 0.0, 0.0
    match = (places @ flat) / (len(block) * np.maximum(spreads, 1.0) * max(spread, 1.0))
    return float(max(0.0, match.max())), say


def colour_shift(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    """How far apart the pictures' colours lie, 0..1, whatever moved: earth mover's distance."""
    total = 0.0
    for channel, scale in ((1, 40.0), (2, 40.0)):
        a = np.sort(one_HWC[..., channel].ravel()).astype(np.float32)
        b = np.sort(other_HWC[..., channel].ravel()).astype(np.float32)
        total += float(np.abs(a - b).mean()) / scale
    return min(1.0, total)


def is_mix(change: Change) -> bool:
    """Whether frames of both shots are in the picture for a while."""
    return change.kind in (DISSOLVE, FADE)

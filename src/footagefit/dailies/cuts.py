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
_SUDDEN = 6.0  # a picture so many times as changed as those around it, and moved, is another
_SUDDEN_UNLIKE = 2.5  # and so many times as unlike
_OVER_NEIGHBOURS = 1.55  # a cut stands so far above the motion around it
LEAST_JUMP = 3.0  # code values of mean change under which nothing is looked at


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


def find_changes(small_THWC: np.ndarray, jump_T: np.ndarray | None = None) -> list[Change]:
    """All transitions of a clip, in order.

    Args:
        small_THWC: Its small pictures (uint8 Y, Cb, Cr).
        jump_T: Their `jumps`, where they are at hand.
    """
    from footagefit.dailies.mixes import find_mixes

    jump_T = jumps(small_THWC) if jump_T is None else jump_T
    mixes = find_mixes(small_THWC, jump_T)
    found = list(mixes)
    for cut in find_cuts(small_THWC, jump_T):
        if not any(m.start - 2 <= cut.at <= m.at + 1 for m in mixes):
            found.append(cut)
    return sorted(found, key=lambda change: change.at)


def find_cuts(small_THWC: np.ndarray, jump_T: np.ndarray | None = None) -> list[Change]:
    """Hard cuts only; arguments as above."""
    if len(small_THWC) < 3:
        return []
    jump_T = jumps(small_THWC) if jump_T is None else jump_T
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
    flat = small_THWC.reshape(len(small_THWC), -1)
    weight = np.tile(np.array([1.0, 2.0, 2.0], np.float32), HEIGHT * WIDTH) / (HEIGHT * WIDTH)
    for start in range(1, len(flat), 256):
        after = flat[start : start + 256]
        before = flat[start - 1 : start - 1 + len(after)]
        change = np.maximum(after, before) - np.minimum(after, before)
        jump_T[start : start + len(after)] = change.astype(np.float32) @ weight
    return jump_T


def _candidates(jump_T: np.ndarray) -> np.ndarray:
    """Frames that differ more from the one before than is usual around them."""
    padded = np.pad(jump_T[1:], (4, 3), mode="reflect" if len(jump_T) > 8 else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 7)[: len(jump_T)]
    usual_T = np.median(around, axis=1)
    return np.flatnonzero((jump_T > LEAST_JUMP) & (jump_T > 1.3 * usual_T))


def _cut_score(small_THWC: np.ndarray, jump_T: np.ndarray, index: int) -> float:
    """0 for no cut, else how clear it is in 0..1."""
    beside = [jump_T[i] for i in range(index - 3, index + 4) if 1 <= i < len(jump_T) and i != index]
    calm = float(np.median(beside)) if beside else 0.0
    if jump_T[index] < 1.6 * calm:
        return 0.0
    here = unlike(small_THWC[index - 1], small_THWC[index])
    colour = colour_shift(small_THWC[index - 1], small_THWC[index])
    sudden = here > _MOVED and jump_T[index] > _SUDDEN * max(calm, LEAST_JUMP / 3)
    if here < _LEAST_UNLIKE and not sudden and (colour < _LEAST_UNLIKE or here < _MOVED):
        return 0.0
    around = [
        unlike(small_THWC[i - 1], small_THWC[i])
        for i in (index - 2, index - 1, index + 1, index + 2)
        if 1 <= i < len(small_THWC)
    ]
    motion = sorted(around)[-2] if len(around) > 1 else max(around, default=0.0)
    stands_out = here > _OVER_NEIGHBOURS * motion or (
        colour > _LEAST_UNLIKE and jump_T[index] > 3.0 * calm
    )
    if max(here, colour) < _LEAST_UNLIKE and here < _SUDDEN_UNLIKE * motion:
        return 0.0
    if not stands_out:
        return 0.0
    if _comes_back(small_THWC, index, 0.62 * max(here, colour if sudden else _LEAST_UNLIKE)):
        return 0.0
    return float(np.clip(max(here - motion, colour) / 0.5, 0.05, 1.0))


def _comes_back(small_THWC: np.ndarray, index: int, most: float) -> bool:
    """Whether the picture before is there again soon after, or the one after was there before.

    Then it was a flash, or something before the lens.
    """
    last, first = index - 1, index
    later = [(last, b) for b in range(first, min(len(small_THWC), last + _FLASH_FRAMES + 2))]
    sooner = [(a, first) for a in range(max(0, first - _FLASH_FRAMES - 1), last)]
    return any(
        colour_shift(small_THWC[a], small_THWC[b]) < most
        and unlike(small_THWC[a], small_THWC[b]) < most
        for a, b in (*later, *sooner)
    )


def unlike(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    """0 where the second picture's blocks lie near their place in the first, 1 where none does.

    Blocks are compared by normalised correlation, so that a change of exposure is no change of
    picture, and count by their contrast, so that empty walls have no say.
    """
    one = one_HWC[..., 0].astype(np.float32)
    other = other_HWC[..., 0].astype(np.float32)
    blocks = other.reshape(HEIGHT // _BLOCK_H, _BLOCK_H, WIDTH // _BLOCK_W, _BLOCK_W)
    block_BD = blocks.swapaxes(1, 2).reshape(-1, _BLOCK_H * _BLOCK_W)
    flat_BD = block_BD - block_BD.mean(1, keepdims=True)
    spread_B = np.sqrt((flat_BD * flat_BD).mean(1))
    padded = (one - one.mean()).ravel()[_EDGED]
    around = (HEIGHT + 2 * _REACH_Y - _BLOCK_H + 1, WIDTH + 2 * _REACH_X - _BLOCK_W + 1)
    windows_DN = np.ascontiguousarray(  # whole rows are copied: the fastest that numpy does
        np.lib.stride_tricks.sliding_window_view(padded, around)
    ).reshape(_BLOCK_H * _BLOCK_W, -1)
    spread_BN = _spreads(windows_DN)[_PLACES_BN]
    match_BN = flat_BD @ windows_DN  # flat: the windows need not be
    match_BN = np.take_along_axis(match_BN, _PLACES_BN, axis=1)
    match_BN /= np.maximum(spread_BN, 1.0) * np.maximum(spread_B, 1.0)[:, None]
    match_B = np.maximum(0.0, match_BN.max(1) / (_BLOCK_H * _BLOCK_W))
    here_B = spread_BN[:, spread_BN.shape[1] // 2]
    say_B = np.minimum(24.0, np.maximum(spread_B, here_B)) - 2.0
    match_B, say_B = np.where(say_B > 0, match_B, 0.0), np.maximum(say_B, 0.0)
    total = float(say_B.sum())
    if total < 1e-3:  # two empty pictures: only their level can tell them apart
        return min(1.0, float(np.abs(one.mean() - other.mean())) / 64.0)
    return float(1.0 - (match_B * say_B).sum() / total)


def _spreads(windows_DN: np.ndarray) -> np.ndarray:
    """Spread of each window; what all have in common has to be taken off before."""
    square_N = np.einsum("dn,dn->n", windows_DN, windows_DN) / len(windows_DN)
    return np.sqrt(np.maximum(0.0, square_N - windows_DN.mean(0) ** 2))


def _places() -> np.ndarray:
    """For each block, the places of the padded picture that lie near its own (B,N)."""
    across = WIDTH + 2 * _REACH_X - _BLOCK_W + 1
    y, x = np.arange(2 * _REACH_Y + 1)[:, None], np.arange(2 * _REACH_X + 1)
    corners = [(r, c) for r in range(0, HEIGHT, _BLOCK_H) for c in range(0, WIDTH, _BLOCK_W)]
    return np.stack([((r + y) * across + c + x).ravel() for r, c in corners])


_EDGED = np.pad(  # a picture with its edge pixels repeated around it
    np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH),
    ((_REACH_Y, _REACH_Y), (_REACH_X, _REACH_X)),
    mode="edge",
)
_PLACES_BN = _places()


def colour_shift(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    """How far apart the pictures' colours lie, 0..1, whatever moved: earth mover's distance."""
    total = 0.0
    for channel, scale in ((1, 40.0), (2, 40.0)):
        counts = [np.bincount(p[..., channel].ravel(), minlength=256) for p in (one_HWC, other_HWC)]
        apart = np.abs(np.cumsum(counts[0] - counts[1])).sum()
        total += float(apart) / (HEIGHT * WIDTH) / scale
    return min(1.0, total)


def is_mix(change: Change) -> bool:
    """Whether frames of both shots are in the picture for a while."""
    return change.kind in (DISSOLVE, FADE)

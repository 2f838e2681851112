"""Patches of frames that tell grain: the calm ones, the flat ones, and those that stand still.

Here: which blocks of a frame are looked at, as cosine terms. Not here: what they say (`grain.py`).

Patches are looked at as cosine transforms (DCT-II, orthonormal): light that only drifts lives in
the lowest few terms, grain in all of them. A patch is chosen as calm by one half of its terms and
measured by the other, so that choosing the calmest does not make the grain look finer than it is.

Shapes: N patches, C channels, u and v cosine terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

BLOCK_PX = 16
LEVELS = 2.0 ** np.arange(-10.0, 4.51, 0.5)  # scene-linear, half a stop apart
LOW_TERMS = 3  # u + v below this may hold the light's drift
BODY = np.add.outer(np.arange(BLOCK_PX), np.arange(BLOCK_PX)) >= LOW_TERMS  # without it
LEAST_BLOCKS = 24  # of a level
_CALM_SHARE = 0.3  # of the patches of a level, the calmest
_DRIFT = 0.2  # of the light, a drift's cosine term: about a tenth from side to side
_MOST_BLOCKS = 300  # of a frame, spread over its levels
_LEAST_POWER = 1e-14  # less is no picture: a letterbox's bars


@dataclass(frozen=True)
class Soft:
    """Blocks chosen for being flat, seen soft.

    Attributes:
        level_NC: Mean light.
        terms_NCuv: Cosine terms.
        at_N3: Frame, row and column of each.
    """

    level_NC: np.ndarray
    terms_NCuv: np.ndarray
    at_N3: np.ndarray

    @staticmethod
    def joined(parts: list[Soft]) -> Soft:
        """All of them, frames kept apart."""
        places = [p.at_N3.copy() for p in parts]
        count = 0
        for at in places:
            at[:, 0] += count
            count = int(at[:, 0].max(initial=count - 1)) + 1
        return Soft(
            np.concatenate([p.level_NC for p in parts]),
            np.concatenate([p.terms_NCuv for p in parts]),
            np.concatenate(places),
        )


@dataclass
class Patches:
    """Calm patches of some frames.

    Attributes:
        level_NC: Mean light.
        terms_NCuv: Cosine terms, those of the drift included.
        after_NCuv: The same patches a frame on, or None.
        single_N: True where from a frame, False where from half the difference of two.
        even_N: True where chosen by the even terms, so that the odd ones may measure.
        soft: Blocks of the same frames that are flat when seen soft, or None.
    """

    level_NC: np.ndarray
    terms_NCuv: np.ndarray
    after_NCuv: np.ndarray | None
    single_N: np.ndarray
    even_N: np.ndarray
    soft: Soft | None = None

    @staticmethod
    def joined(parts: Sequence[Patches]) -> Patches:
        """All of them; what follows is kept only where all have it."""
        follows = all(p.after_NCuv is not None for p in parts)
        after = [p.after_NCuv for p in parts if p.after_NCuv is not None]
        return Patches(
            np.concatenate([p.level_NC for p in parts]),
            np.concatenate([p.terms_NCuv for p in parts]),
            np.concatenate(after) if follows else None,
            np.concatenate([p.single_N for p in parts]),
            np.concatenate([p.even_N for p in parts]),
            Soft.joined(soft) if (soft := [p.soft for p in parts if p.soft is not None]) else None,
        )


def patches(frame_HWC: np.ndarray, after_HWC: np.ndarray | None = None) -> Patches:
    """The calmest patches of a frame at each level; with the next frame, those of both.

    Args:
        frame_HWC: Scene-linear light, at the size it was recorded.
        after_HWC: The frame after it: where the camera stands, the difference of both is grain
            alone, whatever the texture.
    """
    first = _blocks(frame_HWC)
    level, terms = _transformed(first)
    soft = _soft(level, terms, columns=frame_HWC.shape[1] // BLOCK_PX)
    if after_HWC is None:
        return replace(_calm(level, terms, None, single=True), soft=soft)
    second = _blocks(after_HWC)
    after_level, after_terms = _transformed(second)
    alone = replace(_calm(level, terms, after_terms, single=True), soft=soft)
    drift = np.abs(level - after_level) < 0.05 * np.maximum(level, 0.002)
    half, both = ((terms + k * after_terms) * np.float32(0.5**0.5) for k in (-1, 1))
    still = drift.all(1)
    if still.sum() < LEAST_BLOCKS:
        return alone
    apart = _calm(level[still], half[still], half[still], single=False, flat_NCuv=both[still])
    return Patches.joined([alone, apart])


def _blocks(frame_HWC: np.ndarray) -> np.ndarray:
    """(N,C,16,16)."""
    n = BLOCK_PX
    rows, columns = frame_HWC.shape[0] // n, frame_HWC.shape[1] // n
    cut = frame_HWC[: rows * n, : columns * n].reshape(rows, n, columns, n, 3)
    return np.ascontiguousarray(cut.transpose(0, 2, 4, 1, 3)).reshape(-1, 3, n, n)


def _transformed(blocks_NCHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wave = cosines()
    return blocks_NCHW.mean((2, 3)), wave @ blocks_NCHW @ wave.T


def cosines() -> np.ndarray:
    """Rows of the transform (16,16), orthonormal."""
    from scipy.fft import dct

    return np.asarray(dct(np.eye(BLOCK_PX, dtype=np.float32), axis=0, norm="ortho"))


def halves() -> tuple[np.ndarray, np.ndarray]:
    """Two halves (16,16) of the terms, as the squares of a chessboard; drift in neither."""
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    even = (u + v) % 2 == 0
    return BODY & even, BODY & ~even


def _soft(level_NC: np.ndarray, terms_NCuv: np.ndarray, *, columns: int) -> Soft:
    """The blocks whose light hardly drifts.

    All of them, or evenly some: the flattest would be those with the least grain, too.
    """
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    drift = (u + v > 0) & ~BODY
    rough = (terms_NCuv[:, 1][:, drift] ** 2).mean(1)
    flat = _alive(level_NC, terms_NCuv) & (rough < (_DRIFT * level_NC[:, 1]) ** 2)
    step = np.digitize(level_NC[:, 1], LEVELS)
    groups = [np.nonzero(flat & (step == s))[0] for s in np.unique(step[flat])]
    most = _MOST_BLOCKS // 8
    kept = [g[:: -(-len(g) // most)] for g in groups]
    index = np.sort(np.concatenate([*kept, np.zeros(0, int)]))
    at = np.stack([np.zeros_like(index), index // columns, index % columns], 1)
    return Soft(level_NC[index], terms_NCuv[index], at)


def _alive(level_NC: np.ndarray, terms_NCuv: np.ndarray) -> np.ndarray:
    alive = (level_NC > LEVELS[0]).all(1) & np.isfinite(terms_NCuv).all((1, 2, 3))
    return alive & ((terms_NCuv[:, :, 1:, 1:] ** 2).mean((2, 3)).min(1) > _LEAST_POWER)


def _calm(
    level_NC: np.ndarray, terms_NCuv: np.ndarray, after_NCuv: np.ndarray | None, *, single: bool,
    flat_NCuv: np.ndarray | None = None,
) -> Patches:  # fmt: skip
    """The patches least textured at each level of green, chosen by one half of their terms.

    Or by those of `flat_NCuv`: the sum of two frames says nothing of the grain in their difference,
    and where it is flat no texture makes that grain uneven within the patch.
    """
    alive = _alive(level_NC, terms_NCuv)
    which = np.digitize(level_NC[:, 1], LEVELS)
    used = [b for b in np.unique(which[alive])]
    kept: list[np.ndarray] = []
    even: list[np.ndarray] = []
    for half, is_even in zip(halves(), (True, False), strict=True):
        chooser = terms_NCuv if flat_NCuv is None else flat_NCuv
        energy = (chooser[:, :, half] ** 2).mean(2)
        relative = (energy / np.maximum(level_NC, 1e-4)).mean(1)
        for b in used:
            mine = np.nonzero(alive & (which == b))[0]
            count = max(min(len(mine), 4), int(0.5 * _CALM_SHARE * len(mine)))
            count = min(count, max(4, _MOST_BLOCKS // (2 * len(used))))
            kept.append(mine[np.argsort(relative[mine], kind="stable")[:count]])
            even.append(np.full(len(kept[-1]), is_even))
    index = np.concatenate(kept) if kept else np.zeros(0, int)
    chosen = np.concatenate(even) if even else np.zeros(0, bool)
    after = None if after_NCuv is None else after_NCuv[index]
    return Patches(level_NC[index], terms_NCuv[index], after, np.full(len(index), single), chosen)

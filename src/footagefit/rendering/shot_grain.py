"""The grain of a shot that brings no signature: what differs between a frame and the next.

Here: which frames are asked, the next one laid over each, and what of the answer cannot be grain.
Not here: how grain is told from patches (`signature/grain.py`), putting it on (`dressing.py`).

Bricks pass for grain in a single frame; what differs between a frame and the next one, laid over
it, is grain twice.

Shapes: C channels, H rows, W columns, K levels.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from footagefit.errors import FootagefitWarning
from footagefit.motion import homography, tracking, warps
from footagefit.motion.sources import Footage
from footagefit.signature import coordinates, grain_patches
from footagefit.signature.grain import Grain, fit
from footagefit.signature.grain_patches import BLOCK_PX

_BLOCKS, _FEWEST, _MOST = 1800, 3, 9  # wanted of all frames together; frames that are asked
_MEETS, _SOFT_PX = 0.6, 3.0  # how sure of its place what surrounds a pixel must be to tell grain
_STEADY_PX = 18.0  # over which the way to the next frame is made even
_SWEEPS, _DOUBT = 6, 0.3
_NO_FLOOR = 0.7  # weight of there being none, beside a level's: texture in the dark is like one
_DARK, _STOPS_BELOW, _MOST_SHARE = 0.05, 8.0, 0.12  # light, stops, share of the light


def measured(footage: Footage, there: Sequence[int]) -> Grain | None:
    """The grain of a shot; always told by the same few frames of it.

    Args:
        footage: The shot.
        there: Its frames that have pixels, in order: always all of them.
    """
    if len(there) < 2:
        return _none()
    parts = []
    for at in _asked(footage, there):
        beside = at + 1 if at + 1 < len(there) else at - 1
        parts.append(_patches(footage, there[at], there[beside]))
    parts = [p for p in parts if len(p.level_NC)]
    found = fit(grain_patches.Patches.joined(parts)) if parts else None
    return _none() if found is None else plausible(found)


def _none() -> None:
    warnings.warn(
        "grain cannot be told from this shot: what is made stays as clean as it is",
        FootagefitWarning, stacklevel=3,
    )  # fmt: skip


def _asked(footage: Footage, there: Sequence[int]) -> list[int]:
    """Places of frames evenly over the shot: more of them the fewer blocks each has."""
    height, width = footage.plate(there[0]).shape[-2:]
    blocks = (height // BLOCK_PX) * (width // BLOCK_PX)
    count = int(np.clip(-(-_BLOCKS // max(1, blocks)), _FEWEST, _MOST))
    return sorted(set(np.linspace(0, len(there) - 1, count).round().astype(int).tolist()))


def _patches(footage: Footage, number: int, other: int) -> grain_patches.Patches:
    """Patches of a frame and of another laid over it; where they do not meet both are black."""
    plate, hole = footage.plate(number), footage.hole(number)
    beside, gone = footage.plate(other), footage.hole(other)
    one, two = (coordinates.channels_last(p) for p in (plate, beside))
    meet = ((hole <= 0) & (gone <= 0))[0].numpy()
    if not homography.between(plate, beside, hole_1HW=hole, other_hole_1HW=gone).still:
        way, sure = tracking.dense(plate, beside, hole_1HW=hole, other_hole_1HW=gone)
        at, told = _steadied(way.permute(1, 2, 0).numpy(), sure[0].numpy())
        there = warps.at_places((gone <= 0)[0].numpy().astype(np.float32), at, cubic=False) > 0.999
        meet = (hole <= 0)[0].numpy() & there & told & warps.within(at, meet.shape)
        apart = np.where(meet[..., None], one - warps.at_places(two, at), 0.0)
        two = one - _given_back(apart, at[meet])
    whole = _in_whole_blocks(meet)[..., None]
    frames = (np.where(whole, p, np.float32(0.0)) for p in (one, two))
    return grain_patches.patches(*frames)


def _steadied(way_HW2: np.ndarray, sure_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in the next frame, and where they are to be trusted.

    Flow that follows grain from frame to frame lays grain over grain: only even motion is told.
    """
    import cv2

    weight = np.maximum(cv2.GaussianBlur(sure_HW, (0, 0), _STEADY_PX), 1e-3)[..., None]
    way = cv2.GaussianBlur(way_HW2 * sure_HW[..., None], (0, 0), _STEADY_PX) / weight
    told = cv2.GaussianBlur(sure_HW, (0, 0), _SOFT_PX) > _MEETS
    return warps.pixels((way.shape[0], way.shape[1])) + way, told


def _given_back(apart_HWC: np.ndarray, at_N2: np.ndarray) -> np.ndarray:
    """The difference of two frames as if neither had been read between its pixels.

    A cubic filter takes the finest grain off one of the two: by how much is told by its taps.
    """
    if len(at_N2) == 0:
        return apart_HWC
    size = (apart_HWC.shape[0], apart_HWC.shape[1])
    few = at_N2[:: max(1, len(at_N2) // 1500)]
    x, y = (_passed(few[:, i] - np.floor(few[:, i]), f) for i, f in enumerate(
        (np.fft.rfftfreq(size[1]), np.fft.fftfreq(size[0]))))  # fmt: skip
    gain = np.sqrt(2.0 / (1.0 + y.T @ x / len(few)))
    waves = np.fft.rfft2(apart_HWC, axes=(0, 1)) * gain[..., None]
    return np.fft.irfft2(waves, s=size, axes=(0, 1)).astype(np.float32)


def _passed(part_N: np.ndarray, waves_F: np.ndarray) -> np.ndarray:
    """Power of each wave that OpenCV's cubic filter lets through, by place between pixels (N,F)."""
    turns = np.exp(-2j * np.pi * np.outer(np.arange(4), waves_F))
    return np.abs(warps.taps(part_N) @ turns) ** 2


def _in_whole_blocks(meet_HW: np.ndarray) -> np.ndarray:
    """Blocks of patches in which all is there: a part that is black would pass for calm."""
    rows, columns = (n // BLOCK_PX for n in meet_HW.shape)
    cut = meet_HW[: rows * BLOCK_PX, : columns * BLOCK_PX]
    whole = cut.reshape(rows, BLOCK_PX, columns, BLOCK_PX).all((1, 3))
    out = np.zeros_like(meet_HW)
    out[: rows * BLOCK_PX, : columns * BLOCK_PX] = np.kron(whole, np.ones((BLOCK_PX,) * 2)) > 0
    return out


def plausible(grain: Grain) -> Grain:
    """Grain of a few frames without what cannot be grain.

    Foliage passes for grain where nothing is calm, and then at few levels of light. Grain's
    variance is a floor, a part that runs with light and one with its square; what stands out of
    that is texture. In the dark, where none was measured, it falls as shot noise does and is never
    most of the light.
    """
    levels, variance = np.array(grain.levels), np.array(grain.deviation) ** 2
    told = np.stack([_run(levels, row) for row in variance])
    deviation = np.sqrt(np.minimum(variance, told))
    if levels[0] > _DARK:
        low = levels[0] * 2.0 ** -np.arange(_STOPS_BELOW, 0.0, -1.0)
        below = deviation[:, :1] * np.sqrt(low / levels[0])
        levels = np.concatenate([low, levels])
        deviation = np.concatenate([np.minimum(below, _MOST_SHARE * low), deviation], 1)
    rows = tuple(tuple(float(v) for v in row) for row in deviation)
    return replace(grain, levels=tuple(float(v) for v in levels), deviation=rows)


def _run(levels_K: np.ndarray, variance_K: np.ndarray) -> np.ndarray:
    """Variance (K,) by a curve that most levels go by; those far above it are left out."""
    from scipy.optimize import nnls

    terms = np.stack([np.ones_like(levels_K), levels_K, levels_K**2], 1)
    terms = terms / terms.max(0)
    weight = np.ones_like(levels_K)
    made = variance_K
    none = [_NO_FLOOR / float(variance_K.min()), 0.0, 0.0]
    for _ in range(_SWEEPS):
        # As shares of what was measured: what is far too high can pull by no more than 1.
        rows = np.vstack([weight[:, None] * terms / variance_K[:, None], none])
        made = terms @ nnls(rows, np.append(weight, 0.0))[0]
        over = np.maximum(variance_K / np.maximum(made, 1e-16) - 1.0, 0.0)
        weight = 1.0 / (1.0 + (over / _DOUBT) ** 2)
    return made

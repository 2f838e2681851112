"""Real pairs: takes of one set-up that don't sit together, laid over each other.

Here: finding such takes by their measures, aligning a frame of one with a frame of the other, and
marking what stands still in both: walls and furniture, lit differently, are what a match can be
taught and judged on. Not here: judging continuity (the catalogue's own part).

Shape suffixes: H rows, W columns, C channels, T frames.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from footagefit.dailies.entries import Shot

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.dailies.windows import Reader

LEAST_EV, LEAST_MIRED = 0.12, 8.0
_LEAST_STATIC = 0.12  # share of the picture that must stand still in both
_LEAST_FIT = 0.6  # correlation that an alignment must reach
_CALM = 0.06  # stops of change over a few frames under which a pixel stands still
_AROUND = (-8, -4, 0, 4, 8)
_PLAIN = 0.03**2  # squared stops of detail under which a place is plain


@dataclass(frozen=True)
class Mismatch:
    """Two takes of a set-up and how far apart they are: `other` minus `one`."""

    one: str
    other: str
    exposure_ev: float
    mired: float


@dataclass(frozen=True)
class MinedPair:
    """One frame of each take, the other one laid over the first.

    Attributes:
        mismatch: Between the takes.
        numbers: Frame of each.
        one_CHW: Scene-linear ACEScg.
        other_CHW: Warped onto the first.
        mask_1HW: 1 where the same still things are seen in both.
    """

    mismatch: Mismatch
    numbers: tuple[int, int]
    one_CHW: Tensor
    other_CHW: Tensor
    mask_1HW: Tensor


def mismatches(
    shots: Sequence[Shot], *, least_ev: float = LEAST_EV, least_mired: float = LEAST_MIRED
) -> list[Mismatch]:
    """Takes of one set-up, on one side, that differ in exposure or white point; worst first."""
    setups: dict[tuple[str, str], list[Shot]] = defaultdict(list)
    for shot in sorted(shots, key=lambda s: s.name):
        if shot.exposure_ev is not None and shot.white_k:
            setups[shot.setup, shot.side].append(shot)
    found = []
    for takes in setups.values():
        for one, other in itertools.combinations(takes, 2):
            if one.family == other.family:
                continue
            ev = (other.exposure_ev or 0.0) - (one.exposure_ev or 0.0)
            mired = 1e6 / (other.white_k or 1.0) - 1e6 / (one.white_k or 1.0)
            if abs(ev) >= least_ev or abs(mired) >= least_mired:
                found.append(Mismatch(one.name, other.name, round(ev, 4), round(mired, 2)))
    return sorted(found, key=lambda m: -(abs(m.exposure_ev) / 0.15 + abs(m.mired) / 12.0))


def mined(reader: Reader, mismatch: Mismatch, *, moment: float = 0.5) -> MinedPair | None:
    """The pair at a moment of both takes, or None where too little stands still in both.

    Args:
        reader: Reads both.
        mismatch: The takes.
        moment: 0 their first frames, 1 their last.
    """
    import torch

    one, other = reader.shots[mismatch.one], reader.shots[mismatch.other]
    at = _frame_at(one, moment), _frame_at(other, moment)
    a_T, b_T = _run(reader, one, at[0]), _run(reader, other, at[1])
    if a_T.shape[-2:] != b_T.shape[-2:]:
        return None
    warp = alignment(a_T[len(a_T) // 2], b_T[len(b_T) // 2])
    if warp is None:
        return None
    a, b = a_T[len(a_T) // 2], b_T[len(b_T) // 2]
    over, inside = warped(b, warp)
    calm = _still(a_T) * warped(_still(b_T)[..., None], warp)[0][..., 0] * inside
    mask = calm * same_things(a, over)
    if float(mask.mean()) < _LEAST_STATIC:
        return None
    return MinedPair(
        mismatch,
        at,
        torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1))),
        torch.from_numpy(np.ascontiguousarray(over.transpose(2, 0, 1))),
        torch.from_numpy(mask[None].astype(np.float32)),
    )


def _frame_at(shot: Shot, moment: float) -> int:
    return shot.first + int(moment * (shot.last - shot.first))


def _run(reader: Reader, shot: Shot, middle: int) -> np.ndarray:
    """A few frames around the middle (T,H,W,C)."""
    numbers = [min(shot.last, max(shot.first, middle + step)) for step in _AROUND]
    frames, _ = reader.frames(shot.name, numbers)
    return frames.permute(0, 2, 3, 1).contiguous().numpy()


def in_stops(frame_HWC: np.ndarray) -> np.ndarray:
    """Stops of luminance."""
    y = frame_HWC[..., 0] * 0.2722 + frame_HWC[..., 1] * 0.6741 + frame_HWC[..., 2] * 0.0537
    return np.log2(np.maximum(y, 2.0**-9)).astype(np.float32)


def _still(run_THWC: np.ndarray) -> np.ndarray:
    """1 where nothing moves over a few frames; what noise does to dark pixels is let pass."""
    import cv2

    stops = np.stack([cv2.GaussianBlur(in_stops(frame), (0, 0), 1.5) for frame in run_THWC])
    stops -= np.median(stops, axis=(1, 2), keepdims=True)
    still = (stops.max(0) - stops.min(0) < 2 * _CALM).astype(np.uint8)
    return cv2.erode(still, np.ones((5, 5), np.uint8)).astype(np.float32)


def alignment(
    one_HWC: np.ndarray,
    other_HWC: np.ndarray,
    *,
    start: np.ndarray | None = None,
    where_HW: np.ndarray | None = None,
) -> np.ndarray | None:
    """Affine map from the first picture's pixels to the second's (Evangelidis 2008), or None.

    Args:
        one_HWC: Scene-linear ACEScg.
        other_HWC: Of the same size.
        start: A map (2,3) that comes near; by default none but the same place.
        where_HW: Where to look in the first; by default everywhere.
    """
    import cv2

    a, b = (detail(p) for p in (one_HWC, other_HWC))
    warp = np.eye(2, 3, dtype=np.float32) if start is None else start.astype(np.float32)
    there = np.ones(a.shape, bool) if where_HW is None else where_HW > 0
    seen = there.astype(np.uint8) * np.uint8(255)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    try:
        for motion in (cv2.MOTION_TRANSLATION, cv2.MOTION_AFFINE):
            fit, warp = cv2.findTransformECC(a, b, warp, motion, criteria, seen, 5)
    except cv2.error:
        return None
    shift = float(np.abs(warp[:, 2]).max()) / max(a.shape)
    turn = float(np.abs(warp[:, :2] - np.eye(2)).max())
    return warp if fit > _LEAST_FIT and shift < 0.15 and turn < 0.15 else None


def detail(picture_HWC: np.ndarray) -> np.ndarray:
    """Structure without level and slow shading, so that other light is no obstacle."""
    import cv2

    stops_HW = in_stops(picture_HWC)
    local = stops_HW - cv2.GaussianBlur(stops_HW, (0, 0), max(stops_HW.shape) / 16)
    return cv2.GaussianBlur(local, (0, 0), 1.0)


def warped(
    picture_HWC: np.ndarray, warp: np.ndarray, *, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A picture laid over the first one's pixels, and 1 where it reaches.

    Args:
        picture_HWC: To be laid.
        warp: Map (2,3) from the first one's pixels to its own.
        size: Rows and columns of the first one; by default its own.
    """
    import cv2

    height, width = size or picture_HWC.shape[:2]
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    over = cv2.warpAffine(picture_HWC, warp, (width, height), flags=how)
    ones = np.ones(picture_HWC.shape[:2], np.float32)
    inside = cv2.warpAffine(ones, warp, (width, height), flags=how) > 0.999
    return over.reshape(height, width, -1), inside.astype(np.float32)


def same_things(one_HWC: np.ndarray, over_HWC: np.ndarray) -> np.ndarray:
    """1 where both show the same structure, whatever the light: local correlation of detail.

    Where there is no structure at all, neighbours within a few pixels have the say.
    """
    return same_structure(detail(one_HWC), detail(over_HWC))[0]


def same_structure(a_HW: np.ndarray, b_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """1 where two pictures' details agree, and True where the first, the second has any (H,W)."""
    import cv2

    size = max(2.0, max(a_HW.shape) / 48)

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (0, 0), size)

    ma, mb = mean(a_HW), mean(b_HW)
    va, vb = mean(a_HW * a_HW) - ma * ma, mean(b_HW * b_HW) - mb * mb
    match = (mean(a_HW * b_HW) - ma * mb + _PLAIN) / np.sqrt((va + _PLAIN) * (vb + _PLAIN))
    return (match > 0.7).astype(np.float32), va > _PLAIN, vb > _PLAIN

"""Frames that are wrong as a whole, by measurement: flashes, and frames held in mid-motion.

What belongs here: light that jumps and comes back within a few frames, copies of the frame before,
numbers that lack. What does not: things in the picture (`finders`), cuts (`dailies.cuts`), footage
shot on twos, which is a cadence and no fault.

Shapes: T frames, H rows, W columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import FootagefitWarning
from footagefit.footage.pattern import ranges
from footagefit.signature.light_vector import LUMA

Read = Callable[[int], Tensor]
_CELLS = (27, 48)
_TOE = 2.0**-7
_FLASH_FRAMES = 6  # what lasts longer is a change of light
_FLASH_EV = 0.25
_TOUCHED, _ELSEWHERE = 0.25, 0.1  # shares of the frame that jump, and that may go the other way
_WHOLE = 0.65  # share from which the frame is a hole altogether
_AROUND, _SOME = 7, 0.2  # cells round a cell, and how many of them must have jumped
_DETAIL_PX = 320
_HELD, _SAME = 0.15, 0.01  # of the usual change: a copy through a codec, a copy to the bit
_JOLT = 1.2  # what comes after a held frame has moved on by two
_LEAST_CHANGE = 0.004  # stops; under it nothing moves and nothing is grained
_CADENCE = 0.2  # share of held frames from which they are meant


def flashes(read: Read, numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """For each frame where light jumps for a few frames and comes back; see `finders.find`."""
    grids, sizes = [], []
    for number in numbers:
        frame = read(number)
        grids.append(_cells(frame))
        sizes.append((frame.shape[1], frame.shape[2]))
    touched = jumped(np.stack(grids)) if grids else np.zeros((0, *_CELLS), bool)
    for number, cells, size in zip(numbers, touched, sizes, strict=True):
        yield number, _over(cells, size)


def jumped(stops_THW: np.ndarray) -> np.ndarray:
    """Cells (T,H,W) whose light jumps for a few frames, in frames where enough of them do.

    Which frames is told by their cells in order of light, which motion hardly changes: what comes
    back is what an opening over time takes away (a closing, for dark frames). Where in the frame is
    told beside the frames before and after, places counting by the brightest or darkest near them.
    """
    from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

    out = np.zeros(stops_THW.shape, bool)
    brighter, darker = _flashed(stops_THW), _flashed(-stops_THW)
    calm = np.flatnonzero(~(brighter | darker))
    for at in np.flatnonzero(brighter | darker) if len(calm) else ():
        beside = stops_THW[[*calm[calm < at][-1:], *calm[calm > at][:1]]]
        if brighter[at]:
            up = stops_THW[at] - maximum_filter(beside.max(0), size=3) > _FLASH_EV
        else:
            up = minimum_filter(beside.min(0), size=3) - stops_THW[at] > _FLASH_EV
        out[at] = uniform_filter(up.astype(np.float32), size=_AROUND) >= _SOME
    return out


def _flashed(stops_THW: np.ndarray) -> np.ndarray:
    """Frames (T) much of which is brighter than a few frames before and after, and none darker."""
    from scipy.ndimage import grey_closing, grey_opening

    ranks_TN = np.sort(stops_THW.reshape(len(stops_THW), -1), axis=1)[:, ::9]
    window = (_FLASH_FRAMES + 1, 1)
    up = ranks_TN - grey_opening(ranks_TN, size=window, mode="nearest") > _FLASH_EV
    down = grey_closing(ranks_TN, size=window, mode="nearest") - ranks_TN > _FLASH_EV
    return (up.mean(1) >= _TOUCHED) & (down.mean(1) <= _ELSEWHERE)


def _over(cells_HW: np.ndarray, size: tuple[int, int]) -> Tensor:
    """A mask of a frame from its cells: all of it where most are touched."""
    if not cells_HW.any():
        return torch.zeros(1, *size)
    if cells_HW.mean() >= _WHOLE:
        return torch.ones(1, *size)
    wide = torch.from_numpy(cells_HW.astype(np.float32))[None, None]
    return (F.interpolate(wide, size=size, mode="bilinear")[0] >= 0.5).float()


def held(read: Read, numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """For each frame whether it copies the one before in mid-motion; see `finders.find`."""
    change, size, before = [0.0], (0, 0), None
    for number in numbers:
        frame = read(number)
        size = (frame.shape[1], frame.shape[2])
        detail = _detail(frame)
        if before is not None:
            change.append(float((detail - before).abs().mean()))
        before = detail
    copies = {numbers[i] for i in copied(np.array(change))}
    there = set(numbers)
    for number in range(numbers[0], numbers[-1] + 1) if numbers else ():
        hole = number in copies or number not in there
        yield number, torch.full((1, *size), float(hole))


def copied(change_T: np.ndarray) -> list[int]:
    """Places of frames that copy the one before while all around them changes.

    Args:
        change_T: Mean change of each frame from the one before, in stops; the first has none.
    """
    found = []
    for at in range(1, len(change_T)):
        beside = [change_T[i] for i in range(at - 4, at + 5) if 1 <= i < len(change_T) and i != at]
        if len(beside) < 2:
            continue
        usual = float(np.median(beside))
        if usual < _LEAST_CHANGE or change_T[at] > _HELD * usual:
            continue
        jolt = at + 1 < len(change_T) and change_T[at + 1] > _JOLT * usual
        if jolt or change_T[at] <= _SAME * usual:
            found.append(at)
    if len(found) > max(1.0, _CADENCE * (len(change_T) - 1)):
        line = (
            f"{len(found)} of {len(change_T)} frames copy the one before (from place "
            f"{ranges(found[:3])} on): taken for a cadence, not for dropped frames. "
            "Say extend.retime=2 for footage on twos"
        )
        warnings.warn(FootagefitWarning(line), stacklevel=3)
        return []
    return found


def _cells(frame_3HW: Tensor) -> np.ndarray:
    """Stops of luminance, one a cell (27,48)."""
    return _stops(F.adaptive_avg_pool2d(_sane(frame_3HW)[None], _CELLS)[0]).numpy()


def _detail(frame_3HW: Tensor) -> Tensor:
    """Stops of luminance with grain in it: every so many pixels, none averaged."""
    step = max(1, max(frame_3HW.shape[1:]) // _DETAIL_PX)
    return _stops(_sane(frame_3HW[:, ::step, ::step]))


def _sane(frame_3HW: Tensor) -> Tensor:
    return frame_3HW.nan_to_num(0.0, 65504.0, 0.0).clamp(0.0, 65504.0)


def _stops(light_3HW: Tensor) -> Tensor:
    weights = light_3HW.new_tensor(LUMA).view(3, 1, 1)
    return torch.log2((light_3HW * weights).sum(0) + _TOE)

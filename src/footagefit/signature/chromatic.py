"""Lateral chromatic aberration: red and blue a little larger or smaller than green.

Here: the model (a radial scale by channel about the centre), on and off, and its fit to edges.
Not here: distortion, which all channels share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from footagefit.signature import coordinates
from footagefit.signature.coordinates import HD_HALF_PX

_BLOCK_PX = 16
_SMOOTH_PX = 0.8
_LEAST_BLOCKS = 60
_LEAST_STEP = 0.15  # deviation of a block over its light
_UNLIKE = 0.03  # of a channel's variance that a block may leave unexplained
_LOOKS = 4
_SMALL_PX = 0.03  # of HD: what is left when no further look is taken
_MOST_PX = 8.0
_FLOOR_PX = 0.03  # of HD: what charts are off by, however many edges they have
WORST_PX = 0.6


@dataclass(frozen=True)
class Chromatic:
    """Lateral colour.

    Attributes:
        red_px: Red's shift outward at the corner of an HD frame, beside green.
        blue_px: Blue's; below 0 is inward.
        centre_x: In lens coordinates.
        centre_y: Likewise, up.
        squeeze: Anamorphic squeeze of the frames it is for.
        error_px: Standard error of the shifts; None where not measured.
        blocks: Pieces of edges it was fitted to.
    """

    red_px: float = 0.0
    blue_px: float = 0.0
    centre_x: float = 0.0
    centre_y: float = 0.0
    squeeze: float = 1.0
    error_px: float | None = None
    blocks: int = 0

    @property
    def scales(self) -> tuple[float, float, float]:
        """How much larger each channel's picture is."""
        return 1 + self.red_px / HD_HALF_PX, 1.0, 1 + self.blue_px / HD_HALF_PX


def apply(frame_CHW: Tensor, lens: Chromatic) -> Tensor:
    """Scale red and blue about the centre as the lens does."""
    return _scaled(frame_CHW, lens, [1 / s for s in lens.scales])


def remove(frame_CHW: Tensor, lens: Chromatic) -> Tensor:
    """Bring red and blue back over green."""
    return _scaled(frame_CHW, lens, list(lens.scales))


def _scaled(frame_CHW: Tensor, lens: Chromatic, scales: Sequence[float]) -> Tensor:
    """Channels read at places a little nearer to or further from the centre.

    Rows and columns apart, by a cubic that keeps straight slopes straight (Keys 1981, a = -1/2):
    `grid_sample`'s (a = -3/4) moves what it reads by up to 0.05 px, as much as is measured here.
    """
    size = (int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1]))
    half = coordinates.half_diagonal_px(size, squeeze=lens.squeeze)
    middle = (
        size[0] / 2 - 0.5 - lens.centre_y * half,
        size[1] / 2 - 0.5 + lens.centre_x * half / lens.squeeze,
    )
    out = []
    for channel, scale in zip(frame_CHW, scales, strict=True):
        for axis in (0, 1) if scale != 1.0 else ():
            at = (np.arange(size[axis]) - middle[axis]) * scale + middle[axis]
            channel = _along(channel, at, axis)
        out.append(channel)
    return torch.stack(out)


def _along(plane_HW: Tensor, at: np.ndarray, axis: int) -> Tensor:
    """A plane read at positions of an axis, in pixels; its borders go on."""
    first = np.floor(at)
    t = at - first
    weights = (
        -0.5 * t**3 + t**2 - 0.5 * t,
        1.5 * t**3 - 2.5 * t**2 + 1,
        -1.5 * t**3 + 2 * t**2 + 0.5 * t,
        0.5 * t**3 - 0.5 * t**2,
    )
    shape = (-1, 1) if axis == 0 else (1, -1)
    out = torch.zeros_like(plane_HW)
    for tap, weight in enumerate(weights):
        index = np.clip(first.astype(np.int64) + tap - 1, 0, len(at) - 1)
        read = plane_HW.index_select(axis, torch.from_numpy(index).to(plane_HW.device))
        out.addcmul_(read, torch.from_numpy(weight).to(plane_HW).view(shape))
    return out


@dataclass(frozen=True)
class Shifts:
    """How far channels lie apart in pieces of a frame.

    Attributes:
        at_N2: Lens coordinates.
        outward_N2: Red's and blue's shift along the radius, in lens coordinates.
        weight_N2: How much each says.
        group_N: Which frame.
    """

    at_N2: np.ndarray
    outward_N2: np.ndarray
    weight_N2: np.ndarray
    group_N: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Shifts]) -> Shifts:
        """All of them, frames kept apart."""
        groups = [np.full(len(p.at_N2), i) for i, p in enumerate(parts)]
        return Shifts(
            np.concatenate([p.at_N2 for p in parts]),
            np.concatenate([p.outward_N2 for p in parts]),
            np.concatenate([p.weight_N2 for p in parts]),
            np.concatenate(groups),
        )


def shifts(
    frame_HWC: np.ndarray, *, squeeze: float = 1.0, start: Chromatic | None = None
) -> Shifts | None:
    """Red's and blue's shift against green in every block of a frame that has edges.

    A slope speaks for a small step only: what is found is taken off and looked for again, until
    hardly anything is left.

    Args:
        frame_HWC: Scene-linear light, at the size it was recorded.
        squeeze: Of the frame.
        start: What other frames of the lens have shown: a good one saves looks.
    """
    guess = np.zeros(2) if start is None else np.array([start.red_px, start.blue_px])
    frame = torch.from_numpy(np.ascontiguousarray(frame_HWC)).permute(2, 0, 1)
    seen: Shifts | None = None
    for _ in range(_LOOKS):
        lens = Chromatic(float(guess[0]), float(guess[1]), squeeze=squeeze)
        shown = coordinates.channels_last(remove(frame, lens)) if guess.any() else frame_HWC
        seen = _shifts(shown, squeeze=squeeze)
        if seen is None or len(seen.at_N2) < _LEAST_BLOCKS // 2:
            return None
        step = _slopes(seen)[0]
        r = np.linalg.norm(seen.at_N2, axis=1)
        seen = replace(seen, outward_N2=seen.outward_N2 + r[:, None] * guess / HD_HALF_PX)
        if np.abs(step).max() < _SMALL_PX:
            return seen
        guess = np.clip(guess + step, -_MOST_PX, _MOST_PX)
    return seen


def _shifts(frame_HWC: np.ndarray, *, squeeze: float) -> Shifts | None:
    """Blocks' shifts in one look.

    Where two colours meet, red is green times a factor and more, whatever the blur, plus what a
    small shift along the radius changes: one least-squares solution gives all three (Lucas and
    Kanade 1981).
    """
    import cv2

    light = cv2.GaussianBlur(frame_HWC.astype(np.float32), (0, 0), _SMOOTH_PX)
    size = (frame_HWC.shape[0], frame_HWC.shape[1])
    x, y = coordinates.grid(size, squeeze=squeeze)
    r = np.maximum(np.sqrt(x * x + y * y), 1e-6)
    half = coordinates.half_diagonal_px(size, squeeze=squeeze)
    slopes = []
    for channel in range(3):
        gx = cv2.Sobel(light[..., channel], cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
        gy = cv2.Sobel(light[..., channel], cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
        # per unit of r: y is up, pixels are squeezed
        slopes.append((gx * (x / r) / squeeze - gy * (y / r)) * half)
    rows, columns = size[0] // _BLOCK_PX, size[1] // _BLOCK_PX
    green = _blocks(light[..., 1], rows, columns)
    outward, weight = [], []
    for channel in (0, 2):
        slope = _blocks(0.5 * (slopes[channel] + slopes[1]), rows, columns)
        moved, firm = _shift(_blocks(light[..., channel], rows, columns), green, slope)
        outward.append(moved)
        weight.append(firm)
    at_x = x[0, : columns * _BLOCK_PX].reshape(columns, -1).mean(1)
    at_y = y[: rows * _BLOCK_PX, 0].reshape(rows, -1).mean(1)
    at = np.stack(np.broadcast_arrays(at_x[None], at_y[:, None]), -1).reshape(-1, 2)
    outward_N2, weight_N2 = np.stack(outward, 1), np.stack(weight, 1)
    said = (weight_N2.min(1) > 0) & (np.linalg.norm(at, axis=1) > 0.15)
    if said.sum() < 4:
        return None
    return Shifts(at[said], outward_N2[said], weight_N2[said], np.zeros(int(said.sum()), int))


def _blocks(picture_HW: np.ndarray, rows: int, columns: int) -> np.ndarray:
    cut = picture_HW[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    cut = cut.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).swapaxes(1, 2)
    return cut.reshape(rows * columns, -1).astype(np.float32)


def _shift(one: np.ndarray, green: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward shift of each block, and its weight; 0 where the block says nothing."""
    level = np.maximum(green.mean(1), 1e-3)
    ratio = one.mean(1) / level  # of the two channels, about
    one, green, slope = (v - v.mean(1, keepdims=True) for v in (one, green, slope))
    gg, gs, ss = ((a * b).sum(1) for a, b in ((green, green), (green, slope), (slope, slope)))
    go, so, oo = ((a * b).sum(1) for a, b in ((green, one), (slope, one), (one, one)))
    det = np.maximum(gg * ss - gs * gs, 1e-20)
    colour = (go * ss - so * gs) / det
    move = (so * gg - go * gs) / det
    left = np.maximum(oo - colour * go - move * so, 0)
    strong = gg / green.shape[1] > (_LEAST_STEP * level) ** 2  # an edge
    # The one edge may be stronger in one channel, but not another edge.
    alike = (colour > 0.4 * ratio) & (colour < 2.0 * ratio) & (left < _UNLIKE * oo)
    own = det / np.maximum(gg, 1e-20)  # what of the slope green itself does not explain
    error = left / green.shape[1] / np.maximum(own, 1e-20) / np.maximum(colour, 1e-3) ** 2
    outward = -move / np.maximum(colour, 0.05)
    near = np.abs(outward) < _MOST_PX / HD_HALF_PX
    weight = 1.0 / (error + (0.05 / HD_HALF_PX) ** 2)
    return outward, np.where(strong & alike & near & (own > 1e-3 * ss), weight, 0.0)


def fit(seen: Shifts, *, squeeze: float = 1.0) -> Chromatic | None:
    """Radial scales that explain the shifts, or None where these are too few or disagree."""
    if len(seen.at_N2) < _LEAST_BLOCKS:
        return None
    values, errors = _slopes(seen)
    error_px = float(np.linalg.norm([*errors, _FLOOR_PX]))
    if error_px > WORST_PX:
        return None
    return Chromatic(
        float(values[0]), float(values[1]), squeeze=squeeze, error_px=round(error_px, 4),
        blocks=len(seen.at_N2),
    )  # fmt: skip


def _slopes(seen: Shifts) -> tuple[np.ndarray, np.ndarray]:
    """Red's and blue's shift at the corner of HD, and their errors."""
    r = np.linalg.norm(seen.at_N2, axis=1)
    told = [
        _robust_slope(r, seen.outward_N2[:, c], seen.weight_N2[:, c], seen.group_N) for c in (0, 1)
    ]
    both = np.array(told) * HD_HALF_PX
    return both[:, 0], both[:, 1]


def _robust_slope(r: np.ndarray, shift: np.ndarray, weight: np.ndarray,
                  group: np.ndarray) -> tuple[float, float]:  # fmt: skip
    """Shift = value * r, with redescending weights; its error by the scatter between frames."""
    value = float(np.median(shift / r))
    firm = weight
    for _ in range(10):
        rest = shift - value * r
        scale = max(0.03 / HD_HALF_PX, 1.48 * float(np.median(np.abs(rest))))
        firm = np.minimum(weight, np.quantile(weight, 0.9)) / (1 + (rest / (2 * scale)) ** 2) ** 2
        value = float((firm * r * shift).sum() / (firm * r * r).sum())
    push = firm * r * (shift - value * r)
    count = int(group.max()) + 1
    each = np.bincount(group, push, minlength=count) if count >= 4 else push
    return value, float(np.sqrt((each**2).sum()) / (firm * r * r).sum())

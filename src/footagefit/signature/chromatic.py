"""Lateral chromatic aberration: red and blue a little larger or smaller than green.

Here: the model (a radial scale by channel about the centre), on and off, and its fit to edges.
Not here: distortion, which all channels share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from footagefit.signature import coordinates
from footagefit.signature.coordinates import HD_HALF_PX

_BLOCK_PX = 24
_SMOOTH_PX = 0.8
_LEAST_BLOCKS = 60
_LARGE_PX = 0.4
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
    x, y = coordinates.grid(
        (int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1])), squeeze=lens.squeeze
    )
    x, y = np.broadcast_arrays(x, y)
    out = []
    for channel, scale in zip(frame_CHW, scales, strict=True):
        if scale == 1.0:
            out.append(channel[None])
            continue
        at_x = (x - lens.centre_x) * np.float32(scale) + lens.centre_x
        at_y = (y - lens.centre_y) * np.float32(scale) + lens.centre_y
        out.append(coordinates.read_at(channel[None], at_x, at_y, squeeze=lens.squeeze))
    return torch.cat(out)


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


def shifts(frame_HWC: np.ndarray, *, squeeze: float = 1.0) -> Shifts | None:
    """Red's and blue's shift against green in every block of a frame that has edges.

    Large shifts are looked at twice: once as they are, and once with the first guess taken off,
    since a slope speaks for a small step only.
    """
    seen = _shifts(frame_HWC, squeeze=squeeze)
    if seen is None or len(seen.at_N2) < _LEAST_BLOCKS // 2:
        return seen
    r = np.linalg.norm(seen.at_N2, axis=1)
    guess = np.median(seen.outward_N2 / r[:, None], axis=0) * HD_HALF_PX
    if np.abs(guess).max() < _LARGE_PX:
        return seen
    lens = Chromatic(float(guess[0]), float(guess[1]), squeeze=squeeze)
    frame = torch.from_numpy(np.ascontiguousarray(frame_HWC)).permute(2, 0, 1)
    again = _shifts(coordinates.channels_last(remove(frame, lens)), squeeze=squeeze)
    if again is None:
        return seen
    r = np.linalg.norm(again.at_N2, axis=1)
    outward = again.outward_N2 + r[:, None] * guess / HD_HALF_PX
    return Shifts(again.at_N2, outward, again.weight_N2, again.group_N)


def _shifts(frame_HWC: np.ndarray, *, squeeze: float) -> Shifts | None:
    """Blocks' shifts in one look.

    In a block, red is green times a colour, plus what a small shift along the radius changes:
    one least-squares solution gives both (Lucas and Kanade 1981).
    """
    import cv2

    # Stops first: where two colours meet, they stay a colour times green; light's blur mixes them.
    light = cv2.GaussianBlur(coordinates.stops(frame_HWC, toe=2.0**-7), (0, 0), _SMOOTH_PX)
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
    return cut.reshape(rows * columns, -1).astype(np.float64)


def _shift(one: np.ndarray, green: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward shift of each block, and its weight; 0 where the block says nothing."""
    one, green, slope = (v - v.mean(1, keepdims=True) for v in (one, green, slope))
    gg, gs, ss = ((a * b).sum(1) for a, b in ((green, green), (green, slope), (slope, slope)))
    go, so, oo = ((a * b).sum(1) for a, b in ((green, one), (slope, one), (one, one)))
    det = np.maximum(gg * ss - gs * gs, 1e-12)
    colour = (go * ss - so * gs) / det
    move = (so * gg - go * gs) / det
    left = np.maximum(oo - colour * go - move * so, 0) / green.shape[1]
    strong = gg / green.shape[1] > 0.02  # variance in stops squared: an edge
    alike = (colour > 0.5) & (colour < 1.6) & (left < 0.03 * gg / green.shape[1])
    own = det / np.maximum(gg, 1e-12)  # what of the slope green itself does not explain
    error = left / np.maximum(own, 1e-12) + (0.05 / HD_HALF_PX) ** 2
    outward = -move / np.where(np.abs(colour) > 0.1, colour, 1.0)
    near = np.abs(outward) < 8.0 / HD_HALF_PX
    return outward, np.where(strong & alike & near & (own > 1e-3), 1.0 / error, 0.0)


def fit(seen: Shifts, *, squeeze: float = 1.0) -> Chromatic | None:
    """Radial scales that explain the shifts, or None where these are too few or disagree."""
    if len(seen.at_N2) < _LEAST_BLOCKS:
        return None
    r = np.linalg.norm(seen.at_N2, axis=1)
    values, errors = [], []
    for channel in range(2):
        value, error = _robust_slope(
            r, seen.outward_N2[:, channel], seen.weight_N2[:, channel], seen.group_N
        )
        values.append(value * HD_HALF_PX)
        errors.append(error * HD_HALF_PX)
    error_px = float(np.hypot(*errors))
    if error_px > WORST_PX:
        return None
    return Chromatic(
        values[0], values[1], squeeze=squeeze, error_px=round(error_px, 4), blocks=len(r)
    )


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

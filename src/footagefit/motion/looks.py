"""How a frame is looked at for motion: small, grey, in stops, its hole filled softly.

Here: looks, the codes that trackers read, and the curve in which pixels are resampled. Not here:
what moves between two looks (`homography.py`, `flow.py`).

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from footagefit.motion import spreading
from footagefit.signature import coordinates

TOE = 2.0**-7
_BEND = 2.0**-5  # light at which the resampling curve turns from a line into a logarithm


class Look(NamedTuple):
    """A frame, small.

    Attributes:
        stops_HW: Log2 of luminance, float32; soft where the hole is.
        hole_HW: True where there is no pixel, whole or in part.
        size: Rows and columns of the frame itself.
    """

    stops_HW: np.ndarray
    hole_HW: np.ndarray
    size: tuple[int, int]

    @property
    def empty(self) -> bool:
        """Whether hardly anything is there to be looked at."""
        return bool(self.hole_HW.mean() > 0.97)

    @property
    def scale(self) -> np.ndarray:
        """The homography from this look's pixels to the frame's."""
        return scaling((self.stops_HW.shape[0], self.stops_HW.shape[1]), self.size)


def look(plate_CHW: Tensor, hole_1HW: Tensor | None, *, long_px: int = 640) -> Look:
    """A frame as trackers see it.

    Args:
        plate_CHW: Scene-linear ACEScg.
        hole_1HW: Above 0 where there is no pixel.
        long_px: Longest side of what is looked at.
    """
    size = (int(plate_CHW.shape[-2]), int(plate_CHW.shape[-1]))
    small = small_size(size, long_px)
    luma = coordinates.luma(coordinates.channels_last(plate_CHW))
    luma = luma if np.isfinite(luma).all() else np.nan_to_num(luma, posinf=6e4, neginf=0.0)
    if hole_1HW is None:
        return Look(stops(shrunk(luma, small)), np.zeros(small, bool), size)
    hole = (hole_1HW[0] > 0).cpu().numpy()
    there = shrunk((~hole).astype(np.float32), small)
    light = shrunk(np.where(hole, 0.0, luma).astype(np.float32), small)
    gone = there < 0.98
    codes = stops(light / np.maximum(there, 0.02))
    filled = spreading.spread(codes[..., None], np.where(gone, 0.0, 1.0).astype(np.float32))
    return Look(np.where(gone, filled[..., 0], codes), gone, size)


def small_size(size: tuple[int, int], long_px: int) -> tuple[int, int]:
    """Rows and columns at most `long_px` long, aspect kept."""
    shrink = max(1.0, max(size) / long_px)
    return max(8, round(size[0] / shrink)), max(8, round(size[1] / shrink))


def shrunk(plane_HW: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane made small by its means."""
    import cv2

    if plane_HW.shape[:2] == size:
        return plane_HW
    return cv2.resize(plane_HW, size[::-1], interpolation=cv2.INTER_AREA)


def scaling(inner: tuple[int, int], outer: tuple[int, int]) -> np.ndarray:
    """The homography from pixels of one size of a frame to those of another (rows, columns)."""
    across, down = outer[1] / inner[1], outer[0] / inner[0]
    return np.array(
        [[across, 0.0, 0.5 * across - 0.5], [0.0, down, 0.5 * down - 0.5], [0.0, 0.0, 1.0]]
    )


def stops(luma_HW: np.ndarray) -> np.ndarray:
    """Log2 of light, flat where noise lives."""
    return coordinates.stops(luma_HW, toe=TOE).astype(np.float32)


def eight_bits(
    one_HW: np.ndarray, other_HW: np.ndarray, known_HW: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures in stops as codes of one scale, the other's exposure brought to the one's."""
    seen = one_HW if known_HW is None or not known_HW.any() else one_HW[known_HW]
    low, high = np.quantile(seen[:: max(1, seen.size // 20_000)], (0.005, 0.995))
    if high - low < 1.0:
        low, high = low - 0.5, high + 0.5
    apart = 0.0
    if known_HW is not None and known_HW.any():
        apart = float(np.median((one_HW - other_HW)[known_HW][:: max(1, seen.size // 20_000)]))
    codes = [
        ((picture - low) * (255.0 / (high - low))).clip(0, 255).round().astype(np.uint8)
        for picture in (one_HW, other_HW + apart)
    ]
    return codes[0], codes[1]


def bent(light: np.ndarray) -> np.ndarray:
    """Light on the curve it is resampled and compared on: a line near black, stops above.

    A cubic filter on light itself rings round highlights; negatives stay, for it is odd.
    """
    return np.arcsinh(light * np.float32(0.5 / _BEND)).astype(np.float32, copy=False)


def straight(codes: np.ndarray) -> np.ndarray:
    """Light again."""
    return (np.sinh(codes) * np.float32(2.0 * _BEND)).astype(np.float32, copy=False)


def tensor(picture_HWC: np.ndarray) -> Tensor:
    """A picture (H,W,C) as a tensor (C,H,W)."""
    return torch.from_numpy(np.ascontiguousarray(picture_HWC.transpose(2, 0, 1), np.float32))

"""Places behind the lens: x right, y up, r = 1 at the desqueezed half-diagonal.

Here: from pixels to lens coordinates and back, and reading a picture at such places. Not here:
what a lens does there.

Shapes: T frames, C channels, H rows, W columns, N points.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

HD_HALF_PX = math.hypot(1920, 1080) / 2  # half-diagonal of an HD frame: errors are told in its px


def half_diagonal_px(size: tuple[int, int], *, squeeze: float = 1.0) -> float:
    """Desqueezed pixels from the middle of a frame (rows, columns) to its corner."""
    return math.hypot(size[0], size[1] * squeeze) / 2


def grid(size: tuple[int, int], *, squeeze: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """X of every column (1,W) and y of every row (H,1), at pixel centres."""
    half = half_diagonal_px(size, squeeze=squeeze)
    x = (np.arange(size[1]) + 0.5 - size[1] / 2) * squeeze / half
    y = -(np.arange(size[0]) + 0.5 - size[0] / 2) / half
    return x[None].astype(np.float32), y[:, None].astype(np.float32)


def to_lens(at_N2: np.ndarray, size: tuple[int, int], *, squeeze: float = 1.0) -> np.ndarray:
    """Lens coordinates of pixel positions (N,2): x, y down, the first pixel's centre at 0, 0."""
    half = half_diagonal_px(size, squeeze=squeeze)
    x = (at_N2[:, 0] + 0.5 - size[1] / 2) * squeeze / half
    y = -(at_N2[:, 1] + 0.5 - size[0] / 2) / half
    return np.stack([x, y], 1)


def of_lens(at_N2: np.ndarray, size: tuple[int, int], *, squeeze: float = 1.0) -> np.ndarray:
    """Pixel positions (N,2) of lens coordinates: what `to_lens` does, undone."""
    half = half_diagonal_px(size, squeeze=squeeze)
    x = at_N2[:, 0] * half / squeeze - 0.5 + size[1] / 2
    y = -at_N2[:, 1] * half - 0.5 + size[0] / 2
    return np.stack([x, y], 1)


def read_at(picture_CHW: Tensor, x_HW: np.ndarray, y_HW: np.ndarray, *, squeeze: float = 1.0,
            mode: str = "bicubic") -> Tensor:  # fmt: skip
    """A picture read at lens coordinates; beyond its border its last pixels go on.

    Args:
        picture_CHW: What is read.
        x_HW: Where, to the right.
        y_HW: Where, up.
        squeeze: Anamorphic squeeze of the picture.
        mode: `bicubic`, `bilinear` or `nearest`.
    """
    height, width = picture_CHW.shape[-2:]
    half = half_diagonal_px((height, width), squeeze=squeeze)
    across = torch.from_numpy(np.ascontiguousarray(x_HW * (2 * half / (width * squeeze))))
    down = torch.from_numpy(np.ascontiguousarray(-y_HW * (2 * half / height)))
    place = torch.stack([across, down], -1)[None].to(picture_CHW)
    read = F.grid_sample(
        picture_CHW[None], place, mode=mode, padding_mode="border", align_corners=False
    )
    return read[0]


def luma(rgb_HWC: np.ndarray) -> np.ndarray:
    """Luminance (H,W) of ACEScg pixels."""
    return rgb_HWC @ np.array([0.27222872, 0.67408177, 0.05368952], rgb_HWC.dtype)


def stops(light: np.ndarray, *, toe: float = 2.0**-9) -> np.ndarray:
    """Log2 of light, flat below the toe, where noise lives."""
    return np.log2(np.maximum(light, 0.0) + toe)


def tones(luma_HW: np.ndarray) -> np.ndarray:
    """Light as the eye sees it: a step of 1 is a stop at grey; edges stay where they are in light.

    In plain stops a blurred edge moves towards its dark side, each way round another way.
    """
    return 3.6 * (np.maximum(luma_HW, 0.0) / 0.18) ** 0.4


def channels_last(frame_CHW: Tensor) -> np.ndarray:
    """A frame as a float32 array (H,W,3)."""
    return np.ascontiguousarray(frame_CHW.detach().cpu().permute(1, 2, 0).numpy(), np.float32)

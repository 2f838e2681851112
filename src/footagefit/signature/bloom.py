"""Bloom and halation: the share of light that spreads into a wide halo.

Here: the model, on and off (it is linear and nearly the identity, so that a few steps of
fixed-point iteration take it off), and its reading where highlights stand before the dark. Not
here: the sharp core of the lens's spread (`sharpness.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_LONG_PX = 240
_LEAST_CONTRAST = 16.0  # halo light over the darkest surroundings that makes it readable
_NEAR = 0.05
_STEPS = 14


@dataclass(frozen=True)
class Bloom:
    """A wide halo.

    Attributes:
        share: Of the light, 0..1.
        width: Sigma of the halo as a share of the picture's width.
        error: Standard error of the share; None where not measured.
        frames: Frames with highlights before the dark.
    """

    share: float = 0.0
    width: float = 0.035
    error: float | None = None
    frames: int = 0


def apply(frame_CHW: Tensor, lens: Bloom) -> Tensor:
    """Spread a share of the light."""
    return frame_CHW * (1 - lens.share) + _halo(frame_CHW, lens.width) * lens.share


def remove(frame_CHW: Tensor, lens: Bloom) -> Tensor:
    """Gather the halo's light back."""
    out = frame_CHW
    for _ in range(_STEPS):
        out = out + (frame_CHW - apply(out, lens))
    return out


def _halo(frame_CHW: Tensor, width: float) -> Tensor:
    """A wide Gaussian, made small, where it is cheap."""
    height, full = int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1])
    shrink = max(1, min(int(width * full / 4), min(height, full) // 8))
    size = (max(4, -(-height // shrink)), max(4, -(-full // shrink)))
    small = F.interpolate(frame_CHW[None], size=size, mode="area")
    sigma = width * size[1]
    reach = min(int(np.ceil(3 * sigma)), min(size) - 1)
    at = torch.arange(-reach, reach + 1, dtype=frame_CHW.dtype)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(frame_CHW)
    count = frame_CHW.shape[0]
    padded = F.pad(small, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel.expand(count, 1, 1, -1), groups=count)
    soft = F.conv2d(across, kernel[:, None].expand(count, 1, -1, 1), groups=count)
    return F.interpolate(soft, size=(height, full), mode="bicubic", align_corners=False)[0]


def seen(luma_HW: np.ndarray, *, width: float = 0.035) -> float | None:
    """The share in one frame, from its darkest pixels round highlights; None without such.

    Blacks cannot be darker than the halo that falls on them: the lower edge of the light, over
    the halo that all of it would make, is the share, or more where nothing there is black. So
    the least over many frames counts.
    """
    import cv2

    scale = _LONG_PX / max(luma_HW.shape)
    size = (round(luma_HW.shape[1] * scale), round(luma_HW.shape[0] * scale))
    small = cv2.resize(luma_HW.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    halo = cv2.GaussianBlur(small, (0, 0), width * size[0], borderType=cv2.BORDER_REPLICATE)
    around = halo / np.maximum(small, 1e-5)
    near = halo > _NEAR * float(halo.max())  # further out other things decide
    dark = np.quantile(around[near], 0.99)
    if dark < _LEAST_CONTRAST:
        return None
    return float(1.0 / dark)


def fit(shares: Sequence[float]) -> Bloom | None:
    """The least share over frames with highlights, or None where there are too few."""
    if len(shares) < 3:
        return None
    low = np.sort(np.array(shares))[: max(3, len(shares) // 5)]
    value, error = float(low[0]), float(max(low.std(), 0.2 * low[0]))
    return Bloom(value, error=round(error, 5), frames=len(shares))

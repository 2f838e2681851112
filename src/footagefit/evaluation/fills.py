"""What fills a hole without us: classical inpainting in space, holding and blending in time.

What belongs here: baselines for clean-up and extension that need no training. What does not:
matching (`baselines.py`).

Pictures are (3,H,W) scene-linear ACEScg, masks (1,H,W), 1 where pixels are missing. Outside the
mask every one gives the plate back to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import WrongValue
from footagefit.evaluation.metrics import LOG_TOE

Way = Literal["telea", "navier-stokes"]
_TOP = 8.0  # stops above 1 that inpainting keeps


def inpainted(plate: Tensor, mask: Tensor, *, way: Way = "telea", radius_px: float = 5.0) -> Tensor:
    """OpenCV's inpainting (Telea 2004; Bertalmio et al. 2001) of 16-bit log codes.

    Args:
        plate: Whatever is under the mask is not looked at.
        mask: 1 where pixels are missing.
        way: Which of the two.
        radius_px: Of what is looked at around a missing pixel.
    """
    import cv2

    low = float(np.log2(LOG_TOE))
    codes = (torch.log2(plate.clamp_min(0.0) + LOG_TOE) - low) / (_TOP - low)
    flags = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}
    if way not in flags:
        raise WrongValue(f"way: expected telea or navier-stokes, got {way!r}")
    hole = (mask[0] >= 0.5).numpy().astype(np.uint8)
    filled = [
        cv2.inpaint(
            (c.clamp(0.0, 1.0) * 65535.0).round().numpy().astype(np.uint16),
            hole,
            radius_px,
            flags[way],
        )
        for c in codes
    ]
    made = torch.from_numpy(np.stack(filled).astype(np.float32) / 65535.0)
    light = torch.exp2(made * (_TOP - low) + low) - LOG_TOE
    return torch.where(mask > 0, plate + mask * (light - plate), plate)


def held(frames: Mapping[int, Tensor], number: int) -> Tensor:
    """A missing frame as the nearest that is there; of two as near, the one before."""
    return frames[min(_there(frames), key=lambda n: (abs(n - number), n))]


def blended(frames: Mapping[int, Tensor], number: int) -> Tensor:
    """A missing frame as the blend of its neighbours, weighted by how near they are, in light."""
    before = [n for n in _there(frames) if n <= number]
    after = [n for n in frames if n >= number]
    if not before or not after:
        return held(frames, number)
    low, high = max(before), min(after)
    if low == high:
        return frames[low]
    part = (number - low) / (high - low)
    return frames[low] * (1.0 - part) + frames[high] * part


def _there(frames: Mapping[int, Tensor]) -> list[int]:
    if not frames:
        raise WrongValue("no frame is there to hold or blend")
    return sorted(frames)

"""Grain of unknown seed, taken off: what is as grain would be goes, what is more stays.

Here: shrinking of wavelet detail by what the measured grain puts into it. Not here: measuring,
making grain.

An undecimated spline wavelet (Starck and Murtagh 2006) and a local Wiener rule (Mihcak 1999): no
blocks, no ringing, the same everywhere. How much uneven grain a place holds nobody knows: there
power is lessened by the mean, no more, so that grain put on again makes up what went. Plate less
the clean frame is the plate's own grain: put back, it makes the plate again to the bit of a float.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.signature.grain import Grain
from footagefit.signature.grain_synthesis import Synthesis, power_at

_SCALES = 4
_FIRM = (1.7, 1.5, 1.4, 1.3)  # how much above grain's own power detail has to be
_SIDE = 256


class Removal:
    """Takes a measured grain off frames.

    Args:
        grain: What the frames' grain measures as.
    """

    def __init__(self, grain: Grain) -> None:
        self._made = Synthesis(grain)
        even = grain.uneven is None
        self._firm, self._power = (_FIRM, 1.0) if even else ((1.0,) * _SCALES, 0.5)
        self._shares = [[_share(grain, c, scale) for c in range(3)] for scale in range(_SCALES)]

    def remove(self, frame_CHW: Tensor) -> Tensor:
        """The frame without grain."""
        light = frame_CHW.to(torch.float32)
        level, out = light, torch.zeros_like(light)
        deviation = self._made.deviation(_spread(_spread(light, 1), 2)) ** 2
        for scale in range(_SCALES):
            softer = _spread(level, 2**scale)
            detail = level - softer
            share = torch.tensor(self._shares[scale]).view(3, 1, 1)
            noise = deviation * share * self._firm[scale]
            power = _near(detail * detail, 2 ** min(scale, 2))
            keep = (1 - noise / power.clamp_min(1e-20)).clamp_min(0.0)
            out = out + detail * keep.pow(self._power)
            level = softer
        return out + level


def _spread(light_CHW: Tensor, step: int) -> Tensor:
    """A spline blur whose taps lie `step` pixels apart."""
    out = light_CHW
    mode = "reflect" if min(out.shape[-2:]) > 2 * step else "replicate"
    for axis, pad in ((2, (2 * step, 2 * step, 0, 0)), (1, (0, 0, 2 * step, 2 * step))):
        wide = F.pad(out[None], pad, mode=mode)[0]
        count = out.shape[axis]
        far, near, here, after, beyond = (wide.narrow(axis, k * step, count) for k in range(5))
        # Slices, for a convolution with few taps far apart takes many times as long.
        out = (far + beyond).mul_(1 / 16).add_(near + after, alpha=4 / 16).add_(here, alpha=6 / 16)
    return out


def _near(power_CHW: Tensor, reach: int) -> Tensor:
    """The mean round each pixel, `2 * reach` to each side."""
    import cv2

    side = (4 * reach + 1,) * 2
    planes = [
        cv2.boxFilter(p.numpy(), -1, side, borderType=cv2.BORDER_REFLECT_101) for p in power_CHW
    ]
    return torch.from_numpy(np.stack(planes)).clamp_min_(0.0)


def _share(grain: Grain, channel: int, scale: int) -> float:
    """The share of the grain's variance that lies in a scale's detail."""
    power = power_at(grain, channel, _SIDE)
    down = np.fft.fftfreq(_SIDE)[:, None] * 2 * np.pi
    across = np.fft.rfftfreq(_SIDE)[None] * 2 * np.pi
    passed = np.ones_like(power)
    for s in range(scale):
        passed = passed * _response(down, 2**s) * _response(across, 2**s)
    detail = passed * (1 - _response(down, 2**scale) * _response(across, 2**scale))
    weight = np.full(across.shape[1], 2.0)
    weight[0] = weight[-1] = 1.0
    return float((power * detail**2 * weight).sum() / (power * weight).sum())


def _response(angle: np.ndarray, step: int) -> np.ndarray:
    return (6 + 8 * np.cos(angle * step) + 2 * np.cos(2 * angle * step)) / 16

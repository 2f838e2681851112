"""Grain of unknown seed, taken off: what is as grain would be goes, what is more stays.

Here: shrinking of wavelet detail by what the measured grain puts into it. Not here: measuring,
making grain.

An undecimated spline wavelet (Starck and Murtagh 2006) and a local Wiener rule (Mihcak 1999): no
blocks, no ringing, the same everywhere. Plate less the clean frame is the plate's own grain: put
back, it makes the plate again to the bit of a float.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.signature.grain import Grain
from footagefit.signature.grain_synthesis import Synthesis, power_at

_SCALES = 4
_KERNEL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
_FIRM = (1.7, 1.5, 1.4, 1.3)  # how much above grain's own power detail has to be
_SIDE = 256


class Removal:
    """Takes a measured grain off frames.

    Args:
        grain: What the frames' grain measures as.
    """

    def __init__(self, grain: Grain) -> None:
        self._made = Synthesis(grain)
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
            noise = deviation * share * _FIRM[scale]
            reach = 2 ** min(scale, 2)
            power = F.avg_pool2d(
                F.pad((detail * detail)[None], (2 * reach,) * 4, mode="reflect"),
                4 * reach + 1, stride=1,
            )[0]  # fmt: skip
            keep = (1 - noise / power.clamp_min(1e-20)).clamp_min(0.0)
            out = out + detail * keep
            level = softer
        return out + level


def _spread(light_CHW: Tensor, step: int) -> Tensor:
    """A spline blur whose taps lie `step` pixels apart."""
    count = light_CHW.shape[0]
    pad = 2 * step
    height, width = light_CHW.shape[-2:]
    mode = "reflect" if min(height, width) > pad else "replicate"
    wide = F.pad(light_CHW[None], (pad,) * 4, mode=mode)
    kernel = _KERNEL.to(light_CHW)
    across = F.conv2d(wide, kernel.expand(count, 1, 1, 5), groups=count, dilation=(1, step))
    return F.conv2d(across, kernel[:, None].expand(count, 1, 5, 1), groups=count,
                    dilation=(step, 1))[0]  # fmt: skip


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

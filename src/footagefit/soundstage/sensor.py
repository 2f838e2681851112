"""A camera's answer to light: exposure, white balance, contrast, grain, clipping, in that order."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from footagefit.soundstage.lights import light_rgb
from footagefit.soundstage.specs import SensorSpec

GREY = 0.18
_LUMA = (0.27222872, 0.67408177, 0.05368952)  # ACEScg


def expose(image_CHW: Tensor, spec: SensorSpec, *, seed: int, frame: int) -> Tensor:
    """The picture a sensor records, linear ACEScg; grain is a pure function of (seed, frame)."""
    gain = torch.tensor(white_gain(spec), dtype=image_CHW.dtype, device=image_CHW.device)
    out = image_CHW * gain[:, None, None] * 2.0**spec.exposure_ev
    if spec.contrast != 1.0:
        out = GREY * (out.clamp_min(0) / GREY) ** spec.contrast
    if spec.grain > 0 or spec.read_noise > 0:
        out = out + grain(out, spec, seed=seed, frame=frame)
    return out.clamp_max(spec.clip)


def white_gain(spec: SensorSpec) -> tuple[float, ...]:
    """Gains that turn light of `white_k` into R=G=B, luminance kept."""
    light = light_rgb(spec.white_k, spec.tint_duv)
    gains = [1.0 / c for c in light]
    level = sum(w * g for w, g in zip(_LUMA, gains, strict=True))
    return tuple(g / level for g in gains)


def grain_deviation(level: Tensor, spec: SensorSpec) -> Tensor:
    """Standard deviation of the grain at a linear level: shot noise over a floor."""
    return (spec.grain**2 * GREY * level.clamp_min(0) + spec.read_noise**2).sqrt()


def grain(image_CHW: Tensor, spec: SensorSpec, *, seed: int, frame: int) -> Tensor:
    """Luma-dependent noise, correlated in space, partly shared by the channels."""
    channels, height, width = image_CHW.shape
    draw = torch.Generator().manual_seed((seed * 1_000_003 + frame * 7919 + 17) % 2**62)
    own = torch.randn(channels, height, width, generator=draw)
    shared = torch.randn(1, height, width, generator=draw)
    share = spec.grain_chroma
    noise = (own * math.sqrt(share) + shared * math.sqrt(1 - share)).to(image_CHW.device)
    noise = _correlated(noise, spec.grain_size_px)
    return noise * grain_deviation(image_CHW, spec)


def _correlated(noise: Tensor, sigma: float) -> Tensor:
    """Gaussian correlation with variance kept; wraps at the borders so that it is even there."""
    if sigma < 0.1:
        return noise
    reach = math.ceil(3 * sigma)
    x = torch.arange(-reach, reach + 1, dtype=noise.dtype, device=noise.device)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = kernel / kernel.square().sum().sqrt()  # white noise keeps its variance
    channels = noise.shape[0]
    padded = functional.pad(noise[None], (reach,) * 4, mode="circular")
    across = functional.conv2d(padded, kernel.expand(channels, 1, 1, -1), groups=channels)
    return functional.conv2d(across, kernel[:, None].expand(channels, 1, -1, 1), groups=channels)[0]

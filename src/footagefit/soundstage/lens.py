"""What glass does to light: distortion, fringing, blur, vignette, bloom. Linear, so it adds up.

    picture = through(clean, LensSpec(k1=-0.08, vignette=0.4))

Sizes in pixels are meant for an HD frame (1920 wide) and scale with the picture.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from footagefit.soundstage.specs import LensSpec

HD_WIDTH = 1920.0
_RINGS = 4  # blur levels from centre to corner


def radius(size_px: tuple[int, int], *, squeeze: float = 1.0,
           device: torch.device | str = "cpu") -> tuple[Tensor, ...]:  # fmt: skip
    """Coordinates x right, y up with r = 1 at the half-diagonal, and r squared; each (H,W).

    A squeezed picture's are those of what it shows: its pixels are `squeeze` times as wide as tall.
    """
    height, width = size_px
    half = math.hypot(height, width * squeeze) / 2
    x = (torch.arange(width, device=device) + 0.5 - width / 2) * squeeze / half
    y = -(torch.arange(height, device=device) + 0.5 - height / 2) / half
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return columns, rows, columns**2 + rows**2


def undistorted_radius(distorted: Tensor, k1: float, k2: float) -> Tensor:
    """r_u for r_d = r_u (1 + k1 r_u^2 + k2 r_u^4), by Newton's method."""
    r = distorted.clone()
    for _ in range(12):
        r2 = r * r
        value = r * (1 + k1 * r2 + k2 * r2 * r2) - distorted
        r = r - value / (1 + 3 * k1 * r2 + 5 * k2 * r2 * r2).clamp_min(0.05)
    return r


def read_at(size_px: tuple[int, int], spec: LensSpec, *, channel: int = 1,
            device: torch.device | str = "cpu") -> Tensor:  # fmt: skip
    """Where each pixel of the lens's picture comes from in the pinhole's (H,W,2), in -1..1."""
    bent = LensSpec(squeeze=spec.squeeze, k1=spec.k1, k2=spec.k2, fringe_px=spec.fringe_px)
    return _read_at(size_px, bent, channel, str(device))


@lru_cache(maxsize=6)  # all frames of a take read alike
def _read_at(size_px: tuple[int, int], spec: LensSpec, channel: int, device: str) -> Tensor:
    height, width = size_px
    wide = width * spec.squeeze
    x, y, r2 = radius(size_px, squeeze=spec.squeeze, device=device)
    r = r2.sqrt().clamp_min(1e-9)
    corner = HD_WIDTH / 2 * math.hypot(spec.squeeze, height / width)
    fringe = spec.fringe_px / corner * (1 - channel)
    source = undistorted_radius(r / (1 + fringe), spec.k1, spec.k2)
    scale = source / r
    half = math.hypot(height, wide)
    return torch.stack([x * scale * half / wide, -y * scale * half / height], -1)


def vignette_gain(size_px: tuple[int, int], spec: LensSpec, *,
                  device: torch.device | str = "cpu") -> Tensor:  # fmt: skip
    """Gain by pixel (H,W): 1 in the middle, 1 - vignette in the corner."""
    _, _, r2 = radius(size_px, squeeze=spec.squeeze, device=device)
    return 1 - spec.vignette * (0.8 * r2 + 0.2 * r2 * r2)


def margin_px(size_px: tuple[int, int], spec: LensSpec) -> int:
    """How far beyond the picture's edges the lens reads, in pixels."""
    if not (spec.k1 or spec.k2 or spec.fringe_px):
        return 0
    reads = [read_at(size_px, spec, channel=c).abs().amax((0, 1)) for c in (0, 2)]
    over = torch.stack(reads).amax(0) - 1
    height, width = size_px
    return max(0, math.ceil(max(float(over[0]) * width, float(over[1]) * height) / 2) + 2)


def through(picture: Tensor, spec: LensSpec, *, margin: int = 0) -> Tensor:
    """A pinhole picture (C,H,W) as the lens gives it; linear in the picture.

    Args:
        picture: With `margin` pixels more on every side than what is to come out.
        spec: The lens.
        margin: See `margin_px`.
    """
    out = warped(picture, spec, margin=margin)
    out = _blurred(out, spec)
    if spec.defocus_px > 0:
        out = _disc(out, spec.defocus_px * picture.shape[-1] / HD_WIDTH, spec.squeeze)
    if spec.bloom > 0:
        halo = _gauss(out, 0.035 * out.shape[-1])
        out = out * (1 - spec.bloom) + halo * spec.bloom
    return out * vignette_gain(_size(out), spec, device=picture.device)


def warped(picture: Tensor, spec: LensSpec, *, mode: str = "bicubic", margin: int = 0) -> Tensor:
    """Distortion and fringing alone."""
    height, width = picture.shape[-2] - 2 * margin, picture.shape[-1] - 2 * margin
    if not (spec.k1 or spec.k2 or spec.fringe_px):
        return picture
    inner = torch.tensor([width / picture.shape[-1], height / picture.shape[-2]])
    rows = []
    for channel in range(picture.shape[0]):
        which = channel if picture.shape[0] == 3 and mode == "bicubic" else 1
        at = read_at((height, width), spec, channel=which, device=picture.device)
        at = at * inner.to(picture.device)
        rows.append(
            functional.grid_sample(
                picture[None, channel : channel + 1], at[None].to(picture.dtype), mode=mode,
                padding_mode="border", align_corners=False,
            )[0]
        )  # fmt: skip
    return torch.cat(rows)


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[-2]), int(picture.shape[-1])


def _blurred(picture: Tensor, spec: LensSpec) -> Tensor:
    """Sharp in the middle, softer towards the corner: blends of a few blurs by radius."""
    if spec.blur_centre_px <= 0 and spec.blur_corner_px <= 0:
        return picture
    scale = picture.shape[-1] / HD_WIDTH
    low, high = spec.blur_centre_px * scale, spec.blur_corner_px * scale
    if abs(high - low) < 1e-3:
        return _gauss(picture, low)
    _, _, r2 = radius(_size(picture), squeeze=spec.squeeze, device=picture.device)
    place = r2.clamp(0, 1) * (_RINGS - 1)
    out = torch.zeros_like(picture)
    for ring in range(_RINGS):
        share = (1 - (place - ring).abs()).clamp_min(0)
        out = out + _gauss(picture, low + (high - low) * ring / (_RINGS - 1)) * share
    return out


def _gauss(picture: Tensor, sigma: float) -> Tensor:
    if sigma < 0.05:
        return picture
    reach = max(1, math.ceil(3.5 * sigma))
    x = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    # Integrated over each pixel, so that small sigmas keep their width.
    edge = math.sqrt(2) * sigma
    kernel = torch.erf((x + 0.5) / edge) - torch.erf((x - 0.5) / edge)
    kernel = kernel / kernel.sum()
    channels = picture.shape[0]
    padded = functional.pad(picture[None], (reach, reach, reach, reach), mode="replicate")
    across = functional.conv2d(padded, kernel.expand(channels, 1, 1, -1), groups=channels)
    return functional.conv2d(across, kernel[:, None].expand(channels, 1, -1, 1), groups=channels)[0]


def _disc(picture: Tensor, radius_px: float, squeeze: float) -> Tensor:
    """An out-of-focus disc with a soft edge; anamorphic ones stand upright once desqueezed.

    Across, focal length and pupil are both shorter by the squeeze, so that the disc is by its
    square; what desqueezes the picture makes up for one of them.
    """
    if radius_px < 0.3:
        return picture
    reach = math.ceil(radius_px + 0.5)
    x = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    far = (x[:, None] ** 2 + (x[None] * squeeze**2) ** 2).sqrt()
    kernel = (radius_px + 0.5 - far).clamp(0, 1)
    kernel = (kernel / kernel.sum()).expand(picture.shape[0], 1, -1, -1)
    padded = functional.pad(picture[None], (reach,) * 4, mode="replicate")
    return functional.conv2d(padded, kernel, groups=picture.shape[0])[0]

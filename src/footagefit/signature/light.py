"""Light read off ordinary footage: where the key stands, how soft, how strong, how sure that is.

    found = estimate(frames_TCHW)          # one a frame
    shot = together(found)                 # of a shot or a set-up

The one light estimator: whoever needs the light of a plate asks here. Shipped weights were taught
on the soundstage (`training/estimator.py`); without them a plain fallback takes the subject for a
ball and says so by its confidence. Not here: charts and named balls, relighting.

Directions are in the frame's camera axes: +x image right, +y up, +z to the camera.
Shapes: T frames, B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import FootagefitWarning
from footagefit.footage.white import light_rgb
from footagefit.records import Light
from footagefit.signature.light_net import SIZE_PX, LightNet
from footagefit.signature.light_vector import LUMA
from footagefit.small_nets import loaded

WEIGHTS = Path(__file__).resolve().parent / "weights" / "light.safetensors"
_PLAIN_SURE = 0.0  # log concentration that the fallback claims: barely better than a guess


@dataclass(frozen=True)
class LightEstimate:
    """The light on a frame.

    Attributes:
        light: As DESIGN has it; direction, softness, key and fill are all set.
        confidence: 0 (a guess) to 1: the expected cosine between found and true direction.
        spread_deg: The error to expect of the direction.
        way: Unit vector to the key.
    """

    light: Light
    confidence: float
    spread_deg: float
    way: tuple[float, float, float]


def estimate(frames_TCHW: Tensor, *, mask_T1HW: Tensor | None = None) -> list[LightEstimate]:
    """The light on each frame.

    Args:
        frames_TCHW: Scene-linear ACEScg.
        mask_T1HW: The subject; all of the frame by default.
    """
    mask = torch.ones_like(frames_TCHW[:, :1]) if mask_T1HW is None else mask_T1HW
    with torch.no_grad():
        return [named(row) for row in raw(frames_TCHW, mask)]


def raw(plate_BCHW: Tensor, mask_B1HW: Tensor, *, net: LightNet | None = None) -> Tensor:
    """Lights as numbers (B,11): see `light_net.OUTPUTS`."""
    plate = F.adaptive_avg_pool2d(plate_BCHW.nan_to_num(0.0, 65504.0, 0.0), SIZE_PX)
    mask = F.adaptive_avg_pool2d(mask_B1HW, SIZE_PX)
    net = shipped() if net is None else net
    if net is None:
        return plain(plate, mask)
    both = net(torch.cat([plate, plate.flip(3)]), torch.cat([mask, mask.flip(3)]))[0]
    return _agreed(*both.chunk(2))


def _agreed(one: Tensor, mirrored: Tensor) -> Tensor:
    """What a picture and its mirror image say together; where they differ it is less sure."""
    turned = mirrored[:, :3] * mirrored.new_tensor([-1.0, 1.0, 1.0])
    total = one[:, 3:4].exp() * one[:, :3] + mirrored[:, 3:4].exp() * turned
    length = total.norm(dim=1, keepdim=True)
    rest = 0.5 * (one[:, 4:] + mirrored[:, 4:])
    sure = (0.5 * length).clamp_min(0.02).log()
    return torch.cat([total / length.clamp_min(1e-6), sure, rest], 1)


@lru_cache(maxsize=1)
def shipped() -> LightNet | None:
    """The net with its shipped weights, or None (said once) where they are not there."""
    if not WEIGHTS.is_file():
        line = f"{WEIGHTS.name} is not there: light is read as if the subject were a ball"
        warnings.warn(FootagefitWarning(line), stacklevel=3)
        return None
    return load(WEIGHTS)


def load(path: Path) -> LightNet:
    """A net with weights from a file, frozen."""
    return loaded(path, lambda width: LightNet(width=width))


def plain(plate: Tensor, mask: Tensor) -> Tensor:
    """Light as if the subject were a ball (B,11): least squares of luminance on its normals."""
    batch, _, height, width = plate.shape
    y = 1.0 - (torch.arange(height) + 0.5) * (2.0 / height)
    x = (torch.arange(width) + 0.5) * (2.0 / width) - 1.0
    y, x = torch.meshgrid(y, x, indexing="ij")
    z = (1.0 - x * x - y * y).clamp_min(0.0).sqrt()
    inside = ((z > 0.2).float() * mask[:, 0]).flatten(1) + 1e-4
    basis = torch.stack([x, y, z, torch.ones_like(x)], -1).view(1, -1, 4).to(plate)
    luma = (plate.clamp_min(0.0) * plate.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1).flatten(1)
    level = (luma * inside).sum(1, keepdim=True) / inside.sum(1, keepdim=True)
    luma = (luma / level.clamp_min(1e-6)).clamp_max(4.0)
    weighted = basis * inside[:, :, None]
    normal = weighted.transpose(1, 2) @ basis + 0.05 * torch.eye(4) * inside.sum(1)[:, None, None]
    found = torch.linalg.solve(normal, weighted.transpose(1, 2) @ luma[:, :, None])[:, :, 0]
    way = found[:, :3] + found.new_tensor([0.0, 0.1, 0.35])  # a ball says little of depth
    way = F.normalize(way, dim=1, eps=1e-4)
    mean = torch.log2(level / 0.18 + 1e-4).expand(batch, 3)
    sure = torch.full((batch, 1), _PLAIN_SURE)
    return torch.cat([way, sure, sure + 4.0, mean, mean - 2.0], 1)


def together(found: Sequence[LightEstimate]) -> LightEstimate:
    """One light of a shot: directions added up as sure as they are, the rest by medians."""
    sums = [sum(_concentration(e.confidence) * e.way[i] for e in found) for i in range(3)]
    length = math.sqrt(sum(s * s for s in sums))
    way = tuple(s / max(length, 1e-9) for s in sums)
    # Frames of a shot err together: more of them make the mean no surer than the usual frame.
    likely = length / len(found)
    confidence = _expected_cosine(likely)
    middle = {
        name: float(np.median([getattr(e.light, name) for e in found]))
        for name in ("softness_deg", "key_ev", "key_k", "key_tint_duv",
                     "fill_ev", "fill_k", "fill_tint_duv")
    }  # fmt: skip
    azimuth, elevation = angles(way)
    light = Light(azimuth_deg=azimuth, elevation_deg=elevation, **middle)
    return LightEstimate(light, confidence, _spread_deg(likely), way)  # pyright: ignore


def named(row: Tensor) -> LightEstimate:
    """A light from its numbers (11,)."""
    values = [float(v) for v in row]
    way = (values[0], values[1], values[2])
    sure = math.exp(values[3])
    azimuth, elevation = angles(way)
    key_ev, key_k, key_duv = of_stops(values[5:8])
    fill_ev, fill_k, fill_duv = of_stops(values[8:11])
    light = Light(
        azimuth_deg=azimuth, elevation_deg=elevation,
        softness_deg=min(180.0, max(0.5, 2.0 ** values[4])), key_ev=key_ev, key_k=key_k,
        key_tint_duv=key_duv, fill_ev=fill_ev, fill_k=fill_k, fill_tint_duv=fill_duv,
    )  # fmt: skip
    return LightEstimate(light, _expected_cosine(sure), _spread_deg(sure), way)


def angles(way: Sequence[float]) -> tuple[float, float]:
    """Azimuth and elevation in degrees of a unit vector."""
    height = math.asin(max(-1.0, min(1.0, way[1])))
    return math.degrees(math.atan2(way[0], way[2])), math.degrees(height)


def direction(azimuth_deg: float, elevation_deg: float) -> tuple[float, float, float]:
    """Unit vector to a light; the inverse of `angles`."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    flat = math.cos(elevation)
    return math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat


def of_stops(stops: Sequence[float]) -> tuple[float, float, float]:
    """Level, kelvin and tint of a light given as stops of R, G and B."""
    rgb = np.exp2(np.asarray(stops, np.float64))
    level = float(rgb @ np.asarray(LUMA))
    table, mireds, tints = _colours()
    chroma = np.log2(rgb[[0, 2]] / rgb[1])
    nearest = int(np.argmin(((table - chroma) ** 2).sum(1)))
    return math.log2(max(level, 1e-9)), 1e6 / float(mireds[nearest]), float(tints[nearest])


@lru_cache(maxsize=1)
def _colours() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log2 of R/G and B/G of lights over a grid of mired and tint."""
    rows = [
        (m, d, *light_rgb(round(1e6 / m, 2), d))
        for m in np.arange(70.0, 501.0, 2.5)
        for d in np.round(np.arange(-0.02, 0.0201, 0.002), 6)
    ]
    mired, tint, red, green, blue = np.array(rows, np.float64).T
    table = np.log2(np.stack([red / green, np.maximum(blue, 1e-4) / green], 1))
    return table, mired, tint


def _expected_cosine(sure: float) -> float:
    """Of a von Mises-Fisher distribution on the sphere (Mardia and Jupp 2000, eq. 9.3.9)."""
    return sure / 3.0 if sure < 1e-2 else 1.0 / math.tanh(sure) - 1.0 / sure


def _concentration(cosine: float) -> float:
    """The inverse of `_expected_cosine`, to a few percent (Banerjee et al. 2005, eq. 4.4)."""
    cosine = min(max(cosine, 0.0), 0.999)
    return cosine * (3.0 - cosine * cosine) / (1.0 - cosine * cosine)


def _spread_deg(sure: float) -> float:
    """The median angle off the mean direction."""
    # P(cos > c) = (e^k - e^(kc)) / (e^k - e^-k): solved for one half.
    inner = 0.5 * (1.0 + math.exp(-2.0 * sure))
    return math.degrees(math.acos(max(-1.0, min(1.0, 1.0 + math.log(inner) / max(sure, 1e-3)))))

"""Light from all round as a small map: skies with clouds, studios, and their harmonics.

    around = sky(rng, sun=way)          # (3,h,w) radiance by direction, mean of the upper half 1
    coefficients = harmonics(around)    # (9,3): what a surface of any normal receives, over pi

Maps are latitude by longitude: row 0 looks up (+y), column 0 looks along -z, +x a quarter on.
Diffuse light is exact to the second order (Ramamoorthi and Hanrahan 2001).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from footagefit.soundstage.noise import layered

# Over pi: how a cosine lobe weighs bands 0, 1, 2.
_BANDS = (1.0, 2.0 / 3.0, 0.25)


@lru_cache(maxsize=8)
def directions(size: tuple[int, int]) -> Tensor:
    """(h*w,3) unit directions of a map's pixels."""
    height, width = size
    polar = (torch.arange(height) + 0.5) / height * math.pi
    around = (torch.arange(width) + 0.5) / width * 2 * math.pi - math.pi
    a, b = torch.meshgrid(polar, around, indexing="ij")
    way = [torch.sin(a) * torch.sin(b), torch.cos(a), torch.sin(a) * torch.cos(b)]
    return torch.stack(way, -1).reshape(-1, 3)


def sky(rng: np.random.Generator, *, size: tuple[int, int] = (24, 48), cover: float | None = None,
        ground: tuple[float, float, float] = (0.22, 0.2, 0.17)) -> Tensor:  # fmt: skip
    """A day's sky (3,h,w): blue overhead, pale at the horizon, clouds, a dim ground.

    Args:
        rng: What it is drawn from.
        size: Of the map.
        cover: Share of cloud, 0..1; drawn where not given.
        ground: Radiance below the horizon, of the sky's mean.
    """
    cover = float(rng.random()) if cover is None else cover
    haze, seed = float(rng.uniform(0.1, 0.5)), float(rng.uniform(0, 40))
    way = directions(size)
    y = way[:, 1:2].clamp_min(0)
    zenith, horizon = torch.tensor([0.38, 0.62, 1.25]), torch.tensor([1.0, 1.12, 1.3])
    pale = torch.exp(-y / (0.12 + haze))
    clear = zenith + (horizon - zenith) * pale
    flat = way[:, [0, 2]] / (y + 0.22)
    at = torch.cat([flat * 1.3, torch.full_like(y, seed)], -1) + seed
    footprint = (1.3 * 2 * math.pi / size[1]) / (y[:, 0] + 0.22) ** 2 * 0.6
    value, _ = layered(at, footprint, 5)
    value = value[:, None]
    edge = 0.75 - 1.5 * cover
    share = ((value * 1.5 - edge) / 0.55).clamp(0, 1) * (y / 0.06).clamp(0, 1)
    body = 1.35 - 0.75 * ((value * 1.5 - edge) * 0.8).clamp(0, 1)
    cloud = body * torch.tensor([1.0, 1.0, 1.03])
    seen = clear + (cloud - clear) * share
    seen = torch.where(way[:, 1:2] > 0, seen, torch.tensor(ground).expand_as(seen))
    return _even(seen, way, size)


def plain(rng: np.random.Generator, *, size: tuple[int, int] = (24, 48)) -> Tensor:
    """A soft gradient (3,h,w) from a dim ground to the top."""
    way = directions(size)
    low = float(rng.uniform(0.05, 0.6))
    seen = low + (1 - low) * torch.sigmoid(way[:, 1:2] * 6.0)
    return _even(seen.expand(-1, 3), way, size)


def studio(rng: np.random.Generator, *, size: tuple[int, int] = (24, 48)) -> Tensor:
    """A dark studio (3,h,w) with one to four soft boxes and perhaps a lit floor."""
    way = directions(size)
    seen = torch.full((len(way), 3), float(rng.uniform(0.02, 0.25)))
    for _ in range(int(rng.integers(1, 5))):
        centre = torch.tensor(rng.standard_normal(3) * [1.0, 0.7, 1.0], dtype=torch.float32)
        centre = centre / centre.norm().clamp_min(1e-3)
        right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), centre)
        right = right / right.norm().clamp_min(1e-3)
        up = torch.linalg.cross(centre, right)
        ahead = (way @ centre).clamp_min(0.05)
        x, y = (way @ right) / ahead, (way @ up) / ahead
        half = rng.uniform(0.12, 0.7, 2)
        inside = torch.sigmoid((half[0] - x.abs()) * 14) * torch.sigmoid((half[1] - y.abs()) * 14)
        inside = inside * (way @ centre > 0.1)
        warm = torch.tensor(rng.uniform(0.85, 1.15, 3), dtype=torch.float32)
        seen = seen + (inside[:, None] * warm) * float(2.0 ** rng.uniform(1.0, 5.0))
    return _even(seen, way, size)


def _even(seen: Tensor, way: Tensor, size: tuple[int, int]) -> Tensor:
    """Scaled so that a card facing the sky receives 1."""
    lit = (way[:, 1:2].clamp_min(0) * _solid(size) * seen).sum(0).mean() / math.pi
    return (seen / lit.clamp_min(1e-3)).T.reshape(3, *size).contiguous()


@lru_cache(maxsize=8)
def _solid(size: tuple[int, int]) -> Tensor:
    """Solid angle of each pixel (h*w,1)."""
    height, width = size
    polar = (torch.arange(height) + 0.5) / height * math.pi
    area = torch.sin(polar) * (math.pi / height) * (2 * math.pi / width)
    return area[:, None].expand(height, width).reshape(-1, 1)


def basis(way: Tensor) -> Tensor:
    """The nine real harmonics of order 0 to 2 at unit directions (...,3)."""
    return torch.stack(_terms(*way.unbind(-1)), -1)


def _terms(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    return (
        0.282095 * torch.ones_like(x), 0.488603 * y, 0.488603 * z, 0.488603 * x,
        1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1), 1.092548 * x * z,
        0.546274 * (x * x - y * y),
    )  # fmt: skip


def harmonics(around: Tensor) -> Tensor:
    """(9,3) coefficients of the light that surfaces receive over pi, of a map (3,h,w)."""
    size = (around.shape[1], around.shape[2])
    values = around.reshape(3, -1).T * _solid(size)
    projected = torch.matmul(basis(directions(size)).T, values)
    bands = torch.tensor([_BANDS[0]] + [_BANDS[1]] * 3 + [_BANDS[2]] * 5)
    return projected * bands[:, None]


def received(coefficients: Tensor, normal: Tensor) -> Tensor:
    """(B,3,N) what surfaces of normals (B,3,N) receive over pi, from (B,9,3)."""
    terms = torch.stack(_terms(*normal.unbind(1)), 1)  # (B,9,N)
    return torch.matmul(coefficients.transpose(1, 2), terms).clamp_min(0)


def seen_along(around: Tensor, way: Tensor) -> Tensor:
    """(B,3,N) radiance of maps (B,3,h,w) along unit directions (B,3,N)."""
    x, y, z = way.unbind(1)
    u = torch.atan2(x, z) / math.pi
    v = torch.acos(y.clamp(-1, 1)) / math.pi * 2 - 1
    wide = torch.cat([around[..., -1:], around, around[..., :1]], -1)
    width = around.shape[-1]
    at = torch.stack([u * width / (width + 2), v], -1)[:, None]
    values = functional.grid_sample(
        wide, at, mode="bilinear", padding_mode="border", align_corners=False
    )
    return values[:, :, 0]

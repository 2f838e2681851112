"""Small squares of a picture, and which objects matter to each: what is far away costs nothing.

Rays run tile by tile: N = T tiles of `RAYS` each. `near` turns "which object matters to which tile"
into short padded lists, a few tiles at a time. Leaving out what has no effect changes no bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import torch
from torch import Tensor

from footagefit.soundstage.shapes import applied, dots, unit

SIDE = 16
RAYS = SIDE * SIDE
_AT_ONCE = 1 << 17  # rays by objects: what is worked on together stays in the caches


def padded(size: int) -> int:
    """The next multiple of a tile's side."""
    return -(-size // SIDE) * SIDE


def into_tiles(picture: Tensor) -> Tensor:
    """(..., H, W, C) with H, W multiples of a side, to rays (..., N, C) in tile order."""
    *lead, height, width, count = picture.shape
    split = picture.reshape(*lead, height // SIDE, SIDE, width // SIDE, SIDE, count)
    return split.transpose(-4, -3).reshape(*lead, height * width, count)


def from_tiles(rays: Tensor, size_px: tuple[int, int]) -> Tensor:
    """The inverse: (B,N,C) to (B,C,H,W), the padding cut off."""
    height, width = size_px
    rows, columns = padded(height) // SIDE, padded(width) // SIDE
    split = rays.reshape(rays.shape[0], rows, columns, SIDE, SIDE, rays.shape[-1])
    whole = split.permute(0, 5, 1, 3, 2, 4).reshape(
        rays.shape[0], rays.shape[-1], rows * SIDE, columns * SIDE
    )
    return whole[..., :height, :width]


def near(matters: Tensor, rays: int = RAYS) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Tiles with about as many objects: (g,) tiles, (g,L) their objects, (g,L) whether real.

    Args:
        matters: (B,T,K) whether an object matters to a tile. Objects are numbered b K + k, tiles
            b T + t.
        rays: Of a tile.
    """
    batch, tiles, count = matters.shape
    flat = matters.reshape(batch * tiles, count)
    many, rows = flat.sum(1).sort(stable=True)
    counts = many.tolist()
    order = flat[rows].to(torch.uint8).sort(dim=1, descending=True, stable=True)
    index = order.indices + (rows // tiles * count)[:, None]
    begin, end = bisect_right(counts, 0), len(counts)
    while begin < end:
        stop = begin + 1
        while stop < end and (stop + 1 - begin) * counts[stop] * rays <= _AT_ONCE:
            stop += 1
        longest = counts[stop - 1]
        yield rows[begin:stop], index[begin:stop, :longest], order.values[begin:stop, :longest] > 0
        begin = stop


def in_sight(way: Tensor, away: Tensor, radius: Tensor) -> Tensor:
    """(B,T,K): whether a ball is seen by any ray of a tile.

    Args:
        way: (B,T,S,3) unit directions of rays that start at one place.
        away: (B,K,3) from that place to each ball's middle.
        radius: (B,K) of the balls.
    """
    axis = unit(way.mean(2))
    half = torch.acos(dots(way, axis[:, :, None]).amin(2).clamp(-1, 1))  # (B,T)
    far = dots(away, away).sqrt().clamp_min(1e-6)  # (B,K)
    wide = torch.asin((radius / far).clamp_max(1.0))
    angle = torch.acos((torch.matmul(axis, away.transpose(1, 2)) / far[:, None]).clamp(-1, 1))
    inside = (far <= radius)[:, None]
    return inside | (angle <= half[:, :, None] + wide[:, None] + 1e-3)


def meets(way: Tensor, away: Tensor, extent: Tensor, more: Tensor) -> Tensor:
    """(B,T,K): whether any ray of a tile can come as near an ellipsoid as `more`.

    A tile's rays are in a cone; the ellipsoid's own reach towards the cone's axis tells.

    Args:
        way: (B,T,S,3) unit directions of rays that start at one place.
        away: (B,K,3) from that place to each middle.
        extent: (B,K,3,3) see `shapes.spans`.
        more: (B,K) metres.
    """
    axis = unit(way.mean(2))
    cosine = dots(way, axis[:, :, None]).amin(2).clamp(0.02, 1)
    tangent = ((1 - cosine * cosine).sqrt() / cosine + 1e-4)[..., None]  # (B,T,1)
    depth = torch.matmul(axis, away.transpose(1, 2))  # (B,T,K)
    side = away[:, None] - depth[..., None] * axis[:, :, None]
    apart = dots(side, side).sqrt()
    side = side / apart.clamp_min(1e-6)[..., None]
    reach = dots(applied(extent[:, None], side), side).clamp_min(0).sqrt()
    last = (depth + extent.diagonal(dim1=-2, dim2=-1).sum(-1).sqrt()[:, None]).clamp_min(0)
    return (last > 0) & (apart - reach <= tangent * last + more[:, None])


def balls(point: Tensor, hit: Tensor) -> tuple[Tensor, Tensor]:
    """Middle (B,T,3) and radius (B,T) of what each tile's points (B,N,3) span, where they hit."""
    split = point.reshape(point.shape[0], -1, RAYS, 3)
    seen = hit.reshape(point.shape[0], -1, RAYS, 1)
    low = torch.where(seen, split, split.new_tensor(1e6)).amin(2)
    high = torch.where(seen, split, split.new_tensor(-1e6)).amax(2)
    radius = (high - low).norm(dim=-1) / 2
    return (low + high) / 2, torch.where(low[..., 0] > high[..., 0], -1e6 + 0 * radius, radius)

"""A velocity in overlapping tiles of latents: pictures larger than memory, without seams.

What belongs here: where tiles lie, and windows that add up to one. What does not: the net.
Each step's velocities are averaged, not its pictures (Bar-Tal et al. 2023, MultiDiffusion, eq. 5).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from footagefit.errors import WrongValue


def tiled(
    velocity: Callable[[Tensor], Tensor], x: Tensor, *, tile: int, overlap: int, multiple: int = 1
) -> Tensor:
    """The velocity of all of x (B,C,h,w), from tiles of it.

    Args:
        velocity: Of a tile.
        x: Latents and what goes with them.
        tile: Rows and columns of a tile; 0, or a picture no larger, is one tile.
        overlap: Rows and columns that neighbours share.
        multiple: What places and sizes of tiles are multiples of.
    """
    height, width = x.shape[-2:]
    if tile == 0 or max(height, width) <= tile:
        return velocity(x)
    if not 0 < overlap < tile:
        raise WrongValue(f"tiles of {tile} latents cannot share {overlap}")
    total, weights = None, x.new_zeros(1, 1, height, width)
    for top in starts(height, tile, overlap, multiple):
        for left in starts(width, tile, overlap, multiple):
            rows, columns = min(tile, height), min(tile, width)
            part = (slice(top, top + rows), slice(left, left + columns))
            made = velocity(x[..., part[0], part[1]])
            window = _window(rows, overlap)[:, None] * _window(columns, overlap)[None]
            window = window.to(made)
            if total is None:
                total = made.new_zeros(*made.shape[:2], height, width)
            total[..., part[0], part[1]] += window * made
            weights[..., part[0], part[1]] += window
    return total / weights  # pyright: ignore[reportOptionalOperand]


def starts(length: int, tile: int, overlap: int, multiple: int = 1) -> list[int]:
    """First rows of tiles: evenly over the length, sharing `overlap` at least."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    last = length - tile
    return [round(last * i / (count - 1) / multiple) * multiple for i in range(count - 1)] + [last]


def _window(length: int, overlap: int) -> Tensor:
    """Rises over the overlap and falls again; never 0."""
    place = torch.arange(length, dtype=torch.float32) + 0.5
    edge = torch.minimum(place, length - place)
    return (edge / overlap).clamp_max(1.0)

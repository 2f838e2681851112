"""Smooth random values in space, their slope, and their octaves. The same everywhere, always.

Points come as (n,3); inside, coordinates lie row by row (3,n), which is where time goes.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

LATTICE = 64
_SIDE = LATTICE + 1  # the lattice repeats: its first planes stand again behind its last
_STEP, _FALL = 2.17, 0.58


@lru_cache(maxsize=4)
def _table(device: str) -> Tensor:
    """Random values on a lattice that repeats every 64 cells, z slowest, flat."""
    made = torch.rand(LATTICE**3, generator=torch.Generator().manual_seed(20261))
    again = torch.arange(_SIDE) % LATTICE
    cube = made.reshape(LATTICE, LATTICE, LATTICE)[again][:, again][:, :, again]
    return cube.reshape(-1).to(device)


def noise(at: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth noise in 0..1 at points (3,n) in lattice cells, and its gradient (3,n)."""
    value, f = _corners(at)
    ease = f * f * (3 - 2 * f)
    u, v, w = ease
    dx = value[1] - value[0]  # (2,2,n) by y, z
    on_x = torch.addcmul(value[0], dx, u)
    dy = on_x[1] - on_x[0]  # (2,n) by z
    on_y = torch.addcmul(on_x[0], dy, v)
    dz = on_y[1] - on_y[0]
    dx = torch.lerp(dx[0], dx[1], v)
    along = torch.stack([torch.lerp(dx[0], dx[1], w), torch.lerp(dy[0], dy[1], w), dz])
    return torch.addcmul(on_y[0], dz, w), along.mul_(6 * f).mul_(1 - f)


def values(at: Tensor, octaves: int) -> Tensor:
    """Octaves of noise about 0 at points (n,3), without gradient or fading (`layered` has both)."""
    each = torch.arange(octaves, device=at.device, dtype=at.dtype)[:, None]
    rows = at.T[:, None] * _STEP**each + 17.3 * each  # (3,octaves,n)
    value, f = _corners(rows.flatten(1))
    u, v, w = f * f * (3 - 2 * f)
    on_x = torch.lerp(value[0], value[1], u)
    on_y = torch.lerp(on_x[0], on_x[1], v)
    told = torch.lerp(on_y[0], on_y[1], w).sub_(0.5).reshape(octaves, -1)
    return told.mul_(_FALL**each).sum(0)


def _corners(at: Tensor) -> tuple[Tensor, Tensor]:
    """The lattice about each point (2,2,2,n) by x, y, z, and the place in its cell (3,n)."""
    cell = torch.floor(at)
    low = cell.to(torch.int32) & (LATTICE - 1)
    index = low[0] + low[1] * _SIDE + low[2] * _SIDE**2
    table = _table(str(at.device))
    value = at.new_empty(8, at.shape[1])
    for corner in range(8):
        ahead = (corner >> 2) + (corner >> 1 & 1) * _SIDE + (corner & 1) * _SIDE**2
        torch.index_select(table[ahead:], 0, index, out=value[corner])
    return value.unflatten(0, (2, 2, 2)), at - cell


def layered(at: Tensor, footprint: Tensor, octaves: int) -> tuple[Tensor, Tensor]:
    """Octaves of noise about 0 at (n,3), and its gradient; those finer than a pixel fade out.

    Args:
        at: (n,3) in cells of the coarsest octave.
        footprint: (n,) size of a pixel in the same cells.
        octaves: How many.
    """
    total = torch.zeros_like(footprint)
    gradient = torch.zeros_like(at)
    rows, left, everywhere = at.T.contiguous(), torch.empty(0), True
    frequency, strength = 1.0, 0.5
    for octave in range(octaves):
        seen = (1.5 - 2.0 * frequency * footprint).clamp_(0, 1)
        many = int(torch.count_nonzero(seen))
        if many == 0:
            break  # finer than any pixel here
        if many < 0.8 * seen.numel():
            some = torch.nonzero(seen)[:, 0]
            left = some if everywhere else left.index_select(0, some)
            rows, footprint, seen = (v.index_select(-1, some) for v in (rows, footprint, seen))
            everywhere = False
        value, slope = noise(rows * frequency + 17.3 * octave)
        value = value.sub_(0.5).mul_(seen).mul_(2 * strength)
        slope = slope.mul_(seen).mul_(2 * frequency * strength).T
        if everywhere:
            total += value
            gradient += slope
        else:
            total.index_add_(0, left, value)
            gradient.index_add_(0, left, slope)
        frequency, strength = frequency * _STEP, strength * _FALL
    return total, gradient

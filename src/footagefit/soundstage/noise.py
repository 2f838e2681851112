"""Smooth random values in space, their slope, and their octaves. The same everywhere, always."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

LATTICE = 64
_STEP, _FALL = 2.17, 0.58


@lru_cache(maxsize=4)
def _table(device: str) -> Tensor:
    """Random values on a lattice that repeats every 64 cells."""
    made = torch.rand(LATTICE**3, generator=torch.Generator().manual_seed(20261))
    return made.to(device)


def noise(at: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth noise in 0..1 at points (n,3) in lattice cells, and its gradient (n,3)."""
    value, f = _corners(at)
    ease = f * f * (3 - 2 * f)
    slope = 6 * f * (1 - f)
    u, v, w = ease.unbind(-1)
    dx = value[1] - value[0]  # (2,2,n) by y, z
    on_x = value[0] + u * dx
    dy = on_x[1] - on_x[0]  # (2,n) by z
    on_y = on_x[0] + v * dy
    dxy = dx[0] + v * (dx[1] - dx[0])
    dz = on_y[1] - on_y[0]
    along = torch.stack([dxy[0] + w * (dxy[1] - dxy[0]), dy[0] + w * (dy[1] - dy[0]), dz], -1)
    return on_y[0] + w * dz, along * slope


def values(at: Tensor, octaves: int) -> Tensor:
    """Octaves of noise about 0 at points (n,3), without gradient or fading (`layered` has both)."""
    total = torch.zeros_like(at[:, 0])
    frequency, strength = 1.0, 0.5
    for octave in range(octaves):
        value, f = _corners(at * frequency + 17.3 * octave)
        u, v, w = (f * f * (3 - 2 * f)).unbind(-1)
        on_x = torch.lerp(value[0], value[1], u)
        on_y = torch.lerp(on_x[0], on_x[1], v)
        total += (torch.lerp(on_y[0], on_y[1], w) - 0.5) * (2 * strength)
        frequency, strength = frequency * _STEP, strength * _FALL
    return total


def _corners(at: Tensor) -> tuple[Tensor, Tensor]:
    """The lattice about each point (2,2,2,n) by x, y, z, and the place in its cell (n,3)."""
    cell = torch.floor(at)
    low = cell.to(torch.int32) & (LATTICE - 1)
    high = (low + 1) & (LATTICE - 1)
    x = torch.stack([low[:, 0], high[:, 0]])  # (2,n)
    y = torch.stack([low[:, 1], high[:, 1]]) * LATTICE
    z = torch.stack([low[:, 2], high[:, 2]]) * LATTICE**2
    index = x[:, None, None] + y[None, :, None] + z[None, None]
    value = torch.index_select(_table(str(at.device)), 0, index.reshape(-1)).reshape(index.shape)
    return value, at - cell


def layered(at: Tensor, footprint: Tensor, octaves: int) -> tuple[Tensor, Tensor]:
    """Octaves of noise about 0 at (n,3), and its gradient; those finer than a pixel fade out.

    Args:
        at: (n,3) in cells of the coarsest octave.
        footprint: (n,) size of a pixel in the same cells.
        octaves: How many.
    """
    total = torch.zeros_like(footprint)
    gradient = torch.zeros_like(at)
    frequency, strength = 1.0, 0.5
    smallest = float(footprint.min()) if footprint.numel() else 1.0
    for octave in range(octaves):
        if 2.0 * smallest * frequency >= 1.5:
            break  # finer than any pixel here
        seen = (1.5 - 2.0 * footprint * frequency).clamp(0, 1) * strength
        value, slope = noise(at * frequency + 17.3 * octave)
        total += (value - 0.5) * 2 * seen
        gradient += slope * (2 * frequency * seen)[:, None]
        frequency, strength = frequency * _STEP, strength * _FALL
    return total, gradient

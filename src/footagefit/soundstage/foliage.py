"""Leaves: cards of a leaf's outline in a jittered lattice, found by walking rays through a bush."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from footagefit.soundstage.shapes import FAR, Bushes, applied, dots, unit

_LATTICE = 32
_STRIDE = 0.62  # of a cell
_AT_ONCE, _ROUNDS = 4, 7  # cells looked at


@lru_cache(maxsize=4)
def _table(device: str) -> Tensor:
    """Eight random numbers a cell, repeating every 32 cells."""
    made = torch.rand(_LATTICE**3, 8, generator=torch.Generator().manual_seed(77231))
    return made.to(device)


def hit(
    bushes: Bushes, scene: int, bush: int, origin: Tensor, way: Tensor, enter: Tensor, leave: Tensor
) -> tuple[Tensor, Tensor]:
    """Distance (n,) to the first leaf, FAR where rays slip through, and its normal (n,3).

    Args:
        bushes: All bushes.
        scene: Which scene.
        bush: Which of its bushes.
        origin: (3,) where rays start.
        way: (n,3) unit directions.
        enter: (n,) where they enter the bush's ellipsoid.
        leave: (n,) where they leave it.
    """
    turn, radii = bushes.turn[scene, bush], bushes.radii[scene, bush]
    cell, density = bushes.cell[scene, bush], float(bushes.density[scene, bush])
    start = applied(turn, origin - bushes.centre[scene, bush]) / cell
    step = torch.matmul(way, turn.T) / cell
    size = radii / cell
    found = torch.full_like(enter, FAR)
    facing = torch.zeros_like(way)
    left = torch.arange(len(enter), device=way.device)
    strides = (torch.arange(_AT_ONCE, device=way.device) + 0.3) * _STRIDE * cell
    t = enter.clamp_min(0.0)
    for _ in range(_ROUNDS):
        alive = t < leave[left]
        left, t = left[alive], t[alive]
        if left.numel() == 0:
            break
        at = (t[:, None] + strides).reshape(-1)
        ways = step.index_select(0, left.repeat_interleave(_AT_ONCE))
        inside, where, normal = _leaf(start, ways, at, size=size, density=density, seed=bush)
        inside &= (where > 0) & (at < leave[left].repeat_interleave(_AT_ONCE))
        inside = inside.reshape(-1, _AT_ONCE)
        struck = inside.any(1)
        first = torch.arange(len(t), device=way.device) * _AT_ONCE
        nearest = inside.to(torch.uint8).argmax(1) + first
        found[left[struck]] = where[nearest[struck]]
        facing[left[struck]] = normal[nearest[struck]]
        left, t = left[~struck], t[~struck] + _AT_ONCE * _STRIDE * cell
    return found, torch.matmul(facing, turn)


def _leaf(
    start: Tensor, step: Tensor, t: Tensor, *, size: Tensor, density: float, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Whether rays strike the leaf of the cell they are in at `t`, where, and its normal."""
    cell = torch.floor(start + t[:, None] * step)
    index = (cell.to(torch.int64) + 11 * seed) & (_LATTICE - 1)
    index = index[:, 0] + index[:, 1] * _LATTICE + index[:, 2] * _LATTICE**2
    u = _table(str(step.device)).index_select(0, index)  # (n,8)
    middle = cell + 0.5 + 0.55 * (u[:, :3] - 0.5)
    deep = dots(middle, middle / size.square())  # fewer towards the bush's edge
    grown = u[:, 7] < density * (1.15 - 0.75 * deep * deep).clamp(0, 1)
    some = torch.nonzero(grown)[:, 0]
    u, middle, step = (v.index_select(0, some) for v in (u, middle, step))
    out = unit(middle / size.square())
    tilt = 2.2 * (u[:, 3:6] - 0.5)
    normal = unit(tilt + 0.7 * out + torch.tensor([0.0, 0.45, 0.0], device=step.device))
    aside = torch.tensor([0.31, 0.2, 0.9], device=step.device)
    stem = unit(torch.linalg.cross(normal, tilt + aside))
    across = torch.linalg.cross(normal, stem)
    facing = dots(step, normal)
    at = dots(middle - start, normal) / torch.where(facing.abs() < 1e-4, 1e-4, facing)
    point = start + at[:, None] * step - middle
    length = 0.5 + 0.28 * u[:, 6]
    y = dots(point, stem) / length
    x = dots(point, across) / length
    outline = 0.42 * (1 - y * y) * (1 + 0.35 * y)
    inside = (x.abs() < outline) & (y.abs() < 1) & (dots(point, point) < 1.2)
    folded = unit(normal + 0.35 * torch.sign(x)[:, None] * across + 0.25 * y[:, None] * stem)
    where, facing = torch.zeros_like(t), torch.zeros_like(cell)
    return (
        grown.index_copy_(0, some, inside), where.index_copy_(0, some, at),
        facing.index_copy_(0, some, folded),
    )  # fmt: skip

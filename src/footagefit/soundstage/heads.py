"""Heads: a face and its hair as a radius by direction, charted once and read many times.

The chart is an octahedral picture of directions with radius, slope, hair cover and hair flow; rays
march against it, shadows of nose and brow read it, so that a head costs the same whatever is on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from footagefit.soundstage.noise import values
from footagefit.soundstage.shapes import FAR, Heads, unit

BOUND = 1.34  # a head's displaced radius never exceeds this share of its ellipsoid
CHANNELS = 6  # radius, slope x y z, hair cover, hair strands
_STEPS = 7
_NEAR = 0.004  # of a head's radius
_BALD = 0.004  # thinner hair is none
_REACHES = (0.05, 0.1, 0.17, 0.27, 0.4)


@lru_cache(maxsize=24)
def chart(bump: bytes, hair: tuple[float, ...], size: int) -> Tensor:
    """(C,R,R) of a head: its bumps as packed float32 rows of five, and its hair.

    Args:
        bump: Direction x y z, height, width of each bump.
        hair: Thickness, hairline, lean back, softness, curl, parting, seed.
        size: R.
    """
    rows = torch.frombuffer(bytearray(bump), dtype=torch.float32).reshape(-1, 5)
    way = _directions(size)  # (R*R,3)
    bumps = torch.exp((torch.matmul(way, rows[:, :3].T) - 1.0) / rows[:, 4])
    cover, strands, lift = _hair(way, hair)
    radius = 1.0 + torch.matmul(bumps, rows[:, 3]) + lift
    slope = torch.matmul(bumps, (rows[:, 3] / rows[:, 4])[:, None] * rows[:, :3])
    slope = slope - (slope * way).sum(-1, keepdim=True) * way  # along the ball's surface
    if hair[0] > _BALD:
        slope = slope + _combed(way, lift, hair, 3.0 / size)
    maps = torch.cat([radius[:, None], slope, cover[:, None], strands[:, None]], 1)
    return maps.T.reshape(CHANNELS, size, size).contiguous()


def _combed(way: Tensor, lift: Tensor, hair: tuple[float, ...], small: float) -> Tensor:
    """How the hair's lift changes along the ball's surface (n,3), where there is any."""
    slope = torch.zeros_like(way)
    hairy = (lift > 0.002 * hair[0]).nonzero()[:, 0]
    centre = way[hairy]
    away = torch.where(centre[:, 2:].abs() < 0.7, torch.tensor([0.0, 0.0, 1.0]),
                       torch.tensor([1.0, 0.0, 0.0]))  # fmt: skip
    across = unit(torch.cross(away, centre, dim=1))
    for tangent in (across, torch.cross(centre, across, dim=1)):
        beside = _hair(unit(centre + small * tangent), hair)[2]
        slope[hairy] += ((beside - lift[hairy]) / small)[:, None] * tangent
    return slope


def _hair(way: Tensor, hair: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """How much hair covers a direction, its locks about 0, and how far it lifts the surface."""
    thick, height, lean, soft, curl, part, seed = hair
    x, y, z = way.unbind(-1)
    if thick <= _BALD:
        return torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
    flow = torch.stack([torch.atan2(x - part, y + 0.55) * 7.0, (z + 0.25 * y) * 1.6, x * 0.0], -1)
    flow = flow + torch.tensor([seed, 3.1 * seed, 0.7 * seed])
    relief = values(flow + 0.15 * curl, 3) * (1 - curl)
    if curl > 0.0:
        relief = relief + values(way * (5.0 + 6.0 * curl) + seed, 3) * curl
    fringe = values(flow * 2.3 + 5.0, 2)
    sides = 0.34 * (1 - (x.abs() / 0.66).clamp(0, 1)) ** 2  # temples recede less than the middle
    line = y - height - lean * z + sides * 0.35 + 0.10 * fringe * (0.4 + curl)
    line = line - 0.5 * torch.exp(-((y + 0.05) ** 2 + (z - 0.12) ** 2) / 0.03)  # round the ear
    cover = torch.sigmoid(line / max(soft, 1e-3))
    rise = torch.sigmoid((line - 0.09) / (2.2 * soft + 0.05))
    return cover, relief, thick * rise * (1 + 0.5 * relief)


@lru_cache(maxsize=8)
def _directions(size: int) -> Tensor:
    """(R*R,3) unit directions of an octahedral picture's pixel centres."""
    at = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(at, at, indexing="ij")
    z = 1 - u.abs() - v.abs()
    back = (-z).clamp_min(0)
    x, y = u - back * torch.sign(u), v - back * torch.sign(v)
    return unit(torch.stack([x, y, z], -1).reshape(-1, 3))


def read(chart_CRR: Tensor, way: Tensor) -> Tensor:
    """Values (n,C) of one head's chart at unit directions (n,3), between pixels."""
    flat = way / way.abs().sum(-1, keepdim=True).clamp_min(1e-6)
    front, z = flat[:, :2], flat[:, 2:]
    folded = (1 - front.flip(1).abs()) * torch.where(front >= 0, 1.0, -1.0)
    at = torch.where(z < 0, folded, front)
    values = functional.grid_sample(
        chart_CRR[None], at[None, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return values[0, :, 0].T


def march(
    chart_CRR: Tensor, start: Tensor, step: Tensor, enter: Tensor, leave: Tensor
) -> tuple[Tensor, Tensor]:
    """Distances (n,), FAR where missed, and unit directions (n,3) of rays towards one head.

    Args:
        chart_CRR: The head's chart.
        start: (3,) where all rays start, in the head's axes over its radii.
        step: (n,3) the rays' directions there.
        enter: (n,) where they enter the ball of radius `BOUND`.
        leave: (n,) where they leave it.
    """
    radius_1RR = chart_CRR[:1]
    speed = step.norm(dim=-1)
    t = enter.clamp_min(0.0)
    gap = torch.full_like(t, FAR)
    left = torch.arange(len(t), device=t.device)
    for steps in (_STEPS, 2 * _STEPS):  # most rays are there soon; some have to pass a nose first
        at, ways, pace, last = t[left], step[left], speed[left], leave[left].clamp_min(0) + 1.0
        apart = gap[left]
        for _ in range(steps):
            point = start + at[:, None] * ways
            length = point.norm(dim=-1).clamp_min(1e-6)
            apart = length - read(radius_1RR, point / length[:, None])[:, 0]
            at = torch.minimum(at + 0.9 * apart / pace, last)
        t[left], gap[left] = at, apart
        left = torch.nonzero((t < leave) & (gap.abs() > _NEAR))[:, 0]
        if left.numel() == 0:
            break
    good = (t < leave) & (gap.abs() < 2.5 * _NEAR)
    return torch.where(good, t, t.new_tensor(FAR)), unit(start + t[:, None] * step)


def normals(values: Tensor, way: Tensor, radii: Tensor) -> Tensor:
    """Unit normals (n,3) in the head's axes, from what its chart says there."""
    gradient = way - values[:, 1:4] / values[:, :1].clamp_min(0.2)
    return unit(gradient / radii)


def across_strands(way: Tensor) -> Tensor:
    """Which way lies across the hair at unit directions (n,3), in the head's axes."""
    x, y, _ = way.unbind(-1)
    return unit(torch.stack([y + 0.55, -x, torch.zeros_like(x)], -1))


@dataclass
class Shown:
    """What is seen of a head: the rays (n,) that met it, where (n,3) in its axes over its radii."""

    scene: int
    head: int
    rays: Tensor
    point: Tensor


def shown(heads: Heads, at_head: Tensor, which: Tensor) -> list[Shown]:
    """What is seen of every head.

    Args:
        heads: The heads.
        at_head: (B,N,3) directions of the hits in their head's axes; zero off heads.
        which: (B,N) head index.
    """
    found = []
    on_head = at_head.square().sum(-1) > 0.5
    for scene in range(at_head.shape[0]):
        for head in range(heads.centre.shape[1]):
            rays = torch.nonzero(on_head[scene] & (which[scene] == head))[:, 0]
            if rays.numel():
                way = at_head[scene, rays]
                point = way * read(heads.chart[scene, head, :1], way)
                found.append(Shown(scene, head, rays, point))
    return found


def self_shade(
    heads: Heads, faces: list[Shown], towards: Tensor, spread: Tensor, share: Tensor
) -> None:
    """Dim the share of a source that points on heads see past their own nose, brow and chin.

    Args:
        heads: The heads.
        faces: What is seen of each.
        towards: (B,3,N) or (B,3,1) unit, to the source.
        spread: (B,N) or (B,1) tangent of the source's angular radius.
        share: (B,N) multiplied in place.
    """
    for face in faces:
        scene, head = face.scene, face.head
        radius_1RR = heads.chart[scene, head, :1]
        mine = face.rays if towards.shape[-1] > 1 else slice(None)
        step = torch.matmul(heads.turn[scene, head], towards[scene][:, mine]).T
        step = unit(step / heads.radii[scene, head])
        wide = spread[scene, face.rays if spread.shape[-1] > 1 else slice(None)]
        reach = torch.tensor(_REACHES, device=step.device)[:, None]
        ahead = face.point + reach[..., None] * step  # (R,n,3)
        length = ahead.norm(dim=-1)
        radius = read(radius_1RR, (ahead / length[..., None]).reshape(-1, 3))
        gap = length - radius.reshape(length.shape)
        seen = (gap / (0.012 + reach * wide)).mul_(0.5).add_(0.8).amin(0).clamp_(0, 1)
        share[scene, face.rays] *= seen * seen * (3 - 2 * seen)

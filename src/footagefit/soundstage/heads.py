"""Heads: a face and its hair as a radius by direction, charted once and read many times.

The chart is an octahedral picture of directions with radius, slope, hair and how deep a place lies;
rays march against it, shadows of nose and brow read it, so that a head costs the same whatever is
on it. What is finer than a chart is `makeup`'s.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from footagefit.soundstage import sculpt
from footagefit.soundstage.face import Face
from footagefit.soundstage.lights import Arriving
from footagefit.soundstage.noise import values
from footagefit.soundstage.shapes import FAR, Heads, Shown, unit

BOUND = 1.34  # a head's displaced radius never exceeds this share of its ellipsoid
CHANNELS = 7  # radius, slope x y z, hair cover, hair strands, how hollow
_STEPS = (5, 5, 8)
_NEAR = 0.004  # of a head's radius
_BALD = 0.004  # thinner hair is none
_REACHES = (0.03, 0.06, 0.1, 0.16, 0.24, 0.36)


@lru_cache(maxsize=24)
def chart(face: Face, hair: tuple[float, ...], size: int) -> Tensor:
    """(C,R,R) of a head.

    Args:
        face: Whose.
        hair: Thickness, hairline, recess, softness, curl, parting, seed, whether it hides the ears.
        size: R.
    """
    way, (clay, far) = _directions(size), _clay(size)  # (R*R,3)
    cover, strands, lift = _hair(way, hair)
    tall, slope = sculpt.height(face, clay)
    more = lift + sculpt.ears(face, clay.way) / far
    radius = (tall / far + more).clamp_max_(0.99 * BOUND)
    stretched = torch.tensor(sculpt.BUILD) / far[:, None] ** 2
    slope = (stretched * (slope - tall[:, None] * clay.way)).T  # of tall / far
    slope = slope - (slope * way.T).sum(0) * way.T
    slope = slope + _slope(more.reshape(size, size))
    hollow = _hollow(radius.reshape(size, size))
    maps = torch.cat([radius[None], slope, cover[None], strands[None], hollow[None]])
    return maps.reshape(CHANNELS, size, size).contiguous()


def in_clay(way: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (n,3) from a head's middle, over its radii, as `sculpt` has them; their length."""
    clay = way * torch.tensor(sculpt.BUILD, device=way.device)
    far = clay.norm(dim=1)
    return clay / far[:, None], far


def _slope(radius_RR: Tensor) -> Tensor:
    """How a radius changes along the ball's surface (3,R*R), from pixel to pixel."""
    before, after = _neighbours(len(radius_RR))
    more_right = radius_RR[:, after] - radius_RR[:, before]
    more_down = radius_RR[after] - radius_RR[before]
    by_right, by_down = _steps(len(radius_RR))
    return more_right.reshape(-1) * by_right + more_down.reshape(-1) * by_down


@lru_cache(maxsize=8)
def _steps(size: int) -> tuple[Tensor, Tensor]:
    """Slopes (3,R*R) of what rises by 1 from pixel to pixel, to the right and down."""
    before, after = _neighbours(size)
    way = _directions(size).reshape(size, size, 3)
    right, down = way[:, after] - way[:, before], way[after] - way[before]
    area = (torch.linalg.cross(right, down) * way).sum(-1, keepdim=True)
    by_right, by_down = torch.linalg.cross(down, way) / area, torch.linalg.cross(way, right) / area
    return by_right.reshape(-1, 3).T.contiguous(), by_down.reshape(-1, 3).T.contiguous()


def _neighbours(size: int) -> tuple[Tensor, Tensor]:
    each = torch.arange(size)
    return (each - 1).clamp_min(0), (each + 1).clamp_max(size - 1)


def _hollow(radius_RR: Tensor) -> Tensor:
    """(R*R,) 0..1 how deep a place lies among what is around it."""
    reach = len(radius_RR) // 14
    around = functional.avg_pool2d(radius_RR[None], 2 * reach + 1, 1, reach, False, False)[0]
    return ((around - radius_RR) * 16.0).clamp(0, 1).reshape(-1)


def _hair(way: Tensor, hair: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """How much hair covers a direction, its locks about 0, and how far it lifts the surface."""
    thick, height, recess, soft, curl, part, seed, hides = hair
    x, y, z = way.unbind(-1)
    if thick <= _BALD:
        return torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
    round_ = torch.atan2(x.abs(), z)  # 0 in front, pi behind
    above = y - height - recess * torch.exp(-(((round_ - 0.62) / 0.28) ** 2))
    edge = 1.36 - 0.62 * y.clamp(-0.1, 0.7)  # in front of the ears
    nape = torch.sigmoid((round_ - 1.85) * 16.0)
    burns = torch.minimum(round_ - edge, y + 0.10 + 0.48 * nape)
    line = torch.maximum(above, 0.7 * burns)
    if not hides:
        ear = (((round_ - 1.66) / 0.21) ** 2 + ((y + 0.10) / 0.29) ** 2).sqrt() - 1
        line = torch.minimum(line, 0.3 * ear)
    at = torch.nonzero(line > -0.3)[:, 0]
    x, y, z, line = x[at], y[at], z[at], line[at]
    flow = torch.stack([torch.atan2(x - part, y + 0.55) * 7.0, (z + 0.25 * y) * 1.6, x * 0.0], -1)
    flow = flow + torch.tensor([seed, 3.1 * seed, 0.7 * seed])
    relief = values(flow + 0.15 * curl, 3) * (1 - curl)
    if curl > 0.0:
        relief = relief + values(way[at] * (5.0 + 6.0 * curl) + seed, 3) * curl
    line = line + 0.10 * values(flow * 2.3 + 5.0, 2) * (0.4 + curl)
    rise = torch.sigmoid((line - 0.07 - 0.05 * curl) / (0.6 * soft + 0.02 + 0.03 * curl))
    found = torch.zeros(3, len(way))
    found[0, at], found[1, at] = torch.sigmoid(line / max(soft, 1e-3)), relief
    found[2, at] = thick * rise * (1 + 0.5 * relief)
    return found[0], found[1], found[2]


@lru_cache(maxsize=8)
def _clay(size: int) -> tuple[sculpt.Skull, Tensor]:
    way, far = in_clay(_directions(size))
    return sculpt.skull(way), far


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
    return read_rows(chart_CRR, way.T).T


def read_rows(chart_CRR: Tensor, way: Tensor) -> Tensor:
    """The same (C,n) at directions (3,n) of any length: coordinates that lie row by row."""
    size = way.abs()
    total = (size[0] + size[1]).add_(size[2]).clamp_min_(1e-6)
    size[2] = (-way[2]).clamp_min_(0)  # behind, both coordinates grow by as much
    at = torch.copysign(size[:2].add_(size[2]).div_(total), way[:2]).T.contiguous()
    values = functional.grid_sample(
        chart_CRR[None], at[None, None], mode="bilinear", padding_mode="border",
        align_corners=False,
    )  # fmt: skip
    return values[0, :, 0]


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
    ways, centre = step.T.contiguous(), start[:, None]
    pace = 0.9 * (ways * ways).sum(0).rsqrt_()
    t, last = enter.clamp_min(0.0), leave.clamp_min(0) + 1.0
    gap = torch.full_like(t, FAR)
    left = torch.arange(len(t), device=t.device)
    for steps in _STEPS:  # most rays are there soon; some have to pass a nose first
        way, begun, slow, end = (v.index_select(-1, left) for v in (ways, t, pace, last))
        at, apart = _walked(radius_1RR, centre, way, begun, slow, end, steps)
        t[left], gap[left] = at, apart
        left = torch.nonzero((t < leave) & (gap.abs() > _NEAR))[:, 0]
        if left.numel() == 0:
            break
    good = (t < leave) & (gap.abs() < 5 * _NEAR)  # better a shade too large than holed
    return torch.where(good, t, t.new_tensor(FAR)), unit(start + t[:, None] * step)


def _walked(
    radius_1RR: Tensor, start: Tensor, ways: Tensor, t: Tensor, pace: Tensor, last: Tensor,
    steps: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Rays from `t` on: where they come to, and how far off the surface they were before."""
    before, apart, slow, fast = t, t, pace, 2.0 * pace
    for step in range(steps):
        point = torch.addcmul(start, ways, t)
        length = (point * point).sum(0).sqrt_()
        now = length - read_rows(radius_1RR, point)[0]
        if step:  # longer where the gap closes slowly
            closed = apart - now
            slow = ((t - before) / (closed + 1e-20)).clamp_(pace, fast)
        before, apart = t, now
        t = torch.minimum(t + slow * now, last)
    return t, apart


def normals(values: Tensor, way: Tensor, radii: Tensor) -> Tensor:
    """Unit normals (n,3) in the head's axes, from what its chart says there."""
    gradient = way - values[:, 1:4] / values[:, :1].clamp_min(0.2)
    return unit(gradient / radii)


def self_shade(heads: Heads, faces: list[Shown], light: Arriving, share: Tensor) -> None:
    """Dim the share of lamps that points on heads see past their own nose, brow and chin.

    Args:
        heads: The heads.
        faces: What is seen of each.
        light: The lamps.
        share: (B,L,N) multiplied in place.
    """
    reach = torch.tensor(_REACHES, device=share.device)[:, None]  # (R,1)
    for face in faces:
        scene, head = face.scene, face.head
        rays = face.rays - scene * share.shape[2]
        own = share[scene].index_select(1, rays)
        lamps = torch.nonzero(own.amax(1) > 0)[:, 0]  # others are off, or hidden
        if lamps.numel() == 0:
            continue
        mine = slice(None) if light.far else rays
        step = torch.matmul(heads.turn[scene, head], light.way[scene, lamps][..., mine])
        step = step / heads.radii[scene, head][:, None]
        step = step * torch.rsqrt((step * step).sum(1, keepdim=True))  # (L,3,n)
        point = (face.way * face.radius[:, None]).T
        up = (step * point).sum(1, keepdim=True)  # (L,1,n)
        length = torch.addcmul(face.radius.square(), reach, 2 * up + reach).clamp_min_(0).sqrt_()
        ahead = torch.addcmul(point[:, None, None], reach, step.transpose(0, 1)[:, :, None])
        radius = read_rows(heads.chart[scene, head, :1], ahead.flatten(1))[0]  # of (3,L,R,n)
        wide = light.spread[scene, lamps][:, None, mine]  # (L,1,n)
        seen = length.sub_(radius.reshape(length.shape)).div_(0.04 + 2 * reach * (wide + 0.05))
        seen = seen.add_(0.8)
        seen = seen.amin(1).clamp_(0, 1)
        own[lamps] *= seen * seen * (3 - 2 * seen)
        share[scene].index_copy_(1, rays, own)

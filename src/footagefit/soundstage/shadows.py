"""What stands between a point and a source: soft shadows, the open sky, leaves, window openings.

Closed forms everywhere: no sampling, no noise, no flicker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from footagefit.soundstage.shapes import Bushes, Planes, applied, flat
from footagefit.soundstage.tiles import RAYS, near

_LEAST_SKY = 0.012  # things that cover less of the sky than this are left out


@dataclass
class Occluders:
    """What throws shadows and covers the sky: ellipsoids that stand for everything but planes."""

    centre: Tensor  # (B,Q,3)
    turn: Tensor  # (B,Q,3,3)
    radii: Tensor  # (B,Q,3)


@dataclass
class Standing:
    """Points that light is asked for, lifted off their surface, and the balls their tiles span."""

    point: Tensor  # (B,N,3)
    middle: Tensor  # (B,T,3)
    radius: Tensor  # (B,T) negative where a tile is not asked for

    def where(self, asked: Tensor) -> Standing:
        """The same points, tiles left out in which none of (B,N) is asked for."""
        some = asked.reshape(*self.radius.shape, RAYS).any(2)
        return replace(self, radius=torch.where(some, self.radius, self.radius - 1e6))


def light_reaching(
    stand: Occluders, at: Standing, towards: Tensor, reach: Tensor, spread: Tensor
) -> Tensor:
    """Share of a source that each point sees, 0..1, soft and free of noise.

    A source of angular radius a, seen past a sphere whose edge the ray clears by d after
    travelling t, is covered where d < t tan a: the share follows smoothly from d / (t tan a).

    Args:
        stand: The occluders.
        at: The points.
        towards: (B,N,3) unit, to the source's middle; (B,1,3) where it is far.
        reach: (B,N) distance of the source; (B,1) where it is far.
        spread: (B,1) or (B,N) tangent of its angular radius.
    """
    batch, rays = at.point.shape[:2]
    points = at.point.reshape(-1, RAYS, 3).transpose(1, 2)
    out = points.new_ones(points.shape[0], RAYS)
    wide = spread.expand(batch, rays).reshape(-1, 1, RAYS).clamp_min(2e-3)
    reach = reach.expand(batch, rays).reshape(-1, 1, RAYS)
    size = 0.5 * flat(stand.radii).amin(-1)
    passes = _far_passes(stand, towards) if towards.shape[1] == 1 else _near_passes(stand, towards)
    for mine, index, real in near(_in_the_way(stand, at, towards, spread)):
        along, nearest2, start2, last = passes(mine, index, points)
        blur = torch.minimum(along, last).clamp_min_(1e-3).mul_(wide[mine])
        lit = nearest2.clamp_min_(0).sqrt_().sub_(1.0).mul_(size[index][..., None]).div_(blur)
        lit = lit.add_(0.5).clamp_(0, 1)
        lit = lit * lit * (3 - 2 * lit)
        ahead = (along > 0) & (along < reach[mine]) & (start2 >= 1.0) & real[..., None]
        out[mine] = torch.where(ahead, lit, lit.new_ones(())).prod(1)
    return out.reshape(batch, rays)


Passes = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, ...]]


def _far_passes(stand: Occluders, towards: Tensor) -> Passes:
    """How rays of one direction pass occluders, each one's axes turned so that light runs along z.

    Gives where rays come nearest, how near (squared, in the ball that the ellipsoid is), how far
    off they start (squared), and how far away the occluder ends.
    """
    scaled = stand.turn / stand.radii[..., None]  # (B,Q,3,3) world to a ball of radius 1
    step = applied(scaled, towards.expand_as(stand.centre))
    speed = step.norm(dim=-1, keepdim=True)
    z = step / speed
    flip = (z[..., :1].abs() > 0.9).to(z.dtype)
    x = torch.linalg.cross(torch.cat([1 - flip, flip, 0 * flip], -1), z)
    x = x / x.norm(dim=-1, keepdim=True)
    y = torch.linalg.cross(z, x)
    turned = torch.matmul(torch.stack([x, y, -z / speed], -2), scaled)
    moved = applied(turned, stand.centre)
    turned, moved, speed2 = flat(turned), flat(moved), flat(speed) ** 2
    end = flat((stand.centre * towards).sum(-1) + stand.radii.amax(-1))
    batch = stand.centre.shape[0]
    per_scene = towards.expand(batch, 1, 3)

    def passes(mine: Tensor, index: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        tiles, length = index.shape
        rows = turned[index].transpose(1, 2).reshape(tiles, 3 * length, 3)
        offset = moved[index].transpose(1, 2).reshape(tiles, 3 * length, 1)
        placed = torch.baddbmm(offset, rows, points[mine], beta=-1)
        u, v, along = placed.split(length, 1)
        nearest2 = torch.addcmul(u * u, v, v)
        ways = per_scene[mine // (len(points) // batch)]
        last = end[index][..., None] - torch.matmul(ways, points[mine])
        return along, nearest2, torch.addcmul(nearest2, along * speed2[index], along), last

    return passes


def _near_passes(stand: Occluders, towards: Tensor) -> Passes:
    """The same where every point has a direction of its own (B,N,3)."""
    scaled = stand.turn / stand.radii[..., None]
    moved, scaled = flat(applied(scaled, stand.centre)), flat(scaled)
    ways = towards.reshape(-1, RAYS, 3).transpose(1, 2)
    centre, long = flat(stand.centre), flat(stand.radii).amax(-1)

    def passes(mine: Tensor, index: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        form = scaled[index]  # (g,L,3,3)
        start = torch.matmul(form, points[mine][:, None]) - moved[index][..., None]  # (g,L,3,S)
        step = torch.matmul(form, ways[mine][:, None])
        start2 = (start * start).sum(2)
        cross = (start * step).sum(2)
        along = -cross / (step * step).sum(2)  # where the ray passes nearest
        to_middle = torch.matmul(centre[index], ways[mine]) - (points[mine] * ways[mine]).sum(
            1, keepdim=True
        )
        last = to_middle + long[index][..., None]
        return along, torch.addcmul(start2, cross, along), start2, last

    return passes


def _in_the_way(stand: Occluders, at: Standing, towards: Tensor, spread: Tensor) -> Tensor:
    """(B,T,Q): whether an occluder can dim any point of a tile."""
    batch, tiles = at.radius.shape
    longest, shortest = stand.radii.amax(-1)[:, None], stand.radii.amin(-1)[:, None]
    away = stand.centre[:, None] - at.middle[:, :, None]  # (B,T,Q,3)
    if towards.shape[1] == 1:
        middle, wide = towards[:, :, None], spread.expand(batch, 1)[..., None]
        turned = 0.0
    else:
        split = towards.reshape(batch, tiles, RAYS, 3)
        middle = split.mean(2)
        middle = (middle / middle.norm(dim=-1, keepdim=True).clamp_min(1e-6))[:, :, None]
        # a near source's directions differ over a tile
        turned = (split - middle).norm(dim=-1).amax(2)[..., None]
        wide = spread.expand(batch, tiles * RAYS).reshape(batch, tiles, RAYS).amax(2)[..., None]
    along = (away * middle).sum(-1)
    beside = ((away * away).sum(-1) - along * along).clamp_min(0).sqrt()
    ball = at.radius[..., None]
    run = (along.abs() + ball + longest).clamp_min(0)
    blur = run * (wide.clamp_min(2e-3) * (longest / shortest) + turned)
    return (along > -(ball + longest)) & (beside < ball + longest + blur) & (ball >= 0)


def open_sky(stand: Occluders, planes: Planes, at: Standing, normal: Tensor) -> Tensor:
    """Share of the hemisphere that each point sees: spheres cover by their solid angle."""
    batch, rays = at.point.shape[:2]
    size = stand.radii.prod(-1).clamp_min(1e-9) ** (1 / 3)
    gap = (stand.centre[:, None] - at.middle[:, :, None]).norm(dim=-1) - at.radius[..., None]
    matters = (gap.clamp_min(0) ** 2 * _LEAST_SKY < size[:, None] ** 2) & (
        at.radius[..., None] >= 0
    )
    points = at.point.reshape(-1, RAYS, 3)
    normals = normal.reshape(-1, RAYS, 3)
    own2 = (points * points).sum(-1)
    height = (points * normals).sum(-1)
    centre, size, large = flat(stand.centre), size.reshape(-1), stand.radii.amax(-1).reshape(-1)
    seen = points.new_ones(points.shape[0], RAYS)
    for mine, index, real in near(matters):
        middle = centre[index]  # (g,L,3)
        span2 = (
            own2[mine][:, None] - 2 * torch.matmul(middle, points[mine].transpose(1, 2))
            + (middle * middle).sum(-1)[..., None]
        ).clamp_min_(1e-4)  # fmt: skip
        size2 = (size[index] ** 2)[..., None].minimum(0.9 * span2)
        up = torch.matmul(middle, normals[mine].transpose(1, 2)) - height[mine][:, None]
        cosine = up * torch.rsqrt(span2)
        share = (size2 / span2 - _LEAST_SKY).clamp_min_(0)
        covered = (cosine * 0.7 + 0.3).clamp_(0, 1) * share
        own = (span2 < (large[index] ** 2)[..., None] * 1.05) | ~real[..., None]
        seen[mine] = torch.where(own, covered.new_ones(()), 1 - 0.85 * covered).prod(1)
    return seen.reshape(batch, rays) * _off_walls(planes, at.point, normal)


def _off_walls(planes: Planes, point: Tensor, normal: Tensor) -> Tensor:
    """Walls and floors darken what stands close and faces them."""
    height = torch.matmul(planes.normal, point.transpose(-1, -2)) - planes.offset[..., None]
    facing = torch.matmul(planes.normal, normal.transpose(-1, -2))
    near_ = torch.exp(-height.clamp_min(0) / 0.25) * (0.5 - 0.5 * facing).clamp(0, 1)
    return (1 - 0.6 * near_.clamp(0, 1)).prod(1)


def through_leaves(bushes: Bushes, point: Tensor, towards: Tensor, reach: Tensor) -> Tensor:
    """Share of light that leaves let pass: it falls with the way that it goes through each bush.

    Args:
        bushes: The bushes.
        point: (B,3,N).
        towards: (B,3,N) or (B,3,1), unit.
        reach: (B,N) or (B,1).
    """
    if float(bushes.density.amax()) <= 0:
        return torch.ones_like(point[:, 0])
    batch, count = bushes.density.shape
    scaled = bushes.turn / bushes.radii[..., None]  # (B,F,3,3)
    moved = applied(scaled, bushes.centre).reshape(batch, -1, 1)
    scaled = scaled.reshape(batch, -1, 3)
    start = torch.baddbmm(moved, scaled, point, beta=-1).unflatten(1, (count, 3))
    step = torch.matmul(scaled, towards).unflatten(1, (count, 3))
    a, b = (step * step).sum(2), (start * step).sum(2)  # (B,F,N)
    root = (b * b - a * ((start * start).sum(2) - 1.0)).clamp_min_(0).sqrt_()
    one = ((-b - root) / a).clamp_min_(0)
    two = torch.minimum((root - b) / a, reach[:, None]).clamp_min_(0)
    thick = 1.1 * bushes.density / bushes.cell
    return torch.exp(-((two - one).clamp_min_(0) * thick[..., None]).sum(1))


def through_opening(gate: Tensor, point: Tensor, towards: Tensor, spread: Tensor) -> Tensor:
    """Share of a far source that comes through a window's panes.

    Args:
        gate: (B,4,3) the window's middle, its right and up half-sides, and the way it looks.
        point: (B,3,N).
        towards: (B,3,1) unit.
        spread: (B,1) tangent of the source's angular radius.
    """
    middle, right, up, out = (row[..., None] for row in gate.unbind(1))  # (B,3,1)
    facing = dot(out, towards).clamp_min(1e-4)  # (B,1)
    away = middle - point
    t = dot(away, out) / facing
    at = t[:, None] * towards - away
    blur = (t.clamp_min(0.05) * spread).clamp_min(0.004)
    share = ((t > 0) & (facing > 2e-4)).to(point.dtype)
    for side in (right, up):
        half = side.norm(dim=1)  # (B,1)
        x = dot(at, side) / half
        edge = ((half - x.abs()) / blur * 0.5 + 0.5).clamp(0, 1)
        bar = (((x.abs() - 0.018) / blur) * 0.5 + 0.5).clamp(0, 1)
        share = share * edge * bar.maximum(1 - 0.036 / (0.036 + blur))
    return share


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar products over the second axis: (B,3,N) to (B,N)."""
    return (a * b).sum(1)

"""What stands between a point and a source: soft shadows, the open sky, leaves, window openings.

Closed forms everywhere: no sampling, no noise, no flicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from footagefit.soundstage.lights import Arriving
from footagefit.soundstage.shapes import Bushes, Planes, applied, dots, flat, unit
from footagefit.soundstage.tiles import RAYS, near

_LEAST_SKY = 0.012  # things that cover less of the sky than this are left out
_LEAST_SHADE = 0.01  # of a source: what hides less of it throws no shadow
_VERY = 1.0e30
_ASIDE = 1.0e9  # where padding stands: no ray comes near it


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
    radius: Tensor  # (B,T), by lamp (B,L,T) once asked; negative where a tile is not asked for
    own: Tensor | None = None  # (B*T,RAYS) number b Q + q of an occluder that does not count

    def where(self, asked: Tensor) -> Standing:
        """The same points, tiles left out by lamp in which all of (B,L,N) is 0."""
        some = asked.unflatten(2, (-1, RAYS)).amax(3) > 0
        return replace(self, radius=torch.where(some, self.radius[:, None], -1e6))


def light_reaching(stand: Occluders, at: Standing, light: Arriving) -> Tensor:
    """Share of each lamp that each point sees (B,L,N), 0..1, soft and free of noise.

    A source of angular radius a, seen past a sphere whose edge the ray clears by d after
    travelling t, is covered where d < t tan a: the share follows smoothly from d / (t tan a). What
    looks smaller than the source hides no more of it than it is large.
    """
    batch, lamps = light.way.shape[:2]
    out = at.point.new_ones(batch * lamps * at.middle.shape[1], RAYS)
    size = 0.5 * flat(stand.radii).amin(-1)
    broad = 2 * flat(_area(stand)) / size**2
    half, one = at.point.new_tensor(0.5), at.point.new_ones(())
    for by in _passes(stand, at, light, soft=True):
        sharp = size[by.things][..., None] / by.spread.clamp_min(2e-3)
        sharp = sharp / torch.minimum(by.along, by.last).clamp_min_(1e-3)
        apart = by.nearest2.sqrt_().sub_(1.0)
        hidden = torch.addcmul(half, apart, sharp, value=-1.0).clamp_(0, 1)
        before = torch.minimum(by.along, by.start2.sub_(1.0))
        if not light.far:
            before = torch.minimum(before, by.reach - by.along)
        # masks cost more than arithmetic: 0 where the occluder is not between point and lamp
        hidden = torch.minimum(hidden, before.mul_(_VERY).clamp_(0, 1))
        hidden = hidden.square().mul_(torch.rsub(hidden, 3.0, alpha=2.0))
        most = sharp.square().div_(torch.add(one, sharp, alpha=2.0))
        most = most.mul_(broad[by.things][..., None]).sub_(_LEAST_SHADE).clamp_(0, 1)
        hidden.mul_(most)
        if at.own is not None:
            own = at.own[by.place]
            some = torch.nonzero(own.amax(1) >= 0)[:, 0]
            other = by.things[some][..., None] != own[some][:, None]
            hidden[some] *= other
        out[by.mine] = hidden.neg_().add_(1.0).prod(1)
    return out.reshape(batch, lamps, -1)


def _area(stand: Occluders) -> Tensor:
    """(B,Q) squared radius of about what each occluder hides, seen from its broad side."""
    least, most = stand.radii.amin(-1), stand.radii.prod(-1)
    return (least * most).sqrt()


def through_leaves(bushes: Bushes, at: Standing, light: Arriving) -> Tensor | None:
    """Share of each lamp that leaves let pass (B,L,N): it falls with the way through each bush.

    None where there are no leaves at all.
    """
    if float(bushes.density.amax()) <= 0:
        return None
    batch, lamps = light.way.shape[:2]
    out = at.point.new_ones(batch * lamps * at.middle.shape[1], RAYS)
    thick = (1.1 * bushes.density / bushes.cell).reshape(-1)
    leafy = Occluders(bushes.centre, bushes.turn, bushes.radii)
    for by in _passes(leafy, at, light, soft=False):
        half = (1 - by.nearest2).clamp_min_(0).div_(by.speed2).sqrt_()
        enter = (by.along - half).clamp_min_(0)
        length = torch.minimum(by.along + half, by.reach).sub_(enter).clamp_min_(0)
        out[by.mine] = torch.exp(-(length * thick[by.things][..., None]).sum(1))
    return out.reshape(batch, lamps, -1)


@dataclass
class _Pass:
    """How rays to lamps pass the occluders near them: g tiles of a lamp each, L occluders, S rays.

    Attributes:
        mine: (g,) which tile of which lamp, (b L + l) T + t.
        place: (g,) which tile, b T + t.
        things: (g,L) which occluders, b Q + q.
        along: (g,L,S) where rays come nearest.
        nearest2: How near, squared, in the ball of radius 1 that the ellipsoid is.
        start2: How far off they start, squared, in the same.
        speed2: How fast they run there, squared.
        last: How far away the occluder ends.
        spread: (g,1,S) or (g,1,1) of the lamp; likewise `reach`.
    """

    mine: Tensor
    place: Tensor
    things: Tensor
    along: Tensor
    nearest2: Tensor
    start2: Tensor
    speed2: Tensor
    last: Tensor
    spread: Tensor
    reach: Tensor


def _passes(stand: Occluders, at: Standing, light: Arriving, *, soft: bool) -> Iterator[_Pass]:
    """Passes of all lamps' rays by what can be in their way."""
    lamps, tiles, count = light.way.shape[1], at.middle.shape[1], stand.centre.shape[1]
    points = at.point.reshape(-1, RAYS, 3).transpose(1, 2)
    found = _far_passes(stand, light) if light.far else _near_passes(stand, light)
    for mine, index, real in near(_in_the_way(stand, at, light, soft=soft).flatten(0, 1)):
        lamp = mine // tiles  # b L + l
        scene = lamp // lamps
        place = scene * tiles + mine % tiles
        things = index + ((scene - lamp) * count)[:, None]
        row, width = (lamp, 1) if light.far else (place, RAYS)
        spread, reach = (v.reshape(-1, 1, width)[row] for v in (light.spread, light.reach))
        passed = found(row, index, torch.where(real, 0.0, _ASIDE), points[place])
        yield _Pass(mine, place, things, *passed, spread, reach)


_Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
_Found = Callable[[Tensor, Tensor, Tensor, Tensor], _Five]


def _far_passes(stand: Occluders, light: Arriving) -> _Found:
    """Rays of one direction a lamp: each occluder's axes are turned so that light runs along z."""
    ways = light.way[..., 0]  # (B,L,3)
    scaled = stand.turn / stand.radii[..., None]  # (B,Q,3,3) world to a ball of radius 1
    step = torch.einsum("bqij,blj->blqi", scaled, ways)
    speed = step.norm(dim=-1, keepdim=True)
    z = step / speed
    flip = (z[..., :1].abs() > 0.9).to(z.dtype)
    x = torch.linalg.cross(torch.cat([1 - flip, flip, 0 * flip], -1), z)
    x = x / x.norm(dim=-1, keepdim=True)
    y = torch.linalg.cross(z, x)
    turned = torch.matmul(torch.stack([x, y, -z / speed], -2), scaled[:, None])
    moved = applied(turned, stand.centre[:, None])
    turned, moved, speed2 = (v.flatten(0, 2) for v in (turned, moved, speed * speed))
    end = torch.matmul(ways, stand.centre.transpose(1, 2)) + stand.radii.amax(-1)[:, None]
    end, by_lamp = end.reshape(-1), flat(ways)[:, None]

    def found(lamp: Tensor, index: Tensor, aside: Tensor, points: Tensor) -> _Five:
        rows, offset = _by_axis(turned[index], moved[index])
        offset[:, : index.shape[1], 0] += aside
        placed = torch.baddbmm(offset, rows, points, beta=-1)
        u, v, along = placed.split(index.shape[1], 1)
        nearest2 = torch.addcmul(u * u, v, v)
        fast = speed2[index]
        last = end[index][..., None] - torch.matmul(by_lamp[lamp], points)
        return along, nearest2, torch.addcmul(nearest2, along * fast, along), fast, last

    return found


def _near_passes(stand: Occluders, light: Arriving) -> _Found:
    """The same where every point has a direction of its own."""
    scaled = stand.turn / stand.radii[..., None]
    moved, scaled = flat(applied(scaled, stand.centre)), flat(scaled)
    ways = light.way[:, 0].unflatten(2, (-1, RAYS)).transpose(1, 2).flatten(0, 1)  # (B*T,3,S)
    centre, long = flat(stand.centre), flat(stand.radii).amax(-1)

    def found(place: Tensor, index: Tensor, aside: Tensor, points: Tensor) -> _Five:
        way = ways[place]  # (g,3,S)
        rows, offset = _by_axis(scaled[index], moved[index])
        start = torch.baddbmm(offset, rows, points, beta=-1).unflatten(1, (3, -1)).unbind(1)
        step = torch.matmul(rows, way).unflatten(1, (3, -1)).unbind(1)
        start2, fast, cross = (
            torch.addcmul(a[0] * b[0], a[1], b[1]).addcmul_(a[2], b[2])
            for a, b in ((start, start), (step, step), (start, step))
        )
        along = -cross / fast  # where the ray passes nearest
        to_middle = torch.matmul(centre[index], way) - (points * way).sum(1, keepdim=True)
        last = to_middle + long[index][..., None]
        nearest2 = torch.addcmul(start2, cross, along).clamp_min_(0).add_(aside[..., None])
        return along, nearest2, start2, fast, last

    return found


def _by_axis(form: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (g,L,3,3) and offsets (g,L,3) as (g,3L,3) and (g,3L,1), axis by axis."""
    return form.transpose(1, 2).flatten(1, 2), offset.transpose(1, 2).flatten(1)[..., None]


def _in_the_way(stand: Occluders, at: Standing, light: Arriving, *, soft: bool) -> Tensor:
    """(B,L,T,Q): whether an occluder can dim any point of a tile."""
    tiles = at.middle.shape[1]
    longest, shortest = stand.radii.amax(-1)[:, None, None], stand.radii.amin(-1)[:, None, None]
    ball = (at.radius if at.radius.dim() == 3 else at.radius[:, None])[..., None]  # (B,L,T,1)
    if light.far:
        middle = light.way[:, :, None, :, 0]  # (B,L,1,3)
        wide = light.spread[..., None].clamp_min(2e-3)
        narrow, turned = wide, 0.0
    else:
        split = light.way.transpose(2, 3).unflatten(2, (tiles, RAYS))  # (B,1,T,S,3)
        middle = split.mean(3)
        middle = unit(middle)
        # a near source's directions differ over a tile
        apart = split - middle[..., None, :]
        turned = dots(apart, apart).amax(3).sqrt()[..., None]
        spread = light.spread.unflatten(2, (tiles, RAYS)).clamp_min(2e-3)
        wide, narrow = spread.amax(3)[..., None], spread.amin(3)[..., None]
    away = (stand.centre[:, None] - at.middle[:, :, None])[:, None]  # (B,1,T,Q,3)
    along = dots(away, middle[..., None, :])
    beside = (dots(away, away) - along * along).clamp_min(0).sqrt()
    # how far the ellipsoid itself reaches towards the ray: its axes along what is beside
    own = torch.einsum("bqij,btqj->btqi", stand.turn, away[:, 0])[:, None]
    own = own - along[..., None] * torch.einsum("bqij,bltj->bltqi", stand.turn, middle)
    own = own * stand.radii[:, None, None]
    reach = dots(own, own).sqrt() / beside.clamp_min(1e-6)
    run = (along.abs() + ball + longest).clamp_min(0)
    grown = 1 + run * wide / shortest if soft else 1.0
    blurred = reach.minimum(longest) * grown + run * turned
    matters = (along > -(ball + longest)) & (beside < ball + blurred + 1e-3) & (ball >= 0)
    if not soft:
        return matters
    closest = (along - ball - longest).clamp_min(1e-3)
    return matters & (2 * _area(stand)[:, None, None] > _LEAST_SHADE * (closest * narrow) ** 2)


def open_sky(stand: Occluders, planes: Planes, at: Standing, normal: Tensor) -> Tensor:
    """Share of the hemisphere that each point sees: spheres cover by their solid angle."""
    batch, rays = at.point.shape[:2]
    size = stand.radii.prod(-1).clamp_min(1e-9) ** (1 / 3)
    apart = stand.centre[:, None] - at.middle[:, :, None]
    gap = dots(apart, apart).sqrt() - at.radius[..., None]
    matters = (gap.clamp_min(0) ** 2 * _LEAST_SKY < size[:, None] ** 2) & (
        at.radius[..., None] >= 0
    )
    points = at.point.reshape(-1, RAYS, 3)
    normals = normal.reshape(-1, RAYS, 3)
    own2, height = dots(points, points), dots(points, normals)
    centre, size, large = flat(stand.centre), size.reshape(-1), stand.radii.amax(-1).reshape(-1)
    seen = points.new_ones(points.shape[0], RAYS)
    for mine, index, real in near(matters):
        middle = centre[index]  # (g,L,3)
        span2 = (
            own2[mine][:, None] - 2 * torch.matmul(middle, points[mine].transpose(1, 2))
            + dots(middle, middle)[..., None]
        ).clamp_min_(1e-4)  # fmt: skip
        size2 = torch.where(real, size[index] ** 2, 0.0)[..., None].minimum(0.9 * span2)
        up = torch.matmul(middle, normals[mine].transpose(1, 2)) - height[mine][:, None]
        cosine = up * torch.rsqrt(span2)
        share = (size2 / span2 - _LEAST_SKY).clamp_min_(0)
        beyond = (span2 - (large[index] ** 2)[..., None] * 1.05).mul_(_VERY).clamp_(0, 0.85)
        covered = (cosine * 0.7 + 0.3).clamp_(0, 1).mul_(share).mul_(beyond)  # none by itself
        seen[mine] = covered.neg_().add_(1.0).prod(1)
    return seen.reshape(batch, rays) * _off_walls(planes, at.point, normal)


def _off_walls(planes: Planes, point: Tensor, normal: Tensor) -> Tensor:
    """Walls and floors darken what stands close and faces them."""
    height = torch.matmul(planes.normal, point.transpose(-1, -2)) - planes.offset[..., None]
    facing = torch.matmul(planes.normal, normal.transpose(-1, -2))
    near_ = torch.exp(-height.clamp_min(0) / 0.25) * (0.5 - 0.5 * facing).clamp(0, 1)
    return (1 - 0.6 * near_.clamp(0, 1)).prod(1)


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

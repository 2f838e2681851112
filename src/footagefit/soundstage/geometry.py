"""What rays hit: blobs, heads, boxes and planes in closed form or a few steps; shadow and cover.

Batched over scenes. Shapes: B scenes, N rays, K blobs, H heads, J boxes, P planes, M bumps.
Nothing here knows colour. Distances are in metres; rays need not be normalised by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from torch import Tensor

FAR = 1.0e4
_HEAD_STEPS = 9
_BOUND = 1.34  # a head's displaced radius never exceeds this share of its ellipsoid


@dataclass
class Blobs:
    """Ellipsoids. `turn` takes world axes to local ones."""

    centre: Tensor  # (B,K,3)
    turn: Tensor  # (B,K,3,3)
    radii: Tensor  # (B,K,3)
    material: Tensor  # (B,K) row of the material table
    group: Tensor  # (B,K) blobs of one group blend into each other; -1 stands alone


@dataclass
class Heads:
    """Star-shaped surfaces: an ellipsoid with soft bumps on its sphere of directions, and hair."""

    centre: Tensor  # (B,H,3)
    turn: Tensor  # (B,H,3,3)
    radii: Tensor  # (B,H,3)
    bump: Tensor  # (B,H,M,5): direction, amplitude, width
    hair: Tensor  # (B,H,4): thickness, hairline height, lean back, softness
    material: Tensor  # (B,H)


@dataclass
class Boxes:
    """Boxes, with edges rounded in shading."""

    centre: Tensor  # (B,J,3)
    turn: Tensor  # (B,J,3,3)
    half: Tensor  # (B,J,3)
    material: Tensor  # (B,J)


@dataclass
class Planes:
    """Infinite planes: points x with normal . x = offset, seen from the normal's side."""

    normal: Tensor  # (B,P,3)
    offset: Tensor  # (B,P)
    turn: Tensor  # (B,P,3,3) world to the plane's own axes, for textures
    material: Tensor  # (B,P)


@dataclass
class Hits:
    """Where rays meet the set.

    Attributes:
        distance: (B,N) along the unit ray; FAR where nothing is hit.
        point: (B,N,3) in the world.
        normal: (B,N,3) geometric, unit, towards the ray's origin.
        local: (B,N,3) the point in the object's own axes, in metres: textures hang on it.
        unit: (B,N,3) direction from a head's centre in its axes; zero elsewhere.
        item: (B,N) which object: planes, boxes, blobs, heads in that order; -1 for nothing.
        material: (B,N) row of the material table.
    """

    distance: Tensor
    point: Tensor
    normal: Tensor
    local: Tensor
    unit: Tensor
    item: Tensor
    material: Tensor


def unit(v: Tensor) -> Tensor:
    """Vectors of length 1."""
    return v * torch.rsqrt((v * v).sum(-1, keepdim=True).clamp_min(1e-12))


def turned(turn: Tensor, vectors: Tensor) -> Tensor:
    """(B,K,3,3) and (B,N,3): world vectors in each object's axes, (B,K,N,3)."""
    return torch.matmul(vectors[:, None], turn.transpose(-1, -2))


def quadric(origin: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the unit sphere; FAR and -FAR where they miss."""
    a = (way * way).sum(-1)
    b = (origin * way).sum(-1)
    c = (origin * origin).sum(-1) - 1.0
    root = b * b - a * c
    hit = root > 0
    root = root.clamp_min(0).sqrt()
    enter, leave = (-b - root) / a, (-b + root) / a
    enter = torch.where(hit, enter, enter.new_tensor(FAR))
    return enter, torch.where(hit, leave, leave.new_tensor(-FAR))


def features(points: Tensor) -> Tensor:
    """(B,N,3) to the ten terms of a quadratic: squares, products, coordinates, 1."""
    x, y, z = points.unbind(-1)
    one = torch.ones_like(x)
    return torch.stack([x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, one], -1)


def _forms(turn: Tensor, radii: Tensor) -> Tensor:
    """(B,K,3,3) symmetric M of each ellipsoid: |A v|^2 = v M v."""
    scaled = turn / radii[..., :, None]
    return torch.matmul(scaled.transpose(-1, -2), scaled)


def _squares(form: Tensor) -> Tensor:
    """(B,K,6) coefficients of v M v on the first six features."""
    m = form
    diagonal = [m[..., i, i] for i in range(3)]
    mixed = [2 * m[..., 0, 1], 2 * m[..., 0, 2], 2 * m[..., 1, 2]]
    return torch.stack([*diagonal, *mixed], -1)


def _about(form: Tensor, centre: Tensor) -> Tensor:
    """(B,K,10) coefficients of (p - c) M (p - c)."""
    pull = torch.matmul(form, centre[..., None])[..., 0]
    rest = (centre * pull).sum(-1, keepdim=True)
    return torch.cat([_squares(form), -2 * pull, rest], -1)


def blob_distance(blobs: Blobs, origin: Tensor, way: Tensor) -> Tensor:
    """(B,K,N) distance to each blob from the one place all rays start at; FAR where missed."""
    form = _forms(blobs.turn, blobs.radii)
    away = origin[:, :1] - blobs.centre  # (B,K,3)
    pull = torch.matmul(form, away[..., None])[..., 0]
    c = (away * pull).sum(-1)[..., None] - 1.0
    b = torch.matmul(pull, way.transpose(-1, -2))
    a = torch.matmul(_squares(form), features(way)[..., :6].transpose(-1, -2))
    root = b * b - a * c
    enter = (-b - root.clamp_min(0).sqrt()) / a
    good = (root > 0) & (enter > 1e-3)
    return torch.where(good, enter, enter.new_tensor(FAR))


def _from(origin: Tensor, centre: Tensor, turn: Tensor) -> Tensor:
    """Points relative to each object, in its axes (B,K,N,3)."""
    moved = torch.matmul(turn, centre[..., None])[..., 0]  # (B,K,3)
    return turned(turn, origin) - moved[:, :, None]


def head_radius(heads: Heads, way: Tensor) -> Tensor:
    """Radius over the ellipsoid's along unit directions (B,H,N,3) in the head's axes."""
    centres = heads.bump[..., :3]
    cosine = torch.matmul(way, centres.transpose(-1, -2)) - 1.0  # (B,H,N,M)
    widths = heads.bump[..., 4].clamp_min(1e-4)
    bumps = torch.exp(cosine / widths[:, :, None])
    radius = 1.0 + torch.matmul(bumps, heads.bump[..., 3, None])[..., 0]
    return radius + heads.hair[..., 0, None] * hair_cover(heads, way)


def hair_cover(heads: Heads, way: Tensor) -> Tensor:
    """0..1: how much of the hair mass a direction lies in."""
    height, lean, soft = (heads.hair[..., i, None] for i in (1, 2, 3))
    line = way[..., 1] - height - lean * way[..., 2]
    return torch.sigmoid(line / soft.clamp_min(1e-3))


def one_head(heads: Heads, scene: int, head: int) -> Heads:
    """A single head, still shaped (1,1,...)."""
    values = {f.name: getattr(heads, f.name)[scene : scene + 1, head : head + 1]
              for f in fields(heads)}  # fmt: skip
    return Heads(**values)


def head_hits(heads: Heads, origin: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (B,H,N) and direction from the centre (B,H,N,3), by relaxed steps from outside."""
    start = _from(origin[:, :1], heads.centre, heads.turn) / heads.radii[:, :, None]
    step = turned(heads.turn, way) / heads.radii[:, :, None]
    enter, leave = quadric(start.expand_as(step) / _BOUND, step / _BOUND)
    distance = torch.full_like(enter, FAR)
    towards = torch.zeros_like(step)
    for scene in range(enter.shape[0]):
        for head in range(enter.shape[1]):
            near = torch.nonzero((enter[scene, head] < FAR) & (leave[scene, head] > 0))[:, 0]
            if near.numel() == 0:
                continue
            own = one_head(heads, scene, head)
            t, at = _march(own, start[scene, head], step[scene, head, near],
                           enter[scene, head, near], leave[scene, head, near])  # fmt: skip
            distance[scene, head, near] = t
            towards[scene, head, near] = at
    return distance, towards


def _march(
    own: Heads, start: Tensor, step: Tensor, enter: Tensor, leave: Tensor
) -> tuple[Tensor, Tensor]:
    """Steps of some rays (n,3) towards one head's surface."""
    speed = (step * step).sum(-1).sqrt()
    t = enter.clamp_min(0.0)
    gap = torch.full_like(t, FAR)
    for _ in range(_HEAD_STEPS):
        point = start + t[:, None] * step
        length = (point * point).sum(-1).sqrt()
        way = point / length[:, None].clamp_min(1e-6)
        gap = length - head_radius(own, way[None, None])[0, 0]
        t = torch.minimum(t + 0.9 * gap / speed, leave.clamp_min(0) + 1.0)
    good = (t < leave) & (gap.abs() < 0.02)
    return torch.where(good, t, t.new_tensor(FAR)), unit(start + t[:, None] * step)


def head_shade(
    heads: Heads, at_head: Tensor, which: Tensor, towards: Tensor, spread: Tensor
) -> Tensor:
    """Share of a source that a point on a head sees past that head's own nose, brow and chin.

    Args:
        heads: The heads.
        at_head: (B,N,3) directions of the hits in their head's axes; zero off heads.
        which: (B,N) head index.
        towards: (B,N,3) unit, to the source.
        spread: (B,1) or (B,N) tangent of the source's angular radius.
    """
    share = torch.ones_like(towards[..., 0])
    on_head = at_head.square().sum(-1) > 0.5
    spread = spread.expand_as(share)
    for scene in range(share.shape[0]):
        for head in range(heads.centre.shape[1]):
            near = torch.nonzero(on_head[scene] & (which[scene] == head))[:, 0]
            if near.numel() == 0:
                continue
            own = one_head(heads, scene, head)
            way = at_head[scene, near]
            radius = head_radius(own, way[None, None])[0, 0]
            step = torch.matmul(towards[scene, near], own.turn[0, 0].T) / own.radii[0, 0]
            step = step / (step * step).sum(-1, keepdim=True).sqrt()
            point = way * radius[:, None]
            seen = torch.ones_like(radius)
            for reach in (0.06, 0.13, 0.22, 0.34, 0.5):
                ahead = point + reach * step
                length = (ahead * ahead).sum(-1).sqrt()
                gap = length - head_radius(own, (ahead / length[:, None])[None, None])[0, 0]
                soft = 0.012 + reach * spread[scene, near]
                seen = torch.minimum(seen, (gap / soft * 0.5 + 0.8).clamp(0, 1))
            share[scene, near] = seen * seen * (3 - 2 * seen)
    return share


def head_normal(heads: Heads, way: Tensor) -> Tensor:
    """Unit normals in the head's axes at unit directions (B,H,N,3), by central differences."""
    radius = head_radius(heads, way)
    small = 0.012
    slope = torch.empty_like(way)
    for axis in range(3):
        offset = torch.zeros(3, device=way.device, dtype=way.dtype)
        offset[axis] = small
        near = unit(way + offset)
        slope[..., axis] = (head_radius(heads, near) - radius) / small
    slope = slope - (slope * way).sum(-1, keepdim=True) * way
    gradient = way - slope / radius[..., None].clamp_min(0.2)
    return unit(gradient / heads.radii[:, :, None])


def box_hits(boxes: Boxes, origin: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (B,J,N) to each box and the hit in its axes (B,J,N,3)."""
    start = _from(origin, boxes.centre, boxes.turn)
    step = turned(boxes.turn, way)
    step = torch.where(step.abs() < 1e-7, step.new_tensor(1e-7), step)
    half = boxes.half[:, :, None]
    one, two = (-half - start) / step, (half - start) / step
    enter = torch.minimum(one, two).amax(-1)
    leave = torch.maximum(one, two).amin(-1)
    good = (enter < leave) & (enter > 1e-3)
    t = torch.where(good, enter, enter.new_tensor(FAR))
    return t, start + t[..., None].clamp_max(100.0) * step


def plane_distance(planes: Planes, origin: Tensor, way: Tensor) -> Tensor:
    """(B,P,N) distance to each plane, from its front only."""
    facing = torch.matmul(planes.normal, way.transpose(-1, -2))
    height = planes.offset[..., None] - torch.matmul(planes.normal, origin.transpose(-1, -2))
    t = height / facing.clamp_max(-1e-5)
    return torch.where((facing < -1e-5) & (t > 1e-3), t, t.new_tensor(FAR))


def pick(values: Tensor, index: Tensor) -> Tensor:
    """(B,K,...) and (B,N): the row of each ray's object."""
    shape = (*index.shape, *values.shape[2:])
    flat = index.reshape(*index.shape, *([1] * (values.dim() - 2))).expand(shape)
    return torch.gather(values, 1, flat)


def _pick_ray(values: Tensor, index: Tensor) -> Tensor:
    """(B,K,N,C) and (B,N): each ray's own entry for its object."""
    flat = index[:, None, :, None].expand(-1, 1, -1, values.shape[-1])
    return torch.gather(values, 1, flat)[:, 0]


def trace(
    planes: Planes, boxes: Boxes, blobs: Blobs, heads: Heads, origin: Tensor, way: Tensor
) -> Hits:
    """The nearest hit of each ray.

    Args:
        planes: The set's planes.
        boxes: Its boxes.
        blobs: Its blobs.
        heads: Its heads.
        origin: (B,N,3) where rays start.
        way: (B,N,3) unit directions.
    """
    to_box, at_box = box_hits(boxes, origin, way)
    to_head, at_head = head_hits(heads, origin, way)
    to_plane = plane_distance(planes, origin, way)
    to_blob = blob_distance(blobs, origin, way)
    counts = [t.shape[1] for t in (to_plane, to_box, to_blob, to_head)]
    distance, item = torch.cat([to_plane, to_box, to_blob, to_head], 1).min(1)
    first = [0, counts[0], counts[0] + counts[1], counts[0] + counts[1] + counts[2]]
    point = origin + way * distance.clamp_max(FAR)[..., None]
    which = [(item - start).clamp(0, count - 1) for start, count in zip(first, counts, strict=True)]
    is_box = (item >= first[1]) & (item < first[2])
    is_blob = (item >= first[2]) & (item < first[3])
    is_head = item >= first[3]
    normal, local = _plane_surface(planes, which[0], point)
    for mask, (facing, inside) in (
        (is_box, _box_surface(boxes, which[1], at_box)),
        (is_blob, _blob_surface(blobs, which[2], point, is_blob)),
        (is_head, _head_surface(heads, which[3], at_head, point)),
    ):
        normal = torch.where(mask[..., None], facing, normal)
        local = torch.where(mask[..., None], inside, local)
    normal = torch.where(((normal * way).sum(-1) > 0)[..., None], -normal, normal)
    rows = [
        pick(part.material, w) for part, w in zip((planes, boxes, blobs, heads), which, strict=True)
    ]
    material = torch.where(is_box, rows[1], rows[0])
    material = torch.where(is_blob, rows[2], torch.where(is_head, rows[3], material))
    direction = torch.where(is_head[..., None], _pick_ray(at_head, which[3]), torch.zeros_like(way))
    nothing = distance >= FAR
    item = torch.where(nothing, torch.full_like(item, -1), item)
    return Hits(distance, point, normal, local, direction, item, material)


def _plane_surface(planes: Planes, index: Tensor, point: Tensor) -> tuple[Tensor, Tensor]:
    turn = pick(planes.turn, index)
    return pick(planes.normal, index), torch.matmul(turn, point.clamp(-80, 80)[..., None])[..., 0]


def _box_surface(boxes: Boxes, index: Tensor, at_box: Tensor) -> tuple[Tensor, Tensor]:
    local = _pick_ray(at_box, index)
    share = local / pick(boxes.half, index)
    sharp = share.abs().clamp(0, 1) ** 24 * torch.sign(share)  # edges rounded in shading
    turn = pick(boxes.turn, index)
    return torch.matmul(turn.transpose(-1, -2), unit(sharp)[..., None])[..., 0], local


def _blob_surface(
    blobs: Blobs, index: Tensor, point: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    turn, radii = pick(blobs.turn, index), pick(blobs.radii, index)
    local = torch.matmul(turn, (point - pick(blobs.centre, index))[..., None])[..., 0]
    own = unit(local / radii.square())
    group = pick(blobs.group, index)
    normal = torch.matmul(turn.transpose(-1, -2), own[..., None])[..., 0]
    for scene in range(point.shape[0]):
        near = torch.nonzero(mask[scene] & (group[scene] >= 0))[:, 0]
        if near.numel():
            normal[scene, near] = _blended(
                blobs, scene, group[scene, near], point[scene, near], normal[scene, near]
            )
    return normal, local


def _blended(blobs: Blobs, scene: int, group: Tensor, point: Tensor, own: Tensor) -> Tensor:
    """Normals (n,3) near a seam between blobs of one figure, as if they were one smooth body."""
    keep = torch.nonzero(blobs.group[scene] >= 0)[:, 0]
    turn, radii = blobs.turn[scene, keep], blobs.radii[scene, keep]
    local = _from(point[None], blobs.centre[scene : scene + 1, keep], turn[None])[0]
    scaled = local / radii[:, None]
    depth = (scaled * scaled).sum(-1).sqrt() - 1.0
    friend = blobs.group[scene, keep][:, None] == group[None]
    weight = torch.exp(-(depth.abs() * radii.amin(-1)[:, None] / 0.035).clamp_max(30.0)) * friend
    world = torch.matmul(unit(scaled / radii[:, None]), turn)  # back to the world's axes
    return unit((weight[..., None] * world).sum(0) + 1e-3 * own)


def _head_surface(
    heads: Heads, index: Tensor, at_head: Tensor, point: Tensor
) -> tuple[Tensor, Tensor]:
    turn = pick(heads.turn, index)
    local = torch.matmul(turn, (point - pick(heads.centre, index))[..., None])[..., 0]
    normal = torch.zeros_like(point)
    way = _pick_ray(at_head, index)
    for scene in range(point.shape[0]):
        for head in range(heads.centre.shape[1]):
            near = torch.nonzero((index[scene] == head) & (way[scene].square().sum(-1) > 0.5))[:, 0]
            if near.numel():
                own = one_head(heads, scene, head)
                facing = head_normal(own, way[scene, near][None, None])[0, 0]
                normal[scene, near] = torch.matmul(facing, own.turn[0, 0])
    return normal, local


@dataclass
class Occluders:
    """What throws shadows and covers the sky: ellipsoids that stand for everything but planes."""

    centre: Tensor  # (B,Q,3)
    turn: Tensor  # (B,Q,3,3)
    radii: Tensor  # (B,Q,3)
    form: Tensor  # (B,Q,3,3)


def occluders(boxes: Boxes, blobs: Blobs, heads: Heads) -> Occluders:
    """Boxes and heads become ellipsoids of about their volume."""
    turn = torch.cat([blobs.turn, heads.turn, boxes.turn], 1)
    radii = torch.cat([blobs.radii * 0.98, heads.radii * 0.98, boxes.half * 1.15], 1)
    centre = torch.cat([blobs.centre, heads.centre, boxes.centre], 1)
    return Occluders(centre, turn, radii, _forms(turn, radii))


def light_reaching(
    stand: Occluders, point: Tensor, towards: Tensor, reach: Tensor, spread: Tensor
) -> Tensor:
    """Share of a source that each point sees, 0..1, soft and free of noise.

    A source of angular radius a, seen past a sphere whose edge the ray clears by d after
    travelling t, is covered where d < t tan a: the share follows smoothly from d / (t tan a).

    Args:
        stand: The occluders.
        point: (B,N,3), already lifted off its surface.
        towards: (B,N,3) unit, to the source's middle; (B,1,3) where it is far.
        reach: (B,N) distance of the source.
        spread: (B,1) or (B,N) tangent of its angular radius.
    """
    form = stand.form
    terms = features(point).transpose(-1, -2)
    start2 = torch.matmul(_about(form, stand.centre), terms)  # (B,Q,N)
    if towards.shape[1] == 1:  # a far source: one direction for all points
        pull = torch.matmul(form, towards[:, :, :, None])[..., 0]  # (B,Q,3)
        speed = (pull * towards).sum(-1, keepdim=True)
        cross = torch.matmul(pull, point.transpose(-1, -2)) - (pull * stand.centre).sum(
            -1, keepdim=True
        )
    else:
        speed = torch.matmul(_squares(form), features(towards)[..., :6].transpose(-1, -2))
        pulled = torch.einsum("bqij,bnj->bqni", form, towards)
        cross = (pulled * point[:, None]).sum(-1) - torch.einsum(
            "bqni,bqi->bqn", pulled, stand.centre
        )
    along = -cross / speed  # where the ray passes nearest
    nearest = (start2 - cross * cross / speed).clamp_min(0).sqrt()
    size = stand.radii.amin(-1)[:, :, None]
    clear = (nearest - 1.0) * size
    blur = along.clamp_min(1e-3) * spread[:, None].clamp_min(2e-3)
    lit = (clear / blur * 0.5 + 0.5).clamp(0, 1)
    lit = lit * lit * (3 - 2 * lit)
    ahead = (along > 0) & (along < reach[:, None]) & (start2 >= 1.0)
    return torch.where(ahead, lit, torch.ones_like(lit)).prod(1)


def open_sky(stand: Occluders, planes: Planes, point: Tensor, normal: Tensor) -> Tensor:
    """Share of the hemisphere that each point sees: spheres cover by their solid angle."""
    span2 = (
        (point * point).sum(-1)[:, None]
        - 2 * torch.matmul(stand.centre, point.transpose(-1, -2))
        + (stand.centre * stand.centre).sum(-1)[..., None]
    ).clamp_min(1e-4)
    size = stand.radii.prod(-1).clamp_min(1e-9) ** (1 / 3)
    size2 = (size[:, :, None] ** 2).minimum(0.9 * span2)
    height = (
        torch.matmul(stand.centre, normal.transpose(-1, -2)) - (point * normal).sum(-1)[:, None]
    )
    cosine = height * torch.rsqrt(span2)
    covered = (cosine * 0.7 + 0.3).clamp(0, 1) * size2 / span2
    own = span2 < stand.radii.amax(-1)[:, :, None] ** 2 * 1.05
    seen = torch.where(own, torch.ones_like(covered), 1 - 0.85 * covered).prod(1)
    height = torch.matmul(planes.normal, point.transpose(-1, -2)) - planes.offset[..., None]
    facing = torch.matmul(planes.normal, normal.transpose(-1, -2))
    near = torch.exp(-height.clamp_min(0) / 0.25) * (0.5 - 0.5 * facing).clamp(0, 1)
    return seen * (1 - 0.6 * near.clamp(0, 1)).prod(1)


Part = TypeVar("Part", Blobs, Heads, Boxes, Planes)


def moved(part: Part, device: torch.device) -> Part:
    """The same objects on another device."""
    values = {f.name: getattr(part, f.name).to(device) for f in fields(part)}
    return type(part)(**values)

"""What each ray meets first. Rays of a scene start at one place and run tile by tile."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from footagefit.soundstage import bodies, foliage
from footagefit.soundstage import heads as faces
from footagefit.soundstage.shapes import (
    FAR,
    Blobs,
    Boxes,
    Bushes,
    Heads,
    Hits,
    Planes,
    applied,
    features,
    flat,
    forms,
    pick,
    spans,
    squares,
    unit,
)  # fmt: skip
from footagefit.soundstage.tiles import RAYS, in_sight, meets, near

_EDGE_M = 0.009  # over what distance boxes' edges are rounded


@dataclass
class _Nearest:
    """The nearest hit so far of every ray, rays of all scenes in one row."""

    distance: Tensor  # (B*N,)
    item: Tensor  # (B*N,)

    def closer(self, distance: Tensor, item: Tensor) -> None:
        better = distance < self.distance
        self.item = torch.where(better, item, self.item)
        self.distance = torch.where(better, distance, self.distance)

    def put(self, rays: Tensor, distance: Tensor, item: Tensor | int) -> None:
        """Some rays' hits, kept where they are closer."""
        better = distance < self.distance[rays]
        mine = rays[better]
        self.distance[mine] = distance[better]
        self.item[mine] = item[better] if isinstance(item, Tensor) else item


@dataclass
class Parts:
    """The shapes of a batch of scenes, and where each kind's numbers begin among `Hits.item`."""

    planes: Planes
    boxes: Boxes
    blobs: Blobs
    heads: Heads
    bushes: Bushes

    @property
    def first(self) -> list[int]:
        """First number of planes, boxes, blobs, heads, bushes, and the number after the last."""
        counts = [self.planes.normal.shape[1]] + [
            part.centre.shape[1] for part in (self.boxes, self.blobs, self.heads, self.bushes)
        ]
        return [sum(counts[:i]) for i in range(6)]


def trace(parts: Parts, origin: Tensor, way: Tensor) -> Hits:
    """The nearest hit of each ray.

    Args:
        parts: The scenes' shapes.
        origin: (B,3) where rays start.
        way: (B,N,3) unit directions, N a multiple of a tile.
    """
    best, found = _nearest(parts, origin, way)
    return _surfaces(parts, origin, way, best, found)


def items(parts: Parts, origin: Tensor, way: Tensor) -> Tensor:
    """(B,N) `Hits.item` of each ray, and no more; any blob of a body stands for all."""
    return _nearest(parts, origin, way)[0].item.reshape(way.shape[:2])


@dataclass
class _Found:
    """What the nearest hits' surfaces are read from."""

    bodies: bodies.Bodies
    rows: list[bodies.Row]
    heads: list[tuple[int, int, Tensor, Tensor]]
    leaves: list[tuple[int, Tensor, Tensor]]


def _nearest(parts: Parts, origin: Tensor, way: Tensor) -> tuple[_Nearest, _Found]:
    """The nearest hits, kind by kind."""
    batch, rays = way.shape[:2]
    first = parts.first
    tiles = way.reshape(batch, rays // RAYS, RAYS, 3)
    distance, item = _plane_distance(parts.planes, origin, way).min(1)
    best = _Nearest(distance.reshape(-1), item.reshape(-1))
    _boxes(parts.boxes, origin, tiles, best, first[1])
    entries = _blobs(parts.blobs, origin, tiles, best, first[2])
    made = bodies.Bodies(parts.blobs, origin, flat(way))
    rows = _bodies(made, entries, best, first[2])
    towards = _heads(parts.heads, origin, tiles, best, first[3])
    leaves = _bushes(parts.bushes, origin, tiles, best, first[4])
    best.item = torch.where(best.distance >= FAR, torch.full_like(best.item, -1), best.item)
    return best, _Found(made, rows, towards, leaves)


def _plane_distance(planes: Planes, origin: Tensor, way: Tensor) -> Tensor:
    """(B,P,N) distance to each plane, from its front only and not through its hole."""
    facing = torch.matmul(planes.normal, way.transpose(-1, -2))
    height = planes.offset - (planes.normal * origin[:, None]).sum(-1)
    t = height[..., None] / facing.clamp_max(-1e-5)
    good = (facing < -1e-5) & (t > 1e-3) & (t < FAR)
    if bool((planes.hole[..., 2] > 0).any()):
        along = torch.matmul(planes.turn[:, :, :2], way[:, None].transpose(-1, -2))  # (B,P,2,N)
        start = applied(planes.turn, origin[:, None].expand_as(planes.normal))[..., :2]
        at = start[..., None] + along * t[:, :, None] - planes.hole[..., :2, None]
        good &= ~(at.abs() < planes.hole[..., 2:, None]).all(2)
    return torch.where(good, t, t.new_tensor(FAR))


def _boxes(boxes: Boxes, origin: Tensor, tiles: Tensor, best: _Nearest, first: int) -> None:
    _batch, _count, rays, _ = tiles.shape
    away = boxes.centre - origin[:, None]
    start = -applied(boxes.turn, away)  # (B,J,3)
    turn, half, from_ = flat(boxes.turn), flat(boxes.half), flat(start)
    ways = tiles.reshape(-1, rays, 3).transpose(1, 2)
    seen = in_sight(tiles, away, boxes.half.norm(dim=-1))
    distance, item = best.distance.reshape(-1, rays), best.item.reshape(-1, rays)
    for mine, index, real in near(seen):
        step = torch.matmul(turn[index], ways[mine][:, None])  # (g,L,3,S)
        step = torch.where(step.abs() < 1e-7, step.new_tensor(1e-7), step).reciprocal_()
        one = (-half[index] - from_[index])[..., None] * step
        two = (half[index] - from_[index])[..., None] * step
        enter, leave = torch.minimum(one, two).amax(2), torch.maximum(one, two).amin(2)
        good = (enter < leave) & (enter > 1e-3) & real[..., None]
        t, slot = torch.where(good, enter, enter.new_tensor(FAR)).min(1)
        number = torch.gather(index, 1, slot) % boxes.centre.shape[1] + first
        better = t < distance[mine]
        distance[mine] = torch.where(better, t, distance[mine])
        item[mine] = torch.where(better, number, item[mine])
    best.distance, best.item = distance.reshape(-1), item.reshape(-1)


def _blobs(
    blobs: Blobs, origin: Tensor, tiles: Tensor, best: _Nearest, first: int
) -> dict[int, Tensor]:
    """Blobs that stand alone; and for those of groups, where rays come near each group (B*N,)."""
    rays, count = tiles.shape[2], blobs.centre.shape[1]
    more = bodies.INFLATE * blobs.melt * (blobs.group >= 0)
    radii = blobs.radii + more[..., None]
    form = forms(blobs.turn, radii)
    away = origin[:, None] - blobs.centre
    pull = applied(form, away)
    rest = flat((away * pull).sum(-1) - 1.0)
    square, pull = flat(squares(form)), flat(pull)
    ways = tiles.reshape(-1, rays, 3)
    terms, ways = features(ways), ways.transpose(1, 2)
    seen = meets(tiles, -away, spans(blobs.turn, radii), torch.zeros_like(more))
    distance, item = best.distance.reshape(-1, rays), best.item.reshape(-1, rays)
    entries: dict[int, Tensor] = {}
    for group in torch.unique(blobs.group).tolist():
        entry = torch.full_like(distance, FAR)
        for mine, index, real in near(seen & (blobs.group == group)[:, None]):
            c = torch.where(real, rest[index], 1e30)[..., None]  # what is not there is never met
            b = torch.matmul(pull[index], ways[mine])
            a = torch.matmul(square[index], terms[mine])
            root = torch.addcmul(a * c, b, b, value=-1.0).neg_()
            enter = root.clamp_min(0).sqrt_().add_(b).neg_().div_(a)
            if group < 0:
                t, slot = torch.where((root > 0) & (enter > 1e-3), enter, FAR).min(1)
                better = t < distance[mine]
                number = torch.gather(index, 1, slot) % count + first
                distance[mine] = torch.where(better, t, distance[mine])
                item[mine] = torch.where(better, number, item[mine])
            else:
                good = (root > 0) & ((enter > 1e-3) | (c < 0))
                entry[mine] = torch.where(good, enter, FAR).amin(1).clamp_min_(0)
        if group >= 0:
            entries[group] = entry.reshape(-1)
    best.distance, best.item = distance.reshape(-1), item.reshape(-1)
    return entries


def _bodies(
    made: bodies.Bodies, entries: dict[int, Tensor], best: _Nearest, first: int
) -> list[bodies.Row]:
    """Blobs that melt together; their hits are numbered by their group's first blob for now."""
    rows = list(made.march(entries, best.distance))
    for row in rows:
        rays, distance = row.rays.reshape(-1), row.distance.reshape(-1)
        best.distance.scatter_reduce_(0, rays, distance, "amin")
        tag = (row.tag[:, None] + first).expand(row.rays.shape).reshape(-1)
        won = torch.nonzero((distance < FAR) & (distance <= best.distance[rays]))[:, 0]
        best.item[rays[won]] = tag[won]
    return rows


def _balls(centre: Tensor, turn: Tensor, radii: Tensor, origin: Tensor, way: Tensor) -> tuple[
    Tensor, Tensor, Tensor, Tensor
]:  # fmt: skip
    """One ellipsoid's start (3,), step (n,3), enter and leave (n,) for rays (n,3)."""
    start = applied(turn, origin - centre) / radii
    step = torch.matmul(way, turn.T) / radii
    a, b = (step * step).sum(-1), torch.matmul(step, start)
    root = b * b - a * ((start * start).sum() - 1.0)
    far = root.clamp_min(0).sqrt()
    missed = root <= 0
    enter = torch.where(missed, root.new_tensor(FAR), (-b - far) / a)
    return start, step, enter, torch.where(missed, root.new_tensor(-FAR), (-b + far) / a)


def _heads(
    heads: Heads, origin: Tensor, tiles: Tensor, best: _Nearest, first: int
) -> list[tuple[int, int, Tensor, Tensor]]:
    """Faces; returns by head its scene, number, the rays that met it and their directions on it."""
    batch, count, rays, _ = tiles.shape
    seen = in_sight(tiles, heads.centre - origin[:, None], heads.radii.amax(-1) * faces.BOUND)
    way = tiles.reshape(-1, 3)
    found = []
    for scene in range(batch):
        for head in range(heads.centre.shape[1]):
            near_ = torch.nonzero(seen[scene, :, head])[:, 0]
            if near_.numel() == 0:
                continue
            at = _rays_of(near_ + scene * count, rays, way.device)
            radii = heads.radii[scene, head]
            placed = (heads.centre[scene, head], heads.turn[scene, head])
            _, _, enter, leave = _balls(*placed, radii * faces.BOUND, origin[scene], way[at])
            close = (enter < best.distance[at]) & (leave > 0)
            at, enter, leave = at[close], enter[close], leave[close]
            if at.numel() == 0:
                continue
            start = applied(placed[1], origin[scene] - placed[0]) / radii
            step = torch.matmul(way[at], placed[1].T) / radii
            t, towards = faces.march(heads.chart[scene, head], start, step, enter, leave)
            best.put(at, t, first + head)
            found.append((scene, head, at, towards))
    return found


def _bushes(
    bushes: Bushes, origin: Tensor, tiles: Tensor, best: _Nearest, first: int
) -> list[tuple[int, Tensor, Tensor]]:
    """Leaves; returns by bush its number, the rays that met it and the leaf's normal there."""
    batch, count, rays, _ = tiles.shape
    seen = in_sight(tiles, bushes.centre - origin[:, None], bushes.radii.amax(-1))
    way = tiles.reshape(-1, 3)
    found = []
    for scene in range(batch):
        for bush in range(bushes.centre.shape[1]):
            near_ = torch.nonzero(seen[scene, :, bush])[:, 0]
            if near_.numel() == 0:
                continue
            at = _rays_of(near_ + scene * count, rays, way.device)
            centre, turn = bushes.centre[scene, bush], bushes.turn[scene, bush]
            radii = bushes.radii[scene, bush]
            _, _, enter, leave = _balls(centre, turn, radii, origin[scene], way[at])
            leave = torch.minimum(leave, best.distance[at])
            close = enter < leave
            at, enter, leave = at[close], enter[close], leave[close]
            if at.numel() == 0:
                continue
            t, facing = foliage.hit(bushes, scene, bush, origin[scene], way[at], enter, leave)
            best.put(at, t, first + bush)
            found.append((first + bush, at, facing))
    return found


def _rays_of(tiles: Tensor, rays: int, device: torch.device) -> Tensor:
    return (tiles[:, None] * rays + torch.arange(rays, device=device)).reshape(-1)


def _surfaces(
    parts: Parts, origin: Tensor, way: Tensor, best: _Nearest, found: _Found
) -> Hits:
    """Normals, local points and materials of the nearest hits."""
    batch, rays = way.shape[:2]
    first = parts.first
    distance, item = best.distance.reshape(batch, rays), best.item.reshape(batch, rays)
    point = origin[:, None] + way * distance.clamp_max(FAR)[..., None]
    which = item.clamp(0, first[1] - 1)
    normal = pick(parts.planes.normal, which)
    local = applied(pick(parts.planes.turn, which), point.clamp(-80, 80))
    material = pick(parts.planes.material, which)
    hits = Hits(distance, point, normal, local, local, torch.zeros_like(way), item, material,
                way.new_zeros(batch, rays, 5))  # fmt: skip
    rows = _Rows(hits, batch, rays)
    _box_surface(parts.boxes, rows, first[1], first[2])
    _body_surface(parts.blobs, found, rows, first[2])
    _blob_surface(parts.blobs, rows, first[2], first[3])
    for scene, head, at, facing in found.heads:
        mine = rows.item[at] == first[3] + head
        _head_surface(parts.heads, scene, head, at[mine], facing[mine], rows)
    for number, at, facing in found.leaves:
        mine = rows.item[at] == number
        rows.normal[at[mine]] = facing[mine]
        _hang(parts.bushes, rows, at[mine], number - first[4])
    _to_camera(rows, flat(way), first[4])
    return hits


def _to_camera(rows: _Rows, way: Tensor, first_bush: int) -> None:
    """Leaves have two sides; what is round turns away at its rim, never past it."""
    away = (rows.normal * way).sum(-1, keepdim=True)
    turned = unit(rows.normal - 1.001 * away * way)
    turned = torch.where((rows.item >= first_bush)[:, None], -rows.normal, turned)
    rows.normal.copy_(torch.where(away > 0, turned, rows.normal))


class _Rows:
    """The tensors of `Hits` with rays of all scenes in one row, sharing their memory."""

    def __init__(self, hits: Hits, batch: int, rays: int) -> None:
        hits.normal, hits.local = hits.normal.contiguous(), hits.local.contiguous()
        hits.texture = hits.local.clone()
        hits.material = hits.material.contiguous()
        self.rays = rays
        self.point, self.normal, self.local = flat(hits.point), flat(hits.normal), flat(hits.local)
        self.texture, self.unit = flat(hits.texture), flat(hits.unit)
        self.item, self.material = hits.item.reshape(-1), hits.material.reshape(-1)
        self.chart = flat(hits.chart)

    def between(self, low: int, high: int) -> Tensor:
        return torch.nonzero((self.item >= low) & (self.item < high))[:, 0]


def _box_surface(boxes: Boxes, rows: _Rows, low: int, high: int) -> None:
    at = rows.between(low, high)
    if at.numel() == 0:
        return
    index = at // rows.rays * boxes.centre.shape[1] + rows.item[at] - low
    turn, half = flat(boxes.turn)[index], flat(boxes.half)[index]
    local = applied(turn, rows.point[at] - flat(boxes.centre)[index])
    to_edge = half - local.abs()
    nearest = to_edge.amin(-1, keepdim=True)
    edge = torch.minimum(half.amin(-1, keepdim=True) * 0.4, half.new_tensor(_EDGE_M))
    lean = (1 - (to_edge - nearest) / edge).clamp(0, 1) * torch.sign(local)
    rows.normal[at] = applied(turn.transpose(1, 2), unit(lean))
    rows.local[at] = local
    # every face has its own cut of the material, long side along y
    rows.texture[at] = local + torch.sign(lean) * (lean.abs() >= 1) * 0.37
    rows.material[at] = boxes.material.reshape(-1)[index]


def _body_surface(blobs: Blobs, found: _Found, rows: _Rows, low: int) -> None:
    """Bodies' hits get the number of the blob they are on."""
    count = blobs.centre.shape[1]
    for row in found.rows:
        met = row.distance < FAR
        some = met & (rows.item[row.rays] == row.tag[:, None] + low)
        if not bool(some.any()):
            continue
        at = row.rays[some]
        which, *values = found.bodies.surface(row, some)
        rows.normal[at], rows.local[at], rows.texture[at] = values
        rows.item[at], rows.material[at] = which % count + low, blobs.material.reshape(-1)[which]


def _blob_surface(blobs: Blobs, rows: _Rows, low: int, high: int) -> None:
    """Blobs that stand alone."""
    at = rows.between(low, high)
    index = at // rows.rays * blobs.centre.shape[1] + rows.item[at] - low
    alone = blobs.group.reshape(-1)[index] < 0
    at, index = at[alone], index[alone]
    if at.numel() == 0:
        return
    turn, radii = flat(blobs.turn)[index], flat(blobs.radii)[index]
    local = applied(turn, rows.point[at] - flat(blobs.centre)[index])
    rows.normal[at] = applied(turn.transpose(1, 2), unit(local / radii.square()))
    rows.local[at], rows.texture[at] = local, local
    rows.material[at] = blobs.material.reshape(-1)[index]


def _head_surface(heads: Heads, scene: int, head: int, at: Tensor, way: Tensor,
                  rows: _Rows) -> None:  # fmt: skip
    if at.numel() == 0:
        return
    turn = heads.turn[scene, head]
    values = faces.read(heads.chart[scene, head], way)
    rows.normal[at] = torch.matmul(faces.normals(values, way, heads.radii[scene, head]), turn)
    local = torch.matmul(rows.point[at] - heads.centre[scene, head], turn.T)
    rows.local[at], rows.texture[at], rows.unit[at] = local, local, way
    rows.chart[at, :2] = values[:, 4:6]
    rows.chart[at, 2:] = torch.matmul(faces.across_strands(way), turn)
    rows.material[at] = heads.material[scene, head]


def _hang(bushes: Bushes, rows: _Rows, at: Tensor, bush: int) -> None:
    if at.numel() == 0:
        return
    scene = at // rows.rays
    turn = bushes.turn[scene, bush]
    local = applied(turn, rows.point[at] - bushes.centre[scene, bush])
    rows.local[at], rows.texture[at] = local, local
    rows.material[at] = bushes.material[scene, bush]

"""What each ray meets first. Rays of a scene start at one place and run tile by tile."""

from __future__ import annotations

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
    spans,
    squares,
)  # fmt: skip
from footagefit.soundstage.surfaces import Found, Nearest, Parts, surfaces
from footagefit.soundstage.tiles import RAYS, in_sight, meets, near


def trace(parts: Parts, origin: Tensor, way: Tensor) -> Hits:
    """The nearest hit of each ray.

    Args:
        parts: The scenes' shapes.
        origin: (B,3) where rays start.
        way: (B,N,3) unit directions, N a multiple of a tile.
    """
    best, found = _nearest(parts, origin, way)
    return surfaces(parts, origin, way, best, found)


def subject(parts: Parts, origin: Tensor, way: Tensor) -> Tensor:
    """(B,N) whether a ray meets something before any plane, about: all things are ellipsoids."""
    grown = 1.15  # of a box's half sides: about its volume
    kinds = (parts.boxes, parts.blobs, parts.heads, parts.bushes)
    centre, turn = (torch.cat([getattr(kind, n) for kind in kinds], 1) for n in ("centre", "turn"))
    round_ = [kind.radii for kind in (parts.blobs, parts.heads, parts.bushes)]
    form = forms(turn, torch.cat([parts.boxes.half * grown, *round_], 1))
    away = origin[:, None] - centre
    pull = applied(form, away)
    rest = (away * pull).sum(-1, keepdim=True) - 1.0
    b = torch.matmul(pull, way.transpose(1, 2))
    a = torch.matmul(squares(form), features(way))
    root = torch.addcmul(-a * rest, b, b)
    enter = (-b - root.clamp_min(0).sqrt()) / a
    met = torch.where((root > 0) & (b < 0), enter, enter.new_tensor(FAR)).amin(1)
    return met < _plane_distance(parts.planes, origin, way).amin(1)


def _nearest(parts: Parts, origin: Tensor, way: Tensor) -> tuple[Nearest, Found]:
    """The nearest hits, kind by kind."""
    batch, rays = way.shape[:2]
    first = parts.first
    tiles = way.reshape(batch, rays // RAYS, RAYS, 3)
    distance, item = _plane_distance(parts.planes, origin, way).min(1)
    best = Nearest(distance.reshape(-1), item.reshape(-1))
    _boxes(parts.boxes, origin, tiles, best, first[1])
    entries = _blobs(parts.blobs, origin, tiles, best, first[2])
    made = bodies.Bodies(parts.blobs, origin, flat(way))
    rows = _bodies(made, entries, best, first[2])
    towards = _heads(parts.heads, origin, tiles, best, first[3])
    leaves = _bushes(parts.bushes, origin, tiles, best, first[4])
    best.item = torch.where(best.distance >= FAR, torch.full_like(best.item, -1), best.item)
    return best, Found(made, rows, towards, leaves)


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


def _boxes(boxes: Boxes, origin: Tensor, tiles: Tensor, best: Nearest, first: int) -> None:
    rays = tiles.shape[2]
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
    blobs: Blobs, origin: Tensor, tiles: Tensor, best: Nearest, first: int
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
    made: bodies.Bodies, entries: dict[int, Tensor], best: Nearest, first: int
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
    heads: Heads, origin: Tensor, tiles: Tensor, best: Nearest, first: int
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
    bushes: Bushes, origin: Tensor, tiles: Tensor, best: Nearest, first: int
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

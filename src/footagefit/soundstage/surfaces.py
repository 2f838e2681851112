"""What is where rays met the set: normals, the object's own axes and cloth, materials.

Here: from the nearest hits of `tracing` to `Hits`. Which hit is nearest is not told here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from footagefit.soundstage import bodies
from footagefit.soundstage import heads as faces
from footagefit.soundstage.face import Face
from footagefit.soundstage.shapes import (
    FAR,
    Blobs,
    Boxes,
    Bushes,
    Heads,
    Hits,
    Planes,
    Shown,
    applied,
    dots,
    flat,
    unit,
)  # fmt: skip

_EDGE_M = 0.009  # over what distance boxes' edges are rounded


@dataclass
class Nearest:
    """The nearest hit so far of every ray, rays of all scenes in one row."""

    distance: Tensor  # (B*N,)
    item: Tensor  # (B*N,)

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


@dataclass
class Found:
    """What the nearest hits' surfaces are read from; heads and leaves by scene and object."""

    bodies: bodies.Bodies
    rows: list[bodies.Row]
    heads: list[tuple[int, int, Tensor, Tensor]]
    leaves: list[tuple[int, Tensor, Tensor]]


def surfaces(parts: Parts, origin: Tensor, way: Tensor, best: Nearest, found: Found) -> Hits:
    """Normals, local points and materials of the nearest hits."""
    batch, rays = way.shape[:2]
    first = parts.first
    distance, item = best.distance.reshape(batch, rays), best.item.reshape(batch, rays)
    point = origin[:, None] + way * distance.clamp_max(FAR)[..., None]
    which = item.clamp(0, first[1] - 1)
    row = (which + torch.arange(batch, device=way.device)[:, None] * first[1]).reshape(-1)
    normal = flat(parts.planes.normal).index_select(0, row).reshape(point.shape)
    material = parts.planes.material.reshape(-1).index_select(0, row).reshape(which.shape)
    near_by = point.clamp(-80, 80)
    local = torch.matmul(near_by, parts.planes.turn[:, 0].transpose(1, 2))
    for plane in range(1, first[1]):
        more = (parts.planes.turn[:, plane] - parts.planes.turn[:, 0]).transpose(1, 2)
        local += torch.matmul(near_by * (which == plane)[..., None], more)
    hits = Hits(distance, point, normal, local, local, item, material, [])
    rows = _Rows(hits, batch, rays)
    _box_surface(parts.boxes, rows, first[1], first[2])
    _body_surface(parts.blobs, found, rows, first[2])
    _blob_surface(parts.blobs, rows, first[2], first[3])
    for scene, head, at, facing in found.heads:
        mine = rows.item[at] == first[3] + head
        if bool(mine.any()):
            shown = _head_surface(parts.heads, scene, head, at[mine], facing[mine], rows)
            hits.faces.append(shown)
    for number, at, facing in found.leaves:
        mine = rows.item[at] == number
        rows.normal[at[mine]] = facing[mine]
        _hang(parts.bushes, rows, at[mine], number - first[4])
    _to_camera(rows, flat(way), first[4])
    return hits


def _to_camera(rows: _Rows, way: Tensor, first_bush: int) -> None:
    """Leaves have two sides; what is round turns away at its rim, never past it."""
    away = dots(rows.normal, way)
    at = torch.nonzero(away > 0)[:, 0]
    normal = rows.normal[at]
    turned = unit(normal - 1.001 * away[at, None] * way[at])
    rows.normal[at] = torch.where((rows.item[at] >= first_bush)[:, None], -normal, turned)


class _Rows:
    """The tensors of `Hits` with rays of all scenes in one row, sharing their memory."""

    def __init__(self, hits: Hits, batch: int, rays: int) -> None:
        hits.normal, hits.local = hits.normal.contiguous(), hits.local.contiguous()
        hits.texture = hits.local.clone()
        hits.material = hits.material.contiguous()
        self.rays = rays
        self.point, self.normal, self.local = flat(hits.point), flat(hits.normal), flat(hits.local)
        self.texture = flat(hits.texture)
        self.item, self.material = hits.item.reshape(-1), hits.material.reshape(-1)

    def between(self, low: int, high: int) -> Tensor:
        return torch.nonzero((self.item >= low) & (self.item < high))[:, 0]


def _box_surface(boxes: Boxes, rows: _Rows, low: int, high: int) -> None:
    at = rows.between(low, high)
    if at.numel() == 0:
        return
    index = at // rows.rays * boxes.centre.shape[1] + rows.item[at] - low
    turn, half, centre = (flat(v).index_select(0, index) for v in
                          (boxes.turn, boxes.half, boxes.centre))  # fmt: skip
    local = applied(turn, rows.point.index_select(0, at) - centre)
    to_edge = half - local.abs()
    nearest = to_edge.amin(-1, keepdim=True)
    edge = torch.minimum(half.amin(-1, keepdim=True) * 0.4, half.new_tensor(_EDGE_M))
    lean = (1 - (to_edge - nearest) / edge).clamp(0, 1) * torch.sign(local)
    rows.normal[at] = applied(turn.transpose(1, 2), unit(lean))
    rows.local[at] = local
    # every face has its own cut of the material, long side along y
    rows.texture[at] = local + torch.sign(lean) * (lean.abs() >= 1) * 0.37
    rows.material[at] = boxes.material.reshape(-1)[index]


def _body_surface(blobs: Blobs, found: Found, rows: _Rows, low: int) -> None:
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
    turn, radii, centre = (flat(v).index_select(0, index) for v in
                           (blobs.turn, blobs.radii, blobs.centre))  # fmt: skip
    local = applied(turn, rows.point.index_select(0, at) - centre)
    rows.normal[at] = applied(turn.transpose(1, 2), unit(local / radii.square()))
    rows.local[at], rows.texture[at] = local, local
    rows.material[at] = blobs.material.reshape(-1)[index]


def _head_surface(heads: Heads, scene: int, head: int, at: Tensor, way: Tensor,
                  rows: _Rows) -> Shown:  # fmt: skip
    turn = heads.turn[scene, head]
    values = faces.read(heads.chart[scene, head], way)
    rows.normal[at] = torch.matmul(faces.normals(values, way, heads.radii[scene, head]), turn)
    local = torch.matmul(rows.point[at] - heads.centre[scene, head], turn.T)
    rows.local[at], rows.texture[at] = local, local
    rows.material[at] = heads.material[scene, head]
    face = Face(*heads.face[scene, head].tolist())
    return Shown(scene, head, face, turn, at, way, values[:, 0], values[:, 4:])


def _hang(bushes: Bushes, rows: _Rows, at: Tensor, bush: int) -> None:
    if at.numel() == 0:
        return
    scene = at // rows.rays
    turn = bushes.turn[scene, bush]
    local = applied(turn, rows.point[at] - bushes.centre[scene, bush])
    rows.local[at], rows.texture[at] = local, local
    rows.material[at] = bushes.material[scene, bush]

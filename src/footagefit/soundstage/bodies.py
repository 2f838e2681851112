"""Blobs that melt into one body: a smooth union of ellipsoids, found by a few steps per ray.

Rays of all bodies of all scenes march together, in rows of `ROW` neighbours, each row against those
blobs alone that come near it. Shapes: g rows, L blobs of a row, S rays of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from footagefit.soundstage.shapes import (
    FAR,
    Blobs,
    applied,
    features,
    flat,
    forms,
    spans,
    squares,
    unit,
)  # fmt: skip
from footagefit.soundstage.tiles import meets, near

INFLATE = 0.9  # blobs of a group are looked for this many melting distances further out
ROW = 64
_REACH = 7.0  # melting distances off, a blob moves the surface by less than a thousandth of one
_STEPS = 6
_NEAR_M = 0.08  # rays that are still nearer than this are walked on with


@dataclass
class Row:
    """Rows of rays that march at a body: what they found is kept until the nearest hit is known."""

    rays: Tensor  # (g,S) which rays, those of all scenes in one row; the last may be repeated
    blobs: Tensor  # (g,L) numbers b K + k of the blobs near them
    real: Tensor  # (g,L) whether there is such a blob
    tag: Tensor  # (g,) number k of the body's first blob
    distance: Tensor  # (g,S) FAR where missed


@dataclass
class _Way:
    """|q|^2 and |q / r|^2 of each blob along each ray: quadratics (a t + b) t + c, (g,L,S)."""

    a: Tensor
    b: Tensor
    c: Tensor
    a2: Tensor
    b2: Tensor
    c2: Tensor

    def of(self, some: Tensor) -> _Way:
        """Some rays alone, numbered g S + s, as one row."""
        values = (self.a, self.b, self.c, self.a2, self.b2, self.c2)
        every = (v.expand(self.a.shape).transpose(0, 1).flatten(1) for v in values)
        return _Way(*(v.index_select(1, some)[None] for v in every))


class Bodies:
    """The blobs of all groups, ready to be marched at by rays from one place a scene.

    Args:
        blobs: All blobs.
        origin: (B,3) where rays start.
        way: (B*N,3) unit directions.
    """

    def __init__(self, blobs: Blobs, origin: Tensor, way: Tensor) -> None:
        self._blobs, self._origin, self._way = blobs, origin, way
        form = forms(blobs.turn, blobs.radii)  # |q|^2 = x form x
        steep = torch.matmul(form, form)  # |q / r|^2
        away = origin[:, None] - blobs.centre
        pull, drag = applied(form, away), applied(steep, away)
        self._square, self._square2 = flat(squares(form)), flat(squares(steep))
        self._pull, self._drag = flat(2 * pull), flat(2 * drag)
        self._rest = flat((away * pull).sum(-1))
        self._rest2 = flat((away * drag).sum(-1))
        self._melt = flat(blobs.melt)
        offset = -applied(form, blobs.centre)
        self._facing = torch.cat([flat(form).flatten(1), flat(offset)], 1)  # (B*K,12)
        hung = blobs.rest - applied(blobs.turn, blobs.centre)
        self._cloth = torch.cat([flat(blobs.turn).flatten(1), flat(hung)], 1)

    def march(self, entries: dict[int, Tensor], nearest: Tensor) -> Iterator[Row]:
        """Rays at the bodies that they come near.

        Args:
            entries: By group, where each ray (B*N,) comes near it.
            nearest: (B*N,) where each ray has hit something else already.
        """
        batch = self._origin.shape[0]
        each = len(self._way) // batch
        rays, groups, scenes = [], [], []
        for group, entry in entries.items():
            close = torch.nonzero(entry < nearest)[:, 0]
            counts = torch.bincount(close // each, minlength=batch).tolist()
            for scene, some in enumerate(close.split(counts)):
                if len(some) == 0:
                    continue
                rows = -(-len(some) // ROW)
                rays.append(torch.cat([some, some[-1:].expand(rows * ROW - len(some))]))
                groups += [group] * rows
                scenes += [scene] * rows
        if not rays:
            return
        device = nearest.device
        group, scene = torch.tensor(groups, device=device), torch.tensor(scenes, device=device)
        rays = torch.cat(rays).reshape(-1, ROW)
        begun = torch.empty_like(rays, dtype=nearest.dtype)
        for number, entry in entries.items():
            mine = group == number
            begun[mine] = entry[rays[mine]]
        matters, tag = self._matters(rays, scene, group)
        for mine, index, real in near(matters[None], ROW):
            blobs = index + scene[mine, None] * matters.shape[1]
            distance = self._hit(rays[mine], blobs, real, begun[mine])
            yield Row(rays[mine], blobs, real, tag[mine], distance)

    def _matters(self, rays: Tensor, scene: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        """(rows,K) whether a blob is of a row's body and near it; (rows,) the body's first blob."""
        blobs = self._blobs
        own = blobs.group[scene] == group[:, None]
        away = (blobs.centre - self._origin[:, None])[scene]
        extent = spans(blobs.turn, blobs.radii)[scene]
        close = meets(self._way[rays][:, None], away, extent, _REACH * blobs.melt[scene])[:, 0]
        return own & close, own.to(torch.uint8).argmax(1)

    def _along(self, rays: Tensor, blobs: Tensor, real: Tensor) -> _Way:
        ways = self._way[rays]
        terms, ways = features(ways), ways.transpose(1, 2)
        there = real[..., None].to(ways.dtype)
        a = torch.matmul(self._square[blobs] * there, terms)
        b = torch.matmul(self._pull[blobs] * there, ways)
        a2 = torch.matmul(self._square2[blobs] * there, terms)
        b2 = torch.matmul(self._drag[blobs] * there, ways)
        gone = self._rest.new_tensor(1e6)  # far outside, for blobs that are not there
        c = torch.where(real, self._rest[blobs], gone)[..., None]
        c2 = torch.where(real, self._rest2[blobs], 1.0 + 0 * gone)[..., None]
        return _Way(a, b, c, a2, b2, c2)

    def _hit(self, rays: Tensor, blobs: Tensor, real: Tensor, start: Tensor) -> Tensor:
        """Distances (g,S) of rays begun at `start`; FAR where missed."""
        way, melt = self._along(rays, blobs, real), self._melt[blobs[:, :1]]
        t, gap = _walked(way, start, melt, _STEPS)
        away = gap.abs()
        some = torch.nonzero(((away > 0.001) & (away < _NEAR_M)).flatten())[:, 0]
        if some.numel():  # most rays are there by now; some pass close by an arm
            melts = melt.expand(t.shape).flatten().index_select(0, some)[None]
            begun = t.flatten().index_select(0, some)[None]
            done = _walked(way.of(some), begun, melts, 2 * _STEPS)
            for whole, part in zip((t, gap), done, strict=True):
                whole.view(-1).index_copy_(0, some, part[0])
        return torch.where(gap.abs() < 0.002 + 0.001 * t, t, t.new_tensor(FAR))

    def surface(self, row: Row, some: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Which blob (n,) b K + k, normal, local point and cloth (n,3) at the hits `some` (g,S)."""
        rows = some.any(1)
        rays, blobs, real, some = row.rays[rows], row.blobs[rows], row.real[rows], some[rows]
        t, melt = row.distance[rows].clamp_max(FAR)[:, None], self._melt[blobs[:, :1]][:, None]
        gap, k1 = _apart(self._along(rays, blobs, real), t)
        over = gap.amin(1, keepdim=True).sub(gap)
        weight = torch.softmax(over / melt, 1).mul_(k1)
        # cloth follows a wider blend than the shape, so that it does not crease
        wide = torch.softmax(over / (2.5 * melt), 1)
        mine = torch.nonzero(some.reshape(-1))[:, 0]
        which = blobs.gather(1, gap.argmin(1)).reshape(-1)[mine]
        ray = rays.reshape(-1)[mine]
        scene = ray // (len(self._way) // self._origin.shape[0])
        point = self._origin[scene] + self._way[ray] * row.distance[rows].reshape(-1)[mine, None]
        facing, cloth = (
            torch.matmul(share.transpose(1, 2), table[blobs]).reshape(-1, 12)[mine]
            for share, table in ((weight, self._facing), (wide, self._cloth))
        )
        centre, turn = flat(self._blobs.centre)[which], flat(self._blobs.turn)[which]
        return (
            which,
            unit(_through(facing, point)),
            applied(turn, point - centre),
            _through(cloth, point),
        )


def _through(table: Tensor, point: Tensor) -> Tensor:
    """Points (n,3) through a matrix and an offset each (n,12)."""
    return applied(table[:, :9].unflatten(1, (3, 3)), point) + table[:, 9:]


def _apart(way: _Way, t: Tensor) -> tuple[Tensor, Tensor]:
    """How far each blob is at `t` (g,1,S), about, and how steeply that falls: (g,L,S) each."""
    k0 = torch.addcmul(way.b, way.a, t).mul_(t).add_(way.c).clamp_min_(1e-12).sqrt_()
    k1 = torch.addcmul(way.b2, way.a2, t).mul_(t).add_(way.c2).clamp_min_(1e-12).rsqrt_()
    return (k0 - 1).mul_(k0).mul_(k1), k1


def _walked(way: _Way, t: Tensor, melt: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Rays from `t` (g,S) on: where they come to, and how far off the body that is.

    Steps are as long as the gap, and longer where it closes slowly: along a line the gap to what is
    convex is convex, so that its secant falls short of it.
    """
    pace = torch.full_like(t, 0.93)
    before, apart = t, t
    for step in range(steps):
        gap, _ = _apart(way, t[:, None])
        least = gap.amin(1)
        total = (least[:, None] - gap).div_(melt[:, None]).clamp_min_(-20.0).exp_().sum(1)
        now = least - melt * torch.log(total)
        if step:
            pace = ((t - before) / (apart - now + 1e-20)).clamp_(0.93, 3.0)
        before, apart = t, now
        t = t + pace * now
    return t, apart

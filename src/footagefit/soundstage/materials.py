"""What things are made of: linear reflectance, roughness and relief from procedural textures.

Textures hang on the object's own cloth, in metres, so that motion carries them; octaves finer than
a pixel fade out. Shapes: B scenes, N rays, T rows of the material table, n points of one row each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from footagefit.soundstage import makeup
from footagefit.soundstage.noise import layered
from footagefit.soundstage.shapes import Hits, Shown, dots, flat, unit

# What a row of the table may be.
PAINT, SKIN, CLOTH, WOOD, BRICK, METAL, LEAF, GLOW, HAIR = range(9)
_PORES = 620.0  # a metre: the net of lines; pores are finer
_FOLDS = 5.0  # a metre


@dataclass
class Materials:
    """The material table.

    Attributes:
        kind: (B,T) one of PAINT, SKIN, ...
        base: (B,T,3) linear reflectance.
        second: (B,T,3) the texture's other colour.
        tint: (B,T,3) of skin: its hair; of leaves: nothing.
        scale: (B,T) texture features per metre.
        contrast: (B,T) 0..1 how much of `second` shows.
        rough: (B,T) GGX roughness.
        shine: (B,T) reflectance at normal incidence of the coat.
        bump: (B,T) slope of the relief.
        glow: (B,T) radiance the surface emits by itself, in linear.
    """

    kind: Tensor
    base: Tensor
    second: Tensor
    tint: Tensor
    scale: Tensor
    contrast: Tensor
    rough: Tensor
    shine: Tensor
    bump: Tensor
    glow: Tensor


@dataclass
class Surface:
    """What the light meets at each point.

    Attributes:
        albedo: (B,N,3).
        normal: (B,N,3) with relief.
        rough: (B,N).
        shine: (B,N,3) reflectance at normal incidence.
        skin: (B,N) 1 where light scatters below the surface.
        thin: (B,N) 1 where light comes through from behind.
        glow: (B,N).
    """

    albedo: Tensor
    normal: Tensor
    rough: Tensor
    shine: Tensor
    skin: Tensor
    thin: Tensor
    glow: Tensor


@dataclass
class Points:
    """Points that were hit, all scenes in one row, with their row of the table beside them."""

    texture: Tensor  # (n,3)
    normal: Tensor  # (n,3)
    pixel: Tensor  # (n,) metres
    row: Materials  # each (n,) or (n,3)


@dataclass
class Some:
    """Points of one kind."""

    texture: Tensor  # (n,3)
    pixel: Tensor  # (n,) metres
    scale: Tensor  # (n,)
    contrast: Tensor  # (n,)


def surface(materials: Materials, hits: Hits, *, pixel: Tensor) -> Surface:
    """The surface at each hit.

    Args:
        materials: The scenes' table.
        hits: Where rays met the set.
        pixel: (B,N) size of a pixel at each hit, in metres.
    """
    batch, rays = hits.item.shape
    at = torch.nonzero(hits.item.reshape(-1) >= 0)[:, 0]
    row = at // rays * materials.kind.shape[1] + hits.material.reshape(-1)[at]
    table = Materials(
        **{f.name: flat(getattr(materials, f.name)).index_select(0, row) for f in fields(Materials)}
    )
    each = (hits.texture, hits.normal, pixel)
    points = Points(*[flat(values).index_select(0, at) for values in each], row=table)
    made = _made(points)
    for shown in hits.faces:
        _face(shown, torch.searchsorted(at, shown.rays), points, made)
    whole = {}
    for f in fields(Surface):
        values = getattr(made, f.name)
        if len(at) < batch * rays:
            empty = 0.004 if f.name == "albedo" else 0.0
            laid = values.new_full((batch * rays, *values.shape[1:]), empty)
            values = laid.index_copy_(0, at, values)
        whole[f.name] = values.reshape(batch, rays, *values.shape[1:])
    if len(at) < batch * rays:
        missed = (hits.item < 0).to(pixel.dtype)[..., None]
        whole["normal"] = torch.addcmul(whole["normal"], missed, hits.normal)
    return Surface(**whole)


def _made(points: Points) -> Surface:
    """What is at points (n,...) of any kind."""
    row = points.row
    kind, bump = row.kind, row.bump
    at, footprint = points.texture * row.scale[:, None], points.pixel * row.scale
    plain = (row.contrast + bump).clamp_(0, 1e-6).mul_(-1e9).add_(1e3)  # nothing to see there
    value, relief = layered(at, torch.maximum(footprint, plain), 5)
    share = _pattern(kind, at, footprint, value) * row.contrast
    albedo = row.base + (row.second - row.base) * share.clamp(0, 1)[:, None]
    albedo = albedo * (1 + 0.18 * row.contrast * value)[:, None]
    relief = relief * (bump * (1.2 - footprint).clamp(0, 1))[:, None]
    metal = (kind == METAL).to(albedo.dtype)
    rough, shine = row.rough.clone(), (row.shine * (1 - metal))[:, None]
    shine = torch.addcmul(shine, albedo, metal[:, None])
    albedo = albedo * (1 - 0.9 * metal)[:, None]
    for special, change in ((CLOTH, _folded), (SKIN, _alive), (HAIR, _combed), (BRICK, _laid)):
        mine = torch.nonzero(kind == special)[:, 0]
        if mine.numel():
            every = (points.texture, points.pixel, row.scale, row.contrast)
            some = Some(*[values.index_select(0, mine) for values in every])
            change(some, mine, albedo, relief)
    skin = (kind == SKIN).to(albedo.dtype)
    relief = torch.addcmul(relief, dots(relief, points.normal)[:, None], points.normal, value=-1)
    return Surface(
        albedo.clamp(0.004, 0.97), unit(points.normal - relief), rough, shine, skin,
        (kind == LEAF).to(albedo.dtype), row.glow,
    )  # fmt: skip


def _folded(p: Some, mine: Tensor, albedo: Tensor, relief: Tensor) -> None:
    """Cloth hangs in folds."""
    pulled = p.texture * torch.tensor([1.5, 0.55, 1.5], device=mine.device) * _FOLDS
    value, slope = layered(pulled, p.pixel * _FOLDS * 1.5, 2)
    relief[mine] += slope * 0.075
    albedo[mine] *= (1 + 0.10 * value)[:, None]


def _alive(p: Some, mine: Tensor, albedo: Tensor, relief: Tensor) -> None:
    """Skin has pores where the camera is close."""
    if bool((p.pixel * _PORES < 0.75).any()):
        value, slope = layered(p.texture * _PORES, p.pixel * _PORES, 3)
        dented = (0.4 - 3.0 * value).clamp_(0.15, 1.6)  # pores are pits between flat cells
        relief[mine] += slope * (0.060 * dented)[:, None]
        albedo[mine] *= (1 + 0.14 * value.clamp_max(0.1))[:, None]


def _face(shown: Shown, mine: Tensor, points: Points, made: Surface) -> None:
    """A head has a face and hair."""
    painted = makeup.face(shown, made.normal[mine], made.albedo[mine], made.rough[mine],
                          points.row.tint[mine[0]], points.pixel[mine])  # fmt: skip
    made.albedo[mine], made.rough[mine] = painted.albedo.clamp(0.004, 0.97), painted.rough
    made.normal[mine], made.skin[mine] = painted.normal, painted.plain
    made.shine[mine] *= painted.coat[:, None]


def _combed(p: Some, mine: Tensor, albedo: Tensor, relief: Tensor) -> None:
    """Hair that hangs: strands run down."""
    fine = torch.tensor([420.0, 14.0, 420.0], device=mine.device)
    value, slope = layered(p.texture * fine, p.pixel * 300.0, 3)
    locks, bend = layered(p.texture * fine * 0.12, p.pixel * 36.0, 2)
    albedo[mine] *= (1 + 0.55 * value + 0.4 * locks).clamp(0.15, 2.0)[:, None]
    flat_ = torch.tensor([1.0, 0.05, 1.0], device=mine.device)
    relief[mine] = (slope * 0.22 + bend * 0.3) * flat_


def _laid(p: Some, mine: Tensor, albedo: Tensor, relief: Tensor) -> None:
    """Bricks differ from each other."""
    at = p.texture * p.scale[:, None]
    course = torch.floor(at[:, 1])
    number = torch.floor(at[:, 0] * 0.5 + 0.5 * torch.remainder(course, 2.0))
    key = torch.remainder(torch.sin(number * 12.9898 + course * 78.233) * 43758.547, 1.0)
    albedo[mine] *= (1 + 0.45 * (key - 0.5) * p.contrast.clamp(0.3, 1))[:, None]


def _pattern(kind: Tensor, at: Tensor, footprint: Tensor, value: Tensor) -> Tensor:
    """Share of a material's second colour."""
    fade = (1.4 - footprint * 2).clamp(0, 1)
    share = (value * 1.2 + 0.4).clamp(0, 1)
    x, y = at[:, 0], at[:, 1]
    if bool((kind == CLOTH).any()):
        weave = (torch.sin(x * 6.283) * torch.sin(y * 6.283)) * 0.5 + 0.5
        share = torch.where(kind == CLOTH, 0.5 + (weave - 0.5) * fade + 0.2 * value, share)
    if bool((kind == WOOD).any()):
        grain = torch.sin((x + 0.15 * y + 1.6 * value) * 6.283) * 0.5 + 0.5
        share = torch.where(kind == WOOD, 0.5 + (grain - 0.5) * fade + 0.25 * value, share)
    if bool((kind == BRICK).any()):
        course = torch.floor(y)
        across = x * 0.5 + 0.5 * torch.remainder(course, 2.0)
        joint = torch.minimum(
            (across - torch.floor(across)).minimum(torch.ceil(across) - across) * 2,
            (y - course).minimum(course + 1 - y),
        )
        brick = 1 - ((joint - 0.03) / (0.06 + footprint)).clamp(0, 1)
        share = torch.where(kind == BRICK, brick * fade + (1 - fade) * 0.2, share)
    if bool((kind == LEAF).any()):
        share = torch.where(kind == LEAF, (value * 2.4 + 0.5).clamp(0, 1), share)
    return share

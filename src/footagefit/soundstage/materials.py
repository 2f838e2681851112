"""What things are made of: linear reflectance, roughness and bump from procedural textures.

Textures hang on the object's own axes, in metres, so that motion carries them; octaves finer than
a pixel fade out. Shapes: B scenes, N points, T rows of the material table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from footagefit.soundstage.geometry import Heads, Hits, hair_cover, one_head, unit

# What a row of the table may be.
PAINT, SKIN, CLOTH, WOOD, BRICK, METAL, LEAF, GLOW = range(8)
_LATTICE = 64


@dataclass
class Materials:
    """The material table.

    Attributes:
        kind: (B,T) one of PAINT, SKIN, ...
        base: (B,T,3) linear reflectance.
        second: (B,T,3) the texture's other colour.
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
        glow: (B,N).
    """

    albedo: Tensor
    normal: Tensor
    rough: Tensor
    shine: Tensor
    skin: Tensor
    glow: Tensor


@lru_cache(maxsize=4)
def _table(device: str) -> Tensor:
    """Random values on a lattice that repeats every 64 cells; the same everywhere."""
    made = torch.rand(_LATTICE**3, generator=torch.Generator().manual_seed(20261))
    return made.to(device)


def noise(at: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth noise in 0..1 at points (...,3) in lattice cells, and its gradient (...,3)."""
    cell = torch.floor(at)
    f = at - cell
    low = cell.long() & (_LATTICE - 1)
    high = (low + 1) & (_LATTICE - 1)
    ease = f * f * (3 - 2 * f)
    slope = 6 * f * (1 - f)
    x = (low[..., 0], high[..., 0])
    y = (low[..., 1] * _LATTICE, high[..., 1] * _LATTICE)
    z = (low[..., 2] * _LATTICE**2, high[..., 2] * _LATTICE**2)
    table = _table(str(at.device))
    v = [[[table[x[i] + y[j] + z[k]] for k in (0, 1)] for j in (0, 1)] for i in (0, 1)]
    u, w, t = ease.unbind(-1)
    along = [[v[0][j][k] + u * (v[1][j][k] - v[0][j][k]) for k in (0, 1)] for j in (0, 1)]
    face = [along[0][k] + w * (along[1][k] - along[0][k]) for k in (0, 1)]
    value = face[0] + t * (face[1] - face[0])
    dx = [[v[1][j][k] - v[0][j][k] for k in (0, 1)] for j in (0, 1)]
    dxy = [dx[0][k] + w * (dx[1][k] - dx[0][k]) for k in (0, 1)]
    gx = (dxy[0] + t * (dxy[1] - dxy[0])) * slope[..., 0]
    dy = [along[1][k] - along[0][k] for k in (0, 1)]
    gy = (dy[0] + t * (dy[1] - dy[0])) * slope[..., 1]
    gz = (face[1] - face[0]) * slope[..., 2]
    return value, torch.stack([gx, gy, gz], -1)


def layered(at: Tensor, footprint: Tensor, octaves: int) -> tuple[Tensor, Tensor]:
    """Octaves of noise about 0, and its gradient; those finer than `footprint` fade out.

    Args:
        at: (...,3) in cells of the coarsest octave.
        footprint: (...) size of a pixel in the same cells.
        octaves: How many.
    """
    value = torch.zeros(at.shape[:-1], device=at.device)
    gradient = torch.zeros_like(at)
    frequency, strength = 1.0, 0.5
    for octave in range(octaves):
        seen = (1.5 - 2.0 * footprint * frequency).clamp(0, 1) * strength
        v, g = noise(at * frequency + 17.3 * octave)
        value = value + (v - 0.5) * 2 * seen
        gradient = gradient + g * (2 * frequency * seen)[..., None]
        frequency, strength = frequency * 2.17, strength * 0.58
    return value, gradient


def _row(table: Tensor, index: Tensor) -> Tensor:
    """(B,T,...) and (B,N): each point's row."""
    flat = index.reshape(*index.shape, *([1] * (table.dim() - 2)))
    return torch.gather(table, 1, flat.expand(*index.shape, *table.shape[2:]))


def surface(materials: Materials, heads: Heads, hits: Hits, *, pixel: Tensor) -> Surface:
    """The surface at each hit.

    Args:
        materials: The scenes' table.
        heads: For faces: hair, lips, brows, eyes are painted by direction.
        hits: Where rays met the set.
        pixel: (B,N) size of a pixel at each hit, in metres.
    """
    row = hits.material
    kind, scale = _row(materials.kind, row), _row(materials.scale, row)
    base, second = _row(materials.base, row), _row(materials.second, row)
    bump, contrast = _row(materials.bump, row), _row(materials.contrast, row)
    at, footprint = hits.local * scale[..., None], pixel * scale
    value, gradient = layered(at, footprint, 5)
    share = _pattern(kind, at, footprint, value) * contrast
    albedo = base + (second - base) * share.clamp(0, 1)[..., None]
    albedo = albedo * (1 + 0.18 * contrast * value)[..., None]
    rough, shine = _row(materials.rough, row), _row(materials.shine, row)
    skin = (kind == SKIN).float()
    metal = (kind == METAL).float()[..., None]
    shine3 = shine[..., None] * (1 - metal) + albedo * metal
    albedo = albedo * (1 - 0.9 * metal)
    _paint_faces(heads, hits, albedo, rough, bump)
    relief = gradient - (gradient * hits.normal).sum(-1, keepdim=True) * hits.normal
    near = (1.2 - footprint).clamp(0, 1)
    normal = unit(hits.normal - relief * (bump * near)[..., None])
    missed = (hits.item < 0)[..., None]
    albedo = torch.where(missed, torch.zeros_like(albedo), albedo).clamp(0.004, 0.97)
    glow = torch.where(missed[..., 0], torch.zeros_like(rough), _row(materials.glow, row))
    return Surface(albedo, normal, rough, shine3, skin, glow)


def _pattern(kind: Tensor, at: Tensor, footprint: Tensor, value: Tensor) -> Tensor:
    """Share of a material's second colour."""
    fade = (1.4 - footprint * 2).clamp(0, 1)
    weave = (torch.sin(at[..., 0] * 6.283) * torch.sin(at[..., 1] * 6.283)) * 0.5 + 0.5
    rings = (
        torch.sin((at[..., 0] ** 2 + at[..., 1] ** 2 + 1e-6).sqrt() * 6.283 + 5 * value) * 0.5 + 0.5
    )
    course = torch.floor(at[..., 1])
    across = at[..., 0] * 0.5 + 0.5 * torch.remainder(course, 2.0)
    joint = torch.minimum(
        (across - torch.floor(across)).minimum(torch.ceil(across) - across) * 2,
        (at[..., 1] - course).minimum(course + 1 - at[..., 1]),
    )
    edge = 0.06 + footprint
    brick = 1 - ((joint - 0.03) / edge).clamp(0, 1)
    plain = (value * 1.2 + 0.4).clamp(0, 1)
    share = plain
    share = torch.where(kind == CLOTH, 0.5 + (weave - 0.5) * fade + 0.2 * value, share)
    share = torch.where(kind == WOOD, 0.5 + (rings - 0.5) * fade, share)
    share = torch.where(kind == BRICK, brick * fade + (1 - fade) * 0.2, share)
    return torch.where(kind == LEAF, (value * 2.4 + 0.5).clamp(0, 1), share)


# Features of a face by direction (x right, y up, z front), width, and what they do.
_LIPS = ((-0.13, -0.495, 0.86), (-0.05, -0.50, 0.87), (0.05, -0.50, 0.87), (0.13, -0.495, 0.86))
_EYES = ((-0.345, 0.12, 0.93), (0.345, 0.12, 0.93))
_BROWS = ((-0.24, 0.32, 0.91), (-0.36, 0.335, 0.87), (-0.48, 0.31, 0.82),
          (0.24, 0.32, 0.91), (0.36, 0.335, 0.87), (0.48, 0.31, 0.82))  # fmt: skip


def _spot(way: Tensor, centre: tuple[float, float, float], size: tuple[float, float]) -> Tensor:
    """0..1 inside an upright ellipse about a direction."""
    c = unit(torch.tensor(centre, device=way.device))
    x = (way[..., 0] - c[0]) / size[0]
    y = (way[..., 1] - c[1]) / size[1]
    front = (way[..., 2] > 0.2).float()
    return torch.sigmoid((1 - x * x - y * y) * 3.0) * front


def _paint_faces(heads: Heads, hits: Hits, albedo: Tensor, rough: Tensor, bump: Tensor) -> None:
    """Paint lips, brows, eyes and hair onto heads, in place."""
    for scene in range(albedo.shape[0]):
        near = torch.nonzero(hits.unit[scene].square().sum(-1) > 0.5)[:, 0]
        if near.numel() == 0:
            continue
        way = hits.unit[scene, near]
        rows = hits.material[scene, near]
        cover = torch.zeros_like(rough[scene, near])
        for head in range(heads.hair.shape[1]):
            own = one_head(heads, scene, head)
            thick = float(own.hair[0, 0, 0]) > 0.004
            mine = (rows == heads.material[scene, head]) & thick
            cover = torch.where(mine, hair_cover(own, way[None, None])[0, 0], cover)
        painted = _face(way, cover, albedo[scene, near], rough[scene, near], bump[scene, near])
        albedo[scene, near], rough[scene, near], bump[scene, near] = painted


def _face(
    way: Tensor, cover: Tensor, albedo: Tensor, rough: Tensor, bump: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours of a face at directions (n,3); `cover` is how much hair lies there."""

    def mix(onto: Tensor, share: Tensor, tone: Tensor) -> Tensor:
        return onto + (tone - onto) * share[:, None]

    def row(*values: float) -> Tensor:
        return torch.tensor(values, device=way.device)

    bare = 1 - cover
    hair_tone = (albedo.mean(-1, keepdim=True) * 0.12 + 0.012) * row(1.15, 0.95, 0.75)
    flush = _spot(way, (0.5, -0.2, 0.8), (0.22, 0.2)) + _spot(way, (-0.5, -0.2, 0.8), (0.22, 0.2))
    flush = flush + _spot(way, (0.0, -0.16, 1.0), (0.14, 0.12))
    albedo = albedo * (1 - flush[:, None] * row(0.02, 0.13, 0.12))
    lips = torch.stack([_spot(way, c, (0.085, 0.05)) for c in _LIPS]).amax(0) * bare
    albedo = albedo * (1 - lips[:, None] * row(0.18, 0.42, 0.38))
    seam = _spot(way, (0.0, -0.494, 0.9), (0.19, 0.007)) * bare
    albedo = albedo * (1 - 0.6 * seam[:, None])
    brows = torch.stack([_spot(way, c, (0.08, 0.026)) for c in _BROWS]).amax(0) * bare
    albedo = mix(albedo, brows * 0.7, hair_tone)
    white = torch.stack([_spot(way, c, (0.105, 0.036)) for c in _EYES]).amax(0)
    iris = torch.stack([_spot(way, c, (0.042, 0.042)) for c in _EYES]).amax(0)
    lids = [(c[0], c[1] + 0.042, c[2]) for c in _EYES]
    lash = torch.stack([_spot(way, c, (0.12, 0.014)) for c in lids]).amax(0)
    eye = row(0.42, 0.39, 0.36) * (1 - iris[:, None]) + row(0.035, 0.026, 0.02) * iris[:, None]
    albedo = mix(mix(albedo, white, eye.expand_as(albedo)), lash * 0.75, hair_tone)
    strands, _ = layered(way * row(70.0, 7.0, 70.0), torch.zeros_like(cover), 3)
    albedo = mix(albedo, cover, hair_tone * (1 + 0.6 * strands)[:, None])
    wet = white * 0.9
    rough = (rough * (1 - wet) + 0.1 * wet) * (1 - 0.3 * lips)
    return albedo, rough, bump * (1 - wet) * (1 + 3.0 * cover)

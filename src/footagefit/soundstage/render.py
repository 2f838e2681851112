"""Rays into pictures: what each pixel sees, and what each source makes of it.

    seen = look(scene, view)                      # once per moment and camera
    parts = [lit(seen, source) for source in sources]
    picture = torch.stack([p.total for p in parts]).sum(0)

Every source is rendered alone; nothing here couples them, so pictures add up exactly. Pictures are
(B,3,H,W), scene-linear ACEScg.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from footagefit.soundstage import environment, heads, lights, materials, shadows
from footagefit.soundstage.camera import View
from footagefit.soundstage.lights import Source
from footagefit.soundstage.scene import Scene
from footagefit.soundstage.shadows import dot
from footagefit.soundstage.shapes import FAR, Hits
from footagefit.soundstage.tiles import balls
from footagefit.soundstage.tracing import trace

_LIFT_M = 0.012
_SCATTER = (0.30, 0.10, 0.05)  # how far light bleeds round a terminator of skin, by channel
_THROUGH = torch.tensor([0.55, 0.6, 0.2])  # colour of light that comes through a leaf
_BOUNCE = 0.22  # of a far or near source's light comes back from the set


@dataclass
class Planar:
    """Surfaces as light meets them, channels before rays (B,3,N): this is where time goes."""

    albedo: Tensor
    normal: Tensor
    round_: Tensor  # the normal without relief
    shine: Tensor
    to_eye: Tensor
    point: Tensor  # lifted off the surface
    rough: Tensor  # (B,N)
    skin: Tensor | None  # (B,N), None where there is none
    thin: Tensor | None
    present: Tensor  # (B,N) 1 where a ray met something
    faces: list[heads.Shown]


@dataclass
class Seen:
    """What the camera sees, before any light.

    Attributes:
        scene: The set.
        view: The camera.
        hits: Where rays meet it; rays run tile by tile, `picture` puts them in rows.
        surface: What it is made of there.
        open: (B,N) share of the hemisphere that is free.
        standing: The points that light is asked for.
        planar: What light needs of all this, channels first.
    """

    scene: Scene
    view: View
    hits: Hits
    surface: materials.Surface
    open: Tensor
    standing: shadows.Standing
    planar: Planar

    def picture(self, values: Tensor) -> Tensor:
        """(B,N,C) or (B,N) as (B,C,H,W)."""
        return self.view.picture(values)

    def flat(self, values: Tensor) -> Tensor:
        """(B,C,N) as (B,C,H,W)."""
        return self.view.picture(values.transpose(1, 2))

    @property
    def normal(self) -> Tensor:
        """(B,3,H,W) in camera axes, signed."""
        local = torch.matmul(self.surface.normal, self.view.axes.transpose(-1, -2))
        return self.picture(local)

    @property
    def depth(self) -> Tensor:
        """(B,1,H,W) along the camera's axis, metres; 0 where there is nothing."""
        along = (self.hits.point - self.view.place[:, None]) * -self.view.axes[:, 2:3]
        return self.picture(
            torch.where(self.hits.item >= 0, along.sum(-1), torch.zeros_like(self.open))
        )


@dataclass
class Part:
    """One source's share of a picture, each (B,3,H,W) but the shadow (B,1,H,W).

    Attributes:
        direct: Light that comes straight, diffuse and shine together.
        indirect: What it does by way of the set.
        shadow: Share of the source that each point sees.
    """

    direct: Tensor
    indirect: Tensor
    shadow: Tensor

    @property
    def total(self) -> Tensor:
        """Direct and indirect together."""
        return self.direct + self.indirect


def look(scene: Scene, view: View, *, jitter: tuple[float, float] = (0.0, 0.0)) -> Seen:
    """Trace the camera's rays and read the surfaces."""
    way = view.rays(jitter)
    hits = trace(scene.parts, view.place, way)
    pixel = hits.distance.clamp_max(60.0) * (2.0 / view.size[1]) / view.reach
    surface = materials.surface(scene.materials, hits, pixel=pixel)
    lifted = hits.point + hits.normal * _LIFT_M
    standing = shadows.Standing(lifted, *balls(hits.point, hits.item >= 0))
    standing.radius += _LIFT_M
    free = shadows.open_sky(scene.stand, scene.parts.planes, standing, hits.normal)
    planar = _planar(scene, hits, surface, lifted=lifted, to_eye=-way)
    up = torch.tensor([[[0.0], [1.0], [0.0]]], device=way.device).expand(way.shape[0], 3, 1)
    in_leaves = shadows.through_leaves(
        scene.parts.bushes, planar.point, up, torch.full_like(free[:, :1], FAR)
    )
    return Seen(scene, view, hits, surface, free * (0.25 + 0.75 * in_leaves), standing, planar)


def _planar(scene: Scene, hits: Hits, surface: materials.Surface, *, lifted: Tensor,
            to_eye: Tensor) -> Planar:  # fmt: skip
    def first(values: Tensor) -> Tensor:
        return values.transpose(1, 2).contiguous()

    which = (hits.item - scene.parts.first[3]).clamp_min(0)
    return Planar(
        first(surface.albedo), first(surface.normal), first(hits.normal), first(surface.shine),
        first(to_eye), first(lifted), surface.rough,
        surface.skin if bool(surface.skin.any()) else None,
        surface.thin if bool(surface.thin.any()) else None,
        (hits.item >= 0).to(lifted.dtype), heads.shown(scene.parts.heads, hits.unit, which),
    )  # fmt: skip


def lit(seen: Seen, source: Source) -> Part:
    """One source alone."""
    present = seen.planar.present[:, None]
    if source.kind in ("dome", "map"):
        direct, indirect, reached = _from_all_round(seen, source)
    else:
        direct, indirect, reached = _from_lamp(seen, source)
    direct = direct * present
    beyond = _beyond(seen, source)
    if beyond is not None:
        direct = direct + beyond * (1 - present)
    glow = _own_glow(seen, source)
    if glow is not None:
        direct = direct + glow
    return Part(
        seen.flat(direct), seen.flat(indirect * present),
        seen.picture(reached * seen.planar.present),
    )  # fmt: skip


def _from_all_round(seen: Seen, source: Source) -> tuple[Tensor, Tensor, Tensor]:
    """Light from everywhere, covered where the set covers it."""
    s = seen.planar
    arriving = _received(source, s.normal)
    free = seen.open[:, None]
    cosine = dot(s.normal, s.to_eye)[:, None]
    above = _reflected(source, 2 * cosine * s.normal - s.to_eye, s.rough)
    edge = (1 - cosine.clamp(0, 1)) ** 5
    smooth = (1 - s.rough)[:, None]
    coat = (s.shine + (1 - s.shine) * (edge * smooth)) * smooth
    direct = (s.albedo * arriving + coat * above) * free
    bounced = s.albedo * arriving * seen.scene.tint.transpose(1, 2) * (1 - free)
    return direct, bounced, seen.open


def _received(source: Source, normal: Tensor) -> Tensor:
    """What a surface of each normal receives over pi."""
    if source.harmonics is not None:
        return environment.received(source.harmonics, normal) * source.colour[..., None]
    return _between(source, dot(normal, source.way[..., None])[:, None])


def _reflected(source: Source, way: Tensor, rough: Tensor) -> Tensor:
    """What a mirror sees along `way`, dulled where it is rough."""
    if source.around is None or source.harmonics is None:
        return _between(source, dot(way, source.way[..., None])[:, None])
    sharp = environment.seen_along(source.around, way)
    dull = environment.received(source.harmonics, way)
    share = (rough * 1.6).clamp(0, 1)[:, None]
    return (sharp + (dull - sharp) * share) * source.colour[..., None]


def _between(source: Source, height: Tensor) -> Tensor:
    """A dome's light along a height of -1..1: below `ground`, above `colour`."""
    ground = source.ground[..., None]
    return ground + (source.colour[..., None] - ground) * (0.5 + 0.5 * height)


def _beyond(seen: Seen, source: Source) -> Tensor | None:
    """What is seen of the surroundings where there is no set; a window shows what is outside."""
    whole = seen.planar.present.numel() == int(seen.planar.present.sum())
    if source.hidden or whole or (source.kind not in ("dome", "map") and source.around is None):
        return None
    way = -seen.planar.to_eye
    if source.around is not None:
        level = source.colour if source.kind == "map" else source.ground
        return environment.seen_along(source.around, way) * level[..., None]
    share = torch.sigmoid(dot(way, source.way[..., None])[:, None] * 6.0)  # a soft horizon
    ground = source.ground[..., None]
    return ground + (source.colour[..., None] - ground) * share


def _from_lamp(seen: Seen, source: Source) -> tuple[Tensor, Tensor, Tensor]:
    """A far or near source: cosine, shadow, shine, and one bounce."""
    s = seen.planar
    to_light, reach, spread, strength = _arriving(seen, source)
    share = _share(seen, source, to_light, reach, spread)
    width = torch.sin(torch.atan(spread))
    cosine, round_ = dot(s.normal, to_light), dot(s.round_, to_light)
    diffuse = lights.facing(cosine, width)[:, None]
    if s.skin is not None:
        bent = 0.5 * cosine + 0.5 * round_
        skin = torch.stack([lights.facing(bent, width + b) for b in _SCATTER], 1)
        diffuse = diffuse + (skin - diffuse) * s.skin[:, None]
    if s.thin is not None:
        behind = (lights.facing(-cosine, width) * s.thin)[:, None]
        diffuse = diffuse + behind * _THROUGH.to(behind.device)[:, None]
    grazing = torch.sigmoid(round_ / (0.04 + 0.5 * width))
    shiny = lights.shine(s.normal, to_light, s.to_eye, rough=s.rough, shine=s.shine, spread=spread)
    direct = (s.albedo * diffuse + shiny * grazing[:, None]) * (strength * share[:, None])
    ambient = strength.mean(-1, keepdim=True) * _BOUNCE * seen.scene.tint.transpose(1, 2)
    sky = (0.5 - 0.35 * cosine) * (0.35 + 0.65 * seen.open)
    indirect = s.albedo * ambient * sky[:, None]
    if source.gate is not None:
        indirect = indirect * share.mean(1)[:, None, None]
    return direct, indirect, share


def _arriving(seen: Seen, source: Source) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Direction to the source, its distance, tangent of its angular radius, and its strength."""
    if source.kind == "far":
        reach = torch.full_like(source.spread, FAR)
        return source.way[..., None], reach, source.spread, source.colour[..., None]
    away = source.place[..., None] - seen.planar.point
    reach = dot(away, away).clamp_min(1e-4).sqrt()
    to_light = away / reach[:, None]
    falls = 1.0 / (reach * reach + source.spread**2)
    if source.aim is not None:
        falls = falls * dot(-to_light, source.aim[..., None]).clamp_min(0.0)
    return to_light, reach, source.spread / reach, source.colour[..., None] * falls[:, None]


def _share(seen: Seen, source: Source, to_light: Tensor, reach: Tensor, spread: Tensor) -> Tensor:
    """Share of the source that each point sees."""
    scene, point, standing = seen.scene, seen.planar.point, seen.standing
    share = _planes_clear(seen, point, to_light)
    if source.gate is not None:
        share = share * shadows.through_opening(source.gate, point, to_light, spread)
    standing = standing.where(share > 0)  # what is dark already needs no shadow
    share = share * shadows.through_leaves(scene.parts.bushes, point, to_light, reach)
    towards = to_light.transpose(1, 2)
    share = share * shadows.light_reaching(scene.stand, standing, towards, reach, spread)
    heads.self_shade(scene.parts.heads, seen.planar.faces, to_light, spread, share)
    return share


def _planes_clear(seen: Seen, point: Tensor, to_light: Tensor) -> Tensor:
    """0 for points that their own plane hides from the light: walls do not hide lamps in front."""
    planes = seen.scene.parts.planes
    facing = torch.matmul(planes.normal, to_light)
    height = torch.matmul(planes.normal, point) - planes.offset[..., None]
    hidden = (height.abs() < 0.05) & (facing < 0)
    return 1.0 - hidden.any(1).to(point.dtype)


def _own_glow(seen: Seen, source: Source) -> Tensor | None:
    """What shines by itself belongs to the source of its name: practicals and their shades."""
    if not source.name.startswith("practical"):
        return None
    near = (seen.hits.point - source.place[:, None]).square().sum(-1) < (3 * source.spread) ** 2
    share = seen.surface.glow * near * seen.planar.present
    return share[:, None] * source.colour[..., None]

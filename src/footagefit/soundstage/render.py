"""Rays into pictures: what each pixel sees, and what each source makes of it.

    seen = look(scene, view)                      # once per moment and camera
    parts = lit_apart(seen, sources)
    picture = torch.stack([p.total for p in parts]).sum(0)

Every source is rendered alone; nothing here couples them, so pictures add up exactly. Pictures are
(B,3,H,W), scene-linear ACEScg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from footagefit.soundstage import environment, heads, lights, materials, shadows
from footagefit.soundstage.camera import View
from footagefit.soundstage.lights import Arriving, Source
from footagefit.soundstage.scene import Scene
from footagefit.soundstage.shadows import dot
from footagefit.soundstage.shapes import FAR, Hits, Shown
from footagefit.soundstage.tiles import RAYS, balls
from footagefit.soundstage.tracing import trace

_LIFT_M, _TOUCH_M = 0.012, 0.05
_AT_ONCE = 6  # far sources that share the work
_SCATTER = (0.17, 0.08, 0.05)  # how far light bleeds round a terminator of skin, by channel
_THROUGH = (0.55, 0.6, 0.2)  # colour of light that comes through a leaf
_DEEP = 0.6  # of the sky is hidden in the deepest folds of a face
_DARK = 1e-8  # lamps this faint are off: nobody sees their shadows
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
    present: Tensor | None  # (B,N) 1 where a ray met something; None where all did
    touching: Tensor  # (B,P,N) 1 where a point is on a plane
    faces: list[Shown]

    def of(self, scene: int) -> Planar:
        """One scene alone, with what is not in it left out."""
        given: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, values in given.items():
            if isinstance(values, Tensor):
                given[name] = values[scene : scene + 1]
        made = Planar(**given)
        made.skin, made.thin = _if_any(made.skin), _if_any(made.thin)
        return made


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
    """One source's share of a picture.

    Attributes:
        view: The camera.
        straight: (B,3,N) light that comes straight, diffuse and shine together.
        around: (B,3,N) what it does by way of the set.
        reached: (B,N) share of the source that each point sees.
    """

    view: View
    straight: Tensor
    around: Tensor
    reached: Tensor

    @property
    def direct(self) -> Tensor:
        """(B,3,H,W)."""
        return self.view.planar(self.straight)

    @property
    def indirect(self) -> Tensor:
        """(B,3,H,W)."""
        return self.view.planar(self.around)

    @property
    def total(self) -> Tensor:
        """(B,3,H,W) direct and indirect together."""
        return self.view.planar(self.straight + self.around)

    @property
    def shadow(self) -> Tensor:
        """(B,1,H,W)."""
        return self.view.picture(self.reached)


def look(scene: Scene, view: View) -> Seen:
    """Trace the camera's rays and read the surfaces."""
    way = view.rays()
    hits = trace(scene.parts, view.place, way)
    pixel = hits.distance.clamp_max(60.0) * (2.0 / view.size[1]) / view.reach
    surface = materials.surface(scene.materials, hits, pixel=pixel)
    lifted = hits.point + hits.normal * _LIFT_M
    standing = shadows.Standing(lifted, *balls(hits.point, hits.item >= 0))
    standing.radius += _LIFT_M
    free = shadows.open_sky(scene.stand, scene.parts.planes, standing, hits.normal)
    standing.own = _own_heads(scene, hits)
    for face in hits.faces:
        free.view(-1)[face.rays] *= 1 - _DEEP * face.chart[:, 2]
    planar = _planar(scene, hits, surface, lifted=lifted, to_eye=-way)
    ones = way.new_ones(way.shape[0], 1, 1)
    up = torch.tensor([0.0, 1.0, 0.0], device=way.device).reshape(1, 1, 3, 1) * ones[..., None]
    above = Arriving(up, ones * FAR, ones, up)
    in_leaves = shadows.through_leaves(scene.parts.bushes, standing, above)
    if in_leaves is not None:
        free = free * (0.25 + 0.75 * in_leaves[:, 0])
    return Seen(scene, view, hits, surface, free, standing, planar)


def _own_heads(scene: Scene, hits: Hits) -> Tensor | None:
    """Which occluder each point is itself: heads shade themselves by their charts."""
    if not hits.faces:
        return None
    each = scene.stand.centre.shape[1]
    first = each - scene.parts.heads.centre.shape[1]
    own = torch.full_like(hits.item.reshape(-1), -1)
    for face in hits.faces:
        own[face.rays] = face.scene * each + first + face.head
    return own.reshape(-1, RAYS)


def _planar(scene: Scene, hits: Hits, surface: materials.Surface, *, lifted: Tensor,
            to_eye: Tensor) -> Planar:  # fmt: skip
    def first(values: Tensor) -> Tensor:
        return values.transpose(1, 2).contiguous()

    there, point, planes = hits.item >= 0, first(lifted), scene.parts.planes
    height = torch.matmul(planes.normal, point) - planes.offset[..., None]
    touching = (height.abs() < _TOUCH_M).to(point.dtype)
    return Planar(
        first(surface.albedo), first(surface.normal), first(hits.normal), first(surface.shine),
        first(to_eye), point, surface.rough,
        _if_any(surface.skin), _if_any(surface.thin),
        None if bool(there.all()) else there.to(point.dtype), touching, hits.faces,
    )  # fmt: skip


def _if_any(share: Tensor | None) -> Tensor | None:
    return share if share is not None and float(share.amax()) > 0 else None


def lit(seen: Seen, source: Source) -> Part:
    """One source alone."""
    return lit_apart(seen, [source])[0]


def lit_apart(seen: Seen, sources: Sequence[Source]) -> list[Part]:
    """Each source alone; far ones share the work, not the light."""
    made: dict[int, Part] = {}
    joint = [i for i, source in enumerate(sources) if source.kind == "far" and source.gate is None]
    groups = [joint[i : i + _AT_ONCE] for i in range(0, len(joint), _AT_ONCE)]
    groups += [[i] for i in range(len(sources)) if i not in joint]
    for group in groups:
        found = _from(seen, [sources[i] for i in group])
        for i, (direct, indirect, reached) in zip(group, found, strict=True):
            made[i] = _part(seen, sources[i], direct, indirect, reached)
    return [made[i] for i in range(len(sources))]


def _from(seen: Seen, some: list[Source]) -> list[tuple[Tensor, Tensor, Tensor]]:
    if some[0].kind in ("dome", "map"):
        return [_from_all_round(seen, some[0])]
    direct, indirect, share = _from_lamps(seen, some)
    return list(zip(direct.unbind(1), indirect.unbind(1), share.unbind(1), strict=True))


def _part(seen: Seen, source: Source, direct: Tensor, indirect: Tensor, reached: Tensor) -> Part:
    """What a source gives, with what is beyond the set and what shines by itself."""
    present = seen.planar.present
    beyond = None if present is None else _beyond(seen, source)
    if present is not None and beyond is not None:
        direct = direct + beyond * (1 - present)[:, None]
    glow = _own_glow(seen, source)
    if glow is not None:
        direct = direct + glow
    return Part(seen.view, direct, indirect, reached)


def _from_all_round(seen: Seen, source: Source) -> tuple[Tensor, Tensor, Tensor]:
    """Light from everywhere, covered where the set covers it."""
    s = seen.planar
    arriving = _received(source, s.normal)
    free, hidden = seen.open, 1 - seen.open
    if s.present is not None:
        free, hidden = free * s.present, hidden * s.present
    cosine = dot(s.normal, s.to_eye)[:, None]
    above = _reflected(source, 2 * cosine * s.normal - s.to_eye, s.rough)
    edge = (1 - cosine.clamp(0, 1)) ** 5
    smooth = (1 - s.rough)[:, None]
    coat = (s.shine + (1 - s.shine) * (edge * smooth)) * smooth
    diffuse = s.albedo * arriving
    direct = torch.addcmul(diffuse, coat, above).mul_(free[:, None])
    bounced = diffuse.mul_(seen.scene.tint.transpose(1, 2) * hidden[:, None])
    return direct, bounced, free


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
    if source.hidden or (source.kind not in ("dome", "map") and source.around is None):
        return None
    way = -seen.planar.to_eye
    if source.around is not None:
        level = source.colour if source.kind == "map" else source.ground
        return environment.seen_along(source.around, way) * level[..., None]
    share = torch.sigmoid(dot(way, source.way[..., None])[:, None] * 6.0)  # a soft horizon
    ground = source.ground[..., None]
    return ground + (source.colour[..., None] - ground) * share


def _from_lamps(seen: Seen, sources: list[Source]) -> tuple[Tensor, Tensor, Tensor]:
    """Far sources, or one near one, scene by scene; (B,L,3,N) twice and (B,L,N)."""
    light = _arriving(seen, sources)
    share = _share(seen, sources[0], light)
    sky = 0.35 + 0.65 * seen.open
    if seen.planar.present is not None:
        sky *= seen.planar.present
    sky = sky[:, None]
    if sources[0].gate is not None:
        sky = sky * share.mean(2, keepdim=True)
    tint = seen.scene.tint[:, :, :, None] * _BOUNCE
    made = [
        _shone(seen.planar.of(at), light.of(at), share[at : at + 1], sky[at : at + 1],
               tint[at : at + 1])
        for at in range(len(share))
    ]  # fmt: skip
    direct, indirect = (torch.cat(parts) for parts in zip(*made, strict=True))
    return direct, indirect, share


def _shone(s: Planar, light: Arriving, share: Tensor, sky: Tensor, tint: Tensor) -> tuple[
    Tensor, Tensor
]:  # fmt: skip
    """Light by cosine, shadow and shine, and by one bounce (B,L,3,N)."""
    cosine, round_ = light.along(s.normal), light.along(s.round_)
    width = torch.sin(torch.atan(light.spread))
    diffuse = lights.facing(cosine, width)[:, :, None]
    if s.skin is not None:
        bent = (cosine + round_).mul_(0.5)
        skin = torch.stack([lights.facing(bent, width + b) for b in _SCATTER], 2)
        diffuse = torch.lerp(diffuse.expand_as(skin), skin, s.skin[:, None, None])
    if s.thin is not None:
        behind = lights.facing(-cosine, width).mul_(s.thin[:, None])[:, :, None]
        diffuse = diffuse + behind * torch.tensor(_THROUGH, device=behind.device)[:, None]
    eye = dot(s.normal, s.to_eye)[:, None]
    shiny, edge = lights.highlight(cosine, eye, light.along(s.to_eye), rough=s.rough[:, None],
                                   spread=light.spread)  # fmt: skip
    shiny.mul_(torch.sigmoid(round_ / (0.04 + 0.5 * width))).mul_(share)
    rim = (shiny * edge)[:, :, None]
    direct = s.albedo[:, None] * (diffuse * share[:, :, None])
    direct.addcmul_(s.shine[:, None], shiny[:, :, None] - rim).add_(rim).mul_(light.strength)
    ambient = light.strength.mean(-1, keepdim=True) * tint
    sky = cosine.mul_(-0.35).add_(0.5).mul_(sky)
    return direct, (s.albedo[:, None] * ambient).mul_(sky[:, :, None])


def _arriving(seen: Seen, sources: list[Source]) -> Arriving:
    """Far sources together, or one near one."""
    first = sources[0]
    if first.kind == "far":
        way, spread, colour = (
            torch.stack([getattr(source, name) for source in sources], 1)
            for name in ("way", "spread", "colour")
        )
        return Arriving(way[..., None], torch.full_like(spread, FAR), spread, colour[..., None])
    away = first.place[..., None] - seen.planar.point
    reach = dot(away, away).clamp_min(1e-4).sqrt()
    way = away / reach[:, None]
    falls = 1.0 / (reach * reach + first.spread**2)
    if first.aim is not None:
        falls = falls * dot(-way, first.aim[..., None]).clamp_min(0.0)
    strength = first.colour[..., None] * falls[:, None]
    return Arriving(
        way[:, None], reach[:, None], (first.spread / reach)[:, None], strength[:, None]
    )


def _share(seen: Seen, source: Source, light: Arriving) -> Tensor:
    """(B,L,N) share of the sources that each point sees."""
    scene, standing = seen.scene, seen.standing
    share = _planes_clear(seen, light) * (light.strength.amax(2) > _DARK)
    if seen.planar.present is not None:
        share *= seen.planar.present[:, None]
    if source.gate is not None:
        towards, spread = light.way[:, 0], light.spread[:, 0]
        opening = shadows.through_opening(source.gate, seen.planar.point, towards, spread)
        share = share * opening[:, None]
    standing = standing.where(share)  # what is dark already needs no shadow
    leaves = shadows.through_leaves(scene.parts.bushes, standing, light)
    if leaves is not None:
        share = share * leaves
    share = share * shadows.light_reaching(scene.stand, standing, light)
    heads.self_shade(scene.parts.heads, seen.planar.faces, light, share)
    return share


def _planes_clear(seen: Seen, light: Arriving) -> Tensor:
    """0 for points that their own plane hides from the light: walls do not hide lamps in front."""
    planes, touching = seen.scene.parts.planes, seen.planar.touching
    if light.far:
        away = torch.matmul(planes.normal, light.way[..., 0].transpose(1, 2)) < 0  # (B,P,L)
        hiding = torch.matmul(away.to(touching.dtype).transpose(1, 2), touching)
    else:
        away = torch.matmul(planes.normal, light.way[:, 0]) < 0  # (B,P,N)
        hiding = (away * touching).sum(1, keepdim=True)
    return (1.0 - hiding).clamp_min_(0)


def _own_glow(seen: Seen, source: Source) -> Tensor | None:
    """What shines by itself belongs to the source of its name: practicals and their shades."""
    if not source.name.startswith("practical"):
        return None
    near = (seen.hits.point - source.place[:, None]).square().sum(-1) < (3 * source.spread) ** 2
    share = seen.surface.glow * near * (seen.hits.item >= 0)
    return share[:, None] * source.colour[..., None]

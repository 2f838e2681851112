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

from footagefit.soundstage import geometry as g
from footagefit.soundstage import lights, materials
from footagefit.soundstage.camera import View
from footagefit.soundstage.lights import Source
from footagefit.soundstage.scene import Scene

_LIFT_M = 0.012
_SCATTER = (0.30, 0.10, 0.05)  # how far light bleeds round a terminator of skin, by channel


@dataclass
class Seen:
    """What the camera sees, before any light.

    Attributes:
        scene: The set.
        view: The camera.
        hits: Where rays meet it.
        surface: What it is made of there.
        open: (B,N) share of the hemisphere that is free.
        to_eye: (B,N,3).
    """

    scene: Scene
    view: View
    hits: g.Hits
    surface: materials.Surface
    open: Tensor
    to_eye: Tensor

    def picture(self, values: Tensor) -> Tensor:
        """(B,N,C) or (B,N) as (B,C,H,W)."""
        if values.dim() == 2:
            values = values[..., None]
        height, width = self.view.rows[1] - self.view.rows[0], self.view.size[1]
        return values.transpose(1, 2).reshape(values.shape[0], values.shape[2], height, width)

    @property
    def first_head(self) -> int:
        """Where heads begin among `hits.item`."""
        scene = self.scene
        return (
            sum(part.centre.shape[1] for part in (scene.boxes, scene.blobs))
            + (scene.planes.normal.shape[1])
        )

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
    origin, way = view.rays(jitter)
    hits = g.trace(scene.planes, scene.boxes, scene.blobs, scene.heads, origin, way)
    pixel = hits.distance.clamp_max(60.0) * (2.0 / view.size[1]) / view.reach
    surface = materials.surface(scene.materials, scene.heads, hits, pixel=pixel)
    lifted = hits.point + hits.normal * _LIFT_M
    free = g.open_sky(scene.stand, scene.planes, lifted, hits.normal)
    return Seen(scene, view, hits, surface, free, -way)


def lit(seen: Seen, source: Source) -> Part:
    """One source alone."""
    present = (seen.hits.item >= 0).float()[..., None]
    if source.kind == "dome":
        direct, indirect, reached = _under_dome(seen, source)
    else:
        direct, indirect, reached = _from_lamp(seen, source)
    beyond = _own_glow(seen, source)
    if source.kind == "dome":
        beyond = beyond + _sky(seen, source) * (1 - present)
    return Part(
        seen.picture(direct * present + beyond),
        seen.picture(indirect * present),
        seen.picture(reached * present[..., 0]),
    )


def _under_dome(seen: Seen, source: Source) -> tuple[Tensor, Tensor, Tensor]:
    """Light from everywhere: above `colour`, below `ground`; covered where the set covers it."""
    s = seen.surface
    up = 0.5 + 0.5 * (s.normal * source.way[:, None]).sum(-1, keepdim=True)
    arriving = source.ground[:, None] + (source.colour - source.ground)[:, None] * up
    free = seen.open[..., None]
    mirrored = 2 * (s.normal * seen.to_eye).sum(-1, keepdim=True) * s.normal - seen.to_eye
    sky = 0.5 + 0.5 * (mirrored * source.way[:, None]).sum(-1, keepdim=True)
    above = source.ground[:, None] + (source.colour - source.ground)[:, None] * sky
    edge = (1 - (s.normal * seen.to_eye).sum(-1, keepdim=True).clamp(0, 1)) ** 5
    smooth = (1 - s.rough)[..., None]
    coat = (s.shine + (1 - s.shine) * edge * smooth) * smooth
    direct = (s.albedo * arriving + coat * above) * free
    bounced = s.albedo * arriving * seen.scene.tint * (1 - free)
    return direct, bounced, seen.open


def _from_lamp(seen: Seen, source: Source) -> tuple[Tensor, Tensor, Tensor]:
    """A far or near source: cosine, shadow, shine, and one bounce."""
    s, hits = seen.surface, seen.hits
    if source.kind == "far":
        to_light = source.way[:, None]
        reach = torch.full_like(hits.distance, g.FAR)
        spread, strength = source.spread, source.colour[:, None]
    else:
        away = source.place[:, None] - hits.point
        reach = (away * away).sum(-1).clamp_min(1e-4).sqrt()
        to_light = away / reach[..., None]
        spread = source.spread / reach
        strength = source.colour[:, None] / (reach * reach + source.spread**2)[..., None]
    width = torch.sin(torch.atan(spread))
    lifted = hits.point + hits.normal * _LIFT_M
    share = g.light_reaching(seen.scene.stand, lifted, to_light, reach, spread)
    share = share * _planes_clear(seen, lifted, to_light.expand_as(lifted))
    which = (hits.item - seen.first_head).clamp_min(0)
    towards = to_light.expand_as(lifted)
    share = share * g.head_shade(seen.scene.heads, hits.unit, which, towards, spread)
    cosine = (s.normal * to_light).sum(-1)
    round_ = (hits.normal * to_light).sum(-1)
    plain = lights.facing(cosine, width)[..., None]
    bleed = torch.tensor(_SCATTER, device=cosine.device)
    skin = torch.stack([lights.facing(0.5 * cosine + 0.5 * round_, width + b) for b in bleed], -1)
    diffuse = plain + (skin - plain) * s.skin[..., None]
    grazing = torch.sigmoid(round_ / (0.04 + 0.5 * width)) if width.dim() else round_
    shiny = lights.shine(s, to_light, seen.to_eye, spread) * grazing[..., None]
    lit_share = share[..., None]
    direct = (s.albedo * diffuse + shiny) * strength * lit_share
    ambient = strength.mean(1, keepdim=True) * 0.22
    sky = 0.5 - 0.35 * (s.normal * to_light).sum(-1, keepdim=True)
    indirect = s.albedo * ambient * sky * seen.scene.tint * (0.35 + 0.65 * seen.open[..., None])
    return direct, indirect, share


def _planes_clear(seen: Seen, point: Tensor, to_light: Tensor) -> Tensor:
    """0 for points that a plane would hide from the light: walls do not hide lamps in front."""
    facing = torch.matmul(seen.scene.planes.normal, to_light.transpose(-1, -2))
    height = torch.matmul(seen.scene.planes.normal, point.transpose(-1, -2))
    height = height - seen.scene.planes.offset[..., None]
    own = height.abs() < 0.05
    return torch.where(own & (facing < 0), torch.zeros_like(facing), torch.ones_like(facing)).prod(
        1
    )


def _sky(seen: Seen, source: Source) -> Tensor:
    """What is seen of a dome where there is no set: brighter up, with a soft horizon."""
    height = -(seen.to_eye * source.way[:, None]).sum(-1, keepdim=True)
    share = torch.sigmoid(height * 6.0)
    return source.ground[:, None] + (source.colour - source.ground)[:, None] * share


def _own_glow(seen: Seen, source: Source) -> Tensor:
    """What shines by itself belongs to the source of its name: practicals and windows."""
    if not source.name.startswith(("practical", "window")):
        return torch.zeros_like(seen.surface.albedo)
    near = (seen.hits.point - source.place[:, None]).square().sum(-1) < (3 * source.spread) ** 2
    share = seen.surface.glow * near * (seen.hits.item >= 0)
    return share[..., None] * source.colour[:, None]

"""Light: its colour by kelvin, where it comes from, and what a surface makes of it.

Every source is rendered alone and is linear in its own colour, so that any relight is a weighted
sum. `ev` and kelvin are DESIGN's: at 0 an 18% card facing the source alone renders 0.18.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from footagefit.footage.white import SHOW_WHITE_K, light_rgb, planckian_uv
from footagefit.records import Light


@dataclass
class Source:
    """One source for a batch of scenes.

    Attributes:
        name: `key`, `fill`, `rim`, `practical0`, `window`, `sky` ...
        kind: `far` (a direction), `near` (a place), `dome` (from everywhere, with a gradient) or
            `map` (from everywhere, by a small picture).
        way: (B,3) unit direction to a far source, or up for a dome.
        place: (B,3) a near source's place.
        spread: (B,1) tangent of the angular radius (far); radius in metres (near).
        colour: (B,3) irradiance over pi at a facing surface; a near source at 1 m.
        ground: (B,3) a dome's light from below, of its own colour's share.
        gate: (B,4,3) the opening that a far source comes through, see `shadows.through_opening`.
        aim: (B,3) the way a near source looks, where it is a window; all ways where None.
        around: (B,3,h,w) a map's radiance over `colour`, see `environment`.
        harmonics: (B,9,3) the same as surfaces receive it.
        hidden: Whether it is not to be seen where there is no set.
    """

    name: str
    kind: str
    way: Tensor
    place: Tensor
    spread: Tensor
    colour: Tensor
    ground: Tensor
    gate: Tensor | None = None
    aim: Tensor | None = None
    around: Tensor | None = None
    harmonics: Tensor | None = None
    hidden: bool = False

    def on(self, device: str | torch.device) -> Source:
        """The same source on another device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors = {n: v.to(device) for n, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **tensors)


def colour_of(ev: float, kelvin: float, duv: float = 0.0) -> tuple[float, ...]:
    """Linear colour of a source from stops and kelvin."""
    return tuple(c * 2.0**ev for c in light_rgb(round(kelvin, 2), round(duv, 6)))


def direction(light: Light) -> tuple[float, float, float]:
    """Unit vector to the light in camera axes (x right, y up, z to the camera)."""
    azimuth = math.radians(light.azimuth_deg or 0.0)
    elevation = math.radians(light.elevation_deg or 0.0)
    return (
        math.sin(azimuth) * math.cos(elevation),
        math.sin(elevation),
        math.cos(azimuth) * math.cos(elevation),
    )


def angles(way: tuple[float, float, float]) -> tuple[float, float]:
    """Azimuth and elevation in degrees of a unit vector; the inverse of `direction`."""
    x, y, z = way
    return math.degrees(math.atan2(x, z)), math.degrees(math.asin(max(-1.0, min(1.0, y))))


@dataclass
class Arriving:
    """How the light of L lamps arrives at N points of B scenes.

    Attributes:
        way: Unit, to the lamp's middle: (B,L,3,1) of far lamps, (B,1,3,N) of a near one.
        reach: How far it is: (B,L,1) or (B,1,N).
        spread: Tangent of its angular radius: (B,L,1) or (B,1,N).
        strength: Irradiance over pi at a facing surface: (B,L,3,1) or (B,1,3,N).
    """

    way: Tensor
    reach: Tensor
    spread: Tensor
    strength: Tensor

    @property
    def far(self) -> bool:
        """Whether one direction serves all points."""
        return self.way.shape[-1] == 1

    def of(self, scene: int) -> Arriving:
        """What arrives in one scene."""
        every = (self.way, self.reach, self.spread, self.strength)
        return Arriving(*(values[scene : scene + 1] for values in every))

    def along(self, vectors: Tensor) -> Tensor:
        """(B,L,N) cosines of vectors (B,3,N) to the lamps."""
        if self.far:
            return torch.matmul(self.way[..., 0], vectors)
        return (self.way * vectors[:, None]).sum(2)


def facing(cosine: Tensor, width: Tensor) -> Tensor:
    """Lambert's cosine for a source of angular radius asin(width): its foot is rounded.

    Exact for a point (width 0) and for a whole hemisphere (width 1: (1 + cos) / 2 is approached
    as ((1 + cos) / 2)^2 x 4 / 4).
    """
    width = width.clamp_min(1e-4)
    soft = torch.minimum(cosine, width).add_(width).clamp_min_(0).square_().div_(4 * width)
    return soft.add_((cosine - width).clamp_min_(0))


def highlight(
    cosine: Tensor, eye: Tensor, between: Tensor, *, rough: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor]:
    """GGX highlight times pi times the cosine, but for Fresnel's factor; and how far that is up.

    Nobody needs the vector half-way: light and eye are unit, so that its length and its cosines
    follow from theirs. The source's size widens the lobe.

    Args:
        cosine: Normal to light (B,L,N).
        eye: Normal to eye (B,1,N).
        between: Light to eye (B,L,N).
        rough: (B,1,N).
        spread: Tangent of the source's angular radius, (B,L,N) or (B,L,1).
    """
    shorter = (2 + 2 * between).clamp_min_(1e-6).rsqrt_()
    cos_h = (cosine + eye).mul_(shorter).clamp_(0, 1)
    edge = (1 - (1 + between).mul_(shorter)).clamp_(0, 1)
    edge = edge.square().square_().mul_(edge).mul_(1 - rough)
    cos_l, cos_v = cosine.clamp(0, 1), eye.clamp(1e-3, 1)
    alpha = (rough.square() + 0.25 * spread).clamp_(0.002, 1)
    a2 = alpha * alpha
    lobe = a2 / cos_h.square_().mul_(a2 - 1).add_(1).square_().clamp_min_(1e-6)
    half = alpha / 2
    flat = 1 - half
    mask = (cos_l * flat).add_(half).mul_((cos_v * flat).add_(half)).clamp_min_(1e-3)
    return lobe.mul_(cos_l).div_(mask).mul_(0.25), edge


__all__ = [
    "SHOW_WHITE_K", "Arriving", "Source", "angles", "colour_of", "direction", "facing",
    "highlight", "light_rgb", "planckian_uv",
]  # fmt: skip

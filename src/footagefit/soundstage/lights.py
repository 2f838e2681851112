"""Light: its colour by kelvin, where it comes from, and what a surface makes of it.

Every source is rendered alone and is linear in its own colour, so that any relight is a weighted
sum. `ev` and kelvin are DESIGN's: at 0 an 18% card facing the source alone renders 0.18.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from footagefit.records import Light
from footagefit.soundstage.geometry import unit
from footagefit.soundstage.materials import Surface

SHOW_WHITE_K = 5600.0

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# XYZ to AP1, as published with ACES; its white is the one below.
_XYZ_TO_AP1 = np.array(
    [[1.6410233797, -0.3248032942, -0.2364246952],
     [-0.6636628587, 1.6153315917, 0.0167563477],
     [0.0117218943, -0.0082844420, 0.9883948585]]
)  # fmt: skip
_ACES_WHITE_XY = (0.32168, 0.33767)


def planckian_uv(kelvin: float) -> tuple[float, float]:
    """CIE 1960 u, v of a black body (Krystek 1985, eqs. 1 and 2; 1000 to 15000 K)."""
    t = kelvin
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t * t) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t * t
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t * t) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t * t
    )
    return u, v


def _xyz(kelvin: float, duv: float) -> np.ndarray:
    """XYZ at Y = 1 of a black body, moved by `duv` off the locus (+ is greener)."""
    u, v = planckian_uv(kelvin)
    u1, v1 = planckian_uv(kelvin * 1.001)
    along = np.array([u1 - u, v1 - v])
    along /= np.linalg.norm(along)
    u, v = u + duv * along[1], v - duv * along[0]
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    return np.array([x / y, 1.0, (1 - x - y) / y])


@lru_cache(maxsize=4096)
def light_rgb(kelvin: float, duv: float = 0.0, white_k: float = SHOW_WHITE_K) -> tuple[float, ...]:
    """ACEScg colour of a light, luminance 1, where light of `white_k` is R=G=B.

    Planckian, adapted (Bradford) from the show's white to ACES's.

    Args:
        kelvin: Higher is bluer.
        duv: Off the Planckian locus, + greener.
        white_k: The show's white.
    """
    x, y = _ACES_WHITE_XY
    target = np.array([x / y, 1.0, (1 - x - y) / y])
    gain = (_BRADFORD @ target) / (_BRADFORD @ _xyz(white_k, 0.0))
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD
    rgb = _XYZ_TO_AP1 @ (adapt @ _xyz(kelvin, duv))
    return tuple(float(c) for c in rgb)


@dataclass
class Source:
    """One source for a batch of scenes.

    Attributes:
        name: `key`, `fill`, `rim`, `practical0`, `window`, `sky` ...
        kind: `far` (a direction), `near` (a place) or `dome` (from everywhere, with a gradient).
        way: (B,3) unit direction to a far source, or up for a dome.
        place: (B,3) a near source's place.
        spread: (B,1) tangent of the angular radius (far); radius in metres (near).
        colour: (B,3) irradiance over pi at a facing surface; a near source at 1 m.
        ground: (B,3) a dome's light from below, of its own colour's share.
    """

    name: str
    kind: str
    way: Tensor
    place: Tensor
    spread: Tensor
    colour: Tensor
    ground: Tensor


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


def facing(cosine: Tensor, width: Tensor) -> Tensor:
    """Lambert's cosine for a source of angular radius asin(width): its foot is rounded.

    Exact for a point (width 0) and for a whole hemisphere (width 1: (1 + cos) / 2 is approached
    as ((1 + cos) / 2)^2 x 4 / 4).
    """
    width = width.clamp_min(1e-4)
    soft = (cosine + width).clamp_min(0).square() / (4 * width)
    return torch.where(cosine >= width, cosine, torch.where(cosine <= -width, cosine * 0, soft))


def shine(surface: Surface, to_light: Tensor, to_eye: Tensor, spread: Tensor) -> Tensor:
    """GGX highlight times pi times the cosine (B,N,3), the source's size widening the lobe."""
    half = unit(to_light + to_eye)
    cos_h = (surface.normal * half).sum(-1).clamp(0, 1)
    cos_l = (surface.normal * to_light).sum(-1).clamp(0, 1)
    cos_v = (surface.normal * to_eye).sum(-1).clamp(1e-3, 1)
    alpha = (surface.rough.square() + 0.25 * spread).clamp(0.002, 1)
    a2 = alpha * alpha
    lobe = a2 / (cos_h * cos_h * (a2 - 1) + 1).square().clamp_min(1e-6)
    mask = 0.25 / (
        (cos_l * (1 - alpha / 2) + alpha / 2) * (cos_v * (1 - alpha / 2) + alpha / 2)
    ).clamp_min(1e-3)
    edge = (1 - (to_light * half).sum(-1).clamp(0, 1)) ** 5
    fresnel = surface.shine + (1 - surface.shine) * edge[..., None] * (1 - surface.rough)[..., None]
    return fresnel * (lobe * mask * cos_l)[..., None]

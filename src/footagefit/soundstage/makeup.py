"""Faces, painted: lips, eyes, brows, the flush of cheeks, stubble, and hair by the strand.

Directions are those from a head's middle: x to its left as the camera sees it, y up, z front.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from footagefit.soundstage.noise import layered

_LIPS = ((-0.13, -0.495, 0.86), (-0.05, -0.50, 0.87), (0.05, -0.50, 0.87), (0.13, -0.495, 0.86))
_BROWS = ((-0.22, 0.315, 0.91), (-0.34, 0.335, 0.87), (-0.46, 0.315, 0.82))
_EYE = (0.345, 0.12, 0.93)
_METRES = 0.12  # from a head's middle to its skin, about


@dataclass
class Painted:
    """A face at points (n,...)."""

    albedo: Tensor
    rough: Tensor
    relief: Tensor  # of hair
    plain: Tensor  # (n,) how much of the skin's own relief is left


def face(
    way: Tensor, chart: Tensor, albedo: Tensor, rough: Tensor, tint: Tensor, pixel: Tensor
) -> Painted:
    """Colours of heads at directions (n,3).

    Args:
        way: Directions from the head's middle in its axes.
        chart: (n,5) hair cover, locks, across the strands.
        albedo: (n,3) bare skin.
        rough: (n,).
        tint: (n,3) colour of the hair.
        pixel: (n,) size of a pixel, metres.
    """
    cover = chart[:, 0]
    albedo = _flush(way, albedo)
    front = (way[:, 2] > 0.2).to(albedo.dtype)
    lips = torch.stack([_spot(way, c, (0.085, 0.045), sharp=5.0) for c in _LIPS]).amax(0) * front
    albedo = albedo * (1 - lips[:, None] * _row(way, 0.16, 0.36, 0.30))
    seam = _spot(way, (0.0, -0.494, 0.9), (0.19, 0.009), sharp=4.0) * front
    albedo = albedo * (1 - 0.55 * seam[:, None])
    side = torch.stack([-way[:, 0].abs(), way[:, 1], way[:, 2]], -1)  # both halves as one
    fuzz, _ = layered(way * _row(way, 130.0, 60.0, 60.0), pixel * 130.0 / _METRES, 2)
    brows = torch.stack([_spot(side, c, (0.085, 0.024)) for c in _BROWS]).amax(0) * front
    albedo = _mix(albedo, (brows * (0.75 + 0.7 * fuzz)).clamp(0, 0.9), tint)
    albedo, wet = _eyes(side, front, albedo, tint)
    rough = (rough * (1 - wet) + 0.08 * wet) * (1 - 0.25 * lips)
    fine, slope = _strands(way, pixel)
    body = (1 + 0.5 * fine + 0.45 * chart[:, 1]).clamp(0.2, 2.0)
    torn = (cover + 0.35 * fine * (cover * (1 - cover)) * 4).clamp(0, 1)  # the hairline is loose
    albedo = _mix(albedo, torn, tint * body[:, None])
    rough = rough + (0.55 - rough) * torn
    relief = chart[:, 2:] * (slope * 0.5 * torn)[:, None]
    return Painted(albedo, rough, relief, (1 - wet) * (1 - torn))


def _strands(way: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """Fine strands about 0 along the hair's flow, and their slope across it."""
    x, y, z = way.unbind(-1)
    across = torch.atan2(x, y + 0.55)
    flow = torch.stack([across * 75.0, z * 5.0, torch.zeros_like(x)], -1)
    value, slope = layered(flow, pixel * 75.0 / _METRES, 3)
    return value, slope[:, 0] * 0.35


def _flush(way: Tensor, albedo: Tensor) -> Tensor:
    """Blood under cheeks, nose and ears; a darker jaw."""
    side = torch.stack([way[:, 0].abs(), way[:, 1], way[:, 2]], -1)
    red = _spot(side, (0.5, -0.2, 0.8), (0.24, 0.2)) * 0.8 + _spot(
        way, (0.0, -0.16, 1.0), (0.13, 0.12)
    )
    albedo = albedo * (1 - red[:, None] * _row(way, 0.02, 0.15, 0.13))
    under = _spot(side, (0.34, -0.0, 0.9), (0.15, 0.06)) * 0.5  # rings under the eyes
    return albedo * (1 - under[:, None] * _row(way, 0.12, 0.16, 0.12))


def _eyes(side: Tensor, front: Tensor, albedo: Tensor, tint: Tensor) -> tuple[Tensor, Tensor]:
    """Eyeballs, irises, pupils and lashes; how wet it is."""
    eye = (-_EYE[0], _EYE[1], _EYE[2])
    white = _spot(side, eye, (0.104, 0.038), sharp=7.0) * front
    iris = _spot(side, eye, (0.044, 0.044), sharp=14.0)
    pupil = _spot(side, eye, (0.019, 0.019), sharp=14.0)
    corner = _spot(side, (eye[0] + 0.1, eye[1] - 0.01, eye[2]), (0.03, 0.03))
    ball = _row(side, 0.36, 0.33, 0.30) * (1 - 0.35 * corner[:, None] * _row(side, 0.2, 1.0, 1.0))
    coloured = _row(side, 0.07, 0.05, 0.035) * (1 - pupil[:, None]) + 0.004
    ball = _mix(ball.expand_as(albedo), iris, coloured)
    shade = _spot(side, (eye[0], eye[1] + 0.03, eye[2]), (0.12, 0.022))  # the lid's shadow
    ball = ball * (1 - 0.55 * shade[:, None])
    albedo = _mix(albedo, white, ball)
    lash = _spot(side, (eye[0], eye[1] + 0.043, eye[2]), (0.118, 0.014), sharp=5.0) * front
    crease = _spot(side, (eye[0], eye[1] + 0.085, eye[2]), (0.12, 0.012)) * front
    albedo = albedo * (1 - 0.25 * crease[:, None])
    return _mix(albedo, lash * 0.8, tint * 0.6), white * (1 - lash)


def _spot(
    way: Tensor, centre: tuple[float, float, float], size: tuple[float, float], *,
    sharp: float = 3.0,
) -> Tensor:  # fmt: skip
    """0..1 inside an upright ellipse about a direction."""
    length = math.sqrt(sum(c * c for c in centre))
    x = (way[:, 0] - centre[0] / length) / size[0]
    y = (way[:, 1] - centre[1] / length) / size[1]
    return torch.sigmoid((1 - x * x - y * y) * sharp)


def _mix(onto: Tensor, share: Tensor, tone: Tensor) -> Tensor:
    return onto + (tone - onto) * share[:, None]


def _row(like: Tensor, *values: float) -> Tensor:
    return torch.tensor(values, device=like.device)

"""Eyes and mouth: where lids and lips run, and how they rise and fall across their edges.

Both are curves across a flat piece of the face: u along, v up, from the middle, in half-heights of
the head. What belongs here: those curves, the slopes they make and the eyeball between them. What
does not: colour (`makeup.py`) and everything that is no curve (`sculpt.py`). Shapes: n points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from footagefit.soundstage.face import Face
from footagefit.soundstage.sculpt import EYE, MOUTH
from footagefit.soundstage.shapes import unit

_BALL = 0.105  # an eyeball's radius
_EDGE = 0.004  # over what distance one thing becomes another
_ASIDE = 0.15  # how far the eyes' plane turns out


@dataclass
class Eyes:
    """Points near an eye, both eyes as one: u from the nose outwards.

    Attributes:
        at: (n,) which points.
        u: (n,) over half the eye's width: inner corner -1, outer +1.
        v: (n,) up from the middle.
        over: How far above the upper lid's edge.
        under: How far below the lower lid's.
        ball: 0..1 whether the eyeball shows.
        iris: Distance from the middle of the iris over its radius.
        spoke: Angle about it.
        side: -1 or +1.
    """

    at: Tensor
    u: Tensor
    v: Tensor
    over: Tensor
    under: Tensor
    ball: Tensor
    iris: Tensor
    spoke: Tensor
    side: Tensor


@dataclass
class Mouth:
    """Points near the mouth.

    Attributes:
        at: (n,) which points.
        u: (n,) over half the mouth's width.
        lips: 0..1 whether this is lip.
        gap: 0..1 whether the mouth stands open here.
        line: 0..1 how near the parting line is.
        v: (n,) up from the middle of the gap.
    """

    at: Tensor
    u: Tensor
    lips: Tensor
    gap: Tensor
    line: Tensor
    v: Tensor


def eyes(face: Face, place: Tensor, pixel: Tensor) -> tuple[Eyes, Tensor, Tensor]:
    """What is near the eyes.

    Args:
        face: Whose.
        place: (n,3) points of the head, see `sculpt`.
        pixel: (n,) its size, half-heights: edges are no sharper.

    Returns:
        Those m points, slopes (m,3), and the eyeballs' normals (m,3).
    """
    middle = (EYE[0] + 0.014 * face.apart, *EYE[1:])
    side = torch.where(place[:, 0] < 0, -1.0, 1.0)
    u, v, axes = _plane(middle, _ASIDE, torch.cat([place[:, :1].abs(), place[:, 1:]], 1))
    half = 0.134 + 0.010 * face.eye_size
    at = torch.nonzero((u.abs() < 2.2 * half) & (v.abs() < 0.24) & (place[:, 2] > 0.2))[:, 0]
    u, v, side = u[at] / half, v[at], side[at]
    v = v - 0.014 * face.eye_tilt * u - 0.004 * face.lean * side
    inside = (1 - u * u).clamp_min(0)
    tall = (0.069 + 0.008 * face.eye_size) * face.open
    skew = 1 - 0.22 * u  # highest towards the nose
    top = tall * inside.sqrt() * (0.62 + 0.38 * inside) * skew - 0.030 * (1 - face.open) * inside
    low = -0.034 * inside * (1 + 0.25 * u)
    outer = 0.02 * (u.abs() - 1).clamp_min(0) ** 2 * half  # folds run on past the corners
    over, under = v - top + outer, low - v + outer
    edge = (0.4 * pixel[at]).clamp_min(_EDGE)
    ball = torch.sigmoid(-over / edge) * torch.sigmoid(-under / edge) * (u.abs() < 1.02)
    x, y = u * half + 0.004 - 0.022 * side * face.gaze_x, v - 0.006 - 0.018 * face.gaze_y
    iris = (x * x + y * y).sqrt() / 0.053
    found = Eyes(at, u, v, over, under, ball, iris, torch.atan2(y, x), side)
    return found, _lids(face, found, half, axes), _rounded(x, y, iris, side, axes)


def _lids(face: Face, e: Eyes, half: float, axes: tuple[Tensor, Tensor]) -> Tensor:
    """Slopes (n,3) of the lids' edges, the fold above and the bag below."""
    near = torch.sigmoid((1.25 - e.u.abs()) * 12.0)
    fold = 0.052 - 0.02 * (1 - face.crease)
    above = 0.010 * _bell_slope(e.over - 0.010, 0.011)
    above = above - 0.016 * face.crease * _bell_slope(e.over - fold, 0.011)
    above = above + 0.012 * _bell_slope(e.over - fold - 0.035, 0.026)
    below = 0.010 * _bell_slope(e.under - 0.009, 0.010)
    below = below - 0.007 * _bell_slope(e.under - 0.034, 0.012)
    below = below + (0.004 + 0.010 * face.bags) * _bell_slope(e.under - 0.062, 0.022)
    dv = (above * (e.over > -0.02) - below * (e.under > -0.02)) * near
    bent = 2.0 * (0.069 * face.open * above + 0.034 * below) * e.u / half * near
    across, up = axes
    return _sided(dv[:, None] * up + bent[:, None] * across, e.side)


def _rounded(x: Tensor, y: Tensor, iris: Tensor, side: Tensor, axes: tuple[Tensor, Tensor]
             ) -> Tensor:  # fmt: skip
    """Unit normals (n,3) of the eyeballs; the cornea is rounder than the ball."""
    across, up = axes
    steep = 1.0 + 0.5 * torch.sigmoid((1.15 - iris) * 12.0)
    a, b = x / _BALL * steep * 0.8, y / _BALL * steep * 0.8
    out = (1 - a * a - b * b).clamp_min(0.12).sqrt()
    front = torch.linalg.cross(across, up)
    made = a[:, None] * across + b[:, None] * up + out[:, None] * front
    return unit(_sided(made, side))


def mouth(face: Face, place: Tensor, pixel: Tensor) -> tuple[Mouth, Tensor]:
    """What is near the mouth: see `eyes`."""
    u, v, (_, up) = _plane(MOUTH, 0.0, place)
    half = 0.212 + 0.020 * face.mouth + 0.012 * max(face.smile, 0.0)
    at = torch.nonzero((u.abs() < 1.5 * half) & (v.abs() < 0.2) & (place[:, 2] > 0.2))[:, 0]
    u, v = u[at] / half, v[at]
    inside = (1 - u * u).clamp_min(0)
    curve = 0.010 * inside * torch.cos(u * 4.7) * 0.6 + 0.018 * (0.35 + face.smile) * u * u
    v = v - curve + 0.004 * face.lean * u
    opened = 0.020 * face.part * inside
    bow = 1 - 0.20 * bell(u, 0.16) + 0.06 * bell(u.abs() - 0.3, 0.2)
    upper = (0.072 + 0.022 * face.lip_upper) * inside.sqrt() * (0.35 + 0.65 * inside) * bow + 1e-3
    lower = (0.088 + 0.022 * face.lip_lower) * inside**0.75 * (0.7 + 0.3 * inside) + 1e-3
    over, under = (v - opened) / upper, (-v - opened) / lower
    soft = (0.4 * pixel[at]).clamp_min(0.006)
    lips = torch.sigmoid((1 - over) * upper / soft) * torch.sigmoid((1 - under) * lower / soft)
    lips = lips * torch.sigmoid((1.0 - u.abs()) * 30.0)
    gap = torch.sigmoid((opened - v.abs()) / 0.003) * (face.part > 0.02) * (u.abs() < 0.97)
    line = bell(v, 0.008) * torch.sigmoid((1.06 - u.abs()) * 30.0)
    found = Mouth(at, u, lips, gap, line, v)
    full = (0.020 + 0.008 * face.lip_upper, 0.026 + 0.010 * face.lip_lower)
    dv = torch.where(v > 0, full[0] * (1 - 2 * over) / upper, -full[1] * (1 - 2 * under) / lower)
    dv = dv.clamp(-0.8, 0.8) * torch.sigmoid((1.12 - torch.maximum(over, under)) * 14.0)
    dv = dv * inside.sqrt() - 0.007 * _bell_slope(v, 0.010) * (u.abs() < 1.1)
    dv = dv + 0.004 * _bell_slope(v - opened - upper, 0.008) * inside  # the border stands up
    return found, dv[:, None] * up


def _plane(at: tuple[float, ...], aside: float, place: Tensor
           ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
    """How far points (n,3) lie across and above a place, and those axes, turned out by `aside`."""
    across = torch.tensor([math.cos(aside), 0.0, -math.sin(aside)], device=place.device)
    up = torch.tensor([0.0, 1.0, 0.0], device=place.device)
    apart = place - torch.tensor(at, device=place.device)
    return torch.matmul(apart, across), torch.matmul(apart, up), (across, up)


def bell(x: Tensor, width: Tensor | float) -> Tensor:
    """1 in the middle, nothing a few widths off."""
    return torch.exp(-((x / width) ** 2).clamp_max(30.0))


def _bell_slope(x: Tensor, width: float) -> Tensor:
    """How that changes with x."""
    return -2.0 / width**2 * x * bell(x, width)


def _sided(v: Tensor, side: Tensor) -> Tensor:
    """Vectors (n,3) of the one eye, for both."""
    return torch.cat([(v[:, 0] * side)[:, None], v[:, 1:]], 1)

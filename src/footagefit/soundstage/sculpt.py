"""Heads in clay: skull, jaw and features as a height by direction.

Coarse shape is charted (`heads.chart`), what is finer than a chart is worked out where the camera
looks (`fine`). What belongs here: heights and their slopes. What does not: lids and lips, which
follow curves (`openings.py`), hair (`heads.py`), colour (`makeup.py`).

Lengths are half-heights of the head from its middle: the chin is at y = -1, the crown at +1; x runs
to image right of a head that faces the camera, z to the camera. Eyes lie half-way up, an eye's
width apart; of the way from them to the chin the nose ends at 0.38 and lips part at 0.58; a mouth
is 0.43 of it wide (about what anthropometry finds). Shapes: K features, n
directions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from footagefit.soundstage.face import Face
from footagefit.soundstage.shapes import dots, features

BUILD = (0.66, 1.0, 0.86)  # a middling head: half its width, height and depth
EYE = (0.266, 0.0, 0.66)
MOUTH = (0.0, -0.58, 0.76)
_SKULL = (  # ellipsoids that melt into a head: centre y z, radii x y z
    (0.24, -0.10, 0.665, 0.755, 0.79),
    (-0.27, 0.16, 0.510, 0.65, 0.53),
    (-0.42, 0.10, 0.425, 0.575, 0.53),
)
_MELT = 0.022


@lru_cache(maxsize=64)
def coarse(face: Face) -> Bells:
    """What a chart can hold."""
    f = face
    nose, wing = 0.288 + 0.03 * f.nose_long, 0.11 + 0.018 * f.nose_wide
    eye, deep = EYE[0] + 0.014 * f.apart, 0.018 * f.eye_deep
    fat, bony = f.fat, -f.fat + 0.4 * f.age
    hollow = 0.4 + 0.6 * max(f.age, 0.7 * f.male)  # in the young and in women fat fills hollows
    chin = -0.90 - 0.03 * f.long
    return bells([  # x y z, across, up, lean in degrees, height
        (0.0, -0.05, 0.72, 0.070, 0.110, 0, 0.062 + 0.035 * f.nose_high),  # bridge
        (0.0, -0.18, 0.72, 0.075, 0.095, 0, 0.075 + 0.025 * f.nose_high + 0.03 * f.hook),
        (0.0, -nose + 0.045, 0.74, 0.078, 0.060, 0, 0.070),
        (0.0, -nose - 0.01 + 0.02 * f.nose_tip, 0.76, 0.066, 0.060, 0, 0.125 + 0.02 * f.nose_tip),
        (wing, -nose - 0.035, 0.74, 0.045, 0.048, 0, 0.072 + 0.012 * f.nose_wide),
        (0.0, -nose - 0.100, 0.78, 0.040, 0.040, 0, 0.030),  # the wall between the nostrils
        (0.0, -nose - 0.160, 0.78, 0.150, 0.045, 0, -0.012),  # below it
        (0.155, -0.01, 0.70, 0.055, 0.085, 0, -0.024 - 0.012 * hollow),  # inner corners
        (0.20, -0.19, 0.68, 0.060, 0.120, -20, -0.024 * hollow),  # beside the nose
        (eye, 0.015, 0.66, 0.165, 0.090, 0, -0.070 - deep),  # sockets
        (eye + 0.005, -0.005, 0.66, 0.085, 0.068, 0, 0.044),  # eyeballs under their lids
        (eye, 0.085, 0.67, 0.150, 0.032, 0, -0.016 - 0.5 * deep),
        (eye - 0.01, -0.115, 0.66, 0.110, 0.035, -12, -0.012 * hollow - 0.02 * f.bags),
        (0.19, 0.155, 0.74, 0.130, 0.050, 8, 0.030 + 0.016 * f.brow),  # brow
        (0.42, 0.150, 0.58, 0.110, 0.055, -8, 0.030 + 0.012 * f.brow),
        (0.0, 0.140, 0.76, 0.070, 0.060, 0, 0.012 + 0.010 * f.brow),
        (0.0, 0.50, 0.68, 0.300, 0.170, 0, 0.022 + 0.02 * f.forehead),
        (0.60, 0.22, 0.34, 0.140, 0.200, 0, -0.034 * hollow - 0.015 * bony),  # temples
        (0.46, -0.185, 0.50, 0.150, 0.085, -14, 0.034 + 0.012 * hollow + 0.018 * f.cheek),
        (0.33, -0.315, 0.62, 0.120, 0.100, 0, 0.014 + 0.022 * fat + 0.01 * f.smile),
        (0.43, -0.50, 0.42, 0.130, 0.150, 0, -0.022 * hollow - 0.020 * bony),  # hollow cheeks
        (0.0, -0.545, 0.74, 0.240, 0.160, 0, 0.022),  # the teeth behind the lips
        (0.21, -0.585, 0.70, 0.050, 0.050, 0, -0.011),  # corners of the mouth
        (0.0, -0.535, 0.80, 0.130, 0.035, 0, 0.008 + 0.006 * f.lip_upper),
        (0.0, -0.640, 0.79, 0.120, 0.042, 0, 0.020 + 0.010 * f.lip_lower),
        (0.0, -0.745, 0.70, 0.160, 0.055, 0, -0.014 - 0.012 * hollow),  # above the chin
        (0.0, chin, 0.62, 0.160, 0.110, 0, 0.074 + 0.025 * f.chin),
        (0.11, chin + 0.01, 0.60, 0.110, 0.100, 0, 0.018 + 0.015 * f.male),
        (0.46, -0.66, 0.06, 0.170, 0.160, 0, 0.020 + 0.034 * f.jaw),  # corners of the jaw
        (0.36, -0.80, 0.36, 0.140, 0.100, -25, 0.010 + 0.020 * f.jaw + 0.015 * fat),
        (0.20, -0.98, 0.26, 0.220, 0.120, 0, 0.015 + 0.045 * max(fat, 0.0)),  # double chin
        (0.0, 0.15, -0.95, 0.350, 0.300, 0, 0.030),  # back of the skull
    ], f.lean)  # fmt: skip


@lru_cache(maxsize=64)
def details(face: Face) -> Bells:
    """What only the camera sees."""
    f = face
    nose, wing = 0.288 + 0.03 * f.nose_long, 0.11 + 0.018 * f.nose_wide
    old = 0.25 + 0.75 * f.age
    ear = 0.10 - 0.02 * f.ear_long
    return bells([
        (wing + 0.062, -nose - 0.035, 0.70, 0.018, 0.050, 8, -0.014),  # behind the wings
        (wing - 0.035, -nose - 0.005, 0.76, 0.020, 0.040, -25, -0.012),  # between wing and tip
        (0.062, -nose - 0.085, 0.80, 0.032, 0.020, -22, -0.024),  # nostrils
        (0.0, -0.470, 0.80, 0.026, 0.036, 0, -0.006),  # philtrum
        (0.044, -0.475, 0.80, 0.018, 0.032, 6, 0.003),
        (0.240, -0.420, 0.66, 0.026, 0.120, 26, -0.010 * old - 0.004 * f.smile),  # nasolabial fold
        (0.290, -0.395, 0.65, 0.045, 0.110, 26, 0.008 * old),
        (0.265, -0.690, 0.64, 0.020, 0.060, 12, -0.009 * f.age),  # below the corners
        (0.035, 0.150, 0.76, 0.011, 0.045, 6, -0.006 * f.age),  # frown
        (0.0, 0.000, 0.74, 0.060, 0.008, 0, -0.002 * f.age),
        (0.46, 0.015, 0.56, 0.070, 0.009, 14, -0.004 * f.age),  # crow's feet
        (0.46, -0.025, 0.56, 0.070, 0.009, -8, -0.004 * f.age),
        (0.46, -0.065, 0.56, 0.060, 0.009, -26, -0.003 * f.age),
        (0.265, -0.150, 0.66, 0.100, 0.016, -14, -0.006 * f.bags),
        (0.0, -0.915, 0.68, 0.024, 0.050, 0, -0.004 * max(f.chin, 0.0)),  # cleft
        (0.72, -ear + 0.10, -0.06, 0.060, 0.090, 0, -0.050),  # shell of the ear
        (0.72, -ear - 0.08, -0.05, 0.035, 0.060, 0, -0.045),
        (0.70, -ear - 0.03, 0.035, 0.018, 0.040, 0, 0.035),  # tragus
        (0.74, -ear + 0.03, -0.12, 0.018, 0.100, 0, 0.018),  # the inner rim
    ], f.lean)  # fmt: skip


class Bells(NamedTuple):
    """Bell shapes on the sphere of directions.

    Attributes:
        value: (K,10) coefficients on `terms` of the logarithm of each.
        slope: (K,9) of its slope.
        tall: (K,) heights.
    """

    value: Tensor
    slope: Tensor
    tall: Tensor

    def at(self, terms_10n: Tensor) -> Tensor:
        """(K,n) 0..1."""
        logs = torch.matmul(self.value.to(terms_10n.device), terms_10n)
        return logs.clamp_min_(-30.0).exp_()  # what is smaller is nothing, and slow


def bells(rows: list[tuple[float, ...]], lean: float = 0.0, *, both: bool = True) -> Bells:
    """Bells at places of a face.

    A bell is exp(-E), E a quadratic in the direction d: with c its middle, a and b its widths,
    E = A (d.t1)^2 + B (d.t2)^2 + 2 g (1 - d.c), which near c is the same as its bell in the plane.

    Args:
        rows: Middle x y z, widths across and up, lean (+ to its own side at the top), height.
        lean: How much what stands left and right differs.
        both: Whether what is not in the middle stands on both sides.
    """
    table = np.array(rows)
    paired = table[:, 0] != 0
    mirrored = table[paired] * np.array([-1, 1, 1, 1, 1, -1, 1.0])
    table[paired, 6] *= 1 + 0.05 * lean
    table[paired, 1] += 0.006 * lean
    table = np.concatenate([table, mirrored]) if both else table
    far = np.linalg.norm(table[:, :3], axis=1, keepdims=True)
    c = table[:, :3] / far
    across = np.stack([c[:, 2], 0 * c[:, 0], -c[:, 0]], 1)  # up cross c
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(c, across)
    a = np.radians(table[:, 5:6])
    t1, t2 = across * np.cos(a) - up * np.sin(a), up * np.cos(a) + across * np.sin(a)
    wide = (far / table[:, 3:5]) ** 2
    g = 0.9 * wide.min(1)
    m = (wide[:, 0] - g)[:, None, None] * t1[:, :, None] * t1[:, None]
    m += (wide[:, 1] - g)[:, None, None] * t2[:, :, None] * t2[:, None]
    six = np.stack([m[:, 0, 0], m[:, 1, 1], m[:, 2, 2], m[:, 0, 1], m[:, 0, 2], m[:, 1, 2]], 1)
    twice = six * np.array([1, 1, 1, 2, 2, 2.0])
    value = np.concatenate([-twice, 2 * g[:, None] * c, -2 * g[:, None]], 1)
    slope = np.concatenate([-2 * six, 2 * g[:, None] * c], 1)
    return Bells(*(torch.from_numpy(v.astype(np.float32)) for v in (value, slope, table[:, 6])))


def terms(way_n3: Tensor) -> Tensor:
    """(10,n) squares, products, coordinates and one of unit directions."""
    return torch.cat([features(way_n3), way_n3.T, torch.ones_like(way_n3.T[:1])])


class Skull(NamedTuple):
    """What is below every face.

    Attributes:
        way: (n,3) unit directions.
        terms: (10,n) see `terms`.
        reach: (n,) how far it goes.
        slope: (n,3) of that, but for what lies along the direction.
    """

    way: Tensor
    terms: Tensor
    reach: Tensor
    slope: Tensor


def height(face: Face, bare: Skull) -> tuple[Tensor, Tensor]:
    """How far skull and flesh reach (n,), and its slope along the sphere of directions (n,3)."""
    made = coarse(face)
    bumps = made.at(bare.terms)
    slope = bare.slope + _slope(made, bumps, bare.terms)
    slope = slope - dots(slope, bare.way)[:, None] * bare.way
    return bare.reach + torch.matmul(made.tall, bumps), slope


def skull(way_n3: Tensor) -> Skull:
    """Ellipsoids that hold the middle, as far as their far sides, the furthest smoothly."""
    table = torch.tensor(_SKULL)
    middle = torch.cat([torch.zeros(len(table), 1), table[:, :2]], 1)
    form, way = table[:, 2:] ** -2, way_n3.T
    a = torch.matmul(form, way.square())
    b = torch.matmul(-middle * form, way)
    inside = 1 - (middle * middle * form).sum(1, keepdim=True)
    reach = (torch.addcmul(a * inside, b, b).sqrt() - b) / a  # (K,n)
    share = torch.softmax(reach / _MELT, 0)
    normal = form[..., None] * (reach[:, None] * way - middle[..., None])  # (K,3,n)
    lean = (share * reach / (normal * way).sum(1))[:, None]
    slope = -(lean * normal).sum(0).T
    return Skull(way_n3, terms(way_n3), torch.logsumexp(reach / _MELT, 0) * _MELT, slope)


def ears(face: Face, way_n3: Tensor) -> Tensor:
    """(n,) how far ears stand off: plates that lean back, with a thicker rim."""
    x, y, z = way_n3.unbind(1)
    far = 0.70  # from the middle of the head, about
    long = 0.255 + 0.02 * face.ear_long
    up = (y * far + 0.10) / long
    deep = (z * far + 0.085 + 0.05 * up) / (0.135 - 0.025 * up.clamp(-1, 1).neg().clamp_min(0))
    q = deep * deep + up * up
    plate = torch.sigmoid((1 - q) * 7.0)
    bowl = torch.sigmoid((0.42 - (deep - 0.15) ** 2 - up * up * 0.8) * 9.0)
    off = (0.085 + 0.035 * face.ear) * (0.62 - 0.38 * deep.clamp(-1, 1))  # the back stands off
    return (x.abs() > 0.5) * plate * (off - 0.030 * bowl)


def fine(face: Face, terms_10n: Tensor) -> Tensor:
    """(n,3) slope along the sphere of directions of what is finer than a chart."""
    made = details(face)
    return _slope(made, made.at(terms_10n), terms_10n)


def _slope(made: Bells, at_Kn: Tensor, terms_10n: Tensor) -> Tensor:
    """(n,3) slope of bells that are `at` so much of their height."""
    weighted = (made.slope * made.tall[:, None]).to(at_Kn.device)
    xx, yy, zz, xy, xz, yz, cx, cy, cz = torch.matmul(weighted.T, at_Kn)
    x, y, z = terms_10n[6:9]
    return torch.stack([
        xx * x + xy * y + xz * z + cx, xy * x + yy * y + yz * z + cy, xz * x + yz * y + zz * z + cz,
    ], 1)  # fmt: skip

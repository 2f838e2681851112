"""Faces as the camera sees them: what is finer than their chart, and paint.

Lips, eyes, lashes and brows, the flush of cheeks, freckles, stubble, make-up, oil, and hair by the
strand. Shapes: n points of one head. Lengths as in `sculpt`: half-heights of the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from footagefit.soundstage import openings, sculpt
from footagefit.soundstage.face import Face
from footagefit.soundstage.heads import in_clay
from footagefit.soundstage.noise import layered
from footagefit.soundstage.openings import Eyes, Mouth, bell
from footagefit.soundstage.sculpt import Bells, bells
from footagefit.soundstage.shapes import Shown, unit

_METRES = 0.12  # a half-height, about
_TOO_FINE = 0.035  # pixels this large see nothing of what is fine
_STROKES = 130.0  # of brows and hair, a half-height


@dataclass
class Painted:
    """A face at points (n,...)."""

    albedo: Tensor
    normal: Tensor
    rough: Tensor
    plain: Tensor  # (n,) how much of it is bare skin
    coat: Tensor  # (n,) how much of skin's shine there is: hairs stand in each other's way


@dataclass
class _Canvas:
    """A face while it is painted: what is at each point so far, and where that is."""

    face: Face
    way: Tensor  # (n,3) directions, see `sculpt`
    pixel: Tensor  # (n,) half-heights
    albedo: Tensor
    rough: Tensor
    plain: Tensor
    relief: Tensor  # (n,3) slope, in the head's axes

    def cover(self, share: Tensor, tone: Tensor) -> None:
        """Lay a colour (3,) or (n,3) over it."""
        self.albedo = self.albedo + (tone - self.albedo) * share[:, None]


def face(
    shown: Shown, normal: Tensor, albedo: Tensor, rough: Tensor, tint: Tensor, pixel: Tensor
) -> Painted:
    """Colours and relief of what is seen of a head.

    Args:
        shown: It.
        normal: (n,3) of the chart and of skin, in the world.
        albedo: (n,3) bare skin.
        rough: (n,).
        tint: (3,) colour of the hair.
        pixel: (n,) size of a pixel, metres.
    """
    way, far = in_clay(shown.way)
    terms = sculpt.terms(way)
    reach = (shown.radius * far)[:, None]
    place = way * reach
    c = _Canvas(shown.face, way, pixel / _METRES, albedo, rough, torch.ones_like(rough),
                torch.zeros_like(way))  # fmt: skip
    seen = (1.6 - c.pixel / _TOO_FINE * 1.6).clamp(0, 1)
    if bool((seen > 0).any()):
        c.relief += sculpt.fine(shown.face, terms) * seen[:, None] / reach
    above_lip = _complexion(c, terms)
    _beard(c, tint, above_lip)
    found, slope = openings.mouth(shown.face, place, c.pixel)
    c.relief[found.at] += slope * seen[found.at, None]
    _lips(c, found)
    near, slope, ball = openings.eyes(shown.face, place, c.pixel)
    c.relief[near.at] += slope * seen[near.at, None]
    _brows(c, near, tint)
    _eyes(c, near, tint)
    torn = _hair(c, shown, tint)
    slope = c.relief - (c.relief * way).sum(1, keepdim=True) * way
    made = unit(normal - torch.matmul(slope, shown.turn))
    bare = (near.ball * (1 - torn[near.at]))[:, None]
    made[near.at] = unit(torch.lerp(made[near.at], torch.matmul(ball, shown.turn), bare))
    return Painted(c.albedo, made, c.rough, c.plain * (1 - torn), 1 - 0.75 * torn)


@lru_cache(maxsize=64)
def _places(face: Face) -> Bells:
    """Where blood, rings, freckles, oil and a moustache are, one side for both; then nostrils."""
    low = -0.388 - 0.03 * face.nose_long + 0.012 * face.nose_tip
    return bells([
        (0.40, -0.24, 0.56, 0.20, 0.16, 0, 0), (0.0, -0.30, 0.90, 0.13, 0.10, 0, 0),
        (0.0, -0.92, 0.62, 0.16, 0.10, 0, 0), (0.70, -0.10, -0.10, 0.20, 0.25, 0, 0),
        (0.27, 0.02, 0.66, 0.19, 0.13, 0, 0), (0.24, -0.085, 0.66, 0.10, 0.045, -10, 0),
        (0.060 + 0.010 * face.nose_wide, low, 0.84, 0.036, 0.017, -20, 0),
        (0.22, -0.18, 0.70, 0.36, 0.26, 0, 0), (0.10, -0.445, 0.78, 0.13, 0.05, 0, 0),
        (0.0, -0.20, 0.80, 0.13, 0.24, 0, 0), (0.0, 0.42, 0.70, 0.36, 0.18, 0, 0),
        (0.40, -0.18, 0.55, 0.14, 0.10, 0, 0),
    ], both=False)  # fmt: skip


@lru_cache(maxsize=64)
def _moles(face: Face) -> Bells:
    rng = torch.Generator().manual_seed(int(face.seed * 1e4))
    drawn = torch.rand(5, 3, generator=rng).tolist()
    return bells([
        (1.1 * x - 0.55, 1.2 * y - 0.85, 0.62, 0.006 + 0.009 * size, 0.006 + 0.009 * size, 0, 0)
        for x, y, size in drawn[: 2 + int(3 * drawn[0][2])]
    ], both=False)  # fmt: skip


_DYES = (  # what blood, rings, nostrils, freckles, moles and blotches leave of red, green, blue
    (0.98, 0.80, 0.80), (0.98, 0.80, 0.80), (0.98, 0.80, 0.80), (0.98, 0.80, 0.80),
    (0.84, 0.76, 0.77), (0.80, 0.74, 0.80), (0.10, 0.05, 0.04),
    (0.68, 0.56, 0.48), (0.50, 0.40, 0.36), (0.97, 0.78, 0.74),
)  # fmt: skip


def _complexion(c: _Canvas, terms: Tensor) -> Tensor:
    """Blood, rings, freckles, moles and oil; (n,) how much this is above the lip."""
    f = c.face
    both = sculpt.terms(torch.cat([c.way[:, :1].abs(), c.way[:, 1:]], 1))
    at = _places(f).at(both)
    blotch, _ = layered(c.way * 7.0 + f.seed, c.pixel * 7.0, 3)
    blood = (0.5 + 0.9 * f.blush) * (1 + blotch)
    level = (0.7, 0.8, 0.35, 0.8, 0.6 + 0.5 * f.bags, 0.2 + 0.7 * f.bags, 1.0)
    shares = at[:7] * torch.tensor(level, device=at.device)[:, None]
    shares[:4] *= blood
    fleck = torch.zeros_like(blotch)
    if f.freckles > 0.04:
        spots, _ = layered(c.way * 75.0 - f.seed, c.pixel * 75.0, 2)
        fleck = (spots * 6.0 - 1.3).clamp(0, 1) * at[7] * f.freckles
    mole = _moles(f).at(terms).sum(0)
    shares = torch.cat([shares, torch.stack([fleck, mole, (blotch * 0.55 + 0.1).clamp(-0.3, 0.5)])])
    dyes = torch.tensor(_DYES, device=at.device).log()
    c.albedo = c.albedo * torch.matmul(shares.T, dyes).exp_()
    shine = (at[9] + 0.8 * at[10] + 0.5 * at[11]).clamp_(0, 1)
    c.rough = c.rough * (1 - (0.10 + 0.30 * f.oil) * shine * (1 + 0.8 * blotch))
    return at[8]


def _beard(c: _Canvas, tint: Tensor, lip: Tensor) -> None:
    """Stubble, or a beard, on jaw, chin and above the lip."""
    f = c.face
    if f.stubble < 0.02:
        return
    x, y, z = c.way[:, 0].abs(), c.way[:, 1], c.way[:, 2]
    line = -0.40 - 0.30 * (0.5 - x).clamp_min(0) - 0.25 * (0.3 - x).clamp_min(0) + 0.35 * (0.2 - z)
    jaw = torch.sigmoid((line - y) * 22.0) * torch.sigmoid((z + 0.12) * 12.0)
    where = torch.maximum(jaw, lip).clamp(0, 1)
    hairs, _ = layered(c.way * torch.tensor([150.0, 70.0, 150.0], device=x.device) + f.seed,
                       c.pixel * 150.0, 2)  # fmt: skip
    share = where * f.stubble * (0.85 + 1.6 * hairs)
    c.cover((share * (0.55 + 0.4 * f.stubble)).clamp(0, 0.93), tint * 0.8 + 0.012)
    c.rough = c.rough + (0.62 - c.rough) * (where * f.stubble)


def _lips(c: _Canvas, m: Mouth) -> None:
    """Lips with their creases, the line between, teeth in an open mouth."""
    f = c.face
    creases, _ = layered(
        torch.stack([m.u * 9.0 + f.seed, m.v * 3.0, 0 * m.u], 1), c.pixel[m.at] * 45.0, 3
    )
    albedo, rough = c.albedo[m.at], c.rough[m.at]
    natural = albedo * torch.tensor([0.72, 0.42, 0.43], device=albedo.device)
    shades = ((0.20, 0.018, 0.022), (0.26, 0.06, 0.07), (0.10, 0.010, 0.020), (0.28, 0.12, 0.09))
    stick = torch.tensor(shades[int(f.seed * 7) % 4], device=albedo.device)
    stick = stick * (0.35 + 0.65 * float(albedo.mean()) / 0.35)
    tone = torch.lerp(natural, stick.expand_as(natural), 0.85 * f.lipstick)
    tone = tone * (1 + 0.28 * creases + 0.10 * (m.v > 0) * -1.0)[:, None]
    albedo = torch.lerp(albedo, tone, (m.lips * 0.92)[:, None])
    dark = torch.maximum(m.gap, 0.72 * m.line)
    inside = torch.tensor([0.030, 0.010, 0.009], device=albedo.device)
    albedo = torch.lerp(albedo, inside.expand_as(albedo), dark[:, None])
    if f.part > 0.35:
        tooth = torch.sigmoid((m.v - 0.002) * 400.0) * m.gap * (1 - m.u * m.u).clamp_min(0)
        between = 1 - 0.5 * bell(torch.sin(m.u * 14.0), 0.18)
        ivory = torch.tensor([0.42, 0.37, 0.29], device=albedo.device) * between[:, None]
        albedo = torch.lerp(albedo, ivory, (0.8 * tooth)[:, None])
    c.albedo[m.at] = albedo
    rough = rough + (0.44 - 0.18 * f.lipstick - rough) * m.lips * 0.8
    c.rough[m.at] = rough + (0.8 - rough) * dark
    c.plain[m.at] = 1 - 0.8 * m.lips


def _brows(c: _Canvas, e: Eyes, tint: Tensor) -> None:
    """Hairs that rise from the nose and lie down outwards."""
    f = c.face
    arch = 0.018 + 0.014 * f.brow_arch
    middle = 0.142 + 0.010 * f.brow + arch * (1 - ((e.u - 0.45) / 1.15) ** 2) - 0.010 * e.u
    taper = (1.0 - 0.28 * (e.u + 1.2).clamp_min(0)).clamp_min(0.18)
    thick = (0.032 + 0.014 * f.brow_thick) * taper
    band = (
        bell(e.v - middle, thick)
        * torch.sigmoid((e.u + 1.28) * 9.0)
        * torch.sigmoid((1.72 - e.u) * 9.0)
    )
    lean = 0.9 - 0.5 * e.u
    flow = torch.stack([e.u * 0.13 - lean * e.v * 0.5, e.v * 0.25 + 0.03 * e.u, e.side], 1)
    hairs, slope = layered(flow * _STROKES + f.seed, c.pixel[e.at] * _STROKES * 0.7, 2)
    share = (band * (0.9 + 0.15 * f.brow_thick + 1.1 * hairs)).clamp(0, 0.94)
    c.albedo[e.at] = torch.lerp(c.albedo[e.at], (tint * 0.7 + 0.006).expand(len(share), 3),
                                share[:, None])  # fmt: skip
    c.relief[e.at, 0] += 0.25 * slope[:, 0] * share * e.side
    c.plain[e.at] *= 1 - 0.8 * share


def _eyes(c: _Canvas, e: Eyes, tint: Tensor) -> None:
    """Eyeballs, lids, lashes and what is painted on them."""
    f, albedo = c.face, c.albedo[e.at]
    device = albedo.device

    def over(share: Tensor, tone: Tensor | tuple[float, ...]) -> Tensor:
        laid = torch.tensor(tone, device=device) if isinstance(tone, tuple) else tone
        return torch.lerp(albedo, laid.expand_as(albedo), share[:, None])

    lid = torch.sigmoid((0.055 - (e.over - 0.035).abs()) * 60.0) * (e.u.abs() < 1.5)
    lid = lid * torch.sigmoid((1.35 - e.u.abs()) * 9.0) * (e.over > -0.01)
    shades = ((0.16, 0.10, 0.09), (0.09, 0.08, 0.10), (0.14, 0.08, 0.10), (0.12, 0.10, 0.06))
    albedo = over(0.75 * f.shadow * lid, shades[int(f.seed * 11) % 4])
    crease = bell(e.over - 0.052 + 0.02 * (1 - f.crease), 0.011)
    crease = crease * torch.sigmoid((1.2 - e.u.abs()) * 12.0)
    albedo = albedo * (1 - 0.30 * f.crease * crease)[:, None]
    c.albedo[e.at] = albedo = torch.lerp(albedo, _ball(f, e, device), e.ball[:, None])
    albedo = over(0.6 * bell(e.u + 1.0, 0.16) * bell(e.v, 0.02), (0.30, 0.12, 0.10))
    rim = torch.sigmoid((1.10 - e.u.abs()) * 30.0)
    thick = 0.008 + 0.007 * f.liner
    upper, lower = bell(e.over - 0.003, thick), bell(e.under - 0.004, 0.006)
    lower = (0.25 + 0.4 * f.liner) * lower * (0.4 + 0.6 * (e.u > -0.4))
    lash = ((0.9 * upper + lower) * rim).clamp(0, 0.95)
    c.albedo[e.at] = over(lash, tint * 0.3 * (1 - f.liner) + 0.006)
    wet = e.ball * (1 - lash)
    c.rough[e.at] = c.rough[e.at] + (0.10 - c.rough[e.at]) * wet
    c.plain[e.at] *= (1 - e.ball) * (1 - lash)


def _ball(f: Face, e: Eyes, device: torch.device) -> Tensor:
    """Colour of the eyeballs (n,3): white, veins at the corners, iris, pupil, the lid's shade."""
    white = torch.tensor([0.42, 0.37, 0.335], device=device)
    veins = (e.u.abs() ** 3 * 0.5).clamp(0, 1)[:, None]
    white = white * (1 - veins * torch.tensor([0.25, 0.48, 0.48], device=device))
    blue_or_green = ((0.09, 0.13, 0.18), (0.08, 0.11, 0.06))[int(f.seed * 3) % 2]
    brown, pale = torch.tensor((0.030, 0.016, 0.009)), torch.tensor(blue_or_green)
    tone = torch.lerp(brown, pale, f.iris**1.5).to(device)
    fibre = torch.sin(e.spoke * 23.0 + 4.0 * e.iris) * torch.sin(e.spoke * 9.0 + f.seed)
    rays = ((0.85 + 0.25 * fibre) * (1.25 - 0.6 * (e.iris - 0.45).clamp(0, 1)))[:, None]
    iris = tone * rays * (1 - 0.75 * torch.sigmoid((e.iris - 0.88) * 25.0))[:, None]
    iris = iris * (1 - torch.sigmoid((0.40 - e.iris) * 30.0))[:, None] + 0.003
    ball = torch.lerp(white, iris, torch.sigmoid((1.0 - e.iris) * 16.0)[:, None])
    return ball * (1 - 0.62 * torch.exp(-(-e.over / 0.020).clamp(0, 20)))[:, None]


def _hair(c: _Canvas, shown: Shown, tint: Tensor) -> Tensor:
    """Strands; (n,) where they hide the skin."""
    cover, locks = shown.chart[:, 0], shown.chart[:, 1]
    torn = torch.zeros_like(cover)
    at = torch.nonzero(cover > 0.003)[:, 0]
    if at.numel() == 0:
        return torn
    way, pixel = shown.way[at], c.pixel[at]
    x, y, z = way.unbind(-1)
    flow = torch.stack([torch.atan2(x, y + 0.55) * 75.0, z * 5.0, 0 * x], -1)
    fine, slope = layered(flow, pixel * 75.0, 3)
    body = (1 + 0.55 * fine + 0.5 * locks[at]).clamp(0.2, 2.0)
    thin = cover[at] * (1 - cover[at]) * 4
    share = (1.6 * cover[at] - 0.3 + fine * thin).clamp(0, 1)  # the hairline is loose
    c.albedo[at] = torch.lerp(c.albedo[at], tint * body[:, None], share[:, None])
    c.rough[at] = torch.lerp(c.rough[at], torch.full_like(share, 0.68), share)
    across = unit(torch.stack([y + 0.55, -x, torch.zeros_like(x)], -1))
    bent = (slope[:, 0] * 0.175 * share * share)[:, None] * across
    c.relief[at] = c.relief[at] * (1 - share)[:, None] + bent
    torn[at] = share
    return torn

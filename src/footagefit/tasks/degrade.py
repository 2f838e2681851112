"""How light goes wrong between takes: changes of a whole frame or of parts of it, in linear light.

What belongs here: families of changes of light, in a table, so that a benchmark can hold whole
families out of training. What does not: what files do to pictures (`codecs.py`), tasks.

A family takes scene-linear ACEScg (3,H,W) and a generator and returns the same frame under other
light; where it only multiplies light, it draws the field of stops alone. What it draws does not
depend on the frame's size. Values above 1 stay; nothing clamps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.tasks.draws import chance, choice, normal, uniform

LUMA = (0.2722287, 0.6740818, 0.0536895)  # ACEScg luminance
_GREY = 0.18
_TOE = 2.0**-8
_FIELD = (36, 64)  # rows and columns fields are drawn at: they are smooth


Field = Callable[[torch.Generator], Tensor]


@dataclass(frozen=True)
class Family:
    """One way in which light differs between takes.

    Attributes:
        change: From light (3,H,W) and a generator to light.
        odds: How often a training example goes through it.
        field: For changes that only multiply light: draws the stops (3,h,w) it is multiplied by,
            so that several of them cost one.
    """

    change: Callable[[Tensor, torch.Generator], Tensor]
    odds: float
    field: Field | None = None


def by_field(field: Field, odds: float) -> Family:
    """The family whose change is a drawn field of stops."""
    return Family(partial(_through_field, field), odds, field)  # not a lambda: workers unpickle it


def _through_field(field: Field, light: Tensor, rng: torch.Generator) -> Tensor:
    return through(light, field(rng))


def exposure(rng: torch.Generator) -> Tensor:
    """Up to two stops over or under, small errors most often."""
    return torch.full((3, 1, 1), uniform(rng, -1.0, 1.0) * uniform(rng, 0.2, 2.0))


def white_balance(rng: torch.Generator) -> Tensor:
    """Warmer or cooler by up to 90 mired, greener or pinker."""
    return _warmth(uniform(rng, -90.0, 90.0), uniform(rng, -0.15, 0.15)).log2()[:, None, None]


def contrast(light: Tensor, rng: torch.Generator) -> Tensor:
    """A straight change of contrast in log about mid-grey."""
    power = 2.0 ** uniform(rng, -0.5, 0.5)
    sign = light.sign()
    ratio = (light.abs() + _TOE) / (_GREY + _TOE)
    return sign * ((_GREY + _TOE) * raised(ratio, power) - (_GREY + _TOE) * _black(power))


def _black(power: float) -> float:
    """What black becomes on the curve, so that black can stay black."""
    return (_TOE / (_GREY + _TOE)) ** power


def tone(light: Tensor, rng: torch.Generator) -> Tensor:
    """A shoulder or its opposite, flare or crushed blacks, more or less saturation."""
    flare = uniform(rng, -0.012, 0.03)
    shoulder = uniform(rng, -0.35, 0.9)
    bent = light + flare * (1.0 - 0.5 * light.clamp(0, 1))
    if shoulder >= 0.0:
        bent = torch.where(bent > 0, bent / (1.0 + shoulder * bent.clamp_min(0)), bent)
        bent = bent * (1.0 + shoulder * _GREY)
    else:
        bent = bent * (1.0 - shoulder * bent.clamp(0.0, 8.0))
    return _saturated(bent, 2.0 ** uniform(rng, -0.6, 0.5))


def printer_lights(light: Tensor, rng: torch.Generator) -> Tensor:
    """Red, green and blue printer points, a point being 0.025 of log10 exposure on the print.

    Through a print's contrast: offsets in log density, contrast of about 1 to 1.3 with them.
    """
    points = normal(rng, 3) * 5.0 + normal(rng, 1) * 5.0
    gains = torch.pow(10.0, -0.025 * points.clamp(-16, 16))
    gamma = uniform(rng, 0.9, 1.25)
    base = (light.clamp_min(0.0) + _TOE) / (_GREY + _TOE)
    printed = _GREY * gains[:, None, None] * raised(base, gamma)
    return torch.where(light > 0, printed - _GREY * gains[:, None, None] * _black(gamma), light)


def look_lut(light: Tensor, rng: torch.Generator) -> Tensor:
    """A creative look as a LUT holds it: crossed primaries, split tones, bent hues."""
    matrix = torch.eye(3) + normal(rng, 3, 3) * 0.06
    matrix = matrix / matrix.sum(1, keepdim=True)
    crossed = torch.einsum("ij,jhw->ihw", matrix, light)
    stops = torch.log2(crossed.clamp_min(0.0) + _TOE) - math.log2(_GREY)
    shadows, lights = normal(rng, 3) * 0.25, normal(rng, 3) * 0.2
    low = torch.sigmoid(-1.2 * (stops + 2.0)) * shadows[:, None, None]
    high = torch.sigmoid(1.2 * (stops - 0.5)) * lights[:, None, None]
    bend = uniform(rng, -0.3, 0.3) * torch.tanh(stops / 2.0)
    return _saturated(crossed * torch.exp2(low + high + bend), 2.0 ** uniform(rng, -0.5, 0.4))


def mixed_kelvin(rng: torch.Generator) -> Tensor:
    """Light of one colour on one side and of another on the other, as by a window and a lamp."""
    blend = torch.sigmoid(_ramp(rng) * uniform(rng, 1.5, 6.0) + uniform(rng, -1.0, 1.0))
    one = _warmth(uniform(rng, -110.0, 110.0), uniform(rng, -0.1, 0.1)).log2()
    other = _warmth(uniform(rng, -110.0, 110.0), uniform(rng, -0.1, 0.1)).log2()
    return one[:, None, None] * blend + other[:, None, None] * (1.0 - blend)


def lobes(rng: torch.Generator) -> Tensor:
    """Lamps and flags: one to four soft pools of light or dark, each of its colour."""
    field = torch.zeros(3, *_FIELD)
    for _ in range(1 + choice(rng, 4)):
        amount = uniform(rng, -1.4, 1.4)
        pool = _pool(rng, smallest=0.15)
        colour = _warmth(uniform(rng, -70.0, 70.0), 0.0).log2() * 0.5
        field = field + pool * (amount + colour * abs(amount))[:, None, None]
    return field


def gradient(rng: torch.Generator) -> Tensor:
    """Light that falls off across the frame, in any direction, straight or bent."""
    ramp = _ramp(rng)
    bent = ramp + uniform(rng, -0.5, 0.5) * (ramp * ramp - 0.3)
    tint = _warmth(uniform(rng, -40.0, 40.0), 0.0).log2()
    return uniform(rng, -1.2, 1.2) * bent + tint[:, None, None] * ramp


def soft_shadow(rng: torch.Generator) -> Tensor:
    """A flag's or a window bar's shadow with a penumbra; what is in it keeps the fill's colour."""
    across = _ramp(rng) + uniform(rng, -0.6, 0.6)
    soft = uniform(rng, 3.0, 30.0)
    if chance(rng, 0.35):
        bars = torch.sin(across * uniform(rng, 4.0, 14.0) + uniform(rng, 0.0, 6.3))
        shade = torch.sigmoid(bars * soft * 0.3)
    elif chance(rng, 0.5):
        width = uniform(rng, 0.1, 0.6)
        shade = torch.sigmoid(soft * (width - across.abs()))
    else:
        shade = torch.sigmoid(soft * across)
    fill = _warmth(uniform(rng, -60.0, 20.0), 0.0).log2()
    depth = uniform(rng, -2.0, -0.3)
    return shade * (depth + fill)[:, None, None]


def regional_grade(light: Tensor, rng: torch.Generator) -> Tensor:
    """A colourist's window or key: a region of place or of tone graded apart from the rest."""
    if chance(rng, 0.5):
        region = F.interpolate(_window(rng)[None, None], size=light.shape[1:], mode="bilinear")[0]
    else:
        stops = torch.log2(_luma(light).clamp_min(0.0) + _TOE) - math.log2(_GREY)
        region = torch.exp(-0.5 * ((stops - uniform(rng, -3.0, 2.0)) / uniform(rng, 0.6, 1.6)) ** 2)
    graded = light * 2.0 ** uniform(rng, -0.9, 0.9)
    graded = graded * _warmth(uniform(rng, -60.0, 60.0), uniform(rng, -0.1, 0.1))[:, None, None]
    graded = _saturated(graded, 2.0 ** uniform(rng, -0.7, 0.5))
    return light + region * (graded - light)


FAMILIES: Mapping[str, Family] = {
    "exposure": by_field(exposure, 0.7),
    "white_balance": by_field(white_balance, 0.6),
    "contrast": Family(contrast, 0.4),
    "tone": Family(tone, 0.3),
    "printer_lights": Family(printer_lights, 0.2),
    "look_lut": Family(look_lut, 0.3),
    "mixed_kelvin": by_field(mixed_kelvin, 0.25),
    "lobes": by_field(lobes, 0.4),
    "gradient": by_field(gradient, 0.3),
    "soft_shadow": by_field(soft_shadow, 0.25),
    "regional_grade": Family(regional_grade, 0.25),
}


def _luma(light: Tensor) -> Tensor:
    return LUMA[0] * light[:1] + LUMA[1] * light[1:2] + LUMA[2] * light[2:]


def _saturated(light: Tensor, amount: float) -> Tensor:
    luma = _luma(light)
    return luma + amount * (light - luma)


def _warmth(mired: float, green_ev: float) -> Tensor:
    """Gains of R, G, B for a light warmer by some mired; luminance kept.

    A hundred mired from 5600 K shift red against blue by about 1.1 stops on ACEScg primaries,
    two thirds of it in blue.
    """
    ev = torch.tensor([0.0035 * mired, green_ev, -0.0072 * mired])
    gains = torch.exp2(ev)
    return gains / (gains * torch.tensor(LUMA)).sum()


def _grid() -> tuple[Tensor, Tensor]:
    y = torch.linspace(-1, 1, _FIELD[0]).view(-1, 1)
    x = torch.linspace(-1, 1, _FIELD[1]).view(1, -1)
    return y, x


def _ramp(rng: torch.Generator) -> Tensor:
    """A ramp across the frame in a random direction, -1.4 to 1.4."""
    y, x = _grid()
    angle = uniform(rng, 0.0, 2.0 * math.pi)
    return x * math.cos(angle) + y * math.sin(angle)


def _pool(rng: torch.Generator, *, smallest: float) -> Tensor:
    y, x = _grid()
    cx, cy = uniform(rng, -1.2, 1.2), uniform(rng, -1.2, 1.2)
    sx, sy = uniform(rng, smallest, 1.1), uniform(rng, smallest, 1.1)
    return torch.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def _window(rng: torch.Generator) -> Tensor:
    y, x = _grid()
    cx, cy = uniform(rng, -0.8, 0.8), uniform(rng, -0.8, 0.8)
    sx, sy = uniform(rng, 0.2, 0.9), uniform(rng, 0.2, 0.9)
    r = (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2).sqrt()
    return torch.sigmoid(uniform(rng, 3.0, 16.0) * (1.0 - r))


def raised(light: Tensor, power: float) -> Tensor:
    """Light above 0 to a power, in half the time that `pow` takes; 0 stays 0."""
    return torch.exp2(power * torch.log2(light))


def through(light: Tensor, field_ev: Tensor) -> Tensor:
    """Light multiplied by a field of stops (3,h,w), which is smooth and drawn small."""
    gains = torch.exp2(field_ev)
    if gains.shape[1:] != (1, 1):
        gains = F.interpolate(gains[None], size=light.shape[1:], mode="bilinear")[0]
    return light * gains

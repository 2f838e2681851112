"""Relight: move, soften, colour and add light by number, learnt from scenes lit in many ways.

What belongs here: the controls of light, how they become the vector a model sees, and how a window
becomes an example. What does not: drawing lamps (`lit.py`), degradations, any network.

A window from the stage holds its sources apart, and gives pairs whose target is the same scene
under another light. A window of real frames has no such target: its pairs keep what must hold
there all the same, exposure and white balance, mirrored light, and the plate under its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.footage.white import SHOW_WHITE_K
from footagefit.records import Given, Pair
from footagefit.signature.light_vector import VECTOR
from footagefit.tasks import codecs, lit
from footagefit.tasks.base import Control, Controls, Task, TaskSpec, Window, vector_of
from footagefit.tasks.draws import chance, choice, generator, normal, uniform
from footagefit.tasks.light_controls import CONTROLS, values_of

APART = "apart."  # layers of windows whose sources are apart start with this
_LIMIT = 256.0
_SEED_MOST = 1 << 30


class Relight(Task):
    """Light by number.

    Args:
        size: Rows and columns of training pictures.
        far: How often the key moves by 40 degrees or more.
        degraded: How often the plate has been through what files do to pictures.
        add: How often a light is added instead of moved.
        stated: How often the plate's own light is told.
    """

    def __init__(
        self,
        *,
        size: Sequence[int] = (96, 96),
        far: float = 0.6,
        degraded: float = 0.5,
        add: float = 0.12,
        stated: float = 0.35,
    ) -> None:
        if len(size) != 2 or min(size) < 16:
            raise WrongValue(f"size: expected rows and columns of 16 or more, got {list(size)}")
        self.size = (int(size[0]), int(size[1]))
        self.far, self.degraded, self.add, self.stated = far, degraded, add, stated
        self.spec = TaskSpec(
            name="relight",
            guide=(),
            vector=VECTOR,
            controls={
                "strength": Control("", 0.0, 1.0, 1.0, "how much of the change to make"),
                **CONTROLS,
            },
            models=("relight",),
            references=0,
            teacher="sources",
        )

    def pair(self, window: Window, rng: torch.Generator) -> Pair:
        """A plate, what is asked of its light, and the plate under that light."""
        if f"{APART}keys" in window.layers:
            return self._staged(window, rng)
        return self._real(window, rng)

    def given(self, window: Window, controls: Controls) -> Given:
        """Plates at full size and what is asked; the alpha, where there is one, is the subject."""
        asked = values_of(self.checked(controls))
        frames = window.frames_TCHW
        count, _, height, width = frames.shape
        mask = window.layers.get("alpha")
        return Given(
            plate=frames,
            guide=frames.new_zeros(count, 0, height, width),
            mask=frames.new_ones(count, 1, height, width) if mask is None else mask,
            reference=window.reference_RCHW[None].expand(count, -1, -1, -1, -1),
            vector=vector_of(VECTOR, asked).expand(count, -1),
            noise=frames.new_zeros(count, 0, height, width),
        )

    def _staged(self, window: Window, rng: torch.Generator) -> Pair:
        apart = {n.removeprefix(APART): t[0] for n, t in window.layers.items() if APART in n}
        scene = lit.framed(apart, rng, self.size)
        keys = scene["keys"].shape[0]
        first = choice(rng, keys)
        second = choice(rng, keys)
        if chance(rng, self.far):
            second = lit.other_key(scene, first, rng, apart_deg=40.0)
        old = lit.drawn_lamps(rng, first)
        new, asked = _asked(scene, old, second, rng)
        rest = lit.drawn_rest(scene, rng, but=(first, second))
        plate = lit.picture(scene, old, rest)
        stops = lit.exposure_of(plate, rng)
        if chance(rng, self.add):
            target = plate + lit.picture(scene, new, rest * 0.0)
            target = target - scene["fill"] * torch.exp2(new.fill_stops)[:, None, None]
            asked = {**{n: v for n, v in asked.items() if "fill" not in n}, "light.add": 1.0}
        else:
            target = lit.picture(scene, new, rest)
        asked = {n: v + stops if n == "light.key_ev" else v for n, v in asked.items()}
        if chance(rng, self.stated):
            asked |= _stated(scene["ways"][first], rng)
        both = torch.stack([plate, target]) * 2.0**stops
        if chance(rng, 0.3):  # black and white: nobody asks for colours there
            both = torch.stack([lit.grey(light) for light in both])
            asked = {n: v for n, v in asked.items() if n[-2:] not in ("_r", "_g", "_b")}
        both = self._seen(both, rng)
        truth = {n: scene[n][None] for n in ("normals", "depth", "albedo")}
        truth["real"] = torch.zeros(1, 1)
        return self._paired(both[0], both[1], asked, truth, rng)

    def _real(self, window: Window, rng: torch.Generator) -> Pair:
        """A real frame: brighter or warmer by number, or mirrored (the model's own affair)."""
        frames = window.frames_TCHW
        picture = frames[choice(rng, frames.shape[0])][None]
        plate = F.interpolate(picture, size=self.size, mode="area")[0].clamp(-1.0, _LIMIT)
        truth = {
            "normals": torch.zeros(1, 3, *self.size),
            "depth": torch.zeros(1, 1, *self.size),
            "albedo": torch.zeros(1, 3, *self.size),
            "real": torch.ones(1, 1),
        }
        if chance(rng, 0.5):
            stops = lit.colour_stops(0.0, uniform(rng, 120.0, 300.0))
            ev = uniform(rng, -1.5, 1.5)
            asked = {f"light.by.{w}_{c}": float(s) for w in ("key", "fill")
                     for c, s in zip("rgb", stops, strict=True)}  # fmt: skip
            asked |= {"light.by.key_ev": ev, "light.by.fill_ev": ev}
            target = plate * torch.exp2(stops + ev)[:, None, None]
            return self._paired(plate, target, asked, truth, rng)
        way = F.normalize(normal(rng, 3).abs() * torch.tensor([1.0, 0.6, 1.0]), dim=0)
        side = -1.0 if chance(rng, 0.5) else 1.0
        asked = _direction("light", way * torch.tensor([side, 1.0, 1.0]))
        pair = self._paired(plate, plate, asked, truth, rng)
        return pair._replace(weight=pair.weight * 0.0)  # no target is known: see the model's loss

    def _seen(self, both: Tensor, rng: torch.Generator) -> Tensor:
        """Plate and target through one unknown camera, the plate through a file besides."""
        if chance(rng, 0.4):
            seed = choice(rng, _SEED_MOST)
            curves = [codecs.tone_curve(light, generator(seed)) for light in both]
            both = torch.stack(curves)
        plate, target = both[0], both[1].clamp(0.0, 32.0)
        if chance(rng, self.degraded):
            for family in codecs.CODECS.values():
                if chance(rng, family.odds):
                    plate = family.change(plate, rng)
        return torch.stack([plate, target]).nan_to_num(0.0, _LIMIT, -1.0).clamp(-1.0, _LIMIT)

    def _paired(
        self, plate: Tensor, target: Tensor, asked: Mapping[str, float],
        truth: dict[str, Tensor], rng: torch.Generator,
    ) -> Pair:  # fmt: skip
        mask = torch.ones(1, 1, *self.size)
        if "depth" in truth and chance(rng, 0.3) and bool((truth["depth"] > 0).any()):
            mask = (truth["depth"] > 0).float()
        given = Given(
            plate=plate[None],
            guide=plate.new_zeros(1, 0, *self.size),
            mask=mask,
            reference=plate.new_zeros(1, 0, 3, 16, 16),
            vector=vector_of(VECTOR, asked)[None],
            noise=plate.new_zeros(1, 0, *self.size),
        )
        return Pair(given, target[None], truth, torch.ones(1, 1, *self.size))


def _asked(
    scene: lit.Scene, old: lit.Lamps, key: int, rng: torch.Generator
) -> tuple[lit.Lamps, dict[str, float]]:
    """The lamps after, and how a person would ask for them."""
    asked = _direction("light", scene["ways"][key])
    softness = float(scene["softness"][key])
    key_stops, fill_stops = old.key_stops, old.fill_stops
    if chance(rng, 0.5):
        asked["light.softness_log2"] = math.log2(softness)
    kind = choice(rng, 6)
    if kind == 0:  # level and colour of the key, as they are to be
        key_stops = lit.colour_stops(uniform(rng, -1.0, 1.0), uniform(rng, 110.0, 330.0))
        ev = float((torch.exp2(key_stops) @ key_stops.new_tensor(lit.LUMA)).log2())
        asked["light.key_ev"] = ev
        asked |= {f"light.key_{c}": float(s - ev) for c, s in zip("rgb", key_stops, strict=True)}
    elif kind == 1:  # beside what they are
        colour = lit.colour_stops(0.0, uniform(rng, 120.0, 300.0))
        ev = uniform(rng, -1.5, 1.5)
        key_stops = key_stops + colour + ev
        asked["light.by.key_ev"] = ev
        asked |= {f"light.by.key_{c}": float(s) for c, s in zip("rgb", colour, strict=True)}
    elif kind == 2:  # the fill
        ev = uniform(rng, -2.0, 2.5)
        fill_stops = fill_stops + ev
        asked["light.by.fill_ev"] = ev
    return lit.Lamps(key, key_stops, fill_stops), asked


def _direction(name: str, way: Tensor) -> dict[str, float]:
    x, y, z = (float(v) for v in way)
    flat = max(math.hypot(x, z), 1e-6)
    return {f"{name}.azimuth_x": x / flat, f"{name}.azimuth_z": z / flat, f"{name}.elevation_y": y}


def _stated(way: Tensor, rng: torch.Generator) -> dict[str, float]:
    """The plate's own light as somebody on set noted it: a few degrees off."""
    noted = F.normalize(way + 0.08 * normal(rng, 3), dim=0)
    return _direction("light.plate", noted)


__all__ = ["APART", "SHOW_WHITE_K", "Relight"]

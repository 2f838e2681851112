"""Relight: move, soften, colour and add light by number, learnt from scenes lit in many ways.

The key is one lamp; the fill, as a person asks for it, is all other light on the plate.

What belongs here: the controls of light, how they become the vector a model sees, and how a window
becomes an example. What does not: drawing lamps (`lit.py`), degradations, any network.

A window from the stage holds its sources apart, and gives pairs whose target is the same scene
under another light. A window of real frames has no such target: its pairs keep what must hold
there all the same, that a mirrored plate is relit as the plate is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
_FAINT = 1e-3  # light in which nobody can tell what is the key's
_SEED_MOST = 1 << 30


class Relight(Task):
    """Light by number.

    Args:
        size: Rows and columns of training pictures.
        far: How often the key moves by 40 degrees or more.
        degraded: How often the plate has been through what files do to pictures.
        add: How often a light is added instead of moved.
        stated: How often the plate's own light is told.
        contrasty: How often all but the key is held back by a stop to four.
    """

    def __init__(
        self,
        *,
        size: Sequence[int] = (96, 96),
        far: float = 0.6,
        degraded: float = 0.25,
        add: float = 0.12,
        stated: float = 0.35,
        contrasty: float = 0.5,
    ) -> None:
        if len(size) != 2 or min(size) < 16:
            raise WrongValue(f"size: expected rows and columns of 16 or more, got {list(size)}")
        self.size = (int(size[0]), int(size[1]))
        self.far, self.degraded, self.add, self.stated = far, degraded, add, stated
        self.contrasty = contrasty
        self.spec = TaskSpec(
            name="relight",
            guide=(),
            vector=VECTOR,
            controls={
                "strength": Control("", 0.0, 1.0, 1.0, "how much of the change to make"),
                **CONTROLS,
            },
            models=("relight", "diffusion"),
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
        first, second, third = self._keys(apart, rng)
        scene = lit.framed(_with_keys(apart, (first, second, third)), rng, self.size)
        lamps = lit.drawn_lamps(rng, 0)
        rest = scene["fill"] * lit.gain(lamps.fill_stops)
        rest = rest + lit.drawn_rest(scene, rng, but=(0, 1))
        if chance(rng, self.contrasty):
            rest = rest * 2.0 ** -uniform(rng, 1.0, 4.0)
        change, asked = _asked(scene, rng)
        key = scene["keys"][0] * lit.gain(lamps.key_stops)
        moved = scene["keys"][1] * lit.gain(lamps.key_stops + change.key)
        plate = key + rest
        if chance(rng, self.add):
            target = plate + moved
            asked = {**{n: v for n, v in asked.items() if "fill" not in n}, "light.add": 1.0}
        else:
            target = moved + rest * lit.gain(change.rest)
        if chance(rng, self.stated):
            asked |= _stated(scene["ways"][0], rng)
        light = torch.stack([plate, target, key]) * 2.0 ** lit.exposure_of(plate, rng)
        if chance(rng, 0.3):  # black and white
            light = torch.stack([lit.grey(each) for each in light])
        mask = mask_of(scene["depth"], rng)
        if chance(rng, 0.2):  # an element, keyed
            light, scene["depth"] = light * mask, scene["depth"] * mask
        share = (light[2] + _FAINT) / (light[0] + 2 * _FAINT)
        both = self._seen(light[:2], rng)
        truth = {n: scene[n][None] for n in ("normals", "depth")}
        truth |= {"share": share[None].clamp(0.0, 1.0), "real": torch.zeros(1, 1)}
        truth["own"] = read_light(scene["ways"][0], scene["softness"][0], rng)[None]
        return self._paired(both[0], both[1], asked, truth, mask)

    def _keys(self, scene: lit.Scene, rng: torch.Generator) -> tuple[int, int, int]:
        """The plate's key, the one asked for, and one that may stay beside both."""
        keys = scene["keys"].shape[0]
        first = choice(rng, keys)
        second = (first + 1 + choice(rng, keys - 1)) % keys
        if chance(rng, self.far):
            second = lit.other_key(scene, first, rng, apart_deg=40.0)
        others = [k for k in range(keys) if k not in (first, second)]
        return first, second, others[choice(rng, len(others))]

    def _real(self, window: Window, rng: torch.Generator) -> Pair:
        """A real frame under a light nobody has seen it in: no target, see the model's loss."""
        frames = window.frames_TCHW
        picture = frames[choice(rng, frames.shape[0])][None]
        plate = F.interpolate(picture, size=self.size, mode="area")[0].clamp(-1.0, _LIMIT)
        truth = {
            "normals": torch.zeros(1, 3, *self.size),
            "depth": torch.zeros(1, 1, *self.size),
            "share": torch.zeros(1, 3, *self.size),
            "own": torch.tensor([[0.0, 0.0, 1.0, 0.0, 3.0]]),
            "real": torch.ones(1, 1),
        }
        way = F.normalize(normal(rng, 3).abs() * torch.tensor([1.0, 0.6, 1.0]), dim=0)
        side = -1.0 if chance(rng, 0.5) else 1.0
        asked = _direction("light", way * torch.tensor([side, 1.0, 1.0]))
        pair = self._paired(plate, plate, asked, truth, torch.ones(1, *self.size))
        return pair._replace(weight=pair.weight * 0.0)

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
        truth: dict[str, Tensor], mask: Tensor,
    ) -> Pair:  # fmt: skip
        given = Given(
            plate=plate[None],
            guide=plate.new_zeros(1, 0, *self.size),
            mask=mask[None],
            reference=plate.new_zeros(1, 0, 3, 16, 16),
            vector=vector_of(VECTOR, asked)[None],
            noise=plate.new_zeros(1, 0, *self.size),
        )
        return Pair(given, target[None], truth, torch.ones(1, 1, *self.size))


@dataclass(frozen=True)
class _Change:
    """Stops of R, G, B by which key and rest change."""

    key: Tensor
    rest: Tensor


def _asked(scene: lit.Scene, rng: torch.Generator) -> tuple[_Change, dict[str, float]]:
    """What changes beside the key's place, and how a person would ask for it all.

    Levels and colours are sums of what the model tells apart: a few are enough to teach that.
    """
    asked = _direction("light", scene["ways"][1])
    if chance(rng, 0.5):
        asked["light.softness_log2"] = math.log2(float(scene["softness"][1]))
    key, rest = torch.zeros(3), torch.zeros(3)
    if chance(rng, 0.2):
        colour = lit.colour_stops(0.0, uniform(rng, 120.0, 300.0))
        ev = uniform(rng, -1.5, 1.5)
        key = colour + ev
        asked["light.by.key_ev"] = ev
        asked |= {f"light.by.key_{c}": float(s) for c, s in zip("rgb", colour, strict=True)}
    if chance(rng, 0.3):
        ev = uniform(rng, -3.0, 2.0)
        rest = rest + ev
        asked["light.by.fill_ev"] = ev
    return _Change(key, rest), asked


def _with_keys(scene: lit.Scene, keys: Sequence[int]) -> dict[str, Tensor]:
    """What an example needs of a scene, and these of its keys."""
    made = {n: scene[n] for n in ("fill", "around", "normals", "depth")}
    return made | {n: scene[n][list(keys)] for n in ("keys", "ways", "softness")}


def mask_of(depth: Tensor, rng: torch.Generator) -> Tensor:
    """All of the frame, what is there, or what is near (1,H,W): as people draw masks."""
    kind = choice(rng, 6)
    there = (depth > 0).float()
    if kind < 2 or float(there.mean()) < 0.05:
        return torch.ones_like(depth)
    if kind < 4:
        return there
    return there * (depth <= depth[depth > 0].median() * 1.05).float()


def _direction(name: str, way: Tensor) -> dict[str, float]:
    x, y, z = (float(v) for v in way)
    flat = max(math.hypot(x, z), 1e-6)
    return {f"{name}.azimuth_x": x / flat, f"{name}.azimuth_z": z / flat, f"{name}.elevation_y": y}


def _stated(way: Tensor, rng: torch.Generator) -> dict[str, float]:
    """The plate's own light as somebody on set noted it: a few degrees off."""
    noted = F.normalize(way + 0.08 * normal(rng, 3), dim=0)
    return _direction("light.plate", noted)


def read_light(way: Tensor, softness: Tensor, rng: torch.Generator) -> Tensor:
    """The plate's own light as an estimator would read it (5,): way, log of how sure, softness.

    An estimator that knows its error is off by one over the root of its concentration.
    """
    sure = uniform(rng, -0.5, 3.5)
    read = F.normalize(way + math.exp(-0.5 * sure) * normal(rng, 3), dim=0)
    soft = softness.log2().reshape(1) + normal(rng, 1)
    return torch.cat([read, torch.tensor([sure]), soft])


__all__ = ["APART", "SHOW_WHITE_K", "Relight", "mask_of", "read_light"]

"""Takes under keys from several sides, from which a net is taught how far a key turned.

Here: set-ups of the demo's kind, two performances each, filmed small under the key as it stood and
from elsewhere. Not here: what cameras make of them, the net and its lesson (`turned.py`).

Shapes: P performances, L lights, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from footagefit.records import Light
from footagefit.soundstage.filming import FRAME_S, film
from footagefit.soundstage.lights import angles, direction
from footagefit.soundstage.plan import Take
from footagefit.soundstage.script import write_script

SIZE_PX = (90, 160)
LIGHTS = 4  # the first as it stood
_FIRST_SEED = 710_000  # of scripts that nothing else is made of
_MOMENTS = 12
_FURTHEST_DEG = 110.0
_OWN_HEIGHT = 0.5  # how often a key turns at its own height, as crews move them
_MOST = 6.0e4  # in half precision


@dataclass(frozen=True)
class Turned:
    """Set-ups of a show, as they are kept.

    Attributes:
        light_NPLCHW: Scene-linear pictures, in half precision.
        ways_NPL3: Where the key stands, in the camera's axes.
    """

    light_NPLCHW: np.ndarray
    ways_NPL3: np.ndarray


def kept(folder: Path, number: int) -> Turned:
    """The set-ups of a show by its number, filmed where they are not there yet."""
    path = folder / f"turned_{number:05d}.npz"
    if not path.is_file():
        made = filmed(_FIRST_SEED + number)
        part = path.with_suffix(".part.npz")
        np.savez(part, light=made.light_NPLCHW, ways=made.ways_NPL3)
        part.replace(path)
    with np.load(path) as stored:
        return Turned(stored["light"], stored["ways"])


def filmed(seed: int) -> Turned:
    """Every set-up that one script gives."""
    rng = random.Random(7 * seed + 3)
    made = [_of_setup(takes, rng) for takes in write_script("demo", seed).setups()]
    light, ways = (np.stack(parts) for parts in zip(*made, strict=True))
    return Turned(light, ways)


def _of_setup(takes: list[Take], rng: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Two takes of a set-up (P,L,C,H,W) under each light, and where the key stands (P,L,3)."""
    first = next(t for t in takes if t.number == 1)
    other = rng.choice([t for t in takes if t.number > 1])
    lights = [first.asked.light]
    lights += [_elsewhere(first.asked.light, rng) for _ in range(LIGHTS - 1)]
    moment = rng.randrange(_MOMENTS) * FRAME_S
    pictures, ways = [], []
    for performance in (first.asked.performance_seed, other.asked.performance_seed):
        for light in lights:
            asked = replace(first.asked, light=light, performance_seed=performance)
            shown = film(asked, size_px=SIZE_PX, samples=1).frame(moment, truth=False)
            pictures.append(shown.image_CHW.numpy().clip(0, _MOST).astype(np.float16))
            ways.append(direction(shown.light))
    shape = (2, LIGHTS)
    return (
        np.stack(pictures).reshape(*shape, 3, *SIZE_PX),
        np.array(ways, np.float32).reshape(*shape, 3),
    )


def _elsewhere(light: Light, rng: random.Random) -> Light:
    """A key that was moved: about the subject, or any way."""
    if rng.random() < _OWN_HEIGHT:
        by = rng.choice((-1.0, 1.0)) * rng.uniform(10.0, _FURTHEST_DEG)
        return replace(light, azimuth_deg=(light.azimuth_deg or 0.0) + by)
    way = np.array(direction(light))
    across = np.array([rng.gauss(0, 1) for _ in range(3)])
    across -= way * (across @ way)
    across /= np.linalg.norm(across)
    by = math.radians(rng.uniform(10.0, _FURTHEST_DEG))
    moved = math.cos(by) * way + math.sin(by) * across
    if moved[1] < 0:  # lamps stand above the floor
        moved[1] = -moved[1]
    azimuth, elevation = angles(tuple(moved))
    return replace(light, azimuth_deg=azimuth, elevation_deg=elevation)

"""Staged takes beside their heroes, onto which wires are drawn for a net to learn finding them.

Here: set-ups of the demo's kind, a take like its hero and one with something else that differs,
moment by moment. Not here: the wires (`finder_things.py`), the net and its lesson (`hung.py`).

Shapes: N moments, C channels, H rows, W columns.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from footagefit.catalogue.comparing import fitted
from footagefit.catalogue.hung_evidence import evidence
from footagefit.catalogue.hung_net import KEPT
from footagefit.catalogue.laying import laid
from footagefit.soundstage.plan import Take
from footagefit.soundstage.script import write_script
from footagefit.training.differing_takes import (
    QUALITIES,
    as_first,
    faulty,
    filmed,
    recorded,
    set_otherwise,
)

STEP = 1 / 24  # stops of what is kept in 8 bits
_FIRST_SEED = 720_000  # of scripts that nothing else is made of
_USED = 0.5  # of a script's set-ups


def kept(folder: Path, number: int) -> np.ndarray:
    """Moments of a show by its number (N,7,H,W) in steps of `STEP`, filmed if not there yet."""
    path = folder / f"hung_{number:05d}.npy"
    if not path.is_file():
        made = list(moments(_FIRST_SEED + number))
        part = path.with_suffix(".part.npy")
        np.save(part, np.stack(made))
        part.replace(path)
    return np.load(path)


def moments(seed: int) -> Iterator[np.ndarray]:
    """Every moment of the takes of one script's set-ups."""
    rng = random.Random(7 * seed + 5)
    for takes in write_script("demo", seed).setups():
        if rng.random() < _USED:
            yield from _of_setup(takes, rng)


def _of_setup(takes: Sequence[Take], rng: random.Random) -> Iterator[np.ndarray]:
    first = next(t for t in takes if t.number == 1)
    other = rng.choice([t for t in takes if t.number > 1])
    quality = rng.choice(QUALITIES)
    plain = as_first(other, first)
    kinds = ["wardrobe", "boom", *(["prop"] if first.asked.framing != "close" else [])]
    hero = recorded(filmed(first.asked), first.sensor, first.seed, quality)
    base = laid(hero.middle, hero.frames_KHWC)
    for asked in (plain, faulty(plain, rng.choice(kinds), rng)):
        sensor = set_otherwise(first.sensor, rng)
        take = recorded(filmed(asked), sensor, other.seed, quality)
        over = laid(hero.middle, take.frames_KHWC)
        fit = None if base is None or over is None else fitted(base, over)
        if base is not None and over is not None and fit is not None:
            for seen in evidence(base, over, fit):
                yield np.clip(np.round(seen / STEP), -127, 127).astype(np.int8)


def stops_of(kept_CHW: np.ndarray) -> np.ndarray:
    """What was kept, in stops; where both reach stays 0 or 1."""
    out = kept_CHW.astype(np.float32) * np.float32(STEP)
    out[KEPT - 1] = kept_CHW[KEPT - 1] > 0
    return out

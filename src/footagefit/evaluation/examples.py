"""Held-out frames that a fit is judged on: a run of a shot, all under one drawn mismatch.

What belongs here: which frames, which reference, which draw. What does not: methods (`ways.py`),
scores (`judge.py`). An example is a function of (seed, shot's name, draw, frame) alone: which other
shots are judged changes nothing, and two fits of one task see the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from footagefit.rendering.fits import Part, Recipe
from footagefit.tasks.base import Task
from footagefit.tasks.draws import generator

if TYPE_CHECKING:
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.windows import Windows
    from footagefit.records import Pair

# A judged example is always a mismatch of the whole frame, in the show's own grade.
# Where frames are filled, the judged one is the middle of its window.
_JUDGED = {
    "match": {"keep": 0.0, "harmonise": 0.0, "worlds": 0.0},
    "cleanup": {"kinds": ["tubes", "wires", "booms"]},
    "extend": {"kinds": ["borders", "dropped"]},
}
# What a person looks at is whole, the right way round, and of the frames' own size.
_WHOLE = {
    "match": {"size": None, "least": 1.0, "mirror": 0.0},
    "cleanup": {"size": None, "mirror": 0.0},
    "extend": {"size": None, "mirror": 0.0},
}
_STREAM = 3  # of draws; 0 trains, 1 reviews, 2 shows


@dataclass(frozen=True)
class Drawn:
    """One frame of a shot under one mismatch."""

    draw: int
    frame: int
    reference: tuple[str, int] | None
    pair: Pair


def judged_task(recipe: Recipe) -> Task:
    """The fit's task, as it is judged."""
    part = recipe.task
    settings = {**part.settings, **_JUDGED.get(part.name, {})}
    return Recipe(Part(part.name, settings), recipe.model).build_task()


def compared_task(recipe: Recipe) -> tuple[Task, Part]:
    """The task that fits are compared on, the same for all: none of a fit's own settings."""
    name = recipe.task.name
    part = Part(name, {**_JUDGED.get(name, {}), **_WHOLE.get(name, {})})
    return Recipe(part, recipe.model).build_task(), part


def frames_of(shot: Shot, count: int, *, missing: Sequence[int] = ()) -> tuple[int, list[int]]:
    """The keyframe, and consecutive frames around the middle that it is not among."""
    there = [n for n in range(shot.first, shot.last + 1) if n not in set(missing)]
    if len(there) < 2:
        return there[0], there
    keyframe, rest = there[0], there[1:]
    begin = max(0, (len(rest) - count) // 2)
    return keyframe, rest[begin : begin + count]


def examples_of(
    dailies: Dailies, shot: Shot, task: Task, *, draw: int, frames: Sequence[int], seed: int
) -> list[Drawn]:
    """The frames of a shot under one mismatch, keyframe first if it is asked for first."""
    windows = dailies.windows(shot.side)
    name = int.from_bytes(hashlib.sha256(shot.name.encode()).digest()[:6], "little")
    made = []
    for number in frames:
        reference = _reference(windows, shot, number)
        window = _window(windows, shot, task.spec.around(number), reference)
        pair = task.pair(window, generator(seed, name, draw, _STREAM))
        made.append(Drawn(draw, number, reference, pair))
    return made


def _window(
    windows: Windows, shot: Shot, numbers: tuple[int, ...], reference: tuple[str, int] | None
):
    from footagefit.dailies.sampling import Draw

    beside = () if reference is None else (reference,)
    return windows.shown(Draw(shot.name, numbers, beside))


def _reference(windows: Windows, shot: Shot, number: int) -> tuple[str, int] | None:
    """The middle of a take that sits with the shot, else the far end of the shot itself."""
    mates = [m for m in windows.reader.takes(shot) if windows.sampling.sits(m.name, shot)]
    if mates:
        mate = min(mates, key=lambda m: m.name)
        return mate.name, (mate.first + mate.last) // 2
    if shot.length < 2:
        return None
    far = shot.last if number - shot.first < shot.last - number else shot.first
    return shot.name, far

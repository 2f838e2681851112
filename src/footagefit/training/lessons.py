"""Examples that take longer to work out than to learn from, worked out once and kept.

What belongs here: a source of such examples over a source of windows, and where they lie. What does
not: what is worked out (`tasks/filling.py`), other sources (`stage.py`, `dailies`).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from footagefit.tasks.base import PlainWindow, Task
from footagefit.tasks.draws import choice, generator
from footagefit.tasks.filling import Filling
from footagefit.training.examples import Source
from footagefit.training.run import Sides

COUNT = 800  # lessons of a show, each of its own window
FOLDER = "lessons"  # of a run's folder
_STREAM = 5


@dataclass(frozen=True)
class Lessons:
    """Windows of one frame each, a hole in it filled by motion; can be pickled.

    Attributes:
        source: Of windows of several frames.
        task: Cuts holes into them.
        folder: Where lessons are kept.
        count: How many there are; then they come again, in another order.
        seed: Of the holes.
        stream: Of the order.
    """

    source: Source
    task: Filling
    folder: Path
    count: int
    seed: int
    stream: int = 0

    def window(self, index: int) -> PlainWindow:
        """The lesson that comes at an index, worked out when it first comes."""
        from safetensors.torch import load_file

        number = choice(generator(self.seed, self.stream, index, _STREAM), self.count)
        path = self._path(number)
        if not path.exists():
            self._write(number)
        kept = {name: tensor.float() for name, tensor in load_file(path).items()}
        return PlainWindow(kept.pop("plate"), kept.pop("reference"), kept)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"

    def _write(self, number: int) -> None:
        from safetensors.torch import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        rng = generator(self.seed, _STREAM, number, 1)
        kept = self.task.lesson(self.source.window(number), rng)
        part = self._path(number).with_suffix(f".{os.getpid()}.part")
        save_file({n: t.clamp(-6e4, 6e4).half().contiguous() for n, t in kept.items()}, part)
        os.replace(part, self._path(number))


def with_lessons(sides: Sides, folder: Path, *, task: Task, seed: int) -> Sides:
    """A show's sides, what is learnt from worked out once, into the run's folder."""
    if not isinstance(task, Filling):
        return sides
    return replace(sides, train=Lessons(sides.train, task, folder / FOLDER, COUNT, seed))


def forget(folder: Path) -> None:
    """Let go of the lessons of a run that is done."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)

"""Teaching a small net on drawn examples: the loop that their lessons share.

What belongs here: how long and how fast, the average of weights, going on where it stopped. What
does not: examples, losses and cards (`estimator.py`, `finder.py`, `perception.py`,
`differing.py`), runs of tasks (`run.py`).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from footagefit.errors import FootagefitError, UnknownName, WrongValue
from footagefit.small_nets import saved
from footagefit.training.orthogonal import Orthogonal, parted

Kept = TypeVar("Kept")
_MADE_S = 1.0  # what takes longer was made, not read
_LATELY = 100  # steps whose mean loss is told


@dataclass(frozen=True)
class Lesson:
    """How a net is taught.

    Attributes:
        out: Folder for the scenes, the state and the weights.
        scenes: To learn from.
        steps: Of the optimizer.
        batch: Pictures a step.
        width: Of the net.
        rate: Peak learning rate.
        seed: Of every draw.
    """

    out: str
    scenes: int
    steps: int
    batch: int
    width: int
    rate: float
    seed: int = 0

    def said(self, arguments: Sequence[str]) -> Self:
        """The same with what was said as `name=value`."""
        has, said = asdict(self), {}
        for argument in arguments:
            name, _, value = argument.partition("=")
            if name not in has:
                raise UnknownName("setting", name, list(has))
            try:
                said[name] = type(has[name])(value)
            except ValueError as error:
                kind = type(has[name]).__name__
                raise WrongValue(f"{name}: expected {kind}, got {value!r}") from error
        return replace(self, **said)

    @property
    def plain(self) -> dict[str, object]:
        """For a card: all but folders."""
        return {n: value for n, value in asdict(self).items() if not isinstance(value, str)}


@dataclass(frozen=True)
class Course:
    """What differs from net to net.

    Attributes:
        name: Of the net: in the log, and of its files.
        loss: Of a step; a function of the step alone.
        decay: Of the average of weights, at most.
        save_every: Steps.
        orthogonal: Kernels step by momentum made orthogonal.
    """

    name: str
    loss: Callable[[int], Tensor]
    decay: float
    save_every: int
    orthogonal: bool = False


def asked(teach: Callable[[Any], object], lesson: Lesson) -> None:
    """Teach the lesson that the command line asks for; what is wrong with that is one line."""
    try:
        teach(lesson.said(sys.argv[1:]))
    except FootagefitError as error:
        raise SystemExit(f"footagefit: {error}") from None


def taught(net: nn.Module, lesson: Lesson, course: Course) -> float:
    """Train, or go on training; the net ends as the average of its weights.

    Returns:
        Processor minutes, those of earlier sittings among them.
    """
    average = {name: value.clone() for name, value in net.state_dict().items()}
    if course.orthogonal:
        optimizer = Orthogonal(parted(net, weight_decay=0.01), lesson.rate)
    else:
        optimizer = torch.optim.AdamW(net.parameters(), lr=lesson.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lesson.rate, total_steps=lesson.steps, pct_start=0.1, final_div_factor=50.0
    )
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    state = Path(lesson.out) / f"{course.name}_state.pt"
    first, minutes = 0, 0.0
    if state.exists():
        kept = torch.load(state, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        average, first, minutes = kept["average"], kept["step"], kept["minutes"]
    begun, running = time.process_time(), 0.0
    for step in range(first, lesson.steps):
        loss = course.loss(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _follow(average, net, min(course.decay, (1.0 + step) / (10.0 + step)))
        running += (float(loss.detach()) - running) / min(step - first + 1, _LATELY)
        if (step + 1) % course.save_every == 0 or step + 1 == lesson.steps:
            spent = minutes + (time.process_time() - begun) / 60
            kept = {name: part.state_dict() for name, part in parts.items()}
            keep(state, {**kept, "average": average, "step": step + 1, "minutes": spent})
            said = f"{course.name}: {step + 1}/{lesson.steps} steps, loss {running:.3f}"
            print(f"{said}, {spent:.1f} processor minutes", flush=True)
    net.load_state_dict(average)
    return minutes + (time.process_time() - begun) / 60


def gathered(kept: Callable[[Path, int], Kept], folder: Path, numbers: Sequence[int]) -> list[Kept]:
    """What is kept of each number; what is not there yet is made, saying how far that is."""
    shows, begun, fresh = [], time.monotonic(), 0
    for done, number in enumerate(numbers):
        was = time.monotonic()
        shows.append(kept(folder, number))
        if time.monotonic() - was > _MADE_S:
            fresh += 1
            left = (len(numbers) - done - 1) * (time.monotonic() - begun) / fresh
            print(f"takes: {done + 1}/{len(numbers)} shows, ETA {left:.0f} s", flush=True)
    return shows


def written(net: nn.Module, path: Path, card: Mapping[str, object]) -> Path:
    """Keep what was taught, and its card beside it, which is told too."""
    saved(net, path)
    text = json.dumps(card, indent=1)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return path


def _follow(average: dict[str, Tensor], net: nn.Module, decay: float) -> None:
    """Lead the average after the weights; counters are taken as they are."""
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1.0 - decay)
        else:
            average[name].copy_(value)


def keep(state: Path, kept: dict[str, object]) -> None:
    """Put a state in place as a whole."""
    torch.save(kept, state.with_suffix(".part"))
    os.replace(state.with_suffix(".part"), state)

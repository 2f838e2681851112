"""A shot through a fit: look at all of it, then read, change, put in place and write each frame.

    from footagefit import render
    done = render("shot.####.exr", fit="fits/match_v001", reference="hero.1001.exr",
                  out="matched.####.exr")

What belongs here: the order of things. What does not: any one of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from footagefit import __version__
from footagefit.errors import WriteError
from footagefit.footage.manifest import manifest_path, merge
from footagefit.footage.pattern import MOVIES
from footagefit.footage.writing import Entry, Existing, OutputForm, Writer, open_writer
from footagefit.models.base import Model
from footagefit.rendering import fields
from footagefit.rendering.ask import Ask
from footagefit.rendering.composite import Result, compose
from footagefit.rendering.content import file_of
from footagefit.rendering.controls import Asked
from footagefit.rendering.fields import Fields
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.fits import Fit
from footagefit.rendering.plan import Plan
from footagefit.rendering.shot import Loaded
from footagefit.rendering.stream import ahead
from footagefit.rendering.temporal import Temporal

_UNEVEN_EV = 0.4  # takes of one set-up need less than this from place to place


class Progress(Protocol):
    """How far it is, shown: passes items through."""

    def __call__(self, items: Iterable[int], *, total: int, label: str) -> Iterator[int]:
        """Items as they come."""
        ...


def quiet(items: Iterable[int], *, total: int, label: str) -> Iterator[int]:
    """Shows nothing."""
    del total, label
    yield from items


@dataclass(frozen=True)
class Rendered:
    """What a render made.

    Attributes:
        out: The frames' pattern, or the movie.
        frames: Numbers of all frames asked for.
        written: How many were made now; the others were there.
        fields: The shot's looks.
        notes: How they were filtered and why, and what a person had better look at.
        seconds: Wall time of the second pass.
    """

    out: Path
    frames: tuple[int, ...]
    written: int
    fields: Path
    notes: tuple[str, ...]
    seconds: float


def render(
    plate: str | Path,
    *,
    fit: Fit | str | Path,
    out: str | Path | None = None,
    reference: str | Path | None = None,
    reference_frames: str | None = None,
    mask: str | Path | None = None,
    frames: str | None = None,
    handles: int = 0,
    shot: str | None = None,
    controls: Mapping[str, Asked] | None = None,
    keyframes: str | Path | None = None,
    temporal: Temporal = "auto",
    layers: Sequence[str] = (),
    fill: Filling | None = None,
    form: OutputForm | None = None,
    space: str = "auto",
    reference_space: str = "auto",
    layer: str = "",
    existing: Existing = "resume",
    device: str = "auto",
    threads: int | None = None,
    memory_gb: float | None = None,
    half: bool = False,
    progress: Progress = quiet,
) -> Rendered:
    """Take a shot through a fit.

    Args:
        plate: The clip to be changed: a movie, `shot.####.exr`, a folder.
        fit: A fit, or the folder of one.
        out: `matched.####.exr`, or a movie; the next `_v###` beside the show's work folder where
            it is left out.
        reference: A clip or frame to sit beside.
        reference_frames: Frames of it that may be looked at; all by default.
        mask: A clip of mattes, by frame number: 1 where the picture may change.
        frames: Frames to write, as the file numbers them: `1001-1100x2`.
        handles: Frames added at both ends of `frames`.
        shot: Frames of the plate that are one shot, where it holds more.
        controls: Values by name: a number, or values by frame.
        keyframes: A JSON or CSV file of controls.
        temporal: `auto`, `none`, `smooth` or `locked`.
        layers: Layers to write beside the picture: `gain`, `offset`, `mask`, ...
        fill: What is asked of a fit that makes pixels: sides, handles, a background.
        form: How to store the result; like the plate by default.
        space: The plate's colour space, where the file is not certain of it.
        reference_space: The reference's.
        layer: Which of the plate's layers to change.
        existing: Frames already there: `resume`, `skip`, `replace` or `error`.
        device: `auto`, `cpu`, `cuda:0`, `cuda:0,cuda:1`, `mps`.
        threads: Encoding threads.
        memory_gb: Memory to stay within; half of what is free by default.
        half: Decide looks in half precision where that changes nothing to be seen; pixels are
            worked on in float32 always.
        progress: Shows how far it is.

    Raises:
        FootagefitError: In one line what is wrong, where, and the next step.
    """
    from footagefit.rendering.fill_plan import plan_of

    ask = Ask(
        plate=Path(plate),
        fit=fit if isinstance(fit, Fit) else Path(fit),
        out=_path(out),
        reference=_path(reference),
        reference_frames=reference_frames,
        mask=_path(mask),
        frames=frames,
        handles=handles,
        shot=shot,
        controls=controls or {},
        keyframes=_path(keyframes),
        temporal=temporal,
        layers=tuple(layers),
        fill=fill or Filling(),
        form=form or OutputForm(),
        space=space,
        reference_space=reference_space,
        layer=layer,
        existing=existing,
        device=device,
        threads=threads,
        memory_gb=memory_gb,
        half=half,
    )
    return run(plan_of(ask), progress=progress)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def run(plan: Plan, *, progress: Progress = quiet) -> Rendered:
    """Do what a plan says."""
    plan.check_room()
    renderer = renderer_of(plan)
    renderer.look(progress)
    begun = time.monotonic()
    written = renderer.write(progress)
    seconds = time.monotonic() - begun
    return Rendered(
        plan.out, tuple(renderer.frames), written, plan.fields_path, renderer.notes, seconds
    )


def renderer_of(plan: Plan) -> Renderer:
    """What renders a plan: fits that change light, or fits that make pixels."""
    from footagefit.rendering.fill_plan import FillPlan

    if not isinstance(plan, FillPlan):
        return Renderer(plan)
    from footagefit.rendering.filling import Filler

    return Filler(plan)


class Renderer:
    """Both passes of one render.

    Args:
        plan: What to do.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan: Plan = plan
        self.shot = plan.shot()
        self.work = plan.work()
        self.fields: Fields

    def look(self, progress: Progress = quiet) -> None:
        """Pass one: decide the shot's looks, or find them as they were decided before."""
        plan = self.plan
        path, temporal = plan.fields_path, plan.ask.temporal
        make_folder(path.parent)
        found = fields.find(path, key=plan.key, temporal=temporal)
        if found is None:
            looked = fields.decide(
                self.shot,
                plan.shot_frames,
                path,
                key=plan.key,
                temporal=temporal,
                work=self.work,
                keep=set(plan.frames),
            )
            for _ in progress(looked, total=len(plan.shot_frames), label="look"):
                pass
            found = fields.find(path, key=plan.key, temporal=temporal)
        if found is None:
            raise WriteError("the fields just written are gone", path=path, hint="Start again")
        self.fields = found

    @property
    def frames(self) -> list[int]:
        """Frames that are written."""
        return self.plan.frames

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person had better look at, and how the looks were filtered."""
        found = [f"temporal: {line}" for line in self.fields.smoothing.lines()]
        first = self.plan.animation.amounts_at(self.plan.frames[0])
        uneven_ev = self.fields.uneven_ev
        can = "local" in self.plan.fit.task.spec.controls
        if can and first.local == 1.0 and uneven_ev > _UNEVEN_EV:
            found.append(
                f"look closely: the change differs by {uneven_ev:.2f} stops from place to place. "
                "If the reference shows another place than the plate, say local=0"
            )
        return tuple(found)

    def write(self, progress: Progress = quiet) -> int:
        """Pass two: every frame that is not there yet; returns how many were made."""
        plan = self.plan
        with open_writer(
            plan.out,
            info=plan.info,
            form=plan.form,
            existing=plan.ask.existing,
            source=plan.clip.info.path,
            threads=plan.bounds.threads,
            job=plan.job,
            part=plan.ask.part,
            frames=self.frames,
        ) as writer:
            todo = [number for number in self.frames if not writer.has(number)]
            for _ in progress(self._made(todo, writer), total=len(todo), label="render"):
                pass
        if not plan.ask.part and plan.out.suffix.lower() not in MOVIES:
            merge(manifest_path(plan.out))
        return len(todo)

    def _made(self, todo: Sequence[int], writer: Writer) -> Iterator[int]:
        loads = ahead(
            todo,
            self.shot.load,
            workers=self.work.readers if self.shot.passes_through else 1,
            depth=lambda: self.work.depth,
        )
        for loaded, result in self._results(loads):
            number = loaded.number
            writer.write(
                number,
                result.rgb_CHW,
                result.alpha_1HW,
                native=loaded.native if self._native_helps(result) else None,
                keep_HW=result.keep_HW,
                layers=result.layers,
                entries=self.entries(number),
            )
            yield number

    def _native_helps(self, result: Result) -> bool:
        """Whether the writer has a use for stored values: header and layers, or kept pixels."""
        return self.plan.clip.info.codec == "exr" or result.keep_HW is not None

    def _results(self, loads: Iterator[Loaded]) -> Iterator[tuple[Loaded, Result]]:
        if len(self.work.devices) == 1:
            for loaded in loads:
                yield loaded, self.result(loaded)
            return
        many = len(self.work.devices)
        yield from ahead(loads, lambda item: (item, self.result(item)), workers=many,
                         depth=lambda: many)  # fmt: skip

    def result(self, loaded: Loaded) -> Result:
        """One frame with its look on it."""
        look = self.fields.at(loaded.number)
        asked = self.plan.ask.layers

        def job(device: torch.device, model: Model) -> Result:
            return compose(self.shot, loaded, look, model=model, device=device, layers=asked)

        return self.work.run(job, frame=loaded.number)

    def _temporal(self, number: int) -> str:
        return self.fields.smoothing.stretch_of(number).mode

    def entries(self, number: int) -> dict[str, Entry]:
        """Where a frame comes from, for its header."""
        plan = self.plan
        known = plan.fit.task.spec.controls
        amounts = vars(plan.animation.amounts_at(number)).items()
        controls = {**plan.animation.at(number), **{n: v for n, v in amounts if n in known}}
        return {
            "footagefit/version": __version__,
            "footagefit/fit": self.plan.fit.hash,
            "footagefit/recipe": plan.recipe,
            "footagefit/controls": json.dumps(controls, sort_keys=True),
            "footagefit/temporal": self._temporal(number),
            "footagefit/seed": plan.ask.fill.seed,
            "footagefit/source": self._source(number),
            "footagefit/frame": number,
            "footagefit/reference": self._references(),
        }

    def _source(self, number: int) -> str:
        return file_of(self.plan.clip, number).name

    def _references(self) -> str:
        reference = self.plan.reference
        return "" if reference is None else reference.info.path.name


def make_folder(folder: Path) -> None:
    """A folder for what is written, or one line why not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"the folder cannot be made ({error.strerror})", path=folder, hint="Choose another out="
        ) from error

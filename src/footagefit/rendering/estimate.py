"""What a render will cost: one frame tried for real, the rest counted.

What belongs here: frames, size, memory and time for `dry_run=true`. What does not: rendering.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from footagefit.footage.pattern import MOVIES, ranges
from footagefit.footage.writing import open_writer
from footagefit.models.base import Look, Model
from footagefit.records import Native
from footagefit.rendering.composite import Result, compose
from footagefit.rendering.fill_plan import FillPlan
from footagefit.rendering.plan import Plan

T = TypeVar("T")
_GIB = 2**30
_FEW = 5  # frames that stand for a shot whose pixels are made


@dataclass(frozen=True)
class Estimate:
    """A render's cost.

    Attributes:
        frames: To be written.
        looked_at: Frames of the shot.
        disk_bytes: All frames together.
        memory_bytes: Held at once, frames kept between the passes counted.
        stages_s: Seconds that one frame took, by stage, one after the other.
    """

    frames: tuple[int, ...]
    looked_at: int
    disk_bytes: int
    memory_bytes: int
    stages_s: dict[str, float]

    @property
    def seconds(self) -> float:
        """For everything; stages overlap in a real render, so that this is the upper end."""
        stages = self.stages_s
        look = stages["read"] + stages["look"]
        return look * self.looked_at + (stages["apply"] + stages["write"]) * len(self.frames)

    def lines(self) -> list[str]:
        """For people."""
        parts = ", ".join(f"{name} {s:.2f} s" for name, s in self.stages_s.items())
        return [
            f"frames: {len(self.frames)} to write ({ranges(self.frames)}), "
            f"{self.looked_at} to look at",
            f"size: about {self.disk_bytes / _GIB:.2f} GiB on disk",
            f"memory: about {self.memory_bytes / _GIB:.1f} GiB",
            f"time: about {_span(self.seconds)} at most ({parts} for one frame)",
        ]


def estimate(plan: Plan) -> Estimate:
    """Try the middle frame, and count."""
    if isinstance(plan, FillPlan):
        return _of_fill(plan)
    shot, work = plan.shot(), plan.work()
    number = plan.frames[len(plan.frames) // 2]
    loaded, read_s = _timed(lambda: shot.load(number))

    def look(device: torch.device, model: Model) -> Look:
        return model.look(model.small(shot.given(loaded, device=device)))

    def apply(device: torch.device, model: Model, decided: Look) -> Result:
        return compose(shot, loaded, decided, model=model, device=device, layers=plan.layers)

    decided = work.run(look, frame=number)
    _, look_s = _timed(lambda: work.run(look, frame=number))
    work.run(lambda d, m: apply(d, m, decided), frame=number)  # kernels compile once
    made, apply_s = _timed(lambda: work.run(lambda d, m: apply(d, m, decided), frame=number))
    native = loaded.native if plan.clip.info.codec == "exr" else None
    each, write_s = _written(plan, number, made, native)
    stored = (
        int(native is not None) * plan.frame_bytes // (2 if plan.clip.info.bit_depth < 32 else 1)
    )
    kept = min(plan.bounds.kept_bytes, stored * len(plan.frames))
    stages_s = {"read": read_s, "look": look_s, "apply": apply_s, "write": write_s}
    return _counted(plan, each, kept, stages_s)


def _of_fill(plan: FillPlan) -> Estimate:
    """Try one of a few frames in the middle, as if these were all of the shot."""
    from footagefit.rendering.filling import Filler

    there = plan.shot_frames
    few = there[max(0, len(there) // 2 - _FEW // 2) :][:_FEW]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / plan.out.name
        ask = replace(plan.ask, fit=plan.fit, out=out, shot=f"{few[0]}-{few[-1]}", frames=None)
        filler = Filler(FillPlan(replace(ask, handles=0)))
        _, look_s = _timed(filler.look)
        shown = filler.footage.shown
        number = max(shown, key=lambda n: float(filler.footage.hole(n).mean()))
        _, read_s = _timed(lambda: filler.shot.load(few[0]))
        filled, apply_s = _timed(lambda: filler.filled(number))
    native = filled.native if plan.clip.info.codec == "exr" else None
    each, write_s = _written(plan, number, filler.result_of(filled), native)
    look_s = look_s / len(shown)
    stages_s = {"read": read_s, "look": look_s, "apply": apply_s, "write": write_s}
    return _counted(plan, each, plan.bounds.kept_bytes, stages_s)


def _written(plan: Plan, number: int, made: Result, native: Native | None) -> tuple[int, float]:
    """Bytes of a frame on disk, and the seconds that took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / plan.out.name

        def write() -> None:
            with open_writer(path, info=plan.info, form=plan.form) as out:
                out.write(number, made.rgb_CHW, made.alpha_1HW, native=native, layers=made.layers)

        _, write_s = _timed(write)
        files = [p for p in Path(folder).iterdir() if p.suffix == plan.out.suffix]
        return max((p.stat().st_size for p in files), default=plan.stored_bytes), write_s


def _counted(plan: Plan, each: int, kept: int, stages_s: dict[str, float]) -> Estimate:
    movie = plan.out.suffix.lower() in MOVIES
    return Estimate(
        frames=tuple(plan.frames),
        looked_at=len(plan.shot_frames),
        disk_bytes=(plan.stored_bytes if movie else each) * len(plan.frames),
        memory_bytes=plan.bounds.busy_bytes + kept,
        stages_s=stages_s,
    )


def _timed(job: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    made = job()
    return made, time.perf_counter() - begun


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

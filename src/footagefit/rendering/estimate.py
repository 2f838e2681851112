"""What a render will cost: one frame tried for real, the rest counted.

What belongs here: frames, size, memory and time for `dry_run=true`. What does not: rendering.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from footagefit.footage.pattern import MOVIES, ranges
from footagefit.footage.writing import open_writer
from footagefit.models.base import Look, Model
from footagefit.rendering.composite import Result, compose
from footagefit.rendering.plan import Plan

T = TypeVar("T")
_GIB = 2**30


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
    shot, work = plan.shot(), plan.work()
    number = plan.frames[len(plan.frames) // 2]
    loaded, read_s = _timed(lambda: shot.load(number))

    def look(device: torch.device, model: Model) -> Look:
        return model.look(model.small(shot.given(loaded, device=device)))

    def apply(device: torch.device, model: Model, decided: Look) -> Result:
        return compose(shot, loaded, decided, model=model, device=device, layers=plan.ask.layers)

    decided = work.run(look, frame=number)
    _, look_s = _timed(lambda: work.run(look, frame=number))
    work.run(lambda d, m: apply(d, m, decided), frame=number)  # kernels compile once
    made, apply_s = _timed(lambda: work.run(lambda d, m: apply(d, m, decided), frame=number))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / plan.out.name
        native = loaded.native if plan.clip.info.codec == "exr" else None

        def write() -> None:
            with open_writer(path, info=plan.clip.info, form=plan.form) as out:
                out.write(number, made.rgb_CHW, made.alpha_1HW, native=native, layers=made.layers)

        _, write_s = _timed(write)
        files = [p for p in Path(folder).iterdir() if p.suffix == plan.out.suffix]
        each = max((p.stat().st_size for p in files), default=plan.stored_bytes)
    movie = plan.out.suffix.lower() in MOVIES
    stored = (
        int(native is not None) * plan.frame_bytes // (2 if plan.clip.info.bit_depth < 32 else 1)
    )
    kept = min(plan.bounds.kept_bytes, stored * len(plan.frames))
    return Estimate(
        frames=tuple(plan.frames),
        looked_at=len(plan.shot_frames),
        disk_bytes=(plan.stored_bytes if movie else each) * len(plan.frames),
        memory_bytes=plan.bounds.busy_bytes + kept,
        stages_s={"read": read_s, "look": look_s, "apply": apply_s, "write": write_s},
    )


def _timed(job: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    made = job()
    return made, time.perf_counter() - begun


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

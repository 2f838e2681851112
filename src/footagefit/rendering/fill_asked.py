"""What may be asked of a fit that makes pixels, beside what is asked of any.

Here: the record, and whether it goes with the fit's task. Not here: what it means on a plate
(`fill_plan.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from footagefit.errors import UsageError
from footagefit.rendering.canvas import Extend
from footagefit.rendering.fits import Fit
from footagefit.tasks.base import TaskSpec

Find = Literal["wire", "boom", "dust", "flash", "drop"]


@dataclass(frozen=True)
class Cleanup:
    """What is to be cleaned up, where no mask says it.

    Args:
        find: What to look for; its mask is written beside the render.
    """

    find: Find | None = None


@dataclass(frozen=True)
class Filling:
    """What pixels are made for.

    Attributes:
        extend: Sides, boxes, handles.
        cleanup: What is found rather than masked.
        background: A clip to go behind.
        alpha: Mattes of what stays in front of it.
        match: A match fit that gives the front the background's light.
        seed: Of everything drawn at random.
    """

    extend: Extend = field(default_factory=Extend)
    cleanup: Cleanup = field(default_factory=Cleanup)
    background: Path | None = None
    alpha: Path | None = None
    match: Fit | Path | None = None
    seed: int = 0

    def words(self) -> Iterator[tuple[str, object]]:
        """What was said otherwise than by default, as it is typed."""
        for name, group in (("extend", self.extend), ("cleanup", self.cleanup)):
            for one in fields(group):
                value = getattr(group, one.name)
                if value != one.default:
                    yield f"{name}.{one.name}", value
        match = self.match.path if isinstance(self.match, Fit) else self.match
        for name, path in (("background", self.background), ("alpha", self.alpha),
                           ("match", match)):  # fmt: skip
            if path is not None:
                yield name, path.expanduser().absolute()
        if self.seed:
            yield "seed", self.seed

    def check(self, spec: TaskSpec) -> None:
        """Raise where a fit's task has no use for what was said."""
        for name, _ in self.words():
            if not spec.fills:
                what = f"{name} is for fits that make pixels, and this one is {spec.name}"
                raise UsageError(what, hint="Use a fit of extend or cleanup: fit=base/extend")
            mine = name == "seed" or name.startswith("extend.") == (spec.name == "extend")
            if not mine:
                other = "extend" if name.startswith("extend.") else "cleanup"
                raise UsageError(
                    f"{name} is for {other} fits, and this one is {spec.name}",
                    hint=f"Use a fit of {other}: fit=base/{other}",
                )
        if (self.background is None) != (self.alpha is None):
            lacking = "alpha" if self.alpha is None else "background"
            raise UsageError(
                f"{lacking} is not set, and background= and alpha= go together",
                hint=f"Say {lacking}=<clip>",
            )
        if self.match is not None and self.background is None:
            raise UsageError("match= lights a foreground for background=, which is not set",
                             hint="Say background=<clip> alpha=<clip>")  # fmt: skip

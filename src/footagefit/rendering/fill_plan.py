"""What a render that makes pixels will do: settled and checked before one is made.

Here: which frames and how large, other takes, masks, backgrounds and mattes held against the
plate. Not here: what renders have in common (`plan.py`), making pixels (`filling.py`).
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from footagefit.errors import MissingFrames, UsageError, WrongValue
from footagefit.footage import colour
from footagefit.footage.clip import Clip
from footagefit.footage.pattern import MOVIES, numbers, ranges
from footagefit.records import ClipInfo
from footagefit.rendering.ask import Ask
from footagefit.rendering.canvas import Canvas, Timeline
from footagefit.rendering.composite import MASK, check_names
from footagefit.rendering.content import clip_key, key_beside, plain_key
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.fits import Fit, fit_of
from footagefit.rendering.laid import LaidFootage
from footagefit.rendering.plan import Plan
from footagefit.rendering.shot import Shot, check_mask

CONFIDENCE = "confidence"
LAYERS = (CONFIDENCE, MASK)
VERSION = 1
_CARRIED = 20  # frames that one may be filled from, and those that the next needs beside them


def plan_of(ask: Ask) -> Plan:
    """The plan of a render, whatever its fit does: change light, or make pixels."""
    fit = fit_of(ask.fit, signature=ask.signature, bases=ask.bases)
    ask = replace(ask, fit=fit)
    return FillPlan(ask) if fit.task.spec.fills else Plan(ask)


class FillPlan(Plan):
    """A render that makes pixels, settled.

    Raises:
        FootagefitError: What was asked for cannot be; nothing was written.
    """

    fills = True

    @property
    def fill(self) -> Filling:
        """What is asked of fits that make pixels."""
        return self.ask.fill

    def _check_fit(self) -> None:
        super()._check_fit()
        for name, value, usual in (
            ("grain", self.ask.grain, "keep"),
            ("temporal", self.ask.temporal, "auto"),
        ):
            if value != usual:
                raise UsageError(
                    f"{name}= is for fits that change light; what is made always gets the grain "
                    "round it and moves with the shot",
                    hint=f"Leave {name}= out",
                )

    def _frames(self) -> list[int]:
        info, asked = self.clip.info, self.ask.shot
        there = self.clip.numbers
        if asked is not None:
            there = sorted(set(numbers(asked)) & set(there))
        if not there:
            raise WrongValue(f"shot={asked} holds none of the plate's frames", path=info.path)
        first, last = there[0], there[-1]
        if asked is None:
            first, last = info.first_frame, info.last_frame
        self._there = there
        self.gaps = sorted(set(range(first, last + 1)) - set(there))
        self._check_gaps()
        self.canvas = Canvas(info, self.fill.extend)
        self.timeline = Timeline(first, last, self.fill.extend)
        every = self.timeline.numbers
        wanted = every if self.ask.frames is None else sorted(set(numbers(self.ask.frames)))
        outside = sorted(set(wanted) - set(every))
        if outside:
            raise MissingFrames(
                f"the result has frames {ranges(every)}",
                path=info.path,
                frame=outside[0],
                hint="Ask for frames within these, or for more with extend.head= and extend.tail=",
            )
        return self._with_handles(wanted, every)

    def _check_gaps(self) -> None:
        spec = self.fit.task.spec.name
        if self.gaps and spec != "extend" and self.fill.cleanup.find != "drop":
            raise MissingFrames(
                f"{len(self.gaps)} missing: {ranges(self.gaps)}",
                path=self.clip.info.path,
                hint="Bring them, or fill them with a fit of extend: fit=base/extend",
            )

    def _shot_frames(self) -> list[int]:
        return self._there

    def _open_reference(self) -> Clip | None:
        self.takes = [self._beside(path) for path in several(self.ask.reference)]
        for take in self.takes:
            check_mask(take, self.clip, (), what="take")
        return None

    def _open_mask(self) -> Clip | None:
        fill = self.fill
        ways = [
            name
            for name, value in (
                ("mask", self.ask.mask),
                ("cleanup.find", fill.cleanup.find),
                ("background", fill.background),
            )
            if value is not None
        ]
        if len(ways) > 1:
            raise UsageError(f"{' and '.join(ways)} each say what to replace",
                             hint="Leave all but one of them out")  # fmt: skip
        self._check_asked(ways)
        self.match = None if fill.match is None else self._match(fill.match)
        self.background = None if fill.background is None else self._beside(fill.background)
        if self.background is not None:
            check_mask(self.background, self.clip, self._there, what="background")
        self.alpha = None if fill.alpha is None else self._matte(fill.alpha, what="alpha")
        return super()._open_mask()

    def _check_asked(self, ways: list[str]) -> None:
        spec = self.fit.task.spec.name
        if spec == "cleanup" and not ways:
            raise UsageError(
                "mask is not set, and cleanup replaces what it marks",
                hint="Say mask=<clip>, cleanup.find=wire (boom, dust, flash, drop), or "
                "background=<clip> alpha=<clip>",
            )
        more = self.canvas.grows or self.timeline.numbers != self._there
        if spec == "extend" and not (more or ways):
            raise UsageError(
                "nothing to extend by",
                hint="Say extend.left=256, extend.aspect=2.39, extend.overscan=64, "
                "extend.reframe=<box>, extend.head=12 or extend.retime=2",
            )

    def _check_layers(self) -> None:
        check_names(self.fit.task.spec.name, self.ask.layers, LAYERS, self.clip.info.layers)

    @property
    def layers(self) -> list[str]:
        """Those asked for; an extended EXR marks what was made in any case."""
        asked = list(self.ask.layers)
        out = self.ask.out
        suffix = (out or self.clip.info.path).suffix.lower()
        exr = suffix == ".exr" or (out is None and suffix in MOVIES)
        marks = exr and self.fit.task.spec.name == "extend"
        if marks and CONFIDENCE not in {*asked, *self.clip.info.layers}:
            asked.append(CONFIDENCE)
        return asked

    @property
    def info(self) -> ClipInfo:
        """Of the clip that comes out: as large and as long as it gets."""
        return self.canvas.info(self.timeline.numbers)

    def _check_out(self) -> None:
        super()._check_out()
        suffix = self.out.suffix.lower()
        if self.fill.extend.overscan and suffix != ".exr":
            raise UsageError(
                f"overscan lies outside the display window, and {suffix} files have none",
                path=self.out,
                hint="Write .exr files, or say extend.left= and the like",
            )

    @cached_property
    def key(self) -> str:
        """Of everything that frames are made from."""
        frames, mask = self.shot_frames, self.mask
        return plain_key(
            {
                "version": VERSION,
                "fit": self.fit.hash,
                "recipe": repr(self.fit.recipe),
                "signature": dict(self.fit.signature),
                "plate": clip_key(self.clip, frames),
                "layer": self.ask.layer,
                "takes": [clip_key(take, take.numbers) for take in self.takes],
                "mask": key_beside(mask, frames),
                "find": self.fill.cleanup.find,
                "background": key_beside(self.background, frames),
                "alpha": key_beside(self.alpha, frames),
                "match": None if self.match is None else self.match.hash,
                "extend": {**asdict(self.fill.extend), "reframe": self.canvas.boxes},
                "controls": self.animation.plain(amounts=False),
                "seed": self.fill.seed,
                "config": colour.source(),
            }
        )

    def _match(self, path: Fit | Path) -> Fit:
        """The match fit that lights the foreground for its background."""
        fit = fit_of(path, bases=self.ask.bases)
        if fit.task.spec.name != "match":
            raise UsageError(
                f"match= takes a match fit, and this one is {fit.task.spec.name}",
                path=fit.path,
                hint="Say match=base/match, or a fit that the show trained",
            )
        return fit

    @cached_property
    def job(self) -> dict[str, Any]:
        """What makes this render what it is, for the manifest."""
        reference = self.ask.reference
        return {
            **super().job,
            "reference": None if reference is None else str(reference),
            "temporal": "none",
            "fill": {name: str(value) for name, value in self.fill.words()},
        }

    @property
    def motion_folder(self) -> Path:
        """Where the shot's motion is kept while it is rendered."""
        return self.out.parent / f".{self.stem}.motion"

    @property
    def found_path(self) -> Path:
        """Where masks of what was found are written."""
        return self.out.parent / f"{self.stem}.found_{self.fill.cleanup.find}.####.exr"

    def forget(self) -> None:
        """Let go of the shot's motion: the render is done."""
        shutil.rmtree(self.motion_folder, ignore_errors=True)

    def before(self, number: int) -> Tensor:
        """A frame as it was, on its canvas; black where the plate has none."""
        if number not in self._plates.shown:
            return torch.zeros(3, *self.canvas.size)
        return self._plates.laid(number).rgb_CHW

    @cached_property
    def _plates(self) -> LaidFootage:
        return self.footage()

    def shot(self) -> Shot:
        """What frames are read from; before a new background, the matte is what stays in front."""
        return replace(super().shot(), mask=self.mask if self.alpha is None else self.alpha)

    def footage(self) -> LaidFootage:
        """The plate on its canvas."""
        return LaidFootage(
            self.shot(), self.canvas, self.timeline, self.shot_frames, most_bytes=self._held_bytes
        )

    def other_takes(self) -> list[LaidFootage]:
        """Other takes of the set-up, each on a canvas as large."""
        found = []
        extend = replace(self.fill.extend, reframe=None)
        for take in self.takes:
            shot = replace(self.shot(), clip=take, mask=None)
            line = Timeline(take.info.first_frame, take.info.last_frame)
            canvas = Canvas(take.info, extend)
            found.append(LaidFootage(shot, canvas, line, take.numbers,
                                     most_bytes=self._held_bytes))  # fmt: skip
        return found

    @property
    def motion_bytes(self) -> int:
        """For frames that are carried from, ready to be read between their pixels."""
        enough = _CARRIED * 3 * self.frame_bytes // 2 * (1 + len(self.takes))
        return min(self.bounds.kept_bytes * 3 // 4, enough)

    @property
    def _held_bytes(self) -> int:
        """For frames of a clip as they are stored."""
        laid = 5 * self.frame_bytes  # two frames on their canvas: picture, holes
        clips = 1 + len(self.takes)
        return max(0, (self.bounds.kept_bytes - self.motion_bytes) // clips - laid)


def several(reference: Path | None) -> list[Path]:
    """One path, or several in brackets: `[take2.####.exr,take3.####.exr]`."""
    if reference is None:
        return []
    text = str(reference)
    if not (text.startswith("[") and text.endswith("]")):
        return [reference]
    return [Path(word.strip()).expanduser() for word in text[1:-1].split(",") if word.strip()]

"""What clean-up and extension have in common: pixels where the plate has none.

What belongs here: how whole footage becomes an example (a hole is cut, real pixels are carried into
it from the other frames, the truth is what was there), and what a model is shown when a shot is
rendered. What does not: shapes of holes (`holes.py`), motion, any network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from footagefit.errors import UnknownName, WrongValue
from footagefit.records import Given, Pair
from footagefit.tasks.base import (
    INSIDE,
    Control,
    Controls,
    Task,
    TaskSpec,
    Window,
    fitted,
    lens_coordinates,
    vector_of,
)
from footagefit.tasks.carrying import carried
from footagefit.tasks.draws import chance, choice, normal, uniform
from footagefit.tasks.holes import IN_TIME, KINDS, Holes, Size

GUIDE = ("carried_r", "carried_g", "carried_b", "confidence", "lens_x", "lens_y")
SIGNATURE = (
    "signature.grain",
    "signature.sharpness",
    "signature.vignette_ev",
    "signature.k1",
)
CONTROLS = {"strength": Control("", 0.0, 1.0, 1.0, "how much of what is made to lay in")}
BASE = "fill"  # one base serves both tasks
CLEAN = "clean"  # layer of staged windows: the same frames without grain
NEAREST = "nearest"  # of a pair's truth: the nearest frame's pixels in the hole
LENS = "lens"  # layer of windows whose holes are cut and filled already: lens coordinates
_QUIET = 0.15  # how often an example has no noise: the mean is then what to learn
_LIMIT = 256.0


class Filling(Task):
    """Self-supervised filling.

    Attributes:
        name: Of the task.
        own: Holes that it learns on.

    Args:
        kinds: Holes to cut, by name; each comes equally often; the task's own by default.
        size: Rows and columns of training pictures; None leaves frames as they are, for judging.
        frames: Of a window: the middle one or an end is filled from the others.
        stride: Frames from one to the next.
        mirror: How often left and right are exchanged.
        references: Frames an example sits beside.
    """

    name: ClassVar[str]
    own: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        kinds: Sequence[str] | None = None,
        size: Sequence[int] | None = (96, 96),
        frames: int = 5,
        stride: int = 1,
        mirror: float = 0.5,
        references: int = 1,
    ) -> None:
        kinds = self.own if kinds is None else kinds
        if size is not None and (len(size) != 2 or min(size) < 32):
            raise WrongValue(f"size: expected rows and columns of 32 or more, got {list(size)}")
        if frames < 1 or stride < 1:
            raise WrongValue(f"expected 1 or more frames and stride, got {frames} and {stride}")
        for kind in kinds:
            if kind not in KINDS:
                raise UnknownName("kind of hole", kind, KINDS)
        self.kinds = tuple(kinds)
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.mirror = mirror
        self.spec = TaskSpec(
            name=self.name,
            guide=GUIDE,
            vector=SIGNATURE,
            controls=CONTROLS,
            models=("fill", "diffusion"),
            references=references,
            teacher="moving",
            frames=frames,
            stride=stride,
            base=BASE,
        )

    def pair(self, window: Window, rng: torch.Generator) -> Pair:
        """A frame with a hole, what the others show there, and the frame itself."""
        there = LENS in window.layers  # worked out before
        lesson = (
            {**window.layers, "plate": window.frames_TCHW, "reference": window.reference_RCHW}
            if there
            else self.lesson(window, rng)
        )
        vector = lesson.pop("vector")
        if chance(rng, self.mirror):
            lesson = {name: part.flip(3) for name, part in lesson.items()}
            lesson[LENS] = lesson[LENS] * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)
        plate, hole = lesson["plate"], lesson["mask"]
        given = Given(
            plate=plate,
            guide=torch.cat([lesson["carried"], lesson["confidence"], lesson[LENS]], 1),
            mask=hole,
            reference=lesson["reference"][None],
            vector=vector,
            noise=normal(rng, *plate.shape) * (not chance(rng, _QUIET)),
        )
        truth = {INSIDE: hole, NEAREST: lesson[NEAREST]}
        return Pair(given, lesson[CLEAN], truth, torch.ones_like(hole))

    def lesson(self, window: Window, rng: torch.Generator) -> dict[str, Tensor]:
        """What of an example takes time: a hole cut, other frames' pixels carried into it.

        Returns:
            `plate`, `mask`, `carried`, `confidence`, `lens`, `clean` (the truth) and `nearest` of
            one frame, its `reference` and `vector`: a window of that frame carries them as layers.
        """
        frames = window.frames_TCHW.nan_to_num(0.0, _LIMIT, -1.0)
        clean = window.layers.get(CLEAN, frames)
        aspect = frames.shape[3] / frames.shape[2]
        stack, frame = self._cropped(torch.cat([frames, clean, window.gone_T1HW], 1), rng)
        frames, clean, gone = stack[:, :3], stack[:, 3:6], (stack[:, 6:] > 0.5).float()
        size = (int(stack.shape[2]), int(stack.shape[3]))
        holes, at = self._cut(gone, rng, size)
        light, confidence = carried(frames, holes, at)
        lens = lens_coordinates(size, frame=frame, aspect=aspect, signature=window.signature)
        return {
            "plate": torch.where(holes[at] > 0.0, 0.0, frames[at])[None],
            "mask": holes[at][None],
            "carried": light[None],
            "confidence": confidence[None],
            LENS: lens[None],
            CLEAN: clean[at][None],
            NEAREST: _nearest(frames, holes, at)[None],
            "reference": self._references(window, frames, rng),
            "vector": vector_of(SIGNATURE, window.signature)[None],
        }

    def given(self, window: Window, controls: Controls) -> Given:
        """Plates at full size with what rendering knows of their holes.

        Of the window's layers `mask` (T,1,H,W) is the hole (frames that do not exist are one
        each), `carried` (T,3,H,W) and `confidence` (T,1,H,W) are what other frames show there,
        `noise` (T,3,H,W) is drawn from (seed, frame) and moved along the shot.
        """
        self.checked(controls)
        frames, layers = window.frames_TCHW, window.layers
        count, _, height, width = frames.shape
        hole = torch.maximum(layers.get("mask", window.gone_T1HW), window.gone_T1HW)
        light = layers.get("carried", torch.zeros_like(frames))
        confidence = layers.get("confidence", frames.new_zeros(count, 1, height, width))
        lens = lens_coordinates((height, width), aspect=width / height, signature=window.signature)
        return Given(
            plate=frames,
            guide=torch.cat([light, confidence, lens.expand(count, -1, -1, -1)], 1),
            mask=hole,
            reference=window.reference_RCHW[None].expand(count, -1, -1, -1, -1),
            vector=vector_of(SIGNATURE, window.signature).expand(count, -1),
            noise=layers.get("noise", frames.new_zeros(count, 0, height, width)),
        )

    def _cut(self, gone: Tensor, rng: torch.Generator, size: Size) -> Holes:
        """A hole of one of the kinds, in a frame that exists."""
        count = gone.shape[0]
        there = [n for n in range(count) if not bool(gone[n].all())]
        if not there:
            raise WrongValue("no frame of this window exists")
        kinds = [k for k in self.kinds if count >= 3 or k not in IN_TIME]
        kind = kinds[choice(rng, len(kinds))] if kinds else "tubes"
        cut = KINDS[kind](rng, count, size)
        at = min(there, key=lambda n: (abs(n - cut.at), n))
        hole = cut.holes_T1HW.clone()
        hole[at] = cut.holes_T1HW[cut.at]
        return Holes(torch.maximum(hole, gone), at)

    def _cropped(
        self, stack: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, tuple[float, float, float, float]]:
        """A part of the clip at the training size, the same of every frame, and which it is.

        Near its own size more often than not: what is made is made at the plate's own scale.
        """
        height, width = stack.shape[2:]
        if self.size is None:
            return stack, (0.0, 0.0, 1.0, 1.0)
        most = min(height / self.size[0], width / self.size[1])
        scale = min(most, max(1.0, most ** uniform(rng, -0.5, 1.0)))
        rows, columns = (
            min(int(scale * s), m) for s, m in zip(self.size, (height, width), strict=True)
        )
        top, left = choice(rng, height - rows + 1), choice(rng, width - columns + 1)
        part = stack[:, :, top : top + rows, left : left + columns]
        frame = (left / width, top / height, (left + columns) / width, (top + rows) / height)
        flat = part.flatten(0, 1).split(4)  # as many as are resized at once
        return torch.cat([fitted(p, self.size) for p in flat]).unflatten(0, part.shape[:2]), frame

    def _references(self, window: Window, frames: Tensor, rng: torch.Generator) -> Tensor:
        """As many references as the spec says: those of the window, else frames of the clip."""
        there = window.reference_RCHW
        size = (int(frames.shape[2]), int(frames.shape[3]))
        chosen = []
        for _ in range(self.spec.references if there.shape[0] else 0):
            chosen.append(fitted(there[choice(rng, there.shape[0])], size))
        return torch.stack(chosen) if chosen else frames.new_zeros(0, 3, *size)


def _nearest(frames: Tensor, holes: Tensor, at: int) -> Tensor:
    """What the nearest frame shows at the same place, for those who copy it (3,H,W)."""
    made, left = torch.zeros_like(frames[at]), torch.ones_like(holes[at])
    for other in sorted(range(len(frames)), key=lambda n: (abs(n - at), n)):
        use = left * (holes[other] < 0.5) * (other != at)
        made, left = made + use * frames[other], left - use
    return made

"""Pixels for a hole: carried where that is sure, made elsewhere, dressed as the lens would.

Here: what the fit's model is shown of a frame, its noise and references, lens and grain of what
comes out. Not here: which pixels lack (`laid.py`), where they are put (`filling.py`).

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from footagefit.models.base import Model, resampled, small_size
from footagefit.models.diffusion import DiffusionModel
from footagefit.models.fill import FillModel
from footagefit.motion.carried import Carried
from footagefit.motion.propagation import Propagation
from footagefit.records import Given
from footagefit.rendering.dressing import Dressing
from footagefit.rendering.fill_plan import FillPlan
from footagefit.rendering.laid import LaidFootage
from footagefit.rendering.noise import Noise
from footagefit.rendering.shot_grain import measured
from footagefit.rendering.work import Work, let_go
from footagefit.signature.grain import Grain
from footagefit.tasks.base import PlainWindow

_REFERENCE_PX = 384


class Making:
    """Makes the pixels of a shot's holes.

    Args:
        plan: The render.
        footage: Its frames on their canvas.
        propagation: What other frames show.
        work: Where the model computes.
    """

    def __init__(
        self, plan: FillPlan, footage: LaidFootage, *, propagation: Propagation, work: Work
    ) -> None:
        self.plan, self.footage = plan, footage
        self.propagation, self.work = propagation, work

    def pixels(
        self, number: int, plate: Tensor, hole: Tensor, carried: Carried, *, near: int | None = None
    ) -> Tensor:
        """Pixels for a hole: carried where that is sure, made elsewhere, dressed as the lens would.

        Args:
            number: The frame.
            plate: It, 0 in its hole.
            hole: 1 where there is no pixel.
            carried: What other frames show there.
            near: The frame that tells grain and sharpness where this one has no pixel.
        """
        let_go()
        made, kept = carried.rgb_CHW, self._model.kept(carried.confidence_1HW)
        if bool(((hole > 0) & (kept < 1.0)).any()):
            made = self._modelled(number, plate, hole, carried)
        # Of two pictures laid over each other, each brings the square of its share of the grain.
        share = torch.maximum(kept, self._model.share(carried.confidence_1HW))
        return self._dressing(
            made,
            plate if near is None else self.footage.plate(near),
            hole,
            frame=number,
            seed=self.plan.fill.seed,
            grain_1HW=carried.grain_1HW * share**2,
            invented_1HW=1.0 - kept,
        )

    def _modelled(self, number: int, plate: Tensor, hole: Tensor, carried: Carried) -> Tensor:
        """What the model makes of it."""
        given = self._given(number, plate, hole, carried)

        def job(device: torch.device, model: Model) -> Tensor:
            moved = Given(*(part.to(device) for part in given))
            return model.predict(moved)[0].cpu()

        return self.work.run(job, frame=number)

    def _given(self, number: int, plate: Tensor, hole: Tensor, carried: Carried) -> Given:
        layers = {
            "carried": carried.rgb_CHW[None],
            "confidence": carried.confidence_1HW[None],
            "mask": hole[None],
            "noise": self._noise.field(number)[None],
        }
        plan = self.plan
        window = PlainWindow(plate[None], self._beside, layers, dict(plan.fit.signature))
        given = plan.fit.task.given(window, plan.animation.at(number))
        if plan.canvas.grows:
            lens = plan.canvas.lens(float(plan.timeline.at(number)), signature=plan.fit.signature)
            given = given._replace(guide=torch.cat([given.guide[:, :-2], lens[None]], 1))
        return given

    @property
    def _model(self) -> FillModel | DiffusionModel:
        return cast("FillModel | DiffusionModel", self.plan.fit.model)

    @cached_property
    def _beside(self) -> Tensor:
        """Frames that the model may look at, small: of another take, else the shot's middle."""
        plan = self.plan
        if not plan.fit.task.spec.references:
            return torch.zeros(0, 3, 16, 16)
        clip = plan.takes[0] if plan.takes else plan.clip
        numbers = clip.numbers if plan.takes else plan.shot_frames
        light = clip.read([numbers[len(numbers) // 2]]).rgb_TCHW.nan_to_num(0.0, 65504.0, -1.0)
        size = small_size(*light.shape[-2:], long_px=_REFERENCE_PX, cell_px=1)
        return resampled(light.contiguous(), size)

    @cached_property
    def _noise(self) -> Noise:
        size, seed = self.plan.canvas.size, self.plan.fill.seed
        return Noise(size, seed=seed, anchor=self.footage.shown[0], way=self.propagation.way)

    @property
    def grain(self) -> Grain | None:
        """The grain that goes on: the show's, or the shot's own."""
        return self._dressing.grain

    @cached_property
    def _dressing(self) -> Dressing:
        """Lens and grain of the show; grain of the shot itself where the fit carries none."""
        known = Dressing(self.plan.fit.signature)
        if known.grain is not None:
            return known
        return Dressing(self.plan.fit.signature, grain=measured(self.footage, self.footage.shown))

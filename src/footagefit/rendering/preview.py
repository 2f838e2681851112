"""A frame through a fit while somebody turns the controls: small, at once, and never written.

What belongs here: frames read once and held small, pictures of plate, result and mask as JPEG,
what a control is at a frame, the plate's own light. What does not: the page (`commands.ui`),
frames that go out (`render.py`).

A preview's look is the frame's own, decided from the small picture; a render filters looks over
the shot, so that a frame may differ from its preview by as much as its neighbours do.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from footagefit.footage import colour
from footagefit.footage.view import View
from footagefit.models.base import resampled
from footagefit.models.relight import RelightModel
from footagefit.rendering.controls import Animation, Asked, animation
from footagefit.rendering.plan import Plan
from footagefit.rendering.review import own_look, premultiplied
from footagefit.rendering.shot import Loaded, Shot
from footagefit.rendering.work import Work
from footagefit.report import pictures
from footagefit.signature import light as estimator

What = Literal["result", "plate", "mask"]
_HELD = 12  # frames kept small
_QUALITY = 90


class Preview:
    """Pictures of one plan's frames, a moment after they are asked for.

    Args:
        plan: The render as it stands; its controls are taken anew with each picture.
        view: How pictures are shown; as the plate's own space says by default.
        long_px: Long side of the pictures.
    """

    def __init__(self, plan: Plan, *, view: View | None = None, long_px: int = 960) -> None:
        self.plan = plan
        self.view = (view or View()).on(space=plan.clip.info.space)
        self.long_px = long_px
        self._shot: Shot = plan.shot()
        self._work: Work = plan.work()
        self._held: OrderedDict[int, Loaded] = OrderedDict()
        self._lock = threading.Lock()  # one picture at a time: two would each take twice as long

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the pictures; never more than the plate has."""
        info = self.plan.clip.info
        scale = min(1.0, self.long_px / max(info.width, info.height))
        return max(1, round(info.height * scale)), max(1, round(info.width * scale))

    def controls(self, asked: Mapping[str, Asked]) -> Animation:
        """Controls as a person set them, checked."""
        return animation(self.plan.fit.task.spec, asked)

    def picture(
        self, frame: int, asked: Mapping[str, Asked], *, what: What, exposure_ev: float = 0.0
    ) -> bytes:
        """A JPEG, without metadata.

        Args:
            frame: Its number.
            asked: Controls by name: a number, or values by frame.
            what: The result, the plate as it is, or the mask.
            exposure_ev: Stops added for the eyes, before the view transform.
        """
        with self._lock:
            loaded = self._loaded(frame)
            if what == "mask":
                return pictures.encoded(_mask(loaded), quality=_QUALITY)
            if what == "plate":
                light = premultiplied(loaded)
            else:
                held = replace(self._shot, animation=self.controls(asked))
                light = own_look(held, loaded, self._work)
            light = light.nan_to_num(0.0, 65504.0, -1.0)
            rows_HWC = light.permute(1, 2, 0).contiguous().numpy()
            view = replace(self.view, exposure_ev=self.view.exposure_ev + exposure_ev)
            shown = colour.preview(rows_HWC, view, quick=True)
            return pictures.encoded(shown, quality=_QUALITY)

    def own_light(self, frame: int) -> dict[str, float]:
        """The plate's own light as the fit reads it, by control's name; empty where it does not."""
        model = self.plan.fit.model
        if not isinstance(model, RelightModel):
            return {}
        with self._lock, torch.inference_mode():
            held = replace(self._shot, animation=self.controls({}))
            given = held.given(self._loaded(frame), device=self._work.devices[0])
            lamp = model.own_light(model.small(given))
        found = estimator.named(torch.cat(list(lamp), 1)[0].cpu())
        values = {f"light.{name}": value for name, value in vars(found.light).items()}
        known = {n: round(float(v), 4) for n, v in values.items() if v is not None}
        return {**known, "confidence": round(found.confidence, 3)}

    def _loaded(self, frame: int) -> Loaded:
        """A frame as small as it is shown, read once."""
        if frame in self._held:
            self._held.move_to_end(frame)
            return self._held[frame]
        self.plan.clip.require([frame])
        loaded = self._shot.load(frame)
        small = loaded._replace(
            plate_CHW=self._small(loaded.plate_CHW),
            alpha_1HW=None if loaded.alpha_1HW is None else self._small(loaded.alpha_1HW),
            mask_1HW=None if loaded.mask_1HW is None else self._small(loaded.mask_1HW),
            seen_1HW=None if loaded.seen_1HW is None else self._small(loaded.seen_1HW),
            native=None,
        )
        self._held[frame] = small
        while len(self._held) > _HELD:
            self._held.popitem(last=False)
        return small

    def _small(self, picture_CHW: Tensor) -> Tensor:
        return resampled(picture_CHW[None], self.size)[0].contiguous()


def _mask(loaded: Loaded) -> np.ndarray:
    """A mask as grey (H,W,3); white all over where there is none."""
    mask = loaded.mask_1HW
    mask = torch.ones_like(loaded.plate_CHW[:1]) if mask is None else mask
    grey = (mask.clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8)
    return grey.permute(1, 2, 0).expand(-1, -1, 3).numpy()

"""A background replaced: what stays in front, freed of the old background, before the new one.

Here: unmixing edge colours, the foreground's light brought to the background's by a match fit, the
two put together. Not here: making mattes, making pixels (`filling.py`).

At an edge a pixel is alpha x foreground + (1 - alpha) x background, in light. Both are told from
what surrounds it, first widely, then nearby, by the rule of Forte (Approximate Fast Foreground
Colour Estimation, ICIP 2021, eq. 4 to 6).

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from footagefit.footage.clip import Clip
from footagefit.models.base import Look, blended
from footagefit.rendering.fits import Fit
from footagefit.rendering.shot import Shot, placed_over, reference_frames, small_reference
from footagefit.tasks.base import PlainWindow

_REACH = ((0.047, 15), (0.003, 6))  # how far colours are looked for: of the long side, least px
_LOOKED_AT = 8  # frames that a foreground's light is told from
_REFERENCES = 4
_EPS = 1e-5


class Replaced:
    """Frames before another background.

    Args:
        shot: Reads the plate; its mask is the matte of what stays in front.
        background: The clip that goes behind; a single picture holds for all frames.
        frames: Of the shot.
        match: Gives the foreground the background's light; None leaves its own.
    """

    def __init__(
        self, shot: Shot, background: Clip, frames: list[int], *, match: Fit | None = None
    ) -> None:
        self.shot, self.background, self.frames, self.match = shot, background, frames, match

    def frame(self, number: int, plate_CHW: Tensor, alpha_1HW: Tensor) -> Tensor:
        """A frame before its new background (3,H,W)."""
        front = unmixed(plate_CHW, alpha_1HW)
        if self.match is not None:
            front = self._lit(front, alpha_1HW)
        behind = self._behind(number)
        mixed = alpha_1HW * front + (1.0 - alpha_1HW) * behind
        return torch.where(alpha_1HW >= 1.0, front, mixed)

    def _behind(self, number: int) -> Tensor:
        """The background where it lies over the plate, a display window over the other."""
        info = self.background.info
        read = self.background.read([info.first_frame if info.length == 1 else number])
        light = read.rgb_TCHW[0].nan_to_num(0.0, 65504.0, -1.0)
        return placed_over(light, info.raster, info.display, self.shot.clip)

    def _lit(self, front_CHW: Tensor, alpha_1HW: Tensor) -> Tensor:
        """The foreground in the background's light."""
        assert self.match is not None
        with torch.inference_mode():
            given = self.match.task.given(self._window(front_CHW, alpha_1HW), {})
            return self.match.model.apply(self._look, given)[0]

    def _window(self, front_CHW: Tensor, alpha_1HW: Tensor) -> PlainWindow:
        assert self.match is not None
        return PlainWindow(
            front_CHW[None],
            self._beside,
            {"alpha": alpha_1HW[None]},
            signature=dict(self.match.signature),
        )

    @cached_property
    def _beside(self) -> Tensor:
        """The background, small, as a reference."""
        assert self.match is not None
        numbers = reference_frames(self.background, most=_REFERENCES)
        return small_reference(self.match, self.background, numbers)

    @cached_property
    def _look(self) -> Look:
        """One look for the shot: the mean of those that some of its frames ask for."""
        assert self.match is not None
        step = max(1.0, len(self.frames) / _LOOKED_AT)
        looks = []
        for index in range(min(_LOOKED_AT, len(self.frames))):
            loaded = self.shot.load(self.frames[int(index * step)])
            alpha = torch.ones_like(loaded.plate_CHW[:1])
            alpha = alpha if loaded.mask_1HW is None else loaded.mask_1HW
            plate = loaded.plate_CHW.nan_to_num(0.0, 65504.0, -1.0)
            with torch.inference_mode():
                window = self._window(unmixed(plate, alpha), alpha)
                given = self.match.task.given(window, {})
                looks.append(self.match.model.look(self.match.model.small(given)))
        return blended(looks, [1.0 / len(looks)] * len(looks))


def unmixed(plate_CHW: Tensor, alpha_1HW: Tensor) -> Tensor:
    """The foreground's own colour (3,H,W): where alpha is 1 the plate's, to the bit.

    Args:
        plate_CHW: Scene-linear light, foreground and old background mixed.
        alpha_1HW: How much of each pixel is foreground.
    """
    soft = (alpha_1HW > 0) & (alpha_1HW < 1)
    if not bool(soft.any()):
        return plate_CHW
    light, a = plate_CHW.numpy(), alpha_1HW[0].numpy()
    front, behind = light, light
    for reach, least in _REACH:
        side = 2 * max(least, round(reach * max(a.shape))) + 1
        share = _mean(a, side)
        near = np.stack([_mean(c * a, side) / (share + _EPS) for c in front])
        far = np.stack([_mean(c * (1 - a), side) / (1 - share + _EPS) for c in behind])
        front = near + a * (light - a * near - (1 - a) * far)
        behind = far
    made = torch.from_numpy(np.maximum(front, np.minimum(light, 0.0)).astype(np.float32))
    return torch.where(alpha_1HW >= 1.0, plate_CHW, made)


def _mean(plane_HW: np.ndarray, side: int) -> np.ndarray:
    import cv2

    plane = np.ascontiguousarray(plane_HW, np.float32)
    return cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_REFLECT_101)

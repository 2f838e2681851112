"""Made pixels dressed as their neighbours: their light, their glass, their grain.

Here: a smooth field that closes the seam, the lens's softness and fringes on what no lens has seen,
and as much grain as is missing. Not here: making pixels (`models`, `motion`), which pixels keep
their stored values (`composite.py`).

What a model makes up may hold texture as faint as grain, and would look grainier than the plate
with grain on it: of made-up pixels, what is as grain would be goes first.

Grain is put on by what is there already: a mean of four frames has a quarter of its variance left,
so three quarters are added. Where no signature has the show's grain it is measured from the shot
(`shot_grain.py`).

Shapes: C channels, H rows, W columns, T frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from footagefit.models.boxes import hull
from footagefit.motion import spreading
from footagefit.signature import chromatic, coordinates, sharpness
from footagefit.signature.grain import Grain
from footagefit.signature.grain_removal import Removal
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.record import Lens, of_plain

_BAND_PX = 5.0  # of each side of a seam, at HD
_REACH_PX = 40.0  # into the hole, at HD, over which a seam's field fades
_MOST_EV = 0.35
_TOE = 2.0**-6
_ROUGH_EV = 0.25  # of a band, from which it tells little about its neighbour
_ROUND_PX = 24  # of a hole, that tell how faint its texture is


class Dressing:
    """Of one shot.

    Args:
        signature: Of the show, as a fit carries it; None where there is none.
        setup: The shot's set-up by the signature's name.
        lens: Its lens by name.
        grain: As measured from the shot, see `shot_grain`: before the signature's where given.
    """

    def __init__(
        self, signature: Mapping[str, Any] | None = None, *, setup: str | None = None,
        lens: str | None = None, grain: Grain | None = None,
    ) -> None:  # fmt: skip
        known = of_plain(signature)
        look = None if known is None or setup is None else known.setups.get(setup)
        if grain is None and known is not None:
            grain = look.grain if look is not None and look.grain is not None else known.grain
        named = lens if lens is not None else (look.lens if look is not None else None)
        self.lens = Lens() if known is None else known.lens(named or None)
        self.grain = grain
        self._made: dict[int, Synthesis] = {}

    def __call__(
        self, made_CHW: Tensor, plate_CHW: Tensor, mask_1HW: Tensor, *, frame: int, seed: int = 0,
        grain_1HW: Tensor | None = None, invented_1HW: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """The frame with its hole filled and dressed; outside the mask it is the plate to the bit.

        Args:
            made_CHW: Scene-linear ACEScg, whatever outside the mask.
            plate_CHW: The frame; whatever in the hole.
            mask_1HW: 1 where `made` stands, softer towards a rim.
            frame: Its number: grain differs by it.
            seed: Another seed gives other grain.
            grain_1HW: Share of the grain's variance that `made` has already, see
                `motion.carried.Carried`; none by default.
            invented_1HW: 1 where `made` is no real pixel: its light is met to its surroundings,
                where it is sharper than these the lens is put on, and texture as faint as grain is
                taken out before grain goes on. Without it all is met, and nothing else is done.
        """
        hole = mask_1HW > 0.0
        if not bool(hole.any()):
            return plate_CHW
        whole = torch.where(hole, made_CHW, plate_CHW)
        whole = matched(whole, mask_1HW, where_1HW=invented_1HW)
        if invented_1HW is not None and self._has_glass and bool((invented_1HW * hole > 0.5).any()):
            through = self._through(whole)
            lacks = _too_sharp(whole, through, invented_1HW * hole, mask_1HW)
            whole = whole + lacks * invented_1HW * (through - whole)
        if self.grain is not None:
            left = torch.zeros_like(mask_1HW) if grain_1HW is None else grain_1HW
            if invented_1HW is not None and bool((invented_1HW * hole > 0.0).any()):
                whole = _calmed(whole, invented_1HW * hole, self._removal)
                left = left * (1.0 - invented_1HW) ** 2
            whole = self._grained(whole, left, hole, frame, seed)
        mixed = plate_CHW + mask_1HW * (whole - plate_CHW)
        mixed = torch.where(mask_1HW >= 1.0, whole, mixed)
        return torch.where(hole, mixed, plate_CHW)

    @property
    def _has_glass(self) -> bool:
        return self.lens.chromatic is not None or self.lens.sharpness is not None

    def _through(self, frame_CHW: Tensor) -> Tensor:
        """What the lens does to detail; its vignette is in the light that was matched."""
        out = frame_CHW
        if self.lens.chromatic is not None:
            out = chromatic.apply(out, self.lens.chromatic)
        if self.lens.sharpness is not None:
            out = sharpness.apply(out, self.lens.sharpness)
        return out

    @cached_property
    def _removal(self) -> Removal:
        assert self.grain is not None
        return Removal(self.grain)

    def _grained(
        self, frame_CHW: Tensor, left_1HW: Tensor, hole_1HW: Tensor, number: int, seed: int
    ) -> Tensor:
        """Grain where it is missing; outside the hole's rectangle the frame is as it was."""
        if self.grain is None:
            return frame_CHW
        if seed not in self._made:
            self._made = {seed: Synthesis(self.grain, seed=seed)}
        rows, columns = hull(hole_1HW[None]).part
        part = frame_CHW[:, rows, columns]
        made = self._made[seed].apply(part, number=number, corner=(rows.start, columns.start))
        lacks = (1.0 - left_1HW[:, rows, columns]).clamp(0.0, 1.0).sqrt()
        out = frame_CHW.clone()
        out[:, rows, columns] = part + (made - part) * lacks
        return out


def _calmed(frame_CHW: Tensor, invented_1HW: Tensor, removal: Removal) -> Tensor:
    """The frame without what is as faint as grain in pixels that were made up."""
    part = hull(invented_1HW[None] > 0.0, margin_px=_ROUND_PX).part
    rough = frame_CHW[:, *part]
    out = frame_CHW.clone()
    out[:, *part] += invented_1HW[:, *part] * (removal.remove(rough) - rough)
    return out


def _too_sharp(
    frame_CHW: Tensor, through_CHW: Tensor, invented_1HW: Tensor, mask_1HW: Tensor
) -> float:
    """How much of the lens a fill lacks: 0 as soft as what is round it, 1 as no lens leaves it."""
    import cv2

    chosen = (invented_1HW[0] > 0.5).cpu().numpy()
    hole = (mask_1HW[0] > 0).cpu().numpy()
    far = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3)
    around = (far > 3) & (far < max(16.0, hole.shape[1] / 24))
    if not around.any():
        return 0.0
    own, soft = (_detail(picture) for picture in (frame_CHW, through_CHW))
    outside, inside, left = own[around].mean(), own[chosen].mean(), soft[chosen].mean()
    return float(np.clip((inside - outside) / max(inside - left, 1e-6), 0.0, 1.0))


def _detail(frame_CHW: Tensor) -> np.ndarray:
    """What is between one pixel and three wide, in stops (H,W): finer, most is grain."""
    import cv2

    luma = coordinates.luma(coordinates.channels_last(frame_CHW))
    stops = coordinates.stops(luma, toe=_TOE).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(stops, (0, 0), sigma) for sigma in (0.8, 2.0))
    return np.abs(fine - coarse)


def matched(frame_CHW: Tensor, mask_1HW: Tensor, *, where_1HW: Tensor | None = None) -> Tensor:
    """A frame whose hole's light meets its surroundings': a smooth field of stops, faded inward.

    Args:
        frame_CHW: Scene-linear ACEScg, its hole filled.
        mask_1HW: Above 0 in the hole.
        where_1HW: Share of the field that is wanted by place; all by default.
    """
    inside = (mask_1HW[0] > 0).cpu().numpy()
    if inside.all() or not inside.any():
        return frame_CHW
    scale = max(0.35, inside.shape[1] / 1920)
    band = max(2.0, _BAND_PX * scale)
    pad = round(8 * band)
    part = hull(torch.from_numpy(inside)[None, None], margin_px=pad).part
    field = _seam(coordinates.channels_last(frame_CHW[:, *part]), inside[part], band, scale)
    if where_1HW is not None:
        field = field * where_1HW[0, *part].cpu().numpy()[..., None]
    out = frame_CHW.clone()
    out[:, *part] *= torch.from_numpy(np.exp2(field).transpose(2, 0, 1).copy()).to(frame_CHW)
    return out


def _seam(light_HWC: np.ndarray, inside: np.ndarray, band: float, scale: float) -> np.ndarray:
    """Stops (H,W,3) that bring a hole's light to what is round it, 0 outside."""
    import cv2

    stops = coordinates.stops(light_HWC, toe=_TOE).astype(np.float32)
    deep = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
    near = [(outside > 0) & (outside <= band), (deep > 0) & (deep <= band)]
    (out, rough_out), (inn, rough_in) = (_means(stops, side, band) for side in near)
    told = 0.5 / (1.0 + (np.maximum(rough_out, rough_in) / _ROUGH_EV) ** 2)
    apart = np.clip(out - inn, -_MOST_EV, _MOST_EV)
    field = spreading.spread(apart, np.where(near[1], told, 0.0).astype(np.float32), softly=True)
    return field * np.exp(-deep / (_REACH_PX * scale))[..., None] * inside[..., None]


def _means(stops_HWC: np.ndarray, side: np.ndarray, band: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean stops nearby of one side of a seam, and how rough that side is."""
    import cv2

    weight = side.astype(np.float32)

    def soft(plane: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(plane, (0, 0), 1.5 * band)

    total = np.maximum(soft(weight), 1e-4)[..., None]
    mean = soft(stops_HWC * weight[..., None]) / total
    square = soft(stops_HWC**2 * weight[..., None]) / total
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0)).mean(-1)

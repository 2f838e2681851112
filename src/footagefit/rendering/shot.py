"""A shot as rendering sees it: plate, mask and reference of a frame, and what a model is shown.

What belongs here: reading one frame with all that goes with it, premultiplication, where the mask
lies, what is kept in memory between the two passes. What does not: deciding and filtering looks
(`fields.py`), putting results together (`composite.py`).

Shapes: T frames, R references, B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from footagefit.errors import FrameMismatch, MissingFrames, WrongValue
from footagefit.footage.asked import wanted_frames
from footagefit.footage.clip import Clip
from footagefit.footage.pattern import ranges
from footagefit.footage.sequence import SequenceClip
from footagefit.records import Box, Frames, Given, Native
from footagefit.rendering.controls import Animation
from footagefit.rendering.fits import Fit
from footagefit.rendering.regrain import Regrain
from footagefit.tasks.base import PlainWindow


class Loaded(NamedTuple):
    """One frame, read.

    Attributes:
        number: The frame's number.
        plate_CHW: Scene-linear ACEScg, straight: divided by alpha where there is any.
        alpha_1HW: Coverage, or None where the plate has none.
        mask_1HW: Where the picture may change, soft; None where that is everywhere.
        seen_1HW: Where a model should look: mask, coverage and data window together, or None.
        native: Stored values, for what passes through; None where nothing can.
    """

    number: int
    plate_CHW: Tensor
    alpha_1HW: Tensor | None
    mask_1HW: Tensor | None
    seen_1HW: Tensor | None
    native: Native | None


class Kept:
    """Frames held in memory from the first pass to the second, up to a bound.

    Args:
        limit_bytes: The most they may take together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._held: dict[int, Native] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def offer(self, number: int, native: Native) -> None:
        """Hold a frame if there is room."""
        size = bytes_of(native)
        with self._lock:
            if number not in self._held and self._bytes + size <= self.limit_bytes:
                self._held[number] = native
                self._bytes += size

    def take(self, number: int) -> Native | None:
        """Hand a frame over and let go of it."""
        with self._lock:
            native = self._held.pop(number, None)
            if native is not None:
                self._bytes -= bytes_of(native)
            return native


def bytes_of(native: Native) -> int:
    """Memory that stored values take."""
    return sum(plane.nbytes for part in (native, *native.others) for plane in part.planes)


@dataclass
class Shot:
    """All that a frame's look and result are made from.

    Attributes:
        fit: Task and model.
        clip: The plate.
        reference_RCHW: Frames to sit beside, scene-linear ACEScg, made small already.
        animation: Controls over time.
        mask: A clip of mattes, or None.
        kept: What is held from the first pass to the second.
        regrain: Takes grain off before a look is applied and puts it back; None keeps it on.
    """

    fit: Fit
    clip: Clip
    reference_RCHW: Tensor
    animation: Animation
    mask: Clip | None = None
    kept: Kept = field(default_factory=lambda: Kept(0))
    regrain: Regrain | None = None
    _still: Tensor | None = None

    @property
    def passes_through(self) -> bool:
        """Whether stored values are worth having: pictures keep theirs, most movies cannot."""
        return isinstance(self.clip, SequenceClip)

    def load(self, number: int, *, keep: bool = False) -> Loaded:
        """Read one frame; safe from several threads for sequences.

        Args:
            number: Which.
            keep: Hold what was read for the second pass, if there is room.
        """
        native = self.kept.take(number) if self.passes_through and not keep else None
        if native is None and self.passes_through:
            native = self.clip.native(number)
        if native is None:
            frames = self.clip.read([number])
        else:
            frames = self.clip.of_stored(native, number)
            if keep:
                self.kept.offer(number, native)
        return self._loaded(number, frames, native, self.matte(number))

    def again(self, number: int, native: Native, mask_1HW: Tensor | None) -> Loaded:
        """What `load` gives, to the bit, of stored values and a matte that are at hand."""
        return self._loaded(number, self.clip.of_stored(native, number), native, mask_1HW)

    def _loaded(
        self, number: int, frames: Frames, native: Native | None, mask: Tensor | None
    ) -> Loaded:
        plate = frames.rgb_TCHW[0]
        alpha = None if frames.alpha_T1HW is None else frames.alpha_T1HW[0]
        if alpha is not None:
            plate = straight(plate, alpha)
        return Loaded(number, plate, alpha, mask, self._seen(mask, alpha, native), native)

    def given(self, loaded: Loaded, *, device: torch.device) -> Given:
        """What the model is shown of a frame, at full size (B is 1)."""
        layers = {} if loaded.seen_1HW is None else {"alpha": loaded.seen_1HW[None].to(device)}
        window = PlainWindow(
            frames_TCHW=loaded.plate_CHW[None].to(device),
            reference_RCHW=self.reference_RCHW.to(device),
            layers=layers,
            signature=dict(self.fit.signature),
        )
        given = self.fit.task.given(window, self.animation.at(loaded.number))
        moved = {n: t.to(device) for n, t in given._asdict().items() if t.device != device}
        return given._replace(**moved) if moved else given

    def matte(self, number: int) -> Tensor | None:
        """Where a frame may change (1,H,W); None where that is everywhere."""
        if self.mask is None:
            return None
        if self._still is not None:
            return self._still
        there = self.mask.info
        single = there.length == 1
        values = self.mask.data([there.first_frame if single else number], "mask")[0, :1]
        values = values.nan_to_num().clamp(0.0, 1.0)
        placed = placed_over(values, there.raster, there.display, self.clip)
        if single:
            self._still = placed
        return placed

    def _seen(
        self, mask: Tensor | None, alpha: Tensor | None, native: Native | None
    ) -> Tensor | None:
        seen = mask
        if alpha is not None:
            seen = alpha if seen is None else seen * alpha
        raster = self.clip.info.raster
        if native is not None and native.data != raster:
            rows, columns = native.data.inside(raster)
            inside = torch.zeros(1, raster.height, raster.width)
            inside[:, rows, columns] = 1.0
            seen = inside if seen is None else seen * inside
        return seen


def straight(rgb_CHW: Tensor, alpha_1HW: Tensor) -> Tensor:
    """Premultiplied colour divided by its coverage; where that is 0, colour passes."""
    safe = torch.where(alpha_1HW == 0, torch.ones_like(alpha_1HW), alpha_1HW)
    return rgb_CHW / safe


def placed_over(values_CHW: Tensor, raster: Box, display: Box, plate: Clip) -> Tensor:
    """A picture over the plate's raster, by its place in the display window; 0 outside its own."""
    info = plate.info
    moved = _moved(raster, display, info.display)
    out = torch.zeros(values_CHW.shape[0], info.raster.height, info.raster.width)
    x0, y0 = max(moved.x, info.raster.x), max(moved.y, info.raster.y)
    x1 = min(moved.x + moved.width, info.raster.x + info.raster.width)
    y1 = min(moved.y + moved.height, info.raster.y + info.raster.height)
    if x1 <= x0 or y1 <= y0:
        return out
    common = Box(x0, y0, x1 - x0, y1 - y0)
    rows, columns = common.inside(info.raster)
    from_rows, from_columns = common.inside(moved)
    out[:, rows, columns] = values_CHW[:, from_rows, from_columns]
    return out


def _moved(raster: Box, display: Box, onto: Box) -> Box:
    """A raster moved so that its display window starts where another's does."""
    return raster._replace(x=raster.x - display.x + onto.x, y=raster.y - display.y + onto.y)


def check_mask(mask: Clip, plate: Clip, frames: Sequence[int], *, what: str = "mask") -> None:
    """Raise where a mask, or another clip by frame number, cannot go with a plate.

    Raises:
        FrameMismatch: Another size.
        MissingFrames: It lacks frames of those wanted. A single picture holds for all.
    """
    info, want = mask.info, plate.info.display
    if info.display[2:] != want[2:]:
        raise FrameMismatch(
            f"the {what} is {info.display.width}x{info.display.height}, "
            f"the plate {want.width}x{want.height}",
            path=info.path,
            hint=f"Render the {what} at the plate's size",
        )
    if info.length == 1:
        return
    lacking = sorted(set(frames) - set(mask.numbers))
    if lacking:
        raise MissingFrames(
            f"the {what} has frames {ranges(mask.numbers)} and lacks {ranges(lacking)}",
            path=info.path,
            hint="Bring them, or say shot= and frames=<those there are>",
        )


def small_reference(fit: Fit, clip: Clip, frames: Sequence[int]) -> Tensor:
    """Frames to sit beside (R,3,h,w), each made as small as the model looks at them."""
    pictures = []
    for number in frames:
        shown = clip.read([number])
        light = shown.rgb_TCHW.nan_to_num(0.0, 65504.0, -1.0)
        window = PlainWindow(light, light, signature=dict(fit.signature))
        with torch.inference_mode():
            pictures.append(fit.model.small(fit.task.given(window, {})).reference[0, 0].clone())
    if not pictures:
        raise WrongValue("no frames in the reference", path=clip.info.path)
    return torch.stack(pictures)


def reference_frames(clip: Clip, *, most: int, only: str | None = None) -> list[int]:
    """Which frames of a reference clip are looked at: a few, evenly over it or over some of it."""
    numbers = clip.numbers if only is None else wanted_frames(clip, only, "error")
    if len(numbers) <= most:
        return numbers
    step = len(numbers) / most
    return [numbers[int((i + 0.5) * step)] for i in range(most)]

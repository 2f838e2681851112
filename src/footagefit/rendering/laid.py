"""Frames laid on a canvas: what of the plate is there, where pixels are to be made, what stays.

Here: reading a clip's frames onto a canvas, holes, stored values and layers that move along. Not
here: where on the canvas they go (`canvas.py`), making pixels (`filling.py`).

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from footagefit.footage.holding import Holding
from footagefit.motion.warps import sampled
from footagefit.records import Native
from footagefit.rendering.canvas import Canvas, Placing, Timeline
from footagefit.rendering.shot import Loaded, Shot, bytes_of

_TIMECODE = "smpte:TimeCode"
_AT_HAND = 2  # frames on the canvas: one and its neighbour


class Laid(NamedTuple):
    """A frame on the canvas.

    Attributes:
        rgb_CHW: Scene-linear ACEScg, straight; 0 where the plate has nothing.
        alpha_1HW: Coverage, or None where the plate has none.
        hole_1HW: 1 where no pixel is to be trusted.
        made_1HW: How much of each pixel is to be made, 0 to 1.
        native: Stored values, header and layers, moved along; None where nothing passes through.
        keeps: Whether stored values are the canvas's own pixels.
    """

    rgb_CHW: Tensor
    alpha_1HW: Tensor | None
    hole_1HW: Tensor
    made_1HW: Tensor
    native: Native | None
    keeps: bool


class LaidFootage:
    """A shot's frames on its canvas, as many held as may be; numbered as the result is.

    Two are held as they lie; more as they are stored, which takes a third of that, and what costs
    time is to decode them.

    Args:
        shot: What is read: plate and mask.
        canvas: Where it is laid.
        timeline: Frames of the result over those of the plate.
        there: Frames that the plate has.
        most_bytes: Memory for frames as they are stored.
    """

    def __init__(
        self,
        shot: Shot,
        canvas: Canvas,
        timeline: Timeline,
        there: Sequence[int],
        *,
        most_bytes: int = 1 << 28,
    ) -> None:
        self.shot, self.canvas, self.timeline = shot, canvas, timeline
        self.shown = timeline.shown(there)
        self._held: OrderedDict[int, Laid] = OrderedDict()
        self._stored = Holding[Loaded](most_bytes)
        self._lock = threading.RLock()

    @property
    def numbers(self) -> Sequence[int]:
        """Every frame of the result, in order, those that do not exist among them."""
        return self.timeline.numbers

    def plate(self, number: int) -> Tensor:
        """A picture without NaN and infinity, 0 where there is none."""
        if number not in self.shown:
            return torch.zeros(3, *self.canvas.size)
        laid = self.laid(number)
        return torch.where(laid.hole_1HW > 0, 0.0, laid.rgb_CHW.nan_to_num(0.0, 65504.0, -1.0))

    def hole(self, number: int) -> Tensor:
        """1 where there is no pixel; everywhere of a frame that does not exist."""
        if number not in self.shown:
            return torch.ones(1, *self.canvas.size)
        return self.laid(number).hole_1HW

    def without(self, gone: Sequence[int]) -> None:
        """Take frames out of which nothing is to be used: they are holes all over."""
        self.shown = [n for n in self.shown if n not in set(gone)]

    def turn_to(self, number: int) -> None:
        """Say which frame is made next: those nearest to it are held."""
        frame = self.timeline.at(number)
        self._stored.turn_to(round(frame))

    def laid(self, number: int) -> Laid:
        """A frame on the canvas."""
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
                return self._held[number]
            frame = self.timeline.frame_of(number)
            if frame is None:
                raise KeyError(f"the plate has no frame {number}")
            laid = self._lay(self._loaded(frame), self.canvas.placing(frame))
            self._held[number] = laid
            while len(self._held) > _AT_HAND:
                self._held.popitem(last=False)
            return laid

    def _loaded(self, frame: int) -> Loaded:
        """A frame of the plate, read if it is not held."""
        held = self._stored.get(frame)
        if held is None:
            loaded = self.shot.load(frame)
            self._stored.put(frame, *_packed(loaded))
            return loaded
        if held.native is None:
            return held
        mask = None if held.mask_1HW is None else held.mask_1HW.float()
        return self.shot.again(frame, held.native, mask)

    def blank(self, number: int) -> Native | None:
        """Header and layers of a frame for a picture that is made anew: its layers are 0."""
        native = self.laid(number).native
        if native is None:
            return None
        planes = tuple(np.zeros_like(plane) for plane in native.planes)
        others = tuple(
            replace(o, planes=tuple(np.zeros_like(p) for p in o.planes)) for o in native.others
        )
        timeless = replace(native, planes=planes, others=others)
        return _timeless(timeless)

    def _lay(self, loaded: Loaded, at: Placing) -> Laid:
        canvas, raster = self.canvas, self.canvas.plate.raster
        there = torch.ones(1, raster.height, raster.width)
        if loaded.native is not None and loaded.native.data != raster:
            rows, columns = loaded.native.data.inside(raster)
            there = torch.zeros_like(there)
            there[:, rows, columns] = 1.0
        mask, alpha, native = loaded.mask_1HW, loaded.alpha_1HW, loaded.native
        rgb = loaded.plate_CHW
        if canvas.grows:
            rgb, there, alpha, mask = self._moved(rgb, there, alpha, mask, at)
            native = None if native is None else _on_canvas(native, canvas, at)
        if native is not None and self.timeline.step != 1:
            native = _timeless(native)
        made = torch.zeros_like(there) if mask is None else mask
        hole = torch.maximum((made > 0).float(), 1.0 - there)
        if canvas.grows:
            made = torch.maximum(made, 1.0 - there)
            if alpha is not None:
                alpha = torch.where(there > 0, alpha, 1.0)
        return Laid(rgb, alpha, hole, made, native, at.whole)

    def _moved(
        self, rgb: Tensor, there: Tensor, alpha: Tensor | None, mask: Tensor | None, at: Placing
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Picture, where it is, coverage and matte, each on the canvas."""
        kept = [rgb, there, *(t for t in (alpha, mask) if t is not None)]
        stack = torch.cat(kept)
        if at.whole:
            index = _index(at, self.canvas, raster_size=stack.shape[1:])
            moved = torch.from_numpy(_picked(stack.permute(1, 2, 0).numpy(), *index))
            moved = moved.permute(2, 0, 1)
        else:
            moved = _sampled(stack, at, self.canvas.size)
        parts = list(moved.split([t.shape[0] for t in kept]))
        inside = (parts[1] >= 1.0 - 1e-3).float()
        rest = [p.clamp(0.0, 1.0) for p in parts[2:]]
        return (
            parts[0] * inside,
            inside,
            rest[0] if alpha is not None else None,
            rest[-1] if mask is not None else None,
        )


def _packed(loaded: Loaded) -> tuple[Loaded, int]:
    """A frame as small as it can be told again from to the bit, and its bytes."""
    native, mask = loaded.native, loaded.mask_1HW
    if native is None:
        parts = (loaded.plate_CHW, loaded.alpha_1HW, mask, loaded.seen_1HW)
        return loaded, sum(part.nbytes for part in parts if part is not None)
    size = bytes_of(native)
    if mask is not None:
        half = mask.half()
        mask = half if torch.equal(half.float(), mask) else mask
        size += mask.nbytes
    nothing = torch.empty(0)
    return Loaded(loaded.number, nothing, None, mask, None, native), size


def _sampled(stack_CHW: Tensor, at: Placing, size: tuple[int, int]) -> Tensor:
    """A picture read between its pixels; 0 outside."""
    y = (torch.arange(size[0]) + 0.5) * at.scale + at.y - 0.5
    x = (torch.arange(size[1]) + 0.5) * at.scale + at.x - 0.5
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)
    values, valid = sampled(stack_CHW[None].contiguous(), grid[None])
    return (values * valid)[0]


def _index(
    at: Placing, canvas: Canvas, *, raster_size: Sequence[int], x: int = 0, y: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns that canvas pixels are read from; -1 where there is none.

    Args:
        at: Where the canvas is read from in the plate's raster.
        canvas: It.
        raster_size: Rows and columns that there are.
        x: Column of the plate's raster that they begin at.
        y: Its row.
    """
    found = []
    for start, count, begin, most in (
        (at.y, canvas.size[0], y, raster_size[0]),
        (at.x, canvas.size[1], x, raster_size[1]),
    ):
        where = np.floor((np.arange(count) + 0.5) * at.scale + start).astype(int) - begin
        found.append(np.where((where >= 0) & (where < most), where, -1))
    return found[0], found[1]


def _picked(array_HWC: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    out = array_HWC[np.maximum(rows, 0)][:, np.maximum(columns, 0)]
    out[rows < 0] = 0
    out[:, columns < 0] = 0
    return out


def _on_canvas(native: Native, canvas: Canvas, at: Placing) -> Native:
    """Stored values where their pixels lie on the canvas, to the nearest pixel; 0 where none do."""
    own = canvas.plate.raster
    x, y = native.data.x - own.x, native.data.y - own.y
    planes = native.planes
    if native.layout == "interleaved":
        index = _index(at, canvas, raster_size=planes[0].shape[:2], x=x, y=y)
        planes = tuple(_picked(plane, *index) for plane in planes)
    return replace(
        native,
        planes=planes,
        data=canvas.raster,
        attributes={**native.attributes, "display": canvas.display},
        others=tuple(_on_canvas(other, canvas, at) for other in native.others),
    )


def _timeless(native: Native) -> Native:
    """Without a timecode of its own: the writer counts it from the clip's."""
    stored = native.attributes.get("header")
    if not isinstance(stored, dict):
        return native
    header: dict[str, Any] = {k: v for k, v in stored.items() if k != _TIMECODE}
    return replace(
        native,
        attributes={**native.attributes, "header": header},
        others=tuple(_timeless(other) for other in native.others),
    )

"""Laying one frame over another's hole: global motion, then what moves beside it.

Here: the region looked at, the residual flow in it, spread into the hole from around it. Not here:
which frames (`sources.py`), what is made of many of them (`merging.py`).

A flow has nothing to hold on to inside a hole: it is measured where both frames have pixels and
runs on smoothly inward. Where it explains the frame no better than global motion alone it is
dropped: noise must not shake a still background.

Shapes: H rows, W columns of the region looked at; places in px of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from footagefit.motion import flow, looks, spreading, warps
from footagefit.motion.sources import Mover, Plate

_PAD_SHARE, _PAD_PX = 0.35, 48
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
_BLUR_PX = 2.5
_NOISE_EV = 0.03
_UNKNOWN = 0.15  # how sure a source is of which nothing tells how it lies
_UNLIKE_EV = 0.5  # difference, seen soft, at which two things are surely not the same
_UNSEEN = 0.5  # of what things stray by round a hole, what one inside is off by
_LATER = 0.5  # of its error round a hole, what a source is off by inside with every frame further
_REACH_PX = 24.0  # into a hole, in px looked at, over which what surrounds it says less


@dataclass(frozen=True)
class Region:
    """A part of a frame, looked at at some size.

    Attributes:
        top: First row in the frame.
        left: First column.
        height: Rows of the frame.
        width: Columns.
        step: Pixels of the frame to one looked at.
    """

    top: int
    left: int
    height: int
    width: int
    step: float

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns looked at."""
        return max(8, round(self.height / self.step)), max(8, round(self.width / self.step))

    @property
    def places(self) -> np.ndarray:
        """Where in the frame each pixel looked at lies (H,W,2)."""
        rows, columns = self.size
        grid = warps.pixels((rows, columns))
        scale = np.array([self.width / columns, self.height / rows], np.float32)
        return (grid + 0.5) * scale - 0.5 + np.array([self.left, self.top], np.float32)

    def cut(self, plane_HW: np.ndarray) -> np.ndarray:
        """This part of a plane of the frame, as large as it is looked at."""
        part = plane_HW[self.top : self.top + self.height, self.left : self.left + self.width]
        return looks.shrunk(np.ascontiguousarray(part), self.size)

    def read(self, field_HWC: np.ndarray, at_N2: np.ndarray) -> np.ndarray:
        """A field of the region at places of the frame."""
        rows, columns = self.size
        scale = np.array([columns / self.width, rows / self.height], np.float32)
        at = (at_N2 - np.array([self.left, self.top], np.float32) + 0.5) * scale - 0.5
        return warps.at_places(field_HWC, at, cubic=False)


def region(hole_HW: np.ndarray, *, long_px: int) -> Region:
    """The part of a frame that a hole and enough of what surrounds it take."""
    rows, columns = np.nonzero(hole_HW.any(1))[0], np.nonzero(hole_HW.any(0))[0]
    sides = []
    for span, limit in ((rows, hole_HW.shape[0]), (columns, hole_HW.shape[1])):
        first, last = int(span[0]), int(span[-1]) + 1
        pad = max(_PAD_PX, round(_PAD_SHARE * (last - first)))
        sides.append((max(0, first - pad), min(limit, last + pad)))
    (top, bottom), (left, right) = sides
    wanted = max(bottom - top, right - left) / long_px
    step = next((s for s in _STEPS if s >= wanted), _STEPS[-1])
    return Region(top, left, bottom - top, right - left, step)


@dataclass
class Laid:
    """A frame laid over a region of another.

    Attributes:
        to: From the frame's places to the source's, by global motion.
        beside_HW2: What moves beside it, px of the frame, all over the region.
        sure_HW: How sure that is, 0..1, all over the region.
        worth_HW: How near it comes round there, 0..1: what the middle of views goes by.
        stops_HW: The source's light as it comes to lie, log2.
        seen_HW: 1 where the source has a pixel there.
    """

    to: Mover
    beside_HW2: np.ndarray
    sure_HW: np.ndarray
    worth_HW: np.ndarray
    stops_HW: np.ndarray
    seen_HW: np.ndarray


class Known:
    """What is known of a region: its own pixels, then also those already carried into its hole.

    Args:
        part: The region.
        plate: The frame, its hole in it.
        hole_HW: The hole, of the frame's size.
    """

    def __init__(self, part: Region, plate: Plate, hole_HW: np.ndarray) -> None:
        self.part = part
        gone = part.cut(hole_HW.astype(np.float32)) > 0.02
        stops = part.cut(plate.stops_HW * (1.0 - hole_HW))
        there = part.cut(1.0 - hole_HW.astype(np.float32))
        self.stops_HW = stops / np.maximum(there, 0.02)
        self.weight_HW = np.where(gone, 0.0, 1.0).astype(np.float32)
        self.hole_HW = gone
        self.places = part.places
        self.off_HW = np.full(gone.shape, _UNLIKE_EV, np.float32)  # of the source that lies best
        self.far_HW = np.where(gone, np.inf, 0.0).astype(np.float32)  # frames to what showed it

    def learn(self, laid: Laid, far: float) -> None:
        """Take what a source so many frames off showed as known, by as much as it is sure."""
        fresh = self.hole_HW & (self.weight_HW < 0.3) & (laid.seen_HW > 0.99)
        fresh &= laid.sure_HW > 0.5
        if not fresh.any():
            return
        both = (self.weight_HW > 0.9) & (laid.seen_HW > 0.99) & (laid.sure_HW > 0.3)
        apart = float(np.median((self.stops_HW - laid.stops_HW)[both])) if both.any() else 0.0
        self.stops_HW = np.where(fresh, laid.stops_HW + apart, self.stops_HW)
        self.weight_HW = np.where(fresh, 0.5 * laid.sure_HW, self.weight_HW)
        self.far_HW = np.where(fresh, np.float32(far), self.far_HW)


def lay(
    known: Known, source: Plate, to: Mover, track: flow.Tracker, *, still: bool = False,
    far: float = 1.0,
) -> Laid:  # fmt: skip
    """Lay a source over what is known.

    Args:
        known: Of the frame.
        source: Another frame.
        to: From the frame's places to the source's, by global motion.
        track: Dense flow on codes.
        still: Whether the camera stood between them.
        far: How many frames lie between them.
    """
    small = reduced(source, known.part.step)
    at = to(known.places)
    stops, seen = read(small, at, source.stops_HW.shape)
    both = (known.weight_HW > 0.2) & (seen > 0.99)
    if both.sum() < 64:
        flat = np.zeros((*seen.shape, 2), np.float32)
        doubt = np.float32(_UNKNOWN) * seen
        return Laid(to, flat, doubt, doubt, stops, seen)
    # Where either has nothing, the other stands in: no false edge pulls at the flow.
    middle = float(np.median((known.stops_HW - stops)[both]))
    one = np.where(known.weight_HW > 0.2, known.stops_HW, stops + middle)
    other = np.where(seen > 0.99, stops, one - middle)
    codes = looks.eight_bits(one.astype(np.float32), other.astype(np.float32), both)
    forward, backward = track(*codes), track(*codes[::-1])
    beside, error = _believed(known, other + middle, forward, backward, both, still=still)
    sure, worth = _sureness(known, error, both, strays=_strays(beside, both), far=far)
    own = both & (known.weight_HW > 0.9)
    known.off_HW = np.where(own, np.minimum(known.off_HW, error), known.off_HW)
    by = beside * np.float32(known.part.step)
    stops, seen = read(small, to(known.places + by), source.stops_HW.shape)
    return Laid(to, by, sure * (seen > 0.5), worth, stops, seen)


def placed(laid: Laid, part: Region, at_N2: np.ndarray) -> np.ndarray:
    """Where in the source places of the frame lie."""
    return laid.to(at_N2 + part.read(laid.beside_HW2, at_N2))


def reduced(source: Plate, step: float) -> np.ndarray:
    """The source's stops and what is known of them, about as small as they are looked at."""
    size = source.stops_HW.shape
    small = looks.small_size((size[0], size[1]), round(max(size) / step))
    there = source.known_HW.astype(np.float32)
    known = looks.shrunk(there, small)
    stops = looks.shrunk(source.stops_HW * there, small) / np.maximum(known, 0.02)
    return np.stack([stops, known], -1)


def read(
    small_HWC: np.ndarray, at: np.ndarray, size: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Stops at places of the full source, and 1 where it has pixels there."""
    scale = np.array([small_HWC.shape[1] / size[1], small_HWC.shape[0] / size[0]], np.float32)
    values = warps.at_places(small_HWC, (at + 0.5) * scale - 0.5, cubic=False)
    inside = warps.within(at, (size[0], size[1]))
    return values[..., 0], np.where(inside, values[..., 1], 0.0).astype(np.float32)


def softly(plane_HW: np.ndarray, weight_HW: np.ndarray) -> np.ndarray:
    """A plane's mean nearby, of what has weight."""
    import cv2

    mass = cv2.GaussianBlur((plane_HW * weight_HW).astype(np.float32), (0, 0), _BLUR_PX)
    return mass / np.maximum(cv2.GaussianBlur(weight_HW, (0, 0), _BLUR_PX), 1e-3)


def _believed(
    known: Known, other: np.ndarray, forward: np.ndarray, backward: np.ndarray, both: np.ndarray,
    *, still: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The flow where it explains more than none does, spread to everywhere; its error in stops."""
    weight = both.astype(np.float32)
    along = warps.at_places(other, warps.pixels(other.shape[:2]) + forward, cubic=False)
    plain = softly(np.abs(known.stops_HW - other), weight)
    moved = softly(np.abs(known.stops_HW - along), weight)
    agree = flow.agreement(forward, backward)
    gain = (plain - moved) / (plain + _NOISE_EV)
    use = np.clip((gain - (0.15 if still else 0.05)) / 0.2, 0.0, 1.0) * agree
    error = np.where(use > 0.5, moved, plain)
    value = forward * use[..., None]
    # What flat areas move by is unknown, not 0: there what surrounds them counts.
    firm = np.where(use > 0.05, agree, np.clip(_slope(known.stops_HW) / 0.05, 0.02, 1.0))
    firm = (firm * weight * known.weight_HW).astype(np.float32)
    spread = spreading.spread(value, firm, softly=True)
    return np.where(both[..., None] & (use > 0.5)[..., None], forward, spread), error


def _slope(stops_HW: np.ndarray) -> np.ndarray:
    down, across = np.gradient(stops_HW)
    return np.hypot(down, across)


def _strays(beside_HW2: np.ndarray, both: np.ndarray) -> float:
    """How far things round a hole go beside each other, px: so far things inside may, unseen."""
    known = beside_HW2[both]
    return float(np.sqrt(((known - known.mean(0)) ** 2).sum(1).mean()))


def _sureness(
    known: Known, error_HW: np.ndarray, both: np.ndarray, *, strays: float, far: float
) -> tuple[np.ndarray, np.ndarray]:
    """How sure a source is, less the deeper inside, and how near it comes round the hole.

    Round it the flow was fitted; inside it may be off by what things stray by, and what does not
    come to meet round the hole meets less inside, the more time lies between.
    """
    import cv2

    fits = np.exp(-((np.maximum(error_HW - _NOISE_EV, 0.0) / (0.4 * _UNLIKE_EV)) ** 2))
    later = 1.0 + _LATER * max(0.0, far - 1.0)
    off = np.hypot(later * error_HW, _UNSEEN * strays * _slope(known.stops_HW))
    near = (_NOISE_EV / (_NOISE_EV + off)) ** 2
    weight = (both * known.weight_HW).astype(np.float32)
    told = np.stack([fits, near], -1).astype(np.float32)
    inward = np.clip(spreading.spread(told, weight, softly=True), 0.0, 1.0)
    inside_px = cv2.distanceTransform((~both).astype(np.uint8), cv2.DIST_L2, 3)
    deep = 1.0 / (1.0 + inside_px / _REACH_PX * (1.0 - inward[..., 0]) * 4.0)
    return (inward[..., 0] * deep).astype(np.float32), inward[..., 1] + np.float32(1e-3)

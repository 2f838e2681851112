"""Where real pixels may come from: a shot's frames, read when wanted, and which are worth reading.

Here: what propagation asks of a shot, the few frames kept in memory, and the choice of frames that
show what a hole hides. Not here: laying them over it (`aligning.py`).

Shapes: C channels, H rows, W columns, N places in a hole, S frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from footagefit.footage.holding import Holding
from footagefit.motion import looks, warps
from footagefit.signature import coordinates

_TAPS = (5, 5)
_FADES = 0.5  # a frame further, a view is worth so much less
_AGAIN = 0.25  # of a first view, a further one of the same place
_PAIRED = 12  # frames each side that may be paired


class Footage(Protocol):
    """A shot, as propagation sees it: frames of one size, perhaps a canvas wider than the plate.

    Attributes:
        numbers: Every frame asked for, in order, those that do not exist among them.
    """

    @property
    def numbers(self) -> Sequence[int]:
        """See the class."""
        ...

    def plate(self, number: int) -> Tensor:
        """(3,H,W) scene-linear ACEScg; whatever is in the hole is not looked at."""
        ...

    def hole(self, number: int) -> Tensor:
        """(1,H,W) above 0 where there is no pixel: all 1 where the frame does not exist."""
        ...


class Plate(NamedTuple):
    """A frame in memory.

    Attributes:
        codes_HWC: On the curve of `looks.bent`.
        stops_HW: Log2 of luminance.
        known_HW: True where there is a pixel.
    """

    codes_HWC: np.ndarray
    stops_HW: np.ndarray
    known_HW: np.ndarray


class Shelf:
    """Frames of a shot, some of them kept.

    Args:
        footage: What they are read from.
        most_bytes: Memory for those kept; at least two always are.
        gain_HWC: What the lens leaves of the light: taken off.
    """

    def __init__(
        self, footage: Footage, *, most_bytes: int = 1 << 30, gain_HWC: np.ndarray | None = None
    ) -> None:
        self.footage, self.gain_HWC = footage, gain_HWC
        self._kept = Holding[Plate](most_bytes, least=2)

    def turn_to(self, number: int) -> None:
        """Say which frame is filled: those nearest to it are kept."""
        self._kept.turn_to(number)

    def plate(self, number: int) -> Plate:
        """A frame, read if it is not at hand."""
        plate = self._kept.get(number)
        if plate is None:
            light = coordinates.channels_last(self.footage.plate(number))
            plate = seen_plate(light, self.footage.hole(number), gain_HWC=self.gain_HWC)
            self._kept.put(number, plate, sum(part.nbytes for part in plate))
        return plate


def seen_plate(
    light_HWC: np.ndarray, hole_1HW: Tensor, *, gain_HWC: np.ndarray | None = None
) -> Plate:
    """A frame ready to be read from: where its hole is, its rim goes on a little way.

    Args:
        light_HWC: Scene-linear ACEScg.
        hole_1HW: Above 0 where there is no pixel.
        gain_HWC: What the lens leaves of the light.
    """
    light = light_HWC
    if not np.isfinite(light).all():
        light = np.nan_to_num(light, nan=0.0, posinf=6e4, neginf=-6e4)
    if gain_HWC is not None:
        light = light / gain_HWC
    gone = (hole_1HW[0] > 0).cpu().numpy()
    stops, codes = looks.stops(coordinates.luma(light)), looks.bent(light)
    if not gone.any():
        return Plate(codes, stops, ~gone)
    # A cubic filter reads two pixels beyond what it is asked for: no black may be there.
    spans = []
    for axis in (1, 0):
        there = np.nonzero(gone.any(axis))[0]
        spans.append(slice(max(0, int(there[0]) - _TAPS[0]), int(there[-1]) + 1 + _TAPS[0]))
    part = (spans[0], spans[1])
    known = (~gone[part]).astype(np.float32)
    share = np.maximum(cv2.blur(known, _TAPS), 1e-3)
    rim = cv2.blur(codes[part] * known[..., None], _TAPS) / share[..., None]
    codes[part] = np.where(gone[part][..., None], rim, codes[part])
    return Plate(codes, stops, ~gone)


def whole_plate(plate_CHW: Tensor, hole_1HW: Tensor | None) -> Plate:
    """A frame ready to be read from; without a hole, all of it."""
    hole = torch.zeros_like(plate_CHW[:1]) if hole_1HW is None else hole_1HW
    return seen_plate(coordinates.channels_last(plate_CHW), hole)


class Candidate(NamedTuple):
    """A frame that may show what a hole hides.

    Attributes:
        take: Which footage: 0 the shot itself.
        number: The frame's.
        seen_N: Which of the hole's places it shows.
        far: How far from the frame it is, in frames; other takes are far.
    """

    take: int
    number: int
    seen_N: np.ndarray
    far: float


def choose(candidates: Sequence[Candidate], *, most: int) -> list[Candidate]:
    """The few frames that together show every place, from as near as it can be seen.

    A head turns, leaves stir, what is close passes what is far: the fewer frames lie between, the
    less of that there is. More views of a place than its nearest only take grain off.

    Args:
        candidates: What there is.
        most: How many at most.

    Returns:
        Them, the nearest first.
    """
    left = [c for c in candidates if c.seen_N.any()]
    if not left:
        return []
    nearest, views = (np.zeros(left[0].seen_N.shape, np.float32) for _ in range(2))
    chosen: list[Candidate] = []
    while left and len(chosen) < most:
        again = _AGAIN / (1.0 + views) ** 2
        near = [np.float32(1.0 / (1.0 + _FADES * c.far)) for c in left]
        gains = [
            float((np.maximum(n - nearest, 0.0) + n * again)[c.seen_N].sum())
            for c, n in zip(left, near, strict=True)
        ]
        best = int(np.argmax(gains))
        if gains[best] <= 1e-3 * _AGAIN * len(views):
            break
        c = left.pop(best)
        chosen.append(c)
        views += c.seen_N
        nearest = np.where(c.seen_N, np.maximum(nearest, near[best]), nearest)
    return sorted(chosen, key=lambda c: (c.far, c.take, c.number))


def pairs(
    candidates: Sequence[Candidate], number: int, *, most: int = 3
) -> list[tuple[Candidate, Candidate]]:
    """Pairs of the shot's frames, one before and one after, that both show a hole's places.

    Args:
        candidates: What there is.
        number: The frame with the hole.
        most: How many pairs at most; the best first.
    """
    own = sorted((c for c in candidates if c.take == 0), key=lambda c: c.far)
    early = [c for c in own if c.number < number][:_PAIRED]
    late = [c for c in own if c.number > number][:_PAIRED]
    every = [(a, b, a.seen_N & b.seen_N) for a in early for b in late]
    chosen: list[tuple[Candidate, Candidate]] = []
    while every and len(chosen) < most:
        worth = [float(both.sum()) / (2.0 + a.far + b.far) for a, b, both in every]
        best = int(np.argmax(worth))
        if worth[best] <= 0.0:
            break
        a, b, shown = every[best]
        chosen.append((a, b))
        every = [(c, d, both & ~shown) for c, d, both in every]
    return chosen


def seen(
    place_N2: np.ndarray, hole_HW: np.ndarray, *, size: tuple[int, int]
) -> np.ndarray:  # fmt: skip
    """Which places (N,2), px of a frame of that size, it shows; its hole is given small."""
    inside = warps.within(place_N2, size, edge_px=1.0)
    scale = np.array([hole_HW.shape[1] / size[1], hole_HW.shape[0] / size[0]])
    at = ((place_N2 + 0.5) * scale).astype(int).clip(0, np.array(hole_HW.shape[::-1]) - 1)
    return inside & ~hole_HW[at[:, 1], at[:, 0]]


Mover = Callable[[np.ndarray], np.ndarray]
"""From places (...,2) of one frame to those of another."""

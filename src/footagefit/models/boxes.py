"""Regions of a frame that something is made in, and how deep holes are.

What belongs here: which rectangles hold what is wanted, how they blend, how far a hole reaches from
what is known. What does not: what is made in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_MOST_HALVINGS = 5


@dataclass(frozen=True)
class Box:
    """A rectangle: first row and column, and those after the last."""

    top: int
    left: int
    bottom: int
    right: int

    def cut(self, picture: Tensor) -> Tensor:
        """The part of a picture (B,C,H,W) inside, as a view."""
        return picture[:, :, self.top : self.bottom, self.left : self.right]

    @property
    def part(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def hull(wanted: Tensor, *, margin_px: int = 0) -> Box:
    """The rectangle that holds all that is wanted, with a margin as far as there is picture.

    Args:
        wanted: (B,1,H,W) True somewhere.
        margin_px: On every side.
    """
    spans = []
    for axes, length in (((0, 1, 3), wanted.shape[2]), ((0, 1, 2), wanted.shape[3])):
        there = wanted.to(torch.uint8).amax(axes).nonzero().flatten()
        spans += [max(0, int(there[0]) - margin_px), min(length, int(there[-1]) + 1 + margin_px)]
    return Box(spans[0], spans[2], spans[1], spans[3])


def boxes_of(need: Tensor, *, most_px: int, margin_px: int) -> list[Box]:
    """Rectangles that hold all that is wanted, with a margin, none longer than `most_px`.

    Args:
        need: (1,1,H,W) above 0 where something is to be made.
        most_px: Long side; larger regions are parted, neighbours overlapping by two margins.
        margin_px: Of what lies around.
    """
    height, width = need.shape[-2:]
    found = []
    for top, bottom in _spans(need.amax((0, 1, 3)) > 0, most_px, margin_px):
        across = need[:, :, top:bottom].amax((0, 1, 2)) > 0
        for left, right in _spans(across, most_px, margin_px):
            down = need[:, :, top:bottom, left:right].amax((0, 1, 3)).nonzero().flatten() + top
            if down.numel():
                high, low = int(down[0]) - margin_px, int(down[-1]) + 1 + margin_px
                high, low = max(high, top - margin_px, 0), min(low, bottom + margin_px, height)
                sides = max(0, left - margin_px), min(width, right + margin_px)
                found.append(Box(high, sides[0], low, sides[1]))
    return found


def _spans(wanted: Tensor, most_px: int, margin_px: int) -> list[tuple[int, int]]:
    """Runs of what is wanted, margins not counted: those near each other together, long ones cut.

    Cut runs overlap by two margins, where their pictures blend.
    """
    places = wanted.nonzero().flatten().tolist()
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and place <= runs[-1][1] + 2 * margin_px:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    room = max(1, most_px - 2 * margin_px)
    spans = []
    for first, last in runs:
        parts = max(1, -(-(last - first) // room))
        step = (last - first) / parts
        spans += [
            (first + round(step * part), first + round(step * (part + 1))) for part in range(parts)
        ]
    return spans


def feather(box: Box, size: tuple[int, int], *, over_px: int = 32) -> Tensor:
    """Weights (1,1,h,w) that fall towards sides which other boxes may reach across."""
    ramps = []
    for first, last, length in ((box.top, box.bottom, size[0]), (box.left, box.right, size[1])):
        at = torch.arange(last - first, dtype=torch.float32)
        ramp = torch.ones_like(at)
        if first > 0:
            ramp = torch.minimum(ramp, (at + 1.0) / over_px)
        if last < length:
            ramp = torch.minimum(ramp, (last - first - at) / over_px)
        ramps.append(ramp)
    return (ramps[0][:, None] * ramps[1])[None, None]


def reach_of(unknown: Tensor, *, reach_px: int) -> int:
    """How often a picture is to be halved until no hole reaches further than `reach_px`.

    Beyond the frame nothing is known.

    Args:
        unknown: (1,1,H,W) above 0 where nothing is known.
        reach_px: From what is known.
    """
    hole = (unknown > 0.0).to(unknown)
    for halvings in range(_MOST_HALVINGS):
        if min(hole.shape[-2:]) <= 2 * reach_px or not bool(_worn(hole, reach_px).any()):
            return halvings
        hole = (F.avg_pool2d(hole, 2, ceil_mode=True) > 0.5).to(unknown)
    return _MOST_HALVINGS


def _worn(hole: Tensor, by_px: int) -> Tensor:
    """A hole less all that lies so near its edge (of the rectangle that holds it)."""
    if not bool(hole.any()):
        return hole
    known = 1.0 - hull(hole > 0.0, margin_px=1).cut(hole)  # what is further says no more
    wide = F.max_pool2d(known, (2 * by_px + 1, 1), stride=1, padding=(by_px, 0))
    wide = F.max_pool2d(wide, (1, 2 * by_px + 1), stride=1, padding=(0, by_px))
    return 1.0 - wide

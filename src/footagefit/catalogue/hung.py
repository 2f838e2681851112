"""A wire: a long thin line across a take that its reference take does not have.

Here: a small net says of each moment where a wire may be, and straight lines are added up over what
it says. Not here: what the net is shown (`hung_evidence`), teaching it (`training/hung.py`), laying
takes (`laying`), other things (`things`).

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from footagefit.catalogue.comparing import Box, Fitted
from footagefit.catalogue.differing_net import CELL_PX
from footagefit.catalogue.hung_evidence import evidence
from footagefit.catalogue.hung_net import HungNet, shown
from footagefit.catalogue.laying import Laid
from footagefit.small_nets import loaded

WEIGHTS = Path(__file__).resolve().parent / "weights" / "hung.safetensors"
LEAST = 1.0  # heights of the picture along which a wire is seen at most moments
_LIKELY = 0.2  # what is less likely adds up to nothing
_EDGE_PX = (7, 7)
_BESIDE = np.array([1.0] * 8 + [0.0] * 5 + [1.0] * 8) / 16


@dataclass(frozen=True)
class Line:
    """A straight line across a picture.

    Attributes:
        length: What is likely along it, in heights of the picture.
        box: About its part that is in the picture.
    """

    length: float
    box: Box


def wire(reference: Laid, take: Laid, fit: Fitted, *, net: HungNet | None = None) -> Line | None:
    """The wire that only the take has, or None.

    It may sway, so that each moment is looked at by itself; the middle one by length decides, so
    that one moment in which somebody hides it, or something else looks like it, does not.

    Args:
        reference: The take it is held against.
        take: The take, laid over it.
        fit: Its light in the reference's.
        net: Another than the one that ships.
    """
    lines = [_line(likely(seen, net=net)) for seen in evidence(reference, take, fit)]
    lines.sort(key=lambda line: line.length)
    line = lines[(len(lines) - 1) // 2]
    return line if line.length >= LEAST else None


def likely(seen_CHW: np.ndarray, *, net: HungNet | None = None) -> np.ndarray:
    """How likely a wire is, in cells of 2 x 2 pixels, 0 where it is unlikely (h,w).

    The border of what both show is a line too.
    """
    import cv2

    with torch.no_grad():
        logits = (net or shipped())(torch.from_numpy(shown(seen_CHW))[None])
    told = torch.sigmoid(logits)[0, 0].numpy()
    known = cv2.erode(np.pad(seen_CHW[-1], 1), np.ones(_EDGE_PX, np.uint8))[1:-1, 1:-1]
    known = cv2.resize(known, told.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.where(told < _LIKELY, 0.0, told) * (known >= 1.0)


def _line(likely_hw: np.ndarray) -> Line:
    """The straight line that most is likely along, by turning the picture (Radon 1917)."""
    import cv2

    height, width = likely_hw.shape
    side = int(np.ceil(np.hypot(height, width)))
    best, found = 0.0, (0.0, 0)
    around = np.array([[1, 0, (side - width) / 2], [0, 1, (side - height) / 2], [0, 0, 1]])
    for angle in np.arange(0.0, 180.0, 1.0):
        turn = np.vstack([cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0), [0, 0, 1]])
        turned = cv2.warpAffine(likely_hw.astype(np.float32), (turn @ around)[:2], (side, side))
        sums = turned.sum(0)
        pair = sums[:-1] + sums[1:]  # a line half a cell off falls on two columns
        beside = np.convolve(pair, _BESIDE, "same")  # texture has lines next to lines
        sums = pair - 2.0 * beside
        at = int(sums.argmax())
        if sums[at] > best:
            best, found = float(sums[at]), (float(angle), at)
    angle, at = found
    turn = np.vstack([cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0), [0, 0, 1]])
    back = np.linalg.inv(turn @ around)
    ends = (back @ np.array([[at, at], [0, side], [1, 1]]))[:2]
    left, top, across, down = _clipped_box(ends, (height, width))
    box = (CELL_PX * left, CELL_PX * top, CELL_PX * across, CELL_PX * down)
    return Line(best / height, box)


def _clipped_box(ends_22: np.ndarray, size: tuple[int, int]) -> Box:
    """The box of a line's part that lies in the picture."""
    import cv2

    (x0, x1), (y0, y1) = ends_22.round().astype(int)
    _, a, b = cv2.clipLine((0, 0, size[1], size[0]), (int(x0), int(y0)), (int(x1), int(y1)))
    left, top = min(a[0], b[0]), min(a[1], b[1])
    return left, top, max(4, abs(a[0] - b[0])), max(4, abs(a[1] - b[1]))


@lru_cache(maxsize=1)
def shipped() -> HungNet:
    """The net with its shipped weights.

    Raises:
        MissingPart: They are not there.
    """
    return load(WEIGHTS)


def load(path: Path) -> HungNet:
    """A net with weights from a file, frozen."""
    return loaded(path, lambda width: HungNet(width=width))

"""Holes to cut into shots, and wires to hang in them: by seed, by code that teaches nothing.

Not a benchmark by itself; see `fill.py` and `fill_found.py`. Everything is drawn by distance: a
pixel is covered by how far it lies from a curve, so that edges are soft as a lens leaves them.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor

Size = tuple[int, int]


def tubes(count: int, size: Size, *, seed: int, share: float, travel: float) -> list[Tensor]:
    """A lumpy hole that crosses the frame.

    Args:
        count: Frames.
        size: Rows and columns.
        seed: Of the draw.
        share: Of the frame that it covers.
        travel: How far it goes over the shot, as a share of the width; 0 stands.
    """
    draw = random.Random(seed)
    radius = math.sqrt(share * size[0] * size[1] / math.pi)
    stretch = draw.uniform(0.7, 1.4)
    lumps = [(k, draw.uniform(0, 6.3), draw.uniform(0.05, 0.14)) for k in (2, 3, 5)]
    way = draw.choice((-1.0, 1.0)) * travel * size[1]
    middle = (draw.uniform(0.35, 0.65) * size[1], draw.uniform(0.35, 0.65) * size[0])
    lift = draw.uniform(-0.1, 0.1) * size[0]
    made = []
    for frame in range(count):
        part = frame / max(1, count - 1) - 0.5
        x, y = _grid(size)
        x, y = x - middle[0] - way * part, y - middle[1] - lift * part
        turn = torch.atan2(y, x)
        wobble = 1.0 + sum(a * torch.sin(k * turn + p + 2.0 * part) for k, p, a in lumps)
        far = torch.hypot(x / stretch, y * stretch)
        made.append((far < radius * wobble).float()[None])
    return made


class Wire:
    """A straight or hanging wire over a shot.

    Args:
        size: Rows and columns.
        seed: Of the draw.
        width_px: How wide it is; drawn where None.
        still: Whether it stands; drawn where None.
    """

    def __init__(self, size: Size, *, seed: int, width_px: float | None = None,
                 still: bool | None = None) -> None:  # fmt: skip
        draw = random.Random(seed)
        self._size = size
        self.width_px = draw.uniform(1.2, 4.5) * size[1] / 480 if width_px is None else width_px
        steep = draw.random() < 0.6
        along = size[1] if not steep else size[0]
        across = size[0] if not steep else size[1]
        self._steep = steep
        self._ends = (draw.uniform(0.12, 0.88) * across, draw.uniform(0.12, 0.88) * across)
        self._along = float(along)
        self._sag = 0.0 if draw.random() < 0.5 else draw.uniform(0.03, 0.12) * across
        stands = draw.random() < 0.5 if still is None else still
        self._sway = 0.0 if stands else draw.uniform(0.01, 0.04) * across
        self._phase, self._stops = draw.uniform(0, 6.3), draw.choice((-3.0, -2.0, -1.5, 1.5, 2.5))
        self._shine = draw.random() < 0.4

    def cover(self, frame: int, *, widen_px: float = 0.0) -> Tensor:
        """How much of each pixel it takes (1,H,W)."""
        x, y = _grid(self._size)
        along, across = (y, x) if self._steep else (x, y)
        t = along / self._along
        sway = self._sway * math.sin(0.5 * frame + self._phase)
        line = self._ends[0] + (self._ends[1] - self._ends[0]) * t
        # A parabola hangs as a taut chain does.
        line = line + 4.0 * (self._sag + sway) * t * (1.0 - t) + 0.3 * sway
        slope = self._ends[1] - self._ends[0] + 4.0 * (self._sag + sway) * (1.0 - 2.0 * t)
        cosine = 1.0 / torch.sqrt(1.0 + (slope / self._along) ** 2)
        off = (across - line).abs() * cosine
        return (0.5 * self.width_px + widen_px + 0.5 - off).clamp(0.0, 1.0)[None]

    def hung(self, plate_CHW: Tensor, frame: int) -> Tensor:
        """The plate with the wire before it, in a light of the plate's own level."""
        share = self.cover(frame)
        level = float(plate_CHW.clamp_min(0.0).median()) + 0.01
        light = torch.full_like(plate_CHW, level * 2.0**self._stops)
        if self._shine:
            light = light * (1.0 + 0.5 * self.cover(frame, widen_px=-0.35 * self.width_px))
        return plate_CHW * (1.0 - share) + light * share


def strips(size: Size, *, share: float) -> Tensor:
    """Left and right parts of a frame that a narrower plate does not have (1,H,W)."""
    wide = round(size[1] * share)
    made = torch.zeros(1, *size)
    made[..., :wide] = made[..., size[1] - wide :] = 1.0
    return made


def _grid(size: Size) -> tuple[Tensor, Tensor]:
    """Columns and rows of pixel centres (H,W)."""
    y, x = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    return x, y

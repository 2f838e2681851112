"""Looks fitted from a picture that was made to the plate it was made from.

What belongs here: least squares from a plate's light to a change of it in stops, as a grid (the
field model's) or as a guided ratio, so that a full-size plate keeps its own detail. What does not:
whatever made the picture (`diffusion.py`), fields that are learnt (`field.py`).

Sums are made on the CPU in double precision: the same bits on every device. Where nothing was
changed the look is zero to the bit, and so the plate stays.

Shapes: B batch, h and w of the pictures that are fitted, Z, r, c cells of depth, rows, columns.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.models.base import Amounts, Look, resampled, scaled
from footagefit.models.nets.field_net import Guide
from footagefit.models.nets.follow import followed
from footagefit.models.nets.light import relit, stops
from footagefit.models.slicing import Way, slice_and_apply, with_global

_PLAIN = 0.1  # stops^2 of a plate's own contrast under which a change follows no edge
_LEAST_PX = 4  # small pixels that a cell covers at least
_DEPTH = 10.0  # how much more alike cells of one place are than neighbouring places: a plate's
# grain reaches depths that its small picture does not, and what is there must be that place's own
_SLOPES = 0.1  # stops^2 of a cell's own contrast under which its change follows none
_MOST = 8.0  # stops that a ratio changes light by, at most


class Fitted(ABC):
    """How a change of light at a small size becomes one at any size."""

    @abstractmethod
    def look(self, plate: Tensor, change: Tensor, weight: Tensor) -> Look:
        """From a plate (B,3,h,w), stops to change it by (B,3,h,w) and what is sure (B,1,h,w)."""

    @abstractmethod
    def apply(self, look: Look, plate: Tensor) -> Tensor:
        """A plate of any size with the look on it."""

    @abstractmethod
    def followed(self, look: Look, amounts: Amounts) -> Look:
        """As much of it as is asked for, by its parts."""


class Grid(Fitted):
    """An affine bilateral grid (Chen et al. 2016, eq. 4 and 5): one change, and local ones.

    Args:
        depth_cells: Cells along luminance.
        long_cells: Cells along the longer side.
        smoothness: Weight of neighbouring cells being alike, in pixels' errors a cell.
        way: How it is applied: auto, plain, compiled or numba.
    """

    def __init__(
        self, *, depth_cells: int = 4, long_cells: int = 16, smoothness: float = 0.1,
        way: Way = "auto",
    ) -> None:  # fmt: skip
        if depth_cells < 1 or long_cells < 2:
            raise WrongValue("a grid has a depth cell and two along its longer side at least")
        self.depth_cells, self.long_cells = depth_cells, long_cells
        self.smoothness = smoothness
        self.way: Way = way
        self.guide = Guide()
        self.guide.requires_grad_(False)
        self.guide.inner.zero_()  # luminance alone

    def look(self, plate: Tensor, change: Tensor, weight: Tensor) -> Look:
        """`everywhere` (B,12) and `cells` (B,12,Z,r,c), as the field model has them."""
        with torch.autocast(plate.device.type, enabled=False):
            view = stops(plate).float().cpu()
            depth = self.guide.cpu()(view).double()
        each = [
            self._solved(view[b].double(), depth[b], change[b].cpu().double(), weight[b].cpu())
            for b in range(len(view))
        ]
        made = {"everywhere": [e[0] for e in each], "cells": [e[1] for e in each]}
        return {name: torch.stack(parts).float().to(plate.device) for name, parts in made.items()}

    def apply(self, look: Look, plate: Tensor) -> Tensor:
        """Sliced at every pixel."""
        grid = with_global(look["everywhere"], look["cells"])
        return slice_and_apply(plate, grid, self.guide.to(plate.device), way=self.way)

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """Its differences from place to place, its light and its hues."""
        asked = (amounts.local, amounts.tone, amounts.colour)
        everywhere = followed(look["everywhere"][:, :, None, None, None], *asked)[:, :, 0, 0, 0]
        cells = followed(look["cells"], *asked)
        return scaled({"everywhere": everywhere, "cells": cells}, amounts.strength)

    def _solved(
        self, view: Tensor, depth: Tensor, change: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Every cell's map; what they have in common is the change for all."""
        height, width = view.shape[1:]
        longest = max(height, width)
        count = max(2, min(self.long_cells, longest // _LEAST_PX))
        rows, columns = (max(2, round(n * count / longest)) for n in (height, width))
        # Cells are counted along the longer side last: their matrix is a narrow band then.
        turned = rows > columns
        if not turned:
            view, depth, change, weight = (x.mT for x in (view, depth, change, weight))
        cells = (max(rows, columns), min(rows, columns), self.depth_cells)
        inputs = torch.cat([view.flatten(1), view.new_ones(1, height * width)]).T
        maps = _cells(
            inputs,
            change.flatten(1).T,
            weight.flatten().double(),
            _corners(depth, cells),
            cells,
            self.smoothness,
        )
        whole = maps.mean(0)
        apart = (maps - whole).view(*cells, 4, 3)
        order = (4, 3, 2, 0, 1) if turned else (4, 3, 2, 1, 0)
        return whole.T.flatten(), apart.permute(order).reshape(12, self.depth_cells, rows, columns)


class Ratio(Fitted):
    """A straight line in the plate's stops about each place (He, Sun and Tang 2013, eq. 5 and 6).

    Finer than a grid: for light that moves.

    Args:
        radius: Of the window that a line is fitted in, in small pixels.
    """

    def __init__(self, *, radius: int = 2) -> None:
        self.radius = radius

    def look(self, plate: Tensor, change: Tensor, weight: Tensor) -> Look:
        """`slope` and `level` (B,3,h,w): stops to add are slope x the plate's stops + level."""
        depth = _depth(plate).cpu().double()
        change, weight = change.cpu().double(), weight.cpu().double() + 1e-6
        size = 2 * self.radius + 1

        def mean(x: Tensor) -> Tensor:
            total = F.avg_pool2d(x * weight, size, stride=1, padding=self.radius)
            return total / F.avg_pool2d(weight, size, stride=1, padding=self.radius)

        middle = mean(depth)
        spread = (mean(depth * depth) - middle * middle).clamp_min(0.0)
        slope = (mean(depth * change) - middle * mean(change)) / (spread + _PLAIN)
        level = mean(change) - slope * middle
        made = {
            "slope": mean(slope),
            "level": mean(level),
        }  # (eq. 8): lines about a place, averaged
        return {name: tensor.float().to(plate.device) for name, tensor in made.items()}

    def apply(self, look: Look, plate: Tensor) -> Tensor:
        """The line of each place, at every pixel."""
        size = (int(plate.shape[2]), int(plate.shape[3]))
        line = resampled(look["slope"], size) * _depth(plate) + resampled(look["level"], size)
        return relit(plate, line.clamp(-_MOST, _MOST))

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """The same parts: a line in the plate's stops is an affine change of them."""
        slope, level = look["slope"], look["level"]
        third = slope[:, :, None, None] / 3.0
        rows = torch.cat([third, third, third, level[:, :, None, None]], 2).flatten(1, 2)
        rows = followed(rows, amounts.local, amounts.tone, amounts.colour).unflatten(1, (3, 4))
        parts = {"slope": rows[:, :, :3].sum(2)[:, :, 0], "level": rows[:, :, 3, 0]}
        return scaled(parts, amounts.strength)


def _depth(plate: Tensor) -> Tensor:
    return stops(plate).mean(1, keepdim=True)


def _corners(depth: Tensor, cells: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Each pixel's eight cells and their weights (P,8), as `slicing` reads a grid.

    Args:
        depth: (a,b) of each pixel, 0..1.
        cells: Along a, along b, and of depth, which is counted first.
    """
    sides = depth.shape
    places = []
    for axis, (side, count) in enumerate(zip(sides, cells, strict=False)):
        at = (torch.arange(side).double() + 0.5) * count / side - 0.5
        places.append((at[:, None] if axis == 0 else at[None]).expand(sides).flatten())
    places.append((depth * (cells[2] - 1)).flatten())
    low, part = [], []
    for place, count in zip(places, cells, strict=True):
        at = place.clamp(0.0, count - 1.0)
        below = at.floor().clamp(0, max(0, count - 2))
        low.append(below.long())
        part.append(at - below)
    index, weights = [], []
    for corner in product((0, 1), repeat=3):
        flat, weight = torch.zeros_like(low[0]), torch.ones_like(part[0])
        for axis, step in enumerate(corner):
            flat = flat * cells[axis] + (low[axis] + step).clamp_max(cells[axis] - 1)
            weight = weight * (part[axis] if step else 1.0 - part[axis])
        index.append(flat)
        weights.append(weight)
    return torch.stack(index, 1), torch.stack(weights, 1)


def _cells(
    inputs: Tensor,
    wanted: Tensor,
    sure: Tensor,
    corners: tuple[Tensor, Tensor],
    cells: tuple[int, int, int],
    smoothness: float,
) -> Tensor:
    """The maps (N,4,3) that least squares give, smooth where pixels say little.

    Slopes cost something, or noise would change contrast where nothing changes; offsets do not.
    The normal matrix is kept as the band under its diagonal: row d, column j holds (j + d, j).
    """
    from scipy.linalg import solveh_banded

    index, weights = corners
    size = 4 * math.prod(cells)
    strides = (cells[1] * cells[2], cells[2], 1)
    band = torch.zeros(4 * sum(strides) + 4, size, dtype=torch.float64)
    places = (index[:, :, None] * 4 + torch.arange(4)).flatten(1)  # (P,32)
    values = (weights[:, :, None] * inputs[:, None]).flatten(1)
    heavy = values * sure[:, None]
    step = 1 << 12
    for start in range(0, len(places), step):
        at = places[start : start + step]
        below = at[:, :, None] - at[:, None]
        squares = heavy[start : start + step, :, None] * values[start : start + step, None]
        kept = below >= 0
        flat = (below * size + at[:, None])[kept]
        band.view(-1).index_add_(0, flat, squares[kept])
    right = torch.zeros(size, 3, dtype=torch.float64)
    right.index_add_(0, places.flatten(), (heavy[:, :, None] * wanted[:, None]).flatten(0, 1))
    pixels = max(1e-3, float(sure.sum()) / math.prod(cells))
    _smoothed(band, cells, strides, smoothness * pixels)
    cost = torch.tensor([_SLOPES, _SLOPES, _SLOPES, 1e-6], dtype=torch.float64)
    band[0] += cost.repeat(math.prod(cells)) * pixels
    solved = solveh_banded(band.numpy(), right.numpy(), lower=True, check_finite=False)
    return torch.from_numpy(solved).view(-1, 4, 3)


def _smoothed(
    band: Tensor, cells: tuple[int, int, int], strides: tuple[int, int, int], weight: float
) -> None:
    """Add the squared differences of neighbouring cells to the band."""
    number = torch.arange(math.prod(cells)).view(cells)
    for axis, stride in enumerate(strides):
        cost = weight * (_DEPTH if axis == 2 else 1.0)
        first = number.narrow(axis, 0, cells[axis] - 1).flatten()
        at = (first[:, None] * 4 + torch.arange(4)).flatten()
        band[0, at] += cost
        band[0, at + 4 * stride] += cost
        band[4 * stride, at] -= cost

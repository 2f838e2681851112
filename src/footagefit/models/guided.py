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
_MOST = 8.0  # stops that a ratio changes light by, at most


class Fitted(ABC):
    """How a change of light at a small size becomes one at any size."""

    @abstractmethod
    def look(self, plate: Tensor, change: Tensor, weight: Tensor) -> Look:
        """From a plate (B,3,h,w), stops to change it by (B,3,h,w) and what is sure (B,1,h,w)."""

    @abstractmethod
    def apply(self, look: Look, plate: Tensor) -> Tensor:
        """A plate of any size with the look on it."""

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """As much of it as is asked for."""
        return scaled(look, amounts.strength)


class Grid(Fitted):
    """An affine bilateral grid (Chen et al. 2016, eq. 4 and 5): one change, and local ones.

    Args:
        depth_cells: Cells along luminance.
        long_cells: Cells along the longer side.
        smoothness: Weight of neighbouring cells being alike, in pixels' errors a cell.
        way: How it is applied: auto, plain, compiled or numba.
    """

    def __init__(
        self, *, depth_cells: int = 4, long_cells: int = 16, smoothness: float = 0.3,
        way: Way = "auto",
    ) -> None:  # fmt: skip
        if depth_cells < 1 or long_cells < 2:
            raise WrongValue("a grid has a depth cell and two along its longer side at least")
        self.depth_cells, self.long_cells = depth_cells, long_cells
        self.smoothness, self.way = smoothness, way
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
        """Parts of it too: its differences from place to place, its light and its hues."""
        asked = (amounts.local, amounts.tone, amounts.colour)
        everywhere = followed(look["everywhere"][:, :, None, None, None], *asked)[:, :, 0, 0, 0]
        cells = followed(look["cells"], *asked)
        return scaled({"everywhere": everywhere, "cells": cells}, amounts.strength)

    def _solved(
        self, view: Tensor, depth: Tensor, change: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One change for all, then the cells that take what it leaves."""
        height, width = view.shape[1:]
        scale = self.long_cells / max(height, width)
        cells = (
            self.depth_cells,
            max(2, round(height * scale)),
            max(2, round(width * scale)),
        )
        inputs = torch.cat([view.flatten(1), torch.ones(1, height * width)]).T.double()
        sure = weight.flatten().double()
        wanted = change.flatten(1).T
        whole = _ridge(inputs, wanted, sure)
        left = wanted - inputs @ whole
        maps = _cells(inputs, left, sure, _corners(depth, cells), cells, self.smoothness)
        local = maps.view(*cells, 4, 3).permute(4, 3, 0, 1, 2).reshape(12, *cells)
        return whole.T.flatten(), local


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


def _depth(plate: Tensor) -> Tensor:
    return stops(plate).mean(1, keepdim=True)


def _ridge(inputs: Tensor, wanted: Tensor, sure: Tensor) -> Tensor:
    """The affine map (4,3) for all of a picture; slopes cost a little, an offset nothing."""
    square = inputs.T @ (inputs * sure[:, None])
    cost = torch.diag(torch.tensor([1.0, 1.0, 1.0, 1e-6], dtype=torch.float64))
    square = square + cost * (0.05 * sure.sum().clamp_min(1.0))
    return torch.linalg.solve(square, inputs.T @ (wanted * sure[:, None]))


def _corners(depth: Tensor, cells: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Each pixel's eight cells and their weights (P,8), as `slicing` reads a grid."""
    height, width = depth.shape
    rows, columns = torch.arange(height).double(), torch.arange(width).double()
    places = (
        (depth * (cells[0] - 1)).flatten(),
        ((rows + 0.5) * cells[1] / height - 0.5)[:, None].expand(height, width).flatten(),
        ((columns + 0.5) * cells[2] / width - 0.5)[None].expand(height, width).flatten(),
    )
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
    """The maps (N,4,3) that least squares give, smooth where pixels say little."""
    index, weights = corners
    count = math.prod(cells)
    places = (index[:, :, None] * 4 + torch.arange(4)).flatten(1)  # (P,32)
    values = (weights[:, :, None] * inputs[:, None]).flatten(1)
    square = torch.zeros(4 * count * 4 * count, dtype=torch.float64)
    step = 1 << 12
    for start in range(0, len(places), step):
        at, value = places[start : start + step], values[start : start + step]
        heavy = value * sure[start : start + step, None]
        flat = (at[:, :, None] * (4 * count) + at[:, None]).flatten()
        square.index_add_(0, flat, (heavy[:, :, None] * value[:, None]).flatten())
    right = torch.zeros(4 * count, 3, dtype=torch.float64)
    heavy = (values * sure[:, None])[:, :, None] * wanted[:, None]
    right.index_add_(0, places.flatten(), heavy.flatten(0, 1))
    pixels = max(1e-3, float(sure.sum()) / count)
    prior = torch.kron(_unevenness(cells), torch.eye(4, dtype=torch.float64))
    square = square.view(4 * count, 4 * count) + smoothness * pixels * prior
    square.diagonal().add_(1e-2 * pixels)
    return torch.cholesky_solve(right, torch.linalg.cholesky(square)).view(count, 4, 3)


def _unevenness(cells: tuple[int, int, int]) -> Tensor:
    """The quadratic form (N,N) that adds up squared differences of neighbouring cells."""
    parts = []
    for size in cells:
        step = torch.eye(size, dtype=torch.float64).diff(dim=0)
        parts.append(step.T @ step)
    eyes = [torch.eye(size, dtype=torch.float64) for size in cells]
    total = torch.zeros(math.prod(cells), math.prod(cells), dtype=torch.float64)
    for axis in range(3):
        one = [parts[i] if i == axis else eyes[i] for i in range(3)]
        total += torch.kron(torch.kron(one[0], one[1]), one[2])
    return total

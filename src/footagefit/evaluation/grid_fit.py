"""A field fitted to one solved frame by least squares: what the field model does, without learning.

What belongs here: an affine bilateral grid (Chen, Adams, Wadhwa and Hasinoff 2016, eq. 4 and 5)
from one plate and its target, and its application to the shot's other frames. It stands for the
artist who solves a keyframe and lets it hold. What does not: anything that learns from more.

Pictures are (3,H,W) scene-linear ACEScg; the grid works on stops and sorts pixels by luminance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from footagefit.evaluation.metrics import LOG_TOE

_STOPS = (-8.0, 5.0)  # of luminance, from the first depth cell to the last


class GridFit(NamedTuple):
    """A grid of affine maps of stops: cells (Z,h,w) by (4 inputs, 3 outputs)."""

    maps_NIO: np.ndarray
    cells: tuple[int, int, int]


def fit_grid(
    plate: Tensor,
    target: Tensor,
    *,
    mask: Tensor | None = None,
    cells: tuple[int, int, int] = (4, 6, 10),
    smoothness: float = 0.3,
) -> GridFit:
    """The grid that takes the plate nearest to its target, in stops.

    Args:
        plate: The frame to change.
        target: The same frame, solved.
        mask: (1,H,W), 1 where the target is known; everywhere by default.
        cells: Of luminance, rows and columns.
        smoothness: Weight of neighbouring cells being alike, in pixels' errors a cell.
    """
    from scipy import sparse

    rows, columns, weights = _slices(plate, cells)
    values = _inputs(plate)
    inside = np.ones(values.shape[0]) if mask is None else mask.flatten().double().numpy()
    count = int(np.prod(cells))
    each = sparse.csr_matrix(
        (weights.ravel(), (rows.ravel(), columns.ravel())), shape=(values.shape[0], count)
    )
    design = sparse.hstack(
        [each.multiply((values[:, i] * inside)[:, None]) for i in range(4)], format="csr"
    )
    wanted = (_stops(target) - _stops(plate)).flatten(1).T.double().numpy() * inside[:, None]
    pixels = max(1.0, float(inside.sum()) / count)
    prior = sparse.kron(sparse.eye(4), _unevenness(cells), format="csr") * (smoothness * pixels)
    normal = (design.T @ design + prior).toarray()
    normal[np.diag_indices_from(normal)] += 1e-3 * pixels
    solved = np.linalg.solve(normal, design.T @ wanted)
    return GridFit(solved.reshape(4, count, 3).transpose(1, 0, 2), cells)


def apply_grid(grid: GridFit, plate: Tensor) -> Tensor:
    """A frame of the shot with the grid on it."""
    _, columns, weights = _slices(plate, grid.cells)
    values = _inputs(plate)
    change = np.zeros((values.shape[0], 3))
    for corner in range(8):
        maps = grid.maps_NIO[columns[:, corner]]
        change += weights[:, corner, None] * np.einsum("pi,pio->po", values, maps)
    moved = _stops(plate) + torch.from_numpy(change.T).float().view(plate.shape)
    return torch.exp2(moved) - LOG_TOE


def _stops(light: Tensor) -> Tensor:
    return torch.log2(light.clamp_min(0.0) + LOG_TOE)


def _inputs(plate: Tensor) -> np.ndarray:
    """Stops of the three channels and 1, a row a pixel."""
    stops = _stops(plate).flatten(1).T.double().numpy()
    return np.concatenate([stops, np.ones((stops.shape[0], 1))], 1)


def _slices(
    plate: Tensor, cells: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pixel's eight cells and their weights (P,8), trilinear."""
    height, width = plate.shape[1:]
    luma = (_stops(plate).flatten(1).mean(0).double().numpy() - _STOPS[0]) / (_STOPS[1] - _STOPS[0])
    y, x = np.mgrid[0:height, 0:width]
    places = (luma, ((y + 0.5) / height).ravel(), ((x + 0.5) / width).ravel())
    below, part = [], []
    for place, size in zip(places, cells, strict=True):
        at = np.clip(place * size - 0.5, 0.0, size - 1.0)
        low = np.minimum(at.astype(int), max(0, size - 2))
        below.append(low)
        part.append(at - low)
    columns, weights = [], []
    for corner in np.ndindex(2, 2, 2):
        index, weight = np.zeros_like(below[0]), np.ones_like(part[0])
        for axis, step in enumerate(corner):
            index = index * cells[axis] + np.minimum(below[axis] + step, cells[axis] - 1)
            weight = weight * (part[axis] if step else 1.0 - part[axis])
        columns.append(index)
        weights.append(weight)
    columns, weights = np.stack(columns, 1), np.stack(weights, 1)
    rows = np.repeat(np.arange(height * width)[:, None], 8, 1)
    return rows, columns, weights


def _unevenness(cells: tuple[int, int, int]) -> object:
    """The quadratic form that adds up squared differences of neighbouring cells."""
    from scipy import sparse

    total = None
    for axis, size in enumerate(cells):
        step = sparse.eye(size - 1, size, k=1) - sparse.eye(size - 1, size)
        parts = [sparse.eye(n) for n in cells]
        parts[axis] = step
        both = sparse.kron(sparse.kron(parts[0], parts[1]), parts[2])
        form = both.T @ both
        total = form if total is None else total + form
    return total

"""A set and somebody in it, as pictures: for tests of what stands in two of them."""

from __future__ import annotations

import numpy as np


def wall(seed: int, *, height: int = 144, width: int = 256) -> np.ndarray:
    """A set (H,W,3), scene-linear: painted panels, frames and a little grain."""
    rng = np.random.default_rng(seed)
    light = np.full((height, width, 3), 0.2, np.float32)
    for _ in range(60):
        h, w = (int(rng.integers(8, n // 3)) for n in (height, width))
        y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        light[y : y + h, x : x + w] = 2.0 ** rng.uniform(-2.5, 1.2) * rng.uniform(0.5, 1.0, 3)
    return light * (1.0 + 0.01 * rng.standard_normal(light.shape).astype(np.float32))


def somebody(
    light: np.ndarray, *, at: tuple[int, int], colour: tuple[float, float, float]
) -> np.ndarray:
    """Somebody of one colour who stands before it; their place is the middle's row and column."""
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    inside = ((y - at[0]) / 40.0) ** 2 + ((x - at[1]) / 24.0) ** 2 < 1.0
    return np.where(inside[..., None], np.array(colour, np.float32), light)

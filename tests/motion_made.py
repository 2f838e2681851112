"""Scenes that can be filmed from anywhere to a fraction of a pixel: their truth is a formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

SIZE = (72, 112)


class Scene:
    """A plane painted with waves of every length, in stops about grey."""

    def __init__(self, seed: int = 0, *, waves: int = 48, shortest_px: float = 7.0) -> None:
        rng = np.random.default_rng(seed)
        length = np.exp(rng.uniform(np.log(shortest_px), np.log(70.0), waves))
        turn = rng.uniform(0, 2 * np.pi, waves)
        self._way = np.stack([np.cos(turn), np.sin(turn)]) * (2 * np.pi / length)
        self._phase = rng.uniform(0, 2 * np.pi, waves)
        self._high = rng.normal(0, 1, (waves, 3)) * 0.35 * (length[:, None] / 30.0) ** 0.5
        self._high = 0.75 * self._high + 0.25 * self._high.mean(1, keepdims=True)

    def at(self, x: np.ndarray, y: np.ndarray) -> Tensor:
        """Light (3,H,W) at places of the plane."""
        flat = np.stack([x.ravel(), y.ravel()])
        waves = np.sin(self._way.T @ flat + self._phase[:, None])
        stops = (self._high.T @ waves).clip(-4, 3)
        return torch.from_numpy((0.2 * np.exp2(stops)).reshape(3, *x.shape).astype(np.float32))


def grid(size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's x and y."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float64)
    return x, y


def view(scene: Scene, matrix: np.ndarray, size: tuple[int, int] = SIZE) -> Tensor:
    """The scene from a camera whose pixels a homography takes to the plane."""
    x, y = grid(size)
    depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    return scene.at(
        (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / depth,
        (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / depth,
    )


def shifted(dx: float, dy: float = 0.0) -> np.ndarray:
    """A camera that many px to the right and down."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def pan(scene: Scene, count: int, *, by: float, down: float = 0.0) -> list[Tensor]:
    """A pan over a scene, so many px a frame."""
    return [view(scene, shifted(by * i, down * i)) for i in range(count)]


def disc(x: float, y: float, radius: float, size: tuple[int, int] = SIZE) -> Tensor:
    """A round hole (1,H,W)."""
    across, down = grid(size)
    inside = (across - x) ** 2 + (down - y) ** 2 <= radius**2
    return torch.from_numpy(inside.astype(np.float32))[None]


class Shot:
    """Frames and holes as propagation asks for them, from 1001; under holes it is black."""

    def __init__(self, frames: Sequence[Tensor], holes: Sequence[Tensor] | None = None) -> None:
        self.frames = list(frames)
        empty = torch.zeros(1, *self.frames[0].shape[1:])
        self.holes = list(holes) if holes is not None else [empty] * len(self.frames)
        self.numbers = range(1001, 1001 + len(self.frames))
        self.read = 0

    def plate(self, number: int) -> Tensor:
        self.read += 1
        return self.frames[number - 1001] * (1.0 - self.holes[number - 1001])

    def hole(self, number: int) -> Tensor:
        return self.holes[number - 1001]


def decibels(made: Tensor, truth: Tensor, mask_1HW: Tensor | None = None) -> float:
    """PSNR of square roots of light, where a mask is."""
    apart = (made.clamp_min(0).sqrt() - truth.clamp_min(0).sqrt()).square().mean(0)
    chosen = apart if mask_1HW is None else apart[mask_1HW[0] > 0]
    return -10.0 * float(torch.log10(chosen.mean().clamp_min(1e-12)))

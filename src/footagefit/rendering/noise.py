"""Noise that moves with the shot, so that what is made from it does not boil.

Here: a field drawn from a seed, fixed to what the camera looks at. Not here: what is made of it
(`models`), grain (`dressing.py`).

Every pixel of a frame is followed by the shot's global motion to one and the same frame, and takes
the value of the cell it falls into there: white in every frame, the same where the same is seen.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from footagefit.motion import warps

_SIDE = 1024
_CHANNELS = 3


class Noise:
    """Noise for the frames of a shot.

    Args:
        size: Rows and columns.
        seed: Another seed gives other noise.
        anchor: The frame that it is fixed to.
        way: The homography from one frame to another, in px.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        seed: int,
        anchor: int,
        way: Callable[[int, int], np.ndarray],
    ) -> None:
        self.size, self.seed, self.anchor, self.way = size, seed, anchor, way

    def field(self, number: int) -> Tensor:
        """A frame's noise (3,H,W), of deviation 1."""
        at = warps.moved(warps.pixels(self.size), self.way(number, self.anchor))
        cell = np.floor(at + 0.5).astype(np.int64) % _SIDE
        return torch.from_numpy(_tile(self.seed)[:, cell[..., 1], cell[..., 0]])


@lru_cache(maxsize=2)
def _tile(seed: int) -> np.ndarray:
    rng = np.random.Generator(np.random.Philox(seed))
    return rng.standard_normal((_CHANNELS, _SIDE, _SIDE), dtype=np.float32)

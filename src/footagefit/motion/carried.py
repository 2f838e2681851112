"""What was carried into a frame from others: the record that rendering and tasks take.

Shapes: C channels, H rows, W columns, N places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from footagefit.motion import warps
from footagefit.signature.grain import Grain

RESAMPLED = 0.9
"""Of its variance, what grain that nobody measured keeps through a cubic filter: white grain keeps
0.74, grain 0.6 px coarse 0.95, what is coarser all, on average over places between pixels."""
_ON_PIXEL = 0.02  # px
_PARTS = 32  # of a pixel that are told apart
_REACH = 4  # px over which grain is alike: as far as the filter reads


class Resampled:
    """What of grain's variance reading between pixels leaves, by place.

    Args:
        grain: As measured: what is coarse stays, and between two pixels more goes than beside one.
    """

    def __init__(self, grain: Grain | None = None) -> None:
        self._left: np.ndarray | None = None
        if grain is not None:
            rows = warps.taps(np.arange(_PARTS) / _PARTS)
            # How often pixels so far apart are read together, each with its weight.
            pairs = np.stack([(rows[:, k:] * rows[:, : 4 - k]).sum(1) for k in range(_REACH)], 1)
            pairs[:, 1:] *= 2.0
            alike = grain.correlation(reach=_REACH)
            self._left = (pairs @ alike @ pairs.T).astype(np.float32)

    def left(self, at_N2: np.ndarray) -> np.ndarray:
        """Share of the variance (N,) that is left at places x, y."""
        if self._left is None:
            between = np.abs(at_N2 - at_N2.round()).max(-1) > _ON_PIXEL
            return np.where(between, RESAMPLED, 1.0).astype(np.float32)
        part = np.rint((at_N2 - np.floor(at_N2)) * _PARTS).astype(np.int32) % _PARTS
        return self._left[part[:, 1], part[:, 0]]


class Carried(NamedTuple):
    """Real pixels of other frames where a frame has none.

    Attributes:
        rgb_CHW: Scene-linear ACEScg; 0 where nothing was found.
        confidence_1HW: 0 nothing, 1 sure.
        grain_1HW: Share of the grain's variance that is still in them: 1 of a single frame that was
            not resampled, less of the mean of several. 1 where nothing was found.
    """

    rgb_CHW: Tensor
    confidence_1HW: Tensor
    grain_1HW: Tensor


def nothing(size: tuple[int, int]) -> Carried:
    """Nothing carried, of a frame's size (rows, columns)."""
    return Carried(torch.zeros(3, *size), torch.zeros(1, *size), torch.ones(1, *size))

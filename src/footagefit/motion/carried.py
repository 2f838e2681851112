"""What was carried into a frame from others: the record that rendering and tasks take.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

RESAMPLED = 0.9
"""Of its variance, what grain keeps through a cubic filter: 0.74 of white grain, 0.95 of grain
0.6 px coarse, all of what is coarser, on average over places between pixels."""


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

"""The network that looks at two aligned takes and says how far the key turned. Tensors only.

Shapes: B batch, C channels of evidence, H rows and W columns of the working size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE_PX = (90, 160)
CHANNELS = 8
OUTPUTS = 8  # ways to the key in one (3) and the other (3), sure that it turned, how far
CELL_PX = 2
FURTHEST_DEG = 180.0
_GROUPS = 8
_PLACES = (3, 4)  # rows and columns of the frame that the end tells apart


class TurnedNet(nn.Module):
    """Convolutions over cells of 2 x 2 pixels, then what they say in each part of the frame.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        widths = [width, 2 * width, 3 * width, 4 * width]
        self.stem = nn.Conv2d(CELL_PX**2 * CHANNELS, width, 3, padding=1)
        self.stages = nn.ModuleList(
            _Stage(one, other) for one, other in zip([width, *widths], widths, strict=False)
        )
        rows, columns = _PLACES
        self.first = nn.Linear(rows * columns * widths[-1] + widths[-1], 8 * width)
        self.last = nn.Linear(8 * width, OUTPUTS)

    def forward(self, evidence_BCHW: Tensor) -> Tensor:
        """Numbers (B,8): two unit vectors, a logit, degrees."""
        height, width = evidence_BCHW.shape[-2:]
        padded = F.pad(evidence_BCHW, (0, -width % CELL_PX, 0, -height % CELL_PX))
        x = self.stem(F.pixel_unshuffle(padded, CELL_PX))
        for number, stage in enumerate(self.stages):
            x = stage(F.avg_pool2d(x, 2) if number else x)
        parts = F.adaptive_avg_pool2d(x, _PLACES).flatten(1)
        told = self.last(F.silu(self.first(torch.cat([parts, x.amax((2, 3))], 1))))
        one, other = (F.normalize(w, dim=1, eps=1e-4) for w in (told[:, :3], told[:, 3:6]))
        far = FURTHEST_DEG * torch.sigmoid(told[:, 7:8])
        return torch.cat([one, other, told[:, 6:7], far], 1)


class _Stage(nn.Module):
    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.past = nn.Conv2d(given, made, 1) if given != made else nn.Identity()
        self.first = nn.Conv2d(given, made, 3, padding=1)
        self.second = nn.Conv2d(made, made, 3, padding=1)
        self.settle = nn.GroupNorm(_GROUPS, made)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.settle(self.past(x) + self.second(F.silu(self.first(x)))))

"""The network of the finder: evidence in, what is to go out. Tensors only.

Shapes: B batch, C channels, H rows and W columns of the working size, in whole cells of 16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.motion.evidence import CHANNELS

KINDS = ("wire", "boom", "dust")
CELL_PX = 16


class FinderNet(nn.Module):
    """A small U-Net that begins and ends with blocks of 2 x 2 pixels.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, *, width: int = 16) -> None:
        super().__init__()
        w1, w2, w3, w4 = width, 2 * width, 3 * width, 4 * width
        self.stem = nn.Conv2d(4 * CHANNELS, w1, 3, padding=1)
        self.one = _Block(w1)
        self.down_two = nn.Conv2d(w1, w2, 3, stride=2, padding=1)
        self.two = _Block(w2)
        self.down_three = nn.Conv2d(w2, w3, 3, stride=2, padding=1)
        self.three = nn.Sequential(_Block(w3), _Block(w3, reach=2))
        self.down_four = nn.Conv2d(w3, w4, 3, stride=2, padding=1)
        self.four = nn.Sequential(*(_Block(w4, reach=r) for r in (1, 2, 4, 1)))
        self.up_three = nn.Conv2d(w4 + w3, w3, 1)
        self.back_three = _Block(w3)
        self.up_two = nn.Conv2d(w3 + w2, w2, 1)
        self.back_two = _Block(w2)
        self.up_one = nn.Conv2d(w2 + w1, w1, 1)
        self.back_one = _Block(w1)
        self.head = nn.Conv2d(w1, 4 * len(KINDS), 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, -4.0)  # most of a frame stays

    def forward(self, seen_BCHW: Tensor) -> Tensor:
        """How likely each pixel is of each kind, as logits (B,3,H,W)."""
        x1 = self.one(self.stem(F.pixel_unshuffle(seen_BCHW, 2)))
        x2 = self.two(self.down_two(F.silu(x1)))
        x3 = self.three(self.down_three(F.silu(x2)))
        x4 = self.four(self.down_four(F.silu(x3)))
        y3 = self.back_three(self.up_three(torch.cat([_twice(x4), x3], 1)))
        y2 = self.back_two(self.up_two(torch.cat([_twice(y3), x2], 1)))
        y1 = self.back_one(self.up_one(torch.cat([_twice(y2), x1], 1)))
        return F.pixel_shuffle(self.head(F.silu(y1)), 2)


class _Block(nn.Module):
    def __init__(self, width: int, *, reach: int = 1) -> None:
        super().__init__()
        self.settle = nn.BatchNorm2d(width)  # as found in training: the same for any size
        self.first = nn.Conv2d(width, width, 3, padding=reach, dilation=reach)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(self.settle(x)))))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")

"""The network that looks at two aligned takes: evidence in, what differs out. Tensors only.

Shapes: B batch, C channels, H rows and W columns of the working size, h and w their cells of 2 x 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KINDS = ("prop", "boom", "wardrobe", "wire")  # wires are taught, so as to be no boom; not asked for
CHANNELS = 15
CELL_PX = 2
_GROUPS, _WHOLE = 8, 16
_RARE = -3.0  # logit of what is seldom there


class DifferingNet(nn.Module):
    """A small U-Net over cells of 2 x 2 pixels, which knows the whole picture at its bottom.

    Args:
        width: Channels of the first stage.
        channels: Of evidence.
        kinds: Of things.
    """

    def __init__(
        self, *, width: int = 16, channels: int = CHANNELS, kinds: int = len(KINDS)
    ) -> None:
        super().__init__()
        widths = [width, 2 * width, 3 * width, 4 * width]
        self.stem = nn.Conv2d(CELL_PX**2 * channels, width, 3, padding=1)
        self.down = nn.ModuleList(
            _Block(one, other) for one, other in zip([width, *widths], widths, strict=False)
        )
        self.whole = nn.Linear(widths[-1], widths[-1])
        steps = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.up = nn.ModuleList(_Block(one + other, other) for one, other in steps)
        self.head = nn.Conv2d(width, kinds, 1)

    def forward(self, evidence_BCHW: Tensor) -> Tensor:
        """How likely each cell is of each kind, as logits (B,4,h,w)."""
        height, width = evidence_BCHW.shape[-2:]
        padded = F.pad(evidence_BCHW, (0, -width % _WHOLE, 0, -height % _WHOLE))
        x, kept = self.stem(F.pixel_unshuffle(padded, CELL_PX)), []
        for number, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if number else x)
            kept.append(x)
        x = x + self.whole(x.mean((2, 3)))[..., None, None]
        for block, beside in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), beside], 1))
        cells = -(-height // CELL_PX), -(-width // CELL_PX)
        return self.head(x)[..., : cells[0], : cells[1]] + _RARE


class _Block(nn.Module):
    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(given, made, 3, padding=1)
        self.second = nn.Conv2d(made, made, 3, padding=1)
        self.settle = nn.GroupNorm(_GROUPS, made)
        self.past = nn.Conv2d(given, made, 1) if given != made else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.settle(self.past(x) + self.second(F.silu(self.first(x)))))


def present(logits_BKhw: Tensor, *, cells: int = 24) -> Tensor:
    """How likely each kind is anywhere in the picture, as logits (B,4): its surest cells."""
    return logits_BKhw.flatten(2).topk(cells, 2).values.mean(2)

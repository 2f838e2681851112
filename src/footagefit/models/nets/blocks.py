"""Blocks that several networks are built of. Tensors in, tensors out; they script."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Turned(nn.Module):
    """Two convolutions turned up and down by a code (Perez et al. 2018, FiLM), added to x.

    Args:
        width: Channels.
        code: Numbers of the code.
    """

    def __init__(self, width: int, code: int) -> None:
        super().__init__()
        self.settle = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.turn = nn.Linear(code, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """The same size again (B,C,H,W), from x and the code (B,K)."""
        up, more = self.turn(code)[:, :, None, None].chunk(2, 1)
        inner = self.first(F.silu(self.settle(x)))
        return x + self.second(F.silu(inner * (1.0 + up) + more))

"""What training makes small, as objects. Tensors in, one number out; no footage, no weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LightError(nn.Module):
    """How far two pictures lie apart, as an eye or a densitometer would say, above 1 too.

    Charbonnier of the difference of log2(light + toe). With the default toe the curve follows
    display code values through mid-tones and shadows, and goes on in stops above them.

    Args:
        toe: Light below which differences count linearly.
        knee: In stops; smaller differences count quadratically.
        ease: In stops; pictures that are further off than this count by the logarithm of their
            error, as decibels do: an easy picture that is spoilt costs what a hard one gains.
            0 counts every stop alike.
    """

    def __init__(self, *, toe: float = 0.03, knee: float = 0.05, ease: float = 0.0) -> None:
        super().__init__()
        self.toe = toe
        self.knee = knee
        self.ease = ease

    def forward(self, made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
        """Mean over pictures of the weighted mean over pixels (B,3,P); weight (B,1,P)."""
        off = torch.log2(1.0 + made.clamp_min(0.0) / self.toe)
        off = off - torch.log2(1.0 + wanted.clamp_min(0.0) / self.toe)
        # Below black the curve goes on with its slope there, so that negatives count too.
        slope = 1.0 / (self.toe * 0.6931471805599453)
        off = off + slope * (made.clamp_max(0.0) - wanted.clamp_max(0.0))
        each = torch.sqrt(off * off + self.knee * self.knee) - self.knee
        total = (each * weight).sum((1, 2))
        error = total / (3.0 * weight.sum((1, 2))).clamp_min(1e-6)
        if self.ease > 0.0:
            error = self.ease * torch.log1p(error / self.ease)
        return error.mean()


class Roughness(nn.Module):
    """How much neighbouring cells of a field differ: light is smooth unless pixels say else."""

    def forward(self, cells: Tensor) -> Tensor:
        """Mean squared difference over rows, columns and depth of (B,12,Z,h,w)."""
        total = cells.new_zeros(())
        for axis in (2, 3, 4):
            if cells.shape[axis] > 1:
                total = total + cells.diff(dim=axis).square().mean()
        return total


class Edges(nn.Module):
    """How far the edges of two pictures lie apart: what is soft where it should be sharp costs.

    Mean absolute difference of neighbours' differences, down and across, at the pictures' own size
    and at half of it, on the curve of `LightError`.

    Args:
        toe: Light below which differences count linearly.
    """

    def __init__(self, *, toe: float = 0.03) -> None:
        super().__init__()
        self.toe = toe

    def forward(self, made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
        """Weighted mean over pixels of (B,3,H,W); weight (B,1,H,W)."""
        off = torch.log2(1.0 + made.clamp_min(0.0) / self.toe)
        off = off - torch.log2(1.0 + wanted.clamp_min(0.0) / self.toe)
        total = off.new_zeros(())
        for _ in range(2):
            for axis in (2, 3):
                share = torch.minimum(*_neighbours(weight, axis))
                each = off.diff(dim=axis).abs() * share
                total = total + each.sum() / (3.0 * share.sum()).clamp_min(1e-6)
            off, weight = nn.functional.avg_pool2d(off, 2), nn.functional.avg_pool2d(weight, 2)
        return 0.25 * total


def _neighbours(picture: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """A picture less its last row or column, and less its first."""
    count = picture.shape[axis] - 1
    return picture.narrow(axis, 0, count), picture.narrow(axis, 1, count)

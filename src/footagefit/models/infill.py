"""A smooth picture through what is known: the guess that filling begins from.

What belongs here: pulling known values down a pyramid and pushing them back up (Gortler et al.
1996, section 5), in batches and on whatever device, and pictures at half the size of which only
parts are known. What does not: anything that is learnt.

Shapes: B batch, C channels, H rows, W columns; weights (B,1,H,W) say how well a pixel is known.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.models.boxes import hull

_SWEEPS = 2  # of smoothing where nothing is known, at every size
_LEAST = 1e-6


def smooth(values: Tensor, weight: Tensor) -> Tensor:
    """Values everywhere: themselves where they are known, a smooth surface between.

    Args:
        values: (B,C,H,W); where the weight is 0 they are not looked at.
        weight: (B,1,H,W) from 0 to 1.
    """
    if min(values.shape[-2:]) <= 1 or bool((weight >= 1.0).all()):
        total = weight.sum((2, 3), keepdim=True).clamp_min(_LEAST)
        mean = (values * weight).sum((2, 3), keepdim=True) / total
        return torch.where(weight > 0.0, values, mean)
    fewer, trust = halved(values, weight)
    size = (int(values.shape[2]), int(values.shape[3]))
    below = smooth(fewer, trust)
    made = F.interpolate(below, size=size, mode="bilinear", align_corners=False)
    made = torch.where(weight > 0.0, made + weight * (values - made), made)
    part = hull(weight < 1.0, margin_px=1)  # what is known stays, and a pixel more is looked at
    inner, free = part.cut(made), 1.0 - part.cut(weight)
    for _ in range(_SWEEPS):
        calm = F.avg_pool2d(F.pad(inner, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        inner = inner + free * (calm - inner)
    made = made.clone()
    part.cut(made).copy_(inner)
    return made


def halved(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both at half the size: the mean of what is known, and how well it then is."""
    pooled = F.avg_pool2d(values * weight, 2, ceil_mode=True)
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    trust = F.max_pool2d(weight, 2, ceil_mode=True)
    return pooled / share.clamp_min(_LEAST), trust

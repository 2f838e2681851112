"""Scene-linear light as the codes a pretrained autoencoder wants, and back.

The curve is that of display code values through mid-tones and shadows, and goes on in stops above
them; below black it is straight. Tensors only.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOE = 0.03  # light below which codes are about linear
WHITE = 12.0  # light at the highest code
_SPAN = 8.64745842645492  # log2(1 + WHITE / TOE)
_SLOPE = 5.561152459453166  # of codes in light at black: 1 / (TOE ln 2 log2(1 + WHITE / TOE))


def codes_of(light: Tensor) -> Tensor:
    """Light to codes in -1..1; what is brighter than `WHITE` is at 1."""
    upper = torch.log2(1.0 + light.clamp(0.0, WHITE) / TOE) / _SPAN
    return 2.0 * (upper + _SLOPE * light.clamp(-0.25 / _SLOPE, 0.0)) - 1.0


def light_of(codes: Tensor) -> Tensor:
    """Codes to light; codes above 1 go on in stops."""
    part = 0.5 * (codes + 1.0)
    upper = TOE * (torch.exp2(part.clamp(0.0, 1.1) * _SPAN) - 1.0)
    return upper + part.clamp_max(0.0) / _SLOPE

"""Scene-linear light as stops, and a change of stops as gain and offset.

What belongs here: the one log curve that networks see pixels through, in forms that script.
What does not: colour spaces of files (`footage/colour.py`).

A change of light is applied as `x g + TOE (g - 1)` with `g = 2^delta`. No pixel is encoded and
decoded on its way: where nothing changes g is 1 and the pixel is kept to the bit; negatives
scale like all else; values far above 1 neither clip nor lose precision; and what was done is
plate x gain + offset, as a comp wants it.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOE = 2.0**-8  # linear light below which stops flatten out: noise lives there
GREY_STOPS = -2.473931188332412  # log2 of 0.18
LOWEST_STOPS = -8.0 + 2.473931188332412  # stops of black: log2(TOE) against grey
HIGHEST_STOPS = 6.0  # brighter light changes like light this much above grey


# TorchScript reads no globals: the constants reach the functions as defaults, and stay at them.


def stops(
    light: Tensor, toe: float = TOE, grey: float = GREY_STOPS, highest: float = HIGHEST_STOPS
) -> Tensor:
    """Stops above mid-grey, from `LOWEST_STOPS` (black and below) to `HIGHEST_STOPS`."""
    return (torch.log2(light.clamp_min(0.0) + toe) - grey).clamp_max(highest)


def relit(light: Tensor, delta: Tensor, toe: float = TOE) -> Tensor:
    """Light after a change of `delta` stops; 0 returns it to the bit."""
    gain = torch.exp2(delta)
    return light * gain + toe * (gain - 1.0)


def gain_and_offset(light: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
    """A change of light as `light x gain + offset`: what a comp can hold.

    A light of x becomes x g + TOE (g - 1): the gain is read off two lights in the same place.
    """
    gain = (changed + TOE) / (light + TOE)
    safe = (light + TOE).abs() > 1e-4
    gain = torch.where(safe, gain, torch.ones_like(gain))
    return gain, changed - light * gain

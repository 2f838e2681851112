"""How far the key turned between two aligned takes, as a small net sees it in both at once.

Here: what the net is shown and what it says. Not here: whether that is too far (`differences`),
teaching it (`training/turned.py`), the light of one picture (`signature/light.py`).

Shapes: K moments, B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.catalogue.comparing import GREY
from footagefit.catalogue.laying import Laid
from footagefit.catalogue.turned_net import SIZE_PX, TurnedNet
from footagefit.signature.light_vector import LUMA
from footagefit.small_nets import loaded

WEIGHTS = Path(__file__).resolve().parent / "weights" / "turned.safetensors"
_DARKEST = 2.0**-8
_MOST = 4.0  # stops either way
_COLOUR = 2.0  # colours weigh more: they vary less


@dataclass(frozen=True)
class Turn:
    """What the net says of two takes.

    Attributes:
        degrees: Between their keys.
        sure: How likely it is that the key turned at all, as a logit.
    """

    degrees: float
    sure: float


def turned(reference: Laid, take: Laid, *, net: TurnedNet | None = None) -> Turn:
    """How far the key of a take stands from its reference's.

    Both are asked: mirrored, and the other way round, it is the same turn.

    Args:
        reference: The take it is held against.
        take: The take, laid over it.
        net: Another than the one that ships.
    """
    (one, one_at), (other, other_at) = _small(reference), _small(take)
    inside = one_at * other_at
    asked = torch.cat([evidence(one, other, inside), evidence(other, one, inside)])
    with torch.no_grad():
        said = (net or shipped())(torch.cat([asked, asked.flip(3)])).mean(0)
    return Turn(float(said[7]), float(said[6]))


def evidence(one_B3HW: Tensor, other_B3HW: Tensor, inside_B1HW: Tensor) -> Tensor:
    """What the net is shown (B,8,H,W): both pictures, what differs, where both reach."""
    here, there = _opponent(one_B3HW), _opponent(other_B3HW)
    apart = there[:, :1] - here[:, :1]
    weight = inside_B1HW / inside_B1HW.sum((2, 3), keepdim=True).clamp_min(1.0)
    usual = (apart * weight).sum((2, 3), keepdim=True)
    planes = torch.cat([here, there, apart - usual], 1) * inside_B1HW
    return torch.cat([planes, inside_B1HW], 1)


def _opponent(light_B3HW: Tensor) -> Tensor:
    """Luminance in stops about grey and two colours."""
    stops = light_B3HW.clamp_min(_DARKEST).log2() - GREY
    r, g, b = stops.unbind(1)
    luma = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
    colours = torch.stack([r - g, b - g], 1) * _COLOUR
    return torch.cat([luma[:, None], colours], 1).clamp(-_MOST, _MOST)


def _small(over: Laid) -> tuple[Tensor, Tensor]:
    """The middle of the moments at the working size, and where they reach; its shape is kept."""
    light = torch.from_numpy(over.middle_HWC).permute(2, 0, 1)[None]
    reach = torch.from_numpy(over.inside_HW.astype(np.float32))[None, None]
    height, width = over.inside_HW.shape
    scale = min(SIZE_PX[0] / height, SIZE_PX[1] / width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    light, reach = (F.adaptive_avg_pool2d(t, size) for t in (light * reach, reach))
    spare = (0, SIZE_PX[1] - size[1], 0, SIZE_PX[0] - size[0])
    full = (reach > 0.5).float()
    return F.pad(light / reach.clamp_min(1e-3), spare), F.pad(full, spare)


@lru_cache(maxsize=1)
def shipped() -> TurnedNet:
    """The net with its shipped weights.

    Raises:
        MissingPart: They are not there.
    """
    return load(WEIGHTS)


def load(path: Path) -> TurnedNet:
    """A net with weights from a file, frozen."""
    return loaded(path, lambda width: TurnedNet(width=width))

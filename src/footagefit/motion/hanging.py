"""Whether a line across a frame is a wire that hangs before it, or belongs to the set.

What belongs here: signs of a curve, in the likelihood and in the picture, and what they must be.
What does not: looking for curves (`wires`).

A wire hangs before everything: it goes from border to border, what is on its two sides is alike,
and its light is its own: it does not change where what is behind it changes. The groove of a floor
and the edge of a table share the light of what they are in.

Shapes: H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from footagefit.motion import curves
from footagefit.motion.curves import Curve

_FLANK_PX = (6.0, 9.0)
_BESIDE_PX = (2.0, 3.0, 4.0)  # from its rim to what is behind it
_FLAT_EV = 0.25  # light that changes so little along a line tells nothing
_GRAIN_EV = 0.1
_SIDES_SHARE = 0.5  # of a line, that must have both its sides in the frame


class Signs(NamedTuple):
    """Of a curve.

    Attributes:
        share: Its length as a share of the frame's short side.
        ends: How many of its ends are at the frame's border.
        mean: Mean likelihood along it.
        cover: Share of its length that is likelier than a fifth.
        over_flanks: Likelihood along it over what is likeliest beside it.
        follows: Spread of its light along it over that of what is on its sides: under 1 its light
            is its own.
        lopsided: How far its sides differ, over how far it differs from both.
    """

    share: float
    ends: int
    mean: float
    cover: float
    over_flanks: float
    follows: float
    lopsided: float


@dataclass(frozen=True)
class Limits:
    """What a curve must be to be a wire.

    Attributes:
        least_share: Its length as a share of the frame's short side.
        mean: Mean likelihood along it.
        weight: The same times its length as a share of the short side, where both ends are at the
            frame's border.
        inside: The same where one ends in the picture; a wire does not end there twice.
        cover: Share of its length that is likely.
        over_flanks: Likelihood along it over what is likeliest beside it.
        follows: How far its light may follow what is beside it.
        follows_inside: The same where one end is in the picture: more that is long ends there.
        lopsided: How far its sides may differ.
        through: Whether both its ends must be at the border.
    """

    least_share: float = 0.5
    mean: float = 0.4
    weight: float = 0.42
    inside: float = 0.55
    cover: float = 0.75
    over_flanks: float = 1.5
    follows: float = 0.8
    follows_inside: float = 0.4
    lopsided: float = 1.2
    through: bool = False

    def met(self, signs: Signs) -> bool:
        """Whether all hold."""
        if signs.share < self.least_share or signs.ends < (2 if self.through else 1):
            return False
        whole = signs.ends == 2
        weight = self.weight if whole else self.inside
        return (
            signs.mean >= max(self.mean, weight / signs.share)
            and signs.cover >= self.cover
            and signs.over_flanks >= self.over_flanks
            and signs.follows <= (self.follows if whole else self.follows_inside)
            and signs.lopsided <= self.lopsided
        )


_LIKELY = Limits()
_OWN_LIGHT = Limits(mean=0.3, weight=0.3, cover=0.55, follows=0.4, through=True)


def hangs(signs: Signs) -> bool:
    """Whether a curve of such signs is a wire: likely, or less so and plainly of its own light."""
    return _LIKELY.met(signs) or _OWN_LIGHT.met(signs)


def signs_of(likely_HW: np.ndarray, stops_HW: np.ndarray, curve: Curve) -> Signs:
    """Of a curve.

    Args:
        likely_HW: How likely each pixel is of a wire.
        stops_HW: The frame's luminance, log2.
        curve: The curve.
    """
    on = curves.along(likely_HW, curve)
    scale = max(1.0, max(likely_HW.shape) / 640)
    beside = max(
        float(curves.along(likely_HW, curve, off_px=side * far * scale).mean())
        for side in (-1.0, 1.0)
        for far in _FLANK_PX
    )
    follows, lopsided = _light(likely_HW, stops_HW, curve)
    return Signs(
        curve.length / min(likely_HW.shape),
        curves.ends_at_border(likely_HW, curve),
        float(on.mean()),
        float((on >= 0.2).mean()),
        float(on.mean()) / max(beside, 1e-3),
        follows,
        lopsided,
    )


def _light(likely_HW: np.ndarray, stops_HW: np.ndarray, curve: Curve) -> tuple[float, float]:
    """How far a line's light follows that beside it, and how far its sides differ."""
    rim = 0.5 * curves.thickness(likely_HW, curve)
    line = np.stack([curves.read(stops_HW, curve, off) for off in (-0.5, 0.0, 0.5)])
    sides = [
        np.stack([curves.read(stops_HW, curve, way * (rim + off)) for off in _BESIDE_PX])
        for way in (-1.0, 1.0)
    ]
    seen = np.isfinite(line).all(0) & np.isfinite(sides[0]).all(0) & np.isfinite(sides[1]).all(0)
    if seen.mean() < _SIDES_SHARE:  # along the frame's own border nothing can be told
        return 1.0, np.inf
    own, one, two = (part[:, seen].mean(0) for part in (line, *sides))
    behind = 0.5 * (one + two)
    apart = float(np.median(np.abs(one - two)))
    depth = float(np.median(np.abs(own - behind)))
    return _spread(own) / (_spread(behind) + _FLAT_EV), apart / (depth + _GRAIN_EV)


def _spread(stops_N: np.ndarray) -> float:
    """Deviation of most of it: what passes before a wire, or shines on it, is left out."""
    low, high = np.quantile(stops_N, (0.1, 0.9))
    return float(high - low) / 2.56

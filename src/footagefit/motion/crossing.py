"""What moves by itself behind a hole: seen before and after, it is in between at the hole's time.

Here: two sources laid over a region, their motion against each other, and where that puts things at
the moment between them. Not here: what stands still or moves with what surrounds the hole
(`aligning.py`).

Flow that runs on into a hole from around it knows nothing of a head that turns wholly inside. Two
frames that both see the head do; of its way from the one to the other it has gone a share by then.

Shapes: H rows, W columns of the region looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from footagefit.motion import flow, looks, warps
from footagefit.motion.aligning import Known, Laid, read, reduced
from footagefit.motion.between import thrown
from footagefit.motion.sources import Mover, Plate

_MOVES_PX = (0.35, 1.0)  # looked at: less is what stands still anyhow
_UNLIKE_EV = 0.35


class Side(NamedTuple):
    """One of the two frames.

    Attributes:
        plate: It.
        to: From the hole's frame's places to its own, by global motion.
        far: How many frames off it is.
    """

    plate: Plate
    to: Mover
    far: float


class Crossed(NamedTuple):
    """The two frames where things are at the hole's time.

    Attributes:
        before: The earlier one, laid; worth something where it moves.
        after: The later one.
        moves_HW: 1 where something moves by itself, and is sure to.
    """

    before: Laid
    after: Laid
    moves_HW: np.ndarray


def crossed(known: Known, before: Side, after: Side, track: flow.Tracker) -> Crossed | None:
    """Lay two frames over a region so that what moves between them meets; None where none does.

    Args:
        known: The region.
        before: A frame before.
        after: A frame after.
        track: Dense flow.
    """
    step = known.part.step
    sides = []
    for side in (before, after):
        small = reduced(side.plate, step)
        sides.append(read(small, side.to(known.places), side.plate.stops_HW.shape))
    (one, seen_one), (two, seen_two) = sides
    both = (seen_one > 0.99) & (seen_two > 0.99)
    if both.mean() < 0.2:
        return None
    middle = float(np.median((one - two)[both]))
    first = np.where(seen_one > 0.99, one, two + middle)
    second = np.where(seen_two > 0.99, two, first - middle)
    codes = looks.eight_bits(first.astype(np.float32), second.astype(np.float32), both)
    forward, backward = track(*codes), track(*codes[::-1])
    part = before.far / (before.far + after.far)
    early = thrown(forward, part, flow.agreement(forward, backward) * both, known_HW=both)
    late = thrown(backward, 1 - part, flow.agreement(backward, forward) * both, known_HW=both)
    nearer = early if part <= 0.5 else late
    way = early.flow_HW2 if part <= 0.5 else -late.flow_HW2
    sure = nearer.sure_HW * nearer.count_HW
    grid = warps.pixels(known.part.size)
    shown_one = warps.at_places(first, grid - part * way, cubic=False)
    shown_two = warps.at_places(second + middle, grid + (1 - part) * way, cubic=False)
    sure = sure * np.exp(-((np.abs(shown_one - shown_two) / _UNLIKE_EV) ** 2))
    far = np.linalg.norm(way, axis=-1)
    moves = np.clip((far - _MOVES_PX[0]) / (_MOVES_PX[1] - _MOVES_PX[0]), 0, 1) * sure
    moves = moves.astype(np.float32)
    laid = [
        Laid(side.to, share * way * np.float32(step), sure.astype(np.float32), moves, shown, seen)
        for side, share, shown, seen in (
            (before, -part, shown_one, seen_one),
            (after, 1.0 - part, shown_two, seen_two),
        )
    ]
    return Crossed(laid[0], laid[1], moves)

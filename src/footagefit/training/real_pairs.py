"""Takes of a set-up that do not sit together, as windows: each is taught to sit with the other.

What belongs here: which moments of which takes are laid over each other, and how they become
windows (`tasks/match.py` finds the other take in the layer `other`, and what stands still in both
in `still`). What does not: finding and laying them over each other (`dailies/pairs.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from footagefit.tasks.base import PlainWindow
from footagefit.tasks.keyframes import Mixed
from footagefit.tasks.match import OTHER, STILL

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.dailies.pairs import MinedPair, Mismatch
    from footagefit.dailies.windows import Reader
    from footagefit.training.run import Sides

MOMENTS = (0.5, 0.25, 0.75)  # of the takes, each laid over the same moment of the other
_TRIED, _MOST = 24, 8  # couples of takes, the worst first


@dataclass(frozen=True)
class Laid:
    """One moment of two takes.

    Attributes:
        both_2CHW: Scene-linear ACEScg, the second laid over the first.
        beside_2CHW: A frame of each take from another moment.
        still_1HW: 1 where the same still things are seen in both.
    """

    both_2CHW: Tensor
    beside_2CHW: Tensor
    still_1HW: Tensor


@dataclass(frozen=True)
class RealPairs:
    """Windows that ask one take to sit with the other, each way by turns; can be pickled.

    Attributes:
        laid: The moments.
    """

    laid: tuple[Laid, ...]

    def window(self, index: int) -> PlainWindow:
        """A moment of the take to sit with, beside another of its moments."""
        turn, place = divmod(index, len(self.laid))
        moment, to = self.laid[place], turn % 2
        return PlainWindow(
            moment.both_2CHW[to : to + 1],
            moment.beside_2CHW[to : to + 1],
            {OTHER: moment.both_2CHW[1 - to : 2 - to], STILL: moment.still_1HW[None]},
        )


def real_pairs(reader: Reader, couples: Sequence[Mismatch]) -> RealPairs | None:
    """What can be laid over each other, of the takes that sit together worst; None of none.

    Args:
        reader: Of the side that is trained on.
        couples: Takes apart, worst first (`dailies.pairs.mismatches`).
    """
    from footagefit.dailies.pairs import mined

    if not couples:
        return None
    print("real pairs: looking for takes that do not sit together", file=sys.stderr, flush=True)
    laid: list[Laid] = []
    used = 0
    for couple in couples[:_TRIED]:
        first = mined(reader, couple)
        if first is None:
            continue
        others = (mined(reader, couple, moment=moment) for moment in MOMENTS[1:])
        laid += [_laid(reader, found) for found in (first, *others) if found is not None]
        used += 1
        if used == _MOST:
            break
    if not laid:
        return None
    said = f"{used} couples of takes that do not sit together, {len(laid)} moments"
    print(f"real pairs: {said}", file=sys.stderr, flush=True)
    return RealPairs(tuple(laid))


def among(sides: Sides, found: RealPairs | None, *, share: float) -> Sides:
    """The sides, with real pairs as a share of what is learnt from."""
    if found is None:
        return sides
    return replace(sides, train=Mixed(sides.train, found, round(1.0 / share)))


def _laid(reader: Reader, found: MinedPair) -> Laid:
    import torch

    beside = []
    names = (found.mismatch.one, found.mismatch.other)
    for name, number in zip(names, found.numbers, strict=True):
        shot = reader.shots[name]
        far = shot.first + (number - shot.first + shot.length // 2) % shot.length
        beside.append(reader.frames(name, [far])[0][0])
    both = torch.stack([found.one_CHW, found.other_CHW])
    return Laid(both, torch.stack(beside), found.mask_1HW)

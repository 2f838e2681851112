"""Which frames show what a hole hides, and the way to each.

Here: the shot and other takes of the set-up as one set of sources, and how places of a frame come
to each. Not here: laying a source over a hole (`aligning.py`), making one of many (`filling.py`).

Shapes: N places in a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from footagefit.errors import UsageError
from footagefit.motion import homography, warps
from footagefit.motion.glass import Glass
from footagefit.motion.homography import Motion
from footagefit.motion.shot import Moves
from footagefit.motion.sources import Candidate, Mover, Shelf, seen

_SAMPLE = 1500  # places of a hole that choose its sources
_OTHER_TAKE = 40.0  # frames that another take is as far as
_TAKE_SURE = 0.25
_TAKE_FRAMES = 24


@dataclass(frozen=True)
class Take:
    """Other footage of the set-up, joined to the shot at one frame of each.

    Attributes:
        shelf: Its frames.
        moves: How its camera moved.
        own: The shot's frame of the join.
        theirs: The take's.
        step: Global motion from the one to the other.
    """

    shelf: Shelf
    moves: Moves
    own: int
    theirs: int
    step: Motion


class Way(NamedTuple):
    """To a source.

    Attributes:
        shelf: Where its frames are.
        to: From the frame's places to the source's, by global motion.
        still: Whether the camera stood all the way.
    """

    shelf: Shelf
    to: Mover
    still: bool


class Reach:
    """Everything that can be reached from the frames of a shot.

    Args:
        shelf: The shot's frames.
        moves: How its camera moved.
        glass: What it was filmed through.
        takes: Others, joined.
    """

    def __init__(self, shelf: Shelf, moves: Moves, glass: Glass, takes: Sequence[Take]) -> None:
        self.shelf, self.moves, self.glass, self.takes = shelf, moves, glass, list(takes)

    def candidates(self, number: int, inner_N2: np.ndarray) -> list[Candidate]:
        """Every frame that shows some of a hole by global motion."""
        few = self.glass.straight(inner_N2[:: max(1, len(inner_N2) // _SAMPLE)])
        chain, out = self.moves.chain, []
        for other in self.moves.there:
            if other != number:
                at = warps.moved(few, chain.to(number, other))
                there = seen(at, self.moves.looks[other].hole_HW, size=self.moves.size)
                out.append(Candidate(0, other, there, abs(other - number)))
        for index, take in enumerate(self.takes, start=1):
            every = take.moves.there
            for other in every[:: max(1, len(every) // _TAKE_FRAMES)]:
                at = warps.moved(few, self._across(number, other, take))
                there = seen(at, take.moves.looks[other].hole_HW, size=take.moves.size)
                far = _OTHER_TAKE + 0.1 * abs(other - take.theirs)
                out.append(Candidate(index, other, there, far))
        return out

    def _across(self, number: int, other: int, take: Take) -> np.ndarray:
        there = take.moves.chain.to(take.theirs, other)
        return there @ take.step.matrix @ self.moves.chain.to(number, take.own)

    def way(self, number: int, chosen: Candidate) -> Way:
        """The way to a source; its homography is compared directly, not only along the chain."""
        own = self.moves.looks[number]
        if chosen.take == 0:
            to = self.moves.chain.to(number, chosen.number)
            still = self.moves.chain.still(number, chosen.number)
            if not still and not own.empty and abs(number - chosen.number) > 1:
                to = homography.refined(own, self.moves.looks[chosen.number], to)
            return Way(self.shelf, self.mover(to), still)
        take = self.takes[chosen.take - 1]
        to = self._across(number, chosen.number, take)
        if not own.empty:
            to = homography.refined(own, take.moves.looks[chosen.number], to)
        return Way(take.shelf, self.mover(to), False)

    def mover(self, to: np.ndarray) -> Mover:
        """A homography between pinholes, through the lens."""

        def move(at_xy2: np.ndarray) -> np.ndarray:
            return self.glass.bent(warps.moved(self.glass.straight(at_xy2), to))

        return move


def joined(shelf: Shelf, own: Moves, theirs: Moves) -> Take | None:
    """A take and the pair of frames that go together best; None where none does.

    Raises:
        UsageError: It is of another size.
    """
    if own.size != theirs.size:
        raise UsageError(
            f"another take is {theirs.size[1]}x{theirs.size[0]}, the shot {own.size[1]}x"
            f"{own.size[0]}",
            hint="Give takes of one size",
        )
    best: Take | None = None
    for number in _few(own.there, 3):
        for other in _few(theirs.there, 5):
            step = homography.of_looks(own.looks[number], theirs.looks[other])
            if step.sure > max(_TAKE_SURE, 0.0 if best is None else best.step.sure):
                best = Take(shelf, theirs, number, other, step)
    return best


def _few(numbers: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [numbers[i] for i in dict.fromkeys(places.tolist())]

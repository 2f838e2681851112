"""Real pixels for a hole, from the whole shot and from other takes of the set-up.

Here: a shot's holes, frame by frame, those of whole frames among them. Not here: pixels that no
frame shows (`models`), grain (`rendering/dressing.py`).

shot = Propagation(footage)
shot.prepare()
rgb, confidence, grain = shot.at(1014)

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from footagefit.errors import UnknownName
from footagefit.motion import looks
from footagefit.motion.between import between
from footagefit.motion.carried import Carried, Resampled, nothing
from footagefit.motion.filling import Trackers, filled
from footagefit.motion.flow import tracker
from footagefit.motion.glass import Glass
from footagefit.motion.onward import beside, moved_on
from footagefit.motion.reach import Reach, joined
from footagefit.motion.shot import Moves, Progress, look_at
from footagefit.motion.sources import Footage, Plate, Shelf, seen_plate
from footagefit.records import Box
from footagefit.signature.grain import Grain
from footagefit.signature.record import Lens

MOST = 10
_TRUSTED = 0.05
_WHOLE = 0.97  # of a frame: so large a hole has nothing round it


class Propagation:
    """Fills holes of a shot with what its other frames show there.

    Args:
        footage: The shot.
        takes: Others of the set-up, of the same size.
        long_px: Longest side at which frames, and parts of frames, are compared.
        most: Frames that are laid over one hole at most.
        cache: Folder of this very shot, where looks and global motion are kept; None keeps none.
        flow: Of a learned flow (see `flow.learned`); DIS by default.
        most_bytes: Memory for full-size frames.
        lens: What the shot was filmed through: motion is then told as a pinhole sees it, and light
            without the vignette.
        plate: Where the plate lies in frames that are a wider canvas.
        grain: Tells the shot's grain, when that is first wanted: what is coarse stays in what is
            carried.
    """

    def __init__(
        self, footage: Footage, *, takes: Sequence[Footage] = (), long_px: int = 640,
        most: int = MOST, cache: Path | None = None, flow: Path | None = None,
        most_bytes: int = 1 << 30, lens: Lens | None = None, plate: Box | None = None,
        grain: Callable[[], Grain | None] | None = None,
    ) -> None:  # fmt: skip
        self.footage, self.long_px, self.most, self.cache = footage, long_px, most, cache
        self._path, self._others = flow, list(takes)
        self._bytes, self._lens, self._plate = most_bytes // (1 + len(takes)), lens, plate
        self._trackers = Trackers(tracker(flow), tracker(flow, fine=True))
        self._reach: Reach | None = None
        self._grain = grain

    @cached_property
    def _resampled(self) -> Resampled:
        return Resampled(None if self._grain is None else self._grain())

    def prepare(self, progress: Progress | None = None) -> None:
        """Look at every frame, small, and find how the camera moved.

        Args:
            progress: Passes frame numbers through, as `commands.progress.track` does.

        Raises:
            UsageError: Every frame of the shot is a hole.
        """
        self._reach = self._looked(progress)

    def _looked(self, progress: Progress | None) -> Reach:
        first = self.footage.hole(next(iter(self.footage.numbers)))
        glass = Glass(self._lens, (int(first.shape[-2]), int(first.shape[-1])), self._plate)
        gain = glass.gain()
        moves = look_at(
            self.footage, long_px=self.long_px, progress=progress, cache=self.cache, glass=glass
        )
        takes = []
        for index, footage in enumerate(self._others, start=1):
            folder = None if self.cache is None else self.cache / f"take_{index}"
            theirs = look_at(footage, long_px=self.long_px, cache=folder, glass=glass)
            shelf = Shelf(footage, most_bytes=self._bytes, gain_HWC=gain)
            take = joined(shelf, moves, theirs)
            takes += [] if take is None else [take]
        shelf = Shelf(self.footage, most_bytes=self._bytes, gain_HWC=gain)
        return Reach(shelf, moves, glass, takes)

    def way(self, number: int, other: int) -> np.ndarray:
        """The homography from one frame to another, by the camera's move; either may not exist."""
        return self._ready().moves.chain.to(number, other)

    def at(self, number: int) -> Carried:
        """Pixels for a frame's hole, at full size.

        Args:
            number: The frame's; one that does not exist is made of its neighbours.

        Raises:
            UnknownName: No such frame.
        """
        reach = self._ready()
        if number not in reach.moves.looks:
            raise UnknownName("frame", number, self.footage.numbers)
        hole = (self.footage.hole(number)[0] > 0).cpu().numpy()
        if not hole.any():
            return nothing((hole.shape[0], hole.shape[1]))
        reach.shelf.turn_to(number)
        if hole.mean() > _WHOLE:
            return self._whole(number, reach)
        return self._filled(number, reach.shelf.plate(number), hole, reach)

    def _ready(self) -> Reach:
        if self._reach is None:
            self._reach = self._looked(None)
        return self._reach

    def _filled(self, number: int, plate: Plate, hole: np.ndarray, reach: Reach) -> Carried:
        return filled(
            number, plate, hole, reach=reach, trackers=self._trackers, long_px=self.long_px,
            most=self.most, resampled=self._resampled,
        )  # fmt: skip

    def _whole(self, number: int, reach: Reach) -> Carried:
        """A frame that is not there, from those beside it; what they do not show from others."""
        before, after = reach.moves.beside(number)
        if before is not None and after is not None:
            made = between(
                self.footage.plate(before), self.footage.plate(after),
                (number - before) / (after - before), path=self._path,
                hole_before_1HW=self.footage.hole(before), hole_after_1HW=self.footage.hole(after),
            )  # fmt: skip
        else:
            made = self._beyond(number, before, after, reach)
        hole = (made.confidence_1HW[0] < _TRUSTED).numpy()
        if not hole.any() or hole.all():
            return made
        light = made.rgb_CHW.permute(1, 2, 0).numpy()
        gone = torch.from_numpy(hole)[None]
        plate = seen_plate(light, gone.float(), gain_HWC=reach.shelf.gain_HWC)
        more = self._filled(number, plate, hole, reach)
        return Carried(*(torch.where(gone, b, a) for a, b in zip(made, more, strict=True)))

    def _beyond(
        self, number: int, before: int | None, after: int | None, reach: Reach
    ) -> Carried:  # fmt: skip
        """A frame of the head or the tail: the first or last frame, moved on."""
        moves = reach.moves
        edge = before if before is not None else after
        if edge is None:
            return nothing(moves.size)
        pair = _last_two(moves, edge, forward=before is not None)
        seen = [
            looks.look(self.footage.plate(n), self.footage.hole(n), long_px=self.long_px)
            for n in pair
        ]
        back = reach.mover(moves.chain.to(pair[-1], pair[0]))
        local = beside(seen, back, self._trackers.fine)
        to = reach.mover(moves.chain.to(edge, number))
        return moved_on(
            self.footage.plate(edge), self.footage.hole(edge), to, local, abs(number - edge)
        )


def _last_two(moves: Moves, edge: int, *, forward: bool) -> list[int]:
    """The frames at an end of the shot, the very end last."""
    inward = [n for n in moves.there if (n <= edge if forward else n >= edge)]
    return (inward if forward else inward[::-1])[-2:]

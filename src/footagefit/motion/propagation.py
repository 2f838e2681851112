"""Real pixels for a hole, from the whole shot and from other takes of the set-up.

Here: which frames are laid over a hole, their light matched, the middle of what they show, and the
seam closed by a smooth field. Not here: pixels that no frame shows (`models`), grain
(`rendering/dressing.py`).

shot = Propagation(footage)
shot.prepare()
rgb, confidence, grain = shot.at(1014)

Shapes: C channels, H rows, W columns, N places in a hole, M places round it, K views.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from footagefit.errors import UnknownName, UsageError
from footagefit.motion import aligning, flow, gains, homography, looks, seams, warps
from footagefit.motion.aligning import Known, Laid, Region
from footagefit.motion.between import between
from footagefit.motion.carried import Carried, nothing
from footagefit.motion.homography import Motion
from footagefit.motion.merging import merged
from footagefit.motion.onward import beside, moved_on
from footagefit.motion.shot import Moves, Progress, look_at
from footagefit.motion.sources import Candidate, Footage, Plate, Shelf, choose, seen
from footagefit.signature import coordinates

MOST = 10
_SAMPLE = 1500  # places of a hole that choose its sources
_RING_STEPS = 10  # px looked at
_RING_PLACES = 12_000
_OTHER_TAKE = 40.0  # frames that another take is as far as
_TAKE_SURE = 0.25
_TAKE_FRAMES = 24
_FAR_SHARE = 0.02  # a frame further, a view is so much less sure
_RESAMPLED = 0.72  # of its variance grain keeps through a cubic filter, on average
_TRUSTED = 0.05


class View(NamedTuple):
    """What one frame shows of a hole and of what surrounds it."""

    codes_N3: np.ndarray
    weight_N: np.ndarray


class _Take:
    """Other footage of the set-up, joined to the shot at one frame of each."""

    def __init__(self, shelf: Shelf, moves: Moves, own: int, theirs: int, step: Motion) -> None:
        self.shelf, self.moves = shelf, moves
        self.own, self.theirs, self.step = own, theirs, step


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
    """

    def __init__(
        self, footage: Footage, *, takes: Sequence[Footage] = (), long_px: int = 640,
        most: int = MOST, cache: Path | None = None, flow: Path | None = None,
        most_bytes: int = 1 << 30,
    ) -> None:  # fmt: skip
        self.footage, self.long_px, self.most, self.cache = footage, long_px, most, cache
        self._path, self._footages = flow, [footage, *takes]
        share = most_bytes // len(self._footages)
        self._shelves = [Shelf(f, most_bytes=share) for f in self._footages]
        self._moves: Moves | None = None
        self._takes: list[_Take] = []

    def prepare(self, progress: Progress | None = None) -> None:
        """Look at every frame, small, and find how the camera moved.

        Args:
            progress: Passes frame numbers through, as `commands.progress.track` does.

        Raises:
            UsageError: Every frame of the shot is a hole.
        """
        self._moves = look_at(
            self.footage, long_px=self.long_px, progress=progress, cache=self.cache
        )
        self._track = flow.tracker(self._path)
        self._fine = flow.tracker(self._path, fine=True)
        self._takes = []
        for index, shelf in enumerate(self._shelves[1:], start=1):
            folder = None if self.cache is None else self.cache / f"take_{index}"
            theirs = look_at(shelf.footage, long_px=self.long_px, cache=folder)
            joined = _joined(shelf, self._moves, theirs)
            if joined is not None:
                self._takes.append(joined)

    def at(self, number: int) -> Carried:
        """Pixels for a frame's hole, at full size.

        Args:
            number: The frame's; one that does not exist is made of its neighbours.

        Raises:
            UnknownName: No such frame.
        """
        if self._moves is None:
            self.prepare()
        moves = self._moves
        if moves is None or number not in moves.looks:
            raise UnknownName("frame", number, self.footage.numbers)
        hole = (self.footage.hole(number)[0] > 0).cpu().numpy()
        if not hole.any():
            return nothing((hole.shape[0], hole.shape[1]))
        if moves.looks[number].empty and bool(hole.mean() > 0.97):
            return self._whole(number, moves)
        return self._filled(number, self._shelves[0].plate(number), hole, moves)

    def _whole(self, number: int, moves: Moves) -> Carried:
        """A frame that is not there, from those beside it; what they do not show from others."""
        before, after = moves.beside(number)
        if before is not None and after is not None:
            made = between(
                self.footage.plate(before), self.footage.plate(after),
                (number - before) / (after - before), path=self._path,
                hole_before_1HW=self.footage.hole(before), hole_after_1HW=self.footage.hole(after),
            )  # fmt: skip
        else:
            made = self._beyond(number, before, after, moves)
        hole = (made.confidence_1HW[0] < _TRUSTED).numpy()
        if not hole.any() or hole.all():
            return made
        light = made.rgb_CHW.permute(1, 2, 0).numpy()
        known = (~hole).astype(np.float32)
        plate = Plate(looks.bent(light), looks.stops(coordinates.luma(light)), known, light)
        more = self._filled(number, plate, hole, moves)
        here = torch.from_numpy(hole)[None]
        return Carried(*(torch.where(here, b, a) for a, b in zip(made, more, strict=True)))

    def _beyond(self, number: int, before: int | None, after: int | None, moves: Moves) -> Carried:
        """A frame of the head or the tail: the first or last frame, moved on."""
        edge = before if before is not None else after
        if edge is None:
            return nothing(moves.size)
        inward = [n for n in moves.there if (n <= edge if before is not None else n >= edge)]
        last = (inward if before is not None else inward[::-1])[-2:]
        pair = [moves.looks[n] for n in last]
        past = [Motion(moves.chain.to(a, b), 1.0) for a, b in itertools.pairwise(last)]
        local = beside(pair, past, self._fine)
        to = moves.chain.to(edge, number)
        return moved_on(
            self.footage.plate(edge), self.footage.hole(edge), to, local, abs(number - edge)
        )

    def _filled(self, number: int, plate: Plate, hole: np.ndarray, moves: Moves) -> Carried:
        """The middle of what the best few frames show."""
        size = (hole.shape[0], hole.shape[1])
        part = aligning.region(hole, long_px=self.long_px)
        known = Known(part, plate, hole)
        y, x = np.nonzero(hole)
        inner = np.stack([x, y], 1).astype(np.float32)
        ring = _ring(hole, plate.known_HW, round(_RING_STEPS * part.step))
        views: list[View] = []
        around: list[View] = []
        for chosen in choose(self._candidates(number, inner, moves), most=self.most):
            shelf, to, still = self._way(number, chosen, moves)
            source = shelf.plate(chosen.number)
            laid = aligning.lay(known, source, to, self._tracker(part), still=still)
            prior = 1.0 / (1.0 + _FAR_SHARE * chosen.far)
            in_view, round_view = _views(plate, source, laid, part, inner, ring, prior)
            if not in_view.weight_N.any():
                continue
            views.append(in_view)
            around.append(round_view)
            known.learn(laid)
        if not views:
            return nothing(size)
        made = merged([v.codes_N3 for v in views], [v.weight_N for v in views])
        beside = merged([v.codes_N3 for v in around], [v.weight_N for v in around])
        own = plate.codes_HWC[ring[:, 1].astype(int), ring[:, 0].astype(int)]
        codes = made.codes_N3 + seams.field(own - beside.codes_N3, beside.sure_N, ring, inner, part)
        return _put(size, hole, codes, made.sure_N, made.grain_N)

    def _tracker(self, part: Region) -> flow.Tracker:
        """Finer flow where the region is looked at as it is."""
        small = part.size[0] * part.size[1] <= 320 * 240 or part.step <= 1.0
        return self._fine if small else self._track

    def _candidates(self, number: int, inner: np.ndarray, moves: Moves) -> list[Candidate]:
        """Every frame that shows some of the hole by global motion."""
        few = inner[:: max(1, len(inner) // _SAMPLE)]
        out = []
        for other in moves.there:
            if other != number:
                at = warps.moved(few, moves.chain.to(number, other))
                there = seen(at, moves.looks[other].hole_HW, size=moves.size)
                out.append(Candidate(0, other, there, abs(other - number)))
        for index, take in enumerate(self._takes, start=1):
            every = take.moves.there
            for other in every[:: max(1, len(every) // _TAKE_FRAMES)]:
                at = warps.moved(few, self._across(number, other, take, moves))
                there = seen(at, take.moves.looks[other].hole_HW, size=take.moves.size)
                far = _OTHER_TAKE + 0.1 * abs(other - take.theirs)
                out.append(Candidate(index, other, there, far))
        return out

    @staticmethod
    def _across(number: int, other: int, take: _Take, moves: Moves) -> np.ndarray:
        there = take.moves.chain.to(take.theirs, other)
        return there @ take.step.matrix @ moves.chain.to(number, take.own)

    def _way(
        self, number: int, chosen: Candidate, moves: Moves
    ) -> tuple[Shelf, np.ndarray, bool]:  # fmt: skip
        """The frame's shelf, the homography to it, compared directly, and whether all stood."""
        own = moves.looks[number]
        if chosen.take == 0:
            to = moves.chain.to(number, chosen.number)
            if moves.chain.still(number, chosen.number):
                return self._shelves[0], to, True
            if not own.empty and abs(number - chosen.number) > 1:
                to = homography.refined(own, moves.looks[chosen.number], to)
            return self._shelves[0], to, False
        take = self._takes[chosen.take - 1]
        to = self._across(number, chosen.number, take, moves)
        if not own.empty:
            to = homography.refined(own, take.moves.looks[chosen.number], to)
        return take.shelf, to, False


def _joined(shelf: Shelf, own: Moves, theirs: Moves) -> _Take | None:
    """A take and the pair of frames that go together best; None where none does."""
    best: _Take | None = None
    for number in _few(own.there, 3):
        for other in _few(theirs.there, 5):
            step = homography.of_looks(own.looks[number], theirs.looks[other])
            if step.sure > max(_TAKE_SURE, 0.0 if best is None else best.step.sure):
                best = _Take(shelf, theirs, number, other, step)
    if own.size != theirs.size:
        raise UsageError(
            f"another take is {theirs.size[1]}x{theirs.size[0]}, the shot {own.size[1]}x"
            f"{own.size[0]}", hint="Give takes of one size",
        )  # fmt: skip
    return best


def _few(numbers: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [numbers[i] for i in dict.fromkeys(places.tolist())]


def _ring(hole: np.ndarray, known_HW: np.ndarray, reach_px: int) -> np.ndarray:
    """Places (M,2) round a hole, evenly some of them."""
    far = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3)
    y, x = np.nonzero((far > 0) & (far <= max(4, reach_px)) & (known_HW > 0))
    step = max(1, len(x) // _RING_PLACES)
    return np.stack([x, y], 1)[::step].astype(np.float32)


def _views(
    plate: Plate, source: Plate, laid: Laid, part: Region, inner: np.ndarray, ring: np.ndarray,
    prior: float,
) -> tuple[View, View]:  # fmt: skip
    """What a source shows of a hole and of its surroundings, its light matched there."""
    both = np.concatenate([inner, ring])
    at = aligning.placed(laid, part, both)
    codes = warps.at_places(source.codes_HWC, at)
    there = warps.at_places(source.known_HW, at, cubic=False) > 0.999
    there &= warps.within(at, (source.known_HW.shape[0], source.known_HW.shape[1]))
    weight = part.read(laid.sure_HW, both) * there * prior
    count = len(inner)
    light = looks.straight(codes)
    if len(ring):
        y, x = ring[:, 1].astype(int), ring[:, 0].astype(int)
        gain = gains.fitted(
            plate.light_HWC[y, x], light[count:], ring, weight[count:],
            half_px=max(plate.known_HW.shape) / 2,
        )  # fmt: skip
        light = light * gain.at(both)
        codes = looks.bent(light)
    weight = weight.astype(np.float32)
    return View(codes[:count], weight[:count]), View(codes[count:], weight[count:])


def _put(
    size: tuple[int, int], hole: np.ndarray, codes: np.ndarray, sure: np.ndarray, grain: np.ndarray
) -> Carried:
    out = nothing(size)
    here = torch.from_numpy(hole)
    shown = sure > 0
    light = np.where(shown[:, None], looks.straight(codes), 0.0).astype(np.float32)
    out.rgb_CHW[:, here] = torch.from_numpy(np.ascontiguousarray(light.T))
    out.confidence_1HW[0, here] = torch.from_numpy(sure.astype(np.float32))
    left = np.where(shown, grain * _RESAMPLED, 1.0).astype(np.float32)
    out.grain_1HW[0, here] = torch.from_numpy(left)
    return out

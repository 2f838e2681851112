"""A shot as it moves: every frame looked at small, once, and the chain of its global motion.

Here: looks of all frames, the camera's way through those that are there, those that are not, and
those before the first and after the last; keeping all that in a file. Not here: pixels at full
size (`sources.py`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from footagefit.errors import UsageError
from footagefit.motion import homography, looks, onward, warps
from footagefit.motion.glass import Glass
from footagefit.motion.homography import Chain, Motion
from footagefit.motion.looks import Look
from footagefit.motion.sources import Footage

Progress = Callable[[Iterable[int]], Iterable[int]]
_FILE = "motion.npz"
_FORMAT = 1
_SHORT_RUN = 6  # steps: shorter ones do not stand for themselves


class Moves:
    """What moves in a shot as a whole.

    Args:
        seen: Looks by frame number, in order.
        steps: Global motion between frames that are there, by the number of the first.
    """

    def __init__(self, seen: dict[int, Look], steps: dict[int, Motion]) -> None:
        self.looks, self.steps = seen, steps
        self.there = [n for n, look in seen.items() if not look.empty]
        if not self.there:
            raise UsageError(
                "no frame of the shot has a pixel: every one is a hole", hint="Check the mask"
            )
        self.size = seen[self.there[0]].size
        stood = _stood(self.there, seen, steps)
        self.chain = _chain(list(seen), self.there, stood, self.size)

    def beside(self, number: int) -> tuple[int | None, int | None]:
        """The nearest frames before and after one that are there."""
        before = [n for n in self.there if n < number]
        after = [n for n in self.there if n > number]
        return (before[-1] if before else None), (after[0] if after else None)


def look_at(
    footage: Footage, *, long_px: int, progress: Progress | None = None,
    cache: Path | None = None, glass: Glass | None = None,
) -> Moves:  # fmt: skip
    """Look at all frames of a shot, one after the other; what was kept is taken as it is.

    Args:
        footage: The shot.
        long_px: Longest side of a look.
        progress: Passes frame numbers through, as `commands.progress.track` does.
        cache: Folder of what was made of this very shot; None keeps nothing.
        glass: Looks are straightened by it: motion is then a pinhole's.
    """
    numbers = list(footage.numbers)
    if not numbers:
        raise UsageError("the shot has no frames")
    kept = _read(cache, numbers, long_px)
    if kept is not None:
        return kept
    seen: dict[int, Look] = {}
    steps: dict[int, Motion] = {}
    last: int | None = None
    for number in _through(numbers, progress):
        seen[number] = _looked(footage, number, long_px, glass)
        if seen[number].empty:
            continue
        if last is not None:
            steps[last] = homography.of_looks(seen[last], seen[number])
        last = number
    made = Moves(seen, steps)
    if cache is not None:
        _write(cache, made, long_px)
    return made


def _looked(footage: Footage, number: int, long_px: int, glass: Glass | None) -> Look:
    """A frame small, as a pinhole would see it."""
    made = looks.look(footage.plate(number), footage.hole(number), long_px=long_px)
    if glass is None or glass.plain or made.empty:
        return made
    grid = warps.pixels(made.stops_HW.shape[:2])
    whole = warps.moved(grid, made.scale)
    at = warps.moved(glass.bent(whole), np.linalg.inv(made.scale))
    size = made.stops_HW.shape
    gone = warps.at_places(made.hole_HW.astype(np.float32), at, cubic=False) > 0.02
    gone |= ~warps.within(at, (size[0], size[1]))
    return Look(warps.at_places(made.stops_HW, at), gone, made.size)


def _through(numbers: Sequence[int], progress: Progress | None) -> Iterator[int]:
    yield from numbers if progress is None else progress(numbers)


def _stood(there: list[int], seen: dict[int, Look], steps: dict[int, Motion]) -> dict[int, Motion]:
    """Steps, those in which the camera stood made the identity to the bit.

    A slow hand moves by no more a frame than tracking is off by: only frames further apart tell.
    """
    out = dict(steps)
    run: list[int] = []
    for number in [*there[:-1], None]:
        if number is not None and steps[number].still:
            run.append(number)
            continue
        _settle(run, there, seen, out)
        run = []
    return out


def _settle(
    run: list[int], there: list[int], seen: dict[int, Look], out: dict[int, Motion]
) -> None:
    """Judge a run of frames in which the camera seems to stand; its halves where it does not."""
    if not run:
        return
    first, last = run[0], there[there.index(run[-1]) + 1]
    inner = run[len(run) // 2]
    if all(homography.standing(seen[first], seen[n]) for n in {inner, last} - {first}):
        out |= {n: Motion(np.eye(3), out[n].sure, True) for n in run}
    elif len(run) < _SHORT_RUN:
        out |= {n: Motion(out[n].matrix, out[n].sure) for n in run}
    else:
        half = len(run) // 2
        _settle(run[:half], there, seen, out)
        _settle(run[half:], there, seen, out)


def _chain(
    numbers: list[int], there: list[int], steps: dict[int, Motion], size: tuple[int, int]
) -> Chain:
    """Steps between neighbours: gaps shared out, ends run on."""
    after = dict(itertools.pairwise(there))
    filled: dict[int, Motion] = {}
    for number, following in after.items():
        inner = [n for n in numbers if number <= n <= following]
        whole = steps[number]
        if len(inner) == 2 or whole.still:
            filled |= {n: whole for n in inner[:-1]}
            continue
        parts = [
            homography.part_of(whole.matrix, (n - number) / (following - number), size)
            for n in inner
        ]
        for n, one, two in zip(inner, parts, parts[1:], strict=False):
            filled[n] = Motion(two @ np.linalg.inv(one), whole.sure)
    past = [filled[n] for n in numbers if n in filled]
    tail = [n for n in numbers if n >= there[-1]]
    head = [n for n in numbers if n <= there[0]][::-1]
    filled |= dict(zip(tail, _run_on(past, len(tail) - 1, size), strict=False))
    back = [Motion(np.linalg.inv(m.matrix), m.sure, m.still) for m in past[::-1]]
    for n, step in zip(head[1:], _run_on(back, len(head) - 1, size), strict=False):
        filled[n] = Motion(np.linalg.inv(step.matrix), step.sure, step.still)
    return Chain([filled[n] for n in numbers[:-1]], numbers, size=size)


def _run_on(past: list[Motion], count: int, size: tuple[int, int]) -> list[Motion]:
    """Steps after the last."""
    if count <= 0:
        return []
    if past and all(m.still for m in past[-4:]):
        return [Motion(np.eye(3), past[-1].sure, True)] * count
    whole = [np.eye(3), *onward.ahead(past, count, size)]
    sure = past[-1].sure if past else 0.0
    return [Motion(b @ np.linalg.inv(a), sure) for a, b in itertools.pairwise(whole)]


def _write(folder: Path, moves: Moves, long_px: int) -> None:
    """Keep what was seen, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{_FILE}.{os.getpid()}.part"
    every = list(moves.looks.values())
    named = list(moves.steps.items())
    with part.open("wb") as file:
        np.savez(
            file,
            head=np.array([_FORMAT, long_px, *moves.size]),
            numbers=np.array(list(moves.looks)),
            stops=np.stack([look.stops_HW for look in every]).astype(np.float16),
            holes=np.stack([np.packbits(look.hole_HW) for look in every]),
            first=np.array([n for n, _ in named], np.int64),
            matrices=np.array([m.matrix for _, m in named]).reshape(-1, 3, 3),
            sure=np.array([[m.sure, m.still] for _, m in named], np.float64).reshape(-1, 2),
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / _FILE)


def _read(folder: Path | None, numbers: list[int], long_px: int) -> Moves | None:
    """What was kept of these frames; None where that is of others, or not there."""
    if folder is None or not (folder / _FILE).is_file():
        return None
    try:
        with np.load(folder / _FILE, allow_pickle=False) as kept:
            form, long, height, width = (int(v) for v in kept["head"])
            if (form, long) != (_FORMAT, long_px) or kept["numbers"].tolist() != numbers:
                return None
            size = kept["stops"].shape[1:]
            seen = {
                number: Look(
                    stops.astype(np.float32),
                    np.unpackbits(hole, count=size[0] * size[1]).reshape(size).astype(bool),
                    (height, width),
                )
                for number, stops, hole in zip(numbers, kept["stops"], kept["holes"], strict=True)
            }
            steps = {
                int(n): Motion(m, float(s), bool(still))
                for n, m, (s, still) in zip(
                    kept["first"], kept["matrices"], kept["sure"], strict=True
                )
            }
    except (OSError, ValueError, KeyError):
        return None  # half of an older form: made anew
    return Moves(seen, steps)

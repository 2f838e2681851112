"""How long a show will take to shoot and how large it will be, told before the first take.

Time comes from frames filmed small on this machine just before, two sizes a kind of set: much of a
small frame's time is none of its pixels'. Sizes come from what shows weighed so far. What belongs
here: the estimate, and whether the disk holds it. What does not: shooting (`crew`).
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from footagefit.errors import DiskFull
from footagefit.soundstage.delivery import Film
from footagefit.soundstage.plan import Script, Take

_PROBES_PX = ((90, 160), (180, 320))
_AHEAD_S = 0.5  # into the take
# What shows weighed and what writing took, a pixel (and channel) on average.
_PROXY_BYTES, _PLATE_BYTES, _STILL_BYTES = 0.12, 4.6, 2.0
_TRUTH_BYTES, _TRUTH_S = 2.2, 6.0e-8
_CHANNELS, _BY_SOURCE = 12, 7  # of a frame's truth: beside light, and by source


@dataclass(frozen=True)
class Schedule:
    """What a show asks for.

    Attributes:
        seconds: Until the last take is there.
        size_bytes: On disk.
        truths: Frames with truth.
    """

    seconds: float
    size_bytes: int
    truths: int

    def __str__(self) -> str:
        return f"about {_time(self.seconds)} on this machine, {self.size_bytes / 1e9:.2g} GB"


@dataclass(frozen=True)
class _Cost:
    """What a frame of a kind of set takes.

    Attributes:
        frame_s: Whatever its size.
        pixel_s: And by pixel.
        sources: How many the set has.
    """

    frame_s: float
    pixel_s: float
    sources: int


def schedule(script: Script, *, film: Film, workers: int) -> Schedule:
    """Film two small frames a kind of set, and reckon.

    Args:
        script: What is to be shot.
        film: Who renders.
        workers: Processes.
    """
    pixels = script.size_px[0] * script.size_px[1]
    cost = {kind: _probed(take, film) for kind, take in _kinds(script).items()}
    seconds, size = 0.0, 0.0
    truths = sum(len(take.truth) for take in script.takes)
    for take in script.takes:
        asked = cost[take.asked.kind]
        channels = _CHANNELS + _BY_SOURCE * asked.sources
        a_frame = asked.frame_s + pixels * asked.pixel_s
        seconds += len(take.moments) * a_frame
        seconds += len(take.truth) * (0.5 * a_frame + pixels * _TRUTH_S * channels)
        size += pixels * (_PROXY_BYTES * take.length + _STILL_BYTES)
        size += pixels * _TRUTH_BYTES * channels * len(take.truth)
        size += pixels * _PLATE_BYTES * len(take.moments) * bool(take.plate)
    return Schedule(seconds / max(1, min(workers, len(script.takes))), int(size), truths)


def room_for(out: Path, asked: Schedule, *, there: int = 0) -> None:
    """Refuse to begin what the disk cannot hold.

    Args:
        out: Folder of the show.
        asked: What it needs.
        there: Bytes of it that lie there already.
    """
    parent = next(p for p in (out, *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(parent).free
    missing = asked.size_bytes - there - free
    if missing > 0:
        raise DiskFull(
            f"the show needs about {asked.size_bytes / 1e9:.3g} GB, {free / 1e9:.3g} GB are free",
            path=out, hint="Choose another out=, a smaller preset=, or truth_every= less often",
        )  # fmt: skip


def _kinds(script: Script) -> dict[str, Take]:
    """A take of each kind of set."""
    return {take.asked.kind: take for take in reversed(script.takes)}


def _probed(take: Take, film: Film) -> _Cost:
    """A straight line through the times of two sizes."""
    taken, names = [], set()
    for size_px in _PROBES_PX:
        camera = film(take.asked, size_px)
        truth = camera.frame(0.0, truth=not names).truth
        names = names or {n.split(".")[1] for n in truth if n.startswith("light.")}
        begun = time.perf_counter()
        camera.frame(_AHEAD_S, truth=False)
        taken.append(time.perf_counter() - begun)
    small, large = (height * width for height, width in _PROBES_PX)
    pixel_s = max(taken[1] - taken[0], 0.3 * taken[1]) / (large - small)
    return _Cost(max(0.0, taken[1] - pixel_s * large), pixel_s, len(names))


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

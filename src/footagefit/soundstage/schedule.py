"""How long a show will take to shoot and how large it will be, told before the first take.

Time comes from frames filmed small on this machine just before, one a kind of set; sizes from what
shows weighed so far. What belongs here: the estimate, and whether the disk holds it. What does not:
shooting (`crew`).
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from footagefit.errors import DiskFull
from footagefit.soundstage.delivery import Film
from footagefit.soundstage.plan import Script, Take

_PROBE_PX = (90, 160)
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


def schedule(script: Script, *, film: Film, workers: int) -> Schedule:
    """Film one small frame a kind of set, and reckon.

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
        a_pixel, sources = cost[take.asked.kind]
        channels = _CHANNELS + _BY_SOURCE * sources
        seconds += pixels * len(take.moments) * a_pixel
        seconds += pixels * len(take.truth) * (0.5 * a_pixel + _TRUTH_S * channels)
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


def _probed(take: Take, film: Film) -> tuple[float, int]:
    """Seconds a pixel of a frame, and how many sources the set has."""
    camera = film(take.asked, _PROBE_PX)
    names = {n.split(".")[1] for n in camera.frame(0.0).truth if n.startswith("light.")}
    begun = time.perf_counter()
    camera.frame(_AHEAD_S, truth=False)
    return (time.perf_counter() - begun) / (_PROBE_PX[0] * _PROBE_PX[1]), len(names)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

"""The picks as a rough cut: one stretch of each take, in scene order, for any editing system.

Here: order, ranges and handles. Not here: which takes (`ranking`), the file's form
(`footage.timeline`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from footagefit.dailies.entries import Medium, Shot
from footagefit.dailies.linking import start_of
from footagefit.dailies.show import Show
from footagefit.footage.timecode import frames_of
from footagefit.footage.timeline import Event

START = "01:00:00:00"
_PIECES = re.compile(r"(\d+)")


def scene_order(shot: Shot) -> tuple[object, ...]:
    """Sorts 9 before 12, 12 before 12A, and takes and cameras as they were counted."""
    named = (shot.slate.scene or shot.scene, shot.setup, shot.slate.camera, shot.slate.take)
    return tuple(_natural(name) for name in (*named, shot.name))


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    pieces = _PIECES.split(text.upper())
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in pieces if p)


def events_of(
    show: Show, picks: Sequence[Shot], media: Sequence[Medium], *, handles: int = 0
) -> list[Event]:
    """The cut: picks one after the other, from hour one on.

    Args:
        show: The production.
        picks: In the order they are cut.
        media: The catalogue's.
        handles: Frames left outside the cut at both ends of a take, to trim into; a take that is
            too short for them keeps one frame in the cut.
    """
    by_path = {m.path: m for m in media}
    made: list[Event] = []
    rate = next((m.rate for m in (by_path[p.primary.path] for p in picks) if m.rate), show.rate)
    playhead = frames_of(START, rate or Fraction(24))
    for shot in picks:
        medium = by_path[shot.primary.path]
        held = min(handles, (shot.length - 1) // 2)
        start = start_of(medium)
        base = medium.first_frame if start is None else start
        first = base + shot.first - medium.first_frame + held
        length = shot.length - 2 * held
        made.append(
            Event(
                name=shot.name,
                reel=medium.reel,
                source_in=first,
                source_out=first + length,
                record_in=playhead,
                record_out=playhead + length,
                rate=medium.rate or rate or Fraction(24),
                scene=shot.slate.scene or shot.scene,
                take=shot.slate.take,
                camera=shot.slate.camera,
                source_file=str((show.work / medium.path).resolve()),
            )
        )
        playhead += length
    return made

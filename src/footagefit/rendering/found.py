"""Masks found in a shot, written as a clip: for an artist to correct and to be fed back.

What belongs here: running a finder over a clip and storing what it says. What does not: finding
(`motion/finders.py`), filling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from footagefit.footage import colour
from footagefit.footage.clip import Clip
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.motion.finders import find


def write_found(
    kind: str, clip: Clip, out: Path, *, frames: Sequence[int] | None = None
) -> Iterator[int]:
    """Write the mask of each frame; yields its number once it is there.

    Masks that are there stay as they are, an artist's corrections with them.

    Args:
        kind: One of `finders.KINDS`.
        clip: The plate.
        out: Where to: a pattern of pictures such as `shot.found_wire.####.exr`.
        frames: Frames of one shot; all by default.
    """
    numbers = list(clip.numbers if frames is None else frames)
    form = OutputForm(space=colour.WORKING, depth="half", compression="zip")
    info = replace(clip.info, space=colour.WORKING, alpha=True, layers=(), metadata={})
    out.parent.mkdir(parents=True, exist_ok=True)
    with open_writer(out, info=info, form=form, existing="skip", job={"found": kind}) as writer:
        if all(writer.has(n) for n in numbers):
            yield from numbers
            return
        for number, mask_1HW in find(kind, lambda n: clip.read([n]).rgb_TCHW[0], numbers):
            if not writer.has(number):
                writer.write(number, mask_1HW.expand(3, -1, -1), mask_1HW)
            yield number

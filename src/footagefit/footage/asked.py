"""What was asked of a clip, held against what it has: frames, targets, layers.

Here: the checks that every verb makes before it reads and writes. Not here: reading and writing.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from footagefit.errors import FootagefitWarning, MissingFrames, WrongValue
from footagefit.footage import colour
from footagefit.footage.clip import Clip
from footagefit.footage.pattern import numbers, ranges
from footagefit.footage.sequence import Missing
from footagefit.footage.writing import OutputForm


def wanted_frames(clip: Clip, frames: str | None, missing: Missing) -> list[int]:
    """Frame numbers asked for, checked against the clip's."""
    if frames is None:
        if clip.info.missing and missing == "error":
            clip.require([clip.info.first_frame])
            raise MissingFrames(
                f"{len(clip.info.missing)} missing: {ranges(clip.info.missing)}",
                path=clip.info.path,
                hint="Bring them, or say missing=hold, missing=black or frames=<those there are>",
            )
        first, last = clip.info.first_frame, clip.info.last_frame
        return clip.numbers if missing == "error" else list(range(first, last + 1))
    wanted = sorted(set(numbers(frames)))
    clip.require(wanted)
    return wanted


def refuse_own_input(clip: Clip, out: Path, in_: Path) -> None:
    """Raise where frames would be written over those they come from."""
    same = out.expanduser().resolve() == clip.info.path.expanduser().resolve()
    if same or out.expanduser().resolve() == in_.expanduser().resolve():
        raise WrongValue("the output is the input", path=out, hint="Choose another out=")
    if clip.info.path.name == out.name and clip.info.path.parent.resolve() == out.parent.resolve():
        raise WrongValue("the output is the input", path=out, hint="Choose another out=")


def warn_of_layers(clip: Clip, out: Path, form: OutputForm) -> None:
    """Colour layers that pass through untouched do not follow the picture to another space."""
    exr = clip.info.codec == "exr" and out.suffix.lower() == ".exr"
    if not exr or colour.same(form.space, clip.info.space):
        return
    names = clip.info.channels
    left = [n for n in clip.info.layers if {f"{n}.R", f"{n}.G", f"{n}.B"} <= set(names)]
    if left:
        warnings.warn(
            FootagefitWarning(
                f"{out}: layers {', '.join(left)} pass through in {clip.info.space}, "
                f"the picture becomes {form.space}"
            ),
            stacklevel=2,
        )

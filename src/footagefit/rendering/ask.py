"""What a person asks of a render, as it was said.

What belongs here: the record of it. What does not: whether it can be, and what it means on a plate
(`plan.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from footagefit.footage.opening import Levels, Matrix
from footagefit.footage.writing import Existing, OutputForm
from footagefit.rendering.controls import Asked
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.fits import Fit
from footagefit.rendering.regrain import GrainWay
from footagefit.rendering.temporal import Temporal


@dataclass(frozen=True)
class Ask:
    """What was asked for; `render` and `footagefit infer` say what each means.

    Attributes:
        plate: The clip to be changed.
        fit: A fit, or the folder of one.
        out: What to write; None for the next version.
        reference: A clip or frame to sit beside.
        reference_frames: Frames of it that may be looked at; None for all.
        mask: A clip of mattes.
        frames: Frames to write; None for all.
        handles: Frames added at both ends of `frames`.
        shot: Frames of the plate that are one shot; None for all of it.
        controls: Values by name.
        keyframes: A JSON or CSV file of controls.
        temporal: How looks are filtered.
        layers: Layers to write beside the picture.
        form: How to store the result; as the plate is by default.
        space: Colour space of the plate.
        reference_space: Colour space of the reference.
        layer: Which of the plate's layers to change.
        matrix: YUV matrix of a movie without tags.
        levels: Levels of a movie without tags.
        rate: The plate's frames a second, where it does not say.
        existing: What to do with frames that are there.
        device: Where to compute.
        threads: Encoding threads.
        memory_gb: Memory to stay within.
        half: Decide looks in half precision, where that changes nothing to be seen.
        grain: `keep` it as the look leaves it, or `match`: degrain, work, regrain.
        signature: What the show measured as; the fit's own by default.
        bases: Folders to look in for the pretrained base of a diffusion fit.
        fill: What is asked of fits that make pixels alone.
        part: Name of one part of a job that several processes share.
        also_known: Other names to list where a control is not known.
    """

    plate: Path
    fit: Fit | Path
    out: Path | None = None
    reference: Path | None = None
    reference_frames: str | None = None
    mask: Path | None = None
    frames: str | None = None
    handles: int = 0
    shot: str | None = None
    controls: Mapping[str, Asked] = field(default_factory=dict)
    keyframes: Path | None = None
    temporal: Temporal = "auto"
    layers: Sequence[str] = ()
    form: OutputForm = field(default_factory=OutputForm)
    space: str = "auto"
    reference_space: str = "auto"
    layer: str = ""
    matrix: Matrix = "auto"
    levels: Levels = "auto"
    rate: Fraction | None = None
    existing: Existing = "resume"
    device: str = "auto"
    threads: int | None = None
    memory_gb: float | None = None
    half: bool = False
    grain: GrainWay = "keep"
    signature: Path | None = None
    bases: Sequence[str] = ()
    fill: Filling = field(default_factory=Filling)
    part: str = ""
    also_known: Sequence[str] = ()

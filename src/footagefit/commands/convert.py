"""`footagefit convert`: move any readable clip to any writable form."""

from __future__ import annotations

from pathlib import Path

from footagefit.commands.progress import track
from footagefit.footage import colour
from footagefit.footage.asked import refuse_own_input, wanted_frames, warn_of_layers
from footagefit.footage.clip import Clip
from footagefit.footage.opening import Levels, Matrix, Reader, open_clip
from footagefit.footage.pattern import MOVIES, ranges
from footagefit.footage.sequence import Missing
from footagefit.footage.tags import parse_rate
from footagefit.footage.writing import Existing, OutputForm, Writer, open_writer


def convert(
    *,
    in_: Path,
    out: Path,
    space: str,
    frames: str | None,
    layer: str,
    missing: Missing,
    reader: Reader,
    matrix: Matrix,
    levels: Levels,
    rate: str | None,
    sidecar: str,
    existing: Existing,
    threads: int | None,
    dry_run: bool,
    output: OutputForm,
) -> int:
    """Read `in_` frame by frame and write `out`; see configs/convert.yaml for each key."""
    clip = open_clip(
        in_,
        space=space,
        reader=reader,
        layer=layer,
        missing=missing,
        rate=None if rate is None else parse_rate(rate),
        matrix=matrix,
        levels=levels,
        sidecar=sidecar,
    )
    refuse_own_input(clip, out, in_)
    wanted = wanted_frames(clip, frames, missing)
    form = output.resolved(clip.info, out)
    _describe(clip, out, form, wanted)
    warn_of_layers(clip, out, form)
    if dry_run:
        return 0
    out.expanduser().parent.mkdir(parents=True, exist_ok=True)
    straight = _stored_as_is(clip, form, out)
    with open_writer(
        out,
        info=clip.info,
        form=form,
        existing=existing,
        source=clip.info.path,
        threads=threads,
        frames=wanted,
    ) as writer:
        kept = _convert(clip, writer, wanted, straight)
    if kept:
        print(f"{kept} frames were there already")
    print(f"{len(wanted) - kept} frames written to {out}")
    return 0


def _convert(clip: Clip, writer: Writer, wanted: list[int], straight: bool) -> int:
    """Frames one by one; returns how many were left alone."""
    kept = 0
    black = set(clip.info.missing)
    passes = clip.info.codec == "exr"
    for number in track(wanted, total=len(wanted), label="convert"):
        if writer.has(number):
            kept += 1
            continue
        if straight and number not in black:
            writer.write(number, None, native=clip.native(number))
            continue
        frame = clip.read([number])
        alpha = None if frame.alpha_T1HW is None else frame.alpha_T1HW[0]
        native = clip.native(number) if passes and number not in black else None
        writer.write(number, frame.rgb_TCHW[0], alpha, native=native)
    return kept


def _stored_as_is(clip: Clip, form: OutputForm, out: Path) -> bool:
    """Whether the stored values can pass untouched: same type, depth and colour space."""
    sample = {"8": "uint8", "10": "uint10", "12": "uint12", "16": "uint16"}
    same_type = out.suffix.lower() == f".{clip.info.codec}"
    same_depth = sample.get(form.depth, form.depth) == clip.info.sample
    return same_type and same_depth and colour.same(form.space, clip.info.space)


def _describe(clip: Clip, out: Path, form: OutputForm, wanted: list[int]) -> None:
    info = clip.info
    rate = "" if info.rate is None else f", {float(info.rate):.6g} fps"
    print(
        f"{info.path}: {info.width}x{info.height} {info.sample} {info.codec}, "
        f"{info.space}, frames {ranges(wanted)}{rate}"
    )
    how = form.codec if out.suffix.lower() in MOVIES else f"{form.depth}, {form.compression}"
    print(f"{out}: {how}, {form.space}")

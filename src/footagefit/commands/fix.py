"""`footagefit fix`: match a scene's outliers to their hero takes, and say what is left."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.errors import AlreadyThere, FootagefitError, FootagefitWarning

if TYPE_CHECKING:
    from footagefit.catalogue.judging import Judged, SetupJudged
    from footagefit.dailies.entries import Medium, Shot
    from footagefit.dailies.show import Show
    from footagefit.footage.writing import Existing
    from footagefit.rendering.fits import Fit

As = Literal["table", "json"]
UNITS = ("exposure", "white point", "tint", "contrast", "light")


@dataclass(frozen=True)
class Fixed:
    """A take matched to its hero.

    Attributes:
        shot: The take.
        hero: Its hero's name.
        out: What was rendered.
        frames: First and last of it.
        before: Mismatch by unit, before.
        after: The same of what was rendered.
    """

    shot: Shot
    hero: str
    out: Path
    frames: tuple[int, int]
    before: Mapping[str, float]
    after: Mapping[str, float]


def fix(
    *,
    show: Path,
    scene: str | None,
    clip: str | None,
    fit: Path | None,
    out: Path | None,
    existing: Literal["resume", "replace", "error"],
    device: str,
    dry_run: bool,
    as_: As,
) -> int:
    """Match outliers; see configs/fix.yaml for each key."""
    from footagefit.commands.continuity import fixable, judged, match_fit
    from footagefit.dailies.show import load_show
    from footagefit.rendering.fits import load_fit

    production = load_show(show)
    path = match_fit(production, fit)
    setups = judged(production, scene=scene, clip=clip)
    todo = [
        (s, j)
        for s in setups
        for j in s.takes
        if fixable(j) and (clip is None or fnmatch(j.shot.name, clip))
    ]
    folder = (out or production.work / "fixes").expanduser()
    if not todo:
        print("every take that a match could help sits already")
        return 0
    if dry_run:
        for setup, take in todo:
            said = ", ".join(d.said for d in take.differences)
            print(f"{take.shot.name} to {setup.hero.name}: {said}")
        return 0
    used = load_fit(path)
    done: list[Fixed] = []
    left: list[tuple[str, FootagefitError]] = []
    for setup, take in todo:
        try:
            done.append(_matched(production, setup, take, used, folder, existing, device))
        except FootagefitError as error:
            left.append((take.shot.name, _with_step(error)))
    for name, error in left if done else left[:-1]:
        warnings.warn(FootagefitWarning(f"{name} was left out: {error}"), stacklevel=2)
    if not done:
        last = left[-1][1]
        what = f"{last.what}, and no take was fixed"
        raise FootagefitError(what, path=last.path, frame=last.frame, hint=last.hint)
    if as_ == "json":
        print(json.dumps({"fit": str(used.path), "takes": [_plain(d) for d in done]}, indent=1))
    else:
        _table(done)
    print(f"timeline: {_timeline(production, done, folder, scene)}")
    return 0


def _with_step(error: FootagefitError) -> FootagefitError:
    """An error with a next step that `fix` takes: it skips nothing."""
    if not isinstance(error, AlreadyThere):
        return error
    hint = "Say existing=replace, or out=<another folder>"
    return FootagefitError(error.what, path=error.path, frame=error.frame, hint=hint)


def _matched(
    show: Show,
    setup: SetupJudged,
    take: Judged,
    fit: Fit,
    folder: Path,
    existing: Existing,
    device: str,
) -> Fixed:
    """Render one take, and judge the result as the take was judged."""
    from footagefit.commands.continuity import lit_otherwise
    from footagefit.commands.heroes import finest, fixed_path, reference_of
    from footagefit.commands.progress import track
    from footagefit.dailies.database import Catalogue
    from footagefit.footage import colour
    from footagefit.footage.writing import OutputForm
    from footagefit.rendering.render import render

    with Catalogue(show.catalogue) as catalogue:
        media = {m.path: m for m in catalogue.media()}
    link = finest(take.shot)
    medium = media[link.path]
    path = fixed_path(folder, take.shot)
    movie = medium.form == "movie"
    form = OutputForm(space=colour.WORKING, depth="half") if movie else OutputForm()
    render(
        show.work / link.path, fit=fit, out=path, form=form, existing=existing, device=device,
        reference=reference_of(show, setup.hero, media), frames=f"{link.first}-{link.last}",
        space=medium.space or show.space or "auto", progress=track,
        controls={"relit": 1.0} if lit_otherwise(take) else None,
    )  # fmt: skip
    after = _judged(show, setup, take, media, path)
    before = {n: abs((take.figures or {}).get(n, 0.0)) for n in UNITS}
    return Fixed(take.shot, setup.hero.name, path, (link.first, link.last), before, after)


def _judged(
    show: Show, setup: SetupJudged, take: Judged, media: Mapping[str, Medium], path: Path
) -> dict[str, float]:
    """What is left between a rendered take and its hero."""
    import numpy as np
    import torch

    from footagefit.catalogue.judging import Judging
    from footagefit.catalogue.laying import LONG_SIDE_PX, MOMENTS, Moments
    from footagefit.catalogue.measuring import reader_of
    from footagefit.commands.heroes import finest
    from footagefit.dailies.windows import small_frame
    from footagefit.footage.opening import open_clip
    from footagefit.signature.coordinates import channels_last

    link = finest(take.shot)
    with open_clip(path) as clip:
        there = set(clip.numbers)
        wanted = [link.first + round(s * (link.last - link.first)) for s in MOMENTS]
        numbers = [n for n in dict.fromkeys(wanted) if n in there]
        frames = [channels_last(small_frame(clip, n, LONG_SIDE_PX)[0]) for n in numbers]
    reader = reader_of(show, [setup.hero], list(media.values()), long_side_px=LONG_SIDE_PX)
    seen = Moments(take.shot, tuple(numbers), np.stack(frames))
    judging = Judging(reader, setup.hero, known={}, white_k=show.white_k)
    with torch.inference_mode():
        found = judging.of_moments(seen)
    if found.figures is None:
        raise FootagefitError(found.note, path=path)
    return {n: abs(found.figures[n]) for n in UNITS}


def _timeline(show: Show, done: Sequence[Fixed], folder: Path, scene: str | None) -> Path:
    """The fixed takes one after the other, as rendered."""
    from fractions import Fraction

    from footagefit.catalogue.cutting import START, scene_order
    from footagefit.footage.timecode import frames_of
    from footagefit.footage.timeline import Event, write_timeline

    rate = show.rate or Fraction(24)
    playhead = frames_of(START, rate)
    events = []
    for made in sorted(done, key=lambda d: scene_order(d.shot)):
        first, last = made.frames
        length = last - first + 1
        slate = made.shot.slate
        events.append(
            Event(
                name=made.shot.name, source_in=first, source_out=last + 1, record_in=playhead,
                record_out=playhead + length, rate=rate, scene=slate.scene, take=slate.take,
                camera=slate.camera, source_file=str(made.out.resolve()),
            )
        )  # fmt: skip
        playhead += length
    name = f"fixed_{scene}" if scene else "fixed"
    return write_timeline(folder / f"{name}.otio", events, title=name, overwrite=True)


def _plain(made: Fixed) -> dict[str, object]:
    return {
        "shot": made.shot.name,
        "hero": made.hero,
        "out": str(made.out),
        "frames": list(made.frames),
        "before": dict(made.before),
        "after": dict(made.after),
    }


def _table(done: Sequence[Fixed]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("take", no_wrap=True)
    table.add_column("hero", no_wrap=True)
    for name in ("stops", "mired", "Duv", "gamma", "light, stops"):
        table.add_column(name, justify="right")
    for made in done:
        figures = [
            f"{made.before[n]:{form}} to {made.after[n]:{form}}"
            for n, form in zip(UNITS, (".2f", ".1f", ".4f", ".2f", ".2f"), strict=True)
        ]
        table.add_row(made.shot.name, made.hero, *figures)
    Console(width=None if Console().is_terminal else 200).print(table)

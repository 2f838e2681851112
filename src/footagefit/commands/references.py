"""What a person brings beside the footage to `measure`: charts, flats, balls, lat-longs.

Here: reading them and putting what they say in the place of what footage said. Not here: what they
say (`signature.charts`, `signature.spheres`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.errors import UsageError, WrongValue

if TYPE_CHECKING:
    import numpy as np

    from footagefit.dailies.show import Show
    from footagefit.signature.record import Lens, MeasuredLight, Signature


@dataclass(frozen=True)
class References:
    """What a person brings beside the footage; entries are keys of configs/measure.yaml."""

    chessboard: Path | None
    corners: tuple[int, int]
    flat: Path | None
    chart: Path | None
    hdri: Path | None
    ball: Path | None
    at: str | None
    kind: Literal["grey", "chrome"]
    lens: str | None
    setup: str | None


def check(given: References) -> None:
    """Raise where one is given without what it belongs to."""
    if (given.chessboard or given.flat) and given.lens is None:
        raise UsageError("chessboard= and flat= need lens=", hint="Say lens=<its name>")
    if (given.chart or given.hdri or given.ball) and given.setup is None:
        raise UsageError("chart=, hdri= and ball= need setup=", hint="Say setup=<its name>")
    if given.ball is not None and given.at is None:
        raise UsageError("ball= needs at=", hint="Say at=<x>,<y>,<radius in pixels>")


def with_references(made: Signature, given: References, show: Show) -> Signature:
    """What charts, flats, balls and maps say takes the place of what footage said."""
    lenses, setups = dict(made.lenses), dict(made.setups)
    if given.lens is not None:
        lens = made.lens(given.lens)
        lenses[given.lens] = _lens_with(lens, given, show)
    if given.setup is not None:
        light = _light_of(given, show)
        if light is not None:
            setups[given.setup] = replace(made.setup(given.setup), light=light)
    return replace(made, lenses=lenses, setups=setups)


def _pictures(path: Path, show: Show) -> list[np.ndarray]:
    """Frames of a chart: a pattern, a picture, or a folder of single pictures."""
    from footagefit.footage.opening import open_clip
    from footagefit.footage.pattern import PICTURES
    from footagefit.signature.coordinates import channels_last

    folder = path.expanduser()
    files = [folder]
    if folder.is_dir():
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    made = []
    for file in files:
        clip = open_clip(file, space=_space_of(file, show), sidecar="none")
        made += [channels_last(clip.read([n]).rgb_TCHW[0]) for n in clip.numbers]
        clip.close()
    return made


def _space_of(path: Path, show: Show) -> str:
    """Cameras' stills are display pictures unless they say otherwise; EXR is certain itself."""
    return "auto" if path.suffix.lower() == ".exr" else (show.space or "auto")


def _lens_with(lens: Lens, given: References, show: Show) -> Lens:
    from footagefit.signature import charts, vignette

    if given.chessboard is not None:
        found = charts.fit_chessboard(_pictures(given.chessboard, show), given.corners)
        if found is None:
            raise WrongValue(
                "a chessboard was found in fewer than three pictures", path=given.chessboard,
                hint="corners= counts inner corners: [9,6]",
            )  # fmt: skip
        lens = replace(lens, distortion=found)
    if given.flat is not None:
        lens = replace(lens, vignette=vignette.fit_flat(_pictures(given.flat, show)[0]))
    return lens


def _light_of(given: References, show: Show) -> MeasuredLight | None:
    from footagefit.signature import spheres
    from footagefit.signature.record import MeasuredLight

    if given.hdri is not None:
        light = spheres.lat_long(_pictures(given.hdri, show)[0], white_k=show.white_k)
        return None if light is None else MeasuredLight(light, 0.9, "lat-long")
    if given.ball is not None and given.at is not None:
        try:
            x, y, radius = (float(v) for v in given.at.split(","))
        except ValueError as error:
            raise WrongValue(f"at: {given.at!r} is not x,y,radius") from error
        picture = _pictures(given.ball, show)[0]
        read = spheres.grey_ball if given.kind == "grey" else spheres.chrome_ball
        light = read(picture, (x, y), radius, white_k=show.white_k)
        return None if light is None else MeasuredLight(light, 0.9, f"{given.kind} ball")
    if given.chart is not None:
        found = chart_in(_pictures(given.chart, show)[0], show.white_k)
        if found is None:
            raise WrongValue("no Macbeth chart was found", path=given.chart,
                             hint="It has to be seen whole")  # fmt: skip
        return found
    return None


def chart_in(picture_HWC: np.ndarray, white_k: float) -> MeasuredLight | None:
    """The light that a Macbeth chart in a picture speaks of, or None where there is none."""
    from footagefit.signature.charts import find_macbeth
    from footagefit.signature.record import MeasuredLight

    chart = find_macbeth(picture_HWC, white_k=white_k)
    if chart is None:
        return None
    return MeasuredLight(chart.light(), max(0.0, 1.0 - 2 * chart.scatter_ev), "chart")

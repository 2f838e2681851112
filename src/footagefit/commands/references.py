"""What a person brings beside the footage: charts, flats, balls, lat-longs.

Here: reading them, putting what they say in the place of what footage said (`measure`), and asking
for their light (`infer`). Not here: what they say (`signature.charts`, `signature.spheres`).
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
class Spheres:
    """A lat-long, or a ball in a picture; entries are keys of configs/measure.yaml."""

    hdri: Path | None = None
    ball: Path | None = None
    at: str | None = None
    kind: Literal["grey", "chrome"] = "grey"

    def check(self) -> None:
        """Raise where one is given without what it belongs to."""
        if self.ball is not None and self.at is None:
            raise UsageError("ball= needs at=", hint="Say at=<x>,<y>,<radius in pixels>")

    def light(self, *, space: str, white_k: float, exr: str = "auto") -> MeasuredLight | None:
        """What it says of key and fill; None where it says nothing.

        Args:
            space: Colour space of pictures that do not know their own.
            white_k: Colour of light that is R=G=B in the show.
            exr: Colour space of EXRs, where it is not theirs to say.
        """
        from footagefit.signature import spheres
        from footagefit.signature.record import MeasuredLight

        if self.hdri is not None:
            light = spheres.lat_long(_pictures(self.hdri, space, exr=exr)[0], white_k=white_k)
            return None if light is None else MeasuredLight(light, 0.9, "lat-long")
        if self.ball is None or self.at is None:
            return None
        try:
            x, y, radius = (float(v) for v in self.at.split(","))
        except ValueError as error:
            raise WrongValue(f"at: {self.at!r} is not x,y,radius") from error
        picture = _pictures(self.ball, space, exr=exr)[0]
        read = spheres.grey_ball if self.kind == "grey" else spheres.chrome_ball
        light = read(picture, (x, y), radius, white_k=white_k)
        return None if light is None else MeasuredLight(light, 0.9, f"{self.kind} ball")


@dataclass(frozen=True)
class References:
    """What a person brings beside the footage; entries are keys of configs/measure.yaml."""

    chessboard: Path | None
    corners: tuple[int, int]
    flat: Path | None
    chart: Path | None
    spheres: Spheres
    lens: str | None
    setup: str | None


def check(given: References) -> None:
    """Raise where one is given without what it belongs to, or is not there."""
    if (given.chessboard or given.flat) and given.lens is None:
        raise UsageError("chessboard= and flat= need lens=", hint="Say lens=<its name>")
    spheres = given.spheres
    if (given.chart or spheres.hdri or spheres.ball) and given.setup is None:
        raise UsageError("chart=, hdri= and ball= need setup=", hint="Say setup=<its name>")
    spheres.check()
    for path in (given.chessboard, given.flat, given.chart, spheres.hdri, spheres.ball):
        if path is not None:
            _check_there(path)


def _check_there(path: Path) -> None:
    from footagefit.footage import colour
    from footagefit.footage.opening import open_clip

    for file in _files(path):
        open_clip(file, space=colour.WORKING, sidecar="none").close()


def _files(path: Path) -> list[Path]:
    """A pattern or a picture, or the single pictures of a folder."""
    from footagefit.footage.pattern import PICTURES

    folder = path.expanduser()
    if not folder.is_dir():
        return [folder]
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    if not files:
        raise UsageError("holds no pictures", path=path, hint=f"It reads {', '.join(PICTURES)}")
    return files


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


def _pictures(path: Path, space: str, *, exr: str = "auto") -> list[np.ndarray]:
    """Frames of a chart: a pattern, a picture, or a folder of single pictures.

    Cameras' stills are display pictures unless they say otherwise; EXR is certain itself.
    """
    from footagefit.footage.opening import open_clip
    from footagefit.signature.coordinates import channels_last

    made = []
    for file in _files(path):
        known = exr if file.suffix.lower() == ".exr" else space
        clip = open_clip(file, space=known, sidecar="none")
        made += [channels_last(clip.read([n]).rgb_TCHW[0]) for n in clip.numbers]
        clip.close()
    return made


def _lens_with(lens: Lens, given: References, show: Show) -> Lens:
    from footagefit.signature import charts, vignette

    if given.chessboard is not None:
        found = charts.fit_chessboard(
            _pictures(given.chessboard, show.space or "auto"), given.corners
        )
        if found is None:
            raise WrongValue(
                "a chessboard was found in fewer than three pictures", path=given.chessboard,
                hint="corners= counts inner corners: [9,6]",
            )  # fmt: skip
        lens = replace(lens, distortion=found)
    if given.flat is not None:
        lens = replace(
            lens, vignette=vignette.fit_flat(_pictures(given.flat, show.space or "auto")[0])
        )
    return lens


def _light_of(given: References, show: Show) -> MeasuredLight | None:
    space = show.space or "auto"
    light = given.spheres.light(space=space, white_k=show.white_k)
    if light is None and given.chart is not None:
        light = chart_in(_pictures(given.chart, space)[0], show.white_k)
        if light is None:
            raise WrongValue("no Macbeth chart was found", path=given.chart,
                             hint="It has to be seen whole")  # fmt: skip
    return light


def chart_in(picture_HWC: np.ndarray, white_k: float) -> MeasuredLight | None:
    """The light that a Macbeth chart in a picture speaks of, or None where there is none."""
    from footagefit.signature.charts import find_macbeth
    from footagefit.signature.record import MeasuredLight

    chart = find_macbeth(picture_HWC, white_k=white_k)
    if chart is None:
        return None
    return MeasuredLight(chart.light(), max(0.0, 1.0 - 2 * chart.scatter_ev), "chart")

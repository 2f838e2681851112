"""Hero takes as references: a few frames of the action alone, for whoever matches to them.

A hero's own file may begin with a slate, and what a match looks at must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from footagefit.dailies.entries import Link, Medium, Shot
    from footagefit.dailies.show import Show

FOLDER = "heroes"


def finest(shot: Shot) -> Link:
    """The medium of a shot that is worth rendering: a plate, an original, else what there is."""
    return shot.medium("plate") or shot.medium("original") or shot.primary


def fixed_path(folder: Path, shot: Shot) -> Path:
    """Where a take goes that was matched to its hero: a folder a take, by scene."""
    scene = shot.scene.strip("/") or "unslated"
    return folder / scene / shot.name / f"{shot.name}.####.exr"


def reference_of(show: Show, hero: Shot, media: Mapping[str, Medium]) -> Path:
    """The hero's medium where it holds nothing but the take, else a few frames written out.

    Args:
        show: The production.
        hero: Its hero take.
        media: The catalogue's, by path.
    """
    link = finest(hero)
    medium = media[link.path]
    if link.first == medium.first_frame and link.last == medium.last_frame:
        return show.work / link.path
    folder = show.work / "fixes" / FOLDER / hero.name
    pattern = folder / f"{hero.name}.####.exr"
    numbers = [link.first + round(s * (link.last - link.first)) for s in (0.15, 0.5, 0.85)]
    wanted = [folder / f"{hero.name}.{n:04d}.exr" for n in dict.fromkeys(numbers)]
    if not all(path.is_file() for path in wanted):
        _write(show, hero, media, link, numbers, pattern)
    return pattern


def _write(
    show: Show,
    hero: Shot,
    media: Mapping[str, Medium],
    link: Link,
    numbers: list[int],
    pattern: Path,
) -> None:
    from footagefit.catalogue.measuring import reader_of
    from footagefit.footage import colour
    from footagefit.footage.writing import OutputForm, open_writer
    from footagefit.records import Box, ClipInfo

    medium = media[link.path]
    reader = reader_of(show, [hero], list(media.values()), long_side_px=1 << 16, role=link.role)
    own = list(dict.fromkeys(numbers))
    pixels, gone = reader.frames(hero.name, [n - link.shift for n in own])
    box = Box(0, 0, pixels.shape[3], pixels.shape[2])
    absent = {n for n, g in zip(own, gone, strict=True) if bool(g.any())}
    info = ClipInfo(
        path=Path(pattern.name), raster=box, display=box, data=box, first_frame=own[0],
        length=own[-1] - own[0] + 1, rate=medium.rate, sample="half", space=colour.WORKING,
        missing=tuple(n for n in range(own[0], own[-1] + 1) if n not in own or n in absent),
        metadata={"reel": medium.reel},
    )  # fmt: skip
    form = OutputForm(space=colour.WORKING, depth="half", compression="zip")
    pattern.parent.mkdir(parents=True, exist_ok=True)
    with open_writer(pattern, info=info, form=form, existing="replace") as out:
        for number, frame in zip(own, pixels, strict=True):
            if number not in absent:
                out.write(number, frame)

"""Which reader opens what: the one door to every clip."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from footagefit.errors import UnreadableClip
from footagefit.footage.clip import Clip
from footagefit.footage.pattern import MOVIES, PICTURES, Pattern, in_folder, of_file, parse
from footagefit.footage.sequence import Missing, SequenceClip
from footagefit.footage.timecode import frames_of

Reader = Literal["auto", "pyav", "decord"]
Matrix = Literal["auto", "bt709", "bt601", "bt2020"]
Levels = Literal["auto", "limited", "full"]


def open_clip(
    path: str | Path,
    *,
    space: str = "auto",
    reader: Reader = "auto",
    layer: str = "",
    missing: Missing = "error",
    rate: Fraction | None = None,
    matrix: Matrix = "auto",
    levels: Levels = "auto",
    start: int | None = None,
    sidecar: str | Path = "auto",
) -> Clip:
    """Open a movie, a sequence, a folder that holds one, or a single picture.

    Args:
        path: `A001C003.mov`, `shot.####.exr`, `shot.%04d.exr`, `shot.1001-1050#.exr`, a folder,
            or one picture. A literal file wins over a pattern.
        space: Colour space of the stored pixels by the OCIO config's names, or `auto` where the
            file is certain of it.
        reader: Movies: `pyav` (full bit depth) or `decord` (8-bit proxies, faster).
        layer: Sequences: the layer whose R, G, B to read.
        missing: Sequences: what a gap reads as: `error`, `hold` or `black`.
        rate: Frames a second, where the file does not say.
        matrix: Movies without tags: the YUV matrix.
        levels: Movies without tags: limited (16-235) or full.
        start: Movies: number of the first frame; else its timecode, else 1.
        sidecar: An ALE, EDL or OTIO file that names the clip: reel, slate, lens, timecode and
            rate come from it where the clip itself is silent. `auto` looks for a file of the
            clip's own name beside it, and for its roll's ALE; `none` for no look.

    Raises:
        UnreadableClip: Nothing readable there; the message says what was looked for.
        UnknownSpace: The colour space is not certain and was not given.
    """
    from footagefit.footage.logs import said_of

    clip = _open(
        Path(path).expanduser(), space, reader, layer, missing, rate, matrix, levels, start
    )
    said = said_of(clip.info, sidecar)
    silent = start is None and clip.info.timecode is None and clip.info.path.suffix in MOVIES
    if silent and said.timecode and said.rate:
        counted = frames_of(said.timecode, said.rate)
        clip = _movie(clip.info.path, space, reader, rate, matrix, levels, counted)
        said = replace(said, first_frame=counted)
    clip.info = said
    return clip


def _open(
    path: Path,
    space: str,
    reader: Reader,
    layer: str,
    missing: Missing,
    rate: Fraction | None,
    matrix: Matrix,
    levels: Levels,
    start: int | None,
) -> Clip:
    pattern = parse(path)
    if pattern is not None:
        files = pattern.on_disk() if path.parent.is_dir() else {}
        if not files:
            raise UnreadableClip(
                "no files match the pattern", path=path, hint=_near(pattern, path.parent)
            )
        return SequenceClip(
            files, pattern=pattern, space=space, layer=layer, missing=missing, rate=rate
        )
    if path.is_dir():
        return _open(_only(path), space, reader, layer, missing, rate, matrix, levels, start)
    _check_file(path)
    if path.suffix.lower() in MOVIES:
        return _movie(path, space, reader, rate, matrix, levels, start)
    if path.suffix.lower() not in PICTURES:
        raise UnreadableClip(
            f"{path.suffix or 'a file without a suffix'} is not footage that can be read",
            path=path,
            hint=f"It reads {', '.join(MOVIES + PICTURES)}",
        )
    number = _number(path) if start is None else start
    return SequenceClip({number: path}, space=space, layer=layer, missing=missing, rate=rate)


def _movie(
    path: Path,
    space: str,
    reader: Reader,
    rate: Fraction | None,
    matrix: Matrix,
    levels: Levels,
    start: int | None,
) -> Clip:
    if reader == "decord":
        from footagefit.footage.proxy import ProxyClip

        return ProxyClip(path, space=space, matrix=matrix, levels=levels, start=start, rate=rate)
    from footagefit.footage.movie import MovieClip

    return MovieClip(path, space=space, matrix=matrix, levels=levels, start=start, rate=rate)


def _number(path: Path) -> int:
    """The number in a picture's name, as its sequence numbers it; 1 where there is none."""
    pattern = of_file(path)
    if pattern is None:
        return 1
    return int(path.name[len(pattern.before) : len(path.name) - len(pattern.after)])


def _check_file(path: Path) -> None:
    if not path.exists():
        raise UnreadableClip("no such file", path=path, hint=_near(None, path.parent))
    if not os.access(path, os.R_OK):
        raise UnreadableClip("not readable", path=path, hint="Check its permissions")
    if path.stat().st_size == 0:
        raise UnreadableClip("the file is empty", path=path, hint="Copy it again")


def _only(folder: Path) -> Path:
    found = [Path(str(p)) for p in in_folder(folder)]
    found += sorted(p for p in folder.iterdir() if p.suffix.lower() in MOVIES)
    loose = [p for p in folder.iterdir() if p.suffix.lower() in PICTURES and of_file(p) is None]
    found += sorted(loose)
    if len(found) == 1:
        return found[0]
    names = ", ".join(p.name for p in found[:6]) + (" ..." if len(found) > 6 else "")
    raise UnreadableClip(
        f"holds {len(found)} clips{': ' + names if found else ''}",
        path=folder,
        hint="Name one of them" if found else f"It reads {', '.join(MOVIES + PICTURES)}",
    )


def _near(pattern: Pattern | None, folder: Path) -> str:
    """What lies there instead, as the next step."""
    if not folder.is_dir():
        near = _near_folders(folder)
        return f"The folder {folder} does not exist{near}"
    found = [p.name for p in in_folder(folder)][:4]
    found += [p.name for p in sorted(folder.iterdir()) if p.suffix.lower() in MOVIES][:4]
    return f"There is {', '.join(found)}" if found else f"{folder.resolve()} holds no footage"


def _near_folders(folder: Path) -> str:
    """Folders whose names are much like the one that is not there."""
    lost = folder.absolute()
    while not lost.parent.is_dir():
        lost = lost.parent
    try:
        names = [p.name for p in lost.parent.iterdir() if p.is_dir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(lost.name, names, n=3, cutoff=0.6)
    return f"; there is {', '.join(str(lost.parent / name) for name in near)}" if near else ""

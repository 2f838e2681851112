"""How files of a sequence are named: `shot.####.exr`, `shot.%04d.exr`, `shot.1001-1050#.exr`.

fileseq reads the frame sets (`1001-1010,1020x2`); the name itself is taken apart here, because
fileseq takes the first `#` or parenthesis in a name for its own, and film names have both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from footagefit.errors import UnreadableClip, WrongValue

PICTURES = (".exr", ".dpx", ".tif", ".tiff", ".png", ".jpg", ".jpeg")
MOVIES = (".mov", ".mp4", ".m4v", ".mxf", ".mkv", ".avi")

_RANGE = r"(?P<range>-?\d+(?:-\d+(?:[x:y]\d+)?)?(?:,-?\d+(?:-\d+(?:[x:y]\d+)?)?)*)?"
_TOKEN = re.compile(_RANGE + r"(?P<pad>#+|@+|%0?\d*d)")
_NUMBERED = re.compile(r"(?P<digits>\d+)(?P<tail>\.[A-Za-z0-9]+)$")


@dataclass(frozen=True)
class Pattern:
    """A sequence's name with its frame number left open.

    Attributes:
        folder: Where the files lie.
        before: Name up to the number.
        after: Name from the number on, with the suffix.
        pad: Digits the number is filled to with zeros; 1 means as it comes.
        frames: Frame numbers asked for in the name, ascending; None for all there are.
    """

    folder: Path
    before: str
    after: str
    pad: int
    frames: tuple[int, ...] | None = None

    def path(self, number: int) -> Path:
        """The file of one frame."""
        sign = "-" if number < 0 else ""
        return self.folder / f"{self.before}{sign}{abs(number):0{self.pad}d}{self.after}"

    @property
    def name(self) -> str:
        """The pattern as people write it."""
        return f"{self.before}{'#' * max(1, self.pad)}{self.after}"

    def __str__(self) -> str:
        return str(self.folder / self.name)

    def on_disk(self) -> dict[int, Path]:
        """Files of the sequence by frame number, ascending."""
        match = re.compile(
            re.escape(self.before) + r"(?P<number>-?\d+)" + re.escape(self.after) + r"\Z"
        )
        found: dict[int, Path] = {}
        for name in _names(self.folder):
            hit = match.match(name)
            if not hit:
                continue
            digits = hit["number"].lstrip("-")
            longer = len(digits) > self.pad and digits[0] != "0"
            if self.pad == 1 or len(digits) == self.pad or longer:
                number = int(hit["number"])
                kept = found.get(number)
                if kept is None or self.path(number).name == name:
                    found[number] = self.folder / name
        wanted = found if self.frames is None else set(self.frames)
        return {number: found[number] for number in sorted(found) if number in wanted}


def parse(path: str | Path) -> Pattern | None:
    """The pattern in a path, or None where it names one file. A literal file wins."""
    path = Path(path)
    if os.path.lexists(path):
        return None
    tokens = list(_TOKEN.finditer(path.name))
    if not tokens or not path.suffix:
        return None
    token = tokens[-1]
    pad = token["pad"]
    if pad[0] == "%":
        digits = pad[1:-1]
        width = int(digits) if digits.startswith("0") and digits != "0" else 1
    else:
        width = 4 if pad == "#" and token["range"] else len(pad)
    frames = None if not token["range"] else tuple(sorted(numbers(token["range"])))
    before, after = path.name[: token.start()], path.name[token.end() :]
    return Pattern(path.parent, before, after, width, frames)


def of_file(path: Path) -> Pattern | None:
    """The sequence a picture belongs to by its name: the last run of digits before the suffix."""
    hit = _NUMBERED.search(path.name)
    if hit is None:
        return None
    digits = hit["digits"]
    return Pattern(path.parent, path.name[: hit.start()], hit["tail"], len(digits))


def in_folder(folder: Path) -> list[Pattern]:
    """The sequences of pictures in a folder, by name; a single numbered picture counts as one."""
    heads: dict[tuple[str, str], list[str]] = {}
    for name in _names(folder):
        path = folder / name
        if path.suffix.lower() not in PICTURES or name.startswith("."):
            continue
        pattern = of_file(path)
        if pattern is not None:
            digits = name[len(pattern.before) : len(name) - len(pattern.after)]
            heads.setdefault((pattern.before, pattern.after), []).append(digits)
    found = []
    for (before, after), runs in sorted(heads.items()):
        padded = {len(run) for run in runs if run[0] == "0"} or {min(map(len, runs))}
        found.append(Pattern(folder, before, after, min(padded)))
    return found


def numbers(text: str) -> list[int]:
    """Frame numbers from `1001-1010`, `1001-1100x2`, `1001,1005`; inclusive, in that order.

    Raises:
        WrongValue: The text is not a frame range.
    """
    from fileseq.exceptions import ParseException
    from fileseq.frameset import FrameSet

    try:
        if not str(text).strip():
            raise ValueError("empty")
        return [int(n) for n in FrameSet(str(text).replace(" ", ""))]
    except (ParseException, ValueError, TypeError) as error:
        raise WrongValue(
            f"{text!r} is not a frame range", hint="Say for example 1001-1010 or 1001-1100x2,1200"
        ) from error


def ranges(frames: Iterable[int]) -> str:
    """Frame numbers as people write them: `1001-1003, 1007`."""
    runs: list[list[int]] = []
    for number in sorted(set(frames)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(str(n) for n in run) for run in runs)


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entry.name for entry in entries)
    except OSError as error:
        raise UnreadableClip(
            f"the folder cannot be read ({error.strerror})",
            path=folder,
            hint="Check the path and its permissions",
        ) from error

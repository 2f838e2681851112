"""What an extended shot is drawn on: how large, what of the plate lies where, which moments.

Here: sides, aspect, overscan, keyframed boxes, head and tail, retiming, and where each frame that
comes out stands in the plate. Not here: reading pixels (`laid.py`), making any (`filling.py`).

A picture that grows keeps the corner of its display window: with 256 columns more at the left the
plate's first column is column 256. Overscan lies outside the display window, which stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from footagefit.errors import UsageError, WrongValue
from footagefit.footage.timecode import shifted
from footagefit.records import Box, ClipInfo
from footagefit.rendering.controls import Track, read_tracks
from footagefit.tasks.base import lens_coordinates

_MOST_SIDE = 4.0  # times the plate's own side that a canvas may have
_MOST_RETIME = 16
_MOST_HANDLE = 1000  # frames before or after; confidence ends long before
_ASPECT_OFF = 0.01
_COLUMNS = ("x", "y", "width", "height")
_SAY_BOX = "Say extend.reframe=1001:0,0,1920,1080,1050:96,40,1728,972, or a CSV with frame,x,y"


@dataclass(frozen=True)
class Extend:
    """What a shot is to have more of.

    Args:
        left: Columns more at the left.
        right: Columns more at the right.
        top: Rows more at the top.
        bottom: Rows more at the bottom.
        aspect: Width over height of the picture as it is shown; what is lacking is added evenly.
        overscan: Pixels outside the display window, all round, for a shake.
        reframe: The part of the plate that is shown, in its pixels from the top left, by frame:
            `1001:0,0,1920,1080,1050:96,40,1728,972`, or a CSV or JSON file of it.
        head: Frames before the first.
        tail: Frames after the last.
        retime: How many times as long it gets: 2 puts a frame between each two.
    """

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0
    aspect: float | None = None
    overscan: int = 0
    reframe: str | None = None
    head: int = 0
    tail: int = 0
    retime: float = 1.0

    def __post_init__(self) -> None:
        for name in ("left", "right", "top", "bottom", "overscan", "head", "tail"):
            if getattr(self, name) < 0:
                raise WrongValue(
                    f"extend.{name}: {getattr(self, name)} is below 0",
                    hint=f"Say extend.{name}=64, or extend.reframe= to show less",
                )
        for name in ("head", "tail"):
            if getattr(self, name) > _MOST_HANDLE:
                raise WrongValue(
                    f"extend.{name}: {getattr(self, name)} is over {_MOST_HANDLE} frames",
                    hint=f"Say extend.{name}=24; what goes on is told for some frames, no more",
                )
        if self.aspect is not None and not 0.1 <= self.aspect <= 10.0:
            raise WrongValue(f"extend.aspect: {self.aspect:g} is outside 0.1..10",
                             hint="Say extend.aspect=2.39")  # fmt: skip
        if not 1.0 / _MOST_RETIME <= self.retime <= _MOST_RETIME:
            raise WrongValue(f"extend.retime: {self.retime:g} is outside 0.0625..16",
                             hint="Say extend.retime=2 for twice as long")  # fmt: skip
        if self.reframe is not None and (self.sides or self.aspect is not None):
            raise UsageError(
                "extend.reframe says what is shown, and so do extend.left and the like",
                hint="Leave one of them out; extend.overscan goes with either",
            )

        path = _box_file(self.reframe)
        if path is not None:
            object.__setattr__(self, "reframe", str(path.absolute()))

    @property
    def sides(self) -> bool:
        """Whether any side was given by number."""
        return bool(self.left or self.right or self.top or self.bottom)

    @property
    def step(self) -> Fraction:
        """Plate frames that one frame of the result stands for."""
        return 1 / Fraction(self.retime).limit_denominator(1000)


class Placing(NamedTuple):
    """Where a canvas is read from: pixel (0,0)'s corner in the plate's raster, and its side there.

    Attributes:
        x: Columns from the raster's left.
        y: Rows from its top.
        scale: Plate pixels that a pixel of the canvas covers.
    """

    x: float
    y: float
    scale: float

    @property
    def whole(self) -> bool:
        """Whether pixels fall on pixels."""
        return self.scale == 1.0 and float(self.x).is_integer() and float(self.y).is_integer()


class Canvas:
    """The pictures that come out, and what of the plate lies in them.

    Args:
        info: The plate's.
        extend: What was asked for.
    """

    def __init__(self, info: ClipInfo, extend: Extend | None = None) -> None:
        self.plate, self.extend = info, extend or Extend()
        left, right, top, bottom = self._more()
        display = info.display
        grown = Box(
            display.x, display.y, display.width + left + right, display.height + top + bottom
        )
        over = self.extend.overscan
        wide = Box(grown.x - over, grown.y - over, grown.width + 2 * over, grown.height + 2 * over)
        self._track = None if self.extend.reframe is None else _box_track(self.extend.reframe)
        moved = info.raster._replace(x=info.raster.x + left, y=info.raster.y + top)
        self.raster = wide if self._track is not None else wide.union(moved)
        self.display = grown
        self._at = Placing(self.raster.x - moved.x, self.raster.y - moved.y, 1.0)
        self._check()

    def _more(self) -> tuple[int, int, int, int]:
        """Left, right, top and bottom, what the aspect asks for in them."""
        e, display = self.extend, self.plate.display
        left, right, top, bottom = e.left, e.right, e.top, e.bottom
        if e.aspect is None:
            return left, right, top, bottom
        width, height = display.width + left + right, display.height + top + bottom
        wanted = 2 * round(height * e.aspect / self.plate.pixel_aspect / 2)
        if wanted >= width:
            more = wanted - width
            return left + more // 2, right + more - more // 2, top, bottom
        more = 2 * round(width * self.plate.pixel_aspect / e.aspect / 2) - height
        return left, right, top + more // 2, bottom + more - more // 2

    def _check(self) -> None:
        for name, now, before in (
            ("wide", self.raster.width, self.plate.raster.width),
            ("high", self.raster.height, self.plate.raster.height),
        ):
            if now > _MOST_SIDE * before:
                raise WrongValue(
                    f"the picture would be {now} pixels {name}, and the plate is {before}",
                    path=self.plate.path,
                    hint=f"Ask for at most {_MOST_SIDE:g} times the plate's side",
                )
        if self._track is None:
            return
        for frame, box in self._track.boxes():
            aspect = box.width / box.height
            own = self.plate.display.width / self.plate.display.height
            if abs(aspect / own - 1.0) > _ASPECT_OFF:
                raise WrongValue(
                    f"extend.reframe: a box of {box.width:g} x {box.height:g} has another shape "
                    f"than the plate ({self.plate.display.width} x {self.plate.display.height})",
                    frame=frame,
                    hint="Give boxes the plate's shape, or only x and y",
                )

    @property
    def grows(self) -> bool:
        """Whether pictures show anything but what the plate's own raster shows."""
        return self._track is not None or self.raster != self.plate.raster

    @property
    def moves(self) -> bool:
        """Whether the plate lies elsewhere in each frame."""
        return self._track is not None

    @property
    def boxes(self) -> str:
        """The keyed boxes, wherever they were read from; empty where there are none."""
        return "" if self._track is None else repr(self._track)

    @property
    def plate_box(self) -> Box:
        """Where the plate's display window lies in the canvas, of one on which it stands still."""
        own = self.plate
        x, y = own.display.x - own.raster.x, own.display.y - own.raster.y
        return own.display._replace(x=x - int(self._at.x), y=y - int(self._at.y))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.raster.height, self.raster.width

    def placing(self, frame: float) -> Placing:
        """Where the canvas is read from at a moment of the plate."""
        if self._track is None:
            return self._at
        box = self._track.at(frame, self.plate.display)
        scale = box.width / self.plate.display.width
        scale = 1.0 if abs(scale - 1.0) < 1e-6 else scale
        over, own = self.extend.overscan, self.plate
        x = box.x - over * scale + own.display.x - own.raster.x
        y = box.y - over * scale + own.display.y - own.raster.y
        return Placing(round(x, 4), round(y, 4), scale)

    def lens(self, frame: float, *, signature: Mapping[str, object]) -> Tensor:
        """Where each pixel lies behind the lens (2,H,W), beyond what the plate shows too."""
        at, own = self.placing(frame), self.plate
        x = at.x + own.raster.x - own.display.x
        y = at.y + own.raster.y - own.display.y
        wide, high = own.display.width, own.display.height
        part = (
            x / wide,
            y / high,
            (x + at.scale * self.raster.width) / wide,
            (y + at.scale * self.raster.height) / high,
        )
        return lens_coordinates(self.size, frame=part, aspect=wide / high, signature=signature)

    def info(self, numbers: Sequence[int]) -> ClipInfo:
        """Of the clip that comes out.

        Args:
            numbers: All of its frames, ascending.
        """
        own = self.plate
        timecode = own.timecode
        if timecode is not None and own.rate is not None:
            timecode = shifted(timecode, numbers[0] - own.first_frame, own.rate)
        return replace(
            own,
            raster=self.raster,
            display=self.display,
            data=self.raster if self.grows else own.data,
            first_frame=numbers[0],
            length=numbers[-1] - numbers[0] + 1,
            missing=(),
            timecode=timecode,
        )


class _Part(NamedTuple):
    """A box in the plate's display window."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class _BoxTrack:
    """A keyframed box; without width and height it has the plate's."""

    x: Track
    y: Track
    width: Track | None
    height: Track | None

    def at(self, frame: float, display: Box) -> _Part:
        width = display.width if self.width is None else self.width.at(frame)
        height = display.height if self.height is None else self.height.at(frame)
        return _Part(self.x.at(frame), self.y.at(frame), width, height)

    def boxes(self) -> list[tuple[int, _Part]]:
        """Boxes at the keys that give a size."""
        if self.width is None:
            return []
        return [(f, self.at(f, Box(0, 0, 1, 1))) for f, _ in self.width.keys]


def _box_file(text: str | None) -> Path | None:
    """The file that boxes are to be read from; None where they are written out."""
    path = None if text is None else Path(text).expanduser()
    return path if path is not None and path.suffix.lower() in (".csv", ".json") else None


def _box_track(text: str) -> _BoxTrack:
    path = _box_file(text)
    if path is not None:
        return _of_columns(read_tracks(path), path)
    rows: dict[int, list[float]] = {}
    frame = 0
    try:
        for word in text.strip().strip("{}").split(","):
            before, colon, after = word.partition(":")
            frame = int(before) if colon else frame
            rows.setdefault(frame, []).append(float(after if colon else word))
    except ValueError as error:
        raise WrongValue(f"extend.reframe: {text!r} is no box", hint=_SAY_BOX) from error
    counts = {len(values) for values in rows.values()}
    if counts not in ({2}, {4}):
        raise WrongValue(f"extend.reframe: {text!r} is no box", hint=_SAY_BOX)
    names = _COLUMNS[: counts.pop()]
    columns = {
        name: Track(tuple((f, values[i]) for f, values in sorted(rows.items())))
        for i, name in enumerate(names)
    }
    return _of_columns(columns, None)


def _of_columns(columns: dict[str, Track], path: Path | None) -> _BoxTrack:
    wrong = sorted(set(columns) - set(_COLUMNS))
    if wrong or not {"x", "y"} <= set(columns) or ("width" in columns) != ("height" in columns):
        raise UsageError(
            f"no box: its columns are {', '.join(columns) or 'none'}",
            path=path,
            hint="Give frame, x, y, and width and height where the box is not the plate's size",
        )
    for name in ("width", "height"):
        if name in columns and min(value for _, value in columns[name].keys) < 16:
            raise WrongValue(f"extend.reframe: a {name} below 16 pixels", path=path, hint=_SAY_BOX)
    width, height = columns.get("width"), columns.get("height")
    return _BoxTrack(columns["x"], columns["y"], width, height)


class Timeline:
    """Frames of the result over those of the plate.

    Args:
        first: First frame of the plate's shot.
        last: Its last.
        extend: What was asked for.
    """

    def __init__(self, first: int, last: int, extend: Extend | None = None) -> None:
        extend = extend or Extend()
        self.first, self.step = first, extend.step
        inner = math.floor((last - first) / self.step)
        self.numbers = list(range(first - extend.head, first + inner + extend.tail + 1))

    def at(self, number: int) -> Fraction:
        """Where a frame of the result stands in the plate."""
        return self.first + (number - self.first) * self.step

    def frame_of(self, number: int) -> int | None:
        """The plate's frame of that very moment, whether it exists or not; None between two."""
        at = self.at(number)
        return int(at) if at.denominator == 1 else None

    def shown(self, there: Sequence[int]) -> list[int]:
        """Frames of the result whose pictures the plate has.

        Args:
            there: Frames that the plate has.
        """
        have = set(there)
        return [n for n in self.numbers if self.frame_of(n) in have]

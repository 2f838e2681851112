"""Scene and take by what is written on a slate, where a text recogniser is installed.

Here: rapidocr's lines of a picture, and what lines on a board come to. Not here: which frames are a
slate (`leaders`), scene and take by file names (`names`) and logs (`linking`). The recogniser's
package carries its weights; nothing is downloaded.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from footagefit.dailies.entries import SLATE, Part, Slate
from footagefit.dailies.names import tidy
from footagefit.errors import FootagefitError, MissingPart

if TYPE_CHECKING:
    from footagefit.footage.clip import Clip

_PACKAGES = ("rapidocr_onnxruntime", "rapidocr")
_SURE = 0.6  # of a line
_FRAMES = 3  # of a board that are read at most
_LONG_SIDE_PX = 960
_FIELDS = {
    "scene": r"SCENE|SCN|SC|SLATE", "take": r"TAKE|TK", "roll": r"ROLL|REEL|MAG",
    "camera": r"CAMERA|CAM",
}  # fmt: skip
_GAP = r"[\s:.#=_-]*"
_LABELS = {
    name: re.compile(rf"^(?:{words})(?:{_GAP}(?P<value>.*))?$") for name, words in _FIELDS.items()
}
_VALUES = {  # a value says so by its form: SCOTT is no scene OTT
    "scene": re.compile(r"^(?:\d{1,4}[A-Z]{0,3}|[A-Z]{1,2}\d{1,4}[A-Z]{0,2})$"),
    "take": re.compile(r"^\d{1,3}$"),
    "roll": re.compile(r"^[A-Z]{0,2}\d{1,4}$"),
    "camera": re.compile(r"^[A-Z]$"),
}


@dataclass(frozen=True)
class Line:
    """A line of writing.

    Attributes:
        text: As read.
        box: Left, top, right and bottom.
        sure: 0 to 1.
    """

    text: str
    box: tuple[float, float, float, float]
    sure: float = 1.0


def installed() -> bool:
    """Whether a recogniser is there."""
    return any(find_spec(name) is not None for name in _PACKAGES)


def check() -> None:
    """Raise where none is there."""
    if not installed():
        raise MissingPart(
            "no text recogniser is installed", hint="Run: make extras, or say slates=names"
        )


def read_slate(clip: Clip, parts: Sequence[Part]) -> Slate:
    """What a clip's boards say; empty where nothing on them could be read.

    Args:
        clip: Open for reading.
        parts: Of the clip, as the scan found them.
    """
    found = Slate()
    for part in parts:
        if part.kind != SLATE:
            continue
        shares = [0.5, *(n / (_FRAMES - 1) for n in range(_FRAMES))]
        numbers = [part.first + round(s * (part.length - 1)) for s in shares]
        for number in list(dict.fromkeys(numbers))[:_FRAMES]:
            found = found.over(of_lines(lines_of(_picture(clip, number))))
            if found.scene and found.take:
                return found
    return found


def of_lines(lines: Sequence[Line]) -> Slate:
    """What lines on a board come to; a board at a take's end is held upside down."""
    upright = _of_upright(lines)
    if upright.scene and upright.take:
        return upright
    turned = [replace(n, box=(-n.box[2], -n.box[3], -n.box[0], -n.box[1])) for n in lines]
    return upright.over(_of_upright(turned))


def _of_upright(lines: Sequence[Line]) -> Slate:
    """Beside or under each field's name stands its value."""
    sure = [line for line in lines if line.sure >= _SURE]
    texts = [_plain(line.text) for line in sure]
    values: dict[str, str] = {}
    named: dict[int, str] = {}
    for index, text in enumerate(texts):
        for name, label in _LABELS.items():
            match = label.match(text)
            if match is None:
                continue
            value = (match["value"] or "").replace(" ", "")
            if value and _VALUES[name].match(value):
                values.setdefault(name, value)
                named[index] = ""
            elif not value:
                named.setdefault(index, name)
    for index, name in named.items():
        if not name or name in values:
            continue
        fits = [
            (_away(sure[index], other), text.replace(" ", ""))
            for other, text, place in zip(sure, texts, range(len(sure)), strict=True)
            if place not in named and _VALUES[name].match(text.replace(" ", ""))
        ]
        away, value = min(fits, default=(np.inf, ""))
        if np.isfinite(away):
            values[name] = value
    return tidy(Slate(**values))


def lines_of(picture_HWC: np.ndarray) -> list[Line]:
    """The recogniser's lines of an 8-bit RGB picture."""
    bgr = np.ascontiguousarray(picture_HWC[..., ::-1])
    package, engine = _engine()
    with np.errstate(all="ignore"):
        found = engine(bgr)
    if package == "rapidocr":
        rows = zip(_some(found.boxes), _some(found.txts), _some(found.scores), strict=True)
    else:
        rows = iter(found[0] or ())
    return [Line(str(text), _box(corners), float(sure)) for corners, text, sure in rows]


def _some(values: Any) -> Any:
    return () if values is None else values


def _box(corners: Any) -> tuple[float, float, float, float]:
    """The upright box about four corners."""
    points = np.asarray(corners, np.float64).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)


def _plain(text: str) -> str:
    return " ".join(text.upper().split()).strip(" :.|")


def _away(label: Line, value: Line) -> float:
    """How far a value stands beside or under its field's name, in heights of the name."""
    left, top, right, bottom = label.box
    x0, y0, x1, y1 = value.box
    tall = max(bottom - top, 1.0)
    shared_x = min(right, x1) - max(left, x0)
    shared_y = min(bottom, y1) - max(top, y0)
    if shared_x > 0.3 * min(right - left, x1 - x0) and y0 > top and y0 - bottom < 4 * tall:
        return abs(y0 - bottom) / tall
    if shared_y > 0.4 * min(tall, y1 - y0) and x0 > left and x0 - right < 6 * tall:
        return 1.0 + abs(x0 - right) / tall
    return float("inf")


def _picture(clip: Clip, number: int) -> np.ndarray:
    """A frame for reading: 8-bit sRGB, no larger than writing needs."""
    from footagefit.dailies.cache import made_small
    from footagefit.footage import colour
    from footagefit.signature.coordinates import channels_last

    try:
        pixels = clip.read([number]).rgb_TCHW
    except FootagefitError:
        return np.zeros((16, 16, 3), np.uint8)
    return colour.preview(channels_last(made_small(pixels, _LONG_SIDE_PX)[0]))


@lru_cache(maxsize=1)
def _engine() -> tuple[str, Any]:
    """The package and its recogniser, on one thread: scans have a process per core."""
    check()
    level = logging.getLogger().level
    try:
        if find_spec("rapidocr_onnxruntime") is not None:
            from rapidocr_onnxruntime import RapidOCR  # pyright: ignore[reportMissingImports]

            return "rapidocr_onnxruntime", RapidOCR(intra_op_num_threads=1)
        from rapidocr import RapidOCR  # pyright: ignore[reportMissingImports]

        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error"}
        return "rapidocr", RapidOCR(params=threads)
    finally:
        logging.getLogger().setLevel(level)

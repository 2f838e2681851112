"""Controls as people give them: a number, keyframes, a file of them; and their value at a frame.

What belongs here: reading them, ranges, interpolation, wedges. What does not: what a control does
(`tasks/`).

Between keyframes a control runs smoothly and monotonically (Fritsch and Carlson 1980), so that it
never overshoots a key; before the first and after the last it holds.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from footagefit.errors import UnknownName, UsageError, WrongValue
from footagefit.models.base import Amounts
from footagefit.tasks.base import Control, TaskSpec

AMOUNTS = tuple(f.name for f in fields(Amounts))  # how much of a look to follow, once decided
Asked = str | int | float | Mapping[int, float]

_SAY = "Say {name}=0.5, {name}=1001:0,1050:1 or keyframes=<JSON or CSV>"
_KEY = re.compile(r"^\s*(-?\d+)\s*:\s*([-+.\deE]+)\s*$")


@dataclass(frozen=True)
class Track:
    """One control over time.

    Attributes:
        keys: (frame, value), ascending; a single one holds everywhere.
    """

    keys: tuple[tuple[int, float], ...]

    @property
    def moves(self) -> bool:
        """Whether its value ever changes."""
        return len({value for _, value in self.keys}) > 1

    def at(self, frame: float) -> float:
        """The value at a frame, or between two."""
        first, last = self.keys[0], self.keys[-1]
        if frame <= first[0]:
            return first[1]
        if frame >= last[0]:
            return last[1]
        from scipy.interpolate import PchipInterpolator

        frames, values = zip(*self.keys, strict=True)
        with np.errstate(over="ignore"):  # a slope next to nothing: its inverse is 0 in the end
            return float(PchipInterpolator(frames, values)(frame))

    def plain(self) -> float | dict[str, float]:
        """As a manifest holds it."""
        if len(self.keys) == 1:
            return self.keys[0][1]
        return {str(frame): value for frame, value in self.keys}


class Animation:
    """All controls that were set, checked against what the fit's task takes.

    Args:
        tracks: By control name.
    """

    def __init__(self, tracks: Mapping[str, Track]) -> None:
        self.tracks = dict(sorted(tracks.items()))

    def at(self, frame: int) -> dict[str, float]:
        """What looks are decided from, at a frame: every control but the amounts."""
        return {n: t.at(frame) for n, t in self.tracks.items() if n not in AMOUNTS}

    def amounts_at(self, frame: int) -> Amounts:
        """How much of the look to follow at a frame."""
        return Amounts(**{n: t.at(frame) for n, t in self.tracks.items() if n in AMOUNTS})

    @property
    def moves(self) -> bool:
        """Whether a control that looks are decided from changes over time."""
        return any(t.moves for n, t in self.tracks.items() if n not in AMOUNTS)

    def plain(self, *, amounts: bool = True) -> dict[str, object]:
        """As a manifest holds them."""
        return {n: t.plain() for n, t in self.tracks.items() if amounts or n not in AMOUNTS}

    def replaced(self, name: str, value: float) -> Animation:
        """The same with one control held at a value."""
        return Animation({**self.tracks, name: Track(((0, value),))})


def animation(
    spec: TaskSpec,
    asked: Mapping[str, Asked],
    *,
    keyframes: Path | None = None,
    also_known: Iterable[str] = (),
) -> Animation:
    """Controls from the command line or a script, and from a file of keyframes.

    Args:
        spec: Of the fit's task: names and ranges.
        asked: Values by name; they win over the file's.
        keyframes: JSON or CSV.
        also_known: Other names worth listing where one is not known, such as a verb's keys.
    """
    tracks = {} if keyframes is None else read_tracks(keyframes)
    where = {name: keyframes for name in tracks}
    for name in [*tracks, *asked]:
        if name not in spec.controls:
            listed = [described(n, c) for n, c in spec.controls.items()]
            near = difflib.get_close_matches(name, list(also_known), n=3, cutoff=0.7)
            known = [*listed, *near]
            raise UnknownName(f"control of a {spec.name} fit", name, known, path=where.get(name))
    for name, value in asked.items():
        tracks[name] = _track(name, _worded(name, value, spec.controls[name]))
        where[name] = None
    for name, track in tracks.items():
        _check(name, track, spec, where[name])
    return Animation(tracks)


def of_plain(plain: Mapping[str, Asked]) -> Animation:
    """Controls as a manifest holds them, whatever task they were of."""
    return Animation({name: _track(name, value) for name, value in plain.items()})


def described(name: str, control: Control) -> str:
    """A control with its range, as lists show it."""
    if control.choices:
        return f"{name} ({' or '.join(control.choices)})"
    return f"{name} ({control.low:g}..{control.high:g}{' ' + control.unit if control.unit else ''})"


def wedge_values(text: str) -> tuple[str, list[float]]:
    """A wedge's control and values: `light.azimuth_deg=-60:60:30`, the end included."""
    name, equals, span = text.partition("=")
    try:
        low, high, step = (float(part) for part in span.split(":"))
        count = int((high - low) / step + 1e-6) + 1
    except (ValueError, ZeroDivisionError) as error:
        raise WrongValue(
            f"wedge: {text!r} is not a wedge", hint="Say wedge=strength=0:1:0.25"
        ) from error
    if not equals or not name.strip() or not 1 <= count <= 64:
        raise WrongValue(
            f"wedge: {text!r} gives {count} pictures, 1 to 64 are possible",
            hint="Say wedge=strength=0:1:0.25",
        )
    return name.strip(), [round(low + i * step, 9) for i in range(count)]


def _check(name: str, track: Track, spec: TaskSpec, path: Path | None) -> None:
    control = spec.controls[name]
    for frame, value in track.keys:
        if not control.low <= value <= control.high:
            at = f" at frame {frame}" if len(track.keys) > 1 else ""
            raise WrongValue(
                f"{name}: {value:g}{at} is outside {described(name, control)}",
                path=path,
                hint=f"Say {name}=<{control.low:g} to {control.high:g}>",
            )


def _worded(name: str, value: Asked, control: Control) -> Asked:
    """A word of the control's choices as its number."""
    if not control.choices or not isinstance(value, str):
        return value
    word = value.strip()
    if word in control.choices:
        return control.choices.index(word)
    if any(c.isalpha() for c in word):
        raise UnknownName(name, word, control.choices, hint=f"Say {name}={control.choices[0]}")
    return value


def _track(name: str, asked: Asked) -> Track:
    if isinstance(asked, Mapping):
        return _of_pairs(name, asked.items())
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        return Track(((0, _number(name, asked)),))
    text = str(asked).strip().removeprefix("{").removesuffix("}")
    if ":" not in text:
        return Track(((0, _number(name, text)),))
    pairs = []
    for item in text.split(","):
        match = _KEY.match(item)
        if match is None:
            raise WrongValue(
                f"{name}: {item.strip()!r} is no keyframe", hint=_SAY.format(name=name)
            )
        pairs.append((match[1], match[2]))
    return _of_pairs(name, pairs)


def _of_pairs(name: str, pairs: Iterable[tuple[object, object]]) -> Track:
    keys: dict[int, float] = {}
    for frame, value in pairs:
        try:
            number = int(str(frame))
        except ValueError as error:
            raise WrongValue(
                f"{name}: {frame!r} is no frame number", hint=_SAY.format(name=name)
            ) from error
        keys[number] = _number(name, value)
    if not keys:
        raise WrongValue(f"{name}: no keyframes", hint=_SAY.format(name=name))
    return Track(tuple(sorted(keys.items())))


def _number(name: str, value: object) -> float:
    try:
        number = float(str(value))
    except ValueError as error:
        raise WrongValue(
            f"{name}: {value!r} is not a number", hint=_SAY.format(name=name)
        ) from error
    if number != number or abs(number) == float("inf"):
        raise WrongValue(f"{name}: {value!r} is not a number", hint=_SAY.format(name=name))
    return number


def read_tracks(path: Path) -> dict[str, Track]:
    """Values over time by name, from JSON or CSV."""
    path = path.expanduser()
    if not path.is_file():
        raise UsageError("no such file", path=path, hint="keyframes= takes a JSON or CSV file")
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _of_csv(text) if path.suffix.lower() == ".csv" else json.loads(text)
    except (ValueError, UnicodeDecodeError, csv.Error) as error:
        line = " ".join(str(error).split())
        raise UsageError(
            f"not keyframes ({line})",
            path=path,
            hint='JSON: {"strength": {"1001": 0, "1050": 1}}; CSV: a column frame, then one each',
        ) from error
    if not isinstance(rows, dict):
        raise UsageError("not keyframes: expected controls by name", path=path)
    return {str(name): _track(str(name), value) for name, value in rows.items()}


def _of_csv(text: str) -> dict[str, dict[int, float]]:
    """Columns by name, rows by `frame`; empty cells are no keyframes."""
    tracks: dict[str, dict[int, float]] = {}
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if "frame" not in (reader.fieldnames or ()):
        raise ValueError("no column `frame`")
    for row in reader:
        frame = int(row["frame"])
        for name, cell in row.items():
            if name and name != "frame" and cell and cell.strip():
                tracks.setdefault(name.strip(), {})[frame] = float(cell)
    return tracks

"""What an evaluation found, as plain records and JSON: the table, the card and the report read it.

What belongs here: the records, writing and reading them. What does not: judging (`judge.py`),
statistics (`intervals.py`), tables (`tables.py`).

`evaluation.json` is one `Evaluation`; every field below is a key of it. Paths in it are relative
to the folder it lies in. Numbers that cannot be told (one frame has no flicker) are left out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from footagefit.errors import WrongValue

FORMAT = 1
RESULT = "evaluation.json"
Table = dict[str, dict[str, float]]  # method: metric: value


@dataclass(frozen=True)
class Interval:
    """A mean over shots and its 95 % bootstrap interval; `shots` says over how many."""

    mean: float
    low: float
    high: float
    shots: int


@dataclass(frozen=True)
class Metric:
    """A column: its name, unit, colour space, and which way is better (`up`, `down`, `none`)."""

    name: str
    unit: str
    space: str
    better: str
    about: str


@dataclass(frozen=True)
class Method:
    """A row. Kinds: `fit`, `against`, `base`, `nothing`, `classical`, `oracle`, `keyframe`.

    An oracle sees the target of the very frame; a keyframe method sees one solved frame of the
    shot, which is not among the judged ones.
    """

    name: str
    kind: str
    about: str


@dataclass(frozen=True)
class Picture:
    """An 8-bit display picture of a judged frame; `method` may be plate, reference or target."""

    method: str
    frame: int
    draw: int
    why: str  # middle, worst (the frame the fit gained least on), or run: one of those played
    path: str


@dataclass(frozen=True)
class Example:
    """One judged frame under one drawn mismatch.

    Attributes:
        draw: Which mismatch; the same for all frames of a shot.
        frame: As the file numbers it.
        reference: Shot and frame it had to sit beside.
        metrics: By method and metric.
    """

    draw: int
    frame: int
    reference: tuple[str, int] | None
    metrics: Table


@dataclass(frozen=True)
class ShotResult:
    """A judged shot.

    Attributes:
        shot: Its name in the catalogue.
        scene: The script's.
        setup: Takes of one set-up share it.
        take: As slated.
        clip: The medium that was read, relative to the show's work folder.
        content: The medium's content hash.
        frames: Judged frames.
        keyframe: The frame that keyframe methods were shown solved.
        metrics: Means over examples, and over draws for what needs a run of frames.
        examples: Every judged frame.
        pictures: Of the middle frame and of the worst.
    """

    shot: str
    scene: str
    setup: str
    take: str
    clip: str
    content: str
    frames: tuple[int, ...]
    keyframe: int
    metrics: Table
    examples: tuple[Example, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Group:
    """Shots together: kind is `all`, `scene` or `setup`."""

    kind: str
    name: str
    shots: tuple[str, ...]
    metrics: dict[str, dict[str, Interval]]


@dataclass(frozen=True)
class Gain:
    """How much better the fit is than a method, shot by shot; positive is better, whatever way."""

    method: str
    metric: str
    gain: Interval


@dataclass(frozen=True)
class Regression:
    """A shot on which the fit does worse than the one it is set against."""

    shot: str
    metric: str
    fit: float
    against: float
    worse_by: float


@dataclass(frozen=True)
class FitRecord:
    """A fit that was judged: where it lies (relative), its weights' hash, card, loss curves.

    `curves` are the run's own: name to a list of (step, value).
    """

    name: str
    path: str
    hash: str
    card: dict[str, Any]
    curves: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Evaluation:
    """A fit on a show's held-out shots.

    Attributes:
        format: Of this file.
        code_version: Of what wrote it.
        show: Name of the show.
        task: Name of the task.
        exposure_ev: Stops that pictures were shown at.
        fit: What was judged.
        against: What it was set against, or None.
        settings: Frames, draws, seed and the like: the same give the same numbers.
        leak_check: One line: what was checked and found.
        lpips: The backbone's file name and hash, or why there is none.
        methods: Rows, best guess last.
        metrics: Columns.
        shots: Every judged shot.
        groups: All, by scene, by set-up.
        gains: Of the fit over every other method.
        regressions: Worst first; empty where nothing is set against.
    """

    show: str
    task: str
    exposure_ev: float
    fit: FitRecord
    against: FitRecord | None
    settings: dict[str, Any]
    leak_check: str
    lpips: str
    methods: tuple[Method, ...]
    metrics: tuple[Metric, ...]
    shots: tuple[ShotResult, ...]
    groups: tuple[Group, ...]
    gains: tuple[Gain, ...]
    regressions: tuple[Regression, ...] = ()
    code_version: str = ""
    format: int = field(default=FORMAT)


def write(record: Any, path: Path) -> Path:
    """A record as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    text = json.dumps(dataclasses.asdict(record), indent=1, ensure_ascii=False, allow_nan=False)
    part.write_text(text + "\n", encoding="utf-8")
    os.replace(part, path)
    return path


def read(path: Path) -> Evaluation:
    """An evaluation from its JSON, or from the folder that holds it."""
    path = path / RESULT if path.is_dir() else path
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongValue("no evaluation there", path=path, hint="footagefit evaluate") from error
    if raw.get("format") != FORMAT:
        raise WrongValue(
            f"format {raw.get('format')!r}, and this version reads {FORMAT}", path=path
        )
    return typing.cast(Evaluation, from_plain(Evaluation, raw))


def from_plain(hint: Any, raw: Any) -> Any:
    """A record of these from what JSON gave."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return (
            None if raw is None else from_plain(next(i for i in inner if i is not type(None)), raw)
        )
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        made = {k: from_plain(hints[k], v) for k, v in raw.items() if k in hints}
        return typing.cast(Any, hint)(**made)
    if origin is tuple:
        each = inner[:1] * len(raw) if inner[-1] is Ellipsis else inner
        return tuple(from_plain(h, v) for h, v in zip(each, raw, strict=True))
    if origin is list:
        return [from_plain(inner[0], v) for v in raw]
    if origin is dict:
        return {k: from_plain(inner[1], v) for k, v in raw.items()}
    return raw

"""Several fits on the same frames: their pictures, and what a report says of them as plain data.

What belongs here: which pictures a report keeps, and the data that its page reads. What does not:
judging (`judge.py`), the page (`report/`), finding shots (`commands/compare.py`).

A report's folder::

    index.html page/            what is looked at, see `report/side_by_side.py`
    shots/<shot>/               <column>.<frame>.jpg at 1:1, loop/ to play, strip.jpg, samples.js
    judged/<column>/shots/      a finished shot of one fit: a killed or a wider job goes on

Columns are `reference`, `plate`, `target`, and one for each fit, named by its weights' hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.evaluation import intervals, ways
from footagefit.evaluation.examples import Drawn
from footagefit.evaluation.judge import Keeps, safe
from footagefit.evaluation.results import Interval, Metric, Picture, ShotResult
from footagefit.footage.colour import preview
from footagefit.footage.view import View
from footagefit.report import page, pictures

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from footagefit.dailies.entries import Shot

REFERENCE, PLATE, TARGET = "reference", "plate", "target"
GIVEN = (REFERENCE, PLATE, TARGET)
CELL = (208, 117)  # pixels of a grid's cell
_LOOP_QUALITY = 85
_STRIP_QUALITY = 82


@dataclass(frozen=True)
class Column:
    """What stands in one column of the grid.

    Attributes:
        key: In file names and data; a fit's begins with `fit_`.
        label: For people.
        results: Of every shot; empty for the reference and the target.
        hash: Of a fit's weights.
        recipe: A fit's settings, flat.
        curves: Its run's, by name.
        chain: What it was made from, itself first.
        approvals: So far.
        remarks: Picks and notes so far.
    """

    key: str
    label: str
    results: Sequence[ShotResult] = ()
    hash: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    chain: Sequence[Mapping[str, Any]] = ()
    approvals: Sequence[Mapping[str, Any]] = ()
    remarks: Sequence[Mapping[str, Any]] = ()


def _as_ever(shot: Shot) -> View:
    """Scene-linear light through the ACES view."""
    return View()


@dataclass(frozen=True)
class Shelf:
    """Where a report keeps its pictures, and how.

    Attributes:
        folder: The report's.
        view: How a shot's pictures are shown: one way for all columns.
        form: Of pictures at 1:1; those to play are always JPEG.
        loop_px: Long side of pictures to play; 0 plays nothing.
    """

    folder: Path
    view: Callable[[Shot], View] = _as_ever
    form: pictures.Form = "jpeg"
    loop_px: int = 640

    def keeper(self, key: str, judged: Path) -> Keeps:
        """What keeps a column's pictures; the plate's keeper keeps target and reference as well.

        Args:
            key: The column.
            judged: The folder that pictures' paths are told from.
        """

        def keeps(
            shot: Shot, drawn: Sequence[Drawn], made: Mapping[str, Sequence[Tensor]]
        ) -> list[Picture]:
            view = self.view(shot)
            columns: dict[str, list[Tensor]] = {}
            if key == PLATE:
                columns[PLATE] = [d.pair.given.plate[0] for d in drawn]
                columns[TARGET] = [d.pair.target[0] for d in drawn]
            else:
                columns[key] = [light[0] for light in made[ways.FIT]]
            found = []
            still = len(drawn) // 2
            for name, lights in columns.items():
                for index, light in enumerate(lights):
                    shown = _shown(light, view)
                    number = drawn[index].frame
                    if index == still:
                        found.append(self._still(shot, name, number, shown, judged))
                    if self.loop_px and len(lights) > 1:
                        found.append(self._played(shot, name, number, shown, judged))
            beside = drawn[still].pair.given.reference
            if key == PLATE and beside.shape[1]:
                shown = _shown(beside[0, 0], view)
                found.append(self._still(shot, REFERENCE, drawn[still].frame, shown, judged))
            return found

        return keeps

    def place(self, shot: str) -> Path:
        """A shot's folder."""
        return self.folder / "shots" / safe(shot)

    def _still(
        self, shot: Shot, column: str, frame: int, shown: np.ndarray, judged: Path
    ) -> Picture:
        name = f"{column}.{frame}{pictures.SUFFIX[self.form]}"
        path = pictures.save(shown, self.place(shot.name) / name, form=self.form)
        return Picture(column, frame, 0, "middle", _relative(path, judged))

    def _played(
        self, shot: Shot, column: str, frame: int, shown: np.ndarray, judged: Path
    ) -> Picture:
        path = self.place(shot.name) / "loop" / f"{column}.{frame}.jpg"
        small = pictures.shrunk(shown, self.loop_px)
        pictures.save(small, path, quality=_LOOP_QUALITY)
        return Picture(column, frame, 0, "run", _relative(path, judged))


def _shown(light_CHW: Tensor, view: View) -> np.ndarray:
    import numpy as np

    return preview(np.ascontiguousarray(light_CHW.permute(1, 2, 0).float().numpy()), view)


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path, start)).as_posix()


@dataclass(frozen=True)
class Told:
    """What a report says of all its fits together.

    Attributes:
        show: Its name.
        task: Its name.
        exposure_ev: Of all pictures.
        settings: Frames, draws, seed and the like.
        leak_check: By column.
        lpips: The backbone, or why there is none.
        code_version: Of what made it.
    """

    show: str
    task: str
    exposure_ev: float
    settings: Mapping[str, Any]
    leak_check: Mapping[str, str]
    lpips: str
    code_version: str


def gather(
    told: Told, columns: Sequence[Column], shots: Sequence[Shot], metrics: Sequence[Metric],
    *, shelf: Shelf, rates: Mapping[str, Fraction | None],
) -> dict[str, Any]:  # fmt: skip
    """All that the page reads, and the small pictures it opens with, shot by shot.

    Args:
        told: Of the whole.
        columns: Reference, plate and target where they are, then fits, as they stand in the grid.
        shots: Those judged.
        metrics: In the order they are listed.
        shelf: Where the pictures lie.
        rates: Frames a second, by shot.
    """
    judged = [c for c in columns if c.results]
    there = {k for c in judged for s in c.results for row in s.metrics.values() for k in row}
    metrics = [m for m in metrics if m.name in there]
    merged = _merged(judged)
    everything = intervals.group("all", "all", merged)
    gains: dict[str, dict[str, dict[str, list[float]]]] = {}
    for column in judged:
        over = gains.setdefault(column.key, {})
        for one in intervals.gains(merged, fit=column.key, metrics=metrics):
            over.setdefault(one.method, {})[one.metric] = _span(one.gain)
    return {
        "id": _identity(told),
        "show": told.show,
        "task": told.task,
        "exposureEv": told.exposure_ev,
        "settings": dict(told.settings),
        "lpips": told.lpips,
        "madeBy": f"footagefit {told.code_version}",
        "cell": list(CELL),
        "metrics": [
            {"name": m.name, "unit": m.unit, "space": m.space, "better": m.better, "about": m.about}
            for m in metrics
        ],
        "columns": [_column(c, told) for c in columns],
        "shots": [
            _shot(shot, columns, index, metrics, shelf=shelf, rate=rates.get(shot.name))
            for index, shot in enumerate(shots)
        ],
        "means": {
            method: {k: _span(i) for k, i in row.items()}
            for method, row in everything.metrics.items()
        },
        "gains": gains,
    }


def _identity(told: Told) -> str:
    """What decisions are kept under in a browser: fits may come and go, the frames stay."""
    text = repr((told.show, told.task, sorted(told.settings.items()), told.exposure_ev))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _merged(judged: Sequence[Column]) -> list[ShotResult]:
    """Each shot once, with what every column measured on it."""
    rows = zip(*(c.results for c in judged), strict=True)
    return [
        replace(
            row[0],
            metrics={c.key: _only(s) for c, s in zip(judged, row, strict=True)},
            examples=(),
        )
        for row in rows
    ]


def _only(result: ShotResult) -> dict[str, float]:
    return next(iter(result.metrics.values()))


def _span(found: Interval) -> list[float]:
    return [_short(v) for v in (found.mean, found.low, found.high)]


def _short(value: float) -> float:
    """Five digits that tell: a page's data is mostly these."""
    return float(f"{value:.5g}")


def _column(column: Column, told: Told) -> dict[str, Any]:
    plain: dict[str, Any] = {"key": column.key, "label": column.label, "fit": bool(column.hash)}
    if column.hash:
        plain |= {
            "hash": column.hash,
            "leakCheck": told.leak_check.get(column.key, ""),
            "recipe": dict(column.recipe),
            "curves": {
                name: [[_short(v) for v in axis] for axis in zip(*points, strict=True)]
                for name, points in column.curves.items()
                if points
            },
            "chain": [dict(one) for one in column.chain],
            "approvals": [dict(one) for one in column.approvals],
            "remarks": [dict(one) for one in column.remarks],
        }
    return plain


def _shot(
    shot: Shot, columns: Sequence[Column], index: int, metrics: Sequence[Metric], *,
    shelf: Shelf, rate: Fraction | None,
) -> dict[str, Any]:  # fmt: skip
    result = next(c.results[index] for c in columns if c.results)
    still = result.frames[len(result.frames) // 2]
    place = shelf.place(shot.name)
    suffix = pictures.SUFFIX[shelf.form]
    shown = {
        c.key: pictures.read(path)
        for c in columns
        if (path := place / f"{c.key}.{still}{suffix}").is_file()
    }
    _small(place, shot.name, [c.key for c in columns], shown)
    height, width = next(iter(shown.values())).shape[:2]
    values = {
        c.key: [None if (v := _only(c.results[index]).get(m.name)) is None else _short(v)
                for m in metrics]
        for c in columns if c.results
    }  # fmt: skip
    return {
        "name": shot.name,
        "scene": shot.scene,
        "setup": shot.setup,
        "take": result.take,
        "clip": result.clip,
        "first": shot.first,
        "last": shot.last,
        "rate": float(rate or 24),
        "frames": list(result.frames),
        "still": still,
        "folder": f"shots/{safe(shot.name)}",
        "suffix": suffix,
        "size": [width, height],
        "has": list(shown),
        "plays": bool(shelf.loop_px) and len(result.frames) > 1,
        "values": values,
    }


def _small(
    place: Path, name: str, keys: Sequence[str], shown: Mapping[str, np.ndarray]
) -> None:  # fmt: skip
    """The row of the grid, and the pixels that scopes read."""
    row = pictures.strip([shown.get(key) for key in keys], cell=CELL)
    pictures.save(row, place / "strip.jpg", quality=_STRIP_QUALITY)
    taken = {
        key: pictures.data_uri(pictures.encoded(pictures.samples(pixels), form="png"))
        for key, pixels in shown.items()
    }
    # A script, since a page opened from a file may not read the pixels of another file.
    call = f"footagefit.scopes.take({page.as_script(name)},{page.as_script(taken)});\n"
    page.written(place / "samples.js", call)


def flat(settings: Mapping[str, Any], *, under: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; lists as text."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{under}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, under=f"{name}.")
        else:
            several = isinstance(value, list | tuple)
            found[name] = ", ".join(str(v) for v in value) if several else value
    return found

"""A house's own one-light-at-a-time footage, taken into the truth schema.

A folder per subject (or one subject's folder): pictures in name order, one light each, beside a
table of lights: three numbers a picture (a direction in camera axes, +x right, +y up, +z to the
camera; rows or columns), or a CSV with columns `x,y,z` or `azimuth_deg,elevation_deg`, and
`file` where the order differs. Optional beside them: `mask.*`, and `normals.*` stored signed in
EXR or as 0..1 elsewhere. A source's light is kept whole as `direct`: nobody measured the bounce.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from footagefit.errors import AlreadyThere, UnreadableClip, WrongValue
from footagefit.soundstage import truth

if TYPE_CHECKING:
    from torch import Tensor

_PICTURES = (".exr", ".tif", ".tiff", ".png", ".dpx", ".jpg", ".jpeg")
_TABLES = ("lights.csv", "lights.txt", "light_directions.csv", "light_directions.txt")
_BESIDE = ("mask", "normals", "normal", "ambient")
FRAME = 1001


@dataclass(frozen=True)
class Subject:
    """One subject under its lights.

    Attributes:
        name: Its folder's name.
        pictures: One a light.
        directions: Unit vectors to the lights, in camera axes.
        mask: Where the subject is, or None.
        normals: Its normals, or None.
    """

    name: str
    pictures: tuple[Path, ...]
    directions: tuple[tuple[float, float, float], ...]
    mask: Path | None = None
    normals: Path | None = None


def subjects(folder: Path) -> list[Subject]:
    """The subjects of a folder: itself where it holds a table, else each folder in it that does."""
    if not folder.is_dir():
        raise UnreadableClip("no such folder", path=folder, hint="Check import=")
    if _table(folder) is not None:
        return [_subject(folder)]
    found = [_subject(f) for f in sorted(folder.iterdir()) if f.is_dir() and _table(f) is not None]
    if not found:
        raise UnreadableClip(
            "no table of lights",
            path=folder,
            hint=f"Put {' or '.join(_TABLES[:2])} by the pictures",
        )
    return found


def import_lights(found: Sequence[Subject], out: Path, *, space: str = "auto") -> Iterator[Subject]:
    """Write each subject's truth; yields each as it is done, and goes on where it stopped.

    Args:
        found: What to take in.
        out: Folder of the show.
        space: Colour space of the pictures where the files do not say.
    """
    path = out / "truth" / "show.json"
    plan = {
        "version": truth.VERSION,
        "imported": [{"shot": s.name, "lights": len(s.pictures)} for s in found],
        "space": space,
    }
    if path.is_file():
        if truth.read_json(path) != plan:
            raise AlreadyThere("another show is here", path=out, hint="Choose another out=")
    elif out.exists() and any(out.iterdir()):
        raise AlreadyThere(
            "the folder is not empty and holds no staged show", path=out, hint="Choose another out="
        )
    truth.write_json(path, plan)
    for subject in found:
        if not (out / "truth" / subject.name / "shot.json").is_file():
            _take_in(subject, out, space)
        yield subject


def _take_in(subject: Subject, out: Path, space: str) -> None:
    layers: dict[str, Tensor] = {}
    size = None
    for index, picture in enumerate(subject.pictures):
        pixels = _pixels(picture, space)
        if size not in (None, tuple(pixels.shape)):
            raise UnreadableClip(
                "is not the size of the pictures before it", path=picture,
                hint="All pictures of a subject need one size",
            )  # fmt: skip
        size = tuple(pixels.shape)
        layers[f"light.{_source(index)}.direct"] = pixels
    if subject.mask is not None:
        layers["mask"] = (_pixels(subject.mask, "lin_ap1")[:1] > 0.5).float()
    if subject.normals is not None:
        layers["normals"] = _normals(subject.normals)
    truth.write_frame(out, subject.name, FRAME, layers)
    truth.write_shot(out, subject.name, _record(subject, space))


def _record(subject: Subject, space: str) -> dict[str, object]:
    sources = []
    pairs = zip(subject.pictures, subject.directions, strict=True)
    for index, (picture, (x, y, z)) in enumerate(pairs):
        sources.append({
            "name": _source(index), "file": picture.name,
            "azimuth_deg": math.degrees(math.atan2(x, z)),
            "elevation_deg": math.degrees(math.asin(max(-1.0, min(1.0, y)))),
        })  # fmt: skip
    return {"shot": subject.name, "imported": True, "space": space, "sources": sources,
            "frames": {"first": FRAME, "last": FRAME}}  # fmt: skip


def _source(index: int) -> str:
    return f"l{index + 1:03d}"


def _pixels(path: Path, space: str) -> Tensor:
    from footagefit.footage.opening import open_clip

    with open_clip(path, space=space) as clip:
        return clip.read([clip.info.first_frame]).rgb_TCHW[0]


def _normals(path: Path) -> Tensor:
    values = _pixels(path, "lin_ap1")
    signed = values if path.suffix.lower() == ".exr" else values * 2 - 1
    return signed / signed.norm(dim=0, keepdim=True).clamp_min(1e-6)


def _table(folder: Path) -> Path | None:
    named = [folder / name for name in _TABLES if (folder / name).is_file()]
    if named:
        return named[0]
    others = [p for p in sorted(folder.glob("*")) if p.suffix.lower() in (".csv", ".txt")]
    return others[0] if len(others) == 1 and "readme" not in others[0].name.lower() else None


def _subject(folder: Path) -> Subject:
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in _PICTURES]
    beside = {p.stem.lower(): p for p in files if p.stem.lower() in _BESIDE}
    pictures = [p for p in files if p.stem.lower() not in _BESIDE]
    table = _table(folder)
    if table is None:
        raise UnreadableClip("no table of lights", path=folder)
    rows, named = _rows(table, len(pictures))
    if named:
        pictures = [folder / name for name in named]
        for picture in pictures:
            if not picture.is_file():
                raise UnreadableClip(
                    "is in the table of lights and not on disk", path=picture,
                    hint=f"Bring it, or take it out of {table.name}",
                )  # fmt: skip
    if len(rows) != len(pictures):
        raise WrongValue(
            f"{len(rows)} lights for {len(pictures)} pictures", path=table,
            hint="One light a picture, in name order",
        )  # fmt: skip
    return Subject(
        folder.name, tuple(pictures), tuple(_unit(row, table) for row in rows), beside.get("mask"),
        beside.get("normals") or beside.get("normal"),
    )  # fmt: skip


def _rows(table: Path, count: int) -> tuple[list[tuple[float, ...]], list[str]]:
    """Directions, and the files they belong to where the table says."""
    text = table.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines and any(word in lines[0].lower() for word in ("azimuth", "x,", "x;", "file")):
        return _with_header(lines, table)
    try:
        rows = [tuple(map(float, line.replace(",", " ").split())) for line in lines]
    except ValueError as error:
        raise WrongValue(f"not a number ({error})", path=table, hint="Mend that line") from error
    if len(rows) == 3 and count != 3 and all(len(row) == count for row in rows):
        rows = list(zip(*rows, strict=True))
    if any(len(row) != 3 for row in rows):
        raise WrongValue(
            "needs three numbers a picture", path=table, hint="x y z, or a CSV with a header"
        )
    return rows, []


def _with_header(lines: list[str], table: Path) -> tuple[list[tuple[float, ...]], list[str]]:
    read = csv.DictReader(lines, delimiter=";" if ";" in lines[0] else ",")
    entries = [
        {(k or "").strip().lower(): (v or "").strip() for k, v in row.items()} for row in read
    ]
    rows: list[tuple[float, ...]] = []
    try:
        for entry in entries:
            if "azimuth_deg" in entry:
                azimuth = math.radians(float(entry["azimuth_deg"]))
                height = math.radians(float(entry["elevation_deg"]))
                flat = math.cos(height)
                rows.append((math.sin(azimuth) * flat, math.sin(height), math.cos(azimuth) * flat))
            else:
                rows.append((float(entry["x"]), float(entry["y"]), float(entry["z"])))
    except (KeyError, ValueError) as error:
        raise WrongValue(
            f"row {len(rows) + 1}: {error}", path=table,
            hint="Columns x,y,z or azimuth_deg,elevation_deg",
        ) from error  # fmt: skip
    named = [entry["file"] for entry in entries if entry.get("file")]
    return rows, named


def _unit(row: tuple[float, ...], table: Path) -> tuple[float, float, float]:
    length = math.sqrt(sum(v * v for v in row))
    if not length or not math.isfinite(length):
        raise WrongValue(f"{row} is no direction", path=table, hint="Mend that line")
    return row[0] / length, row[1] / length, row[2] / length

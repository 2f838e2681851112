"""The report of several fits side by side: a folder that opens from `file://`.

What belongs here: the page's parts, how large it is, what is left over from an earlier one. What
does not: its data and pictures (`evaluation/compared.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footagefit.report import page

NAME = "side_by_side"
# In the order they run: each hangs its part on `footagefit`, the last starts them.
SCRIPTS = (
    "elements.js",
    "parts.js",
    "keys.js",
    "saved.js",
    "decisions.js",
    "otio.js",
    "order.js",
    "grid.js",
    "stage.js",
    "loops.js",
    "scopes.js",
    "viewer.js",
    "numbers.js",
    "curves.js",
    "lineage.js",
    "start.js",
)
FIRST_ROWS = 12  # rows of the grid that a tall screen shows at once


@dataclass(frozen=True)
class Size:
    """Bytes of a report: all of it, and what its first view loads."""

    all_bytes: int
    first_bytes: int


def write(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write the page beside its pictures; returns the index."""
    body = page.asset(f"{NAME}.html")
    made = page.Page(
        title=f"{data['show']}: {data['task']}, side by side",
        body=body,
        styles=[f"{NAME}.css"],
        scripts=SCRIPTS,
        data=data,
    )
    return page.write_folder(made, folder)


def size_of(folder: Path, data: Mapping[str, Any]) -> Size:
    """How large a report is, and its first view: the page, its data and the first rows."""
    first = [folder / "index.html", *_files(folder / page.FOLDER)]
    first += [folder / shot["folder"] / "strip.jpg" for shot in data["shots"][:FIRST_ROWS]]
    everything = sum(p.stat().st_size for p in _files(folder))
    return Size(everything, sum(p.stat().st_size for p in first))


def others(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Pictures and judgements of shots and fits that are not in the report."""
    kept = {shot["folder"].split("/", 1)[1]: shot for shot in data["shots"]}
    keys = {c["key"] for c in data["columns"]}
    found = [p for p in _files(folder / "shots") if not _wanted(p, folder / "shots", kept, keys)]
    found += [p for p in _files(folder / "judged")
              if p.relative_to(folder / "judged").parts[0] not in keys]  # fmt: skip
    return found


def prune(folder: Path, data: Mapping[str, Any]) -> int:
    """Remove what is of others; returns how many files that were."""
    gone = others(folder, data)
    for path in gone:
        path.unlink()
    for root in ("shots", "judged"):
        for parent in sorted((p for p in (folder / root).rglob("*") if p.is_dir()), reverse=True):
            if not any(parent.iterdir()):
                parent.rmdir()
    return len(gone)


def _files(folder: Path) -> Iterable[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _wanted(
    path: Path, shots: Path, kept: Mapping[str, Mapping[str, Any]], keys: set[str]
) -> bool:  # fmt: skip
    parts = path.relative_to(shots).parts
    shot = kept.get(parts[0])
    if shot is None:
        return False
    if path.name in ("strip.jpg", "samples.js"):
        return True
    column, _, rest = path.name.partition(".")
    frame = rest.partition(".")[0]
    if column not in keys or not frame.lstrip("-").isdigit():
        return False
    if len(parts) == 3:
        return bool(shot["plays"]) and int(frame) in shot["frames"]
    return int(frame) == shot["still"] and path.suffix == shot["suffix"]

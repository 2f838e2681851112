"""Where renders go when nobody says: the next `_v###`, and which of them is unfinished.

What belongs here: names of versions. What does not: what a job is made of (`plan.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from footagefit.footage.clip import Clip
from footagefit.footage.pattern import MOVIES, parse

RENDERS = "renders"
_VERSION = re.compile(r"_v(\d{3,})$")


def renders_folder(fit: Path) -> Path:
    """Beside the work folder of the show that a fit belongs to, else in the current folder."""
    fit = fit.resolve()
    if fit.parent.name == "fits":
        return fit.parent.parent.parent / RENDERS
    return Path.cwd() / RENDERS


def stem_of(clip: Clip, task: str) -> str:
    """The plate's name with the task's."""
    pattern = parse(clip.info.path)
    name = clip.info.path.stem if pattern is None else pattern.before.rstrip("._- ")
    return f"{name or clip.info.path.parent.name}_{task}"


def version_path(folder: Path, stem: str, number: int, clip: Clip) -> Path:
    """The pattern of a version's frames: the plate's padding and type; EXR where it is a movie."""
    pattern = parse(clip.info.path)
    pad = 4 if pattern is None else max(1, pattern.pad)
    suffix = clip.info.path.suffix.lower()
    suffix = ".exr" if suffix in MOVIES else suffix
    name = f"{stem}_v{number:03d}"
    return folder / name / f"{name}.{'#' * pad}{suffix}"


def next_version(folder: Path, stem: str, clip: Clip, *, goes_on: Callable[[Path], bool]) -> Path:
    """The latest version where that job is unfinished and this very one, else the next.

    Args:
        folder: Where versions lie.
        stem: Their name, without `_v###`.
        clip: The plate.
        goes_on: Whether a version's path holds this job, begun and not finished.
    """
    latest = 0
    for path in folder.glob(f"{stem}_v*") if folder.is_dir() else ():
        match = _VERSION.search(path.name)
        if match and path.name[: match.start()] == stem:
            latest = max(latest, int(match[1]))
    if latest:
        path = version_path(folder, stem, latest, clip)
        if goes_on(path):
            return path
    return version_path(folder, stem, latest + 1, clip)

"""Whether frames are still as they were made: files held against their manifests, and signatures.

What belongs here: finding manifests, and what is changed, missing, extra or unfinished. What does
not: signing (`signing.py`), what a job's controls mean (`rendering`), telling people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from footagefit.errors import UnreadableClip, UsageError
from footagefit.footage import signing
from footagefit.footage.manifest import manifest_path, sha256, unfinished
from footagefit.footage.pattern import of_file, parse

State = Literal["as made", "changed", "missing", "extra"]
_ENDS = "*.manifest.json"


@dataclass(frozen=True)
class File:
    """One file of a job.

    Attributes:
        name: File name.
        frame: Its number; a movie's first. None for what lies beside the frames.
        source: The clip it was made from.
        state: As it was made, changed since, gone, or never listed.
    """

    name: str
    frame: int | None
    source: str | None
    state: State


@dataclass(frozen=True)
class Checked:
    """One manifest, held against its files.

    Attributes:
        manifest: Where it lies.
        version: The footagefit that wrote it.
        job: What was asked for.
        files: Frames by number, then those that nobody listed, then what was signed beside them.
        signed: The signature, or None.
        unfinished: Whether the job was stopped, or its parts were not made one.
    """

    manifest: Path
    version: str
    job: dict[str, Any]
    files: tuple[File, ...]
    signed: signing.Signed | None
    unfinished: bool

    def names(self, state: State) -> list[str]:
        """Files in a state."""
        return [file.name for file in self.files if file.state == state]


def _quietly(files: Iterator[File], total: int) -> Iterable[File]:
    del total
    return files


Passing = Callable[[Iterator[File], int], Iterable[File]]


def manifests(path: Path) -> list[Path]:
    """Manifests in a folder and those below it; of one file, the manifest that should list it.

    Raises:
        UsageError: There is none.
    """
    path = path.expanduser()
    if path.is_dir():
        found = sorted(path.rglob(_ENDS))
    else:
        pattern = of_file(path) if parse(path) is None else parse(path)
        named = [manifest_path(path)]
        named += [] if pattern is None else [manifest_path(pattern.folder / pattern.name)]
        found = [one for one in dict.fromkeys(named) if one.is_file()]
    if not found:
        raise UsageError(
            "no manifest there, so nobody can tell what made it",
            path=path,
            hint="Name a folder that footagefit wrote into, or a frame in one",
        )
    return found


def held(manifest: Path, *, passing: Passing = _quietly) -> Checked:
    """Hold a manifest against its files.

    Args:
        manifest: One of `manifests`.
        passing: Passes files on as they are hashed, with how many there are: a bar.
    """
    whole = _read(manifest)
    folder = manifest.parent
    signed = signing.check(manifest)
    beside = {} if signed is None else signed.files
    asked: list[tuple[str, int | None, str | None, str]]
    asked = [(e["file"], int(e["frame"]), e.get("source"), e["sha256"]) for e in whole["frames"]]
    asked += [(name, None, None, digest) for name, digest in sorted(beside.items())]
    with ThreadPoolExecutor(4) as pool:
        files = pool.map(lambda one: File(*one[:3], state=_state(folder / one[0], one[3])), asked)
        every = list(passing(files, len(asked)))
    frames = [file for file in every if file.frame is not None]
    more = _extra(folder, str(whole["job"].get("out", "")), {file.name for file in frames})
    rest = [file for file in every if file.frame is None]
    return Checked(
        manifest,
        str(whole.get("footagefit", "")),
        whole["job"],
        (*frames, *more, *rest),
        signed,
        unfinished(manifest),
    )


def _state(file: Path, digest: str) -> State:
    if not file.is_file():
        return "missing"
    try:
        return "as made" if sha256(file) == digest else "changed"
    except OSError as error:
        raise UnreadableClip(f"cannot be read ({error.strerror})", path=file) from error


def _extra(folder: Path, out: str, listed: set[str]) -> list[File]:
    """Frames of the same sequence that the manifest does not list."""
    pattern = parse(folder / out) if out else None
    there = {} if pattern is None else pattern.on_disk()
    return [File(p.name, n, None, "extra") for n, p in there.items() if p.name not in listed]


def _read(path: Path) -> dict[str, Any]:
    """A manifest, with every key that is relied on."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        for entry in whole["frames"]:
            if Path(entry["file"]).name != entry["file"] or not entry["sha256"]:
                raise ValueError("not a file of this folder")
            int(entry["frame"])
        dict(whole["job"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableClip(
            "not a manifest, or cut short", path=path, hint="Render again, or bring its copy"
        ) from error
    return whole

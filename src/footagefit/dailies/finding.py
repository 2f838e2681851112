"""What lies in a show's roots: movies and sequences, and whether they changed.

Here: walking, sizes, times, partial content hashes. Not here: opening anything.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from footagefit.errors import UsageError
from footagefit.footage.pattern import MOVIES, PICTURES, Pattern, in_folder, of_file

SIDECARS = (".ale", ".edl", ".otio")
_HEAD_BYTES = 1 << 20
_PROBE_BYTES = 1 << 16
_PROBES = 8


@dataclass(frozen=True)
class Found:
    """A movie, sequence or sidecar on disk.

    Attributes:
        path: Relative to the show's work folder, with forward slashes.
        file: Where it lies; a sequence as its pattern.
        form: `movie`, `sequence` or `sidecar`.
        bytes: Of all its files.
        changed_ns: Newest modification time.
        files: A sequence's files.
    """

    path: str
    file: Path
    form: str
    bytes: int
    changed_ns: int
    files: tuple[Path, ...] = ()


def find(roots: Sequence[Path], work: Path, *, exclude: Sequence[str] = ()) -> list[Found]:
    """All footage and sidecars under the roots, by path; `work` itself is left out.

    Args:
        roots: Folders of dailies; may be read-only.
        work: The show's work folder, which paths are told from.
        exclude: Glob patterns against file names and paths below a root.
    """
    found: dict[str, Found] = {}
    for root in roots:
        if not root.is_dir():
            raise UsageError(
                "no such folder of dailies", path=root, hint="Mend roots in the show, or mount it"
            )
        for folder in _folders(root, work):
            for item in _in_folder(folder, work):
                below = item.file.relative_to(root).as_posix()
                if not any(fnmatch(below, e) or fnmatch(item.file.name, e) for e in exclude):
                    found[item.path] = item
    return [found[path] for path in sorted(found)]


def told_from(work: Path, file: Path) -> str:
    """A path as the catalogue keeps it: relative to the work folder, so that both can move."""
    here, there = work.resolve(), file.parent.resolve() / file.name
    try:
        return Path(os.path.relpath(there, here)).as_posix()
    except ValueError:  # another drive
        return there.as_posix()


def content_of(item: Found) -> str:
    """A hash of its size and some of its bytes: equal for equal files wherever they lie."""
    digest = hashlib.blake2b(str(item.bytes).encode(), digest_size=16)
    if item.form == "movie":
        _sample(item.file, digest)
        return digest.hexdigest()
    sizes = ",".join(f"{f.name}:{f.stat().st_size}" for f in item.files)
    digest.update(sizes.encode())
    for file in (item.files[0], item.files[len(item.files) // 2], item.files[-1]):
        _sample(file, digest)
    return digest.hexdigest()


def _sample(file: Path, digest: hashlib.blake2b) -> None:
    size = file.stat().st_size
    with open(file, "rb") as stream:
        digest.update(stream.read(_HEAD_BYTES))
        for probe in range(1, _PROBES):
            at = size * probe // _PROBES
            if at > _HEAD_BYTES:
                stream.seek(at)
                digest.update(stream.read(_PROBE_BYTES))
        if size > 2 * _HEAD_BYTES:
            stream.seek(size - _HEAD_BYTES)
            digest.update(stream.read(_HEAD_BYTES))


def _folders(root: Path, work: Path) -> Iterator[Path]:
    out = work.resolve()
    for folder, names, _ in os.walk(root, followlinks=True):
        names[:] = sorted(
            n for n in names if not n.startswith(".") and (Path(folder) / n).resolve() != out
        )
        yield Path(folder)


def _in_folder(folder: Path, work: Path) -> Iterator[Found]:
    names = sorted(os.listdir(folder))
    for name in names:
        file = folder / name
        suffix = file.suffix.lower()
        if name.startswith("."):
            continue
        if suffix in MOVIES or suffix in SIDECARS:
            stat = file.stat()
            form = "movie" if suffix in MOVIES else "sidecar"
            yield Found(told_from(work, file), file, form, stat.st_size, stat.st_mtime_ns)
    for pattern in in_folder(folder):
        yield from _sequence(pattern, work)


def _sequence(pattern: Pattern, work: Path) -> Iterator[Found]:
    files = tuple(pattern.on_disk().values())
    if len(files) < 2:  # one picture is a still: a chart, a poster, not dailies
        return
    stats = [f.stat() for f in files]
    file = Path(str(pattern))
    newest = max(s.st_mtime_ns for s in stats)
    size = sum(s.st_size for s in stats)
    yield Found(told_from(work, file), file, "sequence", size, newest, files)


def is_footage(path: Path) -> bool:
    """Whether a file is one that a scan looks at, by its name."""
    suffix = path.suffix.lower()
    return suffix in MOVIES or (suffix in PICTURES and of_file(path) is not None)

"""What was written from what: a journal while frames are made, a JSON manifest when they are done.

The journal makes a killed job resumable: a frame is announced before its file appears and
confirmed, with its hash, after. A frame that was announced but not confirmed is made again.
Several processes that share a job keep a record each, a part, which `merge` makes one.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit import __version__
from footagefit.footage.pattern import parse

if TYPE_CHECKING:
    from footagefit.footage.writing import OutputForm


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def manifest_path(out: Path) -> Path:
    """Where the manifest of a sequence or picture lies."""
    pattern = parse(out)
    stem = out.stem if pattern is None else (pattern.before.rstrip("._- ") or "frames")
    return out.parent / f"{stem}.manifest.json"


def job_of(
    out: Path, form: OutputForm, source: Path, more: Mapping[str, object] | None
) -> dict[str, Any]:
    """What makes a job what it is, as plain data."""
    whole = {"out": out.name, "form": asdict(form), "source": str(source), **(more or {})}
    return json.loads(json.dumps(whole, default=str, sort_keys=True))


def same_job(one: object, other: object) -> bool:
    """Whether two jobs are one: however their paths were typed, and wherever the fit lay."""
    return _untyped(one) == _untyped(other)


def _untyped(job: object) -> object:
    if not isinstance(job, Mapping):
        return job
    plain = dict(job)
    for name in ("source", "reference", "mask"):
        if isinstance(plain.get(name), str):
            plain[name] = os.path.abspath(plain[name])
    fit = plain.get("fit")
    if isinstance(fit, Mapping) and fit.get("hash"):
        plain["fit"] = fit["hash"]
    return plain


class Manifest:
    """The record of one job's frames, safe to feed from several threads.

    Args:
        path: The JSON file that `finish` writes; the journal is a hidden file beside it.
        job: What was asked for, as plain data; a journal or manifest of another job is not
            continued.
        part: Name of this process's part of a job that several share. It knows what all parts
            have finished, and writes only a record of its own.
    """

    def __init__(self, path: Path, job: dict[str, Any], *, part: str = "") -> None:
        self.whole = path
        self.path = _part_path(path, part) if part else path
        self.job = json.loads(json.dumps(job, default=str, sort_keys=True))
        self.journal = _journal_of(self.path)
        self._lock = threading.Lock()
        self._done: dict[str, dict[str, Any]] = {}
        self._begun: set[str] = set()
        self._load()

    def _load(self) -> None:
        for path in [self.whole, *_parts_of(self.whole)]:
            self._done.update(_finished(path, self.job) or {})
            entries = list(_lines(_journal_of(path)))
            if not entries:
                continue
            if not same_job(entries[0].get("job"), self.job):
                if path == self.path:
                    self.journal.unlink()
                continue
            for entry in entries[1:]:
                if "sha256" in entry:
                    self._done[entry["file"]] = entry
                else:
                    self._begun.add(entry["file"])

    def done(self, file: Path) -> bool:
        """Whether this job has finished that file and it is still there."""
        return file.name in self._done and file.exists()

    def entry(self, file: Path) -> dict[str, Any] | None:
        """What is noted of a finished file, or None where this job has not finished it."""
        return self._done.get(file.name) if self.done(file) else None

    def begun(self, file: Path) -> bool:
        """Whether this job was making that file when it stopped."""
        return file.name in self._begun

    def begin(self, file: Path) -> None:
        """Announce a file before it appears."""
        self._append({"file": file.name})

    def finish_file(self, file: Path, *, frame: int, source: Path | None) -> None:
        """Confirm a file that is on disk."""
        entry = {
            "file": file.name,
            "frame": frame,
            "source": None if source is None else str(source),
            "sha256": sha256(file),
        }
        with self._lock:
            self._done[file.name] = entry
        self._append(entry)

    def _append(self, entry: dict[str, Any]) -> None:
        with self._lock:
            new = not self.journal.exists()
            with self.journal.open("a", encoding="utf-8") as handle:
                if new:
                    handle.write(json.dumps({"job": self.job}, sort_keys=True) + "\n")
                handle.write(json.dumps(entry, sort_keys=True) + "\n")

    def finish(self) -> None:
        """Write the manifest and drop the journal."""
        _write(self.path, self.job, self._done)
        self.journal.unlink(missing_ok=True)


def merge(path: Path) -> int:
    """Make the parts of a job one manifest; returns how many frames it lists.

    Args:
        path: The manifest of the whole, as `manifest_path` gives it.
    """
    parts = [p for p in _parts_of(path) if p.exists()]
    kept = _read(path)
    job = _read(parts[0]).get("job") if parts else kept.get("job")
    done = _finished(path, job) or {}
    for part in parts:
        done.update(_finished(part, job) or {})
    if parts:
        _write(path, job, done)
    for part in parts:
        if same_job(_read(part).get("job"), job):
            part.unlink()
    return len(done)


def continues(path: Path, job: Mapping[str, Any]) -> bool:
    """Whether a job lies there, begun and not finished, that is this very one."""
    begun = (next(_lines(_journal_of(p)), {}).get("job") for p in [path, *_parts_of(path)])
    return any(same_job(one, job) for one in begun)


def unfinished(path: Path) -> bool:
    """Whether a job was stopped there, or parts of it were not made one."""
    return _journal_of(path).exists() or bool(_parts_of(path))


def hash_again(path: Path) -> None:
    """Take the hashes of the files that are listed as they are now: they were added to."""
    kept = _read(path)
    done = {entry["file"]: entry for entry in kept.get("frames", [])}
    for name, entry in done.items():
        entry["sha256"] = sha256(path.with_name(name))
    _write(path, kept.get("job"), done)


def _part_path(path: Path, part: str) -> Path:
    return path.with_name(f"{path.name.removesuffix('.manifest.json')}.{part}.part-manifest.json")


def _parts_of(path: Path) -> list[Path]:
    """Records of parts, written or with a journal only."""
    stem, tail = path.name.removesuffix(".manifest.json"), ".part-manifest"
    names = set()
    for name in os.listdir(path.parent) if path.parent.is_dir() else ():
        if name.startswith(f"{stem}.") and name.endswith(f"{tail}.json"):
            names.add(name)
        elif name.startswith(f".{stem}.") and name.endswith(f"{tail}.journal"):
            names.add(name[1:].removesuffix(".journal") + ".json")
    return [path.with_name(name) for name in sorted(names)]


def _journal_of(path: Path) -> Path:
    return path.with_name(f".{path.stem}.journal")


def _lines(journal: Path) -> Iterator[dict[str, Any]]:
    if not journal.exists():
        return
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return  # the line a kill cut short


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _finished(path: Path, job: object) -> dict[str, dict[str, Any]] | None:
    kept = _read(path)
    if not kept or not same_job(kept.get("job"), job):
        return None
    return {entry["file"]: entry for entry in kept.get("frames", [])}


def _write(path: Path, job: object, done: Mapping[str, dict[str, Any]]) -> None:
    frames = sorted(done.values(), key=lambda entry: (entry["frame"], entry["file"]))
    whole = {"version": 1, "footagefit": __version__, "job": job, "frames": frames}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)

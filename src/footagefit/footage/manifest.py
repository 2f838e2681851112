"""What was written from what: a journal while frames are made, a JSON manifest when they are done.

The journal makes a killed job resumable: a frame is announced before its file appears and
confirmed, with its hash, after. A frame that was announced but not confirmed is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from footagefit import __version__


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class Manifest:
    """The record of one job's frames, safe to feed from several threads.

    Args:
        path: The JSON file that `finish` writes; the journal is a hidden file beside it.
        job: What was asked for, as plain data; a journal or manifest of another job is not
            continued.
    """

    def __init__(self, path: Path, job: dict[str, Any]) -> None:
        self.path = path
        self.job = json.loads(json.dumps(job, default=str, sort_keys=True))
        self.journal = path.with_name(f".{path.stem}.journal")
        self._lock = threading.Lock()
        self._done: dict[str, dict[str, Any]] = {}
        self._begun: set[str] = set()
        self._load()

    def _load(self) -> None:
        if self.path.exists():
            try:
                kept = json.loads(self.path.read_text(encoding="utf-8"))
            except ValueError:
                kept = {}
            if kept.get("job") == self.job:
                self._done = {entry["file"]: entry for entry in kept.get("frames", [])}
        if not self.journal.exists():
            return
        entries = []
        for line in self.journal.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                break  # the line a kill cut short
        if not entries or entries[0].get("job") != self.job:
            self.journal.unlink()
            return
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
        frames = sorted(self._done.values(), key=lambda entry: (entry["frame"], entry["file"]))
        whole = {"version": 1, "footagefit": __version__, "job": self.job, "frames": frames}
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        temporary.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(temporary, self.path)
        self.journal.unlink(missing_ok=True)

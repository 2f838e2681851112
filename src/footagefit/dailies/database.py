"""The catalogue: one SQLite file per show, in its work folder.

Here: the file, its versions, who may write, and rows in and out. Not here: what the rows mean.

A rollback journal rather than a write-ahead log, since logs break on network shares; one writer,
any number of readers; every change is one transaction, so that a killed writer leaves the state
before or after, never between. Paths are relative to the show's folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from footagefit.dailies.entries import Link, Medium, Part, Shot, Slate
from footagefit.dailies.migrations import MIGRATIONS
from footagefit.errors import FootagefitError, UnreadableClip, UsageError

BUSY_S = 60.0


class Catalogue:
    """The show's index, open for reading or, for one process at a time, for writing.

    Args:
        path: `catalogue.sqlite` in the show's work folder.
        write: Whether this process is the writer; makes and migrates the file.
    """

    def __init__(self, path: str | Path, *, write: bool = False) -> None:
        self.path = Path(path)
        self.write = write
        if not write and not self.path.exists():
            raise UsageError(
                "no catalogue yet", path=self.path, hint="Run: footagefit scan show=<show>"
            )
        self._lock = _Lock(self.path) if write else None
        if self._lock:
            self._lock.take()
        try:
            self._db = self._open()
            self._version()
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        if self.write:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:  # a reader may have to roll a killed writer's journal back: not mode=ro
            db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = DELETE" if self.write else "PRAGMA query_only = ON")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error
        return db

    def _version(self) -> None:
        try:
            have = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error
        want = len(MIGRATIONS)
        if have > want:
            raise UsageError(
                f"the catalogue has version {have}, this footagefit knows {want}",
                path=self.path,
                hint="Update footagefit, or scan into another work folder",
            )
        if have < want and not self.write:
            raise UsageError(
                f"the catalogue has the older version {have}",
                path=self.path,
                hint="Run: footagefit scan show=<show>, which brings it up to date",
            )
        for number in range(have, want):
            with self.change() as db:
                for statement in MIGRATIONS[number]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number + 1}")

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        if not self.write:
            raise UsageError("the catalogue is open for reading only", path=self.path)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Rows of a query."""
        try:
            return self._db.execute(sql, tuple(values)).fetchall()  # pyright: ignore[reportArgumentType]
        except sqlite3.DatabaseError as error:
            raise _broken(self.path, error) from error

    def setting(self, name: str) -> str | None:
        """A setting's value; None where it was never set."""
        rows = self.rows("SELECT value FROM settings WHERE name = ?", (name,))
        return rows[0]["value"] if rows else None

    def set(self, db: sqlite3.Connection, name: str, value: str) -> None:
        """Keep a setting."""
        db.execute(
            "INSERT INTO settings VALUES (?, ?) "
            "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def close(self) -> None:
        """Let go of the file."""
        if hasattr(self, "_db"):
            self._db.close()
        if self._lock:
            self._lock.release()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- media ---------------------------------------------------------------------------------

    def media(self, state: str | None = None) -> list[Medium]:
        """Media by path, with their parts."""
        where, values = ("WHERE state = ?", (state,)) if state else ("", ())
        parts: dict[int, list[Part]] = {}
        for row in self.rows("SELECT * FROM parts ORDER BY medium, n"):
            parts.setdefault(row["medium"], []).append(Part(row["kind"], row["first"], row["last"]))
        found = self.rows(f"SELECT * FROM media {where} ORDER BY path", values)
        return [_medium(row, parts.get(row["id"], [])) for row in found]

    def put_medium(self, db: sqlite3.Connection, medium: Medium) -> int:
        """Insert or replace a medium's row and parts; its id stays."""
        columns = _medium_columns(medium)
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        sets = ", ".join(f"{n} = excluded.{n}" for n in columns if n != "path")
        db.execute(
            f"INSERT INTO media ({names}) VALUES ({marks}) ON CONFLICT(path) DO UPDATE SET {sets}",
            tuple(columns.values()),
        )
        row = db.execute("SELECT id FROM media WHERE path = ?", (medium.path,)).fetchone()
        db.execute("DELETE FROM parts WHERE medium = ?", (row["id"],))
        db.executemany(
            "INSERT INTO parts (medium, n, kind, first, last) VALUES (?, ?, ?, ?, ?)",
            [(row["id"], n, p.kind, p.first, p.last) for n, p in enumerate(medium.parts)],
        )
        return int(row["id"])

    # -- shots ---------------------------------------------------------------------------------

    def shots(self, names: Sequence[str] | None = None) -> list[Shot]:
        """Shots by name, with their media: all of them, or a few hundred at most by their names."""
        links: dict[str, list[Link]] = {}
        marks = ", ".join("?" * len(names or ()))
        of = "" if names is None else f"WHERE l.shot IN ({marks})"
        for row in self.rows(
            f"SELECT l.*, m.path FROM links l JOIN media m ON m.id = l.medium {of} "
            "ORDER BY l.shot, l.n",
            names or (),
        ):
            link = Link(
                row["path"], row["role"], row["first"], row["last"], row["shift"], row["medium"]
            )
            links.setdefault(row["shot"], []).append(link)
        of = "" if names is None else f"WHERE name IN ({marks})"
        found = self.rows(f"SELECT * FROM shots {of} ORDER BY name", names or ())
        return [_shot(row, links.get(row["name"], [])) for row in found]

    def replace_shots(self, db: sqlite3.Connection, shots: Sequence[Shot]) -> None:
        """Put the whole list of shots in place of the one before."""
        db.execute("DELETE FROM links")
        db.execute("DELETE FROM shots")
        for shot in shots:
            columns = _shot_columns(shot)
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            db.execute(f"INSERT INTO shots ({names}) VALUES ({marks})", tuple(columns.values()))
            db.executemany(
                "INSERT INTO links (shot, n, medium, role, first, last, shift)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (shot.name, n, k.medium_id, k.role, k.first, k.last, k.shift)
                    for n, k in enumerate(shot.links)
                ],
            )

    def dump(self) -> str:
        """Everything but times of day, as text: two catalogues are equal if their dumps are."""
        lines = []
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        for table in (row["name"] for row in tables):
            if table in ("log", "sqlite_sequence"):
                continue
            found = [tuple(row) for row in self.rows(f"SELECT * FROM {table}")]
            lines += [f"{table} {line}" for line in sorted(map(repr, found))]
        return "\n".join(lines)


def still_whole(path: str | Path) -> bool:
    """Whether SQLite itself finds nothing wrong with the file."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
        return db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


class _Lock:
    """One writer per catalogue. The system lets go of it when the writer ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".writer")
        self.handle: int | None = None

    def take(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode(errors="replace")
            os.close(handle)
            raise UsageError(
                f"another scan is writing ({holder})", path=self.path, hint="Wait for it to end"
            ) from None
        except OSError:
            pass  # a share without locks: SQLite's own still keep the file whole
        os.truncate(handle, 0)
        os.pwrite(handle, f"{socket.gethostname()}, process {os.getpid()}".encode(), 0)
        self.handle = handle

    def release(self) -> None:
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


def _broken(path: Path, error: sqlite3.Error) -> FootagefitError:
    if "locked" in str(error):
        return UsageError(
            f"the catalogue stayed locked for {BUSY_S:.0f} s", path=path, hint="Try again"
        )
    return UnreadableClip(
        f"not a readable catalogue ({error})",
        path=path,
        hint="Move it away and scan again; marks set by hand are in it",
    )


def _medium_columns(medium: Medium) -> dict[str, object]:
    rate = medium.rate
    slate = medium.slate
    return {
        "path": medium.path,
        "form": medium.form,
        "role": medium.role,
        "bytes": medium.bytes,
        "changed_ns": medium.changed_ns,
        "content": medium.content,
        "state": medium.state,
        "problem": medium.problem,
        "codec": medium.codec,
        "width": medium.width,
        "height": medium.height,
        "rate": None if rate is None else f"{rate.numerator}/{rate.denominator}",
        "first_frame": medium.first_frame,
        "length": medium.length,
        "sample": medium.sample,
        "space": medium.space,
        "timecode": medium.timecode,
        "pixel_aspect": medium.pixel_aspect,
        "reel": medium.reel,
        "flags": json.dumps(medium.flags),
        "missing": json.dumps(medium.missing),
        "scene": slate.scene,
        "take": slate.take,
        "camera": slate.camera,
        "roll": slate.roll,
        "clip": slate.clip,
        "metadata": json.dumps(medium.metadata, sort_keys=True, default=str),
    }


def _medium(row: sqlite3.Row, parts: list[Part]) -> Medium:
    slate = Slate(row["scene"], row["take"], row["camera"], row["roll"], row["clip"])
    medium = Medium(**{name: row[name] for name in _MEDIUM_PLAIN})
    return replace(
        medium,
        rate=None if row["rate"] is None else Fraction(row["rate"]),
        flags=tuple(json.loads(row["flags"])),
        missing=tuple(json.loads(row["missing"])),
        parts=tuple(parts),
        slate=slate,
        metadata=json.loads(row["metadata"]),
    )


# fmt: off
_MEDIUM_PLAIN = (
    "id", "path", "form", "role", "bytes", "changed_ns", "content", "state", "problem", "codec",
    "width", "height", "first_frame", "length", "sample", "space", "timecode", "pixel_aspect",
    "reel",
)
_SHOT_PLAIN = (
    "name", "setup", "first", "last", "side", "because", "approved_by", "family", "exposure_ev",
    "white_k", "motion_px", "focus",
)
# fmt: on


def _shot_columns(shot: Shot) -> dict[str, object]:
    slate = shot.slate
    return {name: getattr(shot, name) for name in _SHOT_PLAIN} | {
        "script_scene": shot.scene,
        "scene": slate.scene,
        "take": slate.take,
        "camera": slate.camera,
        "roll": slate.roll,
        "clip": slate.clip,
        "flags": json.dumps(shot.flags),
        "train": int(shot.train),
    }


def _shot(row: sqlite3.Row, links: list[Link]) -> Shot:
    plain = {name: row[name] for name in _SHOT_PLAIN}
    return Shot(
        slate=Slate(row["scene"], row["take"], row["camera"], row["roll"], row["clip"]),
        scene=row["script_scene"],
        links=tuple(links),
        flags=tuple(json.loads(row["flags"])),
        train=bool(row["train"]),
        **plain,
    )

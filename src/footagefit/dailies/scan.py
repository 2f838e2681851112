"""From roots to a catalogue: look at what is new or changed, then put shots together.

Here: which clips are looked at, by how many processes, and what is written when. Not here: what is
done with one clip (`examine`) or with all of them (`linking`).

Clips' findings are stored whole, a few at a time, so a scan can be killed at any time and goes on
where it was; shots, set-ups and sides are made anew from all media in one last transaction, so
that the end state does not depend on how often it was killed.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import ensure_running
from typing import Literal

from footagefit.dailies import boards, learned, linking, sharing
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import CORRUPT, Medium
from footagefit.dailies.examine import Exam, Settings, examine
from footagefit.dailies.finding import Found, content_of, find
from footagefit.dailies.measures import VERSION
from footagefit.dailies.sharing import Share
from footagefit.dailies.show import Show
from footagefit.errors import MissingPart, UsageError
from footagefit.footage.pattern import MOVIES, PICTURES

Detector = Literal["auto", "builtin", "learned"]
Slates = Literal["auto", "names", "boards"]
_COMMIT_S = 0.5  # the most of a killed scan's work that is done again
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NEEDED = (  # for a look at a clip
    "footagefit.dailies.leaders",
    "footagefit.dailies.measures",
    "footagefit.footage.opening",
    "footagefit.footage.movie",
    "PyOpenColorIO",
    "PIL.JpegImagePlugin",
)
Progress = Callable[[Iterable[object], int, str], Iterable[object]]


@dataclass(frozen=True)
class Summary:
    """What a scan did.

    Attributes:
        looked_at: Clips that were opened and looked at.
        gathered: Clips that another machine had looked at.
        kept: Clips that had not changed.
        bad: Bad ones among all clips.
        gone: Clips that are no longer there.
        shots: Shots in the catalogue now.
    """

    looked_at: int
    gathered: int
    kept: int
    bad: int
    gone: int
    shots: int


def scan_show(
    show: Show,
    *,
    workers: int | None = None,
    again: bool = False,
    detector: Detector = "auto",
    slates: Slates = "auto",
    share: Share | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Bring the show's catalogue up to date, or look at a share of what that takes.

    Args:
        show: The production.
        workers: Processes; one per core by default. With 0 there is none beside this one, which
            a clip that kills its decoder then ends.
        again: Look at everything again, changed or not.
        detector: Of cuts: `learned` (slow on a CPU), `builtin`, or `auto`: learned if installed.
        slates: `names` (of files, headers and logs), `boards` before those, or `auto`: boards for
            what names leave open, if a text recogniser is installed.
        share: Look at no more than this share, for the scan without one that comes after it.
        progress: Wraps the iterable of results to show how far it is.

    Raises:
        UsageError: There is no footage, and never was; nothing is written.
    """
    items = find(show.roots, show.work, exclude=show.exclude)
    clips = [i for i in items if i.form != "sidecar"]
    settings = _settings(show, detector, slates)
    if not clips and not show.catalogue.exists():
        where = ", ".join(str(root) for root in show.roots)
        hint = f"It reads {', '.join(MOVIES + PICTURES)}"
        raise UsageError("no footage below the roots", path=where, hint=hint)
    scanned_as = f"{VERSION} {settings!r}"
    if share is not None:
        done = {} if again else sharing.known_already(show, scanned_as)
        clips = [c for c in clips if share.has(c) and done.get(c.path) != (c.bytes, c.changed_ns)]
    with Catalogue(share.file(show) if share else show.catalogue, write=True) as catalogue:
        known = {m.path: m for m in catalogue.media()}
        remade = again or catalogue.setting("scan") != scanned_as
        todo = _note_what_is_there(catalogue, clips, known, remade)
        with catalogue.change() as db:
            catalogue.set(db, "scan", scanned_as)
        left = todo if share else _taken_over(catalogue, show, todo, scanned_as)
        results: Iterable[object] = _looked_at(left, settings, workers)
        if progress is not None:
            results = progress(results, len(left), "scan")
        for exams in _in_batches(results):
            _store(catalogue, exams)
        shots = []
        if share is None:
            sidecars = [i for i in items if i.form == "sidecar"]
            shots = linking.settle(catalogue, show, sidecars)
            sharing.put_away(show)
        media = catalogue.media()
        with catalogue.change() as db:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            db.execute("INSERT INTO log VALUES (?, ?)", (at, f"scanned {len(todo)} clips"))
    return Summary(
        looked_at=len(left),
        gathered=len(todo) - len(left),
        kept=len(clips) - len(todo),
        bad=sum(m.state == "bad" for m in media),
        gone=sum(m.state == "gone" for m in media),
        shots=len(shots),
    )


def _settings(show: Show, detector: Detector, slates: Slates) -> Settings:
    """How clips are looked at, with what is installed here."""
    learns = learned.installed() if detector == "auto" else detector == "learned"
    if learns and not learned.installed():
        raise MissingPart(
            "the learned cut detector is not installed",
            hint="pip install 'footagefit[cuts]', or say detector=builtin",
        )
    if slates == "boards":
        boards.check()
    read = "first" if slates == "boards" else "open" if boards.installed() else "off"
    read = "off" if slates == "names" else read
    return Settings(show.space, show.rate, show.names, show.white_k, learns, read)


def _taken_over(
    catalogue: Catalogue, show: Show, todo: list[tuple[Found, str]], scanned_as: str
) -> list[tuple[Found, str]]:
    """Store what shares have found; returns what is left to look at."""
    over: set[str] = set()
    for exams in _in_batches(sharing.gathered(show, [item for item, _ in todo], scanned_as)):
        _store(catalogue, exams)
        over.update(exam.medium.path for exam in exams)
    return [(item, content) for item, content in todo if item.path not in over]


def _note_what_is_there(
    catalogue: Catalogue, clips: list[Found], known: dict[str, Medium], again: bool
) -> list[tuple[Found, str]]:
    """Rows for new clips, `gone` for missing ones; returns what has to be looked at."""
    todo: list[tuple[Found, str]] = []
    there = {c.path for c in clips}
    lost = {m.content: m for m in known.values() if m.path not in there and m.content}
    with catalogue.change() as db:
        for item in clips:
            old = known.get(item.path)
            same = old and (old.bytes, old.changed_ns) == (item.bytes, item.changed_ns)
            if old and same and old.state in ("scanned", "bad") and not again:
                continue
            # Who looks at a new clip hashes it, unless it may be one that was moved.
            content = content_of(item) if old or lost else ""
            if old and old.content == content and old.state in ("scanned", "bad") and not again:
                touched = replace(old, changed_ns=item.changed_ns)
                catalogue.put_medium(db, touched)
                continue
            if not old and content in lost and not again:
                _move(db, lost.pop(content), item)
                continue
            found = Medium(
                path=item.path,
                form=item.form,
                bytes=item.bytes,
                changed_ns=item.changed_ns,
                content=content,
            )
            catalogue.put_medium(db, found)
            todo.append((item, content))
        gone = [m.id for m in known.values() if m.path not in there]
        still = {
            r["id"] for r in db.execute("SELECT id, path FROM media") if r["path"] not in there
        }
        for row in gone:
            if row in still:
                db.execute("UPDATE media SET state = 'gone' WHERE id = ?", (row,))
    return todo


def _move(db: sqlite3.Connection, old: Medium, item: Found) -> None:
    """A clip that lies elsewhere now keeps its row."""
    db.execute(
        "UPDATE media SET path = ?, changed_ns = ? WHERE id = ?",
        (item.path, item.changed_ns, old.id),
    )
    if old.state == "gone":
        db.execute("UPDATE media SET state = 'scanned' WHERE id = ?", (old.id,))


def _in_batches(results: Iterable[object]) -> Iterator[list[Exam]]:
    """Findings as they come, several together where they come fast: a commit waits for the disk."""
    held: list[Exam] = []
    begun = time.monotonic()
    for exam in results:
        if isinstance(exam, Exam):
            held.append(exam)
        if held and time.monotonic() - begun > _COMMIT_S:
            yield held
            held, begun = [], time.monotonic()
    if held:
        yield held


def _store(catalogue: Catalogue, exams: Sequence[Exam]) -> None:
    """All findings of some clips in one transaction."""
    with catalogue.change() as db:
        for exam in exams:
            row = catalogue.put_medium(db, exam.medium)
            db.execute("DELETE FROM curves WHERE medium = ?", (row,))
            db.execute("DELETE FROM thumbnails WHERE medium = ?", (row,))
            db.executemany(
                "INSERT INTO curves VALUES (?, ?, ?, ?)",
                [(row, n, VERSION, c.tobytes()) for n, c in exam.curves.items()],
            )
            db.executemany(
                "INSERT INTO thumbnails VALUES (?, ?, ?, ?, ?, ?)",
                [(row, t.part, t.frame, t.jpeg, t.hashes, t.layout) for t in exam.thumbnails],
            )


# -- processes ------------------------------------------------------------------------------------


def _looked_at(
    todo: list[tuple[Found, str]], settings: Settings, workers: int | None
) -> Iterator[Exam]:
    count = min(os.cpu_count() or 1, len(todo)) if workers is None else workers
    if count < 1:
        for item, content in todo:
            yield examine(item, content, settings)
        return
    left = dict(enumerate(sorted(todo, key=lambda t: -t[0].bytes)))
    suspects: dict[int, int] = {}
    while left:
        taken = list(left) if not suspects else [min(suspects)]
        try:
            for index, exam in _in_processes({i: left[i] for i in taken}, settings, count):
                left.pop(index)
                suspects.pop(index, None)
                yield exam
        except _Died as death:
            for index in death.at_work:
                suspects[index] = suspects.get(index, 0) + 1
                if suspects[index] > 1:  # alone, and again: this clip kills its reader
                    item, content = left.pop(index)
                    suspects.pop(index)
                    yield _deadly(item, content)


class _Died(Exception):
    def __init__(self, at_work: list[int]) -> None:
        super().__init__()
        self.at_work = at_work


def _in_processes(
    todo: dict[int, tuple[Found, str]], settings: Settings, count: int
) -> Iterator[tuple[int, Exam]]:
    count = min(count, len(todo))
    threads = max(1, (os.cpu_count() or 1) // count)
    waiting = list(todo.items())
    running: dict[Future[Exam], int] = {}
    with ProcessPoolExecutor(count, mp_context=_processes(), initializer=_begin) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < count + 1:
                    index, (item, content) = waiting.pop(0)
                    job = pool.submit(examine, item, content, settings, threads=threads)
                    running[job] = index
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running[future], future.result()
                    running.pop(future)
        except BrokenProcessPool:
            raise _Died(list(running.values())) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _processes() -> BaseContext:
    """Processes that start at once: forked from a server that has imported what a look needs."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *_NEEDED])
    said = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # for arithmetic: clips are what is parallel
    try:
        ensure_running()
    finally:
        for name, value in said.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def _begin() -> None:
    """In a worker: end when the scan ends, however it ends."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _deadly(item: Found, content: str) -> Exam:
    return Exam(
        Medium(
            path=item.path,
            form=item.form,
            bytes=item.bytes,
            changed_ns=item.changed_ns,
            content=content,
            state="bad",
            problem="its decoder crashed, twice. Copy or export it again",
            flags=(CORRUPT,),
        )
    )

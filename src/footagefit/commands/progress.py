"""One look for everything that takes long: a bar with rate and ETA, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
_LOG_EVERY_S = 15.0


@contextmanager
def _bar(unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        yield progress


def track(items: Iterable[T], *, total: int, label: str, unit: str = "frames") -> Iterator[T]:
    """Pass items through, showing how far it is: a bar on a terminal, a line now and then else.

    Args:
        items: What is worked through.
        total: How many there are.
        label: What is being done, as a verb.
        unit: What is counted.
    """
    if sys.stderr.isatty():
        yield from _on_terminal(items, total, label, unit)
        return
    begun = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= _LOG_EVERY_S and done < total:
            said = now
            left = (now - begun) / done * (total - done)
            rate = done / max(1e-6, now - begun)
            line = f"{label}: {done}/{total} {unit}, {rate:.2f} {unit}/s, ETA {left:.0f} s"
            print(line, file=sys.stderr, flush=True)


def _on_terminal(items: Iterable[T], total: int, label: str, unit: str) -> Iterator[T]:
    with _bar(unit) as progress:
        task = progress.add_task(label, total=total, rate="")
        begun = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            rate = done / max(1e-6, time.monotonic() - begun)
            progress.update(task, advance=1, rate=f"{rate:.1f} {unit}/s")

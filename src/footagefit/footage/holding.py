"""Frames held in memory within a bound: those nearest to where the work is.

What belongs here: which frames stay. What does not: what is held of a frame, and reading it.

The last ones used are the wrong ones to hold: work that needs eleven frames round each, with room
for ten, would find none of them there.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Holding(Generic[T]):
    """Something of each of some frames, up to a bound; safe from several threads.

    Args:
        most_bytes: That they may take together.
        least: Frames held whatever they take.
    """

    def __init__(self, most_bytes: int, *, least: int = 0) -> None:
        self.most_bytes, self.least = most_bytes, least
        self._held: dict[int, tuple[T, int]] = {}
        self._bytes = 0
        self._at: int | None = None
        self._lock = threading.Lock()

    def turn_to(self, number: int) -> None:
        """Say which frame is worked at; before that it is the one put last."""
        self._at = number

    def get(self, number: int) -> T | None:
        """What is held of a frame; None where nothing is."""
        with self._lock:
            found = self._held.get(number)
        return None if found is None else found[0]

    def put(self, number: int, item: T, size_bytes: int) -> None:
        """Hold something of a frame; what is farthest from the work goes, this perhaps."""
        with self._lock:
            self._drop(number)
            self._held[number] = (item, size_bytes)
            self._bytes += size_bytes
            at = number if self._at is None else self._at
            while self._bytes > self.most_bytes and len(self._held) > self.least:
                self._drop(max(self._held, key=lambda n: (abs(n - at), n)))

    def _drop(self, number: int) -> None:
        gone = self._held.pop(number, None)
        if gone is not None:
            self._bytes -= gone[1]

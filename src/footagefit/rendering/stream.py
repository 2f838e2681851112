"""Reading ahead: while one frame is computed, the next are read and the last ones written.

What belongs here: an ordered pipeline with a bound on what is under way. What does not: what is
read or computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def ahead(
    items: Iterable[S], job: Callable[[S], T], *, workers: int, depth: Callable[[], int]
) -> Iterator[T]:
    """Results of a job in the items' order, made in threads before they are asked for.

    Args:
        items: What to work through; taken one by one.
        job: Made for each.
        workers: Threads.
        depth: Most results that wait or are under way; asked each time, so that it can shrink.
    """
    source = iter(items)
    under_way: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(max_workers=max(1, workers))
    try:
        more = True
        while more or under_way:
            while more and len(under_way) < max(1, depth()):
                try:
                    under_way.append(pool.submit(job, next(source)))
                except StopIteration:
                    more = False
            if under_way:
                yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

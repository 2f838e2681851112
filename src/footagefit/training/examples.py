"""Windows made examples, in batches: which one comes when is a function of the step alone.

What belongs here: the dataset and the order of its batches, over ranks and after a resume. What
does not: reading footage (`dailies`), making an example of a window (`tasks`).

One epoch is the whole run. Step s holds examples s x B to (s + 1) x B - 1 of the run, whatever the
number of ranks, of workers, or the step a run was resumed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from footagefit.records import Pair
from footagefit.tasks.base import Task, Window, collated
from footagefit.tasks.draws import generator

ENDLESS_STEPS = 10_000_000  # a run whose budget is minutes does not know its length yet


class Source(Protocol):
    """Where windows come from; can be pickled into workers."""

    def window(self, index: int) -> Window:
        """The window at an index, the same whoever asks."""
        ...


class Examples(Dataset[Pair]):
    """Examples of a run by index.

    Args:
        source: Gives windows.
        task: Makes an example of each.
        seed: Of the run.
        stream: Sets apart draws of one seed: 0 trains, 1 judges.
    """

    def __init__(self, source: Source, task: Task, *, seed: int, stream: int = 0) -> None:
        self.source, self.task, self.seed, self.stream = source, task, seed, stream

    def __getitem__(self, index: int) -> Pair:
        return self.pair(self.source.window(index), generator(self.seed, index, self.stream))

    def largest(self) -> list[Pair]:
        """An example of the largest pictures, where they are not all of one size."""
        return []

    def pair(self, window: Window, rng: torch.Generator) -> Pair:
        """An example of a window."""
        return self.task.pair(window, rng)


class Batches(Sampler[list[int]]):
    """The indices of each batch that this rank works through.

    Args:
        steps: Of the whole run.
        batch_size: Pictures in a step, over all ranks.
        accumulate: Parts a step is worked through in.
        start_step: First step to give: where a run goes on.
        rank: This process.
        ranks: All processes.
    """

    def __init__(
        self,
        *,
        steps: int,
        batch_size: int,
        accumulate: int = 1,
        start_step: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.parts = steps * accumulate
        self.size = batch_size // (accumulate * ranks)
        self.first = start_step * accumulate
        self.rank, self.ranks = rank, ranks

    def __iter__(self) -> Iterator[list[int]]:
        for part in range(self.first, self.parts):
            begin = (part * self.ranks + self.rank) * self.size
            yield list(range(begin, begin + self.size))

    def __len__(self) -> int:
        return self.parts


def loader(examples: Examples, batches: Batches, *, workers: int) -> DataLoader[Any]:
    """Batches in order, made in worker processes that come from a fork server."""
    return DataLoader(
        examples,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collated,
        multiprocessing_context="forkserver" if workers else None,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_one_thread if workers else None,
    )


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)

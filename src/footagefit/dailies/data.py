"""The data module: a show's dailies as batches, for training and for judging.

Here: preparing (checks, cache), sides, loaders and workers. Not here: tasks; what turns a window
into an example is passed in.

Workers come from a fork server (or are spawned), never forked from a process that has decoders
open; they read frames with plain file reads, so they neither deadlock nor grow.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from footagefit.dailies import splits
from footagefit.dailies.cache import FrameCache
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import TRAIN, VAL, Medium, Shot
from footagefit.dailies.sampling import Sampling
from footagefit.dailies.show import Show, load_show
from footagefit.dailies.windows import Provider, Reader, Window, Windows
from footagefit.errors import FootagefitWarning, UsageError
from footagefit.footage.view import View

Example = Callable[[Window, torch.Generator], Any]
Collate = Callable[[list[Any]], Any]


class Dailies(LightningDataModule):
    """A show's windows, side by side.

    Args:
        show: The show, its YAML or its folder.
        batch_size: Windows in a batch.
        steps: Batches of the whole run: one epoch is the run.
        val_windows: Windows that are judged, the same ones each time.
        seed: Of the run; draws depend on it and the index alone.
        length: Frames of a window.
        stride: Steps between them.
        references: Frames to sit beside.
        long_side_px: Frames' long side in the cache and in windows.
        cache_gb: The most the cache may take on disk.
        workers: Loader processes; 0 reads in this one.
        role: Medium to read: proxy, original or plate.
        layers: Cached layers to bring along.
        providers: Layers made on the fly.
        example: Makes an example of a window, in the worker; the window itself by default.
        collate: Makes a batch of examples; a list by default, since sizes may differ.
        signature: The show's, if measured.
        only: Shot names to keep to; all by default.
    """

    def __init__(
        self,
        show: Show | str | Path,
        *,
        batch_size: int = 8,
        steps: int = 1000,
        val_windows: int = 16,
        seed: int = 0,
        length: int = 1,
        stride: int = 1,
        references: int = 2,
        long_side_px: int = 512,
        cache_gb: float = 20.0,
        workers: int = 2,
        role: str = "proxy",
        layers: Sequence[str] = (),
        providers: dict[str, Provider] | None = None,
        example: Example | None = None,
        collate: Collate | None = None,
        signature: dict[str, object] | None = None,
        only: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.show = show if isinstance(show, Show) else load_show(show)
        self.batch_size, self.steps, self.val_windows = batch_size, steps, val_windows
        self.seed, self.length, self.stride, self.references = seed, length, stride, references
        self.long_side_px, self.workers, self.role = long_side_px, workers, role
        self.layers, self.providers, self.signature = tuple(layers), providers, signature
        self.example, self.collate_with = example, collate
        self.only = frozenset(only)
        self.start_step = 0
        self.cache = FrameCache(self.show.work / "cache", limit_bytes=int(cache_gb * 1e9))
        self._sides: dict[str, Windows] = {}

    # -- preparing ---------------------------------------------------------------------------

    def shots(self, side: str) -> list[Shot]:
        """The shots a side may use: none that a person withdrew, none left out, none broken."""
        with Catalogue(self.show.catalogue) as catalogue:
            shots = [s for s in catalogue.shots() if usable(s)]
            splits.check(shots, by_take=splits.by_take(catalogue))
        if self.only:
            shots = [s for s in shots if s.name in self.only]
        return [s for s in shots if s.side == side]

    def prepare_data(self) -> None:
        """Check readers and fill the cache, once, before any worker starts."""
        for done, total in self.prepare():
            if done == total and total:
                print(f"cache: {total} clips ready in {self.cache.folder}")

    def prepare(self) -> Iterator[tuple[int, int]]:
        """Fill the cache clip by clip; yields how many of how many are done.

        Clips that the cache has no room for are read from their files each time: 8-bit ones by
        decord, once it was seen to read them right.
        """
        reader = self._reader(self.shots(TRAIN) + self.shots(VAL))
        spans = reader.spans()
        fits, over = self._room(reader, spans)
        if over:
            message = (
                f"the cache holds {len(fits)} of {len(spans)} clips; the rest is decoded each time"
            )
            warnings.warn(
                FootagefitWarning(f"{message}. Raise cache_gb to avoid it."), stacklevel=2
            )
            trust_decord(self.show, [reader.media[path].content for path in over])
        keep = [reader.key(reader.media[path]) for path in fits]
        for done, path in enumerate(fits, start=1):
            wanted = spans[path]
            if not self.cache.has(reader.key(reader.media[path]), wanted):
                reader.fill(reader.media[path], wanted, keep=keep)
            yield done, len(fits)

    def _room(self, reader: Reader, spans: dict[str, list[int]]) -> tuple[list[str], list[str]]:
        """Which clips the cache has room for, in order, and which it has not."""
        fits: list[str] = []
        over: list[str] = []
        taken = 0
        for path in sorted(spans):
            need = reader.cached_bytes(path, spans[path])
            if taken + need <= self.cache.limit_bytes:
                taken += need
                fits.append(path)
            else:
                over.append(path)
        return fits, over

    def windows(self, side: str) -> Windows:
        """The windows of one side."""
        if side not in self._sides:
            shots = self.shots(side)
            if not shots:
                raise UsageError(
                    f"no shot is on the {side} side",
                    path=self.show.catalogue,
                    hint="Look at: footagefit shots show=<show>",
                )
            reader = self._reader(shots)
            missing = {
                s.name: [
                    n - reader.link(s).shift for n in reader.media[reader.link(s).path].missing
                ]
                for s in shots
            }
            sampling = Sampling(
                shots,
                seed=self.seed,
                length=self.length,
                stride=self.stride,
                references=self.references,
                missing=missing,
                stream=side,
            )
            self._sides[side] = Windows(
                reader,
                sampling,
                layers=self.layers,
                providers=self.providers,
                signature=self.signature,
            )
        return self._sides[side]

    def view(self, shot: Shot) -> View:
        """How a shot's pictures are shown."""
        return self._reader([shot]).view(shot, self.show.view)

    def _reader(self, shots: Sequence[Shot]) -> Reader:
        with Catalogue(self.show.catalogue) as catalogue:
            media = catalogue.media()
            rows = catalogue.rows("SELECT content FROM checks WHERE reader = 'decord' AND agrees")
        return Reader(
            self.show.work,
            shots,
            media,
            cache=self.cache,
            long_side_px=self.long_side_px,
            role=self.role,
            trusted=frozenset(row["content"] for row in rows),
            space=self.show.space,
        )

    # -- loaders -----------------------------------------------------------------------------

    def train_dataloader(self) -> DataLoader[Any]:
        """All batches of the run that are left after `start_step`."""
        return self._loader(TRAIN, self.steps * self.batch_size, self.start_step * self.batch_size)

    def val_dataloader(self) -> DataLoader[Any]:
        """The same windows each time."""
        return self._loader(VAL, self.val_windows, 0)

    def _loader(self, side: str, total: int, start: int) -> DataLoader[Any]:
        data = WindowData(self.windows(side), total=total, seed=self.seed, example=self.example)
        method = (
            "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        )
        many = self.workers > 0
        return DataLoader(
            data,
            batch_size=self.batch_size,
            sampler=InOrder(total, start=start),
            num_workers=self.workers,
            collate_fn=self.collate_with or as_list,
            multiprocessing_context=method if many else None,
            persistent_workers=many,
            prefetch_factor=2 if many else None,
        )


class WindowData(Dataset[Any]):
    """Examples by index.

    Args:
        windows: Of one side.
        total: How many there are.
        seed: Of the run.
        example: Makes an example of a window and a generator seeded by (seed, index).
    """

    def __init__(
        self, windows: Windows, *, total: int, seed: int, example: Example | None = None
    ) -> None:
        self.windows, self.total, self.seed, self.example = windows, total, seed, example

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, index: int) -> Any:
        window = self.windows.window(index)
        if self.example is None:
            return window
        return self.example(window, generator_at(self.seed, index))


class InOrder(Sampler[int]):
    """Indices from `start` on; the length stays the whole run's: a resumed run counts on."""

    def __init__(self, total: int, *, start: int = 0) -> None:
        self.total, self.start = total, start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.total))

    def __len__(self) -> int:
        return self.total


def generator_at(seed: int, index: int) -> torch.Generator:
    """A CPU generator that depends on (seed, index) alone."""
    generator = torch.Generator()
    generator.manual_seed((seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03) % 2**63)
    return generator


def as_list(examples: list[Any]) -> list[Any]:
    """A batch of what need not have one size."""
    return examples


def usable(shot: Shot) -> bool:
    """Whether a shot may reach a trainer at all."""
    from footagefit.dailies.entries import OUT, TINY

    return shot.train and shot.side != OUT and TINY not in shot.flags


def trust_decord(show: Show, contents: Sequence[str]) -> list[Medium]:
    """Find out, once for each 8-bit movie, whether decord reads it right; returns those checked."""
    with Catalogue(show.catalogue) as catalogue:
        known = {r["content"] for r in catalogue.rows("SELECT content FROM checks")}
        unsure = [
            m
            for m in catalogue.media("scanned")
            if m.form == "movie"
            and m.sample == "uint8"
            and m.content in contents
            and m.content not in known
        ]
    if not unsure or find_spec("decord") is None:
        return []
    from footagefit.footage.proxy import agrees

    verdicts = [(m.content, "decord", int(agrees(show.work / m.path))) for m in unsure]
    with Catalogue(show.catalogue, write=True) as catalogue, catalogue.change() as db:
        db.executemany("INSERT OR REPLACE INTO checks VALUES (?, ?, ?)", verdicts)
    return unsure

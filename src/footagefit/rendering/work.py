"""How much is done at once, and on which devices; halved when memory runs out.

What belongs here: bounds of memory, models on devices, retrying with less, one clear line where
nothing helps. What does not: reading and writing (`stream.py`).
"""

from __future__ import annotations

import copy
import ctypes
import os
import queue
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch

from footagefit.errors import FootagefitError, FootagefitWarning
from footagefit.models.base import Model
from footagefit.rendering import devices as place

T = TypeVar("T")
_GIB = 2**30


@dataclass(frozen=True)
class Bounds:
    """How much is under way at once.

    Attributes:
        depth: Frames read ahead.
        threads: Encoding threads; each may have a frame waiting.
        busy_bytes: What that takes.
        kept_bytes: What is left for frames held from the first pass to the second.
    """

    depth: int
    threads: int
    busy_bytes: int
    kept_bytes: int

    @classmethod
    def within(cls, limit_bytes: int, frame_bytes: int, threads: int | None) -> Bounds:
        """The most that fits a bound; at least one frame at a time."""
        # Two more than cores: an encoder that waits for the disk leaves its core to another.
        bounds = cls(4, threads or min(8, (os.cpu_count() or 1) + 2), 0, 0)
        while True:
            # A frame read: floats and stored values; computed: plate, result, mask; encoded: two.
            busy = int(frame_bytes * (1.7 * bounds.depth + 3 + 2.5 * 2 * bounds.threads))
            if busy <= limit_bytes or (bounds.depth == 1 and bounds.threads == 1):
                return replace(
                    bounds, busy_bytes=busy, kept_bytes=max(0, (limit_bytes - busy) // 2)
                )
            less = max(1, bounds.threads - 1) if threads is None else bounds.threads
            if bounds.depth == 1 and less == bounds.threads:
                less = max(1, bounds.threads - 1)
            bounds = replace(bounds, depth=max(1, bounds.depth - 1), threads=less)


def available() -> int:
    """Bytes of memory that are free on this machine."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 8 * _GIB


def let_go() -> None:
    """Give memory that this process no longer uses back to the machine.

    What is free between frames still in use stays with the process otherwise: over sixty frames of
    HD it came to as much again as was asked for.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Callable[[int], int] | None:
    """The C library's own way; None where it has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


class Work:
    """Devices with a model each, and how much they take at once.

    Args:
        model: The fit's.
        devices: Where to compute; frames go to whichever is free.
        batch: Small pictures looked at together.
        depth: Frames read ahead.
        readers: Frames read at the same time.
        half: Decide looks in half precision.
    """

    def __init__(
        self,
        model: Model,
        devices: Sequence[torch.device],
        *,
        batch: int = 8,
        depth: int = 3,
        readers: int = 2,
        half: bool = False,
    ) -> None:
        self.batch, self.depth, self.readers, self.half = batch, depth, readers, half
        self._models: dict[torch.device, Model] = {}
        self._free: queue.Queue[torch.device] = queue.Queue()
        for index, device in enumerate(devices):
            own = model if index == 0 else copy.deepcopy(model)
            self._models[device] = own.to(device).eval()
            self._free.put(device)
        self._original = model

    @property
    def devices(self) -> list[torch.device]:
        """Where it computes now."""
        return list(self._models)

    def run(self, job: Callable[[torch.device, Model], T], *, frame: int) -> T:
        """Do a frame's job on a free device; with less at once where memory runs out.

        Raises:
            DeviceLost: The device stopped answering.
            FootagefitError: There is not the memory for one frame.
        """
        while True:
            device = self._free.get()
            try:
                with torch.inference_mode():
                    return job(device, self._models[device])
            except Exception as error:
                if place.is_full(error):
                    device = self._halve(device, frame, error)
                elif place.is_lost(error):
                    raise place.DeviceLost(
                        f"{device} was lost ({_first_line(error)})",
                        frame=frame,
                        hint="The same command goes on where it stopped; device=cpu does without",
                    ) from error
                else:
                    raise
            finally:
                self._free.put(device)

    def _halve(self, device: torch.device, frame: int, error: BaseException) -> torch.device:
        """Do less at once, or go to the CPU, and say so; the device to go on with."""
        place.empty_cache(device)
        if self.batch > 1 or self.depth > 1:
            self.batch, self.depth = max(1, self.batch // 2), max(1, self.depth // 2)
            self.readers = min(self.readers, self.depth)
            _say(
                f"{device}: out of memory at frame {frame}; half as much at once from here: "
                f"{self.batch} looks, {self.depth} frames ahead"
            )
            return device
        if device.type == "cpu":
            raise FootagefitError(
                f"not the memory for one frame ({_first_line(error)})",
                frame=frame,
                hint="Close other programs, or render on a machine with more memory",
            ) from error
        _say(f"{device}: no memory for one frame at {frame}; the CPU goes on in its place")
        cpu = torch.device("cpu")
        self._models[cpu] = self._models.pop(device).to(cpu)
        return cpu


def lighter(device: torch.device, *, half: bool) -> AbstractContextManager[object]:
    """Half precision for what a network multiplies, where it is asked for."""
    if not half:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.float16)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for small tensors: they wait for each other longer than they work.

    And sums come out the same on machines with more cores or fewer.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _say(line: str) -> None:
    warnings.warn(FootagefitWarning(line), stacklevel=4)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160]

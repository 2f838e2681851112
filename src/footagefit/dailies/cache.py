"""Frames made small once and read many times: float16, scene-linear ACEScg, keyed by content.

Here: the files, how they are filled, and their bound on disk. Not here: which frames are wanted
(`sampling`), or how a window is put together (`windows`).

A clip's frames lie in strips of `STRIP` frames, written whole under a temporary name and renamed,
so a strip is there or is not. A frame is read with one `pread`: nothing stays mapped or open in
a worker, and memory stays flat however many windows are drawn. Values past half's range (65504,
eleven and a half stops over the brightest camera white) are held at it.

Shape suffixes: T frames, C channels, H rows, W columns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from footagefit.errors import DiskFull

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1
STRIP = 16
_USED_EVERY_S = 60.0


@dataclass(frozen=True)
class Form:
    """How one clip lies in the cache."""

    first: int
    length: int
    channels: int
    height: int
    width: int

    @property
    def frame_bytes(self) -> int:
        """Of one frame."""
        return self.channels * self.height * self.width * 2

    def strip_of(self, number: int) -> tuple[int, int]:
        """Which strip holds a frame, and where in it."""
        return divmod(number - self.first, STRIP)

    def strip_frames(self, strip: int) -> range:
        """Numbers of a strip's frames."""
        start = self.first + strip * STRIP
        return range(start, min(start + STRIP, self.first + self.length))


class FrameCache:
    """A folder of small frames, shared by all readers and bounded in size.

    Args:
        folder: Inside the show's work folder.
        limit_bytes: The most it may take on disk; the clips used longest ago go first.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._forms: dict[str, Form] = {}
        self._used: dict[str, float] = {}

    @staticmethod
    def key(content: str, *, space: str, long_side_px: int, layer: str = "") -> str:
        """Name of a clip's frames made small: by its content, not by where it lies."""
        text = f"{VERSION}/{content}/{space}/{long_side_px}/{layer}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def has(self, key: str, numbers: Iterable[int]) -> bool:
        """Whether all these frames are there."""
        form = self._form(key)
        if form is None:
            return False
        return all(
            self._strip(key, s).exists() for s in sorted({form.strip_of(n)[0] for n in numbers})
        )

    def form(self, key: str) -> Form | None:
        """Size and range of a clip's small frames, or None if there are none."""
        return self._form(key)

    def read(self, key: str, number: int) -> np.ndarray | None:
        """One frame (C,H,W) float16, or None where it is not cached."""
        form = self._form(key)
        if form is None or not form.first <= number < form.first + form.length:
            return None
        strip, at = form.strip_of(number)
        try:
            handle = os.open(self._strip(key, strip), os.O_RDONLY)
        except OSError:
            return None
        try:
            raw = os.pread(handle, form.frame_bytes, at * form.frame_bytes)
        finally:
            os.close(handle)
        self._touch(key)
        if len(raw) != form.frame_bytes:
            return None
        shape = (form.channels, form.height, form.width)
        return np.frombuffer(raw, np.float16).reshape(shape)

    def fill(
        self,
        key: str,
        *,
        first: int,
        length: int,
        read: Callable[[Sequence[int]], np.ndarray],
        wanted: Iterable[int] | None = None,
        keep: Iterable[str] = (),
    ) -> int:
        """Make the strips that are not there yet; returns how many frames were made.

        Args:
            key: Of the clip.
            first: Its first frame.
            length: Its frames.
            read: Gives some frames (T,C,H,W), made small.
            wanted: Frames that have to be there; all by default.
            keep: Keys that must not be thrown out to make room.

        Raises:
            DiskFull: The bound would be passed with nothing left to throw out.
        """
        made = 0
        numbers = range(first, first + length) if wanted is None else wanted
        strips = sorted({(n - first) // STRIP for n in numbers})
        for strip in strips:
            form = self._form(key)
            if form is not None and self._strip(key, strip).exists():
                continue
            start = first + strip * STRIP
            frames = range(start, min(start + STRIP, first + length))
            pixels = np.clip(read(frames), -65504, 65504).astype(np.float16)
            if form is None:
                form = Form(first, length, *pixels.shape[1:])
                self._write_form(key, form)
            self._make_room(pixels.nbytes, {*keep, key})
            self._write(self._strip(key, strip), np.ascontiguousarray(pixels).tobytes())
            made += len(frames)
        return made

    def size_bytes(self) -> int:
        """What the cache takes on disk."""
        return sum(size for _, size, _ in self._entries())

    # -- files -------------------------------------------------------------------------------

    def _entry(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _strip(self, key: str, strip: int) -> Path:
        return self._entry(key) / f"{strip:06d}.f16"

    def _form(self, key: str) -> Form | None:
        if key not in self._forms:
            try:
                text = (self._entry(key) / "form.json").read_text()
                self._forms[key] = Form(**json.loads(text))
            except (OSError, ValueError, TypeError):
                return None
        return self._forms[key]

    def _write_form(self, key: str, form: Form) -> None:
        self._write(self._entry(key) / "form.json", json.dumps(form.__dict__).encode())
        self._forms[key] = form

    def _write(self, path: Path, raw: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        passing = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(passing, "wb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(passing, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                passing.unlink()
            raise DiskFull(
                f"the cache cannot be written ({error.strerror})",
                path=path,
                hint="Free some space, or set a smaller cache_gb",
            ) from error

    def _touch(self, key: str) -> None:
        """Note that a clip is in use, now and then; what was used longest ago goes first."""
        now = time.monotonic()
        if now - self._used.get(key, -_USED_EVERY_S) >= _USED_EVERY_S:
            self._used[key] = now
            with contextlib.suppress(OSError):
                os.utime(self._entry(key))

    def _entries(self) -> list[tuple[float, int, str]]:
        found = []
        for entry in self.folder.glob("??/*"):
            try:
                size = sum(f.stat().st_size for f in entry.iterdir())
                found.append((entry.stat().st_mtime, size, entry.name))
            except OSError:
                continue
        return sorted(found)

    def _make_room(self, need: int, keep: set[str]) -> None:
        entries = self._entries()
        total = sum(size for _, size, _ in entries) + need
        for _, size, key in entries:
            if total <= self.limit_bytes:
                return
            if key not in keep:
                shutil.rmtree(self._entry(key), ignore_errors=True)
                self._forms.pop(key, None)
                total -= size
        if total > self.limit_bytes:
            raise DiskFull(
                f"the frames need more than the cache's {self.limit_bytes / 1e9:.1f} GB",
                path=self.folder,
                hint="Raise cache_gb, or make long_side_px smaller",
            )


def made_small(rgb_TCHW: Tensor, long_side_px: int) -> Tensor:
    """Frames averaged down, in linear light, to a long side; aspect kept, never enlarged."""
    import torch.nn.functional as F

    height, width = rgb_TCHW.shape[-2:]
    scale = long_side_px / max(height, width)
    if scale >= 1:
        return rgb_TCHW
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(rgb_TCHW, size=size, mode="area")

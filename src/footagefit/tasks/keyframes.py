"""Frames an artist has done by hand: before and after, as a source of windows for any task.

What belongs here: reading a folder of keyframes and mixing them among other windows. What does
not: what a task does with them (it finds the done frame in the window's layer `after`).

A folder of keyframes holds two clips with the same frame numbers and sizes, one to twenty frames:
`before` and `after`, each a folder, a sequence (`before.####.exr`) or a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from footagefit.errors import FrameMismatch, MissingFrames, UnreadableClip
from footagefit.footage.clip import Clip
from footagefit.footage.opening import open_clip
from footagefit.tasks.base import PlainWindow, Window

AFTER = "after"


class Source(Protocol):
    """Where windows come from."""

    def window(self, index: int) -> Window:
        """The window at an index."""
        ...


@dataclass(frozen=True)
class Keyframes:
    """An artist's keyframes as windows; can be pickled.

    Attributes:
        before: (T,3,H,W) scene-linear ACEScg.
        after: The same frames, done.
        numbers: Their frame numbers.
    """

    before: Tensor
    after: Tensor
    numbers: tuple[int, ...]

    def window(self, index: int) -> PlainWindow:
        """One keyframe, beside another done one: the first, for the first itself."""
        own = index % len(self.numbers)
        beside = (index // len(self.numbers)) % len(self.numbers)
        return PlainWindow(
            self.before[own : own + 1],
            self.after[beside : beside + 1],
            {AFTER: self.after[own : own + 1]},
        )


@dataclass(frozen=True)
class Mixed:
    """A source with another among it: every `every`-th window is of that one.

    The source's own windows come one after the other, none left out: it may be mixed itself.

    Attributes:
        source: Most windows.
        among: An artist's keyframes, say.
        every: 4 makes a quarter of the windows the other's.
    """

    source: Source
    among: Source
    every: int = 4

    def window(self, index: int) -> Window:
        """The other's now and then, else what the source has there."""
        if index % self.every == 0:
            return self.among.window(index // self.every)
        return self.source.window(index - index // self.every - 1)


def read_keyframes(folder: Path, *, space: str = "auto") -> Keyframes:
    """Read a folder of keyframes.

    Args:
        folder: Holds `before` and `after`.
        space: Colour space of the stored pixels, where the files do not say.

    Raises:
        UnreadableClip: One of the two is not there.
        MissingFrames: They do not have the same frames.
        FrameMismatch: They do not have the same size.
    """
    folder = folder.expanduser()
    before, after = (_clip(folder, name, space) for name in ("before", AFTER))
    if before.numbers != after.numbers:
        apart = sorted(set(before.numbers) ^ set(after.numbers))
        raise MissingFrames(
            "a keyframe has no other half",
            path=folder,
            frame=apart[0],
            hint="Give before and after the same frame numbers",
        )
    one, other = before.read(before.numbers), after.read(after.numbers)
    if one.rgb_TCHW.shape != other.rgb_TCHW.shape:
        raise FrameMismatch(
            f"before is {before.info.width}x{before.info.height}, "
            f"after {after.info.width}x{after.info.height}",
            path=folder,
            hint="Write both at the plate's size",
        )
    return Keyframes(one.rgb_TCHW, other.rgb_TCHW, one.numbers)


def _clip(folder: Path, name: str, space: str) -> Clip:
    """`before/`, else the sequence or picture whose name begins so."""
    if (folder / name).is_dir():
        return open_clip(folder / name, space=space)
    files = sorted(p for p in folder.glob(f"{name}*") if p.is_file()) if folder.is_dir() else []
    if not files:
        raise UnreadableClip(
            f"no {name} there",
            path=folder,
            hint=f"Put {name}.####.exr, or a folder {name}, into it",
        )
    parts = files[0].name.split(".")
    if len(files) > 1 and len(parts) >= 3 and parts[-2].isdigit():
        pattern = ".".join([*parts[:-2], "####", parts[-1]])
        return open_clip(folder / pattern, space=space)
    return open_clip(files[0], space=space)

"""The contract every reader keeps, and nothing else: which reader opens what is `opening.py`'s."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from footagefit.errors import MissingFrames
from footagefit.records import ClipInfo, Frames, Native

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class Lines(NamedTuple):
    """A frame's stored planes as the whole lines that a decoder keeps.

    Attributes:
        planes: Each in one row, line after line, with what pads the lines.
        sizes: Height and width of the picture in each.
        attributes: As in `Native`.
        filtered: Whether it is as its codec means it: when `rough`, it may not be.
    """

    planes: tuple[np.ndarray, ...]
    sizes: tuple[tuple[int, int], ...]
    attributes: dict[str, object]
    filtered: bool

    def picture(self, plane: int) -> np.ndarray:
        """A plane (H,W) without what pads it."""
        height, width = self.sizes[plane]
        return self.planes[plane].reshape(height, -1)[:, :width]


class Clip(ABC):
    """A media file or image sequence, read by frame number.

    Readers open their files late and per process, so that a clip can be pickled into data
    loader workers (fork or spawn) and read from there.
    """

    info: ClipInfo

    @abstractmethod
    def read(self, frames: Sequence[int]) -> Frames:
        """Scene-linear ACEScg pixels of the given frames, over `info.raster`."""

    @abstractmethod
    def data(self, frames: Sequence[int], layer: str) -> Tensor:
        """A layer's values (T,C,H,W) over `info.raster`, never colour-converted.

        Masks, depth, motion. 0 outside the data window. Integer code values come as 0..1.
        """

    @abstractmethod
    def native(self, frame: int) -> Native:
        """The stored code values of one frame."""

    def through(self, *, rough: bool = False) -> Iterator[Lines]:
        """Stored planes of one frame after the other, from the first, as fast as can be.

        Ends, without a word, before the first frame that has to be asked for by its number; with
        readers that have no faster way than `native`, that is the first of all. Let go of each
        before the next: its memory is the next one's, and still in the cache.

        Args:
            rough: Whether frames that no other is made from may come without their deblocking
                filter: a tenth faster, and not to be seen once they are made small.
        """
        return iter(())

    def of_stored(self, native: Native, frame: int) -> Frames:
        """What `read` gives, from stored values that are at hand: nothing is decoded twice."""
        return self.read([frame])

    @property
    def numbers(self) -> list[int]:
        """Numbers of the frames that exist, ascending."""
        gone = set(self.info.missing)
        return [n for n in range(self.info.first_frame, self.info.last_frame + 1) if n not in gone]

    def require(self, frames: Sequence[int]) -> None:
        """Raise `MissingFrames` unless every frame lies in the clip's range."""
        first, last = self.info.first_frame, self.info.last_frame
        for frame in frames:
            if not first <= frame <= last:
                raise MissingFrames(
                    f"the clip has frames {first}-{last}",
                    path=self.info.path,
                    frame=frame,
                    hint=f"Ask for frames within {first}-{last}",
                )

    def __iter__(self) -> Iterator[Frames]:
        for number in self.numbers:
            yield self.read([number])

    def __len__(self) -> int:
        return self.info.length

    def close(self) -> None:  # noqa: B027  (most readers keep nothing open)
        """Let go of open files; reading again opens them again."""

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

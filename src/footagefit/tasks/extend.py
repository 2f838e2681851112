"""Extend: the shot goes on beyond its borders, before its head, after its tail, over its gaps.

What belongs here: which holes extension learns on. What does not: all else (`filling.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from footagefit.tasks.filling import Filling


class Extend(Filling):
    """Borders, dropped frames and handles made.

    Args:
        kinds: Holes to cut, by name; each comes equally often.
        size: Rows and columns of training pictures; None leaves frames as they are, for judging.
        frames: Of a window.
        stride: Frames from one of them to the next.
        mirror: How often left and right are exchanged.
        references: Frames an example sits beside.
    """

    def __init__(
        self,
        *,
        kinds: Sequence[str] = ("borders", "dropped", "handles"),
        size: Sequence[int] | None = (96, 96),
        frames: int = 5,
        stride: int = 1,
        mirror: float = 0.5,
        references: int = 1,
    ) -> None:
        super().__init__(
            "extend", kinds=kinds, size=size, frames=frames, stride=stride, mirror=mirror,
            references=references,
        )  # fmt: skip

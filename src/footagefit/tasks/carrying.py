"""Pixels of a clip in memory carried to one of its frames, as a shot's are when it is rendered.

What belongs here: a window's frames as `motion` wants footage. What does not: motion itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

_MOST = 4  # frames that are laid over one hole: a window has few


@dataclass(frozen=True)
class Clip:
    """A clip in memory, numbered from 0.

    Attributes:
        frames_TCHW: Scene-linear ACEScg.
        holes_T1HW: 1 where there is no pixel.
    """

    frames_TCHW: Tensor
    holes_T1HW: Tensor

    @property
    def numbers(self) -> Sequence[int]:
        """Every frame."""
        return range(len(self.frames_TCHW))

    def plate(self, number: int) -> Tensor:
        """A frame (3,H,W)."""
        return self.frames_TCHW[number]

    def hole(self, number: int) -> Tensor:
        """Its hole (1,H,W)."""
        return self.holes_T1HW[number]


def carried(frames_TCHW: Tensor, holes_T1HW: Tensor, at: int) -> tuple[Tensor, Tensor]:
    """What other frames show where one has a hole, and how sure that is.

    Args:
        frames_TCHW: Scene-linear ACEScg.
        holes_T1HW: 1 where there is no pixel.
        at: Index of the frame.

    Returns:
        Light (3,H,W), 0 where nothing is known, and confidence (1,H,W).
    """
    from footagefit.motion.carried import nothing
    from footagefit.motion.propagation import Propagation

    size = (int(frames_TCHW.shape[2]), int(frames_TCHW.shape[3]))
    alone = bool(holes_T1HW.flatten(1).amin(1).sum() >= len(holes_T1HW) - 1)
    clip = Clip(frames_TCHW, holes_T1HW)
    if len(frames_TCHW) < 2 or (alone and bool(holes_T1HW[at].min() < 1.0)):
        made = nothing(size)
    else:
        made = Propagation(clip, long_px=max(size), most=_MOST).at(at)
    return made.rgb_CHW, made.confidence_1HW

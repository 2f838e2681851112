"""Dense flow between two frames, whatever their size and holes.

Here: frames looked at small, flow both ways, how sure it is, and that at the frames' own size. Not
here: what tracks (`flow.py`, `leaps.py`).

Shapes: C channels, H rows, W columns; flows (H,W,2) u, v in px.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from footagefit.motion import flow, leaps, looks, warps
from footagefit.motion.flow import Tracker


def dense(
    one_CHW: Tensor, other_CHW: Tensor, *, hole_1HW: Tensor | None = None,
    other_hole_1HW: Tensor | None = None, long_px: int = 640, path: Path | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Flow from a frame to another, and its confidence.

    Args:
        one_CHW: Scene-linear ACEScg.
        other_CHW: Likewise, of the same size.
        hole_1HW: Where the one has no pixel; confidence is 0 there.
        other_hole_1HW: The other's.
        long_px: Longest side at which they are compared.
        path: Of a learned flow, see `learned`.

    Returns:
        Flow (2,H,W) in px of the frames, and confidence 0..1 (1,H,W).
    """
    first = looks.look(one_CHW, hole_1HW, long_px=long_px)
    second = looks.look(other_CHW, other_hole_1HW, long_px=long_px)
    forward, sure = between(first, second, flow.tracker(path, fine=max(first.size) <= 2 * long_px))
    grown = flow.enlarged(np.concatenate([forward, sure[..., None]], -1), first.size)
    return looks.tensor(grown[..., :2]), looks.tensor(grown[..., 2:]).clamp(0.0, 1.0)


def between(one: looks.Look, other: looks.Look, track: Tracker) -> tuple[np.ndarray, np.ndarray]:
    """Flow from a look to another and its confidence, at the looks' own size; leaps followed."""
    known = ~one.hole_HW & ~other.hole_HW
    codes = looks.eight_bits(one.stops_HW, other.stops_HW, known)
    forward, backward = (leaps.followed(a, b, track) for a, b in (codes, codes[::-1]))
    at = warps.pixels(forward.shape[:2]) + forward
    there = warps.at_places((~other.hole_HW).astype(np.float32), at, cubic=False) > 0.99
    seen = ~one.hole_HW & there & warps.within(at, forward.shape[:2])
    return forward, np.where(seen, flow.agreement(forward, backward), 0.0).astype(np.float32)

"""Closing the seam of a hole: what is left between plate and fill round it, spread smoothly inward.

Here: a membrane (Perez et al. 2003, by pyramid instead of a solver). Not here: the gain between two
frames (`gains.py`).

Shapes: N places in the hole, M places round it.
"""

from __future__ import annotations

import numpy as np

from footagefit.motion import spreading
from footagefit.motion.aligning import Region

_MOST = 0.4  # on the curve of `looks.bent`, about half a stop
_FIRM = 0.25  # weight of a cell: several go together, or grain would run inward


def field(
    apart_M3: np.ndarray, sure_M: np.ndarray, ring_M2: np.ndarray, inner_N2: np.ndarray,
    part: Region,
) -> np.ndarray:  # fmt: skip
    """What to add in a hole (N,3), on the curve.

    Args:
        apart_M3: Plate less fill at places round the hole.
        sure_M: How sure the fill is there.
        ring_M2: Those places, px of the frame.
        inner_N2: The hole's.
        part: The region of both.
    """
    rows, columns = part.size
    good = (sure_M > 0.1) & (np.abs(apart_M3).max(1) < _MOST) if len(sure_M) else np.zeros(0, bool)
    if good.sum() < 8:
        return np.zeros((len(inner_N2), 3), np.float32)
    scale = np.array([columns / part.width, rows / part.height])
    at = ((ring_M2[good] - np.array([part.left, part.top]) + 0.5) * scale).astype(int)
    at = at.clip(0, np.array([columns, rows]) - 1)
    index = at[:, 1] * columns + at[:, 0]
    weight = np.bincount(index, sure_M[good], rows * columns)
    sums = [np.bincount(index, sure_M[good] * a, rows * columns) for a in apart_M3[good].T]
    mean = np.stack(sums, -1) / np.maximum(weight, 1e-6)[:, None]
    known = np.where(weight > 0, _FIRM, 0.0).astype(np.float32).reshape(rows, columns)
    made = spreading.spread(mean.reshape(rows, columns, 3), known, softly=True)
    return part.read(made.astype(np.float32), inner_N2)

"""Many views of a hidden place made one: their middle, and how far they agree.

Here: the weighted median of views, and the mean of those near it. Not here: where views come from
(`aligning.py`).

The median throws out what is wrong (an actor who walks through one frame), the mean of what is left
takes grain off and keeps texture where all agree. Values are on the curve of `looks.bent`.

Shapes: K views, N places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_LUMA = np.array([0.27, 0.67, 0.06], np.float32)
_NEAR = 0.12  # on the curve, about a sixth of a stop: views of one thing, grain in them
_APART = 0.5
_CHUNK = 200_000
_LONE = 0.85  # how sure a view that nobody backs can be


class Merged(NamedTuple):
    """One value a place.

    Attributes:
        codes_N3: On the curve; 0 where there is none.
        sure_N: 0 nothing, 1 sure.
        grain_N: Share of the grain's variance that is left: 1 of one view, 1/k of k.
        agreed_N: Share of the views, by their weight, that are of one mind.
    """

    codes_N3: np.ndarray
    sure_N: np.ndarray
    grain_N: np.ndarray
    agreed_N: np.ndarray


def merged(
    codes_KN3: list[np.ndarray], weight_KN: list[np.ndarray], worth_KN: list[np.ndarray],
    grain_KN: list[np.ndarray],
) -> Merged:  # fmt: skip
    """The views' middle.

    Args:
        codes_KN3: What each shows.
        weight_KN: How sure each is, 0 where it shows nothing.
        worth_KN: How much each counts among the others.
        grain_KN: Share of the grain's variance that is in each.
    """
    count = len(weight_KN[0]) if weight_KN else 0
    out = Merged(
        np.zeros((count, 3), np.float32), *(np.full(count, v, np.float32) for v in (0.0, 1.0, 1.0))
    )
    for start in range(0, count, _CHUNK):
        cut = slice(start, start + _CHUNK)
        views = (
            np.stack([v[cut] for v in each]) for each in (codes_KN3, weight_KN, worth_KN, grain_KN)
        )
        part = _merged(*views)
        for whole, piece in zip(out, part, strict=True):
            whole[cut] = piece
    return out


def _merged(codes: np.ndarray, weight: np.ndarray, worth: np.ndarray, grain: np.ndarray) -> Merged:
    share = weight * worth
    luma = codes @ _LUMA
    order = np.argsort(np.where(weight > 0, luma, np.inf), axis=0, kind="stable")
    mass = np.cumsum(np.take_along_axis(share, order, 0), 0)
    total = np.maximum(mass[-1], 1e-12)
    at = (mass < 0.5 * total[None]).sum(0).clip(0, len(codes) - 1)
    middle = np.take_along_axis(order, at[None], 0)[0]
    centre = np.take_along_axis(codes, middle[None, :, None], 0)[0]
    off = np.abs(codes - centre[None])
    apart = np.maximum(np.maximum(off[..., 0], off[..., 1]), off[..., 2])
    # As many as there are of one mind set the measure of what is near.
    spread = (apart * share).sum(0) / total
    near = np.maximum(_NEAR, np.minimum(spread, _APART))
    like = np.exp(-((apart / near[None]) ** 2))
    kept = share * like
    sum_kept = np.maximum(kept.sum(0), 1e-12)
    mean = (codes * kept[..., None]).sum(0) / sum_kept[:, None]
    there = weight.sum(0) > 1e-4
    top = np.maximum(worth.max(0, initial=0.0, where=weight > 0), 1e-12)
    backing = np.minimum(weight * like * np.minimum(1.0, 4.0 * worth / top), 1.0)
    backed = 1.0 - np.prod(1.0 - _LONE * backing, 0)
    mind = np.clip((sum_kept / total - 0.2) * 2.0, 0.0, 1.0)  # views torn apart tell little
    sure = np.where(there, backed * mind, 0.0)
    left = (kept**2 * grain).sum(0) / sum_kept**2
    return Merged(
        np.where(there[:, None], mean, 0.0).astype(np.float32),
        sure.clip(0.0, 1.0).astype(np.float32),
        np.where(there, left, 1.0).clip(0.0, 1.0).astype(np.float32),
        np.where(there, (weight * like).sum(0) / np.maximum(weight.sum(0), 1e-12), 1.0).astype(
            np.float32
        ),
    )

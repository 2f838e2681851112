"""A frame between two that were shot: dropped frames, and frames for a slower speed.

Here: both frames moved to a moment between them along their flows, each shown where it sees.
Not here: frames beyond the last (`onward.py`).

Flows of both frames are thrown forward to the moment (Niklaus and Liu 2020, with agreement of the
two flows as the importance), and the frames are read back along them by a cubic filter: thrown
pixels would be blurred, thrown flow is smooth anyhow.

Shapes: C channels, H rows, W columns; flows (H,W,2) u, v in px.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import WrongValue
from footagefit.motion import crisp, flow, looks, spreading, warps
from footagefit.motion.carried import RESAMPLED, Carried
from footagefit.motion.sources import Plate, whole_plate

LONG_PX = 960
_FIRM = 8.0  # importance of agreement where two things land on one pixel
_GHOST = 0.35  # on the curve, seen soft: the two frames show different things


class Thrown(NamedTuple):
    """Flow of a frame, thrown to another moment.

    Attributes:
        flow_HW2: Of what landed.
        sure_HW: Its agreement.
        count_HW: How much landed: about 1 where the frame sees.
    """

    flow_HW2: np.ndarray
    sure_HW: np.ndarray
    count_HW: np.ndarray


def between(
    before_CHW: Tensor, after_CHW: Tensor, at: float, *, hole_before_1HW: Tensor | None = None,
    hole_after_1HW: Tensor | None = None, long_px: int = LONG_PX, path: Path | None = None,
) -> Carried:  # fmt: skip
    """A frame between two.

    Args:
        before_CHW: Scene-linear ACEScg.
        after_CHW: Likewise, of the same size.
        at: When: 0 is `before`, 1 is `after`.
        hole_before_1HW: Where `before` has no pixel.
        hole_after_1HW: Where `after` has none.
        long_px: Longest side at which they are compared.
        path: Of a learned flow, see `flow.learned`.

    Raises:
        WrongValue: `at` is not between 0 and 1.
    """
    if not 0.0 <= at <= 1.0:
        raise WrongValue(f"at: expected a moment from 0 to 1, got {at:g}")
    one = looks.look(before_CHW, hole_before_1HW, long_px=long_px)
    two = looks.look(after_CHW, hole_after_1HW, long_px=long_px)
    track = flow.tracker(path, fine=max(one.stops_HW.shape) <= 640)
    forward, sure = flow.between(one, two, track)
    backward, sure_back = flow.between(two, one, track)
    first = thrown(forward, at, sure, known_HW=~one.hole_HW)
    second = thrown(backward, 1.0 - at, sure_back, known_HW=~two.hole_HW)
    fields = [_enlarged(side, one.size) for side in (first, second)]
    plates = [whole_plate(before_CHW, hole_before_1HW), whole_plate(after_CHW, hole_after_1HW)]
    views = [
        _view(plate, side, part)
        for plate, side, part in zip(plates, fields, (-at, at - 1.0), strict=True)
    ]
    steep = [crisp.steepness(plate.codes_HWC, plate.known_HW) for plate in plates]
    return _blended(views, fields, at, steep=(1.0 - at) * steep[0] + at * steep[1])


def thrown(
    flow_HW2: np.ndarray, part: float, sure_HW: np.ndarray, *, known_HW: np.ndarray | None = None
) -> Thrown:
    """Flow as it lies after a part of itself: where two things land, the one that agrees wins."""
    size = (flow_HW2.shape[0], flow_HW2.shape[1])
    to = warps.pixels(size) + part * flow_HW2
    there = np.ones(size, np.float32) if known_HW is None else known_HW.astype(np.float32)
    weight = there * np.exp(_FIRM * (sure_HW - 1.0))
    fields = np.stack(
        [weight, weight * flow_HW2[..., 0], weight * flow_HW2[..., 1], weight * sure_HW, there], -1
    )
    mass = _dropped(fields, to)
    total = np.maximum(mass[..., 0], 1e-8)
    value = mass[..., 1:3] / total[..., None]
    landed = np.minimum(1.0, 2.0 * mass[..., 4])
    filled = spreading.spread(value, np.where(mass[..., 4] > 0.25, 1.0, 0.0).astype(np.float32))
    return Thrown(filled, mass[..., 3] / total, landed)


def _dropped(fields_HWC: np.ndarray, to_HW2: np.ndarray) -> np.ndarray:
    """Values laid down where they land, shared among four pixels each."""
    height, width, count = fields_HWC.shape
    x, y = to_HW2[..., 0].ravel(), to_HW2[..., 1].ravel()
    left, top = np.floor(x), np.floor(y)
    out = np.zeros((count, height * width), np.float64)
    flat = fields_HWC.reshape(-1, count)
    for down in (0, 1):
        for across in (0, 1):
            share = (1 - np.abs(x - left - across)) * (1 - np.abs(y - top - down))
            column, row = left + across, top + down
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            index = (row[inside] * width + column[inside]).astype(np.int64)
            for c in range(count):
                out[c] += np.bincount(index, share[inside] * flat[inside, c], height * width)
    return out.reshape(count, height, width).transpose(1, 2, 0).astype(np.float32)


def _enlarged(side: Thrown, size: tuple[int, int]) -> Thrown:
    whole = np.concatenate([side.flow_HW2, side.sure_HW[..., None], side.count_HW[..., None]], -1)
    wide = flow.enlarged(whole, size)
    return Thrown(wide[..., :2], wide[..., 2], wide[..., 3])


def _view(plate: Plate, side: Thrown, part: float) -> tuple[np.ndarray, np.ndarray]:
    """A frame as it looks at the moment, on the curve, and where something is seen of it there."""
    size = (plate.known_HW.shape[0], plate.known_HW.shape[1])
    at = warps.pixels(size) + part * side.flow_HW2
    seen = warps.within(at, size)
    seen &= warps.at_places(plate.known_HW, at, cubic=False) > 0.99
    return warps.at_places(plate.codes_HWC, at), seen.astype(np.float32)


def _blended(
    views: list[tuple[np.ndarray, np.ndarray]], sides: list[Thrown], at: float, *, steep: float
) -> Carried:
    """Both views by nearness where both see; the one that sees where only one does."""
    import cv2

    shares = []
    for (_, seen), side, near in zip(views, sides, (1.0 - at, at), strict=True):
        shares.append(seen * side.count_HW * (0.02 + side.sure_HW) * (0.02 + near) + 1e-5 * seen)
    one, two = views[0][0], views[1][0]
    apart = cv2.GaussianBlur(np.abs(one - two).max(-1), (0, 0), 1.5)
    ghost = np.clip(apart / _GHOST, 0.0, 1.0)
    # Where the two show different things a blend is a ghost of both: one is chosen.
    power = 1.0 + 5.0 * ghost
    first, second = (np.maximum(s, 0.0) for s in shares)
    top = np.maximum(np.maximum(first, second), 1e-12)
    first, second = (first / top) ** power, (second / top) ** power
    total = np.maximum(first + second, 1e-12)
    part = (second / total)[..., None]
    codes = one + part * (two - one)
    seen = np.maximum(views[0][1], views[1][1])
    fit = np.exp(-((apart / (2 * _GHOST)) ** 2))
    landed = np.maximum(sides[0].count_HW * views[0][1], sides[1].count_HW * views[1][1])
    sure = seen * landed * np.maximum(fit, 0.5 * np.maximum(sides[0].sure_HW, sides[1].sure_HW))
    codes, by = crisp.crisped(codes, seen, steep)
    grain = np.minimum(((1 - part) ** 2 + part**2)[..., 0] * RESAMPLED * (1.0 + by), 1.0)
    light = looks.straight(codes) * seen[..., None]
    return Carried(
        looks.tensor(light),
        torch.from_numpy(np.clip(sure, 0.0, 1.0).astype(np.float32))[None],
        torch.from_numpy(np.where(seen > 0, grain, 1.0).astype(np.float32))[None],
    )

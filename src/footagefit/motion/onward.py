"""Frames beyond the first and last that were shot: where the camera goes on to.

Here: global motion run on as far as the shot's own past allows, what moves by itself run out, and
the last frame moved so. Not here: what comes into frame, which other frames may show
(`propagation.py`).

Shapes: C channels, H rows, W columns, T frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.motion import crisp, flow, homography, looks, warps
from footagefit.motion.between import thrown
from footagefit.motion.carried import RESAMPLED, Carried
from footagefit.motion.homography import Motion
from footagefit.motion.sources import Mover, whole_plate

_PAST = (1, 2, 4, 8)  # steps whose mean is the speed
_KEPT = (0.0, 0.5, 0.7, 0.85, 0.95, 1.0)  # of the speed, a step on
_LEAST_TRIALS = 3
_LOCAL_KEPT = 0.8
_FADE = 0.93  # a step on, what moves by itself is so much less sure


def onward(
    frames: Sequence[Tensor], steps: int, *, long_px: int = 640, path: Path | None = None
) -> list[Carried]:
    """Frames after the last; for a head hand them over last first.

    Args:
        frames: The last few (3,H,W), in order; eight tell a camera's move well.
        steps: How many to make.
        long_px: Longest side at which they are compared.
        path: Of a learned flow, see `flow.learned`.
    """
    seen = [looks.look(frame, None, long_px=long_px) for frame in frames]
    past = [homography.of_looks(a, b) for a, b in itertools.pairwise(seen)]
    track = flow.tracker(path, fine=max(seen[-1].size) <= 2 * long_px)
    size = seen[-1].size
    back = np.linalg.inv(past[-1].matrix) if past else np.eye(3)
    local = beside(seen, partial(warps.moved, by=back), track)
    return [
        moved_on(frames[-1], None, partial(warps.moved, by=to), local, k + 1)
        for k, to in enumerate(ahead(past, steps, size))
    ]


def ahead(past: Sequence[Motion], steps: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Homographies from the last frame to those after it.

    The corners' speed goes on as the shot's own past says it does: of some ways of running it on,
    the one that would have foretold what was shot the best.

    Args:
        past: Steps between frames, in order.
        steps: How many frames ahead.
        size: Of the frames (rows, columns).
    """
    import cv2

    at = homography.corners(size)
    speed = (
        np.stack([warps.moved(at, m.matrix) - at for m in past]) if past else np.zeros((1, 4, 2))
    )
    count, kept = _best_way(speed, steps)
    pace = speed[-count:].mean(0)
    out, gone, factor = [], np.zeros_like(pace), 1.0
    for _ in range(steps):
        factor *= kept
        gone = gone + factor * pace
        to = (at + gone).astype(np.float32)
        out.append(cv2.getPerspectiveTransform(at.astype(np.float32), to))
    return out


def _best_way(speed_T42: np.ndarray, steps: int) -> tuple[int, float]:
    """How many past steps to average, and how much of their speed to keep a step on."""
    length = len(speed_T42)
    reach = max(1, min(steps, length // 2))
    best, way = np.inf, (min(4, length), 0.9)
    middle = speed_T42.mean(1)  # of the four corners
    for count in _PAST:
        for kept in _KEPT:
            sums = np.cumsum(kept ** np.arange(1, reach + 1))
            errors = []
            for now in range(count, length - reach + 1):
                pace = middle[now - count : now].mean(0)
                came = np.cumsum(middle[now : now + reach], 0)
                errors.append(np.linalg.norm(sums[:, None] * pace - came, axis=1).mean())
            if len(errors) >= _LEAST_TRIALS and np.mean(errors) < best * 0.98:
                best, way = float(np.mean(errors)), (count, kept)
    return way


def beside(
    seen: Sequence[looks.Look], back: Mover, track: flow.Tracker
) -> tuple[np.ndarray, np.ndarray]:
    """What moves beside the camera at the last frame, px a step, and how sure that is.

    Args:
        seen: The last two frames' looks, or the last one's alone.
        back: From the last frame's places to those of the one before it, by global motion.
        track: Dense flow.
    """
    size = seen[-1].size
    if len(seen) < 2:
        return np.zeros((*size, 2), np.float32), np.ones(size, np.float32)
    past, sure = flow.between(seen[-1], seen[-2], track)
    wide = flow.enlarged(np.concatenate([past, sure[..., None]], -1), size)
    places = warps.pixels(size)
    own = back(places) - places - wide[..., :2]
    sure = np.clip(wide[..., 2], 0.0, 1.0)
    # Less than a third of a px is not told from nothing.
    far = np.linalg.norm(own, axis=-1) * max(seen[-1].stops_HW.shape) / max(size)
    return own * (sure * np.clip((far - 0.2) / 0.3, 0, 1))[..., None], sure


def moved_on(
    last_CHW: Tensor, hole_1HW: Tensor | None, to: Mover, local: tuple[np.ndarray, np.ndarray],
    steps: int,
) -> Carried:  # fmt: skip
    """The last frame as it looks some steps on.

    Args:
        last_CHW: The frame.
        hole_1HW: Where it has no pixel.
        to: From its places to those of the moment, by global motion.
        local: What moves beside the camera, px a step, and how sure that is.
        steps: How many.
    """
    plate = whole_plate(last_CHW, hole_1HW)
    size = (plate.known_HW.shape[0], plate.known_HW.shape[1])
    places = warps.pixels(size)
    run = sum(_LOCAL_KEPT**k for k in range(1, steps + 1))
    by = to(places + np.float32(run) * local[0]) - places
    there = thrown(by.astype(np.float32), 1.0, local[1], known_HW=plate.known_HW)
    at = places - there.flow_HW2
    seen = warps.within(at, size)
    seen &= warps.at_places(plate.known_HW, at, cubic=False) > 0.99
    moving = np.linalg.norm(warps.at_places(local[0], at, cubic=False), axis=-1)
    sure = np.where(moving > 0.2, _FADE**steps, 0.5 * (1 + _FADE**steps))
    sure = sure * np.clip(there.count_HW, 0.3, 1.0) * seen
    steep = crisp.steepness(plate.codes_HWC, plate.known_HW)
    codes = warps.at_places(plate.codes_HWC, at)
    codes, more = crisp.crisped(codes, seen.astype(np.float32), steep)
    moved = np.abs(there.flow_HW2).max(-1) > 0.01
    grain = np.where(seen & moved, min(1.0, RESAMPLED * (1.0 + more)), 1.0)
    return Carried(
        looks.tensor(looks.straight(codes) * seen[..., None]),
        torch.from_numpy(sure.astype(np.float32))[None],
        torch.from_numpy(grain.astype(np.float32))[None],
    )

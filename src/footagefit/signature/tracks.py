"""The same points seen at two places behind the lens, as the camera turns.

Here: points followed from one frame to another to a small fraction of a pixel. Not here: what they
say of a lens (`turning.py`), how the camera moved (`overlaps.py`).

Frames are looked at no larger than `LONG_PX`, as tones less their surroundings: a vignette, which
stands still while things pass through it, is gone from these.

Shapes: H rows, W columns, N points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from footagefit.signature import coordinates, overlaps

LONG_PX = 960
_SURROUNDINGS_PX = 8.0  # deviation of the blur that is taken off
_WINDOW_PX = 15
_RIM_PX = 14  # a window must lie in the frame: what is missing of it moves the point
_MOST_POINTS = 600
_APART_PX = 7
_WEAK = 0.003  # of the strongest corner
_BACK_PX = 0.2  # a point followed there and back is where it was
_LEAST = 24


class Tracks(NamedTuple):
    """Points of two frames, in lens coordinates.

    Attributes:
        one_N2: Where they are in the one.
        other_N2: Where in the other.
    """

    one_N2: np.ndarray
    other_N2: np.ndarray


def seen(luma_HW: np.ndarray) -> np.ndarray:
    """A frame as points are followed in it, in eight bits."""
    import cv2

    height, width = luma_HW.shape
    scale = min(1.0, LONG_PX / max(height, width))
    size = (round(width * scale), round(height * scale))
    light = luma_HW if scale == 1.0 else cv2.resize(luma_HW, size, interpolation=cv2.INTER_AREA)
    tones = coordinates.tones(light).astype(np.float32)
    plain = tones - cv2.GaussianBlur(tones, (0, 0), _SURROUNDINGS_PX)
    strong = max(float(np.quantile(np.abs(plain), 0.98)), 1e-3)
    return (128 + plain * (100 / strong)).clip(0, 255).astype(np.uint8)


def follow(
    one_HW: np.ndarray, other_HW: np.ndarray, move: np.ndarray, *, squeeze: float = 1.0
) -> Tracks | None:
    """Points of one frame in another, or None where hardly any are found again.

    Args:
        one_HW: A frame, as `seen` gives it.
        other_HW: Another of the same shot.
        move: About how the camera moved, as `overlaps.camera_move` tells it.
        squeeze: Of both.
    """
    import cv2

    start = cv2.goodFeaturesToTrack(one_HW, _MOST_POINTS, _WEAK, _APART_PX)
    if start is None or len(start) < _LEAST:
        return None
    size = (one_HW.shape[0], one_HW.shape[1])
    larger = np.diag([*[max(1.0, max(size) / overlaps.LONG_PX)] * 2, 1.0])
    guess = cv2.perspectiveTransform(start, larger @ move @ np.linalg.inv(larger))
    start, guess = (p[_inside(guess, size)] for p in (start, guess))
    if len(start) < _LEAST:
        return None
    window = (_WINDOW_PX, _WINDOW_PX)
    steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 0.003)
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    found, good, _ = cv2.calcOpticalFlowPyrLK(
        one_HW, other_HW, start, guess.astype(np.float32), winSize=window, maxLevel=2,
        criteria=steps, flags=flags,
    )  # fmt: skip
    back, also, _ = cv2.calcOpticalFlowPyrLK(
        other_HW, one_HW, found, start.copy(), winSize=window, maxLevel=2, criteria=steps,
        flags=flags,
    )  # fmt: skip
    kept = (good[:, 0] > 0) & (also[:, 0] > 0) & _inside(start, size) & _inside(found, size)
    kept &= np.linalg.norm(back - start, axis=2)[:, 0] < _BACK_PX
    if kept.sum() < _LEAST:
        return None
    one, other = (p[kept, 0].astype(np.float64) for p in (start, found))
    return Tracks(*(coordinates.to_lens(p, size, squeeze=squeeze) for p in (one, other)))


def _inside(at_N12: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    most = np.array([size[1], size[0]]) - 1 - _RIM_PX
    return np.all((at_N12 >= _RIM_PX) & (at_N12 <= most), axis=(1, 2))

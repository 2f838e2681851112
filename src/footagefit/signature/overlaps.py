"""The same things seen at two places behind the lens: what tells the vignette from the light.

Here: pairs of frames between which the camera moved, brought over each other, and smooth patches
whose shading runs with the radius. Not here: the fit (`vignette.py`).

Frames are looked at small: a vignette is smooth, and grain averages out.

Shapes: H rows, W columns, N patches.
"""

from __future__ import annotations

import numpy as np

from footagefit.signature import coordinates
from footagefit.signature.vignette import Pairs

LONG_PX = 480
_PATCH_PX = 6
_LEAST_MOVE = 0.02  # in r: less tells nothing
_SURE = 0.04  # response of a phase correlation that says how far
_TEXTURE_EV = 0.08
_DARK = 0.004
_CLIPPED = 0.98  # of the brightest light in the frame


def small(frame_HWC: np.ndarray) -> np.ndarray:
    """A frame at about `LONG_PX`, light averaged."""
    import cv2

    height, width = frame_HWC.shape[:2]
    scale = LONG_PX / max(height, width)
    if scale >= 1:
        return frame_HWC
    size = (round(width * scale), round(height * scale))
    return cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA)


def pairs(
    one_HWC: np.ndarray, other_HWC: np.ndarray, warp: np.ndarray, *, squeeze: float = 1.0
) -> Pairs | None:
    """Patches of two small frames that show the same things, or None where these are too few.

    Args:
        one_HWC: A frame, as `small` gives it.
        other_HWC: Another of the same shot.
        warp: How the camera moved between them, as `camera_move` tells it.
        squeeze: Of both.
    """
    import cv2

    size = (one_HWC.shape[0], one_HWC.shape[1])
    bounds = (size[1], size[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    over = cv2.warpPerspective(other_HWC, warp, bounds, flags=flags, borderMode=cv2.BORDER_CONSTANT,
                               borderValue=(-1.0, -1.0, -1.0))  # fmt: skip
    return _compared(one_HWC, over, warp, squeeze=squeeze)


def camera_move(one_HWC: np.ndarray, other_HWC: np.ndarray) -> np.ndarray | None:
    """The homography from the one small frame's pixels to the other's, if it is one at all.

    None, too, where the camera stood.
    """
    import cv2

    first, second = (_eight_bits(f) for f in (one_HWC, other_HWC))
    corners = cv2.goodFeaturesToTrack(first, 600, 0.005, 5)
    if corners is None or len(corners) < 24:
        return None
    move = _homography(first, second, corners, np.zeros(2, np.float32))
    if move is None:  # further than points are looked for about where they were
        move = _homography(first, second, corners, _shift(first, second))
    if move is None:
        return None
    warp, shift = move
    half = coordinates.half_diagonal_px((one_HWC.shape[0], one_HWC.shape[1]))
    return warp if shift > _LEAST_MOVE * half else None


def _homography(
    first_HW: np.ndarray, second_HW: np.ndarray, corners: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, float] | None:
    """The homography most corners went by, looked for a step away, and how far they went."""
    import cv2

    how = {"winSize": (21, 21), "maxLevel": 4, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    moved, good, _ = cv2.calcOpticalFlowPyrLK(first_HW, second_HW, corners, corners + step, **how)
    back, also, _ = cv2.calcOpticalFlowPyrLK(second_HW, first_HW, moved, moved - step, **how)
    there = (good[:, 0] > 0) & (also[:, 0] > 0)
    there &= np.linalg.norm(back - corners, axis=2)[:, 0] < 0.3
    if there.sum() < 20:
        return None
    warp, inside = cv2.findHomography(corners[there], moved[there], cv2.RANSAC, 0.8)
    if warp is None or inside.mean() < 0.35 or inside.sum() < 16:
        return None
    shift = np.linalg.norm(moved[there] - corners[there], axis=2)[:, 0]
    return warp, float(np.median(shift))


def _shift(first_HW: np.ndarray, second_HW: np.ndarray) -> np.ndarray:
    """About how far the picture moved as a whole, by phase correlation; 0 where it does not say."""
    import cv2

    one, other = (frame.astype(np.float32) for frame in (first_HW, second_HW))
    window = cv2.createHanningWindow((one.shape[1], one.shape[0]), cv2.CV_32F)
    shift, sure = cv2.phaseCorrelate(one, other, window)
    return np.array(shift if sure > _SURE else (0.0, 0.0), np.float32)


def _eight_bits(frame_HWC: np.ndarray) -> np.ndarray:
    seen = coordinates.stops(coordinates.luma(frame_HWC))
    low, high = np.quantile(seen, (0.01, 0.995))
    return ((seen - low) / max(high - low, 0.5) * 255).clip(0, 255).astype(np.uint8)


def _compared(
    one_HWC: np.ndarray, over_HWC: np.ndarray, warp: np.ndarray, *, squeeze: float
) -> Pairs | None:
    """Patches that are there in both, smooth, neither dark nor clipped."""
    first, second = _patches(one_HWC), _patches(over_HWC)
    rows, columns = first.shape[:2]
    mean_one, mean_over = first.mean(2), second.mean(2)
    bright = min(float(one_HWC.max()), float(over_HWC.max())) * _CLIPPED
    inner = (second.min((2, 3)) > 0) & (first.min((2, 3)) > 0)
    inner &= (mean_one.min(2) > _DARK) & (mean_over.min(2) > _DARK)
    inner &= (first.max((2, 3)) < bright) & (second.max((2, 3)) < bright)
    with np.errstate(invalid="ignore", divide="ignore"):
        rough = np.log2(first[..., 1].clip(1e-6)).std(2)
        apart = np.log2(mean_over.clip(1e-6) / mean_one.clip(1e-6))
    inner &= (rough < _TEXTURE_EV) & (np.abs(apart[..., 1]) < 1.0)
    if inner.sum() < 60:
        return None
    y, x = np.mgrid[0:rows, 0:columns]
    middle = np.stack([x[inner], y[inner]], 1) * _PATCH_PX + (_PATCH_PX - 1) / 2
    across = np.concatenate([middle, np.ones((len(middle), 1))], 1) @ warp.T
    size = (one_HWC.shape[0], one_HWC.shape[1])
    one = coordinates.to_lens(middle, size, squeeze=squeeze)
    other = coordinates.to_lens(across[:, :2] / across[:, 2:], size, squeeze=squeeze)
    return Pairs(one, other, apart[inner], np.zeros(len(one), int))


def _patches(frame_HWC: np.ndarray) -> np.ndarray:
    """(rows, columns, pixels, 3)."""
    rows, columns = frame_HWC.shape[0] // _PATCH_PX, frame_HWC.shape[1] // _PATCH_PX
    cut = frame_HWC[: rows * _PATCH_PX, : columns * _PATCH_PX]
    cut = cut.reshape(rows, _PATCH_PX, columns, _PATCH_PX, 3).swapaxes(1, 2)
    return cut.reshape(rows, columns, -1, 3)


def shading(frame_HWC: np.ndarray, *, squeeze: float = 1.0) -> Pairs | None:
    """Smooth patches of one small frame, each against its neighbour further out.

    Surfaces shade every way, a vignette only along the radius (Zheng et al. 2008): over many
    frames what is left is the lens. Much less certain than the same thing seen twice.
    """
    patches = _patches(frame_HWC)
    mean = patches.mean(2)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.log2(mean.clip(1e-6))
        rough = np.log2(patches[..., 1].clip(1e-6)).std(2)
    plain = (rough < _TEXTURE_EV) & (mean.min(2) > _DARK)
    plain &= patches.max((2, 3)) < float(frame_HWC.max()) * _CLIPPED
    rows, columns = plain.shape
    size = (frame_HWC.shape[0], frame_HWC.shape[1])
    ones, others, steps = [], [], []
    for dy, dx in ((0, 4), (4, 0), (4, 4), (4, -4)):
        here = np.s_[: rows - dy, max(0, -dx) : columns - max(0, dx)]
        there = np.s_[dy:rows, max(0, dx) : columns + min(0, dx)]
        both = plain[here] & plain[there]
        step = (level[there] - level[here])[both]
        y, x = np.nonzero(both)
        middle = np.stack([x + max(0, -dx), y], 1) * _PATCH_PX + (_PATCH_PX - 1) / 2
        ones.append(coordinates.to_lens(middle, size, squeeze=squeeze))
        moved = middle + np.array([dx, dy]) * _PATCH_PX
        others.append(coordinates.to_lens(moved, size, squeeze=squeeze))
        steps.append(step)
    one, other, apart = np.concatenate(ones), np.concatenate(others), np.concatenate(steps)
    near = np.abs(apart[:, 1]) < 0.4
    if near.sum() < 60:
        return None
    return Pairs(one[near], other[near], apart[near], np.zeros(int(near.sum()), int))

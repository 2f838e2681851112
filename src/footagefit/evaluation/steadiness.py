"""What happens from frame to frame: flicker and warping error, along the source's own motion.

What belongs here: measures of a run of frames. What does not: single frames (`metrics.py`,
`artefacts.py`), filtering over time (`rendering`).

Frames are lists of luminance (H,W), scene-linear, float32; flows (H,W,2) say, in px, where each
pixel of one frame lies in another. Every measure stands beside the source clip's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

CELLS = (9, 16)
LUMA = np.array([0.2722, 0.6741, 0.0537], np.float32)  # of AP1
TOE = 2.0**-6

Flows = Sequence[tuple[np.ndarray, np.ndarray]]


def luminance(frame_CHW: np.ndarray) -> np.ndarray:
    """Luminance of a scene-linear ACEScg frame (H,W), negatives 0."""
    return np.maximum(np.tensordot(LUMA, frame_CHW, axes=1), 0.0).astype(np.float32)


def flow(of: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Where each pixel of `of` lies in `onto` (H,W,2), by DIS."""
    import cv2

    codes = [np.clip((np.log2(x + TOE) + 6) / 8 * 255, 0, 255).astype(np.uint8) for x in (of, onto)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(codes[0], codes[1], None)  # pyright: ignore


def flows_of(source: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each step of a clip: flow back to the frame before, and from there forward."""
    return [(flow(b, a), flow(a, b)) for a, b in pairwise(source)]


def warped(picture: np.ndarray, along: np.ndarray) -> np.ndarray:
    """A picture as seen from where the flow starts."""
    import cv2

    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(picture, x + along[..., 0], y + along[..., 1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip


def visible(back: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Pixels that both frames see: the flows agree and bend little (Lai et al. 2018, eq. 6, 7)."""
    again = warped(forward, back)
    size = (back**2).sum(-1) + (again**2).sum(-1)
    agree = ((back + again) ** 2).sum(-1) <= 0.01 * size + 0.5
    bend = sum(np.gradient(back[..., c], axis=a) ** 2 for c in (0, 1) for a in (0, 1))
    return agree & (bend <= 0.01 * (back**2).sum(-1) + 0.002)


def warping_error(
    frames: Sequence[np.ndarray], flows: Flows, source: Sequence[np.ndarray]
) -> float:
    """Mean squared difference of warped frames where nothing is hidden (Lai et al. 2018, eq. 8).

    In scene-linear light at the source's mean level, so that a brighter result is not a worse
    one. Range: 0 and up; `warping_ratio` sets it beside the source's own.
    """
    scale = np.mean(source) / max(1e-6, float(np.mean(frames)))
    total = []
    for (a, b), (back, forward) in zip(pairwise(frames), flows, strict=True):
        seen = visible(back, forward)
        if seen.any():
            total.append(float((((b - warped(a, back)) * scale) ** 2)[seen].mean()))
        else:
            total.append(0.0)
    return float(np.mean(total))


def warping_ratio(
    frames: Sequence[np.ndarray], flows: Flows, source: Sequence[np.ndarray]
) -> float:
    """Warping error over the source's own: 1 is as steady as the source, 2 twice the error."""
    return warping_error(frames, flows, source) / max(1e-12, warping_error(source, flows, source))


def flicker_stops(frames: Sequence[np.ndarray], target: Sequence[np.ndarray]) -> float:
    """Mean |d/dt mean(log2 frame - log2 target)| in stops: how much the whole picture pumps.

    Range: 0 (as steady as the target) and up. Needs the same frames of a target.
    """
    off = [float(np.mean(np.log2(a + TOE) - np.log2(b + TOE))) for a, b in zip(
        frames, target, strict=True)]  # fmt: skip
    return float(np.mean(np.abs(np.diff(off)))) if len(off) > 1 else 0.0


def cells(values: np.ndarray) -> np.ndarray:
    """The means of 9 x 16 cells."""
    import cv2

    return cv2.resize(values.astype(np.float32), CELLS[::-1], interpolation=cv2.INTER_AREA)


def cell_flicker_stops(frames: Sequence[np.ndarray], flows: Flows) -> float:
    """The 95th percentile of what 9 x 16 cells change by along the motion, in stops a frame."""
    steps = []
    for (a, b), (back, _) in zip(pairwise(frames), flows, strict=True):
        before = warped(np.log2(a + TOE), back)
        steps.append(np.abs(cells(np.log2(b + TOE) - before)))
    return float(np.percentile(np.stack(steps), 95))

"""What reading between pixels and blending take from edges, given back.

Here: how sharp edges are, and as much sharpening as brings a made frame's to those of the frames it
was made of. Not here: reading between pixels (`warps.py`).

Pictures are on the curve of `looks.bent` (H,W,C). Edges alone are asked: elsewhere the finest
detail is grain, of which a blend has less for good reasons.
"""

from __future__ import annotations

import numpy as np

_SIGMA_PX = 0.8
_EDGES = 0.1  # of a frame, the steepest places
_MOST = 0.4
_TRIAL = 0.25


def steepness(codes_HWC: np.ndarray, seen_HW: np.ndarray) -> float:
    """Mean second difference where a frame is steepest; 0 where nothing is seen."""
    import cv2

    green = codes_HWC[..., 1]
    soft = cv2.GaussianBlur(green, (0, 0), 1.5)
    slope = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    slope = np.where(seen_HW > 0.5, slope, -1.0)
    few = slope[:: max(1, slope.shape[0] // 270), :: max(1, slope.shape[1] // 480)]
    bound = float(np.quantile(few, 1.0 - _EDGES))
    steep = slope > max(bound, 1e-4)
    if not steep.any():
        return 0.0
    return float(np.abs(cv2.Laplacian(green, cv2.CV_32F))[steep].mean())


def crisped(codes_HWC: np.ndarray, seen_HW: np.ndarray, wanted: float) -> tuple[np.ndarray, float]:
    """A frame sharpened until its edges are as steep as wanted, and by how much it was.

    Args:
        codes_HWC: The frame.
        seen_HW: Where it shows something.
        wanted: `steepness` of what it was made of.
    """
    import cv2

    had = steepness(codes_HWC, seen_HW)
    if had <= 0.0 or wanted <= had:
        return codes_HWC, 0.0
    fine = codes_HWC - cv2.GaussianBlur(codes_HWC, (0, 0), _SIGMA_PX)
    trial = steepness(codes_HWC + np.float32(_TRIAL) * fine, seen_HW)
    by = float(np.clip(_TRIAL * (wanted - had) / max(trial - had, 1e-6), 0.0, _MOST))
    return codes_HWC + np.float32(by) * fine, by

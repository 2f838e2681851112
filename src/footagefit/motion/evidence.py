"""What a frame shows that its neighbours do not, and where lines run in it: what finders look at.

What belongs here: the frame before and after laid over a frame along the motion of what is large
in it, what is left, and evidence of thin lines. What does not: deciding what is to go (`finders`),
flow that pixels are carried by (`flow`): here thin things must not be followed.

Shapes: C channels, H rows, W columns, all at the size that a finder works at.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from footagefit.motion import flow, looks, warps
from footagefit.signature.light_vector import LUMA

CHANNELS = 10
_LEVEL = 1
UNLIKE = slice(4, 6)  # the differences to both neighbours
SWAPPED = (0, 1, 2, 3, 5, 4, 6, 7, 8, 9)  # their order where the neighbours are exchanged
_LEVEL_EV = 3.0  # a unit of it
_TOE = 2.0**-7
_FLOW_SHARE = 0.5  # flow is looked for at half the size, where thin things hardly show
_WAYS = 8  # directions in which lines may run
_RUN_PX = 31  # a line is looked for over so many pixels
_BORDER_PX = 48.0


def evidence(before_3HW: Tensor, frame_3HW: Tensor, after_3HW: Tensor) -> Tensor:
    """What can be seen of a frame beside its neighbours (10,H,W), each within a few units of 0.

    Luma beside its surroundings, level, two colours beside their surroundings, the differences to
    both neighbours in units of the shot's noise, evidence of bright and of dark lines, ridges, and
    how far the border is.

    Args:
        before_3HW: The frame before, scene-linear ACEScg; at a shot's head the one after.
        frame_3HW: The frame.
        after_3HW: The frame after; at a shot's end the one before.
    """
    import cv2

    stops = [_stops(f) for f in (before_3HW, frame_3HW, after_3HW)]
    lumas = [_luma(f) for f in (before_3HW, frame_3HW, after_3HW)]
    here = lumas[1]
    around = cv2.GaussianBlur(here, (0, 0), 6.0, borderType=cv2.BORDER_REPLICATE)
    apart = here - around
    spread = cv2.GaussianBlur(apart * apart, (0, 0), 6.0, borderType=cv2.BORDER_REPLICATE)
    colours = [stops[1][..., c] - stops[1][..., 1] for c in (0, 2)]
    hues = [c - cv2.GaussianBlur(c, (0, 0), 6.0, borderType=cv2.BORDER_REPLICATE) for c in colours]
    bright, dark, ridge = _lines(here)
    rows = [
        apart / (np.sqrt(spread) + 0.08),
        (here - float(np.median(here))) / _LEVEL_EV,
        *hues,
        _unlike(here, lumas[0]),
        _unlike(here, lumas[2]),
        bright,
        dark,
        ridge,
        _border(*here.shape),
    ]
    return torch.from_numpy(np.stack(rows).clip(-4.0, 4.0).astype(np.float32))


def stops_of(evidence_CHW: Tensor) -> Tensor:
    """The luminance that evidence was told from (H,W), log2 over the frame's median."""
    return evidence_CHW[_LEVEL] * _LEVEL_EV


def _stops(frame_3HW: Tensor) -> np.ndarray:
    """Stops (H,W,3); broken pixels are black."""
    light = frame_3HW.nan_to_num(0.0, 65504.0, 0.0).clamp(0.0, 65504.0)
    return torch.log2(light + _TOE).permute(1, 2, 0).contiguous().numpy()


def _luma(frame_3HW: Tensor) -> np.ndarray:
    """Luminance in stops (H,W)."""
    light = frame_3HW.nan_to_num(0.0, 65504.0, 0.0).clamp(0.0, 65504.0)
    weights = light.new_tensor(LUMA).view(3, 1, 1)
    return torch.log2((light * weights).sum(0) + _TOE).numpy()


def _unlike(here: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What a frame has over a neighbour laid over it, in units of what is usual."""
    at = warps.pixels((here.shape[0], here.shape[1])) + _flow(here, other)
    off = here - warps.at_places(other, at)
    off = off - float(np.median(off))
    usual = 1.48 * float(np.median(np.abs(off)))
    return off / (3.0 * usual + 0.03)


def _flow(here: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where each pixel of a frame lies in a neighbour by what is large in it (H,W,2)."""
    import cv2

    size = (here.shape[0], here.shape[1])
    small = (max(32, round(size[0] * _FLOW_SHARE)), max(32, round(size[1] * _FLOW_SHARE)))
    codes = looks.eight_bits(*(looks.shrunk(p, small) for p in (here, other)))
    found = flow.dis()(*codes)
    calm = [cv2.medianBlur(np.ascontiguousarray(found[..., c]), 5) for c in (0, 1)]
    return flow.enlarged(np.stack(calm, -1), size)


def _lines(luma_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bright lines, dark lines and ridges of a pixel or two, in units of what is usual."""
    import cv2

    bright = np.zeros_like(luma_HW)
    dark = np.zeros_like(luma_HW)
    ridge = np.zeros_like(luma_HW)
    for sigma in (1.0, 2.2):
        soft = cv2.GaussianBlur(luma_HW, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        xx = -(sigma**2) * cv2.filter2D(soft, -1, _SECOND)
        yy = -(sigma**2) * cv2.filter2D(soft, -1, _SECOND.T)
        xy = -(sigma**2) * cv2.filter2D(soft, -1, _MIXED)
        if sigma == 1.0:
            half, turn = 0.5 * (xx + yy), np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
            ridge = np.where(half > 0, half + turn, half - turn)
        for way, kernel in enumerate(_runs()):
            angle = np.pi * way / _WAYS
            c, s = -np.sin(angle), np.cos(angle)  # across the line
            bend = c * c * xx + 2.0 * c * s * xy + s * s * yy
            run = cv2.filter2D(bend.clip(-0.5, 0.5), -1, kernel, borderType=cv2.BORDER_REPLICATE)
            np.maximum(bright, run, out=bright)
            np.maximum(dark, -run, out=dark)
    usual = float(np.median(bright) + np.median(dark)) + 0.004
    return bright / (4.0 * usual), dark / (4.0 * usual), ridge / (4.0 * usual)


_SECOND = np.array([[1.0, -2.0, 1.0]], np.float32)
_MIXED = np.array([[0.25, 0.0, -0.25], [0.0, 0.0, 0.0], [-0.25, 0.0, 0.25]], np.float32)


@lru_cache(maxsize=1)
def _runs() -> tuple[np.ndarray, ...]:
    """A short line in each direction, its weights adding up to 1."""
    import cv2

    made = []
    half = _RUN_PX // 2
    for way in range(_WAYS):
        angle = np.pi * way / _WAYS
        end = (half * np.cos(angle), half * np.sin(angle))
        fine = np.zeros((8 * _RUN_PX, 8 * _RUN_PX), np.uint8)
        ends = [(round(8 * (half + 0.5 + k * end[0])), round(8 * (half + 0.5 + k * end[1])))
                for k in (-1, 1)]  # fmt: skip
        cv2.line(fine, ends[0], ends[1], 255, 12)
        kernel = cv2.resize(fine.astype(np.float32), (_RUN_PX, _RUN_PX),
                            interpolation=cv2.INTER_AREA)  # fmt: skip
        made.append(kernel / kernel.sum())
    return tuple(made)


@lru_cache(maxsize=4)
def _border(height: int, width: int) -> np.ndarray:
    """0 at the frame's border to 1 well inside."""
    y = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    x = np.minimum(np.arange(width), np.arange(width)[::-1])[None]
    return (np.minimum(y, x) / _BORDER_PX).clip(0.0, 1.0).astype(np.float32)

"""A take's moments, each with its hero brought onto it: what a wire is looked for in.

Here: bringing the hero's moments onto a take's by a smooth flow, which a wire is too thin to bend,
and keeping what fits best. Not here: laying takes (`laying`), the net that looks (`hung`).

Shapes: K moments, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from footagefit.catalogue.comparing import GREY, Fitted
from footagefit.catalogue.laying import Laid
from footagefit.motion.flow import Tracker, dis
from footagefit.signature import coordinates
from footagefit.signature.light_vector import LUMA

_DARK, _BRIGHT = -5.0, 2.2  # stops about grey that are told apart
_SMOOTH_SHARE = 1 / 80  # of the long side: how finely the flow may vary
_FITS_PX = 3.0  # about a pixel, by which it is told which of the hero's moments fits
_LUMA = np.array(LUMA, np.float32)


def evidence(reference: Laid, take: Laid, fit: Fitted) -> Iterator[np.ndarray]:
    """For each of the take's moments (7,H,W): it, the hero on it, and where both reach."""
    heroes = [fit.onto_take(frame) for frame in reference.frames_KHWC]
    known, track = reference.inside_KHW.all(0), dis()
    for frame, inside in zip(take.frames_KHWC, take.inside_KHW, strict=True):
        stops = (coordinates.stops(frame) - GREY).astype(np.float32)
        hero = _fitting(stops, heroes, track)
        both = (inside & known).astype(np.float32)
        yield np.concatenate([_colours(stops), _colours(hero), both[None]])


def _fitting(stops_HWC: np.ndarray, heroes: list[np.ndarray], track: Tracker) -> np.ndarray:
    """The hero's moments on a take's picture; of each neighbourhood the one that fits best.

    As they were laid too: what stands beside somebody who moved is not to be dragged along.
    """
    import cv2

    brought = np.stack([*heroes, *(_brought(stops_HWC, hero, track) for hero in heroes)])
    apart = np.abs(_held(brought) - _held(stops_HWC)).sum(-1)
    apart = np.stack([cv2.GaussianBlur(plane, (0, 0), _FITS_PX) for plane in apart])
    best = apart.argmin(0)
    return np.take_along_axis(brought, best[None, ..., None], 0)[0]


def _brought(stops_HWC: np.ndarray, hero_HWC: np.ndarray, track: Tracker) -> np.ndarray:
    """The hero on a take's picture, by a flow too smooth for wires."""
    import cv2

    flow = track(_codes(stops_HWC), _codes(hero_HWC))
    height, width = flow.shape[:2]
    flow = cv2.GaussianBlur(flow, (0, 0), max(height, width) * _SMOOTH_SHARE)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return cv2.remap(
        hero_HWC, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def _held(stops: np.ndarray) -> np.ndarray:
    return np.clip(stops, _DARK, _BRIGHT)


def _codes(stops_HWC: np.ndarray) -> np.ndarray:
    """Luminance in 8 bits."""
    light = (_held(stops_HWC @ _LUMA) - _DARK) / (_BRIGHT - _DARK)
    return (255 * light).astype(np.uint8)


def _colours(stops_HWC: np.ndarray) -> np.ndarray:
    """Luminance and two colours in stops (3,H,W), not smoothed."""
    held = _held(stops_HWC)
    r, g, b = np.moveaxis(held, -1, 0)
    return np.stack([held @ _LUMA, r - g, b - g]).astype(np.float32)

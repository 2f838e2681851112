"""Takes of a set-up laid over each other: a few moments of each, all on one picture's pixels.

Here: reading the moments, and bringing them onto the reference take's middle one. Not here: what
differs (`comparing`, `things`).

Shapes: K moments, H rows, W columns, C channels. Pixels are scene-linear ACEScg.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from footagefit.dailies.pairs import (
    alignment,
    detail,
    in_stops,
    same_things,
    warped,
)
from footagefit.dailies.voting import voted

if TYPE_CHECKING:
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.windows import Reader

MOMENTS = (0.15, 0.5, 0.85)  # of a take's length
LONG_SIDE_PX = 480
_LEAST_AGREEMENT = 0.12  # of the picture's structure that must be the same
_STANDING = 1.05  # a camera that stood is believed though another map does that much better


@dataclass(frozen=True)
class Moments:
    """A few frames of a take.

    Attributes:
        shot: Which take.
        numbers: Their frame numbers.
        frames_KHWC: The frames, small.
    """

    shot: Shot
    numbers: tuple[int, ...]
    frames_KHWC: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """The middle one (H,W,C)."""
        return self.frames_KHWC[len(self.frames_KHWC) // 2]


@dataclass(frozen=True)
class Laid:
    """Moments on the pixels of an anchor picture.

    Attributes:
        frames_KHWC: Those that could be laid over it.
        inside_KHW: True where each of them reaches.
        warp: Affine map (2,3) from the anchor's pixels to the middle moment's, where there is one.
    """

    frames_KHWC: np.ndarray
    inside_KHW: np.ndarray
    warp: np.ndarray

    @cached_property
    def middle_HWC(self) -> np.ndarray:
        """The median of the moments: what moves and grain go."""
        return np.median(self.frames_KHWC, axis=0).astype(np.float32)

    @property
    def inside_HW(self) -> np.ndarray:
        """True where all of them reach."""
        return np.asarray(self.inside_KHW.all(0))


def moments(reader: Reader, shot: Shot, *, at: tuple[float, ...] = MOMENTS) -> Moments | None:
    """A take's moments, or None where none of them has a picture."""
    numbers = [shot.first + round(share * (shot.length - 1)) for share in at]
    numbers = list(dict.fromkeys(numbers))
    frames, gone = reader.frames(shot.name, numbers)
    there = [i for i in range(len(numbers)) if not bool(gone[i].any())]
    if not there:
        return None
    pixels = frames[there].permute(0, 2, 3, 1).contiguous().numpy()
    np.nan_to_num(pixels, copy=False, nan=0.0, posinf=65504.0, neginf=0.0)
    return Moments(shot, tuple(numbers[i] for i in there), pixels)


def laid(anchor_HWC: np.ndarray, frames_KHWC: np.ndarray) -> Laid | None:
    """A take's moments over an anchor picture; None where they do not show the same place."""
    if anchor_HWC.shape != frames_KHWC.shape[1:]:
        return None
    over, inside, near = [], [], None
    middle = len(frames_KHWC) // 2
    order = [middle, *(k for k in range(len(frames_KHWC)) if k != middle)]
    for k in order:
        warp = _found(anchor_HWC, frames_KHWC[k], near)
        if warp is None:
            continue
        near = warp if near is None else near
        picture, reach = warped(frames_KHWC[k], warp)
        over.append(picture)
        inside.append(reach > 0.5)
    if near is None:
        return None
    return Laid(np.stack(over), np.stack(inside), near)


def _found(
    anchor_HWC: np.ndarray, frame_HWC: np.ndarray, near: np.ndarray | None
) -> np.ndarray | None:
    """The map onto the anchor under which most of the picture shows the same; None if little does.

    An actor in close-up is most of what there is to align: the same place, another moment's map,
    plain shifts and what parts of the picture vote for are tried, the set decides, and the map
    under which it agrees best is made exact by what agrees under it.
    """
    same = np.eye(2, 3, dtype=np.float32)
    maps = [same, *(_shift(anchor_HWC, frame_HWC, about=a) for a in (False, True))]
    maps += [] if near is None else [near]
    maps += voted(detail(anchor_HWC), detail(frame_HWC))
    shares = [_agreement(anchor_HWC, frame_HWC, m) for m in maps]
    shares[0] *= _STANDING
    best = int(np.argmax(shares))
    found, share = maps[best], shares[best]
    over, _ = warped(frame_HWC, found)
    exact = alignment(anchor_HWC, frame_HWC, start=found, where_HW=same_things(anchor_HWC, over))
    if exact is not None:
        exact = _similarity(exact, anchor_HWC.shape)
        better = _agreement(anchor_HWC, frame_HWC, exact)
        found, share = (exact, better) if better > share else (found, share)
    return found if share >= _LEAST_AGREEMENT else None


def _agreement(anchor_HWC: np.ndarray, frame_HWC: np.ndarray, warp: np.ndarray) -> float:
    """Share of the picture that shows the same under a map, structure counted more than walls."""
    import cv2

    over, inside = warped(frame_HWC, warp)
    size = (anchor_HWC.shape[1] // 2, anchor_HWC.shape[0] // 2)
    one, other = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (anchor_HWC, over))
    same = same_things(one, other) * cv2.resize(inside, size)
    stops = in_stops(one)
    edges = np.hypot(cv2.Sobel(stops, cv2.CV_32F, 1, 0), cv2.Sobel(stops, cv2.CV_32F, 0, 1))
    weight = 0.1 + np.minimum(edges, 2.0)
    return float((same * weight).sum() / weight.sum())


def _similarity(warp: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The map without shear, the middle of the picture kept: actors sway, cameras do not shear."""
    size, turn = (warp[0, 0] + warp[1, 1]) / 2, (warp[1, 0] - warp[0, 1]) / 2
    kept = np.array([[size, -turn], [turn, size]])
    middle = np.array([shape[1] / 2, shape[0] / 2])
    there = warp[:, :2] @ middle + warp[:, 2]
    return np.concatenate([kept, (there - kept @ middle)[:, None]], 1).astype(np.float32)


def _shift(one_HWC: np.ndarray, other_HWC: np.ndarray, *, about: bool) -> np.ndarray:
    """A map that moves only, by phase correlation (Kuglin and Hines 1975).

    Args:
        one_HWC: Scene-linear.
        other_HWC: Of the same size.
        about: By what stands about the middle, where actors are not.
    """
    import cv2

    a, b = (in_stops(p) - float(in_stops(p).mean()) for p in (one_HWC, other_HWC))
    window = cv2.createHanningWindow((a.shape[1], a.shape[0]), cv2.CV_32F)
    if about:
        window = window * (1.0 - window)
    (x, y), _ = cv2.phaseCorrelate(a, b, window)
    return np.array([[1, 0, x], [0, 1, y]], np.float32)

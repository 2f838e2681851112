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

if TYPE_CHECKING:
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.windows import Reader

MOMENTS = (0.15, 0.5, 0.85)  # of a take's length
LONG_SIDE_PX = 480
_LEAST_AGREEMENT = 0.12  # of the picture's structure that must be the same
_STANDING = 1.05  # a camera that stood is believed though another map does that much better
_VOTE_PX = 240  # long side at which parts are looked for
_VOTE_REACH = 0.2  # of the width that a camera may have moved
_VOTE_SURE, _VOTE_NEAR_PX, _LEAST_VOTES, _VOTED = 0.6, 3.5, 3, 4
_PLAIN, _ROUGH = (
    0.02,
    0.15,
)  # stops (rms) of detail that a part needs, and beyond which counts alike
_MOST_TURN = 0.12


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
    maps += _voted(anchor_HWC, frame_HWC)
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


def _voted(anchor_HWC: np.ndarray, frame_HWC: np.ndarray) -> list[np.ndarray]:
    """Maps that several parts of the picture agree on, each looked for on its own.

    Parts vote for where they find themselves (Ballard 1981): a set that moved one way outvotes an
    actor who moved another, or comes second.
    """
    import cv2

    size = np.array(anchor_HWC.shape[1::-1])
    scale = max(1.0, float(size.max()) / _VOTE_PX)
    small = tuple(int(v) for v in (size / scale).round())
    one, other = (
        cv2.resize(detail(p), small, interpolation=cv2.INTER_AREA) for p in (anchor_HWC, frame_HWC)
    )
    votes_N5 = _votes(one, other)
    maps = []
    while len(votes_N5) >= _LEAST_VOTES and len(maps) < _VOTED:
        apart = np.linalg.norm(votes_N5[:, None, 2:4] - votes_N5[None, :, 2:4], axis=-1)
        together = apart < _VOTE_NEAR_PX
        winner = together[int((together * votes_N5[:, 4]).sum(1).argmax())]
        if winner.sum() < _LEAST_VOTES:
            break
        at, by = votes_N5[winner, :2], votes_N5[winner, 2:4]
        step = np.average(by, axis=0, weights=votes_N5[winner, 4])
        maps.append(np.array([[1, 0, step[0] * scale], [0, 1, step[1] * scale]], np.float32))
        turned, _ = cv2.estimateAffinePartial2D(at, at + by, ransacReprojThreshold=1.5)
        if turned is not None and np.abs(turned[:, :2] - np.eye(2)).max() < _MOST_TURN:
            turned[:, 2] *= scale
            maps.append(turned.astype(np.float32))
        votes_N5 = votes_N5[~winner]
    return maps


def _votes(one_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
    """Parts of one picture found in another (N,5): place x, y, shift x, y, and what that counts."""
    import cv2

    height, width = one_HW.shape
    side, reach = max(12, width // 8), round(width * _VOTE_REACH)
    framed = np.pad(other_HW, reach)
    votes = []
    for y in range(0, height - side + 1, side // 2):
        for x in range(0, width - side + 1, side // 2):
            part = one_HW[y : y + side, x : x + side]
            rough = float(part.std())
            if rough < _PLAIN:
                continue
            about = framed[y : y + side + 2 * reach, x : x + side + 2 * reach]
            like = cv2.matchTemplate(about, part, cv2.TM_CCOEFF_NORMED)
            _, sure, _, at = cv2.minMaxLoc(like)
            if sure > _VOTE_SURE:
                half = side / 2
                weight = sure * min(rough, _ROUGH)
                votes.append((x + half, y + half, at[0] - reach, at[1] - reach, weight))
    return np.array(votes, np.float32).reshape(-1, 5)


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

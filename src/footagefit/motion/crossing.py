"""What moves by itself behind a hole: seen before and after, it is in between at the hole's time.

Here: two sources laid over a region, their motion against each other, and where that puts things at
the moment between them. Not here: what stands still or moves with what surrounds the hole
(`aligning.py`).

Flow that runs on into a hole from around it knows nothing of a head that turns wholly inside. Two
frames that both see the head do; of its way from the one to the other it has gone a share by then.

Shapes: H rows, W columns of the region looked at.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from footagefit.motion import flow, leaps, looks, spreading, warps
from footagefit.motion.aligning import Known, Laid, read, reduced, softly
from footagefit.motion.between import Thrown, settled, thrown
from footagefit.motion.sources import Mover, Plate

_MOVES_PX = (0.35, 1.0)  # looked at: less is what stands still anyhow
_UNLIKE_EV = 0.35
_ALIKE_EV, _SOFT_PX = 0.08, 1.5
_UNCOVERED = 0.6  # how sure what a moving thing uncovers is: one frame alone shows it
_PASSES_PX, _FURTHEST_PX = 2.5, 24.0  # less uncovers next to nothing
_NOISE_EV = 0.03
_SAID = 0.3  # how surely something moves that is told of
_SOON = 4.0  # frames between the two beyond neighbours, over which nothing goes straight on


class Side(NamedTuple):
    """One of the two frames.

    Attributes:
        plate: It.
        to: From the hole's frame's places to its own, by global motion.
        far: How many frames off it is.
    """

    plate: Plate
    to: Mover
    far: float


class Crossed(NamedTuple):
    """The two frames where things are at the hole's time.

    Attributes:
        before: The earlier one, laid; worth something where it shows what moves, or what that
            uncovers.
        after: The later one.
        moves_HW: 1 where something moves by itself, or has just been, and is sure to.
    """

    before: Laid
    after: Laid
    moves_HW: np.ndarray


def crossed(known: Known, before: Side, after: Side, track: flow.Tracker) -> Crossed | None:
    """Lay two frames over a region so that what moves between them meets; None where none does.

    Args:
        known: The region.
        before: A frame before.
        after: A frame after.
        track: Dense flow.
    """
    soon = 1.0 / (1.0 + ((before.far + after.far - 2.0) / _SOON) ** 2)
    if soon <= _SAID:
        return None
    (one, seen_one), (two, seen_two) = (
        read(reduced(s.plate, known.part.step), s.to(known.places), s.plate.stops_HW.shape)
        for s in (before, after)
    )
    both = (seen_one > 0.99) & (seen_two > 0.99)
    if both.mean() < 0.2:
        return None
    two = two + np.float32(np.median((one - two)[both]))
    one, two = np.where(seen_one > 0.99, one, two), np.where(seen_two > 0.99, two, one)
    part = before.far / (before.far + after.far)
    early, late = _thrown(one, two, both, part, track)
    shown = [_shown(one, early, -part), _shown(two, late, part - 1.0)]
    core = _moving(early, late, shown, part)
    near = min(before.far, after.far)
    core = (
        np.float32(soon)
        * core
        * _borne_out(known, (1.0 - part) * shown[0] + part * shown[1], near=near)
    )
    if not (core > _SAID).any():
        return None
    zone = _zone(core, early.flow_HW2)
    apart = cv2.GaussianBlur(np.abs(one - two), (0, 0), _SOFT_PX)
    moves = zone * np.maximum(core, np.clip((apart - _ALIKE_EV) / _ALIKE_EV, 0.0, 1.0))
    shares = [
        near * side.count_HW * (0.02 + side.sure_HW)
        for side, near in ((early, 1.0 - part), (late, part))
    ]
    most = np.maximum(np.maximum(*shares), 1e-6)
    sure = np.maximum(core, _UNCOVERED * zone).astype(np.float32)
    laid = [
        Laid(
            frame.to, np.float32(share * known.part.step) * side.flow_HW2, sure,
            (moves * mine / most).astype(np.float32), stops, seen,
        )
        for frame, share, side, mine, stops, seen in zip(
            (before, after), (-part, part - 1.0), (early, late), shares, shown,
            (seen_one, seen_two), strict=True,
        )
    ]  # fmt: skip
    return Crossed(laid[0], laid[1], moves.astype(np.float32))


def _thrown(
    one: np.ndarray, two: np.ndarray, both: np.ndarray, part: float, track: flow.Tracker
) -> tuple[Thrown, Thrown]:
    """Flow of both frames, thrown to the moment; what only one of them sees stands still."""
    codes = looks.eight_bits(one.astype(np.float32), two.astype(np.float32), both)
    forward = leaps.followed(codes[0], codes[1], track)
    backward = leaps.followed(codes[1], codes[0], track)
    sides = []
    for way, back, share in ((forward, backward, part), (backward, forward, 1.0 - part)):
        sure = flow.agreement(way, back) * both
        sides.append(thrown(settled(way, 0.0 * way, sure), share, sure, known_HW=both))
    return sides[0], sides[1]


def _shown(stops_HW: np.ndarray, side: Thrown, share: float) -> np.ndarray:
    """A frame's stops as they lie at the moment."""
    at = warps.pixels(stops_HW.shape[:2]) + np.float32(share) * side.flow_HW2
    return warps.at_places(stops_HW, at, cubic=False)


def _moving(early: Thrown, late: Thrown, shown: list[np.ndarray], part: float) -> np.ndarray:
    """Where something moves by itself, and both frames say so."""
    nearer = early if part <= 0.5 else late
    far = np.linalg.norm(nearer.flow_HW2, axis=-1)
    fits = np.exp(-((np.abs(shown[0] - shown[1]) / _UNLIKE_EV) ** 2))
    sure = nearer.sure_HW * nearer.count_HW * fits
    return np.clip((far - _MOVES_PX[0]) / (_MOVES_PX[1] - _MOVES_PX[0]), 0.0, 1.0) * sure


def _zone(core_HW: np.ndarray, way_HW2: np.ndarray) -> np.ndarray:
    """What moves and all that it passes between the two frames."""
    far = float(np.quantile(np.linalg.norm(way_HW2, axis=-1)[core_HW > _SAID], 0.95))
    if far < _PASSES_PX:
        return core_HW.astype(np.float32)
    reach = 1 + math.ceil(min(far, _FURTHEST_PX))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    return cv2.dilate(core_HW.astype(np.float32), disc)


def _borne_out(known: Known, made_HW: np.ndarray, *, near: float) -> np.ndarray:
    """How far two frames meet what the frame itself shows, 1 where as well as any one does (H,W).

    So do frames nearer than the two. A wire has what is behind it on both sides: there nobody
    needs to be told how it moves.
    """
    own = (known.far_HW < near).astype(np.float32)
    middle = np.float32(np.median((known.stops_HW - made_HW)[own > 0])) if own.any() else 0.0
    error = softly(np.abs(known.stops_HW - made_HW - middle), own)
    off = np.where(known.far_HW > 0.0, 0.0, known.off_HW)
    ratio = (off + _NOISE_EV) / (error + _NOISE_EV)
    told = np.clip(1.5 * ratio - 0.5, 0.0, 1.0).astype(np.float32)
    return spreading.spread(told[..., None], own, softly=True)[..., 0]

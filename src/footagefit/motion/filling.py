"""One hole of one frame, filled with the middle of what other frames show.

Here: sources laid over the hole one after another, their light matched round it, the seam closed.
Not here: which sources there are (`reach.py`).

Shapes: H rows, W columns, N places in the hole, M places round it.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch

from footagefit.motion import aligning, flow, gains, looks, seams, warps
from footagefit.motion.aligning import Known, Laid, Region
from footagefit.motion.carried import Carried, Resampled, nothing
from footagefit.motion.crossing import Side, crossed
from footagefit.motion.merging import Merged, merged
from footagefit.motion.reach import Reach
from footagefit.motion.sources import Candidate, Plate, choose, pairs

_RING_STEPS = 10  # px looked at
_RING_PLACES = 12_000
_PAIRS = 3
_AT_ODDS, _AT_ODDS_SHARE = 0.85, 0.01  # where so many views differ something moves by itself
_VIEWS_BYTES, _PLACE_BYTES, _FEWEST = 512 << 20, 24, 4
_FAR_SHARE = 0.02  # a frame further, a view is so much less sure
_CALM, _FADES = 0.3, 6.0  # nearness under which things stir; how fast views then fade with time
_FAINTEST = 1e-4
_FINE_PX = 320 * 240  # looked at: so little is tracked to single pixels


class Trackers(NamedTuple):
    """Dense flow, as fine as a region wants it.

    Attributes:
        plain: To every other pixel.
        fine: To every pixel.
    """

    plain: flow.Tracker
    fine: flow.Tracker


class View(NamedTuple):
    """What one frame shows.

    Attributes:
        codes_N3: On the curve of `looks.bent`.
        weight_N: How sure that is.
        worth_N: How much it counts among the others.
        grain_N: Share of the grain's variance that is in it.
    """

    codes_N3: np.ndarray
    weight_N: np.ndarray
    worth_N: np.ndarray
    grain_N: np.ndarray


def filled(
    number: int, plate: Plate, hole_HW: np.ndarray, *, reach: Reach, trackers: Trackers,
    long_px: int, most: int, resampled: Resampled,
) -> Carried:  # fmt: skip
    """A frame's hole from other frames.

    Args:
        number: The frame's.
        plate: The frame, its vignette taken off.
        hole_HW: Where it has no pixel.
        reach: Where others come from.
        trackers: Dense flow.
        long_px: Longest side of what is looked at.
        most: Sources at most.
        resampled: What reading between pixels leaves of grain.
    """
    size = (hole_HW.shape[0], hole_HW.shape[1])
    part = aligning.region(hole_HW, long_px=long_px)
    track = trackers.fine if part.size[0] * part.size[1] <= _FINE_PX else trackers.plain
    known = Known(part, plate, hole_HW)
    y, x = np.nonzero(hole_HW)
    inner = np.stack([x, y], 1).astype(np.float32)
    ring = _ring(hole_HW, plate.known_HW, round(_RING_STEPS * part.step))
    inside, around, fars = list[View](), list[View](), list[float]()
    candidates = reach.candidates(number, inner)
    room = _VIEWS_BYTES // (_PLACE_BYTES * len(inner))
    for chosen in choose(candidates, most=min(most, max(_FEWEST, room))):
        way = reach.way(number, chosen)
        source = way.shelf.plate(chosen.number)
        laid = aligning.lay(known, source, way.to, track, still=way.still, far=chosen.far)
        prior = 1.0 / (1.0 + _FAR_SHARE * chosen.far)
        views = _views(plate, source, laid, part, inner, ring, prior, resampled)
        if views[0].weight_N.any():
            inside.append(views[0])
            around.append(views[1])
            fars.append(chosen.far)
            known.learn(laid, chosen.far)
    if not inside:
        return nothing(size)
    inside, around = (nearest_first(views, fars) for views in (inside, around))
    made, beside = (_middle(views) for views in (inside, around))
    if (made.agreed_N < _AT_ODDS).mean() > _AT_ODDS_SHARE:
        sides = [
            (_side(number, a, reach), _side(number, b, reach))
            for a, b in pairs(candidates, number, most=_PAIRS)
        ]
        more = _with_movers(inside, sides, known, plate, inner, ring, track, resampled)
        made = _middle(more)
    own = plate.codes_HWC[ring[:, 1].astype(int), ring[:, 0].astype(int)]
    close = seams.field(own - beside.codes_N3, beside.sure_N, ring, inner, part)
    gain = 1.0 if reach.shelf.gain_HWC is None else reach.shelf.gain_HWC[y, x]
    return _put(hole_HW, looks.straight(made.codes_N3 + close) * gain, made.sure_N, made.grain_N)


def nearest_first(views: list[View], fars: list[float]) -> list[View]:
    """Views that count the less the more time lies between, where things stir.

    Leaves that stir are nowhere twice: where even the view that lies best is off, many of them
    make a blur, and the nearest in time is nearest in place.
    """
    shown = [np.where(v.weight_N > 0, v.worth_N, 0.0) for v in views]
    calm = np.sqrt(np.max(shown, axis=0)) / _CALM
    fade = _FADES * np.clip(1.0 - calm, 0.0, 1.0)
    return [
        view._replace(worth_N=view.worth_N * np.maximum((0.5 + 0.5 * far) ** -fade, _FAINTEST))
        for view, far in zip(views, fars, strict=True)
    ]


def _middle(views: list[View]) -> Merged:
    return merged(*([getattr(v, name) for v in views] for name in View._fields))


def _side(number: int, chosen: Candidate, reach: Reach) -> Side:
    way = reach.way(number, chosen)
    return Side(way.shelf.plate(chosen.number), way.to, chosen.far)


def _with_movers(
    inside: list[View], sides: list[tuple[Side, Side]], known: Known, plate: Plate,
    inner: np.ndarray, ring: np.ndarray, track: flow.Tracker, resampled: Resampled,
) -> list[View]:  # fmt: skip
    """Views of a hole, with those of what moves by itself between frames before and after."""
    more: list[View] = []
    moves_N = np.zeros(len(inner), np.float32)
    for pair in sides:
        found = crossed(known, *pair, track)
        if found is None or not found.moves_HW.any():
            continue
        both = []
        for side, laid in zip(pair, (found.before, found.after), strict=True):
            seen = _views(plate, side.plate, laid, known.part, inner, ring, 1.0, resampled)
            both.append(seen[0])
        shown = np.maximum(both[0].weight_N, both[1].weight_N) > 0
        moves = known.part.read(found.moves_HW, inner) * shown
        # The nearest pair that sees a place tells of it: further ones cut its way short.
        fresh = 1.0 - moves_N
        more += [view._replace(worth_N=view.worth_N * fresh) for view in both]
        moves_N = np.maximum(moves_N, moves)
    rest = (1.0 - moves_N) ** 2 + np.float32(0.001)
    return [view._replace(worth_N=view.worth_N * rest) for view in inside] + more


def _ring(hole_HW: np.ndarray, known_HW: np.ndarray, reach_px: int) -> np.ndarray:
    """Places (M,2) round a hole, evenly some of them."""
    far = cv2.distanceTransform((~hole_HW).astype(np.uint8), cv2.DIST_L2, 3)
    y, x = np.nonzero((far > 0) & (far <= max(4, reach_px)) & known_HW)
    step = max(1, len(x) // _RING_PLACES)
    return np.stack([x, y], 1)[::step].astype(np.float32)


def _views(
    plate: Plate, source: Plate, laid: Laid, part: Region, inner: np.ndarray, ring: np.ndarray,
    prior: float, resampled: Resampled,
) -> tuple[View, View]:  # fmt: skip
    """What a source shows of a hole and of its surroundings, its light matched there."""
    both = np.concatenate([inner, ring])
    at = aligning.placed(laid, part, both)
    codes = warps.at_places(source.codes_HWC, at)
    # What is read half from a hole's rim is half believed: near a thin hole there is little else.
    there = np.clip(2.0 * warps.at_places(source.known_HW, at, cubic=False) - 1.0, 0.0, 1.0)
    there *= warps.within(at, (source.known_HW.shape[0], source.known_HW.shape[1]))
    weight = (part.read(laid.sure_HW, both) * there * prior).astype(np.float32)
    count = len(inner)
    grain = resampled.left(at)
    if len(ring):
        y, x = ring[:, 1].astype(int), ring[:, 0].astype(int)
        light = looks.straight(codes)
        gain = gains.fitted(
            looks.straight(plate.codes_HWC[y, x]), light[count:], ring, weight[count:],
            half_px=max(plate.known_HW.shape) / 2,
        )  # fmt: skip
        by = gain.at(both)
        codes = looks.bent(light * by)
        # Light made twice as bright has grain four times the power, and wants it twice.
        grain = (grain * by.mean(-1)).astype(np.float32)
    whole = View(codes, weight, part.read(laid.worth_HW, both), grain)
    return View(*(v[:count] for v in whole)), View(*(v[count:] for v in whole))


def _put(
    hole_HW: np.ndarray, light_N3: np.ndarray, sure_N: np.ndarray, grain_N: np.ndarray
) -> Carried:
    """Values of places as a frame."""
    out = nothing((hole_HW.shape[0], hole_HW.shape[1]))
    here, shown = torch.from_numpy(hole_HW), sure_N > 0
    light = np.where(shown[:, None], light_N3, 0.0).astype(np.float32)
    out.rgb_CHW[:, here] = torch.from_numpy(np.ascontiguousarray(light.T))
    out.confidence_1HW[0, here] = torch.from_numpy(sure_N.astype(np.float32))
    left = np.where(shown, grain_N, 1.0).astype(np.float32)
    out.grain_1HW[0, here] = torch.from_numpy(left)
    return out

"""Things that differ between aligned takes: added, moved or recoloured, boxed for a person.

Here: where one take shows what the other has nowhere near, and what that looks like it is: a wire,
a boom, a prop that moved, wardrobe of another colour. Not here: light, exposure and white, which
are taken out first (`comparing`).

A pixel counts where its colour lies outside everything that the other take shows near it at any of
its moments: actors may sway, grain may crawl, a stronger change may not. What hangs still is held
to its own place. Shapes: K moments, H rows,
W columns, C channels (luminance in stops, red over green, blue over green).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from footagefit.catalogue.comparing import Box, Fitted
from footagefit.catalogue.hung import dilated, wire
from footagefit.catalogue.laying import Laid
from footagefit.catalogue.moved import Move, about, moves
from footagefit.catalogue.outside import EXACT_EV, NEAR_SHARE, beside

Kind = Literal["wire", "boom", "prop", "wardrobe"]
_LEAST_SHARE = 0.0004  # of the picture that a thing covers
_WARDROBE_WEIGHT = 0.01  # share of the picture times stops of colour
_LEAST_COLOUR = 0.4  # stops by which a garment's two colours differ together: the rest is light
_ALIKE = (0.5, 0.2, 0.2)  # stops by which a colour may differ and be the same
_ABSENT = 0.15  # of a garment's size: what another take shows of its new colour, at most
_BODY_THICK = 0.04  # of the long side
_BOOM_THICK, _BOOM_SHARE = 0.025, 0.003  # of the long side; of the picture
_BOOM_DARKER, _BOOM_CALM = 1.0, 0.15  # stops; of the ring about it that may differ too
_EDGE_SHARE, _BOOM_HIGH = 0.03, 0.4  # of the height: how near the edge, and how far down
# Of garments whose colour changed little, looked for where grain is averaged away: smoothing in
# pixels, stops that neighbours may lie outside, what another take shows of the colour at most, and
# of the picture that somebody's garment covers.
_SOFT_PX, _SOFT_TOL, _SOFT_ABSENT, _GARMENT_SHARE = 2.0, 0.1, 0.05, 0.4


@dataclass(frozen=True)
class Thing:
    """Something to look at.

    Attributes:
        kind: What it looks like.
        box: Where, on the reference take's picture.
        share: Of the picture that it covers.
        strength: Mean stops by which it lies outside of what the other take shows.
        moved_px: How far a prop moved, in pixels of the small picture.
    """

    kind: Kind
    box: Box
    share: float
    strength: float
    moved_px: float = 0.0


@dataclass(frozen=True)
class _Region:
    label: np.ndarray
    box: Box
    area: int
    strength: float
    chroma: float  # share of its strength that is colour


def things(reference: Laid, take: Laid, fit: Fitted) -> list[Thing]:
    """What differs, largest first."""
    seen = beside(reference, take, fit)
    here, gone = _regions(seen.added_HWC), _regions(seen.missing_HWC)
    shown, was, inside = seen.shown_HWC, seen.was_HWC, seen.inside_HW
    changed = tuple(p.sum(-1) > EXACT_EV for p in (seen.new_HWC, seen.old_HWC))
    found = _booms(_regions(seen.new_HWC, apart=True), changed[0] | changed[1], inside, shown - was)
    rest = [r for r in here if not any(_overlap(r.box, t.box) > 0.3 for t in found)]
    found += _recoloured(rest, gone, shown, was) or _tinted(reference, take, fit)
    still = inside & ~_bodies(here)
    near_px = round(max(inside.shape) * NEAR_SHARE)
    hung = wire(seen.was_KHWC[..., 0], seen.shown_KHWC[..., 0], still, near_px=near_px)
    if hung is not None:
        found.append(Thing("wire", hung.box, hung.box[2] * hung.box[3] / inside.size, hung.length))
    found += [_prop(m) for m in moves(shown, was, *changed)[:1]]
    return sorted(found, key=lambda t: -t.strength)


def _regions(excess_HWC: np.ndarray, *, apart: bool = False) -> list[_Region]:
    """Connected parts of what lies outside; thin bridges between them are cut where `apart`."""
    import cv2

    total = excess_HWC.sum(-1)
    mask = (total > (EXACT_EV if apart else 0.05)).astype(np.uint8)
    how, side = (cv2.MORPH_OPEN, 3) if apart else (cv2.MORPH_CLOSE, 5)
    mask = cv2.morphologyEx(mask, how, np.ones((side, side), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    found = []
    for index in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[index])
        if area < _LEAST_SHARE * total.size:
            continue
        inside = labels == index
        strength = float(total[inside].mean())
        colour = float(excess_HWC[..., 1:][inside].sum(-1).mean())
        found.append(_Region(inside, (x, y, w, h), area, strength, colour / max(strength, 1e-6)))
    return sorted(found, key=lambda r: -r.area * r.strength)


def _tinted(reference: Laid, take: Laid, fit: Fitted) -> list[Thing]:
    """Wardrobe whose colour changed by little: by colour alone, with the grain averaged away."""
    seen = beside(reference, take, fit, soft_px=_SOFT_PX, colour_ev=_SOFT_TOL)
    colours = np.array([0, 1, 1], np.float32)
    here, gone = (_regions(p * colours) for p in (seen.added_HWC, seen.missing_HWC))
    here = [r for r in here if r.area < _GARMENT_SHARE * r.label.size]
    return _recoloured(here, gone, seen.shown_HWC, seen.was_HWC, absent=_SOFT_ABSENT, by_turn=True)


def _recoloured(
    here: list[_Region], gone: list[_Region], shown_HWC: np.ndarray, was_HWC: np.ndarray,
    *, absent: float = _ABSENT, by_turn: bool = False,
) -> list[Thing]:  # fmt: skip
    """Wardrobe: the same place is another colour, which the other take shows nowhere.

    What somebody covers who moved has the colour of somebody who was there before.

    Args:
        here: Where the take shows what the other has not.
        gone: And the other way round.
        shown_HWC: The take.
        was_HWC: The other.
        absent: Of a garment's size, what the other may show of its new colour.
        by_turn: It weighs by how far its colour turned, not by how far outside it lies.
    """
    found = []
    for region in here:
        both = [g for g in gone if (g.label & region.label).sum() > 0.4 * min(g.area, region.area)]
        share = region.area / region.label.size
        now, before = (_colour(p, region) for p in (shown_HWC, was_HWC))
        turned = float(np.abs(now - before)[1:].sum())
        weight = share * (turned if by_turn else region.strength * region.chroma)
        if not both or turned < _LEAST_COLOUR or weight < _WARDROBE_WEIGHT:
            continue
        known = (np.abs(was_HWC - now) < _ALIKE).all(-1).sum()
        if known < absent * region.area:
            found.append(Thing("wardrobe", region.box, share, region.strength))
    return found


def _booms(
    new: list[_Region], changed_HW: np.ndarray, inside_HW: np.ndarray, by_HWC: np.ndarray
) -> list[Thing]:
    """A boom or a flag: hangs in from the upper edge, darker than what it hides; little else moved.

    Args:
        new: What the take shows that the other has not.
        changed_HW: True where either shows what the other has not.
        inside_HW: Where both reach.
        by_HWC: The take less the other.
    """
    height, width = inside_HW.shape
    found = []
    for region in new:
        x, y, w, h = region.box
        share = region.area / region.label.size
        edge = int(inside_HW[:, x : x + w].any(1).argmax())
        framed = x > 2 and x + w < width - 2 and h < _BOOM_HIGH * height
        large = share > _BOOM_SHARE and _thickness(region) > _BOOM_THICK
        if y - edge > _EDGE_SHARE * height or not (framed and large):
            continue
        darker = float(np.median(by_HWC[region.label][:, 0])) < -_BOOM_DARKER
        if darker and changed_HW[about(region.label) & inside_HW].mean() < _BOOM_CALM:
            found.append(Thing("boom", region.box, share, region.strength))
    return found


def _prop(move: Move) -> Thing:
    """What moved, boxed with both of its places."""
    rows, columns = (np.flatnonzero((move.label | move.was).any(axis)) for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    box = (left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
    way = float(np.hypot(*move.way_px))
    return Thing("prop", box, float(move.label.mean()), move.strength, way)


def _bodies(here: list[_Region]) -> np.ndarray:
    """Where something large moved: hair and folds are lines too."""
    out = np.zeros_like(here[0].label) if here else np.zeros((1, 1), bool)
    for region in here:
        if _thickness(region) >= _BODY_THICK:
            out |= dilated(region.label, 9) > 0.5
    return out


def _thickness(region: _Region) -> float:
    """How thick a region is at its thickest, as a share of the long side."""
    import cv2

    depth = cv2.distanceTransform(region.label.astype(np.uint8), cv2.DIST_L2, 3)
    return 2.0 * float(depth.max()) / max(region.label.shape)


def _colour(picture_HWC: np.ndarray, region: _Region) -> np.ndarray:
    return np.median(picture_HWC[region.label], axis=0)


def _overlap(one: Box, other: Box) -> float:
    """Share of the smaller box that lies in both."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    tall = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    least = min(one[2] * one[3], other[2] * other[3])
    return max(0, wide) * max(0, tall) / max(1, least)

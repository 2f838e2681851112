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

from footagefit.catalogue.comparing import GREY, Box, Fitted
from footagefit.catalogue.hung import dilated, wire
from footagefit.catalogue.laying import Laid
from footagefit.catalogue.moved import Move, about, moves
from footagefit.signature import coordinates

Kind = Literal["wire", "boom", "prop", "wardrobe"]
_NEAR_SHARE = 1 / 40  # of the long side: how far what sways may sway
_DARK, _BRIGHT = -4.5, 2.2  # stops about grey: beyond, both are taken for the same
_FAR = np.float32(99.0)
_LUMA_TOL, _CHROMA_TOL = 0.35, 0.25  # stops that neighbours may lie outside
_EXACT_EV = 0.07  # stops beyond, at which what stands counts as changed
_LEAST_SHARE = 0.0004  # of the picture that a thing covers
_WARDROBE_WEIGHT = 0.01  # share of the picture times stops of colour
_LEAST_COLOUR = 0.4  # stops by which a garment's two colours differ together: the rest is light
_ALIKE = (0.5, 0.2, 0.2)  # stops by which a colour may differ and be the same
_ABSENT = 0.15  # of a garment's size: what another take shows of its new colour, at most
_UNBALANCED = 0.3  # of the white's shift: colours that a camera clipped do not come back
_BODY_THICK = 0.04  # of the long side
_EXACT_SHARE = 1 / 160  # of the long side: how far what stands may seem to have moved
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
    mine = _stops(take.frames_KHWC)
    theirs = np.stack([fit.onto_take(f) for f in reference.frames_KHWC])
    one, other = _opponent(theirs), _opponent(mine)
    shift = float(np.abs(fit.offset_C - fit.offset_C.mean()).max())
    colour = _CHROMA_TOL + _UNBALANCED * shift
    added = _outside(other, one, take.inside_KHW, reference.inside_KHW, colour=colour)
    missing = _outside(one, other, reference.inside_KHW, take.inside_KHW, colour=colour)
    here, gone = _regions(added), _regions(missing)
    shown, was = np.median(other, axis=0), np.median(one, axis=0)
    inside = np.asarray(reference.inside_KHW.all(0) & take.inside_KHW.all(0))
    new, old = (
        _outside(a[None], b, inside[None], np.broadcast_to(inside, b.shape[:3]), colour=colour,
                 near_share=_EXACT_SHARE)
        for a, b in ((shown, one), (was, other))
    )  # fmt: skip
    changed = (new.sum(-1) > _EXACT_EV, old.sum(-1) > _EXACT_EV)
    found = _booms(_regions(new, apart=True), changed[0] | changed[1], inside, shown - was)
    rest = [r for r in here if not any(_overlap(r.box, t.box) > 0.3 for t in found)]
    found += _recoloured(rest, gone, shown, was) or _tinted(
        (theirs, reference.inside_KHW), (mine, take.inside_KHW), _UNBALANCED * shift
    )
    beside = inside & ~_bodies(here)
    hung = wire(one[..., 0], other[..., 0], beside, near_px=round(max(inside.shape) * _NEAR_SHARE))
    if hung is not None:
        found.append(Thing("wire", hung.box, hung.box[2] * hung.box[3] / inside.size, hung.length))
    found += [_prop(m) for m in moves(shown, was, *changed)[:1]]
    return sorted(found, key=lambda t: -t.strength)


def _stops(frames_KHWC: np.ndarray) -> np.ndarray:
    return (coordinates.stops(frames_KHWC) - GREY).astype(np.float32)


def _opponent(stops_KHWC: np.ndarray, *, soft_px: float = 0.8) -> np.ndarray:
    """Luminance and two colours in stops, smoothed; darkness and glare held."""
    import cv2

    held = np.clip(stops_KHWC, _DARK, _BRIGHT)
    r, g, b = np.moveaxis(held, -1, 0)
    out = np.stack([0.2722 * r + 0.6741 * g + 0.0537 * b, r - g, b - g], -1)
    return np.stack([cv2.GaussianBlur(f, (0, 0), soft_px) for f in out])


def _outside(
    shown_KHWC: np.ndarray,
    other_KHWC: np.ndarray,
    shown_at: np.ndarray,
    other_at: np.ndarray,
    *,
    colour: float,
    near_share: float = _NEAR_SHARE,
) -> np.ndarray:
    """How far each pixel lies outside of what the other take shows near it (H,W,C), in stops."""
    import cv2

    reach = 2 * round(max(shown_KHWC.shape[1:3]) * near_share) + 1
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    seen = other_at[..., None]
    high = cv2.dilate(np.where(seen, other_KHWC, -_FAR).max(0), near)
    low = cv2.erode(np.where(seen, other_KHWC, _FAR).min(0), near)
    tolerance = np.array([_LUMA_TOL, colour, colour], np.float32)
    excess = np.maximum(shown_KHWC - high, low - shown_KHWC) - tolerance
    excess = np.maximum(excess, 0.0) * shown_at[..., None]
    known = np.asarray(other_at.any(0) & shown_at.any(0))
    return excess.sum(0) / np.maximum(shown_at.sum(0), 1)[..., None] * known[..., None]


def _regions(excess_HWC: np.ndarray, *, apart: bool = False) -> list[_Region]:
    """Connected parts of what lies outside; thin bridges between them are cut where `apart`."""
    import cv2

    total = excess_HWC.sum(-1)
    mask = (total > (_EXACT_EV if apart else 0.05)).astype(np.uint8)
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


def _tinted(
    reference: tuple[np.ndarray, np.ndarray], take: tuple[np.ndarray, np.ndarray], uneven: float
) -> list[Thing]:
    """Wardrobe whose colour changed by little: by colour alone, with the grain averaged away.

    Args:
        reference: Its stops (K,H,W,C) as the take would have recorded them, and where they reach.
        take: The take's.
        uneven: Stops of colour that the white's own shift may leave.
    """
    one, other = (_opponent(p, soft_px=_SOFT_PX) for p, _ in (reference, take))
    colour = _SOFT_TOL + uneven
    parts = []
    for shown, was, shown_at, was_at in (
        (other, one, take[1], reference[1]), (one, other, reference[1], take[1])
    ):  # fmt: skip
        excess = _outside(shown, was, shown_at, was_at, colour=colour)
        excess[..., 0] = 0.0
        parts.append(_regions(excess))
    here = [r for r in parts[0] if r.area < _GARMENT_SHARE * r.label.size]
    shown, was = np.median(other, axis=0), np.median(one, axis=0)
    return _recoloured(here, parts[1], shown, was, absent=_SOFT_ABSENT, by_turn=True)


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

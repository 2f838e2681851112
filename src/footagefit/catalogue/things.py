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
_RIDGE_STOPS = 0.25
_WIRE_SHARE = 0.25  # of the height of the picture along which a line stands out
_BESIDE = np.array([1.0] * 8 + [0.0] * 5 + [1.0] * 8) / 16


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
    found += _recoloured(rest, gone, shown, was)
    found += _wires(one, other, inside & ~_bodies(here))
    found += [_prop(m) for m in moves(shown, was, *changed)[:1]]
    return sorted(found, key=lambda t: -t.strength)


def _stops(frames_KHWC: np.ndarray) -> np.ndarray:
    return (coordinates.stops(frames_KHWC) - GREY).astype(np.float32)


def _opponent(stops_KHWC: np.ndarray) -> np.ndarray:
    """Luminance and two colours in stops, smoothed a little; darkness and glare held."""
    import cv2

    held = np.clip(stops_KHWC, _DARK, _BRIGHT)
    r, g, b = np.moveaxis(held, -1, 0)
    out = np.stack([0.2722 * r + 0.6741 * g + 0.0537 * b, r - g, b - g], -1)
    return np.stack([cv2.GaussianBlur(f, (0, 0), 0.8) for f in out])


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


def _recoloured(
    here: list[_Region], gone: list[_Region], shown_HWC: np.ndarray, was_HWC: np.ndarray
) -> list[Thing]:
    """Wardrobe: the same place is another colour, which the other take shows nowhere.

    What somebody covers who moved has the colour of somebody who was there before.
    """
    found = []
    for region in here:
        both = [g for g in gone if (g.label & region.label).sum() > 0.4 * min(g.area, region.area)]
        share = region.area / region.label.size
        weight = share * region.strength * region.chroma
        now, before = (_colour(p, region) for p in (shown_HWC, was_HWC))
        turned = np.abs(now - before)[1:].sum()
        if not both or turned < _LEAST_COLOUR or weight < _WARDROBE_WEIGHT:
            continue
        known = (np.abs(was_HWC - now) < _ALIKE).all(-1).sum()
        if known < _ABSENT * region.area:
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
            out |= _dilated(region.label, 9) > 0.5
    return out


def _wires(one_KHWC: np.ndarray, other_KHWC: np.ndarray, inside_HW: np.ndarray) -> list[Thing]:
    """A thin straight line across much of the frame that only the take has, at every moment.

    It may sway, so that each moment is looked at by itself; the one in which least is seen decides.
    """
    near = round(max(one_KHWC.shape[1:3]) * _NEAR_SHARE)
    known = _dilated(np.max([_ridges(f[..., 0]) for f in one_KHWC], axis=0), 2 * near + 1)
    where = _eroded(inside_HW, 15) / _RIDGE_STOPS
    found = []
    for frame in other_KHWC:
        best, box = _longest_line(np.maximum(_ridges(frame[..., 0]) - known, 0.0) * where)
        if best < _WIRE_SHARE:
            return []
        found.append((best, box))
    best, box = min(found)
    return [Thing("wire", box, box[2] * box[3] / where.size, best)]


def _ridges(stops_HW: np.ndarray) -> np.ndarray:
    """How far thin lines stand off both their sides, in stops, capped: long counts, not strong."""
    import cv2

    held = stops_HW.astype(np.float32)
    wide = max(5, 2 * round(max(held.shape) / 160) + 1)
    kernel = np.ones((wide, wide), np.uint8)
    dark = cv2.morphologyEx(held, cv2.MORPH_CLOSE, kernel) - held
    light = held - cv2.morphologyEx(held, cv2.MORPH_OPEN, kernel)
    return np.clip(np.maximum(dark, light) - 0.1, 0.0, _RIDGE_STOPS)


def _longest_line(ridges_HW: np.ndarray) -> tuple[float, Box]:
    """The straight line along which ridges are strongest, by turning the picture (Radon 1917).

    Returns the sum along it, in heights of the picture, and its box.
    """
    import cv2

    height, width = ridges_HW.shape
    side = int(np.ceil(np.hypot(height, width)))
    best, found = 0.0, (0.0, 0)
    around = np.array([[1, 0, (side - width) / 2], [0, 1, (side - height) / 2], [0, 0, 1]])
    for angle in np.arange(0.0, 180.0, 1.0):
        turn = np.vstack([cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0), [0, 0, 1]])
        turned = cv2.warpAffine(ridges_HW.astype(np.float32), (turn @ around)[:2], (side, side))
        sums = turned.sum(0)
        pair = sums[:-1] + sums[1:]  # a line half a pixel off falls on two columns
        beside = np.convolve(pair, _BESIDE, "same")  # texture has lines next to lines
        sums = pair - 2.0 * beside
        at = int(sums.argmax())
        if sums[at] > best:
            best, found = float(sums[at]), (float(angle), at)
    angle, at = found
    turn = np.vstack([cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0), [0, 0, 1]])
    back = np.linalg.inv(turn @ around)
    ends = (back @ np.array([[at, at], [0, side], [1, 1]]))[:2]
    return best / height, _clipped_box(ends, (height, width))


def _clipped_box(ends_22: np.ndarray, size: tuple[int, int]) -> Box:
    """The box of a line's part that lies in the picture."""
    import cv2

    (x0, x1), (y0, y1) = ends_22.round().astype(int)
    _, a, b = cv2.clipLine((0, 0, size[1], size[0]), (int(x0), int(y0)), (int(x1), int(y1)))
    left, top = min(a[0], b[0]), min(a[1], b[1])
    return left, top, max(4, abs(a[0] - b[0])), max(4, abs(a[1] - b[1]))


def _dilated(values_HW: np.ndarray, size: int) -> np.ndarray:
    import cv2

    return cv2.dilate(values_HW.astype(np.float32), np.ones((size, size), np.uint8))


def _eroded(inside_HW: np.ndarray, size: int) -> np.ndarray:
    """Where a mask still holds so many pixels in; the picture's own border counts as outside."""
    import cv2

    framed = np.pad(inside_HW.astype(np.uint8), size)
    return cv2.erode(framed, np.ones((size, size), np.uint8))[size:-size, size:-size]


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

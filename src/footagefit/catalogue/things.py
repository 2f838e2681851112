"""Things that differ between aligned takes: added, moved or recoloured, boxed for a person.

Here: where one take shows what the other has nowhere near, and what that looks like it is: a wire,
a boom, a prop that moved, wardrobe of another colour. Not here: light, exposure and white, which
are taken out first (`comparing`).

A pixel counts where its colour lies outside everything that the other take shows near it at any of
its moments: actors may sway, grain may crawl, a stronger change may not. Shapes: K moments, H rows,
W columns, C channels (luminance in stops, red over green, blue over green).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from footagefit.catalogue.comparing import GREY, Fitted
from footagefit.catalogue.laying import Laid
from footagefit.signature import coordinates

Kind = Literal["wire", "boom", "prop", "wardrobe"]
Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the small picture
_NEAR_SHARE = 1 / 40  # of the long side: how far what sways may sway
_DARK, _BRIGHT = -4.5, 2.2  # stops about grey: beyond, both are taken for the same
_LUMA_TOL, _CHROMA_TOL = 0.35, 0.25  # stops that neighbours may lie outside
_LEAST_SHARE = 0.0004  # of the picture that a thing covers
_WARDROBE_SHARE = 0.01
_MATCHES = 0.75  # correlation from which two patches show the same thing


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
    inside = reference.inside_KHW.all(0) & take.inside_KHW.all(0)
    added = _outside(other, one) * inside[..., None]
    missing = _outside(one, other) * inside[..., None]
    here, gone = _regions(added), _regions(missing)
    found = _recoloured(here, gone)
    rest = [r for r in here if not any(_overlap(r.box, t.box) > 0.3 for t in found)]
    found += _hung(rest, inside.shape)
    rest = [r for r in rest if not any(_overlap(r.box, t.box) > 0.3 for t in found)]
    found += _moved(rest, gone, other, one)
    return sorted(found, key=lambda t: -t.share * t.strength)


def _stops(frames_KHWC: np.ndarray) -> np.ndarray:
    return (coordinates.stops(frames_KHWC) - GREY).astype(np.float32)


def _opponent(stops_KHWC: np.ndarray) -> np.ndarray:
    """Luminance and two colours in stops, smoothed a little; darkness and glare held."""
    import cv2

    held = np.clip(stops_KHWC, _DARK, _BRIGHT)
    r, g, b = np.moveaxis(held, -1, 0)
    out = np.stack([0.2722 * r + 0.6741 * g + 0.0537 * b, r - g, b - g], -1)
    return np.stack([cv2.GaussianBlur(f, (0, 0), 0.8) for f in out])


def _outside(shown_KHWC: np.ndarray, other_KHWC: np.ndarray) -> np.ndarray:
    """How far each pixel lies outside of what the other take shows near it (H,W,C), in stops."""
    import cv2

    reach = 2 * round(max(shown_KHWC.shape[1:3]) * _NEAR_SHARE) + 1
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    high = cv2.dilate(other_KHWC.max(0), near)
    low = cv2.erode(other_KHWC.min(0), near)
    tolerance = np.array([_LUMA_TOL, _CHROMA_TOL, _CHROMA_TOL], np.float32)
    excess = np.maximum(shown_KHWC - high, low - shown_KHWC) - tolerance
    return np.maximum(excess, 0.0).mean(0)


def _regions(excess_HWC: np.ndarray) -> list[_Region]:
    """Connected parts of what lies outside."""
    import cv2

    total = excess_HWC.sum(-1)
    mask = (total > 0.05).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
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


def _recoloured(here: list[_Region], gone: list[_Region]) -> list[Thing]:
    """Wardrobe: the same place is another colour in both directions."""
    found = []
    for region in here:
        both = [g for g in gone if (g.label & region.label).sum() > 0.4 * min(g.area, region.area)]
        share = region.area / region.label.size
        if both and region.chroma > 0.5 and share > _WARDROBE_SHARE:
            found.append(Thing("wardrobe", region.box, share, region.strength))
    return found


def _hung(here: list[_Region], size: tuple[int, int]) -> list[Thing]:
    """A wire, long and thin; a boom, hanging in from an edge; neither is in the other take."""
    found = []
    for region in here:
        x, y, w, h = region.box
        share = region.area / region.label.size
        length, thick = _long_and_thin(region.label)
        if length > 0.35 * size[0] and thick < 0.05 * size[0]:
            found.append(Thing("wire", region.box, share, region.strength))
        elif y <= 2 and h > 4 and x > 2 and x + w < size[1] - 2:
            found.append(Thing("boom", region.box, share, region.strength))
    return found


def _long_and_thin(label_HW: np.ndarray) -> tuple[float, float]:
    """Length of a region along its axis, and its thickness, in pixels."""
    y, x = np.nonzero(label_HW)
    at = np.stack([x, y], 1).astype(np.float64)
    at -= at.mean(0)
    _, axes = np.linalg.eigh(at.T @ at)
    along = at @ axes[:, 1]
    length = float(np.ptp(along)) + 1
    return length, len(x) / length


def _moved(
    here: list[_Region], gone: list[_Region], take_KHWC: np.ndarray, reference_KHWC: np.ndarray
) -> list[Thing]:
    """A prop: what is new at one place is what is missing at another."""
    found = []
    shown, other = np.median(take_KHWC, 0), np.median(reference_KHWC, 0)
    for region in here:
        share = region.area / region.label.size
        scores = [(_same_patch(shown, other, region, g), g) for g in gone]
        if not scores:
            continue
        best, from_ = max(scores, key=lambda s: s[0])
        if best >= _MATCHES:
            (x, y, w, h), (x0, y0, w0, h0) = region.box, from_.box
            moved = float(np.hypot(x + w / 2 - x0 - w0 / 2, y + h / 2 - y0 - h0 / 2))
            left, top = min(x, x0), min(y, y0)
            box = (left, top, max(x + w, x0 + w0) - left, max(y + h, y0 + h0) - top)
            found.append(Thing("prop", box, share, region.strength, moved))
    return found


def _same_patch(
    shown_HWC: np.ndarray, other_HWC: np.ndarray, region: _Region, gone: _Region
) -> float:
    """How well what is at one place in the take is found about another in the reference."""
    import cv2

    x, y, w, h = region.box
    margin = 3
    top, left = max(0, y - margin), max(0, x - margin)
    patch = shown_HWC[top : y + h + margin, left : x + w + margin]
    x0, y0, w0, h0 = gone.box
    reach = max(w, h) // 2 + 2 * margin
    area = other_HWC[
        max(0, y0 - h // 2 - reach) : y0 + h0 + h // 2 + reach,
        max(0, x0 - w // 2 - reach) : x0 + w0 + w // 2 + reach,
    ]
    if patch.shape[0] > area.shape[0] or patch.shape[1] > area.shape[1] or min(patch.shape[:2]) < 4:
        return 0.0
    patch, area = np.ascontiguousarray(patch), np.ascontiguousarray(area)
    return float(cv2.matchTemplate(area, patch, cv2.TM_CCOEFF_NORMED).max())


def _overlap(one: Box, other: Box) -> float:
    """Share of the smaller box that lies in both."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    tall = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    least = min(one[2] * one[3], other[2] * other[3])
    return max(0, wide) * max(0, tall) / max(1, least)

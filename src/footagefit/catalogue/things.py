"""Things that differ between aligned takes: added, moved or recoloured, boxed for a person.

Here: what nets see of props, booms, wardrobe and wires, and what rules see of garments of nearly
the same colour. Not here: light, exposure and white, which are taken out first (`comparing`), the
nets (`differing`, `hung`), what lies outside of what the other take shows (`outside`).

Shapes: H rows, W columns, C channels (luminance in stops, red over green, blue over green).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from footagefit.catalogue.comparing import Box, Fitted, usable_light
from footagefit.catalogue.differing import differing
from footagefit.catalogue.hung import wire
from footagefit.catalogue.laying import Laid
from footagefit.catalogue.outside import beside

# How sure the net must be, as a logit: of staged pairs not learnt from, none passes in which
# something else or nothing is wrong, and 104 of 109 do. Wires have a net of their own.
SURE: Mapping[str, float] = {"prop": 3.0, "boom": 1.5, "wardrobe": 2.0}
_LEAST_SHARE = 0.0004  # of the picture that a thing covers
# Of garments whose colour changed little, looked for where grain is averaged away: smoothing in
# pixels, stops that neighbours may lie outside, of the picture that somebody's garment covers, and
# share of the picture times stops of colour.
_SOFT_PX, _SOFT_TOL, _GARMENT_SHARE, _GARMENT_WEIGHT = 2.0, 0.1, 0.4, 0.01
_LEAST_COLOUR = 0.4  # stops by which a garment's two colours differ together: the rest is light
_ALIKE = (0.5, 0.2, 0.2)  # stops by which a colour may differ and be the same
_SOUND = 0.5  # of a garment that must be neither dark nor burnt out in either take
_ABSENT = 0.05  # of a garment's size: what another take shows of its new colour, at most


@dataclass(frozen=True)
class Thing:
    """Something to look at.

    Attributes:
        kind: What it looks like: `wire`, `boom`, `prop`, `wardrobe`.
        box: Where, on the reference take's picture.
        share: Of the picture that it covers.
        strength: How sure that is, which lists are sorted by.
        moved_px: How far a prop moved, in pixels of the small picture; 0 where that is not known.
    """

    kind: str
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


def things(reference: Laid, take: Laid, fit: Fitted) -> list[Thing]:
    """What differs, surest first."""
    seen = beside(reference, take, fit)
    found = [
        Thing(s.kind, s.box, s.share, s.sure, s.apart_px if s.kind == "prop" else 0.0)
        for s in differing(seen, SURE)
    ]
    if not any(t.kind == "wardrobe" for t in found):
        found += _tinted(reference, take, fit)
    hung = wire(reference, take, fit)
    booms = [t.box for t in found if t.kind == "boom"]
    if hung is not None and not any(_overlap(hung.box, box) for box in booms):
        found.append(
            Thing("wire", hung.box, hung.box[2] * hung.box[3] / seen.inside_HW.size, hung.length)
        )
    return sorted(found, key=lambda t: -t.strength)


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
        found.append(_Region(inside, (x, y, w, h), area, float(total[inside].mean())))
    return sorted(found, key=lambda r: -r.area * r.strength)


def _tinted(reference: Laid, take: Laid, fit: Fitted) -> list[Thing]:
    """Wardrobe whose colour changed by little: by colour alone, with the grain averaged away.

    The same place is another colour, which the other take shows nowhere: what somebody covers who
    moved has the colour of somebody who was there before. What one take burnt out has lost its
    colour.
    """
    seen = beside(reference, take, fit, soft_px=_SOFT_PX, colour_ev=_SOFT_TOL)
    sound = np.logical_and(*(usable_light(over.middle_HWC) for over in (reference, take)))
    colours = np.array([0, 1, 1], np.float32)
    here, gone = (_regions(p * colours) for p in (seen.added_HWC, seen.missing_HWC))
    found = []
    for region in here:
        both = [g for g in gone if (g.label & region.label).sum() > 0.4 * min(g.area, region.area)]
        share = region.area / region.label.size
        now, before = (np.median(p[region.label], 0) for p in (seen.shown_HWC, seen.was_HWC))
        turned = float(np.abs(now - before)[1:].sum())
        small = share * turned < _GARMENT_WEIGHT or share > _GARMENT_SHARE
        if sound[region.label].mean() < _SOUND or not both or turned < _LEAST_COLOUR or small:
            continue
        known = (np.abs(seen.was_HWC - now) < _ALIKE).all(-1).sum()
        if known < _ABSENT * region.area:
            found.append(Thing("wardrobe", region.box, share, region.strength))
    return found


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes lie over each other: a boom's own edge is a line too."""
    apart = (
        one[axis] >= other[axis] + other[axis + 2] or other[axis] >= one[axis] + one[axis + 2]
        for axis in (0, 1)
    )
    return not any(apart)

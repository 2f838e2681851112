"""The same set in two pictures that were framed and lit otherwise: one laid over the other.

Here: landmarks of a picture, the map that most of them agree on, and where both then show the same
standing thing. Not here: takes of a catalogue laid over each other (`catalogue/laying.py`), what is
made of it (`models/anchor.py`).

Landmarks are corners and blobs (Lowe 2004) of the picture's structure, its light taken out; a map
may move, turn and scale. Where they are few, parts of the picture vote (`voting.py`). Of pictures
of one set about half of what has structure agrees, of others a fifth at most.

Shapes: H rows, W columns, C channels. Pixels are scene-linear ACEScg.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from footagefit.dailies.pairs import alignment, detail, same_structure, warped
from footagefit.dailies.voting import voted

SURE, UNSURE = 0.26, 0.18  # of the picture's structure that is the same: believed, not believed
_SMALLER = 0.75  # it begins by doubling what it is shown
_MOST, _CONTRAST = 400, 0.01  # landmarks, and how faint one may be
_ALIKE = 0.85  # the best of a landmark's likenesses over the second, at most
_LEAST, _NEAR_PX = 6, 2.0  # landmarks that must agree on a map, and how well
_MAPS = 3  # that are tried: actors move one way, the set another
_FRAMED_ALIKE = 0.7  # of the structure that stands where it stood: no other map is looked for
_CHANCE = 0.05  # of the structure that agrees by chance more often where many maps are voted for
_LEAST_STRUCTURE = 0.03  # of the picture: what shows less is not known again
_STANDING = 1.05  # what is held already is believed though another map does that much better


@dataclass(frozen=True)
class Standing:
    """A picture laid over the first.

    Attributes:
        over_HWC: The picture on the first's pixels.
        still_HW: 1 where both show the same standing thing.
        sure: Share of what has structure in either that is the same, over what chance may do.
        warp: Map (2,3) from the first's pixels to the picture's own.
        chance: What chance may do.
    """

    over_HWC: np.ndarray
    still_HW: np.ndarray
    sure: float
    warp: np.ndarray
    chance: float = 0.0


class Landmarks:
    """A picture and what is known again of it.

    Args:
        light_HWC: Scene-linear; a few hundred pixels wide.
    """

    def __init__(self, light_HWC: np.ndarray) -> None:
        self.light_HWC = np.ascontiguousarray(light_HWC, dtype=np.float32)

    @cached_property
    def structure_HW(self) -> np.ndarray:
        """The picture without its light."""
        return detail(self.light_HWC)

    @cached_property
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Where landmarks are (N,2), and what they look like (N,128)."""
        import cv2

        structure = self.structure_HW
        usual = cv2.GaussianBlur(structure**2, (0, 0), max(structure.shape) / 24)
        even = np.clip(128 + 60 * structure / (np.sqrt(usual) + 0.02), 0, 255).astype(np.uint8)
        even = cv2.resize(even, None, fx=_SMALLER, fy=_SMALLER, interpolation=cv2.INTER_AREA)
        seen = cv2.SIFT_create(_MOST, contrastThreshold=_CONTRAST)  # pyright: ignore[reportAttributeAccessIssue]
        at, like = seen.detectAndCompute(even, None)
        if like is None:
            return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
        return np.array([p.pt for p in at], np.float32) / _SMALLER, like


def standing(one: Landmarks, other: Landmarks) -> Standing | None:
    """The other picture over the first; None where they do not show the same set."""
    best = framed = _tried(one, other, np.eye(2, 3, dtype=np.float32))
    if framed.sure < _FRAMED_ALIKE:
        best = _likelier(framed, [_tried(one, other, warp) for warp in _maps(one, other)])
    if best.sure < SURE and one.light_HWC.shape == other.light_HWC.shape:
        maps = voted(one.structure_HW, other.structure_HW)
        best = _likelier(best, [_tried(one, other, warp, chance=_CHANCE) for warp in maps])
    if best.sure < UNSURE:
        return None
    exact = alignment(one.light_HWC, best.over_HWC, where_HW=best.still_HW)
    again = (
        best if exact is None else _tried(one, other, _after(best.warp, exact), chance=best.chance)
    )
    return max(best, again, key=lambda s: s.sure)


def _maps(one: Landmarks, other: Landmarks) -> list[np.ndarray]:
    """Maps (2,3) from the first picture's pixels that several landmarks agree on, most first."""
    import cv2

    (here, like), (there, alike) = one.points, other.points
    if min(len(here), len(there)) < _LEAST:
        return []
    couples = cv2.BFMatcher().knnMatch(like, alike, k=2)
    good = [a for a, b in couples if a.distance < _ALIKE * b.distance]
    a_N2 = here[[m.queryIdx for m in good]]
    b_N2 = there[[m.trainIdx for m in good]]
    maps = []
    while len(a_N2) >= _LEAST and len(maps) < _MAPS:
        warp, agreed = cv2.estimateAffinePartial2D(a_N2, b_N2, ransacReprojThreshold=_NEAR_PX)
        if warp is None or int(agreed.sum()) < _LEAST:
            break
        maps.append(warp.astype(np.float32))
        a_N2, b_N2 = (p[agreed[:, 0] == 0] for p in (a_N2, b_N2))
    return maps


def _tried(one: Landmarks, other: Landmarks, warp: np.ndarray, *, chance: float = 0.0) -> Standing:
    """The other picture by a map. Plain places have no say: a sky is like any wall."""
    rows, columns = one.structure_HW.shape
    over, inside = warped(other.light_HWC, warp, size=(rows, columns))
    same, some, others = same_structure(one.structure_HW, detail(over))
    still = same * inside
    told = some | (others & (inside > 0))
    sure = float(still[told].mean()) if told.mean() > _LEAST_STRUCTURE else 0.0
    return Standing(over, still, sure - chance, warp, chance)


def _likelier(held: Standing, others: list[Standing]) -> Standing:
    """The surest, or what was held if none is much surer."""
    best = max(others, key=lambda s: s.sure, default=held)
    return held if held.sure * _STANDING >= best.sure else best


def _after(warp: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """One map after another that was found on what the first one gave."""
    whole = np.eye(3)
    whole[:2] = exact
    return (warp @ whole).astype(np.float32)

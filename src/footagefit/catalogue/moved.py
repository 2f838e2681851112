"""A thing that moved between two aligned takes: gone from one place, found again at another.

Here: parts of one picture that are found elsewhere in the other, joined to things, and what tells a
thing from a part of somebody. Not here: where the pictures differ at all (`things`).

A prop that was moved is another's to see: all of it is new where it stands and all of it is gone
from where it stood, it stands as level as before, and nothing else about it changed. An arm drags
a sleeve along, a head turns about itself, a body covers most of where it was before.

Shapes: H rows, W columns, C channels (luminance in stops, red over green, blue over green).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PART_SHARE = 1 / 36  # of the long side: the parts that are looked for
_STEP_SHARE = 1 / 107
_REACH = (0.2, 0.06)  # of the long side, across and down: how far a thing is looked for
_WEIGHT = np.array([1.0, 1.5, 1.5], np.float32)  # colour tells things better than light does
_HALF, _THIRD = 0.5, 0.3  # of a part that must be new, and gone from where it was
_ELSEWHERE = 0.5  # squared stops that a place counts as unlike where nothing is gone from it
_PART_LEFT, _PART_UNLIKE = 0.2, 0.25  # of the squared difference in place; and squared stops
_TOGETHER_PX, _APART_SHARE = 2.0, 0.08  # of the way, and of the long side between parts
_LEAST_PARTS, _MOST_THINGS = 3, 4
_FITS = 0.6  # stops by which a pixel of the thing may differ between its two places
_LEAST_WAY, _LEVEL = (
    0.0375,
    0.35,
)  # of the long side; and of the way across that it may rise or fall
_AREAS = (0.001, 0.015)  # of the picture
_NEW, _FULL, _CALM, _LEFT = 0.6, 0.5, 0.36, 0.25


@dataclass(frozen=True)
class Move:
    """A thing that moved.

    Attributes:
        label: Where it is now (H,W).
        was: Where it was.
        way_px: Across and down, in pixels.
        strength: Mean stops by which the place differs from what it showed before.
    """

    label: np.ndarray
    was: np.ndarray
    way_px: tuple[int, int]
    strength: float


def moves(
    shown_HWC: np.ndarray, was_HWC: np.ndarray, added_HW: np.ndarray, missing_HW: np.ndarray
) -> list[Move]:
    """What moved, strongest first.

    Args:
        shown_HWC: A take.
        was_HWC: The other, laid under it and lit alike.
        added_HW: True where the first shows what the other has not about there.
        missing_HW: True where the other shows what the first has not.
    """
    long_px = max(added_HW.shape)
    found = []
    for way, at_N2 in _ways(_parts(shown_HWC, was_HWC, added_HW, missing_HW), long_px):
        move = _thing(shown_HWC, was_HWC, added_HW, missing_HW, way=way, at_N2=at_N2)
        if move is not None and _is_thing(move, shown_HWC, was_HWC, added_HW, missing_HW):
            found.append(move)
    return sorted(found, key=lambda m: -m.strength * m.label.sum())


def about(label_HW: np.ndarray) -> np.ndarray:
    """A ring about a place, a pixel off it."""
    import cv2

    inner, outer = (
        cv2.dilate(label_HW.astype(np.uint8), np.ones((size, size), np.uint8)) for size in (3, 9)
    )
    return (outer > 0) & (inner == 0)


def _parts(
    shown_HWC: np.ndarray, was_HWC: np.ndarray, added_HW: np.ndarray, missing_HW: np.ndarray
) -> np.ndarray:
    """Parts found elsewhere (N,4): x, y now, and the way they came."""
    import cv2

    height, width = added_HW.shape
    long_px = max(height, width)
    side = 2 * round(long_px * _PART_SHARE / 2) + 1
    half, step = side // 2, max(2, round(long_px * _STEP_SHARE))
    across, down = (round(share * long_px) for share in _REACH)
    now, was = ((p * _WEIGHT).astype(np.float32) for p in (shown_HWC, was_HWC))
    new, gone = (
        cv2.boxFilter(m.astype(np.float32), -1, (side, side)) for m in (added_HW, missing_HW)
    )
    found = []
    for y in range(half, height - half, step):
        for x in range(half, width - half, step):
            if new[y, x] < _HALF:
                continue
            part = now[y - half : y + half + 1, x - half : x + half + 1]
            here = was[y - half : y + half + 1, x - half : x + half + 1]
            top, left = max(half, y - down), max(half, x - across)
            bottom, right = min(height - half, y + down + 1), min(width - half, x + across + 1)
            around = was[top - half : bottom + half, left - half : right + half]
            unlike = cv2.matchTemplate(around, part, cv2.TM_SQDIFF) / side**2
            unlike += _ELSEWHERE * (gone[top:bottom, left:right] < _THIRD)
            v, u = divmod(int(unlike.argmin()), unlike.shape[1])
            least, in_place = float(unlike[v, u]), float(((part - here) ** 2).sum()) / side**2
            if least < min(_PART_LEFT * in_place, _PART_UNLIKE):
                found.append((x, y, x - left - u, y - top - v))
    return np.array(found, np.float32).reshape(-1, 4)


def _ways(parts_N4: np.ndarray, long_px: int) -> list[tuple[tuple[int, int], np.ndarray]]:
    """Ways that neighbouring parts came together, and where those parts are (N,2)."""
    parts = parts_N4[np.abs(parts_N4[:, 2]) >= _LEAST_WAY * long_px]
    found = []
    while len(parts) >= _LEAST_PARTS and len(found) < _MOST_THINGS:
        way = np.abs(parts[:, None, 2:] - parts[None, :, 2:]).max(-1) <= _TOGETHER_PX
        near = np.abs(parts[:, None, :2] - parts[None, :, :2]).max(-1) <= _APART_SHARE * long_px
        together = way & near
        winner = together[int(together.sum(1).argmax())]
        if winner.sum() < _LEAST_PARTS:
            break
        across, down = np.median(parts[winner, 2:], axis=0).round().astype(int)
        found.append(((int(across), int(down)), parts[winner, :2].astype(int)))
        parts = parts[~winner]
    return found


def _thing(
    shown_HWC: np.ndarray, was_HWC: np.ndarray, added_HW: np.ndarray, missing_HW: np.ndarray,
    *, way: tuple[int, int], at_N2: np.ndarray,
) -> Move | None:  # fmt: skip
    """All that came the same way and hangs together with the parts that say so."""
    import cv2

    brought = _shifted(was_HWC, way, 99.0)
    fits = (np.abs(shown_HWC - brought) * _WEIGHT).sum(-1) < _FITS
    gone = _shifted(missing_HW.astype(np.float32), way, 0.0) > 0.5
    whole = (fits & (added_HW | gone)).astype(np.uint8)
    whole = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    _, labels = cv2.connectedComponents(whole, connectivity=4)
    seeds = np.zeros_like(whole)
    seeds[at_N2[:, 1], at_N2[:, 0]] = 1
    touched = cv2.dilate(seeds, np.ones((5, 5), np.uint8)) > 0
    names = [n for n in np.unique(labels[touched]) if n]
    label = np.isin(labels, names)
    if not label.any():
        return None
    there = _shifted(label.astype(np.float32), (-way[0], -way[1]), 0.0) > 0.5
    strength = float((np.abs(shown_HWC - was_HWC)[label] * _WEIGHT).sum(-1).mean())
    return Move(label, there, way, strength)


def _is_thing(
    move: Move,
    shown_HWC: np.ndarray,
    was_HWC: np.ndarray,
    added_HW: np.ndarray,
    missing_HW: np.ndarray,
) -> bool:
    """Whether it is small, level, whole, all new and all gone, and calm about."""
    share = float(move.label.mean())
    rows, columns = (np.flatnonzero(move.label.any(axis)) for axis in (1, 0))
    full = move.label.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
    if not (_AREAS[0] < share < _AREAS[1] and full > _FULL and move.was.any()):
        return False
    if abs(move.way_px[1]) > _LEVEL * abs(move.way_px[0]):
        return False
    if min(added_HW[move.label].mean(), missing_HW[move.was].mean()) < _NEW:
        return False
    stirred = (added_HW | missing_HW)[about(move.label | move.was)].mean()
    brought = _shifted(was_HWC, move.way_px, 99.0)
    left = (np.abs(shown_HWC - brought)[move.label] * _WEIGHT).sum(-1).mean()
    return bool(stirred < _CALM and left < _LEFT * move.strength)


def _shifted(plane: np.ndarray, way: tuple[int, int], outside: float) -> np.ndarray:
    """A picture moved by whole pixels."""
    import cv2

    moved = np.array([[1, 0, way[0]], [0, 1, way[1]]], np.float32)
    border = (outside,) * 3
    return cv2.warpAffine(
        plane, moved, plane.shape[1::-1], flags=cv2.INTER_NEAREST, borderValue=border
    )

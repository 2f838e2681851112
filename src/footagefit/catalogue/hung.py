"""A wire: a thin straight line across much of a take that its reference take does not have.

Here: two looks at it. By itself: lines that stand off both their sides, less those that the
reference has nearby. And by the difference of the two takes, where bricks, leaves and planks that
stand in both go out: there a wire stands off what grain and residual edges are like about it, what
is on both its sides is as it was, and along it is what the reference has not within a pixel or two:
where takes lie a pixel off each other, edges and bars differ too. Not
here: laying takes (`laying`), other things (`things`).

Luminance in stops. Shapes: K moments, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from footagefit.catalogue.comparing import Box

_RIDGE_STOPS = 0.25
_RIDGE_LEAST = 0.25  # of the height of the picture along which a line stands out by itself
_BESIDE = np.array([1.0] * 8 + [0.0] * 5 + [1.0] * 8) / 16
_CHANGED_LEAST = 0.75  # the same in the difference of two takes, where all that stands went out
_USUAL_PX, _USUAL_MOST = 31, 0.6  # about a place, and stops at most: what is usual there
_OVER_USUAL, _FLOOR_EV = 1.5, 0.15
_MOVING = 0.7  # of what the reference's own moments differ by
_FLANKS_PX = (4, 6)
_FLANK = 0.5  # of a line's own change that its sides may have changed by
_OFF_PX, _OFF_EV = 2, 0.07  # how far takes may lie off each other, and stops beyond what is there
_OFF_SHARE = 0.2  # of a line that must lie beyond


@dataclass(frozen=True)
class Line:
    """A straight line across a picture.

    Attributes:
        length: What stands out along it, in heights of the picture.
        box: About its part that is in the picture.
        turn: Map (2,3) into a square picture in which it is upright.
        column: Which column it is there.
    """

    length: float
    box: Box
    turn: np.ndarray
    column: int


def wire(
    one_KHW: np.ndarray, other_KHW: np.ndarray, inside_HW: np.ndarray, *, near_px: int
) -> Line | None:
    """The wire that only the take has, at every moment, or None.

    It may sway, so that each moment is looked at by itself; the one in which least is seen decides.

    Args:
        one_KHW: The reference take as the take would have recorded it.
        other_KHW: The take.
        inside_HW: Where both reach, and nobody moves.
        near_px: How far the reference's own lines may sway.
    """
    return _by_itself(one_KHW, other_KHW, inside_HW, near_px) or _by_difference(
        one_KHW, other_KHW, inside_HW
    )


def _by_itself(
    one_KHW: np.ndarray, other_KHW: np.ndarray, inside_HW: np.ndarray, near_px: int
) -> Line | None:
    """A line that the take has and the reference has nowhere near."""
    known = dilated(np.max([_ridges(f) for f in one_KHW], axis=0), 2 * near_px + 1)
    where = _eroded(inside_HW, 15) / _RIDGE_STOPS
    found = []
    for frame in other_KHW:
        line = _longest_line(np.maximum(_ridges(frame) - known, 0.0) * where)
        if line is None or line.length < _RIDGE_LEAST:
            return None
        found.append(line)
    return min(found, key=lambda line: line.length)


def _by_difference(
    one_KHW: np.ndarray, other_KHW: np.ndarray, inside_HW: np.ndarray
) -> Line | None:
    """A line in what differs, whose sides do not."""
    was = np.median(one_KHW, axis=0)
    moving = dilated(_MOVING * np.minimum(np.ptp(one_KHW, axis=0), 1.0), 3)
    where = _eroded(inside_HW, 9)
    found = []
    for frame in other_KHW:
        apart = (frame - was).astype(np.float32)
        line = _longest_line(_standing_off(apart, moving) * where)
        if (
            line is None
            or line.length < _CHANGED_LEAST
            or not _alone(apart, _beyond(frame, was), where, line)
        ):
            return None
        found.append(line)
    return min(found, key=lambda line: line.length)


def _standing_off(apart_HW: np.ndarray, moving_HW: np.ndarray) -> np.ndarray:
    """0 to 1: how far thin lines of a difference stand off what is usual about them."""
    import cv2

    lines = _thin(apart_HW)
    usual = cv2.blur(np.minimum(lines, _USUAL_MOST), (_USUAL_PX, _USUAL_PX))
    return np.clip((lines - _OVER_USUAL * usual - moving_HW) / (_FLOOR_EV + usual), 0.0, 1.0)


def _beyond(shown_HW: np.ndarray, was_HW: np.ndarray) -> np.ndarray:
    """1 where a picture lies outside of all that the other has within a pixel or two."""
    import cv2

    near = np.ones((2 * _OFF_PX + 1, 2 * _OFF_PX + 1), np.uint8)
    outside = np.maximum(shown_HW - cv2.dilate(was_HW, near), cv2.erode(was_HW, near) - shown_HW)
    return (outside > _OFF_EV).astype(np.float32)


def _alone(apart_HW: np.ndarray, beyond_HW: np.ndarray, where_HW: np.ndarray, line: Line) -> bool:
    """Whether both sides of a line are as they were, and the line itself was nowhere near.

    Of an edge of something new one side is not; an edge that stands is in the reference too.
    """
    import cv2

    side = int(np.ceil(np.hypot(*apart_HW.shape)))
    planes = (apart_HW, beyond_HW, where_HW.astype(np.uint8))
    apart, beyond, seen = (cv2.warpAffine(p, line.turn, (side, side)) for p in planes)

    def columns(first: int, last: int) -> slice:
        return slice(max(0, line.column + first), max(0, line.column + last + 1))

    middle = columns(-1, 2)
    rows = (seen[:, middle] > 0).all(1)
    if not rows.any() or (beyond[rows, middle].max(1) > 0.5).mean() < _OFF_SHARE:
        return False
    own = float(np.median(np.abs(apart[rows, middle]).max(1)))
    near, far = _FLANKS_PX
    sides = (columns(-far, -near), columns(1 + near, 1 + far))
    flanks = [apart[:, c][seen[:, c] > 0] for c in sides]
    return all(f.size > 0 and abs(float(np.median(f))) < _FLANK * own for f in flanks)


def _ridges(stops_HW: np.ndarray) -> np.ndarray:
    """How far thin lines stand off both their sides, in stops, capped: long counts, not strong."""
    return np.clip(_thin(stops_HW) - 0.1, 0.0, _RIDGE_STOPS)


def _thin(stops_HW: np.ndarray) -> np.ndarray:
    """How far what is thin stands off what is about it, in stops."""
    import cv2

    held = stops_HW.astype(np.float32)
    wide = max(5, 2 * round(max(held.shape) / 160) + 1)
    kernel = np.ones((wide, wide), np.uint8)
    dark = cv2.morphologyEx(held, cv2.MORPH_CLOSE, kernel) - held
    light = held - cv2.morphologyEx(held, cv2.MORPH_OPEN, kernel)
    return np.maximum(dark, light)


def _longest_line(ridges_HW: np.ndarray) -> Line | None:
    """The straight line along which ridges are strongest, by turning the picture (Radon 1917)."""
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
    if best <= 0.0:
        return None
    angle, at = found
    turn = np.vstack([cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0), [0, 0, 1]])
    back = np.linalg.inv(turn @ around)
    ends = (back @ np.array([[at, at], [0, side], [1, 1]]))[:2]
    box = _clipped_box(ends, (height, width))
    return Line(best / height, box, (turn @ around)[:2], at)


def _clipped_box(ends_22: np.ndarray, size: tuple[int, int]) -> Box:
    """The box of a line's part that lies in the picture."""
    import cv2

    (x0, x1), (y0, y1) = ends_22.round().astype(int)
    _, a, b = cv2.clipLine((0, 0, size[1], size[0]), (int(x0), int(y0)), (int(x1), int(y1)))
    left, top = min(a[0], b[0]), min(a[1], b[1])
    return left, top, max(4, abs(a[0] - b[0])), max(4, abs(a[1] - b[1]))


def dilated(values_HW: np.ndarray, size: int) -> np.ndarray:
    """The most there is within a square of so many pixels."""
    import cv2

    return cv2.dilate(values_HW.astype(np.float32), np.ones((size, size), np.uint8))


def _eroded(inside_HW: np.ndarray, size: int) -> np.ndarray:
    """Where a mask still holds so many pixels in; the picture's own border counts as outside."""
    import cv2

    framed = np.pad(inside_HW.astype(np.uint8), size)
    return cv2.erode(framed, np.ones((size, size), np.uint8))[size:-size, size:-size]

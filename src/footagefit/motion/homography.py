"""Global motion: the homography between two frames to a fraction of a pixel, and along a shot.

Here: tracked corners and RANSAC, refined on log luma itself (Baker and Matthews 2004), by no more
freedom than the frames ask for; the chain of a shot. Not here: what moves by itself (`flow.py`).

Shapes: H rows, W columns, N corners. Homographies (3,3) take x, y px of one frame to the other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from footagefit.motion import looks, warps
from footagefit.motion.looks import Look

_CORNERS = 900
_NEAR_PX = 0.8  # of a look: what RANSAC counts as moving with the frame
_STILL_PX = 0.12  # a camera on its stand: corners that moved less
_STILL_SHARE = 0.35
_DRIFT_PX = 0.06  # of a look's corners: what tracking says of a camera that stands
_STOOD_PX = 0.25  # likewise over many frames
_LEAST = 14
_SIMPLER = 0.94  # share of a freer motion's corners that a simpler one must explain
_ROUNDS = 6
_PIXELS = 9_000  # that are compared when a motion is refined
_CELL_PX = 8


@dataclass(frozen=True)
class Motion:
    """How a frame moves as a whole.

    Attributes:
        matrix: To the other frame's pixels.
        sure: Share of what was tracked that moves so, 0..1; 0 where nothing could be tracked.
        still: Whether the camera seems to have stood; frames further apart tell (`standing`).
    """

    matrix: np.ndarray
    sure: float
    still: bool = False


def between(
    one_CHW: Tensor, other_CHW: Tensor, *, hole_1HW: Tensor | None = None,
    other_hole_1HW: Tensor | None = None, long_px: int = 640,
) -> Motion:  # fmt: skip
    """Global motion from a frame to another, in px of the frames.

    Args:
        one_CHW: Scene-linear ACEScg.
        other_CHW: Likewise, of the same size.
        hole_1HW: Where not to look in the one: 1 where there is no pixel.
        other_hole_1HW: The other's.
        long_px: Longest side at which they are compared.
    """
    one = looks.look(one_CHW, hole_1HW, long_px=long_px)
    other = looks.look(other_CHW, other_hole_1HW, long_px=long_px)
    found = of_looks(one, other)
    return Motion(np.eye(3), found.sure, True) if found.still else found


def of_looks(one: Look, other: Look) -> Motion:
    """Global motion between two looks, in px of the frames they are of."""
    if one.empty or other.empty:
        return Motion(np.eye(3), 0.0)
    first, second = _tracked(one, other)
    if len(first) < _LEAST:
        return Motion(np.eye(3), 0.0)
    size = one.stops_HW.shape
    far = np.linalg.norm(second - first, axis=1)
    stood = _spread_share(first, far < _STILL_PX, size)
    if stood > _STILL_SHARE:
        matrix = refined(one, other, np.eye(3))
        if _drift(small(matrix, one), size) < _DRIFT_PX:
            return Motion(matrix, stood, True)
    matrix, sure = _fitted(first, second)
    if matrix is None or not sane(matrix, size):
        return Motion(np.eye(3), 0.0)
    return Motion(refined(one, other, full(matrix, one)), sure)


def standing(one: Look, other: Look) -> bool:
    """Whether the camera stood between two frames, however far apart."""
    first, second = _tracked(one, other)
    if len(first) < _LEAST:
        return True  # nothing tells otherwise
    far = np.linalg.norm(second - first, axis=1)
    if _spread_share(first, far < _STOOD_PX, one.stops_HW.shape) < _STILL_SHARE:
        return False
    return _drift(small(refined(one, other, np.eye(3)), one), one.stops_HW.shape) < _STOOD_PX


def _drift(matrix: np.ndarray, size: tuple[int, ...]) -> float:
    """How far a motion between looks takes their corners, px: the median one."""
    at = corners((size[0], size[1]))
    return float(np.median(np.linalg.norm(warps.moved(at, matrix) - at, axis=1)))


def full(small: np.ndarray, one: Look) -> np.ndarray:
    """A homography between looks as one between their frames."""
    return _unit(one.scale @ small @ np.linalg.inv(one.scale))


def small(whole: np.ndarray, one: Look) -> np.ndarray:
    """A homography between frames as one between their looks."""
    return _unit(np.linalg.inv(one.scale) @ whole @ one.scale)


def _unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / matrix[2, 2]


def sane(matrix: np.ndarray, size: tuple[int, ...]) -> bool:
    """Whether a frame stays a frame: no side more than halved or doubled, none turned over."""
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
        return False
    at = corners((size[0], size[1]))
    to = warps.moved(at, matrix).astype(np.float64)
    sides, sides_to = (np.linalg.norm(np.roll(c, -1, 0) - c, axis=1) for c in (at, to))
    x, y = to[:, 0], to[:, 1]
    area = 0.5 * float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
    ratio = sides_to / np.maximum(sides, 1e-6)
    return area > 0 and bool((ratio > 0.5).all() and (ratio < 2.0).all())


def corners(size: tuple[int, int]) -> np.ndarray:
    """The four corners' pixels of a frame (4,2), clockwise."""
    right, bottom = size[1] - 1.0, size[0] - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])


def _tracked(one: Look, other: Look) -> tuple[np.ndarray, np.ndarray]:
    """Corners (N,2) of one look and where they are in the other, each found back from there."""
    import cv2

    codes = looks.eight_bits(one.stops_HW, other.stops_HW, ~one.hole_HW & ~other.hole_HW)
    good = cv2.erode((~one.hole_HW).astype(np.uint8), np.ones((5, 5), np.uint8))
    found = cv2.goodFeaturesToTrack(codes[0], _CORNERS, 0.003, 5, mask=good)
    nothing = np.zeros((0, 2), np.float32)
    if found is None or len(found) < _LEAST:
        return nothing, nothing
    ways = {"winSize": (15, 15), "maxLevel": 4}
    guess = np.zeros_like(found)
    to, seen, _ = cv2.calcOpticalFlowPyrLK(codes[0], codes[1], found, guess, **ways)
    back, also, _ = cv2.calcOpticalFlowPyrLK(codes[1], codes[0], to, guess.copy(), **ways)
    first, second, again = (v.reshape(-1, 2) for v in (found, to, back))
    there = (seen[:, 0] > 0) & (also[:, 0] > 0)
    there &= np.linalg.norm(again - first, axis=1) < 0.3
    there &= warps.within(second, other.stops_HW.shape[:2], edge_px=2.0)
    at = second.round().astype(int).clip(0, np.array(other.stops_HW.shape[::-1]) - 1)
    there &= ~other.hole_HW[at[:, 1], at[:, 0]]
    return first[there], second[there]


def _spread_share(at_N2: np.ndarray, which_N: np.ndarray, size: tuple[int, ...]) -> float:
    """Share of corners, each part of the frame counting alike: texture must not outvote a wall."""
    part = max(size) / 8.0
    cell = (at_N2 // part).astype(int)
    name = cell[:, 1] * 64 + cell[:, 0]
    _, index = np.unique(name, return_inverse=True)
    count = np.bincount(index)
    share = np.bincount(index, which_N.astype(float)) / count
    weight = np.minimum(count, 4.0)
    return float((share * weight).sum() / weight.sum())


def _fitted(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray | None, float]:
    """A similarity where it does as well as a homography, else that; and its share of corners."""
    import cv2

    free, inside = cv2.findHomography(first, second, cv2.USAC_MAGSAC, _NEAR_PX)
    simple, inside_simple = cv2.estimateAffinePartial2D(
        first, second, method=cv2.RANSAC, ransacReprojThreshold=_NEAR_PX
    )
    count = 0 if free is None else int(inside.sum())
    count_simple = 0 if simple is None else int(inside_simple.sum())
    if simple is not None and count_simple >= max(_LEAST // 2, _SIMPLER * count):
        return np.concatenate([simple, [[0.0, 0.0, 1.0]]]), count_simple / len(first)
    if free is None or count < _LEAST // 2:
        return None, 0.0
    return free, count / len(first)


def refined(one: Look, other: Look, start: np.ndarray, *, rounds: int = _ROUNDS) -> np.ndarray:
    """A homography made exact by comparing pixels, by robust Gauss-Newton steps.

    Args:
        one: Look of the frame the homography starts from.
        other: Look of the frame it goes to.
        start: In px of the frames, right to a few px of the looks.
        rounds: Steps at most.

    Returns:
        The better homography, or `start` where nothing better was found.
    """
    at = _telling(one)
    if len(at) < 64:
        return start
    size = one.stops_HW.shape
    middle, half = np.array([size[1] - 1, size[0] - 1]) / 2, max(size) / 2
    unit = np.array([[half, 0, middle[0]], [0, half, middle[1]], [0, 0, 1.0]])
    slopes = _slopes(other.stops_HW)
    known = (~other.hole_HW).astype(np.float32)
    fields = np.stack([other.stops_HW, *slopes, known], -1)
    wanted = one.stops_HW[at[:, 1], at[:, 0]].astype(np.float64)
    best, matrix = np.inf, small(start, one)
    kept = matrix
    for _ in range(rounds + 1):
        seen = _compared(fields, at, wanted, matrix)
        if seen is None:
            break
        rest, lean_xy, place, share = seen
        scale = max(0.01, 1.48 * float(np.median(np.abs(rest - np.median(rest)))))
        worth = float(np.minimum(np.abs(rest - np.median(rest)), 3 * scale).mean()) / share
        if worth >= best * 0.9995:
            break
        best, kept = worth, matrix
        step = _step(rest, lean_xy * half, (place - middle) / half, scale)
        matrix = _unit(unit @ step @ np.linalg.inv(unit) @ matrix)
        if not sane(matrix, size):
            break
    return full(kept, one)


def _telling(one: Look) -> np.ndarray:
    """Pixels (N,2) whose slope says the most, some of every part of the look."""
    down, across = np.gradient(one.stops_HW)
    strong = np.where(one.hole_HW, 0.0, np.hypot(down, across))
    rows, columns = (n // _CELL_PX * _CELL_PX for n in strong.shape)
    cells = strong[:rows, :columns].reshape(rows // _CELL_PX, _CELL_PX, -1, _CELL_PX)
    cells = cells.transpose(0, 2, 1, 3).reshape(-1, _CELL_PX * _CELL_PX)
    each = max(2, min(_CELL_PX * _CELL_PX // 2, _PIXELS // max(1, len(cells))))
    order = np.argpartition(-cells, each, axis=1)[:, :each]
    good = np.take_along_axis(cells, order, 1) > 0.02
    cell = np.broadcast_to(np.arange(len(cells))[:, None], order.shape)[good]
    inner = order[good]
    wide = columns // _CELL_PX
    y = cell // wide * _CELL_PX + inner // _CELL_PX
    x = cell % wide * _CELL_PX + inner % _CELL_PX
    return np.stack([x, y], 1)


def _slopes(stops_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    down, across = np.gradient(stops_HW)
    return across.astype(np.float32), down.astype(np.float32)


def _compared(
    fields: np.ndarray, at: np.ndarray, wanted: np.ndarray, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float] | None:
    """Differences where both looks have pixels, the other's slopes, its places, and the share."""
    place = warps.moved(at, matrix)
    read = warps.at_places(fields, place, cubic=False).astype(np.float64)
    there = (read[:, 3] > 0.99) & warps.within(place, fields.shape[:2], edge_px=1.0)
    if there.sum() < max(48, 0.1 * len(at)):
        return None
    return (
        (wanted - read[:, 0])[there], read[there, 1:3], place[there].astype(np.float64),
        float(np.sqrt(there.mean())),
    )  # fmt: skip


def _step(rest: np.ndarray, lean_xy: np.ndarray, place: np.ndarray, scale: float) -> np.ndarray:
    """The small homography, about the middle, after the one there is; exposure apart goes free."""
    x, y = place[:, 0], place[:, 1]
    gx, gy = lean_xy[:, 0], lean_xy[:, 1]
    along = gx * x + gy * y
    lean = np.stack(
        [gx, gx * x, gx * y, gy, gy * x, gy * y, -x * along, -y * along, np.ones_like(x)], 1
    )
    off = rest - np.median(rest)
    weight = 1.0 / (1.0 + (off / (2.0 * scale)) ** 2) ** 2
    normal = (lean * weight[:, None]).T @ lean
    # Freedom is paid for: the more a term bends the frame, the surer it must be.
    price = np.array([0, 1, 1, 0, 1, 1, 4, 4, 0]) * (1e-4 * np.trace(normal[:8, :8]) / 8)
    normal += np.diag(price + 1e-9 * np.trace(normal))
    a = np.linalg.solve(normal, (lean * weight[:, None]).T @ rest)[:8]
    return np.array([[1 + a[1], a[2], a[0]], [a[4], 1 + a[5], a[3]], [a[6], a[7], 1.0]])


class Chain:
    """Global motion along a shot.

    Args:
        steps: From each frame to the next, in order; `sure` 0 where a frame is not there.
        numbers: The frames, one more than steps.
        size: Rows and columns of the frames.
    """

    def __init__(
        self, steps: Sequence[Motion], numbers: Sequence[int], *, size: tuple[int, int]
    ) -> None:
        self.steps, self.numbers, self.size = list(steps), list(numbers), size
        self._place = {number: i for i, number in enumerate(numbers)}
        self._from_first = [np.eye(3)]
        for step in steps:
            self._from_first.append(_unit(step.matrix @ self._from_first[-1]))

    def to(self, number: int, other: int) -> np.ndarray:
        """The homography from a frame to any other."""
        one, two = self._from_first[self._place[number]], self._from_first[self._place[other]]
        return _unit(two @ np.linalg.inv(one))

    def still(self, number: int, other: int) -> bool:
        """Whether the camera stood all the way from a frame to another."""
        low, high = sorted((self._place[number], self._place[other]))
        return all(step.still for step in self.steps[low:high])

    def sure(self, number: int, other: int) -> float:
        """How sure the least sure step between two frames is."""
        low, high = sorted((self._place[number], self._place[other]))
        return min((step.sure for step in self.steps[low:high]), default=1.0)


def part_of(matrix: np.ndarray, part: float, size: tuple[int, int]) -> np.ndarray:
    """A share of a motion: 0 none, 1 all, more goes on; corners run straight."""
    import cv2

    at = corners(size)
    to = at + part * (warps.moved(at, matrix) - at)
    return cv2.getPerspectiveTransform(at.astype(np.float32), to.astype(np.float32))

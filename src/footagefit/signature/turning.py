"""Distortion from a camera that turns: what it sees before and after differs by a homography.

Here: the distortion under which points followed from frame to frame agree with such moves. Not
here: the points (`tracks.py`), straight edges, and both together (`distortion_fit.py`).

A pinhole that turns, or moves past something flat, maps its picture by a homography, which knows
no quadratic term across the way it turns; behind a lens that bends there is one (Stein 1995,
Tordoff and Murray 2004). Each pair of frames has a homography of its own, solved for beside the
lens that all share. Points on what stands nearer or moves are strays.

Shapes: N points, S shots; 4 parameters k1, k2, centre x and y; 8 of a homography.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.signature.coordinates import HD_HALF_PX
from footagefit.signature.distortion import Distortion
from footagefit.signature.tracks import Tracks

_TURNS = 8
_WIDE = 8.0 / HD_HALF_PX  # a stray, at first; narrower by each turn
_NARROWER = 0.45
_NOISE = 0.15 / HD_HALF_PX  # of points followed, at the least
_MOST_NOISE = 1.0 / HD_HALF_PX  # more: they agree with no homography, whatever the lens
_LEAST_AGREE = 40  # points of a pair
_QUARTER = 0.759  # a quarter of distances lie within so many deviations
_LEAST_MOVE = 0.015  # in r: less says nothing
_MOST_POINTS = 300  # of a pair
_ALIKE = 4.0  # neighbouring points share their errors: as many go for one
_STEP = 1e-4


@dataclass(frozen=True)
class Turned:
    """What points followed say of a lens, near the answer that they agree on.

    Attributes:
        at: k1, k2, centre x and y.
        normal_S44: Information of each shot about these.
        pull_S4: Which way each shot would have them moved.
        shot_S: Which shots these are.
        move_S: How far the camera turned in each, in r.
        points: How many were followed.
    """

    at: np.ndarray
    normal_S44: np.ndarray
    pull_S4: np.ndarray
    shot_S: np.ndarray
    move_S: np.ndarray
    points: int


@dataclass
class _Pair:
    """Two frames on the way to an answer."""

    one_N2: np.ndarray
    other_N2: np.ndarray
    shot: int
    move: float
    homography: np.ndarray
    weight_N: np.ndarray
    noise: float = _WIDE

    def rest(self, values: np.ndarray) -> np.ndarray:
        """How far from its place in the other frame each point would be (N,2)."""
        lens = _lens(values)
        x, y = lens.undistorted(self.one_N2[:, 0], self.one_N2[:, 1])
        return np.stack(lens.distorted(*_moved(self.homography, x, y)), 1) - self.other_N2

    def weigh(self, values: np.ndarray, wide: float) -> None:
        """Strays count less: a figure that moves may be most of what is followed."""
        square = (self.rest(values) ** 2).sum(1)
        self.noise = max(float(np.sqrt(np.quantile(square, 0.25))) / _QUARTER, _NOISE)
        self.weight_N = 1 / (1 + square / max(2 * self.noise, wide) ** 2) ** 2

    @property
    def agrees(self) -> bool:
        """Whether one homography explains what stands still, behind some lens."""
        return self.noise < _MOST_NOISE and int((self.weight_N > 0.25).sum()) >= _LEAST_AGREE


def fit(tracks: Sequence[Tracks], *, shots: Sequence[int], prior: np.ndarray) -> Turned | None:
    """What all pairs agree on, or None where the camera hardly turned.

    Args:
        tracks: Points of pairs of frames.
        shots: Which shot each pair is of.
        prior: How far from 0 the parameters lie before a look (4).
    """
    pairs = [_pair(track, shot) for track, shot in zip(tracks, shots, strict=True)]
    pairs = [pair for pair in pairs if pair.move > _LEAST_MOVE]
    found = np.zeros(4)
    for turn in range(_TURNS):
        wide = _WIDE * _NARROWER**turn
        if turn == _TURNS // 2 + 1:
            pairs = [pair for pair in pairs if pair.agrees]
        if not pairs:
            return None
        told = [_reduced(pair, found, wide) for pair in pairs]
        normal = np.sum([t[0] for t in told], 0) + np.diag(prior**-2.0)
        pull = np.sum([t[1] for t in told], 0) - found * prior**-2.0
        step = np.linalg.solve(normal, pull)
        for pair, (_, _, own, lean) in zip(pairs, told, strict=True):
            pair.homography = pair.homography + own - lean @ step
        found = found + step
    return _summed(pairs, found)


def _summed(pairs: list[_Pair], found: np.ndarray) -> Turned:
    told = [_reduced(pair, found, _NOISE) for pair in pairs]
    shot_S, place = np.unique([pair.shot for pair in pairs], return_inverse=True)
    normal, pull = np.zeros((len(shot_S), 4, 4)), np.zeros((len(shot_S), 4))
    square = np.zeros(len(shot_S))
    for s, pair, (information, way, _, _) in zip(place, pairs, told, strict=True):
        normal[s] += information
        pull[s] += way
        square[s] += information[0, 0] * pair.move**2
    move = np.sqrt(square / normal[:, 0, 0].clip(1e-12))
    return Turned(found, normal, pull, shot_S, move, sum(len(pair.one_N2) for pair in pairs))


def _pair(track: Tracks, shot: int) -> _Pair:
    """A pair with the homography that fits most of it as seen, the lens not yet known."""
    import cv2

    step = -(-len(track.one_N2) // _MOST_POINTS)
    one, other = track.one_N2[::step], track.other_N2[::step]
    move = float(np.median(np.linalg.norm(other - one, axis=1)))
    found, _ = cv2.findHomography(one, other, cv2.RANSAC, _WIDE)
    flat = np.eye(3) if found is None else np.asarray(found, np.float64)
    return _Pair(one, other, shot, move, (flat / flat[2, 2]).ravel()[:8], np.ones(len(one)))


def _lens(values: np.ndarray) -> Distortion:
    k1, k2, x, y = (float(v) for v in values)
    return Distortion(k1, k2, x, y)


def _moved(homography: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h = homography
    depth = h[6] * x + h[7] * y + 1
    return (h[0] * x + h[1] * y + h[2]) / depth, (h[3] * x + h[4] * y + h[5]) / depth


def _reduced(
    pair: _Pair, found: np.ndarray, wide: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A pair's normal equations about the lens, its homography solved for.

    Errors are those of places in the picture: as the pinhole has them they would be least where
    the lens shrinks most, and pull it that way.

    Returns:
        Information (4,4) and pull (4) about the lens; the homography's own step (8), and how much
        it follows the lens's (8,4).
    """
    pair.weigh(found, wide)
    rest = pair.rest(found)
    lean = np.empty((*rest.shape, 12))
    for i in range(4):
        moved = found.copy()
        moved[i] += _STEP
        lean[..., i] = (pair.rest(moved) - rest) / _STEP
    flat = pair.homography
    for i in range(8):
        pair.homography = flat.copy()
        pair.homography[i] += _STEP
        lean[..., 4 + i] = (pair.rest(found) - rest) / _STEP
    pair.homography = flat
    scaled = lean * (pair.weight_N / (pair.noise**2 * _ALIKE))[:, None, None]
    normal = np.einsum("nai,naj->ij", scaled, lean)
    pull = np.einsum("nai,na->i", scaled, -rest)
    inverse = np.linalg.inv(normal[4:, 4:] + 1e-9 * np.trace(normal[4:, 4:]) * np.eye(8))
    follows = inverse @ normal[4:, :4]
    return (
        normal[:4, :4] - normal[:4, 4:] @ follows,
        pull[:4] - follows.T @ pull[4:],
        inverse @ pull[4:],
        follows,
    )

"""A lens's distortion from edges that should be straight and from points followed as it turns.

Here: the distortion that straightens the most edges (plumb lines: Brown 1971; Devernay and Faugeras
2001), the same beside what turns of the camera say, and how far to believe it. Not here: finding
edges (`edges.py`), what turns say by themselves (`turning.py`), charts with corners (`charts.py`).

Few sets hold enough straight edges to tell a lens to a pixel; a camera that pans tells it to half
of one. Edges are all there is where it stands.

Shapes: L lines, P points of each; 4 parameters k1, k2, centre x and y.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from footagefit.signature import turning
from footagefit.signature.coordinates import HD_HALF_PX
from footagefit.signature.distortion import Distortion
from footagefit.signature.tracks import Tracks
from footagefit.signature.turning import Turned

LEAST_LINES = 6
WORST_PX = 4.0  # a fit less certain than this at the corner of an HD frame says nothing
_K1_SPAN = np.linspace(-0.14, 0.14, 71)  # beyond, k1 alone folds the picture over


class _Known(NamedTuple):
    """What is known before edges are looked at: information, and what it pulls to from 0."""

    normal: np.ndarray
    pull: np.ndarray


class _Lines(NamedTuple):
    """Edges (L,P,2), how much each counts, its shot, the noise they are judged by, a first k1."""

    even: np.ndarray
    share: np.ndarray
    shot: np.ndarray
    noise: float
    alike: float
    k1: float = 0.0


def fit(
    lines: Sequence[np.ndarray], *, shots: Sequence[int] | None = None,
    tracks: Sequence[Tracks] = (), track_shots: Sequence[int] = (), squeeze: float = 1.0,
    centre: bool = True,
) -> Distortion | None:  # fmt: skip
    """The distortion that edges and turns agree on, or None where too few say anything.

    Args:
        lines: Points (N,2) along each edge, in lens coordinates.
        shots: Which shot each is from: with four and more, what they disagree by is the error; of
            fewer, twice what edges say. None of a chart, whose edges are straight.
        tracks: Points of pairs of frames of one shot.
        track_shots: Which shot each pair is from.
        squeeze: Of the frames.
        centre: Whether to look for the centre too, where it can be told.
    """
    turned = turning.fit(tracks, shots=track_shots, prior=_PRIOR) if tracks else None
    if turned is not None and _doubt(_known(turned)) * HD_HALF_PX > WORST_PX:
        turned = None
    if len(lines) < LEAST_LINES and turned is None:
        return None
    free = (0, 1, 2, 3) if centre else (0, 1)
    seen = _prepared(lines, shots, among=_AMONG if turned is not None else 1.0)
    if turned is None:
        found = _refined(seen, _known(None), np.array([seen.k1, 0.0, 0.0, 0.0]), (0, 1))[0]
    else:
        found = np.where(np.isin(np.arange(4), free), turned.at, 0.0)
    found, error, count = _refined(seen, _known(turned), found, free)
    together = np.union1d(seen.shot, [] if turned is None else turned.shot_S)
    if len(together) >= _LEAST_SHOTS:
        error = max(error, _apart(seen, turned, found, free, together))
    elif shots is not None:
        few = count / max(count - len(free), 1) if turned is None else 1.0
        error *= _ALONE * float(np.sqrt(few))
    error_px = error * HD_HALF_PX
    if not np.isfinite(error_px) or error_px > WORST_PX:
        return None
    if turned is None and (count < LEAST_LINES or _agree(seen, found) < _LEAST_AGREE):
        return None
    k1, k2, x, y = (float(v) for v in found)
    points = 0 if turned is None else turned.points
    return Distortion(k1, k2, x, y, squeeze, round(error_px, 3), count, points)


def _prepared(lines: Sequence[np.ndarray], shots: Sequence[int] | None, *, among: float) -> _Lines:
    """Edges to be straightened, long ones alone where these are enough, and what most vote for."""
    even = np.stack([_evenly(line) for line in lines]) if lines else np.zeros((0, _POINTS, 2))
    shot = np.zeros(len(even), int) if shots is None else np.array(shots, int)
    long = np.linalg.norm(even[:, -1] - even[:, 0], axis=1) > _LONG
    if long.sum() >= 4 * LEAST_LINES:
        even, shot = even[long], shot[long]
    if not len(even):
        return _Lines(even, np.zeros(0), shot, _NOISE[1], _ALIKE * among)
    bends = np.stack([_bend(even, np.array([k1, 0.0, 0.0, 0.0])) for k1 in _K1_SPAN])
    noise = float(np.clip(np.quantile(bends.min(0), 0.12), *_NOISE))
    share = _shares(even)
    votes = (np.minimum((bends / noise) ** 2, 2.0) * share).sum(1)
    k1 = float(_K1_SPAN[int(np.argmin(votes))])
    return _Lines(even, share, shot, noise, _ALIKE * among, k1)


def _known(turned: Turned | None, *, without: np.ndarray | None = None) -> _Known:
    """What is held beforehand, and what turns of the camera say, some shots left out.

    Points followed are off together, by where they are, the less it matters the further the camera
    turned: so much is taken off what they say.
    """
    normal, pull = np.diag(_PRIOR**-2.0), np.zeros(4)
    if turned is None:
        return _Known(normal, pull)
    kept = ~np.isin(turned.shot_S, [] if without is None else without)
    if not kept.any():
        return _Known(normal, pull)
    told = turned.normal_S44[kept].sum(0)
    weight = turned.normal_S44[kept, 0, 0]
    shared = _FOLLOWED * float((weight / turned.move_S[kept]).sum() / weight.sum())
    own = _doubt(_Known(told + normal, pull)) ** 2
    share = own / (own + shared**2)
    pull = share * (turned.pull_S4[kept].sum(0) + told @ turned.at)
    return _Known(normal + share * told, pull)


def _doubt(known: _Known) -> float:
    """The error in r at the corner, where dr is dk1 + dk2."""
    return float(np.sqrt(np.linalg.inv(known.normal)[:2, :2].sum()))


_POINTS = 24
_GAP = 5.0  # of the usual distance between neighbouring points
_MOST = np.array([0.3, 0.15, 0.1, 0.1])
_NOISE = (0.05 / HD_HALF_PX, 0.3 / HD_HALF_PX)
_SAME_PLACE = 0.03
_OTHER = 0.04  # in k1
_LEAST_AGREE = 3.5
_LONG = 0.2  # of the half-diagonal: what is shorter bends by itself more than by the lens
_LEAST_SHOTS = 4
_ALONE = 2.0  # edges of few shots err together, by how much cannot be told from these
_MOST_PARTS = 10  # that are left out in turn
_STEP = 1e-4
_ALIKE = 6.0  # neighbouring points of a line share their error: as many go for one
_AMONG = 4.0  # beside points followed, as many edges go for one: those of a set err together
_FOLLOWED = 0.09 / HD_HALF_PX  # what points followed are off together, over how far they went
_PRIOR = np.array([0.3, 0.06, 0.006, 0.006])  # how far from 0 parameters lie before a look


def _evenly(line: np.ndarray) -> np.ndarray:
    """A line as the means of even stretches of it: noise goes down, the bend stays.

    No stretch reaches over a gap, where a joined edge lacks points: its mean would lie on the chord
    and not on the edge, and every lens would seem to bend less than it does.
    """
    if len(line) < _POINTS:
        return line[np.linspace(0, len(line) - 1, _POINTS).round().astype(int)]
    cuts = np.linspace(0, len(line), _POINTS + 1).round().astype(int)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    for gap in np.flatnonzero(steps > _GAP * np.median(steps)) + 1:
        cuts[1 + int(np.argmin(np.abs(cuts[1:-1] - gap)))] = gap
    return np.add.reduceat(line, cuts[:-1]) / np.diff(cuts)[:, None]


def _straightened(lines_LP2: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    k1, k2, x, y = parameters
    lens = Distortion(float(k1), float(k2), float(x), float(y))
    return np.stack(lens.undistorted(lines_LP2[..., 0], lines_LP2[..., 1]), -1)


def _offsets(lines_LP2: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Distance (L,P) of each point from its own best straight line, after straightening."""
    plain = _straightened(lines_LP2, parameters)
    about = plain - plain.mean(1, keepdims=True)
    a, b, c = ((about[..., i] * about[..., j]).sum(1) for i, j in ((0, 0), (0, 1), (1, 1)))
    turn = 0.5 * np.arctan2(2 * b, a - c)
    return about[..., 1] * np.cos(turn)[:, None] - about[..., 0] * np.sin(turn)[:, None]


def _bend(lines_LP2: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return np.sqrt((_offsets(lines_LP2, parameters) ** 2).mean(1))


def _straight(off_LP: np.ndarray, noise: float) -> np.ndarray:
    return np.sqrt((off_LP**2).mean(1)) < 2.5 * noise


def _agree(seen: _Lines, found: np.ndarray) -> float:
    """How many edges are straight under the answer and bent under any quite other one."""
    straight = _straight(_offsets(seen.even, found), seen.noise)
    told = np.full(len(seen.even), np.inf)
    for step in (-_OTHER, _OTHER):
        other = found + np.array([step, 0.0, 0.0, 0.0])
        told = np.minimum(told, _bend(seen.even, other))
    return float(seen.share[straight & (told > 3.0 * seen.noise)].sum())


def _shares(lines_LP2: np.ndarray) -> np.ndarray:
    """Weights by which an edge that stands still in many frames counts but once."""
    ends = lines_LP2[:, [0, -1]].reshape(-1, 4)
    back = lines_LP2[:, [-1, 0]].reshape(-1, 4)
    near = np.zeros(len(ends))
    for i in range(len(ends)):
        apart = np.minimum(np.abs(ends - ends[i]).max(1), np.abs(back - ends[i]).max(1))
        near[i] = (apart < _SAME_PLACE).sum()
    return 1.0 / near


def _apart(
    seen: _Lines, turned: Turned | None, found: np.ndarray, free: tuple[int, ...],
    shots: np.ndarray,
) -> float:  # fmt: skip
    """The error in r at the corner by leaving out shots in turn (Tukey's jackknife).

    What passes for straight in a set is in all frames of it: edges of one shot err together.
    """
    told = []
    for part in range(min(len(shots), _MOST_PARTS)):
        out = shots[part::_MOST_PARTS]
        kept = ~np.isin(seen.shot, out)
        less = seen._replace(even=seen.even[kept], share=seen.share[kept])
        other = _refined(less, _known(turned, without=out), found, free, turns=5)[0]
        told.append(other[0] + other[1])
    return float(np.sqrt((len(told) - 1) * np.var(told)))


def _refined(
    seen: _Lines, known: _Known, start: np.ndarray, free: tuple[int, ...], *, turns: int = 14
) -> tuple[np.ndarray, float, int]:
    """Gauss and Newton, lines that stay bent counting less and less.

    Returns:
        The parameters; the error in r at the corner, by the scatter between lines, whose points
        share what is wrong with them; and how many lines were straight.
    """
    index, found = np.array(free), start.copy()
    lean = np.zeros((*seen.even.shape[:2], len(free)))
    weight, off, inverse = seen.share, _offsets(seen.even, found), np.eye(len(free))
    held = known.normal[np.ix_(index, index)]
    for turn in range(turns):
        off = _offsets(seen.even, found)
        wide = seen.noise * max(1.0, 2.5 - 0.3 * (turn + 14 - turns))
        weight = seen.share / (1 + (off**2).mean(1) / wide**2) ** 2
        for k, i in enumerate(index):
            moved = found.copy()
            moved[i] += _STEP
            lean[..., k] = (_offsets(seen.even, moved) - off) / _STEP
        scale = weight[:, None, None] / seen.noise**2 / seen.alike
        normal = np.einsum("lpi,lpj->ij", lean * scale, lean) + held
        pull = np.einsum("lpi,lp->i", lean * scale, -off)
        pull = pull + (known.pull - known.normal @ found)[index]
        inverse = np.linalg.inv(normal)
        found[index] = (found[index] + inverse @ pull).clip(-_MOST[index], _MOST[index])
    scale = (weight / seen.noise**2 / seen.alike)[:, None, None]
    push = np.einsum("lpi,lp->li", lean * scale, off)
    spread = inverse @ (push.T @ push * (seen.alike / _ALIKE) + held) @ inverse
    corner = np.isin(index, (0, 1)).astype(float)  # dr at r = 1 is dk1 + dk2
    error = float(np.sqrt(max(0.0, corner @ spread @ corner)))
    return found, error, int(_straight(off, seen.noise).sum())

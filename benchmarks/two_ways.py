"""Real grain against made grain: can a small classifier tell them apart?

Not a benchmark by itself; `signature.py` asks it. Both of a pair of patches hold the same picture:
where the clean frame is known, real is what was recorded and made is our grain on the clean frame,
and both lose that clean frame; where it is not, real is the frame itself and made is the frame with
its grain taken off and ours put on, and both lose their drift of light. White noise has the
variance of the very patch it stands for.

Features: log power in bands of the cosine transform of each channel, of both directions, and of
what channels do not share; neighbours' agreement; the tails; how power differs between the
quarters of a patch. Logistic regression on them and their squares, judged on frames it has not
seen.

Shapes: N patches, S a patch's side.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn, idctn

from footagefit.signature import coordinates
from footagefit.signature.grain import Grain

SIDE = 32
_DRIFT = 4  # u + v below this is the light's
_BANDS = 7
_LUMA = (0.25, 0.5, 0.25)


@dataclass
class Twins:
    """A frame as recorded and with our grain.

    Attributes:
        real_HWC: Recorded.
        made_HWC: The same picture, grain made anew.
        clean_HWC: Without grain, where that is known: both lose it.
        chooser_HWC: Where this is flat, seen soft, is looked at; all over where it is None.
    """

    real_HWC: np.ndarray
    made_HWC: np.ndarray
    clean_HWC: np.ndarray | None = None
    chooser_HWC: np.ndarray | None = None


@dataclass
class Told:
    """Shares of held-out patches told right, 0.5 by chance; and how many patches were judged."""

    white: float
    ours: float
    patches: int


def told(frames: Iterable[Twins], grain: Grain, *, seed: int = 0, most: int = 150) -> Told:
    """How well real is told from white noise, and from ours.

    Args:
        frames: None of which the grain was measured on.
        grain: What was measured: patches are looked at in its deviations.
        seed: Of the white noise.
        most: Patches of a frame.
    """
    rng = np.random.default_rng(seed)
    real, ours, white, frame = [], [], [], []
    for number, twins in enumerate(frames):
        at = _places(twins, most, rng)
        if not at:
            continue
        shown = _cuts(twins.real_HWC, at)
        known = twins.clean_HWC is not None
        clean = np.zeros_like(shown) if twins.clean_HWC is None else _cuts(twins.clean_HWC, at)
        level = (clean if known else shown).mean((2, 3))
        one, other = _no_drift(shown - clean), _no_drift(_cuts(twins.made_HWC, at) - clean)
        noise = _no_drift(rng.normal(0, 1, one.shape))
        noise *= one.std((2, 3), keepdims=True) / noise.std((2, 3), keepdims=True)
        for kept, rest in ((real, one), (ours, other), (white, noise)):
            kept.append(_features(rest, level, grain))
        frame += [number] * len(at)
    held = _held(np.array(frame))
    a, b, c = (np.concatenate(kept) for kept in (real, ours, white))
    return Told(_right(a, c, held), _right(a, b, held), 2 * int(held.sum()))


def _held(frame_N: np.ndarray) -> np.ndarray:
    """Every other frame is judged on."""
    return frame_N % 2 == 1


def _places(twins: Twins, most: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Places of patches, neither dark nor near the sensor's end; the flat ones where asked."""
    chooser = twins.real_HWC if twins.chooser_HWC is None else twins.chooser_HWC
    luma = coordinates.luma(chooser)
    top = float(luma.max())
    found = []
    for y in range(0, luma.shape[0] - SIDE + 1, SIDE):
        for x in range(0, luma.shape[1] - SIDE + 1, SIDE):
            patch = luma[y : y + SIDE, x : x + SIDE]
            level = float(patch.mean())
            if level > 0.01 and float(patch.max()) < 0.9 * top:
                rough = _soft(patch).std() / np.sqrt(level)
                found.append((rough if twins.chooser_HWC is not None else rng.random(), y, x))
    found.sort()
    share = 1.0 if twins.chooser_HWC is None else 0.25
    return [(y, x) for _, y, x in found[: min(most, int(share * len(found)))]]


def _soft(patch_SS: np.ndarray) -> np.ndarray:
    """A patch in cells of eight pixels: how flat it is, whatever its grain."""
    count = SIDE // 8
    return patch_SS.reshape(count, 8, count, 8).mean((1, 3))


def _cuts(frame_HWC: np.ndarray, at: list[tuple[int, int]]) -> np.ndarray:
    """Patches at places (N,C,S,S)."""
    cuts = [frame_HWC[y : y + SIDE, x : x + SIDE].transpose(2, 0, 1) for y, x in at]
    return np.stack(cuts).astype(np.float64)


def _no_drift(patches_NCSS: np.ndarray) -> np.ndarray:
    terms = np.array(dctn(patches_NCSS, axes=(2, 3), norm="ortho"))
    v, u = np.mgrid[0:SIDE, 0:SIDE]
    terms[..., u + v < _DRIFT] = 0
    return np.asarray(idctn(terms, axes=(2, 3), norm="ortho"))


def _features(rest_NCSS: np.ndarray, level_NC: np.ndarray, grain: Grain) -> np.ndarray:
    """What is told of each patch (N,F)."""
    expected = np.stack([grain.at(level_NC[:, c], c) for c in range(3)], 1)
    scaled = rest_NCSS / np.maximum(expected, 1e-9)[..., None, None]
    luma = np.einsum("c,ncyx->nyx", np.array(_LUMA), scaled)
    apart = np.stack([scaled[:, 0] - scaled[:, 1], scaled[:, 2] - scaled[:, 1]], 1)
    unit = luma / np.maximum(luma.std((1, 2), keepdims=True), 1e-9)
    return np.concatenate([
        *(_bands(scaled[:, c]) for c in range(3)),
        np.log((apart**2).mean((2, 3)) + 1e-3),
        _ways(luma), _lags(unit), _tails(unit), *(_pieces(unit, side) for side in (8, 16)),
    ], 1)  # fmt: skip


def _bands(plane_NSS: np.ndarray) -> np.ndarray:
    """Log power in rings of frequency."""
    radius = np.hypot(*np.mgrid[0:SIDE, 0:SIDE])
    edges = np.linspace(_DRIFT, SIDE * 1.2, _BANDS + 1)
    return _powers(plane_NSS, [(radius >= a) & (radius < b) for a, b in itertools.pairwise(edges)])


def _ways(plane_NSS: np.ndarray) -> np.ndarray:
    """Log power of what runs across, down, and both ways."""
    v, u = np.mgrid[0:SIDE, 0:SIDE]
    fields = ((u > 2 * v) & (u >= _DRIFT), (v > 2 * u) & (v >= _DRIFT), (u > 12) & (v > 12))
    return _powers(plane_NSS, fields)


def _powers(plane_NSS: np.ndarray, fields: Sequence[np.ndarray]) -> np.ndarray:
    power = np.asarray(dctn(plane_NSS, axes=(1, 2), norm="ortho")) ** 2
    return np.stack([np.log(power[:, field].mean(1) + 1e-4) for field in fields], 1)


def _lags(unit_NSS: np.ndarray) -> np.ndarray:
    """How neighbours agree."""
    steps = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (0, 3), (3, 0))
    return np.stack([
        (unit_NSS[:, dy:, dx:] * unit_NSS[:, : SIDE - dy, : SIDE - dx]).mean((1, 2))
        for dy, dx in steps
    ], 1)  # fmt: skip


def _tails(unit_NSS: np.ndarray) -> np.ndarray:
    third, fourth = (unit_NSS**3).mean((1, 2)), np.log((unit_NSS**4).mean((1, 2)) + 1e-9)
    return np.stack([third, fourth, np.abs(unit_NSS).mean((1, 2))], 1)


def _pieces(unit_NSS: np.ndarray, side: int) -> np.ndarray:
    """How power differs between the pieces of a patch, and in the weakest of them."""
    count = SIDE // side
    power = (unit_NSS.reshape(-1, count, side, count, side) ** 2).mean((2, 4))
    logs = np.log(power + 1e-3).reshape(len(unit_NSS), -1)
    return np.stack([logs.std(1), logs.min(1)], 1)


def _right(one_NF: np.ndarray, other_NF: np.ndarray, held_N: np.ndarray) -> float:
    """Share told right by logistic regression, on the patches it was not taught."""
    both = np.concatenate([one_NF, other_NF])
    label = np.concatenate([np.ones(len(one_NF)), np.zeros(len(other_NF))])
    held = np.tile(held_N, 2)
    mean, spread = both[~held].mean(0), both[~held].std(0) + 1e-9
    plain = np.clip((both - mean) / spread, -5, 5)
    x = np.concatenate([plain, plain**2 - 1, np.ones((len(both), 1))], 1)
    weight = np.zeros(x.shape[1])
    ridge = 2.0 * np.eye(len(weight))
    for _ in range(30):  # Newton's steps
        chance = 1 / (1 + np.exp(-np.clip(x[~held] @ weight, -30, 30)))
        slope = x[~held].T @ (label[~held] - chance) - ridge @ weight
        bend = (x[~held] * (chance * (1 - chance))[:, None]).T @ x[~held]
        weight = weight + np.linalg.solve(bend + ridge, slope)
    return float((((x @ weight) > 0) == (label > 0.5))[held].mean())

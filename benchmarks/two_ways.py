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
from collections.abc import Iterable
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
        for y, x in _places(twins, most, rng):
            cut = np.s_[y : y + SIDE, x : x + SIDE]
            one, other = (_rest(v, twins.clean_HWC, cut) for v in (twins.real_HWC, twins.made_HWC))
            level = (twins.clean_HWC if twins.clean_HWC is not None else twins.real_HWC)[cut]
            level = level.mean((0, 1), dtype=np.float64)
            noise = _no_drift(rng.normal(0, 1, one.shape))
            noise *= one.std((0, 1)) / noise.std((0, 1))
            for kept, rest in ((real, one), (ours, other), (white, noise)):
                kept.append(_features(rest, level, grain))
            frame.append(number)
    held = _held(np.array(frame))
    a, b, c = (np.stack(kept) for kept in (real, ours, white))
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


def _rest(
    frame_HWC: np.ndarray, clean_HWC: np.ndarray | None, cut: tuple[slice, ...]
) -> np.ndarray:
    patch = frame_HWC[cut].astype(np.float64)
    return _no_drift(patch if clean_HWC is None else patch - clean_HWC[cut])


def _no_drift(patch_SSC: np.ndarray) -> np.ndarray:
    terms = dctn(patch_SSC, axes=(0, 1), norm="ortho")
    u, v = np.mgrid[0:SIDE, 0:SIDE]
    terms[u + v < _DRIFT] = 0
    return idctn(terms, axes=(0, 1), norm="ortho")


def _features(rest_SSC: np.ndarray, level_C: np.ndarray, grain: Grain) -> np.ndarray:
    expected = np.array([float(grain.at(level_C[c], c)) for c in range(3)])
    scaled = rest_SSC / np.maximum(expected, 1e-9)
    luma = scaled @ np.array(_LUMA)
    apart = [scaled[..., 0] - scaled[..., 1], scaled[..., 2] - scaled[..., 1]]
    unit = luma / max(float(luma.std()), 1e-9)
    return np.array([
        *(f for c in range(3) for f in _bands(scaled[..., c])),
        *(np.log((p**2).mean() + 1e-3) for p in apart),
        *_ways(luma), *_lags(unit), (unit**3).mean(), np.log((unit**4).mean()),
        np.abs(unit).mean(), *_quarters(unit),
    ])  # fmt: skip


def _bands(plane_SS: np.ndarray) -> list[float]:
    """Log power in rings of frequency."""
    power = dctn(plane_SS, norm="ortho") ** 2
    radius = np.hypot(*np.mgrid[0:SIDE, 0:SIDE])
    edges = np.linspace(_DRIFT, SIDE * 1.2, _BANDS + 1)
    rings = [(radius >= a) & (radius < b) for a, b in itertools.pairwise(edges)]
    return [float(np.log(power[ring].mean() + 1e-4)) for ring in rings]


def _ways(plane_SS: np.ndarray) -> list[float]:
    """Log power of what runs across, down, and both ways."""
    power = dctn(plane_SS, norm="ortho") ** 2
    v, u = np.mgrid[0:SIDE, 0:SIDE]
    fields = ((u > 2 * v) & (u >= _DRIFT), (v > 2 * u) & (v >= _DRIFT), (u > 12) & (v > 12))
    return [float(np.log(power[field].mean() + 1e-4)) for field in fields]


def _lags(unit: np.ndarray) -> list[float]:
    return [
        float((unit[dy:, dx:] * unit[: SIDE - dy, : SIDE - dx]).mean())
        for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (0, 3), (3, 0))
    ]


def _quarters(unit: np.ndarray) -> list[float]:
    """How power differs between pieces of 8 and of 16 pixels."""
    made = []
    for side in (8, 16):
        count = SIDE // side
        power = (unit.reshape(count, side, count, side) ** 2).mean((1, 3))
        logs = np.log(power + 1e-3)
        made += [float(logs.std()), float(logs.min())]
    return made


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

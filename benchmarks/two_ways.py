"""Real grain against made grain: can a small classifier tell them apart?

Not a benchmark by itself; `signature.py` asks it. Patches are chosen as flat in one frame and
taken from the next, so that choosing does not shape the grain. Each loses its drift of light; the
made one stands on the same drift. Features: log power in bands of the cosine transform, the tails,
neighbours' agreement. Logistic regression, judged on patches it has not seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import dctn, idctn

from footagefit.signature import coordinates
from footagefit.signature.grain import Grain
from footagefit.signature.grain_synthesis import Synthesis

SIDE = 32
_DRIFT = 4  # u + v below this is the light's
_BANDS = 9


def odds(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], grain: Grain, *, seed: int = 0
) -> tuple[float, float]:
    """Share of held-out patches told right: real from white noise, real from ours.

    Args:
        pairs: Frames (H,W,3), each with the one after it, none of which the grain was measured on.
        grain: What was measured.
        seed: Of the made grain and the split.
    """
    real, ours, white = [], [], []
    made = Synthesis(grain, seed=seed)
    rng = np.random.default_rng(seed)
    for number, (chooser, frame) in enumerate(pairs):
        for y, x in _flat(chooser):
            patch = frame[y : y + SIDE, x : x + SIDE].astype(np.float64)
            drift = _drift(patch)
            clean = torch.from_numpy(drift.astype(np.float32)).permute(2, 0, 1).contiguous()
            twin = made.apply(clean, number=1000 * number + int(rng.integers(10**6)))
            twin_HWC = twin.permute(1, 2, 0).numpy().astype(np.float64)
            rest = (patch - drift)[..., 1]
            real.append(_features(rest, grain, drift))
            ours.append(_features((twin_HWC - _drift(twin_HWC))[..., 1], grain, drift))
            noise = rng.normal(0, rest.std(), (SIDE, SIDE, 1)) + drift[..., 1:2]
            white.append(_features((noise - _drift(noise))[..., 0], grain, drift))
    told_white = _told(np.stack(real), np.stack(white), rng)
    return told_white, _told(np.stack(real), np.stack(ours), rng)


def _flat(frame_HWC: np.ndarray, *, share: float = 0.08, most: int = 120) -> list[tuple[int, int]]:
    """Places of the patches with the least detail, neither dark nor burnt out."""
    luma = coordinates.luma(frame_HWC)
    found = []
    for y in range(0, luma.shape[0] - SIDE + 1, SIDE):
        for x in range(0, luma.shape[1] - SIDE + 1, SIDE):
            patch = luma[y : y + SIDE, x : x + SIDE]
            level = float(patch.mean())
            if 0.02 < level < 0.7 * float(luma.max()):
                rough = (patch - _drift(patch[..., None])[..., 0]).std() / np.sqrt(level)
                found.append((rough, y, x))
    found.sort()
    return [(y, x) for _, y, x in found[: min(most, int(share * len(found)))]]


def _drift(patch_HWC: np.ndarray) -> np.ndarray:
    terms = dctn(patch_HWC, axes=(0, 1), norm="ortho")
    u, v = np.mgrid[0:SIDE, 0:SIDE]
    terms[u + v >= _DRIFT] = 0
    return idctn(terms, axes=(0, 1), norm="ortho")


def _features(rest_HW: np.ndarray, grain: Grain, drift_HWC: np.ndarray) -> np.ndarray:
    expected = float(grain.at(drift_HWC[..., 1].mean(), 1))
    scaled = rest_HW / max(expected, 1e-9)
    power = dctn(scaled, norm="ortho") ** 2
    u, v = np.mgrid[0:SIDE, 0:SIDE]
    radius = np.hypot(u, v)
    edges = np.linspace(_DRIFT, SIDE * 1.2, _BANDS + 1)
    bands = [
        np.log(power[(radius >= a) & (radius < b)].mean() + 1e-6)
        for a, b in itertools.pairwise(edges)
    ]
    unit = scaled / max(scaled.std(), 1e-9)
    lags = [(unit[:, 1:] * unit[:, :-1]).mean(), (unit[1:] * unit[:-1]).mean(),
            (unit[:, 2:] * unit[:, :-2]).mean(), (unit[2:] * unit[:-2]).mean()]  # fmt: skip
    return np.array([*bands, *lags, (unit**3).mean(), (unit**4).mean(), np.abs(unit).mean()])


def _told(one: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> float:
    """Share told right by logistic regression, on the half it was not taught."""
    both = np.concatenate([one, other])
    label = np.concatenate([np.ones(len(one)), np.zeros(len(other))])
    order = np.concatenate([rng.permutation(len(one))] * 2)  # twins stay on one side
    taught = np.tile(order < len(one) // 2, 1)
    mean, spread = both[taught].mean(0), both[taught].std(0) + 1e-9
    x = np.concatenate([(both - mean) / spread, np.ones((len(both), 1))], 1)
    weight = np.zeros(x.shape[1])
    for _ in range(30):  # Newton's steps, a little ridge
        chance = 1 / (1 + np.exp(-np.clip(x[taught] @ weight, -30, 30)))
        slope = x[taught].T @ (label[taught] - chance) - 0.5 * weight
        bend = (x[taught] * (chance * (1 - chance))[:, None]).T @ x[taught]
        weight = weight + np.linalg.solve(bend + 0.5 * np.eye(len(weight)), slope)
    return float((((x @ weight) > 0) == (label > 0.5))[~taught].mean())

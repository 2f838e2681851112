"""Grade: where a set-up's colours lie in log light, how they spread, how its tones run.

Here: the statistics, a grade brought onto another (mean and spread: Pitie and Kokaram 2007), and
how far two lie apart in photographic units. Not here: local matching, which is the models'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from footagefit.footage.white import SHOW_WHITE_K, light_rgb
from footagefit.signature import coordinates

SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
GREY_STOPS = float(np.log2(0.18))
TOE = 2.0**-9
_LONG_PX = 64


@dataclass(frozen=True)
class Grade:
    """Colours of a set-up or show, in stops about 18% grey.

    Attributes:
        mean: By channel.
        covariance: 3 x 3, stops squared.
        tones: Stops of luminance at `SHARES` of the pixels: the tone curve.
        frames: How many frames it was read from.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    tones: tuple[float, ...]
    frames: int = 0

    @property
    def exposure_ev(self) -> float:
        """Mean stops of green about grey."""
        return self.mean[1]

    @property
    def contrast_ev(self) -> float:
        """Stops between the tenth and the ninetieth percentile."""
        return self.tones[SHARES.index(0.9)] - self.tones[SHARES.index(0.1)]

    @property
    def saturation_ev(self) -> float:
        """Spread of colour about grey, in stops."""
        c = np.array(self.covariance)
        apart = np.array([[1, -1, 0], [0, -1, 1]])
        return float(np.sqrt(np.trace(apart @ c @ apart.T) / 2))

    def white(self, *, white_k: float = SHOW_WHITE_K) -> tuple[float, float]:
        """Mired and Duv of the mean colour: what the camera saw, light and things together."""
        return mired_of(2.0 ** np.array(self.mean), white_k=white_k)


@dataclass(frozen=True)
class Apart:
    """One grade less another, in the units a gaffer and a colourist use.

    Attributes:
        exposure_ev: Stops brighter.
        white_mired: Warmer where above 0.
        tint_duv: Greener where above 0.
        contrast: Ratio of the tones' spread: 1 is the same.
        saturation: Ratio of the colours' spread.
        tone_ev: RMS stops between the tone curves once exposure is taken out.
    """

    exposure_ev: float
    white_mired: float
    tint_duv: float
    contrast: float
    saturation: float
    tone_ev: float


def sampled(frame_HWC: np.ndarray) -> np.ndarray:
    """A frame's colours (N,3): light averaged over small areas."""
    import cv2

    height, width = frame_HWC.shape[:2]
    scale = min(1.0, _LONG_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA).reshape(-1, 3)


def fit(samples: Sequence[np.ndarray]) -> Grade | None:
    """The grade of frames, from what `sampled` took of each."""
    if not samples:
        return None
    light = np.concatenate(samples)
    light = light[np.isfinite(light).all(1)]
    if len(light) < 64:
        return None
    stops = coordinates.stops(light, toe=TOE) - GREY_STOPS
    tones = np.quantile(coordinates.stops(coordinates.luma(light), toe=TOE) - GREY_STOPS, SHARES)
    return Grade(
        tuple(float(v) for v in stops.mean(0)),
        tuple(tuple(float(v) for v in row) for row in np.cov(stops.T)),
        tuple(float(v) for v in tones),
        len(samples),
    )


def apart(one: Grade, other: Grade, *, white_k: float = SHOW_WHITE_K) -> Apart:
    """How `one` differs from `other`."""
    ratio = 2.0 ** (np.array(one.mean) - np.array(other.mean))
    neutral = np.array(light_rgb(white_k, white_k=white_k))
    mired, duv = mired_of(ratio * neutral, white_k=white_k)
    exposure = one.mean[1] - other.mean[1]
    tones = np.array(one.tones) - np.array(other.tones) - exposure
    return Apart(
        exposure, mired - 1e6 / white_k, duv,
        max(one.contrast_ev, 1e-3) / max(other.contrast_ev, 1e-3),
        max(one.saturation_ev, 1e-3) / max(other.saturation_ev, 1e-3),
        float(np.sqrt((tones**2).mean())),
    )  # fmt: skip


def mired_of(rgb: np.ndarray, *, white_k: float = SHOW_WHITE_K) -> tuple[float, float]:
    """Mired and Duv of a light's colour, brightness apart, by Newton's method on the locus."""
    wanted = np.log(np.maximum(rgb, 1e-6)[[0, 2]] / max(float(rgb[1]), 1e-6))

    def ratio(mired: float, duv: float) -> np.ndarray:
        made = np.array(light_rgb(1e6 / mired, duv, white_k))
        return np.log(np.maximum(made[[0, 2]], 1e-6) / max(float(made[1]), 1e-6))

    mired, duv = 1e6 / white_k, 0.0
    for _ in range(20):
        here = ratio(mired, duv)
        lean = np.stack([ratio(mired + 1, duv) - here, (ratio(mired, duv + 1e-3) - here) * 1e3], 1)
        step = np.linalg.solve(lean + 1e-9 * np.eye(2), wanted - here)
        mired = float(np.clip(mired + np.clip(step[0], -60, 60), 68, 700))
        duv = float(np.clip(duv + np.clip(step[1], -0.02, 0.02), -0.08, 0.08))
    return round(mired, 3), round(duv, 6)


def apply(frame_CHW: Tensor, *, onto: Grade, own: Grade) -> Tensor:
    """A frame of one grade brought to another's mean and spread (Monge-Kantorovich, in log)."""
    matrix = _transport(np.array(own.covariance), np.array(onto.covariance))
    turn = torch.from_numpy(matrix).to(frame_CHW)
    there = torch.tensor(onto.mean).to(frame_CHW).view(3, 1) + GREY_STOPS
    here = torch.tensor(own.mean).to(frame_CHW).view(3, 1) + GREY_STOPS
    seen = torch.log2(frame_CHW.clamp_min(0) + TOE).flatten(1)
    made = torch.exp2(turn @ (seen - here) + there) - TOE
    return made.view(frame_CHW.shape)


def _transport(own: np.ndarray, onto: np.ndarray) -> np.ndarray:
    def root(m: np.ndarray, power: float) -> np.ndarray:
        value, way = np.linalg.eigh(m + 1e-6 * np.eye(3))
        return (way * value.clip(1e-8) ** power) @ way.T

    half, back = root(own, 0.5), root(own, -0.5)
    return back @ root(half @ onto @ half, 0.5) @ back

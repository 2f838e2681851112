"""Pictures with known truth: straight edges, smooth scenes, flat steps of light."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from hypothesis import Phase
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from footagefit.signature.coordinates import HD_HALF_PX
from footagefit.signature.distortion import Distortion
from footagefit.signature.grain import Grain
from footagefit.signature.grain_patches import BLOCK_PX
from footagefit.signature.tracks import Tracks

SIZE = (270, 480)
LEVELS = tuple((2.0 ** np.arange(-8.0, 4.1, 0.5)).tolist())  # of light, that a grain is told at
NO_SHRINK = (Phase.explicit, Phase.generate)  # pictures are dear: the first that fails will do
bent_lenses = st.builds(
    Distortion,
    k1=st.floats(-0.09, 0.06), k2=st.floats(-0.01, 0.015),
    centre_x=st.floats(-0.004, 0.004), centre_y=st.floats(-0.004, 0.004),
)  # fmt: skip


def corner_px(lens: Distortion) -> float:
    """How far the lens moves the corner of an HD frame."""
    return (lens.k1 + lens.k2) * HD_HALF_PX


def turned(
    lens: Distortion, *, seed: int, by: float = 0.2, shots: int = 5
) -> tuple[list[Tracks], list[int]]:
    """Points that a panning camera sees twice, with noise, and a fifth of them strays."""
    rng = np.random.default_rng(seed)
    pairs, of = [], []
    for shot in range(shots):
        turn = by * np.array([np.cos(shot), 0.3 * np.sin(shot)])
        for _ in range(2):
            flat = np.eye(3) + rng.normal(0, 0.01, (3, 3))
            flat[:2, 2] = turn
            seen = rng.uniform(-0.85, 0.85, (400, 2)) * [1, 0.56]
            far = np.stack([*lens.undistorted(*seen.T), np.ones(400)], 1) @ flat.T
            other = np.stack(lens.distorted(*(far[:, :2] / far[:, 2:]).T), 1)
            other += rng.normal(0, 0.1 / HD_HALF_PX, other.shape)
            other[:80] += rng.normal(0, 0.05, (80, 2))
            pairs.append(Tracks(seen, other))
            of.append(shot)
    return pairs, of


def smooth(seed: int = 0, size: tuple[int, int] = SIZE, cells: tuple[int, int] = (6, 9)) -> Tensor:
    """A smooth scene (3,H,W), light from 0.02 to about 1."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, *cells, generator=rng) ** 2
    made = F.interpolate(coarse, size=size, mode="bicubic", align_corners=False)[0]
    return made.clamp_min(0.0) * 0.9 + 0.05


@lru_cache(maxsize=8)
def tiles(size: tuple[int, int] = SIZE, seed: int = 0, cell_px: float = 46.0, over: int = 3,
          turn: float = 0.12) -> Tensor:  # fmt: skip
    """Straight-edged grey tiles (3,H,W), drawn finer and averaged: edges lie where they should."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0] * over, 0 : size[1] * over] / over
    u = (x * np.cos(turn) + y * np.sin(turn)) / cell_px
    v = (y * np.cos(turn) - x * np.sin(turn)) / cell_px
    level = np.where((np.floor(u) + np.floor(v)) % 2 == 0, 0.06, 0.4)
    tint = 1 + 0.1 * rng.random(3)
    light = level.reshape(size[0], over, size[1], over).mean((1, 3))
    return torch.from_numpy((light[None] * tint[:, None, None]).astype(np.float32))


def steps(size: tuple[int, int] = (256, 384)) -> Tensor:
    """Flat bars of light from 0.02 to 1.3, with a gentle drift in each."""
    level = 2.0 ** torch.linspace(-5.5, 0.4, 12)
    bar = level.repeat_interleave(size[1] // 12)
    drift = 1 + 0.05 * torch.linspace(-1, 1, size[0])
    return (bar[None] * drift[:, None]).expand(3, *size).contiguous()


def grain(*, strength: float = 0.03, size_px: float = 0.7, shared: float = 0.4) -> Grain:
    """A grain of shot noise over a floor with a Gaussian spectrum."""
    levels = 2.0 ** np.arange(-8.0, 4.1, 0.5)
    deviation = np.sqrt(strength**2 * 0.18 * levels + 0.0005**2)
    angle = np.pi * np.arange(BLOCK_PX) / BLOCK_PX
    power = np.exp(-((size_px * angle) ** 2)) + 0.02
    plane = power[:, None] * power[None]
    plane = plane / plane.mean()
    mixed = np.full((3, 3), shared) + (1 - shared) * np.eye(3)
    return Grain(
        tuple(levels.tolist()),
        tuple(tuple(deviation.tolist()) for _ in range(3)),
        tuple(tuple(tuple(row) for row in plane.tolist()) for _ in range(3)),
        tuple(tuple(row) for row in mixed.tolist()),
    )


def array(frame_CHW: Tensor) -> np.ndarray:
    """(H,W,3)."""
    return np.ascontiguousarray(frame_CHW.permute(1, 2, 0).numpy())


def shot_noise(share: float = 0.05) -> Grain:
    """A grain that grows with the root of light, soft, a part of it in all channels."""
    deviation = tuple((share * np.sqrt(0.18 * np.array(LEVELS))).tolist())
    u = np.arange(BLOCK_PX)[:, None] ** 2 + np.arange(BLOCK_PX)[None] ** 2
    power = np.exp(-u / 200.0)
    spectrum = tuple(tuple(float(v) for v in row) for row in power / power.mean())
    shared = ((1.0, 0.4, 0.4), (0.4, 1.0, 0.4), (0.4, 0.4, 1.0))
    return Grain(LEVELS, (deviation,) * 3, (spectrum,) * 3, shared)

"""Grain made anew: no frame of it was ever recorded, and none is like another.

Here: fields of grain with a measured spectrum, strength by light, shared channels; on clean pixels
and, where the seed is known, off again. Not here: measuring (`grain.py`), grain of unknown seed
(`grain_removal.py`).

Two tiles of different length are laid over the frame from places drawn by (seed, frame) and added:
together they repeat only after millions of pixels. That costs a fraction of drawing and filtering
every pixel. Uneven grain has one tile, its blocks on the frame's: sums are more even than parts.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from footagefit.signature import grain_spectrum
from footagefit.signature.grain import Grain
from footagefit.signature.grain_patches import BLOCK_PX
from footagefit.signature.grain_uneven import amplitudes, bands

TILES_PX = (1024, 1151)
UNEVEN_PX = 1024
_SHIFT = 15  # bits of a float that the table of deviations leaves out
_TOP = 2.0**12  # light at its end
_BAND_ROWS = 64
_STEPS = 8


class Synthesis:
    """Grain for the frames of a shot.

    Args:
        grain: What to make.
        seed: Another seed gives other grain.
    """

    def __init__(self, grain: Grain, *, seed: int = 0) -> None:
        self.grain, self.seed = grain, seed
        self._sides = TILES_PX if grain.uneven is None else (UNEVEN_PX,)
        self._wide: list[Tensor] = []
        self._table = _table(grain)

    def apply(self, frame_CHW: Tensor, *, number: int, corner: tuple[int, int] = (0, 0)) -> Tensor:
        """Grain on a clean frame, or on a part of one as if it were put on all of it.

        Args:
            frame_CHW: Scene-linear ACEScg without grain.
            number: The frame's number: the same one gets the same grain.
            corner: The part's first row and column in the frame.
        """
        out = torch.empty_like(frame_CHW, dtype=torch.float32)
        for rows, noise in self._bands(frame_CHW, number, corner):
            part = frame_CHW[:, rows]
            torch.addcmul(part.float(), noise, self.deviation(part), out=out[:, rows])
        return out

    def remove(self, frame_CHW: Tensor, *, number: int) -> Tensor:
        """The clean frame again, of one that this seed's grain was put on."""
        out = frame_CHW.clone()
        for rows, noise in self._bands(frame_CHW, number):
            part = frame_CHW[:, rows]
            clean = part
            for _ in range(_STEPS):  # deviation moves slowly with light: each step contracts
                clean = part - noise * self.deviation(clean)
            out[:, rows] = clean
        return out

    def field(self, size: tuple[int, int], *, number: int) -> Tensor:
        """Grain of deviation 1 (3,H,W)."""
        out = torch.empty(3, *size)
        for rows, noise in self._bands(out, number):
            out[:, rows] = noise
        return out

    def deviation(self, light_CHW: Tensor) -> Tensor:
        """Standard deviation at every pixel, from its own channel's light."""
        code = light_CHW.to(torch.float32).clamp_min(0.0).view(torch.int32) >> _SHIFT
        code.bitwise_and_(2 ** (31 - _SHIFT) - 1)  # a zero may have a sign
        out = torch.empty(light_CHW.shape)
        for table, which, plane in zip(self._table, code, out, strict=True):
            torch.index_select(table, 0, which.flatten(), out=plane.view(-1))
        return out

    def _bands(self, frame_CHW: Tensor, number: int, corner: tuple[int, int] = (0, 0)):
        """Bands of rows that stay in the caches, and the grain of each."""
        height, width = int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1])
        first, start = corner
        if not self._wide or self._wide[0].shape[2] < start + width + self._sides[0]:
            tiles = [_tile(self.grain, side, self.seed + 7919 * side) for side in self._sides]
            share = len(tiles) ** -0.5
            self._wide = [_repeated(tile, start + width).mul_(share) for tile in tiles]
        drawn = hashlib.blake2b(f"{self.seed} {number}".encode(), digest_size=16).digest()
        step = 1 if self.grain.uneven is None else BLOCK_PX
        places = [int.from_bytes(drawn[i : i + 4], "little") * step for i in range(0, 16, 4)]
        top = 0
        while top < height:
            rows = min(_BAND_ROWS, height - top)
            starts = [(first + top + places[2 * i]) % side for i, side in enumerate(self._sides)]
            rows = min(rows, *(side - s for side, s in zip(self._sides, starts, strict=True)))
            parts = []
            for i, (wide, side) in enumerate(zip(self._wide, self._sides, strict=True)):
                left = start + places[2 * i + 1] % side
                parts.append(wide[:, starts[i] : starts[i] + rows, left : left + width])
            noise = parts[0] if len(parts) == 1 else torch.add(*parts)
            yield slice(top, top + rows), noise
            top += rows


def _repeated(tile_CHW: Tensor, width: int) -> Tensor:
    """A tile as wide as any place on it needs."""
    side = tile_CHW.shape[2]
    return tile_CHW.repeat(1, 1, -(-width // side) + 1)


def _table(grain: Grain) -> Tensor:
    """Deviations by the leading bits of a float of light, 256 to a stop (3,K)."""
    bits = (np.arange(2**31 >> _SHIFT, dtype=np.uint32) << _SHIFT) + (1 << (_SHIFT - 1))
    light = bits.view(np.float32)
    light = np.where(light < _TOP, light, _TOP).astype(np.float64)  # nan and infinity end there
    return torch.from_numpy(np.stack([grain.at(light, c) for c in range(3)]).astype(np.float32))


@lru_cache(maxsize=8)
def _tile(grain: Grain, side: int, seed: int) -> Tensor:
    """A field (3,side,side) of the measured spectrum and shared channels that joins itself."""
    rng = np.random.Generator(np.random.Philox(seed))
    white = rng.standard_normal((3, side, side), dtype=np.float32)
    mix = _root(np.array(grain.channels))
    mixed = np.einsum("ab,bhw->ahw", mix.astype(np.float32), white)
    made = []
    parts = _parts(grain, side, rng)
    for channel in range(3):
        waves = np.fft.rfft2(mixed[channel]) * np.sqrt(power_at(grain, channel, side))
        plane = sum(
            amplitude * np.fft.irfft2(waves * passed, s=(side, side)) for passed, amplitude in parts
        )
        made.append(plane / np.std(plane))
    return torch.from_numpy(np.stack(made).astype(np.float32))


def _parts(grain: Grain, side: int, rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """Bands of frequency, each with its amplitude over the field; of even grain one."""
    if grain.uneven is None:
        return [(1.0, 1.0)]
    count = side // BLOCK_PX
    cells = amplitudes(grain.uneven, (count, count), rng)
    down, across = np.abs(np.fft.fftfreq(side))[:, None], np.fft.rfftfreq(side)[None]
    band = bands(2 * down, 2 * across)
    block = np.ones((BLOCK_PX, BLOCK_PX))
    return [(band == b, np.kron(cells[b], block)) for b in range(len(cells))]


def _root(correlation: np.ndarray) -> np.ndarray:
    value, way = np.linalg.eigh(0.5 * (correlation + correlation.T))
    return (way * np.sqrt(value.clip(0))) @ way.T


def power_at(grain: Grain, channel: int, side: int) -> np.ndarray:
    """The spectrum at the frequencies of a real FFT of a square field."""
    from scipy.interpolate import RectBivariateSpline

    log = np.log(grain_spectrum.of_field(np.array(grain.spectrum[channel])))
    top = len(log) - 1
    spline = RectBivariateSpline(np.arange(top + 1), np.arange(top + 1), log, kx=2, ky=2)
    down, across = 2 * top * np.abs(np.fft.fftfreq(side)), 2 * top * np.fft.rfftfreq(side)
    order = np.argsort(down, kind="stable")
    made = np.empty((side, len(across)))
    made[order] = np.exp(spline(down[order], across))
    return made

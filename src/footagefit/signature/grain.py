"""Grain: how strong at which light, how coarse, how much the channels share.

Here: the record, and its measure from flat patches of frames. Not here: making grain
(`grain_synthesis.py`), taking it off (`grain_removal.py`), exchange (`grain_table.py`).

Patches are looked at as cosine transforms (DCT-II, orthonormal): light that only drifts lives in
the lowest few terms, grain in all of them. A patch is chosen as flat by one half of its terms and
measured by the other, so that choosing the calmest does not make the grain look finer than it is.

Shapes: N patches, C channels, K levels, u and v cosine terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLOCK_PX = 16
LEVELS = 2.0 ** np.arange(-10.0, 4.51, 0.5)  # scene-linear, half a stop apart
_LOW_TERMS = 3  # u + v below this may hold the light's drift
_CALM_SHARE = 0.3  # of the patches of a level, the calmest
_MOST_BLOCKS = 300  # of a frame, spread over its levels
_LEAST_BLOCKS = 24  # of a level
_LEAST_POWER = 0.05  # of the mean term
_CHI_MEDIAN = 0.4549  # median of a squared normal variable


@dataclass(frozen=True)
class Grain:
    """What grain measures as, in scene-linear ACEScg.

    Attributes:
        levels: Light levels of a channel at which it was measured, ascending.
        deviation: Standard deviation at each level, by channel (3 x K).
        spectrum: Power by cosine term (3 x 16 x 16), mean 1: rows go with y.
        channels: Correlation between channels (3 x 3).
        temporal: Correlation of a patch with the same patch a frame on: 0 for true grain.
        error: Standard error of the deviations, as a share.
        patches: How many it was measured on.
    """

    levels: tuple[float, ...]
    deviation: tuple[tuple[float, ...], ...]
    spectrum: tuple[tuple[tuple[float, ...], ...], ...]
    channels: tuple[tuple[float, ...], ...]
    temporal: float | None = None
    error: float | None = None
    patches: int = 0

    def at(self, light: np.ndarray, channel: int) -> np.ndarray:
        """Standard deviation at levels of light; variance runs straight between those measured.

        Below them it goes on as the darkest few do, straight; above as shot noise, with light.
        """
        levels = np.array(self.levels)
        variance = np.array(self.deviation[channel]) ** 2
        inside = np.interp(light, levels, variance)
        above = variance[-1] * np.maximum(light, levels[-1]) / levels[-1]
        few = slice(0, min(4, len(levels)))
        lean = np.polyfit(levels[few], variance[few], 1)[0] if len(levels) > 1 else 0.0
        lean = float(np.clip(lean, 0.0, variance[0] / levels[0]))
        below = variance[0] - lean * (levels[0] - np.maximum(light, 0.0))
        outside = np.where(light > levels[-1], above, below)
        measured = (light >= levels[0]) & (light <= levels[-1])
        return np.sqrt(np.where(measured, inside, outside))

    def correlation(self, channel: int = 1, *, reach: int = 4) -> np.ndarray:
        """Spatial correlation (reach, reach) by steps down and across; 1 at no step."""
        wave = _cosines().astype(np.float64)
        beside = np.stack(
            [(wave[:, : BLOCK_PX - j] * wave[:, j:]).mean(1) for j in range(reach)]
        )  # how much of a term's power pixels j steps apart share
        made = beside @ np.array(self.spectrum[channel]) @ beside.T
        return made / made[0, 0]

    @property
    def share(self) -> float:
        """Deviation over light at 18% grey, green: one number for how grainy it is."""
        return float(self.at(np.array(0.18), 1)) / 0.18


@dataclass
class Patches:
    """Calm patches of some frames.

    Attributes:
        level_NC: Mean light.
        terms_NCuv: Cosine terms, those of the drift included.
        after_NCuv: The same patches a frame on, or None.
        single_N: True where from a frame, False where from half the difference of two.
        even_N: True where chosen by the even terms, so that the odd ones may measure.
    """

    level_NC: np.ndarray
    terms_NCuv: np.ndarray
    after_NCuv: np.ndarray | None
    single_N: np.ndarray
    even_N: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Patches]) -> Patches:
        """All of them; what follows is kept only where all have it."""
        follows = all(p.after_NCuv is not None for p in parts)
        after = [p.after_NCuv for p in parts if p.after_NCuv is not None]
        return Patches(
            np.concatenate([p.level_NC for p in parts]),
            np.concatenate([p.terms_NCuv for p in parts]),
            np.concatenate(after) if follows else None,
            np.concatenate([p.single_N for p in parts]),
            np.concatenate([p.even_N for p in parts]),
        )


def patches(frame_HWC: np.ndarray, after_HWC: np.ndarray | None = None) -> Patches:
    """The calmest patches of a frame at each level; with the next frame, those of both.

    Args:
        frame_HWC: Scene-linear light, at the size it was recorded.
        after_HWC: The frame after it: where the camera stands, the difference of both is grain
            alone, whatever the texture.
    """
    first = _blocks(frame_HWC)
    if after_HWC is None:
        return _calm(*_transformed(first), None, single=True)
    second = _blocks(after_HWC)
    level, terms = _transformed(first)
    after_level, after_terms = _transformed(second)
    alone = _calm(level, terms, after_terms, single=True)
    drift = np.abs(level - after_level) < 0.05 * np.maximum(level, 0.002)
    half = (terms - after_terms) * np.float32(0.5**0.5)
    still = drift.all(1)
    if still.sum() < _LEAST_BLOCKS:
        return alone
    apart = _calm(level[still], half[still], half[still], single=False)
    return Patches.joined([alone, apart])


def _blocks(frame_HWC: np.ndarray) -> np.ndarray:
    """(N,C,16,16)."""
    n = BLOCK_PX
    rows, columns = frame_HWC.shape[0] // n, frame_HWC.shape[1] // n
    cut = frame_HWC[: rows * n, : columns * n].reshape(rows, n, columns, n, 3)
    return np.ascontiguousarray(cut.transpose(0, 2, 4, 1, 3)).reshape(-1, 3, n, n)


def _transformed(blocks_NCHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wave = _cosines()
    return blocks_NCHW.mean((2, 3)), wave @ blocks_NCHW @ wave.T


def _cosines() -> np.ndarray:
    from scipy.fft import dct

    return np.asarray(dct(np.eye(BLOCK_PX, dtype=np.float32), axis=0, norm="ortho"))


def _halves() -> tuple[np.ndarray, np.ndarray]:
    """Two halves (16,16) of the terms, as the squares of a chessboard; drift in neither."""
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    body = u + v >= _LOW_TERMS
    even = (u + v) % 2 == 0
    return body & even, body & ~even


def _calm(
    level_NC: np.ndarray, terms_NCuv: np.ndarray, after_NCuv: np.ndarray | None, *, single: bool
) -> Patches:
    """The patches least textured at each level of green, chosen by one half of their terms."""
    alive = (level_NC > LEVELS[0]).all(1) & np.isfinite(terms_NCuv).all((1, 2, 3))
    alive &= (terms_NCuv[:, :, 1:, 1:] ** 2).mean((2, 3)).min(1) > 1e-14
    which = np.digitize(level_NC[:, 1], LEVELS)
    used = [b for b in np.unique(which[alive])]
    kept: list[np.ndarray] = []
    even: list[np.ndarray] = []
    for half, is_even in zip(_halves(), (True, False), strict=True):
        energy = (terms_NCuv[:, :, half] ** 2).mean(2)
        relative = (energy / np.maximum(level_NC, 1e-4)).mean(1)
        for b in used:
            mine = np.nonzero(alive & (which == b))[0]
            count = max(min(len(mine), 4), int(0.5 * _CALM_SHARE * len(mine)))
            count = min(count, max(4, _MOST_BLOCKS // (2 * len(used))))
            kept.append(mine[np.argsort(relative[mine], kind="stable")[:count]])
            even.append(np.full(len(kept[-1]), is_even))
    index = np.concatenate(kept) if kept else np.zeros(0, int)
    chosen = np.concatenate(even) if even else np.zeros(0, bool)
    after = None if after_NCuv is None else after_NCuv[index]
    return Patches(level_NC[index], terms_NCuv[index], after, np.full(len(index), single), chosen)


def fit(seen: Patches) -> Grain | None:
    """The grain that the calmest patches agree on, or None where there are too few."""
    if len(seen.level_NC) < 4 * _LEAST_BLOCKS:
        return None
    flat = np.ones((3, BLOCK_PX, BLOCK_PX))
    spectrum, curve = flat, np.zeros((3, len(LEVELS)))
    count = np.zeros(len(LEVELS), int)
    for _ in range(3):
        curve, count = _curve(seen, spectrum)
        if (count > 0).sum() < 2:
            return None
        spectrum = _spectrum(seen, curve, count, spectrum)
    there = count > 0
    white = _whitened(seen, curve, count, spectrum)
    error = float(np.median(1.3 / np.sqrt(np.maximum(count[there], 1) * 60)))
    return Grain(
        tuple(float(v) for v in LEVELS[there]),
        tuple(tuple(float(v) for v in np.sqrt(row[there])) for row in curve),
        tuple(tuple(tuple(float(v) for v in row) for row in plane) for plane in spectrum.round(5)),
        tuple(tuple(float(v) for v in row) for row in _shared(white).round(4)),
        _temporal(seen),
        round(error, 4),
        len(seen.level_NC),
    )


def _curve(seen: Patches, spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance (3,K) at each level that enough patches are near, and how many those are.

    Frames and differences of frames are two readings, each too high where texture is left: the
    lower one counts.
    """
    log = np.log2(LEVELS)
    out = np.full((3, len(LEVELS)), np.inf)
    count = np.zeros((3, len(LEVELS)), int)
    for channel in range(3):
        energy = _energy(seen, spectrum, channel, chooser=False)
        place = np.log2(np.maximum(seen.level_NC[:, channel], 1e-6))
        for single in (True, False):
            mine = seen.single_N == single
            for k, middle in enumerate(log):
                near = mine & (np.abs(place - middle) < 0.3)
                if near.sum() < _LEAST_BLOCKS:
                    continue
                # To the very level: variance runs with light, about.
                value = _lower_middle(energy[near] * 2.0 ** (middle - place[near]))
                if value < out[channel, k]:
                    out[channel, k], count[channel, k] = value, near.sum()
    there = np.isfinite(out).all(0)
    return np.where(there, out, 0.0), np.where(there, count.min(0), 0)


def _energy(seen: Patches, spectrum: np.ndarray, channel: int, *, chooser: bool) -> np.ndarray:
    """Variance by patch, from the half of the terms that chose it or from the other.

    Terms that hold hardly any grain are left out: other things are in them.
    """
    power = spectrum[channel]
    sums = []
    for half in _halves():
        good = half & (power > _LEAST_POWER)
        sums.append((seen.terms_NCuv[:, channel][:, good] ** 2 / power[good]).mean(1))
    return np.where(seen.even_N == chooser, *sums)


def _lower_middle(energy: np.ndarray) -> float:
    """The middle of the calm patches: those near the floor, without the textured tail."""
    floor = float(np.quantile(energy, 0.25))
    calm = energy[energy < 1.9 * floor]
    return float(np.median(calm)) if len(calm) >= 8 else float(np.median(energy))


def _at_level(curve: np.ndarray, count: np.ndarray, level: np.ndarray) -> np.ndarray:
    there = count > 0
    return np.interp(level, LEVELS[there], curve[there])


def _whitened(seen: Patches, curve: np.ndarray, count: np.ndarray,
              spectrum: np.ndarray) -> np.ndarray:  # fmt: skip
    """Terms over the deviation expected of them, of patches that fit it (N,3,uv)."""
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    body = u + v >= _LOW_TERMS
    white = []
    for channel in range(3):
        variance = _at_level(curve[channel], count, seen.level_NC[:, channel])
        expected = np.sqrt(np.maximum(variance, 1e-16))[:, None] * np.sqrt(spectrum[channel][body])
        white.append(seen.terms_NCuv[:, channel][:, body] / expected)
    made = np.stack(white, 1)
    fits = (made**2).mean(2).max(1) < 1.6
    return made[fits] if fits.sum() >= _LEAST_BLOCKS else made


def _spectrum(
    seen: Patches, curve: np.ndarray, count: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """Power by term (3,16,16), mean 1; the drift's terms as their neighbours run on."""
    out = []
    halves = _halves()
    for channel in range(3):
        variance = _at_level(curve[channel], count, seen.level_NC[:, channel])
        safe = np.maximum(variance, 1e-16)
        fits = _energy(seen, before, channel, chooser=True) < 1.5 * safe
        fits = fits if fits.sum() >= 4 * _LEAST_BLOCKS else np.ones_like(fits)
        squares = seen.terms_NCuv[:, channel] ** 2 / safe[:, None, None]
        power = np.ones((BLOCK_PX, BLOCK_PX))
        for half, chose in zip(halves, (False, True), strict=True):
            mine = fits & (seen.even_N == chose)
            power[half] = np.median(squares[mine][:, half], axis=0) / _CHI_MEDIAN
        power = _smooth(_run_on(np.maximum(power, 1e-5)))
        out.append(power / power.mean())
    return np.stack(out)


def _run_on(power: np.ndarray) -> np.ndarray:
    """Low terms from a smooth surface through the log power of those next to them."""
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX].astype(float)
    ring = (u + v >= _LOW_TERMS) & (u + v <= _LOW_TERMS + 5)
    lean = np.stack([np.ones_like(u), u**2, v**2, u**2 * v**2], -1)
    found = np.linalg.lstsq(lean[ring], np.log(power[ring]), rcond=None)[0]
    made = np.exp(np.minimum(lean @ found, np.log(power[ring].max() * 2.0)))
    return np.where(u + v < _LOW_TERMS, made, power)


def _smooth(power: np.ndarray) -> np.ndarray:
    """Neighbouring terms have about one power; a narrow blur of its log."""
    import cv2

    return np.exp(cv2.GaussianBlur(np.log(power), (0, 0), 0.7, borderType=cv2.BORDER_REFLECT_101))


def _shared(white_NCu: np.ndarray) -> np.ndarray:
    """Correlation between channels (3,3)."""
    flat = white_NCu.transpose(1, 0, 2).reshape(3, -1)
    return np.corrcoef(flat)


def _temporal(seen: Patches) -> float | None:
    """How much of a calm patch comes back a frame on, in green."""
    if seen.after_NCuv is None or seen.single_N.sum() < _LEAST_BLOCKS:
        return None
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    body = u + v >= 2 * _LOW_TERMS
    now = seen.terms_NCuv[seen.single_N, 1][:, body]
    after = seen.after_NCuv[seen.single_N, 1][:, body]
    each = (now * after).sum(1) / np.sqrt((now**2).sum(1) * (after**2).sum(1) + 1e-20)
    return round(float(np.median(each)), 4)

"""Grain: how strong at which light, how coarse, how much the channels share.

Here: the record, and its measure from patches of frames. Not here: which patches
(`grain_patches.py`), making grain (`grain_synthesis.py`), taking it off (`grain_removal.py`),
exchange (`grain_table.py`).

Shapes: N patches, C channels, K levels, u and v cosine terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from footagefit.signature import grain_spectrum, grain_uneven
from footagefit.signature.grain_patches import (
    BLOCK_PX,
    BODY,
    LEAST_BLOCKS,
    LEVELS,
    LOW_TERMS,
    Patches,
    Soft,
    halves,
)
from footagefit.signature.grain_uneven import Uneven

_LEAST_POWER = 0.05  # of the mean term
_CHI_MEDIAN = 0.4549  # median of a squared normal variable
_STRAY, _HELD = 9.0, 0.99501  # times its mean a square counts at most, and the mean that leaves
_MIDDLE = 1.66  # error of the variance that a middle square tells, over that of the mean
_BLUR = 0.7  # of a spectrum, in terms
_LEAST_FOR_TERMS = 2 * LEAST_BLOCKS


@dataclass(frozen=True)
class Grain:
    """What grain measures as, in scene-linear ACEScg.

    Attributes:
        levels: Light levels of a channel at which it was measured, ascending.
        deviation: Standard deviation at each level, by channel (3 x K); of uneven grain, of what is
            new in each frame.
        spectrum: Power by cosine term (3 x 16 x 16), mean 1: rows go with y.
        channels: Correlation between channels (3 x 3).
        temporal: Correlation of a patch with the same patch a frame on: 0 for true grain.
        error: Standard error of the deviations, as a share.
        patches: How many it was measured on.
        uneven: How much it differs from block to block, where a codec or noise reduction was at
            it; None where it is even, as grain by itself is.
    """

    levels: tuple[float, ...]
    deviation: tuple[tuple[float, ...], ...]
    spectrum: tuple[tuple[tuple[float, ...], ...], ...]
    channels: tuple[tuple[float, ...], ...]
    temporal: float | None = None
    error: float | None = None
    patches: int = 0
    uneven: Uneven | None = None

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
        below = (variance[0] - lean * (levels[0] - np.maximum(light, 0.0))).clip(0.0)  # not -1e-21
        outside = np.where(light > levels[-1], above, below)
        measured = (light >= levels[0]) & (light <= levels[-1])
        return np.sqrt(np.where(measured, inside, outside))

    def correlation(self, channel: int = 1, *, reach: int = 4) -> np.ndarray:
        """Spatial correlation (reach, reach) by steps down and across; 1 at no step."""
        field = grain_spectrum.of_field(np.array(self.spectrum[channel]))
        wave = grain_spectrum.waves(reach)
        made = wave @ field @ wave.T
        return made / made[0, 0]

    @property
    def share(self) -> float:
        """Deviation over light at 18% grey, green: one number for how grainy it is."""
        return float(self.at(np.array(0.18), 1)) / 0.18


def fit(seen: Patches) -> Grain | None:
    """The grain that the calmest patches agree on, or None where there are too few."""
    if len(seen.level_NC) < 4 * LEAST_BLOCKS:
        return None
    if seen.soft is not None and grain_uneven.is_uneven(seen.soft, _still_power(seen)):
        return _fit_uneven(seen, seen.soft)
    flat = np.ones((3, BLOCK_PX, BLOCK_PX))
    spectrum, curve = flat, np.zeros((3, len(LEVELS)))
    count = np.zeros(len(LEVELS), int)
    for _ in range(3):
        curve, count = _curve(seen, spectrum)
        if (count > 0).sum() < 2:
            return None
        spectrum = _spectrum(seen, curve, count, spectrum)
    white = _whitened(seen, curve, count, spectrum)
    return _made(seen, curve, count, spectrum, _shared(white))


def _made(
    seen: Patches, curve: np.ndarray, count: np.ndarray, spectrum: np.ndarray, shared: np.ndarray,
    uneven: Uneven | None = None,
) -> Grain:  # fmt: skip
    """The record."""
    there = count > 0
    error = float(np.median(1.3 / np.sqrt(np.maximum(count[there], 1) * 60)))
    if uneven is not None:  # a block is one draw of what differs between blocks
        spread = float(np.sqrt(np.mean(np.diag(np.array(uneven.spread)))))
        error = float(np.median(1.3 * spread / np.sqrt(count[there])))
    return Grain(
        tuple(float(v) for v in LEVELS[there]),
        tuple(tuple(float(v) for v in np.sqrt(row[there])) for row in curve),
        tuple(tuple(tuple(float(v) for v in row) for row in plane) for plane in spectrum.round(5)),
        tuple(tuple(float(v) for v in row) for row in shared.round(5)),
        _temporal(seen),
        round(error, 4),
        len(seen.level_NC),
        uneven,
    )


def _still_power(seen: Patches) -> np.ndarray:
    """Log power of differences of frames over their light, green."""
    mine = ~seen.single_N
    power = (seen.terms_NCuv[mine, 1][:, BODY] ** 2).mean(1)
    return np.log(power / np.maximum(seen.level_NC[mine, 1], 1e-6) + 1e-16)


def _fit_uneven(seen: Patches, soft: Soft) -> Grain | None:
    """Grain whose blocks differ: the middle of those that are flat when seen soft, and its spread.

    The record holds means of power, as for even grain; what lies between is `uneven`. What comes
    back a frame on is the picture's, or held by the codec: only what is new in a frame is grain.
    """
    found = grain_uneven.fit(soft)
    lift = grain_uneven.mean_over_middle(found)
    place = np.log2(np.maximum(soft.level_NC, 1e-6))
    curve, count = np.zeros((3, len(LEVELS))), np.zeros(len(LEVELS), int)
    for k, middle in enumerate(np.log2(LEVELS)):
        near = np.abs(place[:, 1] - middle) < 0.3
        if near.sum() >= LEAST_BLOCKS:
            squares = np.median(soft.terms_NCuv[near] ** 2, axis=0) / _CHI_MEDIAN
            curve[:, k] = (squares * lift)[:, BODY].mean(1)
            count[k] = near.sum()
    if (count > 0).sum() < 2 or curve[:, count > 0].min() <= 0:
        return None
    variance = np.stack([_at_level(curve[c], count, soft.level_NC[:, c]) for c in range(3)], 1)
    scaled = soft.terms_NCuv / np.sqrt(np.maximum(variance, 1e-16))[..., None, None]
    power = np.median(scaled**2, axis=0) / _CHI_MEDIAN * lift
    power = np.stack([_smooth(_run_on(np.maximum(p, 1e-5))) for p in power])
    power /= power.mean((1, 2), keepdims=True)
    if seen.after_NCuv is not None and seen.single_N.any():
        mine = seen.single_N
        power = power * grain_uneven.new_share(seen.terms_NCuv[mine, 1], seen.after_NCuv[mine, 1])
    new = power.mean((1, 2), keepdims=True)
    shared = _shared_within(scaled[..., BODY])
    return _made(seen, curve * new[:, 0], count, power / new, shared, found)


def _curve(seen: Patches, spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance (3,K) at each level that enough patches are near, and how many those are.

    Frames and differences of frames are two readings, each too high where texture is left: the
    lower one counts.
    """
    out = np.full((3, len(LEVELS)), np.inf)
    count = np.zeros((3, len(LEVELS)), int)
    for channel in range(3):
        energy, terms = _energy(seen, spectrum, channel, chooser=False)
        place = np.log2(np.maximum(seen.level_NC[:, channel], 1e-6))
        for single in (True, False):
            mine = seen.single_N == single
            for k, middle in enumerate(np.log2(LEVELS)):
                near = mine & (np.abs(place - middle) < 0.3)
                if near.sum() < LEAST_BLOCKS:
                    continue
                # To the very level: variance runs with light, about.
                value = _lower_middle(energy[near] * 2.0 ** (middle - place[near]), terms)
                if value < out[channel, k]:
                    out[channel, k], count[channel, k] = value, near.sum()
    there = np.isfinite(out).all(0)
    return np.where(there, out, 0.0), np.where(there, count.min(0), 0)


def _energy(
    seen: Patches, spectrum: np.ndarray, channel: int, *, chooser: bool
) -> tuple[np.ndarray, int]:
    """Variance by patch, from the half of the terms that chose it or from the other; of how many.

    Terms that hold hardly any grain are left out: other things are in them.
    """
    power = spectrum[channel]
    sums, terms = [], []
    for half in halves():
        good = half & (power > _LEAST_POWER)
        sums.append((seen.terms_NCuv[:, channel][:, good] ** 2 / power[good]).mean(1))
        terms.append(int(good.sum()))
    return np.where(seen.even_N == chooser, *sums), min(terms)


def _lower_middle(energy: np.ndarray, terms: int) -> float:
    """The mean of the calm patches: those near the floor, without the textured tail.

    Their middle is a little below it (Wilson and Hilferty 1931), the less the more terms there are.
    """
    floor = float(np.quantile(energy, 0.25))
    calm = energy[energy < 1.9 * floor]
    middle = float(np.median(calm)) if len(calm) >= 8 else float(np.median(energy))
    return middle / (1 - 2 / (9 * terms)) ** 3


def _at_level(curve: np.ndarray, count: np.ndarray, level: np.ndarray) -> np.ndarray:
    there = count > 0
    return np.interp(level, LEVELS[there], curve[there])


def _whitened(seen: Patches, curve: np.ndarray, count: np.ndarray,
              spectrum: np.ndarray) -> np.ndarray:  # fmt: skip
    """Terms over the deviation expected of them, of patches that fit it (N,3,uv)."""
    white = []
    for channel in range(3):
        variance = _at_level(curve[channel], count, seen.level_NC[:, channel])
        expected = np.sqrt(np.maximum(variance, 1e-16))[:, None] * np.sqrt(spectrum[channel][BODY])
        white.append(seen.terms_NCuv[:, channel][:, BODY] / expected)
    made = np.stack(white, 1)
    fits = (made**2).mean(2).max(1) < 1.6
    return made[fits] if fits.sum() >= LEAST_BLOCKS else made


def _spectrum(
    seen: Patches, curve: np.ndarray, count: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """Power by term (3,16,16), mean 1; the drift's terms as their neighbours run on."""
    out = []
    for channel in range(3):
        variance = _at_level(curve[channel], count, seen.level_NC[:, channel])
        safe = np.maximum(variance, 1e-16)
        energy = _energy(seen, before, channel, chooser=True)[0] / safe
        fits = _told_by(seen, energy < 1.5)
        squares = seen.terms_NCuv[:, channel] ** 2 / safe[:, None, None]
        textured = bool(seen.single_N[fits].any())
        power, error = np.ones((BLOCK_PX, BLOCK_PX)), 0.0
        for half, chose in zip(halves(), (False, True), strict=True):
            mine = fits & (seen.even_N == chose)
            power[half] = _power(squares[mine][:, half], textured=textured)
            error = max(error, (_MIDDLE if textured else 1.0) * float(np.sqrt(2 / mine.sum())))
        power = _smooth(_run_on(np.maximum(power, 1e-5)), error)
        out.append(power / power.mean())
    return np.stack(out)


def _run_on(power: np.ndarray) -> np.ndarray:
    """Low terms from a smooth surface through the log power of those next to them."""
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX].astype(float)
    ring = (u + v >= LOW_TERMS) & (u + v <= LOW_TERMS + 9)
    lean = np.stack([np.ones_like(u), u**2, v**2, u**4, u**2 * v**2, v**4], -1)
    found = np.linalg.lstsq(lean[ring], np.log(power[ring]), rcond=None)[0]
    made = np.exp(np.minimum(lean @ found, np.log(power[ring].max() * 2.0)))
    return np.where(u + v < LOW_TERMS, made, power)


def _told_by(seen: Patches, calm_N: np.ndarray) -> np.ndarray:
    """Calm patches that tell the spectrum: differences of frames, which hold no texture, or all."""
    apart = calm_N & ~seen.single_N
    for chosen in (apart, calm_N):
        if min((chosen & (seen.even_N == e)).sum() for e in (True, False)) >= _LEAST_FOR_TERMS:
            return chosen
    return np.ones_like(calm_N)


def _power(squares_Nu: np.ndarray, *, textured: bool) -> np.ndarray:
    """Mean of squares of normal variables with strays held; where texture is left, their middle."""
    middle = np.median(squares_Nu, axis=0) / _CHI_MEDIAN
    return middle if textured else np.minimum(squares_Nu, _STRAY * middle).mean(0) / _HELD


def _smooth(power: np.ndarray, error: float = 0.0) -> np.ndarray:
    """Neighbouring terms have about one power: its log is blurred a little.

    It goes on evenly below the lowest term, as spectra do, and straight beyond the highest. With
    `error`, of the log of a term by chance, what departs from a plain slope by no more than chance
    is held to be chance (Stein's shrinking).
    """
    import cv2

    log = np.log(power)
    if error > 0:
        u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX] / BLOCK_PX
        lean = np.stack([u ** (2 * i) * v ** (2 * j) for i in range(5) for j in range(5 - i)], -1)
        flat = lean.reshape(-1, lean.shape[-1])
        plain = (flat @ np.linalg.lstsq(flat, log.ravel(), rcond=None)[0]).reshape(log.shape)
    else:
        plain = np.zeros_like(log)
    rest = np.pad(log - plain, ((3, 0), (3, 0)), mode="reflect")
    rest = np.pad(rest, ((0, 3), (0, 3)), mode="reflect", reflect_type="odd")
    rest = cv2.GaussianBlur(rest, (7, 7), _BLUR)[3:-3, 3:-3]
    left = error * error / (4 * np.pi * _BLUR**2)  # chance that the blur leaves
    near = cv2.blur(rest * rest, (5, 5), borderType=cv2.BORDER_REFLECT_101)
    return np.exp(plain + rest * (1 - left / np.maximum(near, left + 1e-30)))


def _shared(white_NCu: np.ndarray) -> np.ndarray:
    """Correlation between channels (3,3)."""
    flat = white_NCu.transpose(1, 0, 2).reshape(3, -1)
    return np.corrcoef(flat)


def _shared_within(white_NCu: np.ndarray) -> np.ndarray:
    """The same as blocks have it, the middle one: where blocks differ, a few strong ones decide."""
    unit = white_NCu / np.maximum(np.linalg.norm(white_NCu, axis=2, keepdims=True), 1e-12)
    return np.median(unit @ unit.transpose(0, 2, 1), axis=0)


def _temporal(seen: Patches) -> float | None:
    """How much of a calm patch comes back a frame on, in green."""
    if seen.after_NCuv is None or seen.single_N.sum() < LEAST_BLOCKS:
        return None
    u, v = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    body = u + v >= 2 * LOW_TERMS
    now = seen.terms_NCuv[seen.single_N, 1][:, body]
    after = seen.after_NCuv[seen.single_N, 1][:, body]
    each = (now * after).sum(1) / np.sqrt((now**2).sum(1) * (after**2).sum(1) + 1e-20)
    return round(float(np.median(each)), 4)

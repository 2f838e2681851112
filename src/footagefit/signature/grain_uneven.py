"""Uneven grain: what a codec or noise reduction leaves of it, strong here and gone there.

Here: whether grain is uneven, by how much in which band of frequency, and the fields that make
made grain as uneven. Not here: even grain (`grain.py`), laying it on frames (`grain_synthesis.py`).

Film's and sensors' own grain is even: its power in a block of pixels is the light's and chance's.
A codec empties blocks that cost too much and keeps others. Where that has happened the calmest
blocks are the emptied ones, and say nothing of the rest: blocks are then chosen by how flat they
are seen soft, which a codec leaves alone, and the middle of them counts; of that, what is new from
frame to frame.

Shapes: N blocks, B bands, C channels, u and v cosine terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from footagefit.signature.grain_patches import BLOCK_PX, BODY, Soft

_RINGS = (0.25, 0.45, 0.75)  # between bands, as shares of the highest frequency along a side
BANDS = 2 * len(_RINGS) + 1
_SURE = 0.35  # deviation of the log power of blocks, low side, from which grain is called uneven
_EVEN = 0.35  # that of differences of frames below which it is even, whatever textures say
_LEAST = 40  # blocks of a level
_MOST_LOG = 1.3  # deviation of log amplitude
_LEAST_NEW = 0.02


@dataclass(frozen=True)
class Uneven:
    """How uneven grain is.

    Attributes:
        spread: Covariance of the log amplitude of blocks between bands (7 x 7): the coarse one,
            then three finer ones, each for what runs down before what runs across.
        beside: How much of that blocks side by side share.
    """

    spread: tuple[tuple[float, ...], ...]
    beside: float = 0.0


def bands(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Which band frequencies are of, given as shares of the highest along a side."""
    ring = np.digitize(np.hypot(down, across), _RINGS)
    return np.where(ring > 0, 2 * ring - 1 + (across > down), 0)


def _of_terms() -> np.ndarray:
    """The band of each cosine term (16,16)."""
    share = np.arange(BLOCK_PX) / BLOCK_PX
    return bands(share[:, None], share[None])


def new_share(now_Nuv: np.ndarray, after_Nuv: np.ndarray) -> np.ndarray:
    """By term (16,16), the share of its power that is not there a frame on, as patches have it.

    Texture stands, and so do blocks that a codec skips: low terms mostly stay, high ones change.

    Args:
        now_Nuv: Terms of calm patches.
        after_Nuv: Of the same patches in the next frame.
    """
    band, made = _of_terms(), np.ones((BLOCK_PX, BLOCK_PX))
    for b in range(BANDS):
        mine = (band == b) & BODY
        now, after = now_Nuv[:, mine], after_Nuv[:, mine]
        size = np.sqrt((now**2).sum(1) * (after**2).sum(1) + 1e-20)
        made[band == b] = 1.0 - np.median((now * after).sum(1) / size)
    return made.clip(_LEAST_NEW, 1.0)


def is_uneven(seen: Soft, still_N: np.ndarray) -> bool:
    """Whether the power of blocks runs on downward, where even grain has a floor.

    Args:
        seen: Blocks, flat when seen soft.
        still_N: Log power, its light's taken off, of differences of frames; texture is not in it.
    """
    if len(still_N) >= 4 * _LEAST and _low_spread(still_N) < _EVEN:
        return False
    log = _log_power(seen.terms_NCuv[:, 1], BODY)
    spreads = [_low_spread(log[mine]) for mine in _by_level(seen.level_NC[:, 1])]
    return bool(spreads) and float(np.median(spreads)) > _SURE


def _low_spread(log_N: np.ndarray) -> float:
    """Deviation of the low side: between the 2nd and the 20th in a hundred lie 1.21 of it."""
    low, high = np.quantile(log_N, (0.02, 0.2))
    return float(high - low) / 1.212


def _by_level(level_N: np.ndarray) -> list[np.ndarray]:
    """Blocks of about one light, half a stop each."""
    step = np.floor(2 * np.log2(np.maximum(level_N, 1e-6)))
    groups = [np.nonzero(step == s)[0] for s in np.unique(step)]
    return [g for g in groups if len(g) >= _LEAST]


def _log_power(terms_Nuv: np.ndarray, which_uv: np.ndarray) -> np.ndarray:
    return np.log((terms_Nuv[:, which_uv] ** 2).mean(1) + 1e-16)


def fit(seen: Soft) -> Uneven:
    """Spread between blocks of one light, by band, what chance makes of it taken off."""
    fields = [BODY & (_of_terms() == b) for b in range(BANDS)]
    logs, at = [], []
    for mine in _by_level(seen.level_NC[:, 1]):
        log = np.stack([_log_power(seen.terms_NCuv[mine, 1], f) for f in fields], 1) / 2
        logs.append(log - np.median(log, axis=0))
        at.append(seen.at_N3[mine])
    log_NB, at_N3 = np.concatenate(logs), np.concatenate(at)
    # The narrower side: texture adds to the high one, blocks emptied to the last run off the low.
    low, high = np.abs(np.quantile(log_NB, (0.16, 0.84), axis=0))
    deviation = np.minimum(low, high)
    chance = np.array([0.5 / f.sum() for f in fields])
    deviation = np.sqrt(np.clip(deviation**2 - chance, 0.0, _MOST_LOG**2))
    clipped = np.clip(log_NB, -3 * _MOST_LOG, 3 * _MOST_LOG)
    shared = np.corrcoef(clipped.T).clip(0.0, 1.0)
    spread = shared * deviation[:, None] * deviation
    return Uneven(
        tuple(tuple(float(v) for v in row) for row in spread.round(4)),
        round(_beside(clipped.mean(1), at_N3), 3),
    )


def _beside(log_N: np.ndarray, at_N3: np.ndarray) -> float:
    """Correlation of blocks side by side, among those that were chosen."""
    place = {tuple(at): i for i, at in enumerate(at_N3.tolist())}
    pairs = [
        (i, place[there])
        for (f, y, x), i in place.items()
        for there in ((f, y, x + 1), (f, y + 1, x))
        if there in place
    ]
    if len(pairs) < _LEAST:
        return 0.0
    one, other = np.array(pairs).T
    return float(np.clip(np.corrcoef(log_N[one], log_N[other])[0, 1], 0.0, 0.95))


def mean_over_middle(found: Uneven) -> np.ndarray:
    """Mean power over the middle one, by cosine term (16,16): powers are lognormal."""
    return np.exp(2 * np.diag(np.array(found.spread)))[_of_terms()]


def amplitudes(found: Uneven, cells: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Amplitude of each block by band (B,rows,columns), mean square 1; it joins itself."""
    spread = np.array(found.spread)
    count = len(spread)
    field = rng.standard_normal((count, *cells))
    down, across = np.fft.fftfreq(cells[0])[:, None], np.fft.rfftfreq(cells[1])[None]
    # An autoregressive field's power, separable: neighbours share `beside`.
    keep = found.beside
    power = 1.0
    for turn in (down, across):
        power = power * (1 - keep**2) / (1 - 2 * keep * np.cos(2 * np.pi * turn) + keep**2)
    field = np.fft.irfft2(np.fft.rfft2(field) * np.sqrt(power), s=cells)
    value, way = np.linalg.eigh(spread)
    log = np.einsum("ab,bhw->ahw", way * np.sqrt(value.clip(0)), field)
    return np.exp(log - np.diag(spread)[:, None, None])

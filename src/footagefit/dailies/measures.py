"""How bright, what colour of light, how much motion, how sharp: curves over a clip's frames.

Here: what balances and mines a training set, from the scan's tiny pictures. Not here: the
catalogue's finer measures (`signature` owns the light estimator).

Units: stops against 18% grey, kelvin and Duv of the light against the show's white, pixels of the
stored picture a frame. Shape suffixes: T frames, H rows, W columns, C channels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from footagefit.dailies import cuts
from footagefit.dailies.looking import Look, linear_of
from footagefit.footage.white import light_rgb
from footagefit.records import ClipInfo

VERSION = 5
_WHITE_EVERY = 12
CURVES = ("exposure_ev", "white_k", "tint_duv", "motion_px", "focus", "jump")
_LUMA = (0.2722287, 0.6740818, 0.0536895)  # ACEScg (AP1) to Y


def curves_of(look: Look, info: ClipInfo, *, white_k: float = 5600.0) -> dict[str, np.ndarray]:
    """The curves of `CURVES`, a value for each frame that was looked at.

    Args:
        look: What the scan saw.
        info: Of the clip.
        white_k: Colour of light that is R=G=B in this show.
    """
    total = len(look.numbers)
    if total == 0:
        return {name: np.zeros(0, np.float32) for name in CURVES}
    out: dict[str, np.ndarray] = {}
    linear_TNC = linear_of(look, info)
    luminance_TN = linear_TNC @ np.array(_LUMA, np.float32)
    flat = np.log2(np.maximum(luminance_TN, 2.0**-14))
    out["exposure_ev"] = (flat.mean(1) - np.log2(0.18)).astype(np.float32)
    every = min(_WHITE_EVERY, max(1, total // 6))
    seen = np.arange(0, total, every)  # light changes slowly; medians cost
    ratios = grey_ratios(linear_TNC[seen], luminance_TN[seen])
    whole = np.stack([np.interp(np.arange(total), seen, ratios[:, c]) for c in (0, 1)], -1)
    out["white_k"], out["tint_duv"] = light_of(whole, white_k=white_k)
    out["motion_px"] = _motion(look.small_THWC) * (info.width / cuts.WIDTH)
    out["focus"] = look.sharp_T
    out["jump"] = look.jump_T
    return {name: np.asarray(curve, np.float32) for name, curve in out.items()}


def grey_ratios(linear_TNC: np.ndarray, luminance_TN: np.ndarray) -> np.ndarray:
    """log2 of R/G and B/G of what is most likely grey: middle tones, nearest to no colour.

    Shades of grey in two steps: the median of the middle tones, then again of the half of them
    that lies nearest to it.
    """
    low, high = np.percentile(luminance_TN, (25, 95), axis=1)
    inside_TN = (luminance_TN >= low[:, None]) & (luminance_TN <= high[:, None])
    safe = np.maximum(linear_TNC, 1e-5)
    ratio = np.log2(safe[..., (0, 2)] / safe[..., 1:2])
    away_TN = np.abs(ratio - _median(ratio, inside_TN)[:, None]).sum(-1)
    inside_TN &= away_TN <= _median(away_TN[..., None], inside_TN)
    return _median(ratio, inside_TN)


def _median(value_TNC: np.ndarray, inside_TN: np.ndarray) -> np.ndarray:
    """Medians (T,C) of the values that are inside; numpy's own takes ten times as long for it."""
    ranked = np.sort(np.where(inside_TN[..., None], value_TNC, np.inf), axis=1)
    count = inside_TN.sum(1)
    row = np.arange(len(ranked))
    return 0.5 * (ranked[row, (count - 1) // 2] + ranked[row, count // 2])


def light_of(ratios_T2: np.ndarray, *, white_k: float) -> tuple[np.ndarray, np.ndarray]:
    """Kelvin and Duv of light from log2 R/G and B/G of a grey under it."""
    kelvin, locus, across = _locus(white_k)
    away = (locus * locus).sum(-1) - 2.0 * (ratios_T2 @ locus.T)  # and what all have in common
    at = away.argmin(1)
    tint = ((ratios_T2 - locus[at]) * across[at]).sum(-1)
    return kelvin[at].astype(np.float32), (tint * 0.02).astype(np.float32)


@lru_cache(maxsize=8)
def _locus(white_k: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planckian lights as log2 R/G and B/G in ACEScg, where `white_k` is neutral."""
    mired = np.linspace(1e6 / 25000, 1e6 / 1700, 549)
    kelvin = 1e6 / mired
    rgb = np.array([light_rgb(float(k), white_k=white_k) for k in kelvin])
    rgb = np.maximum(rgb, 1e-4)
    locus = np.log2(rgb[:, (0, 2)] / rgb[:, 1:2])
    along = np.gradient(locus, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([along[:, 1], -along[:, 0]], -1)
    across *= np.where(across.sum(1, keepdims=True) < 0, 1.0, -1.0)  # green lowers both ratios
    return kelvin, locus, across


def _motion(small_THWC: np.ndarray) -> np.ndarray:
    """Mean displacement in tiny pixels a frame: change over time by change over space."""
    out = np.zeros(len(small_THWC), np.float32)
    for start in range(1, len(small_THWC), 64):  # few enough to stay in the cache
        run = small_THWC[start - 1 : start + 64, ..., 0].astype(np.float32)
        in_time = run[1:, 1:-1, 1:-1] - run[:-1, 1:-1, 1:-1]
        np.abs(in_time, out=in_time)
        twice = run[1:] + run[:-1]
        dx = twice[:, 1:-1, 2:] - twice[:, 1:-1, :-2]
        dy = twice[:, 2:, 1:-1] - twice[:, :-2, 1:-1]
        dx *= dx
        dy *= dy
        dx += dy
        in_space = np.sqrt(dx, out=dx).sum((1, 2))
        out[start : start + len(in_time)] = in_time.sum((1, 2)) / (0.25 * in_space + 1.0)
    if len(out) > 1:
        out[0] = out[1]
    return out


def hashes_of(small_THWC: np.ndarray, *, count: int = 9) -> np.ndarray:
    """64-bit perceptual hashes of `count` frames spread evenly over a run (uint64).

    The signs of the 8 x 8 lowest frequencies of luma but the mean (Zauner 2010), taken against
    their median: alike for re-encodings and regrades, unlike for other pictures.
    """
    at = np.linspace(0, len(small_THWC) - 1, count).round().astype(int)
    luma = small_THWC[at, ..., 0].astype(np.float32)
    low = (_cosines(luma.shape[1]) @ luma @ _cosines(luma.shape[2]).T).reshape(count, -1)[:, 1:65]
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


@lru_cache(maxsize=4)
def _cosines(length: int, count: int = 9) -> np.ndarray:
    """The lowest rows of the orthonormal type-II cosine transform."""
    at = (np.arange(length) + 0.5) * np.pi / length
    rows = np.cos(np.arange(count)[:, None] * at) * np.sqrt(2.0 / length)
    rows[0] *= np.sqrt(0.5)
    return rows.astype(np.float32)

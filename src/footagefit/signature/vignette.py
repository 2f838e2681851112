"""Vignette and shading: light lost towards the corners, in stops, even in r about a centre.

Here: the model, its way on and off, and its fit to a flat frame, to the same things seen at two
places (`overlaps.py`), or to how smooth surfaces shade. Not here: finding those.

    stops(r) = a2 r^2 + a4 r^4 + a6 r^6, each channel with a little r^2 of its own

The gain is never 0, so that it comes off as exactly as it went on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from footagefit.signature import coordinates

_PRIOR = np.array([2.0, 1.0, 0.5, 0.03, 0.03])  # stops; lens coordinates
_TINT_PRIOR = 0.05
WORST_RMS = 0.06  # a gain less certain than this says nothing
_MOST_CENTRE = 0.12  # of the half-diagonal, from the frame's own
_MOST_RISE_EV = 0.05  # outward


@dataclass(frozen=True)
class Vignette:
    """Light lost towards the corners.

    Attributes:
        a2: Stops at r = 1, of the r^2 term; below 0 is darker.
        a4: Likewise of r^4.
        a6: Likewise of r^6.
        red: Stops at r = 1, beside green's.
        blue: Likewise.
        centre_x: Of the falloff, in lens coordinates.
        centre_y: Likewise, up.
        squeeze: Anamorphic squeeze of the frames it is for.
        error_rms: Standard error of the gain over the frame, as a share; None if not measured.
        source: `flat`, `overlaps` or `shading`: what it was read from.
        samples: Patches it was fitted to.
    """

    a2: float = 0.0
    a4: float = 0.0
    a6: float = 0.0
    red: float = 0.0
    blue: float = 0.0
    centre_x: float = 0.0
    centre_y: float = 0.0
    squeeze: float = 1.0
    error_rms: float | None = None
    source: str = ""
    samples: int = 0

    def stops(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Stops (...,3) at lens coordinates."""
        r2 = (x - self.centre_x) ** 2 + (y - self.centre_y) ** 2
        even = r2 * (self.a2 + r2 * (self.a4 + r2 * self.a6))
        return np.stack([even + self.red * r2, even, even + self.blue * r2], -1)

    def gain(self, size: tuple[int, int]) -> np.ndarray:
        """Gain (H,W,3) by pixel."""
        x, y = coordinates.grid(size, squeeze=self.squeeze)
        return np.exp2(self.stops(x, y)).astype(np.float32)

    @property
    def corner_ev(self) -> float:
        """Stops at r = 1, below 0 where light is lost."""
        return self.a2 + self.a4 + self.a6


def apply(frame_CHW: Tensor, lens: Vignette) -> Tensor:
    """Darken as the lens does."""
    return frame_CHW * _gain(frame_CHW, lens)


def remove(frame_CHW: Tensor, lens: Vignette) -> Tensor:
    """Flat-field: bring back what the lens took."""
    return frame_CHW / _gain(frame_CHW, lens)


def _gain(frame_CHW: Tensor, lens: Vignette) -> Tensor:
    gain = torch.from_numpy(lens.gain((int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1]))))
    return gain.permute(2, 0, 1).to(frame_CHW)


@dataclass(frozen=True)
class Pairs:
    """The same light seen at two places behind the lens.

    Attributes:
        one_N2: Lens coordinates.
        other_N2: Lens coordinates.
        stops_N3: Light at the other place over that at the one, in stops by channel.
        group_N: Which pair of frames each is from: groups may differ by an exposure.
    """

    one_N2: np.ndarray
    other_N2: np.ndarray
    stops_N3: np.ndarray
    group_N: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Pairs]) -> Pairs:
        """All of them as one, groups kept apart."""
        groups, count = [], 0
        for part in parts:
            groups.append(part.group_N + count)
            count += int(part.group_N.max(initial=-1)) + 1
        return Pairs(
            np.concatenate([p.one_N2 for p in parts]),
            np.concatenate([p.other_N2 for p in parts]),
            np.concatenate([p.stops_N3 for p in parts]),
            np.concatenate(groups),
        )


def fit_flat(flat_HWC: np.ndarray, *, squeeze: float = 1.0) -> Vignette:
    """The vignette of a frame of even light, one block at a time."""
    import cv2

    rows, columns = max(36, flat_HWC.shape[0] // 16), max(64, flat_HWC.shape[1] // 16)
    small = cv2.resize(flat_HWC, (columns, rows), interpolation=cv2.INTER_AREA)
    small = np.maximum(small, 1e-6)
    x, y = coordinates.grid((rows, columns), squeeze=squeeze)
    at = np.stack(np.broadcast_arrays(x, y), -1).reshape(-1, 2)
    light = np.log2(small).reshape(-1, 3)
    pairs = Pairs(np.zeros_like(at), at, light, np.zeros(len(at), int))
    return _fitted(pairs, squeeze=squeeze, source="flat", noise=0.01)


def fit_pairs(pairs: Pairs, *, squeeze: float = 1.0, source: str = "overlaps") -> Vignette | None:
    """The vignette under which the same things have the same light, or None if that says nothing.

    Args:
        pairs: From frames of one lens.
        squeeze: Of those frames.
        source: Where the pairs come from, for the record.
    """
    if len(pairs.group_N) < 200:
        return None
    found = _fitted(pairs, squeeze=squeeze, source=source, noise=0.04)
    if found.error_rms is None or found.error_rms > WORST_RMS:
        return None
    return found if _is_a_lens(found) else None


def _is_a_lens(found: Vignette) -> bool:
    """Glass shades outward, about its middle: what brightens or lies askew is the light on set."""
    r = np.linspace(0.0, 1.0, 21)
    curve = _terms(np.stack([r, 0 * r], 1), np.zeros(2)) @ [found.a2, found.a4, found.a6]
    rise = float((curve - np.minimum.accumulate(curve)).max())
    return rise < _MOST_RISE_EV and max(abs(found.centre_x), abs(found.centre_y)) < _MOST_CENTRE


def _terms(at_N2: np.ndarray, centre: np.ndarray) -> np.ndarray:
    r2 = ((at_N2 - centre) ** 2).sum(1)
    return np.stack([r2, r2**2, r2**3], 1)


def _tilt(at_N2: np.ndarray, a: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """How the stops at a place change as the centre moves (N,2)."""
    about = at_N2 - centre
    r2 = (about**2).sum(1)
    slope = a[0] + 2 * a[1] * r2 + 3 * a[2] * r2**2
    return -2 * slope[:, None] * about


def _fitted(pairs: Pairs, *, squeeze: float, source: str, noise: float) -> Vignette:
    """Reweighted least squares (Geman and McClure's weights): shape, centre, group offsets."""
    a, centre = np.zeros(3), np.zeros(2)
    wanted = pairs.stops_N3[:, 1]
    scale, weight = noise, np.ones(len(wanted))
    normal, rest, lean = np.eye(5), wanted, np.zeros((len(wanted), 5))
    for turn in range(12):
        terms = _terms(pairs.other_N2, centre) - _terms(pairs.one_N2, centre)
        tilt = _tilt(pairs.other_N2, a, centre) - _tilt(pairs.one_N2, a, centre)
        lean = np.concatenate([terms, tilt * (turn > 3)], 1)
        lean = _without_means(lean, pairs.group_N, weight)
        goal = _without_means((wanted - terms @ a)[:, None], pairs.group_N, weight)[:, 0]
        now = np.concatenate([a, centre])
        normal = (lean * weight[:, None]).T @ lean / scale**2 + np.diag(_PRIOR**-2.0)
        pull = (lean * weight[:, None]).T @ goal / scale**2 - now / _PRIOR**2
        step = np.linalg.solve(normal, pull)
        a, centre = a + step[:3], np.clip(centre + step[3:], -_MOST_CENTRE, _MOST_CENTRE)
        rest = goal - lean @ step
        scale = max(noise / 4, 1.48 * float(np.median(np.abs(rest))))
        weight = 1.0 / (1.0 + (rest / (2.0 * scale)) ** 2) ** 2
    red, blue = (_tint(pairs, centre, weight, channel) for channel in (0, 2))
    error = _error(lean, rest, weight, normal, pairs.group_N, scale)
    return Vignette(
        a2=float(a[0]), a4=float(a[1]), a6=float(a[2]), red=red, blue=blue,
        centre_x=float(centre[0]), centre_y=float(centre[1]), squeeze=squeeze,
        error_rms=error, source=source, samples=int((weight > 0.25).sum()),
    )  # fmt: skip


def _without_means(values_NK: np.ndarray, group_N: np.ndarray, weight_N: np.ndarray) -> np.ndarray:
    """Values less their group's mean: an exposure between two frames is no vignette."""
    count = int(group_N.max()) + 1
    total = np.bincount(group_N, weight_N, minlength=count) + 1e-9
    means = np.stack(
        [np.bincount(group_N, weight_N * v, minlength=count) / total for v in values_NK.T], 1
    )
    return values_NK - means[group_N]


def _tint(pairs: Pairs, centre: np.ndarray, weight: np.ndarray,
          channel: int) -> float:  # fmt: skip
    """A channel's own r^2, beside green's."""
    r2 = (_terms(pairs.other_N2, centre) - _terms(pairs.one_N2, centre))[:, :1]
    apart = (pairs.stops_N3[:, channel] - pairs.stops_N3[:, 1])[:, None]
    r2 = _without_means(r2, pairs.group_N, weight)[:, 0]
    apart = _without_means(apart, pairs.group_N, weight)[:, 0]
    value, error, push = 0.0, 0.0, np.zeros(0)
    for _ in range(6):
        rest = apart - value * r2
        scale = max(0.005, 1.48 * float(np.median(np.abs(rest))))
        firm = weight / (1.0 + (rest / (2 * scale)) ** 2) ** 2 / scale**2
        bulk = float((firm * r2 * r2).sum()) + _TINT_PRIOR**-2.0
        value = float((firm * r2 * apart).sum()) / bulk
        push = np.bincount(pairs.group_N, firm * r2 * (apart - value * r2))
        error = float(np.sqrt((push**2).sum())) / bulk
    # Coloured things pass for coloured corners until frames agree on them.
    return value if abs(value) > 3 * error or len(push) < 4 else 0.0


def _error(lean: np.ndarray, rest: np.ndarray, weight: np.ndarray, normal: np.ndarray,
           group_N: np.ndarray, scale: float) -> float:  # fmt: skip
    """RMS error of the gain over the frame, by the scatter between groups where there are any."""
    push = lean * (weight * rest)[:, None] / scale**2
    count = int(group_N.max()) + 1
    if count >= 4:
        each = np.stack([np.bincount(group_N, p, minlength=count) for p in push.T], 1)
        middle = each.T @ each * (count / (count - 1))
    else:  # neighbours share what is wrong with them: about 30 patches go for one
        middle = push.T @ push * 30.0
    inverse = np.linalg.inv(normal)
    spread = (inverse @ middle @ inverse)[:3, :3]
    x, y = coordinates.grid((27, 48))
    at = np.stack(np.broadcast_arrays(x, y), -1).reshape(-1, 2)
    terms = _terms(at, np.zeros(2))
    terms = terms - terms[(at**2).sum(1).argmin()]
    variance = np.einsum("nk,kl,nl->n", terms, spread, terms).clip(0)
    return round(float(np.log(2) * np.sqrt(variance.mean())), 5)

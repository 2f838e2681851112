"""Looks over time: which are averaged, over how many frames, and why.

What belongs here: stretches between cuts, flashes, zero-phase finite filters, and the choice among
them. What does not: deciding looks (`fields.py`), applying them.

Every filter is finite and symmetric about its frame: a local straight line through the looks of
the frames around it, under a Hann window (Cleveland 1979), so that a steady drift is followed
without lag up to the ends of a stretch. A flash is left out on both sides of it: it keeps the look
of its neighbours, and so stays a flash.

Shapes: T frames, C channels, H rows, W columns, K cells of a picture held still.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from footagefit.footage.pattern import ranges

Temporal = Literal["auto", "none", "smooth", "locked"]

RADIUS = 12  # frames on either side that a trend is judged over
_RADII = (4, 8, 12, 20, 32)  # that `smooth` may reach
_STEADY_RADIUS = 96  # as far as it reaches where the light stands
LOCKED_EV = 0.25  # looks that drift by less over a stretch belong to a light that is locked
_FLASH_EV = 0.4
_FLASH_FRAMES = 3
_NEAR_BEST, _NEAR_BEST_EV = 1.25, 0.005  # a longer filter is taken where it is as good as this


@dataclass(frozen=True)
class Stretch:
    """An unbroken run of frames and how its looks are filtered.

    Attributes:
        first: Its first frame.
        last: Its last frame.
        mode: `none`, `smooth` or `locked`.
        radius: Frames on either side that `smooth` reaches.
        why: What spoke for it, for people.
    """

    first: int
    last: int
    mode: str
    radius: int
    why: str

    def __str__(self) -> str:
        reach = f" over {2 * self.radius + 1} frames" if self.mode == "smooth" else ""
        return f"{self.first}-{self.last}: {self.mode}{reach} ({self.why})"


@dataclass(frozen=True)
class Smoothing:
    """How a whole shot's looks are filtered.

    Attributes:
        stretches: From cut to cut, in order.
        flashes: Frames that are no source for their neighbours.
    """

    stretches: tuple[Stretch, ...]
    flashes: tuple[int, ...] = ()

    def stretch_of(self, number: int) -> Stretch:
        """The stretch that holds a frame."""
        return next(s for s in self.stretches if s.first <= number <= s.last)

    def weights(self, number: int, numbers: Sequence[int]) -> list[tuple[int, float]]:
        """Which frames' looks make up a frame's, and how much of each; they sum to 1.

        Args:
            number: The frame.
            numbers: All frames that were looked at.
        """
        stretch = self.stretch_of(number)
        if stretch.mode == "none":
            return [(number, 1.0)]
        inside = [n for n in numbers if stretch.first <= n <= stretch.last]
        usable = [n for n in inside if n not in self.flashes] or inside
        if stretch.mode == "locked":
            return [(n, 1.0 / len(usable)) for n in usable]
        return _local_line(number, usable, stretch.radius)

    def plain(self) -> dict[str, Any]:
        """As it is stored."""
        return {"stretches": [vars(s) for s in self.stretches], "flashes": list(self.flashes)}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Smoothing:
        """As it was stored."""
        return cls(tuple(Stretch(**s) for s in plain["stretches"]), tuple(plain["flashes"]))

    def lines(self) -> list[str]:
        """What was chosen, for people."""
        told = [str(stretch) for stretch in self.stretches]
        if self.flashes:
            told.append(f"flashes kept as they are: {ranges(self.flashes)}")
        return told


def _local_line(number: int, usable: Sequence[int], radius: int) -> list[tuple[int, float]]:
    near = [n for n in usable if abs(n - number) <= radius]
    if not near:
        nearest = min(abs(n - number) for n in usable)
        near = [n for n in usable if abs(n - number) == nearest]
    off = [n - number for n in near]
    window = [0.5 + 0.5 * math.cos(math.pi * min(1.0, abs(d) / (radius + 1))) for d in off]
    window = [max(w, 1e-6) for w in window]
    s0 = sum(window)
    s1 = sum(w * d for w, d in zip(window, off, strict=True))
    s2 = sum(w * d * d for w, d in zip(window, off, strict=True))
    spread = s0 * s2 - s1 * s1
    if spread <= 1e-9 * s0 * s0:
        return [(n, w / s0) for n, w in zip(near, window, strict=True)]
    weights = [w * (s2 - s1 * d) / spread for w, d in zip(window, off, strict=True)]
    return list(zip(near, weights, strict=True))


def choose(
    temporal: Temporal,
    numbers: Sequence[int],
    *,
    tiny_TCHW: np.ndarray,
    still_TK: np.ndarray,
    controls_move: bool = False,
) -> Smoothing:
    """How to filter a shot's looks.

    Args:
        temporal: What was asked for; `auto` decides for each stretch and says why.
        numbers: Frames that were looked at, ascending.
        tiny_TCHW: Them as 48 x 27 pictures of light, to find cuts and flashes in.
        still_TK: Stops that each frame's look adds to one picture held still: what would flicker.
        controls_move: Whether a person animates what looks are decided from.
    """
    runs = _runs(numbers, tiny_TCHW)
    flashes: list[int] = []
    stretches = []
    for run in runs:
        inside = [numbers[i] for i in run]
        if temporal != "none":
            flashes += [numbers[run[i]] for i in _flashes(tiny_TCHW[run])]
        calm = [i for i in run if numbers[i] not in flashes] or run
        mode, radius, why = _asked(temporal, len(runs))
        steady = [numbers[i] for i in calm]
        if temporal == "auto":
            mode, radius, why = _decided(steady, still_TK[calm], controls_move)
        elif temporal == "smooth" and not controls_move:
            radius = _smooth_reach(steady, still_TK[calm])
        stretches.append(Stretch(inside[0], inside[-1], mode, radius, why))
    return Smoothing(tuple(stretches), tuple(flashes))


def _asked(temporal: Temporal, runs: int) -> tuple[str, int, str]:
    why = "as asked" if runs == 1 else "as asked, from cut to cut"
    return temporal, _RADII[0] if temporal == "smooth" else 0, why


def _decided(
    numbers: Sequence[int], still_TK: np.ndarray, controls_move: bool
) -> tuple[str, int, str]:
    """Mode, reach and the reason, for one stretch."""
    if len(numbers) < 3:
        return "locked", 0, "a stretch of one or two frames"
    if controls_move:
        return "smooth", _RADII[0], "controls are animated"
    jitter = float(np.sqrt(np.mean(np.diff(still_TK, axis=0) ** 2)))
    drift = _drift_ev(numbers, still_TK)
    said = f"looks drift {drift:.2f} stops and jitter {jitter:.3f} a frame"
    if drift <= LOCKED_EV:
        return "locked", 0, f"{said}: the light is locked"
    return "smooth", _reach(numbers, still_TK), f"{said}: the light moves"


def _drift_ev(numbers: Sequence[int], still_TK: np.ndarray) -> float:
    """Stops by which the looks' trend moves over a stretch."""
    trend = _smoothed(numbers, still_TK, RADIUS)
    return float(np.percentile(trend.max(0) - trend.min(0), 95))


def _smooth_reach(numbers: Sequence[int], still_TK: np.ndarray) -> int:
    """How far to smooth where a person asked for it: nearly a straight line if the light stands."""
    if _drift_ev(numbers, still_TK) <= LOCKED_EV:
        return min(2 * len(numbers), _STEADY_RADIUS)
    return _reach(numbers, still_TK)


def _reach(numbers: Sequence[int], still_TK: np.ndarray) -> int:
    """How far to smooth: the longest filter that tells a frame's look about as well as any."""
    errors = {r: _left_out(numbers, still_TK, r) for r in _RADII if r < len(numbers)}
    if not errors:
        return _RADII[0]
    best = min(errors.values())
    return max(r for r, e in errors.items() if e <= _NEAR_BEST * best + _NEAR_BEST_EV)


def _smoothed(numbers: Sequence[int], signal_TK: np.ndarray, radius: int) -> np.ndarray:
    place = {number: i for i, number in enumerate(numbers)}
    out = np.empty_like(signal_TK)
    for i, number in enumerate(numbers):
        parts = _local_line(number, numbers, radius)
        out[i] = sum(w * signal_TK[place[n]] for n, w in parts)
    return out


def _left_out(numbers: Sequence[int], signal_TK: np.ndarray, radius: int) -> float:
    """How far off a frame's look is when it is told from its neighbours alone (rms, stops)."""
    place = {number: i for i, number in enumerate(numbers)}
    total = 0.0
    for i, number in enumerate(numbers):
        parts = _local_line(number, [n for n in numbers if n != number], radius)
        told = sum(w * signal_TK[place[n]] for n, w in parts)
        total += float(np.mean((told - signal_TK[i]) ** 2))
    return math.sqrt(total / len(numbers))


def _runs(numbers: Sequence[int], tiny_TCHW: np.ndarray) -> list[list[int]]:
    """Indices from cut to cut."""
    from footagefit.dailies.cuts import find_cuts

    cuts = [change.at for change in find_cuts(_codes(tiny_TCHW))]
    edges = [0, *cuts, len(numbers)]
    return [list(range(a, b)) for a, b in pairwise(edges) if b > a]


def _codes(tiny_TCHW: np.ndarray) -> np.ndarray:
    """Pictures of light as the Y, Cb, Cr code values that cuts are found in (T,H,W,3)."""
    light = np.maximum(tiny_TCHW, 0.0)
    middle = max(float(np.median(light)), 1e-4)
    shown = np.minimum(light * (0.18 / middle), 1.0) ** (1.0 / 2.2)
    r, g, b = shown[:, 0], shown[:, 1], shown[:, 2]
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    planes = [y, 0.5 + (b - y) / 1.8556, 0.5 + (r - y) / 1.5748]
    return (np.stack(planes, -1).clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _flashes(tiny_TCHW: np.ndarray) -> list[int]:
    """Frames that are much brighter or darker than those around them, and come back."""
    level = np.log2(np.maximum(tiny_TCHW, 0.0) + 2.0**-8).mean((1, 2, 3))
    total, reach = len(level), 2 * _FLASH_FRAMES
    found = []
    for i in range(total):
        around = np.concatenate([level[max(0, i - reach) : i], level[i + 1 : i + 1 + reach]])
        sides = 0 < i < total - 1 and len(around) > 2
        if sides and abs(level[i] - np.median(around)) > _FLASH_EV:
            found.append(i)
    return [i for i in found if _run_length(found, i) <= _FLASH_FRAMES]


def _run_length(found: Sequence[int], at: int) -> int:
    inside, low, high = set(found), at, at
    while low - 1 in inside:
        low -= 1
    while high + 1 in inside:
        high += 1
    return high - low + 1

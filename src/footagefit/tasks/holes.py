"""Holes as clean-up and extension meet them, cut into whole footage: the truth is then known.

What belongs here: the shapes of holes over the frames of a clip. What does not: what fills them.
A hole is (T,1,H,W), 1 where there is no pixel. Sizes are parts of the picture's mean side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.tasks.draws import chance, choice, normal, uniform

Size = tuple[int, int]
_FINE = 4  # bits of a pixel in which lines are drawn
_STILL = 0.5  # of wires
_WIRES = 8
_MOST_BORDER = 0.4


class Holes(NamedTuple):
    """Holes in a clip, and the frame to fill.

    Attributes:
        holes_T1HW: 1 where there is no pixel.
        at: Index of the frame to fill.
    """

    holes_T1HW: Tensor
    at: int


def tubes(rng: torch.Generator, frames: int, size: Size) -> Holes:
    """One or two object-shaped holes that go their way, or stand."""
    made = torch.zeros(frames, 1, *size)
    side = sum(size) / 2.0
    for _ in range(1 + chance(rng, 0.3)):
        radius = side * uniform(rng, 0.04, 0.2)
        shape = (radius * uniform(rng, 0.6, 1.6), radius * uniform(rng, 0.6, 1.6))
        place = torch.tensor([uniform(rng, 0.1, 0.9) * size[0], uniform(rng, 0.1, 0.9) * size[1]])
        way = torch.zeros(2) if chance(rng, 0.3) else 0.03 * side * normal(rng, 2)
        bumps = F.interpolate(normal(rng, 1, 1, 6, 6), size=size, mode="bicubic")[0, 0]
        turning = normal(rng, 1, 1, 6, 6)
        for number in range(frames):
            y, x = place + way * (number - frames // 2)
            rows = (torch.arange(size[0])[:, None] - float(y)) / shape[0]
            columns = (torch.arange(size[1])[None] - float(x)) / shape[1]
            turned = F.interpolate(turning * (0.1 * number), size=size, mode="bicubic")[0, 0]
            inside = rows.square() + columns.square() < 1.0 + 0.4 * (bumps + turned)
            made[number, 0] = torch.maximum(made[number, 0], inside.float())
    return Holes(made, frames // 2)


def wires(rng: torch.Generator, frames: int, size: Size) -> Holes:
    """Six to eight thin bands across the frame, or a few; half of them stand still."""
    pictures = [np.zeros(size, np.uint8) for _ in range(frames)]
    side = sum(size) / 2.0
    count = 6 + choice(rng, _WIRES - 5) if chance(rng, 0.6) else 1 + choice(rng, 3)
    for _ in range(count):
        ends = _across(rng, size)
        sag = 0.12 * side * normal(rng, 2)
        width = max(1.0, side * uniform(rng, 0.008, 0.026))
        way = torch.zeros(2) if chance(rng, _STILL) else 0.025 * side * normal(rng, 2)
        for number, picture in enumerate(pictures):
            moved = ends + way * (number - frames // 2)
            _line(picture, _bent(moved, sag), width)
    return Holes(_stacked(pictures), frames // 2)


def booms(rng: torch.Generator, frames: int, size: Size) -> Holes:
    """A pole that reaches in from the frame's edge, a microphone at its end; it sways."""
    pictures = [np.zeros(size, np.uint8) for _ in range(frames)]
    side = sum(size) / 2.0
    edge = _on_edge(rng, size, choice(rng, 4))
    inward = torch.tensor([size[0] / 2.0, size[1] / 2.0]) - edge
    inward = inward / inward.norm().clamp_min(1.0) + 0.35 * normal(rng, 2)
    tip = edge + inward * side * uniform(rng, 0.12, 0.5)
    pole, mic = side * uniform(rng, 0.015, 0.05), side * uniform(rng, 0.05, 0.13)
    way = 0.015 * side * normal(rng, 2) * (not chance(rng, 0.3))
    for number, picture in enumerate(pictures):
        end = tip + way * (number - frames // 2)
        _line(picture, torch.stack([edge - inward * side * 0.1, end]), pole)
        _line(picture, torch.stack([end, end + 0.12 * side * inward]), mic)
    return Holes(_stacked(pictures), frames // 2)


def borders(rng: torch.Generator, frames: int, size: Size) -> Holes:
    """Strips of up to 40% along one to three sides, the same in every frame."""
    made = torch.zeros(frames, 1, *size)
    sides = torch.randperm(4, generator=rng)[: 1 + choice(rng, 3)].tolist()
    for side in sides:
        length = size[side % 2]
        strip = max(2, round(length * _MOST_BORDER * uniform(rng, 0.05, 1.0) / len(sides) ** 0.5))
        part = made if side % 2 == 0 else made.transpose(2, 3)
        part[:, :, :strip] = 1.0 if side < 2 else part[:, :, :strip]
        part[:, :, length - strip :] = 1.0 if side >= 2 else part[:, :, length - strip :]
    return Holes(made, frames // 2)


def dropped(rng: torch.Generator, frames: int, size: Size) -> Holes:
    """A frame that is not there, or two one after the other."""
    at = frames // 2
    made = torch.zeros(frames, 1, *size)
    made[at] = 1.0
    if frames > 3 and chance(rng, 0.25):
        made[at + (1 if chance(rng, 0.5) else -1)] = 1.0
    return Holes(made, at)


def handles(rng: torch.Generator, frames: int, size: Size) -> Holes:
    """Frames before the head of the shot, or after its tail."""
    gone = 1 + choice(rng, max(1, frames // 2))
    made = torch.zeros(frames, 1, *size)
    made[:gone] = 1.0
    at = choice(rng, gone)
    return Holes(made, at) if chance(rng, 0.5) else Holes(made.flip(0), frames - 1 - at)


Kind = Callable[[torch.Generator, int, Size], Holes]
KINDS: Mapping[str, Kind] = {
    "tubes": tubes,
    "wires": wires,
    "booms": booms,
    "borders": borders,
    "dropped": dropped,
    "handles": handles,
}
IN_TIME = ("dropped", "handles")  # kinds whose frames are gone: they need others to fill from


def _across(rng: torch.Generator, size: Size) -> Tensor:
    """Two points outside the frame or on its edges, on different sides (2,2)."""
    first = choice(rng, 4)
    second = (first + 1 + choice(rng, 3)) % 4
    return torch.stack([_on_edge(rng, size, first), _on_edge(rng, size, second)])


def _on_edge(rng: torch.Generator, size: Size, side: int) -> Tensor:
    """A point on one of the frame's four sides: row, column."""
    at = uniform(rng, 0.0, 1.0)
    places = ((0.0, at), (at, 0.0), (1.0, at), (at, 1.0))
    return torch.tensor([places[side][0] * size[0], places[side][1] * size[1]])


def _bent(ends: Tensor, sag: Tensor) -> Tensor:
    """Points along an arc between two others (N,2)."""
    t = torch.linspace(0.0, 1.0, 12)[:, None]
    return ends[0] * (1.0 - t) + ends[1] * t + 4.0 * sag * t * (1.0 - t)


def _line(picture: np.ndarray, points: Tensor, width_px: float) -> None:
    """Draw a line with round ends."""
    import cv2

    places = (points.flip(1) * 2**_FINE).round().int().numpy()[:, None]
    thick = max(1, math.floor(width_px + 0.5))
    cv2.polylines(picture, [places], False, 1, thick, cv2.LINE_8, _FINE)


def _stacked(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).float()[:, None]

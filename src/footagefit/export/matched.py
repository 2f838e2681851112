"""The part of a match that is one map of colours, for LUTs and CDLs; what that leaves over.

What belongs here: taking the map from a look, running it on colours, measuring it against the
full look. What does not: file formats (`lut.py`, `cdl.py`).

A look changes light by place and by depth (roughly luminance). Averaged over the frame's places,
weighted by how many of the plate's pixels lie there at each depth, what stays is a map from
colour to colour: exposure, balance, contrast, and what shadows and highlights get apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import WrongValue
from footagefit.export.baked import field_of, shot_look
from footagefit.footage import colour
from footagefit.models.base import Look, scaled
from footagefit.models.field import evened, grid_of
from footagefit.models.nets.light import stops
from footagefit.records import Given
from footagefit.rendering.fits import Fit
from footagefit.tasks.base import PlainWindow

_LONG_PX = 512  # frames are measured at no more than this: a map of colours needs no detail
_TOE = 2.0**-8


@dataclass(frozen=True)
class Residual:
    """What a map of colours leaves over, against the full look, over the plate's frames.

    Attributes:
        rms_stops: Root mean square.
        p95_stops: Nineteen of twenty values are nearer.
        untouched_rms_stops: The plate itself against the full look: what there was to do.
    """

    rms_stops: float
    p95_stops: float
    untouched_rms_stops: float

    def line(self) -> str:
        """For a comment or a terminal."""
        return (
            f"residual against the full look: {self.rms_stops:.4f} stops rms, 95% under "
            f"{self.p95_stops:.4f} (untouched plate: {self.untouched_rms_stops:.4f} rms)"
        )


@dataclass(frozen=True)
class Match:
    """A plate's match to its reference, full and as a map of colours.

    Attributes:
        plates: The frames (each (1,3,h,w)) it was made from, small.
        full: The frames with the full look on them.
        everywhere: The map: colours (1,3,1,N) to colours.
    """

    plates: tuple[Tensor, ...]
    full: tuple[Tensor, ...]
    everywhere: Callable[[Tensor], Tensor]


def matched(
    fit: Fit, plates: Sequence[Tensor], reference_RCHW: Tensor, *, to: str, strength: float = 1.0
) -> Match:
    """The match of some frames of a plate (each (3,H,W)) to their references."""
    model = field_of(fit, to)
    look = scaled(shot_look(fit, plates, reference_RCHW, to=to), strength)
    small = tuple(_reduced(plate[None]) for plate in plates)
    with torch.no_grad():
        full = tuple(model.apply(look, _given(fit, plate, reference_RCHW)) for plate in small)
        depths = [model.guide(stops(plate))[0] for plate in small]
        flat: Look = {"everywhere": torch.zeros(1, 12), "cells": evened(grid_of(look), depths)}

    def everywhere(colours: Tensor) -> Tensor:
        with torch.no_grad():
            return model.apply(flat, _given(fit, colours, reference_RCHW))

    return Match(small, full, everywhere)


def residual(match: Match, apply: Callable[[np.ndarray], np.ndarray]) -> Residual:
    """How far a map of colours, given as one of (N,3) ACEScg arrays, is from the full look."""
    off, untouched = [], []
    for plate, full in zip(match.plates, match.full, strict=True):
        made = torch.from_numpy(apply(rows_of(plate)))
        wanted, before = (torch.from_numpy(rows_of(p)) for p in (full, plate))
        off.append((_log(made) - _log(wanted)).flatten())
        untouched.append((_log(before) - _log(wanted)).flatten())
    each, nothing = torch.cat(off).abs(), torch.cat(untouched)
    p95 = float(np.quantile(each.numpy(), 0.95))
    return Residual(_rms(each), p95, _rms(nothing))


def rows_of(picture: Tensor) -> np.ndarray:
    """A picture (1,3,H,W) as colours (N,3), float32 and whole in memory."""
    return np.ascontiguousarray(picture[0].flatten(1).T.numpy(), dtype=np.float32)


def log_space(name: str) -> str:
    """A space's own name, if LUTs and CDLs work in it.

    Raises:
        WrongValue: It is no log space.
    """
    space = colour.resolve(name)
    if colour.encoding(space) != "log":
        raise WrongValue(
            f"log_space: {space} is {colour.encoding(space) or 'not marked as log'}, "
            "and LUTs and CDLs work on log code values",
            hint="Say log_space=acescct, or a camera's log such as arri_logc4",
        )
    return space


def coded(light_N3: np.ndarray, space: str) -> np.ndarray:
    """Colours (N,3) from scene-linear ACEScg to a log space's code values."""
    codes = np.ascontiguousarray(light_N3, dtype=np.float32)[None].copy()
    colour.from_working(codes, space)
    return codes[0]


def decoded(codes_N3: np.ndarray, space: str) -> np.ndarray:
    """Code values (N,3) of a log space to scene-linear ACEScg."""
    light = np.ascontiguousarray(codes_N3, dtype=np.float32)[None].copy()
    colour.to_working(light, space)
    return light[0]


def _given(fit: Fit, picture: Tensor, reference_RCHW: Tensor) -> Given:
    window = PlainWindow(picture, reference_RCHW, signature=fit.signature)
    return fit.task.given(window, {})


def _reduced(plate: Tensor) -> Tensor:
    """Every n-th pixel, none averaged: colours stay those of the plate."""
    step = max(1, -(-max(plate.shape[-2:]) // _LONG_PX))
    return plate[:, :, ::step, ::step].contiguous()


def _log(light: Tensor) -> Tensor:
    return torch.log2(light.clamp_min(0.0) + _TOE)


def _rms(off: Tensor) -> float:
    return float(off.double().square().mean().sqrt())

"""Degrain, work, regrain: the change of light is made on the clean picture.

Here: a plate's own grain taken off before a look is applied, and put back as strong as grain is
at the light the result has. Not here: what grain is (`signature`).

A look that brightens by a stop doubles the grain with the light; grain of that brighter light
would have grown by a half-power. The grain that comes back is the plate's own, scaled by what was
measured: where nothing changes, plate in is plate out.

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from footagefit.errors import UsageError
from footagefit.signature.grain_removal import Removal
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.record import of_plain

GrainWay = Literal["keep", "match"]


class Regrain:
    """Of a show whose grain was measured.

    Args:
        signature: As a fit carries it.
        path: Of the fit, for errors.

    Raises:
        UsageError: The show's grain is not in it.
    """

    def __init__(self, signature: Mapping[str, Any], *, path: Path) -> None:
        measured = of_plain(signature)
        if measured is None or measured.grain is None:
            raise UsageError(
                "grain=match needs the show's grain, which this fit does not carry",
                path=path,
                hint="Say signature=<signature.json>, or measure the show and train again",
            )
        self._removal = Removal(measured.grain)
        self._made = Synthesis(measured.grain)

    def clean(self, plate_BCHW: Tensor) -> Tensor:
        """The plate without grain."""
        frames = [self._removal.remove(frame.cpu()) for frame in plate_BCHW]
        return torch.stack(frames).to(plate_BCHW)

    def grained(self, made_BCHW: Tensor, *, clean_BCHW: Tensor, plate_BCHW: Tensor) -> Tensor:
        """What was made of the clean plate, with the plate's grain at the strength it wants."""
        return torch.stack(
            [
                self._one(made, clean, plate)
                for made, clean, plate in zip(made_BCHW, clean_BCHW, plate_BCHW, strict=True)
            ]
        )

    def _one(self, made: Tensor, clean: Tensor, plate: Tensor) -> Tensor:
        wanted, had = (self._made.deviation(light.cpu()) for light in (made, clean))
        scale = (wanted / had.clamp_min(1e-8)).clamp(0.0, _MOST).to(made)
        return made + (plate - clean) * scale


_MOST = 64.0  # a look may lift black by six stops, and no further does grain follow

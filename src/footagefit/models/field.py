"""The field model: decides on a smooth field of light from a small picture, applies it at any size.

What belongs here: how a plate is made small, what its look is made of, and the loss that teaches
it. What does not: the network (`nets/field_net.py`), slicing (`slicing.py`), which frames it
learns from (`tasks/`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from footagefit.errors import WrongValue
from footagefit.models.base import Amounts, Look, Model, scaled, shrunk
from footagefit.models.nets.field_net import CELL_PX, FieldNet, Guide
from footagefit.models.nets.follow import followed
from footagefit.models.nets.light import gain_and_offset, stops
from footagefit.models.nets.mirrored import agreed, both_ways
from footagefit.models.nets.settle import settled
from footagefit.models.objectives import LightError, Roughness
from footagefit.models.slicing import Way, slice_and_apply, slice_points, with_global
from footagefit.records import Given, Pair


class FieldModel(Model):
    """Colour changes in stops: one for the whole frame, and an edge-aware grid of local ones.

    Untrained it returns the plate to the bit.

    Args:
        guide_channels: What the task adds beside the plate (its spec says).
        vector_size: Controls and signature with present flags (its spec says).
        width: Channels of the net's first stage.
        depth_cells: Cells of the grid along its guide.
        long_px: Long side of the small picture, in square-ish cells of 16.
        points: Random pixels a training picture is judged on.
        smoothness: Weight of the field's roughness in the loss.
        ease: In stops; examples further off count by the logarithm of their error (`LightError`).
        way: How looks are applied: auto, plain, compiled or numba.
    """

    def __init__(
        self,
        *,
        guide_channels: int = 2,
        vector_size: int = 0,
        width: int = 32,
        depth_cells: int = 8,
        long_px: int = 256,
        points: int = 4096,
        smoothness: float = 0.02,
        ease: float = 0.05,
        way: Way = "auto",
    ) -> None:
        super().__init__()
        if long_px % CELL_PX:
            raise WrongValue(f"long_px: expected a multiple of {CELL_PX}, got {long_px}")
        self.net = FieldNet(
            width=width,
            depth_cells=depth_cells,
            guide_channels=guide_channels,
            vector_size=vector_size,
        )
        self.guide = Guide()
        self.light_error = LightError(ease=ease)
        self.roughness = Roughness()
        self.long_px = long_px
        self.points = points
        self.smoothness = smoothness
        self.way: Way = way

    def small(self, given: Given) -> Given:
        """Every picture at `long_px`; one way for frames and their proxies."""
        return shrunk(given, long_px=self.long_px, cell_px=CELL_PX)

    def look(self, given_small: Given) -> Look:
        """`everywhere` (B,12) and `cells` (B,12,Z,h,w), both changes of stops, settled.

        Decided of the picture and of its mirror image together.
        """
        small = given_small
        everywhere, cells = agreed(
            *self.net(
                *both_ways(small.plate, small.mask, small.guide, small.reference, small.vector)
            )
        )
        return self._settled(everywhere, cells, small)

    def _settled(self, everywhere: Tensor, cells: Tensor, small: Given) -> Look:
        view = stops(small.plate)
        everywhere, cells = settled(everywhere, cells, view, small.mask, self.guide(view))
        return {"everywhere": everywhere, "cells": cells}

    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate with the field on it, at its own size; nothing is clamped."""
        grid = with_global(look["everywhere"], look["cells"])
        return slice_and_apply(given.plate, grid, self.guide, way=self.way)

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """Parts of a field: its differences from place to place, its light and its hues."""
        asked = (amounts.local, amounts.tone, amounts.colour)
        everywhere = followed(look["everywhere"][:, :, None, None, None], *asked)[:, :, 0, 0, 0]
        cells = followed(look["cells"], *asked)
        return scaled({"everywhere": everywhere, "cells": cells}, amounts.strength)

    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """`gain` and `offset` (B,3,H,W): plate x gain + offset is the result."""
        grid = with_global(look["everywhere"], look["cells"])
        out = slice_and_apply(given.plate, grid, self.guide, way=self.way)
        gain, offset = gain_and_offset(given.plate, out)
        return {"gain": gain, "offset": offset}

    def loss(self, pair: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """`light`: error at random pixels of the plate; `field`: the field's roughness."""
        given = pair.given
        small = self.small(given)
        everywhere, cells = self.net(
            small.plate, small.mask, small.guide, small.reference, small.vector
        )
        look = self._settled(everywhere, cells, small)
        batch, _, height, width = given.plate.shape
        # The same places in every picture of a batch: ranks that share a batch then agree.
        index = torch.randint(height * width, (1, self.points), generator=rng)
        index = index.to(given.plate.device).expand(batch, -1)
        grid = with_global(look["everywhere"], look["cells"])
        made = slice_points(given.plate, grid, self.guide, index=index)
        wanted = pair.target.flatten(2).gather(2, index[:, None].expand(-1, 3, -1))
        weight = (pair.weight * given.mask).flatten(2).gather(2, index[:, None])
        return {
            "light": self.light_error(made, wanted, weight),
            "field": self.smoothness * self.roughness(look["cells"]),
        }


def change_of(look: Look, light: Tensor) -> Tensor:
    """The global change in stops that a look makes to some colours (B,N,3): for LUTs and CDLs."""
    view = stops(light.transpose(1, 2))
    affine = look["everywhere"].unflatten(1, (3, 4))
    return (torch.matmul(affine[:, :, :3], view) + affine[:, :, 3:]).transpose(1, 2)

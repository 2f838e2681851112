"""The field model: decides on a smooth field of light from a small picture, applies it at any size.

What belongs here: how a plate is made small, what its look is made of, and the loss that teaches
it. What does not: the network (`nets/field_net.py`), slicing (`slicing.py`), which frames it
learns from (`tasks/`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.dailies.same_set import Landmarks
from footagefit.errors import WrongValue
from footagefit.models.anchor import Shown, Sight, lacking, landmarks, sighted
from footagefit.models.base import Amounts, Look, Model, scaled, shrunk
from footagefit.models.nets.field_net import CELL_PX, FieldNet, Guide
from footagefit.models.nets.follow import followed
from footagefit.models.nets.light import gain_and_offset, stops
from footagefit.models.nets.mirrored import agreed, both_ways
from footagefit.models.nets.settle import settled
from footagefit.models.objectives import LightError, Roughness
from footagefit.models.slicing import Way, slice_and_apply, slice_points, with_global
from footagefit.records import Given, Pair

ANCHOR = "anchor"  # what the set itself says, in looks and as a knob
RELIT = "relit"  # what is to be added to that where a key moved: likewise
_EVEN = 0.5  # of what the net says of places, what is let go of where the set speaks


class FieldModel(Model):
    """Colour changes in stops: one for the whole frame, and an edge-aware grid of local ones.

    Untrained it returns the plate to the bit, unless a reference shows the plate's own set.

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
        anchors: Whether looks are held to what stands in plate and reference both.
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
        anchors: bool = True,
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
        self.anchors = anchors

    def small(self, given: Given) -> Given:
        """Every picture at `long_px`; one way for frames and their proxies."""
        return shrunk(given, long_px=self.long_px, cell_px=CELL_PX)

    def look(self, given_small: Given) -> Look:
        """`everywhere` (B,12), `cells`, `anchor` and `relit` (B,12,Z,h,w), all changes of stops.

        The first two are what the net says, of the picture and of its mirror image together,
        settled; `anchor` is what the set itself says that these lack, where a reference shows it,
        and `relit` what is added to it where a key moved: as long as nobody asks, nothing.
        """
        said = self.said(given_small)
        return {**said, **self._anchored(said, given_small)}

    def said(self, small: Given) -> Look:
        """What the net alone says, which is all that exported nets know."""
        everywhere, cells = agreed(
            *self.net(
                *both_ways(small.plate, small.mask, small.guide, small.reference, small.vector)
            )
        )
        return self._settled(everywhere, cells, small)

    def _anchored(self, look: Look, small: Given) -> Look:
        """What the set itself says, where plate and reference both show it, less what the net said.

        0 where no reference shows the set.
        """
        said = grid_of(look)
        further = {ANCHOR: torch.zeros_like(said), RELIT: torch.zeros_like(said)}
        if not self.anchors or not small.reference.shape[1]:
            return further
        beside: list[Landmarks] = []
        for b, references in enumerate(small.reference):
            if not b or not torch.equal(references, small.reference[b - 1]):
                beside = landmarks(references)
            sight = sighted(small.plate[b], small.mask[b, 0], beside)
            if sight is not None:
                firm, relit = self._lacking(said[b : b + 1], small, b, sight)
                further[ANCHOR][b], further[RELIT][b] = firm, relit
        return further

    @torch.no_grad()
    def _lacking(self, said: Tensor, small: Given, b: int, sight: Sight) -> tuple[Tensor, Tensor]:
        """What a field (1,12,Z,h,w) lacks: places are the set's where it stands, smooth beside."""
        plate = small.plate[b : b + 1]
        depth = self.guide(stops(plate))
        size = (said.shape[2], said.shape[3], said.shape[4])
        stands = torch.from_numpy(sight.known_HW).to(said)[None, None]
        trust = (1.0 - _EVEN) * F.adaptive_avg_pool2d(stands, size[1:])[0, 0]
        alike = evened(said, [depth[0]])
        even = alike + trust * (said - alike)
        made, nearly = (
            slice_and_apply(plate, grid, self.guide, way=self.way)[0] for grid in (said, even)
        )
        lacks = lacking(Shown(plate[0], made, nearly, small.mask[b, 0], depth[0]), sight, size)
        firm = sight.sure * (even + lacks.firm.to(said) - said)[0]
        return firm, sight.sure * lacks.relit.to(said)

    def _settled(self, everywhere: Tensor, cells: Tensor, small: Given) -> Look:
        view = stops(small.plate)
        everywhere, cells = settled(everywhere, cells, view, small.mask, self.guide(view))
        return {"everywhere": everywhere, "cells": cells}

    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate with the field on it, at its own size; nothing is clamped."""
        return slice_and_apply(given.plate, grid_of(look), self.guide, way=self.way)

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """Parts of a field: its differences from place to place, its light and its hues."""
        asked = (amounts.local, amounts.tone, amounts.colour)
        everywhere = followed(look["everywhere"][:, :, None, None, None], *asked)[:, :, 0, 0, 0]
        parts = {"everywhere": everywhere, "cells": followed(look["cells"], *asked)}
        if ANCHOR in look:
            anchor = look[ANCHOR] + amounts.relit * look[RELIT]
            parts[ANCHOR] = amounts.anchor * followed(anchor, *asked)
        return scaled(parts, amounts.strength)

    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """`gain` and `offset` (B,3,H,W): plate x gain + offset is the result."""
        out = slice_and_apply(given.plate, grid_of(look), self.guide, way=self.way)
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


def grid_of(look: Look) -> Tensor:
    """All that a look changes, in one grid (B,12,Z,h,w)."""
    grid = with_global(look["everywhere"], look["cells"])
    return grid + look[ANCHOR] if ANCHOR in look else grid


def evened(grid: Tensor, depths: Sequence[Tensor]) -> Tensor:
    """A grid (1,12,Z,h,w) without places (1,12,Z,1,1): each depth's mean, by how much is read.

    Args:
        grid: Changes of stops.
        depths: Where the pixels of some pictures (each (H,W)) read it, 0..1.
    """
    count, rows, columns = grid.shape[2:]
    weight = grid.new_full((count, rows, columns), 1e-3)
    for depth in depths:
        z = depth * (count - 1)
        for k in range(count):
            near = (1.0 - (z - k).abs()).clamp_min(0.0)[None, None]
            weight[k] += F.adaptive_avg_pool2d(near, (rows, columns))[0, 0]
    share = weight / weight.sum((1, 2), keepdim=True)
    return (grid * share[None, None]).sum((3, 4), keepdim=True)

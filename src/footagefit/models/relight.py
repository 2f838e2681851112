"""The relight model: perceives shape and light from a small plate, moves the light, applies it.

What belongs here: what its look is made of, how that is applied at full size, and the loss that
teaches it. What does not: the networks (`nets/relight_net.py`), the light estimator (`signature`),
slicing (`slicing.py`), which lights it learns from (`tasks/relight.py`).

Shapes: B batch, C channels, H rows, W columns, Z depth cells, h and w of what is decided small.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.models.base import Look, Model, resampled, shrunk
from footagefit.models.nets.field_net import Guide
from footagefit.models.nets.light import TOE, stops
from footagefit.models.nets.light_code import Lamp, asked, lamp_of, movement
from footagefit.models.nets.relight_net import CELL_PX, RelightNet
from footagefit.models.objectives import LightError
from footagefit.models.slicing import Way, slice_and_apply, slice_points
from footagefit.records import Given, Pair
from footagefit.signature import light as estimator
from footagefit.signature.light_net import LightNet
from footagefit.signature.light_vector import VECTOR

_GREY = 0.18


class RelightModel(Model):
    """Light by number: gain by an edge-aware grid of stops, and light added where there was none.

    Where no control is set it returns the plate to the bit, whatever was learnt.

    Args:
        guide_channels: None are used; a task that gives some is refused.
        vector_size: Entries of the light code with present flags.
        width: Channels of the net's first stage.
        depth_cells: Cells of the grid along its guide.
        long_px: Long side of the small picture, in cells of 16.
        points: Random pixels that a training picture is judged on.
        way: How looks are applied: auto, plain, compiled or numba.
    """

    def __init__(
        self,
        *,
        guide_channels: int = 0,
        vector_size: int = 2 * len(VECTOR),
        width: int = 32,
        depth_cells: int = 6,
        long_px: int = 128,
        points: int = 4096,
        way: Way = "auto",
    ) -> None:
        super().__init__()
        if long_px % CELL_PX:
            raise WrongValue(f"long_px: expected a multiple of {CELL_PX}, got {long_px}")
        if guide_channels or vector_size != 2 * len(VECTOR):
            raise WrongValue(f"the relight model takes {2 * len(VECTOR)} controls and no guide")
        self.net = RelightNet(width=width)
        self.guide = Guide()
        self.light_error = LightError()
        shipped = estimator.shipped()
        self.light = LightNet() if shipped is None else LightNet(width=_width(shipped))
        self.register_buffer("taught", torch.tensor(float(shipped is not None)))
        if shipped is not None:
            self.light.load_state_dict(shipped.state_dict())
        self.light.requires_grad_(False)
        self.depth_cells = depth_cells
        self.long_px = long_px
        self.points = points
        self.way: Way = way

    def small(self, given: Given) -> Given:
        """Every picture at `long_px`; one way for frames and their proxies."""
        return shrunk(given._replace(guide=given.guide[:, :0]), long_px=self.long_px, cell_px=CELL_PX)

    def look(self, given_small: Given) -> Look:
        """What to do, from the small plate.

        Returns:
            `cells` (B,3,Z,h,w) stops, `lift` (B,3,h,w) light to add, and for layers `confidence`
            (B,1,h,w), `normals` (B,3,h,w), `height`, `shadow` and `shading` (B,1,h,w).
        """
        return self._look(given_small, *self._lights(given_small))

    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate with the look on it, at its own size; nothing is clamped."""
        out = slice_and_apply(given.plate, _grid(look["cells"]), self.guide, way=self.way)
        return out + resampled(look["lift"], _size(given.plate))

    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """`gain`, `offset` (plate x gain + offset is the result), and what was perceived."""
        size = _size(given.plate)
        out = slice_and_apply(given.plate, _grid(look["cells"]), self.guide, way=self.way)
        gain = (out + TOE) / (given.plate + TOE)
        safe = (given.plate + TOE).abs() > 1e-4
        gain = torch.where(safe, gain, torch.ones_like(gain))
        offset = out - given.plate * gain + resampled(look["lift"], size)
        normals = F.normalize(resampled(look["normals"], size), dim=1, eps=1e-6)
        made = {"gain": gain, "offset": offset, "normals": normals}
        for name in ("confidence", "height", "shadow", "shading"):
            made[name] = resampled(look[name], size)
        return made

    def loss(self, pair: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """`light` of the result, `whole` of the change before trust, and what was perceived."""
        small = self.small(pair.given)
        lights = self._lights(small)
        made = self._decided(small, *lights)
        look = self._as_look(small, made)
        given = pair.given
        batch, _, height, width = given.plate.shape
        index = torch.randint(height * width, (1, self.points), generator=rng)
        index = index.to(given.plate.device).expand(batch, -1)
        light = slice_points(given.plate, _grid(look["cells"]), self.guide, index=index)
        light = light + _picked(resampled(look["lift"], (height, width)), index)
        weight = _picked(pair.weight * given.mask, index)
        terms = {"light": self.light_error(light, _picked(pair.target, index), weight)}
        terms["whole"] = 0.25 * self._whole(small, made, pair)
        if "normals" in pair.truth:
            shapes = ("normals", "depth", "albedo")
            truth = {n: resampled(pair.truth[n], _size(small.plate)) for n in shapes}
            terms |= _perceived(made, truth)
        if "real" in pair.truth:
            terms["mirror"] = self._mirror(small, made, pair.truth["real"])
        return terms

    def own_light(self, given_small: Given) -> Lamp:
        """The plate's own light, as the estimator reads it."""
        small = given_small
        return lamp_of(self._estimated(small.plate, small.mask))

    def _lights(self, small: Given) -> tuple[Lamp, Lamp, Tensor]:
        like = None
        if small.reference.shape[1]:
            count = small.reference.shape[1]
            flat = small.reference.flatten(0, 1)
            each = self._estimated(flat, torch.ones_like(flat[:, :1]))
            mean = each.unflatten(0, (-1, count)).mean(1)
            like = lamp_of(torch.cat([F.normalize(mean[:, :3], dim=1, eps=1e-4), mean[:, 3:]], 1))
        return asked(small.vector, self.own_light(small), like)

    def _estimated(self, plate: Tensor, mask: Tensor) -> Tensor:
        with torch.no_grad():
            net = self.light if float(self.get_buffer("taught")) > 0 else None
            if net is None:
                return estimator.plain(plate, mask)
            return estimator.raw(plate, mask, net=net)

    def _decided(self, small: Given, old: Lamp, new: Lamp, add: Tensor) -> dict[str, Tensor]:
        moved = movement(old, new, add)
        made = self.net(small.plate, small.mask, old, new, add, moved)
        return {
            **made,
            "common": _common(old, new)[:, :, None, None] * (1.0 - add[:, :, None, None]),
        }

    def _look(self, small: Given, old: Lamp, new: Lamp, add: Tensor) -> Look:
        return self._as_look(small, self._decided(small, old, new, add))

    def _as_look(self, small: Given, made: dict[str, Tensor]) -> Look:
        weight = (small.mask + 0.05) / (small.mask + 0.05).sum((2, 3), keepdim=True)
        mean = (small.plate.clamp_min(0.0).mean(1, keepdim=True) * weight).sum((2, 3), keepdim=True)
        # What key and fill have in common is exposure and balance: no shape, no doubt.
        delta = made["common"] + made["trust"] * (made["change"] - made["common"])
        facing = made["normals"][:, 2:3]
        return {
            "cells": self._splatted(small.plate, delta),
            "lift": made["trust"] * made["lift"] * mean,
            "confidence": made["trust"],
            "normals": made["normals"],
            "height": made["height"],
            "shadow": made["shadow"],
            "shading": facing,
        }

    def _splatted(self, plate: Tensor, delta: Tensor) -> Tensor:
        """Stops at h, w as a grid over the guide's depth too (B,3,Z,h,w).

        Each cell takes what places about it with light of its depth have; cells that no place
        has, what is nearest.
        """
        depth = self.guide(stops(F.avg_pool2d(plate, 2)))[:, None]
        cells = torch.arange(self.depth_cells, device=plate.device, dtype=plate.dtype)
        place = depth * (self.depth_cells - 1)
        near = (1.0 - (place - cells.view(1, -1, 1, 1)).abs()).clamp_min(0.0)  # (B,Z,h,w)
        weight = near[:, None]
        total = delta[:, :, None] * weight
        total, weight = _pooled(total, 3), _pooled(weight, 3)
        wide, wide_weight = _pooled(total, 5), _pooled(weight, 5)
        plain = _pooled(delta[:, :, None].expand_as(total), 3)
        faint = 0.01
        rest = (wide + faint * plain) / (wide_weight + faint)
        return (total + 0.05 * rest) / (weight + 0.05)

    def _whole(self, small: Given, made: dict[str, Tensor], pair: Pair) -> Tensor:
        """Error of the change before trust, where it can be read: so that trust has a choice."""
        rows, columns = made["change"].shape[2:]
        size = (int(rows), int(columns))
        plate = resampled(pair.given.plate, size).clamp_min(0.0)
        target = resampled(pair.target, size).clamp_min(0.0)
        weight = resampled(pair.weight * pair.given.mask, size)
        wanted = torch.log2((target + 4 * TOE) / (plate + 4 * TOE))
        off = F.smooth_l1_loss(made["change"], wanted, reduction="none", beta=0.5)
        bright = (plate.mean(1, keepdim=True) > 4 * TOE).float() + 0.1
        weight = weight * bright
        return (off * weight).sum() / (3.0 * weight.sum()).clamp_min(1.0)

    def _mirror(self, small: Given, made: dict[str, Tensor], real: Tensor) -> Tensor:
        """A mirrored plate under a mirrored light changes as the plate does, mirrored."""
        if not bool((real > 0).any()):
            return made["change"].sum() * 0.0
        flipped = small._replace(
            plate=small.plate.flip(3), mask=small.mask.flip(3), vector=_mirrored(small.vector)
        )
        other = self._decided(flipped, *self._lights(flipped))
        both = (made["trust"] * made["change"], (other["trust"] * other["change"]).flip(3))
        return ((both[0] - both[1]).abs().mean((1, 2, 3)) * real.view(-1)).mean()


def _common(old: Lamp, new: Lamp) -> Tensor:
    """Stops (B,3) that key and fill move by together; 0 where they do not."""
    key, fill = new.key - old.key, new.fill - old.fill
    both = torch.minimum(key.abs(), fill.abs()) * key.sign()
    return torch.where(key * fill > 0, both, torch.zeros_like(both))


def _mirrored(vector: Tensor) -> Tensor:
    sign = torch.ones(len(VECTOR), device=vector.device, dtype=vector.dtype)
    for name in ("light.azimuth_x", "light.by.azimuth", "light.plate.azimuth_x"):
        sign[VECTOR.index(name)] = -1.0
    both = torch.stack([sign, torch.ones_like(sign)], 1).flatten()
    return vector * both


def _perceived(made: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, Tensor]:
    """Errors of normals, height and albedo where the truth is known (depth is 0 where not)."""
    there = F.avg_pool2d((truth["depth"] > 0).float(), 2)
    count = there.sum().clamp_min(1.0)
    true = F.normalize(F.avg_pool2d(truth["normals"], 2), dim=1, eps=1e-4)
    normals = (1.0 - (made["normals"] * true).sum(1, keepdim=True)) * there
    albedo = F.avg_pool2d(truth["albedo"], 2).clamp_min(0.01).log2() + 2.5
    off = (made["albedo"] - albedo) * there
    off = off - off.mean((1, 2, 3), keepdim=True) / there.mean((1, 2, 3), keepdim=True).clamp_min(
        0.05
    )
    height, sure = _true_height(truth["depth"], truth["normals"])
    rise = made["height"] - height
    middle = (rise * sure).sum((2, 3), keepdim=True) / sure.sum((2, 3), keepdim=True).clamp_min(1.0)
    rise = ((rise - middle).abs() * sure).sum() / sure.sum().clamp_min(1.0)
    return {
        "normals": 0.5 * normals.sum() / count,
        "albedo": 0.05 * (off.abs() * there).sum() / count,
        "height": rise,
    }


def _true_height(depth: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
    """Height towards the camera in picture widths (B,1,h,w), and where it is known.

    The lens is not known, so the scale of depth is read off the normals: the slope of a surface
    is what its normal says.
    """
    there = F.avg_pool2d((depth > 0).float(), 2).floor()
    depth = F.avg_pool2d(depth, 2)
    middle = (depth * there).sum((2, 3), keepdim=True) / there.sum((2, 3), keepdim=True).clamp_min(
        1.0
    )
    near = -(depth.clamp_min(1e-3) / middle.clamp_min(1e-3)).log2().clamp(-3.0, 3.0) * there
    normals = F.avg_pool2d(normals, 2)
    width = depth.shape[3]
    slope = (-normals[:, 0:1] / normals[:, 2:3].clamp_min(0.15))[..., 1:-1] / width
    rise = 0.5 * (near[..., 2:] - near[..., :-2])
    smooth = there[..., 2:] * there[..., :-2] * (rise.abs() < 0.1) * (slope.abs() * width < 3.0)
    scale = (rise * slope * smooth).sum((1, 2, 3)) / ((rise * rise * smooth).sum((1, 2, 3)) + 1e-5)
    known = (scale > 0.05).float()[:, None, None, None]
    scale = scale.clamp(0.05, 4.0)[:, None, None, None]
    return (near * scale).clamp(-1.5, 1.5), there * known


def _grid(cells: Tensor) -> Tensor:
    """Stops as the grid of affine changes that slicing takes (B,12,Z,h,w): offsets alone."""
    none = torch.zeros_like(cells)
    rows = torch.stack([none, none, none, cells], 2)  # (B,3,4,Z,h,w)
    return rows.flatten(1, 2)


def _pooled(cells: Tensor, size: int) -> Tensor:
    """Mean over places about each (B,C,Z,h,w)."""
    flat = cells.flatten(1, 2)
    pooled = F.avg_pool2d(flat, size, stride=1, padding=size // 2, count_include_pad=False)
    return pooled.view(cells.shape)


def _picked(picture: Tensor, index: Tensor) -> Tensor:
    channels = picture.shape[1]
    return picture.flatten(2).gather(2, index[:, None].expand(-1, channels, -1))


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[2]), int(picture.shape[3])


def _width(net: nn.Module) -> int:
    return int(net.state_dict()["stem.weight"].shape[0])

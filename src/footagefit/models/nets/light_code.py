"""Lights as numbers a network takes: the plate's own, what was asked, and the light after.

Shapes: B batch, D vector entries. Everything in tensors; nothing here learns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.signature.light_vector import LUMA, VECTOR

_PLACE = {name: i for i, name in enumerate(VECTOR)}
_STEEPEST = 1.55  # radians of elevation


class Lamp(NamedTuple):
    """A light on a batch of pictures.

    Attributes:
        way: (B,3) unit vector to the key.
        sure: (B,1) log concentration of that.
        soft: (B,1) log2 of the key's angular diameter in degrees.
        key: (B,3) stops of R, G, B.
        fill: (B,3) the same of the dome.
    """

    way: Tensor
    sure: Tensor
    soft: Tensor
    key: Tensor
    fill: Tensor


def lamp_of(numbers: Tensor) -> Lamp:
    """From the estimator's numbers (B,11)."""
    n = numbers
    return Lamp(n[:, :3], n[:, 3:4], n[:, 4:5], n[:, 5:8], n[:, 8:11])


def lamp_of_way(numbers: Tensor) -> Lamp:
    """From direction, log of how sure, and softness (B,5); levels are sums: none are taught."""
    none = numbers.new_zeros(len(numbers), 3)
    return Lamp(numbers[:, :3], numbers[:, 3:4], numbers[:, 4:5], none, none)


def asked(vector: Tensor, own: Lamp, like: Lamp | None = None) -> tuple[Lamp, Lamp, Tensor]:
    """The plate's light, the light after, and whether that is added (B,1).

    Args:
        vector: (B,2 x len(VECTOR)) values and present flags.
        own: As estimated.
        like: The light of a reference, to be taken where no direction is asked for.
    """
    get = _Entries(vector)
    old = _stated(get, own)
    base = old if like is None else _like(old, like)
    return old, _after(get, base), get.flag("light.add") * get.value("light.add")


def movement(old: Lamp, new: Lamp) -> Tensor:
    """How far the key moves or widens (B,1): 0 for not at all, towards 1; smooth about 0.

    A turn that is no more than the doubt about where the plate's key stands hardly counts.
    """
    turn = torch.acos((old.way * new.way).sum(1, keepdim=True).clamp(-1.0, 1.0) * 0.9999999)
    turn = torch.where((old.way == new.way).all(1, keepdim=True), torch.zeros_like(turn), turn)
    reach = 0.35**2 + torch.exp(-old.sure)  # radians^2
    much = turn.square() / reach + ((old.soft - new.soft) / 4.0).square()
    return 1.0 - torch.exp(-much)


def mirrored(lamp: Lamp) -> Lamp:
    """The same light in a mirrored picture."""
    return lamp._replace(way=lamp.way * lamp.way.new_tensor([-1.0, 1.0, 1.0]))


def both(one: Lamp, other: Lamp) -> Lamp:
    """Two batches of lights as one."""
    return Lamp(*(torch.cat(pair) for pair in zip(one, other, strict=True)))


def level(stops: Tensor) -> Tensor:
    """Stops of luminance (B,1) of colours in stops (B,3)."""
    return torch.log2((torch.exp2(stops) * stops.new_tensor(LUMA)).sum(1, keepdim=True))


class _Entries:
    """Values and flags by name (B,1)."""

    def __init__(self, vector: Tensor) -> None:
        self._vector = vector

    def value(self, name: str) -> Tensor:
        at = 2 * _PLACE[name]
        return self._vector[:, at : at + 1]

    def flag(self, name: str) -> Tensor:
        at = 2 * _PLACE[name] + 1
        return self._vector[:, at : at + 1]

    def pick(self, name: str, other: Tensor) -> Tensor:
        return torch.where(self.flag(name) > 0, self.value(name), other)

    def three(self, start: str) -> tuple[Tensor, Tensor]:
        names = [f"{start}_{c}" for c in "rgb"]
        return torch.cat([self.value(n) for n in names], 1), self.flag(names[0])


def _stated(get: _Entries, own: Lamp) -> Lamp:
    """The plate's light, its direction as it was stated where it was."""
    x, z = get.value("light.plate.azimuth_x"), get.value("light.plate.azimuth_z")
    y = get.value("light.plate.elevation_y").clamp(-1.0, 1.0)
    flat = (1.0 - y * y).clamp_min(0.0).sqrt()
    way = torch.cat([x * flat, y, z * flat], 1)
    known = get.flag("light.plate.elevation_y") > 0
    sure = torch.where(known, torch.full_like(own.sure, 4.0), own.sure)
    return own._replace(way=torch.where(known, way, own.way), sure=sure)


def _like(old: Lamp, like: Lamp) -> Lamp:
    """A reference's direction, softness and contrast, at the plate's own exposure."""
    contrast = level(like.key) - level(like.fill)
    fill = old.fill + (level(old.key) - level(old.fill)) - contrast
    return old._replace(way=like.way, soft=like.soft, fill=fill)


def _after(get: _Entries, base: Lamp) -> Lamp:
    key = _recoloured(get, "key", base.key)
    fill = _recoloured(get, "fill", base.fill)
    soft = get.pick("light.softness_log2", base.soft)
    by_soft = get.value("light.by.softness_deg")
    softer = torch.log2((torch.exp2(soft) + by_soft).clamp(0.5, 180.0))
    soft = torch.where(by_soft != 0, softer, soft)
    turned = _turned(get, base.way)
    names = ("light.azimuth_x", "light.elevation_y", "light.by.azimuth", "light.by.elevation")
    moves = torch.cat([get.flag(n) for n in names], 1).amax(1, keepdim=True) > 0
    return base._replace(way=torch.where(moves, turned, base.way), soft=soft, key=key, fill=fill)


def _turned(get: _Entries, way: Tensor) -> Tensor:
    own_azimuth = torch.atan2(way[:, 0:1], way[:, 2:3])
    own_elevation = torch.asin(way[:, 1:2].clamp(-0.9999, 0.9999))
    there = torch.atan2(get.value("light.azimuth_x"), get.value("light.azimuth_z") + 1e-12)
    azimuth = torch.where(get.flag("light.azimuth_x") > 0, there, own_azimuth)
    azimuth = azimuth + get.value("light.by.azimuth")
    up = torch.asin(get.value("light.elevation_y").clamp(-1.0, 1.0))
    elevation = torch.where(get.flag("light.elevation_y") > 0, up, own_elevation)
    elevation = (elevation + get.value("light.by.elevation")).clamp(-_STEEPEST, _STEEPEST)
    flat = torch.cos(elevation)
    turned = [torch.sin(azimuth) * flat, torch.sin(elevation), torch.cos(azimuth) * flat]
    return F.normalize(torch.cat(turned, 1), dim=1)


def _recoloured(get: _Entries, which: str, stops: Tensor) -> Tensor:
    """Key or fill with level and colour as they were asked for; untouched to the bit if not."""
    chroma, coloured = get.three(f"light.{which}")
    own_level = level(stops)
    colour = torch.where(coloured > 0, chroma + own_level, stops)
    ev = get.value(f"light.{which}_ev")
    levelled = colour + (ev - own_level)
    colour = torch.where(get.flag(f"light.{which}_ev") > 0, levelled, colour)
    return colour + get.value(f"light.by.{which}_ev") + get.three(f"light.by.{which}")[0]

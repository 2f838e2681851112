"""The relight model: perceives shape and light from a small plate, moves the key, applies it.

What belongs here: what its look is made of, how that is applied at full size, and the loss that
teaches it. What does not: the networks (`nets/relight_net.py`), the light estimator (`signature`),
which lights it learns from (`tasks/relight.py`).

The plate is its key's light and all the rest. With s the key's share of a pixel, n what the moved
key would give there (both over the plate's light), k and f the stops that key and rest change by,

    result = plate x (s' 2^k + (1 - s) 2^f),    s' = s + moved x trust x (n - s)

which adds up as light does, is exposure and balance where both change alike, and is the plate to
the bit where nothing is asked.

Shapes: B batch, C channels, H rows, W columns, h and w of the small plate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.models.base import Look, Model, resampled, shrunk, small_size
from footagefit.models.nets.light import TOE, stops
from footagefit.models.nets.light_code import (
    Lamp,
    asked,
    both,
    lamp_of,
    lamp_of_way,
    mirrored,
    movement,
)
from footagefit.models.nets.relight_net import CELL_PX, RelightNet, Seen
from footagefit.models.objectives import LightError
from footagefit.models.remembered import Remembered
from footagefit.records import Given, Pair
from footagefit.signature import light as estimator
from footagefit.signature.light_net import LightNet
from footagefit.signature.light_vector import VECTOR

_DOUBTED_EV = 4.0  # an error to expect of this size halves what is done
_PLAIN = 0.02  # stops^2 of the plate's own contrast under which a change follows no edge
_WINDOW = 7  # of the small picture's pixels, in which a change follows the plate
_LEAST, _MOST = -1.0 + 2.0**-7, 2.0**5  # change of light over the plate's, whatever is asked


class RelightModel(Model):
    """Light by number: gain that follows the plate's edges, and light added where there was none.

    Where no control is set it returns the plate to the bit, whatever was learnt.

    Args:
        guide_channels: None are used; a task that gives some is refused.
        vector_size: Entries of the light code with present flags.
        width: Channels of the net's first stage.
        long_px: Long side of the small picture that looks are decided from, in cells of 16.
        lesson_px: The same of the pictures it is taught with.
    """

    def __init__(
        self,
        *,
        guide_channels: int = 0,
        vector_size: int = 2 * len(VECTOR),
        width: int = 32,
        long_px: int = 96,
        lesson_px: int = 48,
    ) -> None:
        super().__init__()
        for name, side in (("long_px", long_px), ("lesson_px", lesson_px)):
            if side % CELL_PX:
                raise WrongValue(f"{name}: expected a multiple of {CELL_PX}, got {side}")
        if guide_channels or vector_size != 2 * len(VECTOR):
            raise WrongValue(f"the relight model takes {2 * len(VECTOR)} controls and no guide")
        self.net = RelightNet(width=width)
        self.net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.light_error = LightError()
        shipped = estimator.shipped()
        self.light = LightNet() if shipped is None else LightNet(width=_width(shipped))
        self.register_buffer("taught", torch.tensor(float(shipped is not None)))
        if shipped is not None:
            self.light.load_state_dict(shipped.state_dict())
        self.light.requires_grad_(False)
        # A control that turns leaves what is seen as it is. Weights are asked with: they learn.
        self._perceived, self._read = Remembered[Seen](2), Remembered[Tensor](2)
        self.long_px, self.lesson_px = long_px, lesson_px

    def small(self, given: Given) -> Given:
        """Every picture at `long_px`; one way for frames and their proxies."""
        return _shrunk(given, self.long_px)

    def look(self, given_small: Given) -> Look:
        """What to do, from the small plate at two sizes and their mirror images.

        Returns:
            All (B,C,h,w) or half of that: `slope` (9) and `level` (3), which change the plate by
            plate x (slope x guides + level), `lift` (3) light to add, and for layers `confidence`,
            `normals` (3), `height`, `shadow` and `shading`.
        """
        small = given_small
        old, new, add = self._lights(small)
        made = self._decided(small.plate, small.mask, old, new)
        trust = 1.0 / (1.0 + (made["doubt"] / _DOUBTED_EV).square())
        change, lift = _changed(small, made, (old, new, add), trust)
        slope, level = _along(small.plate, change)
        normals = F.normalize(made["normals"], dim=1, eps=1e-4)
        return {
            "slope": slope,
            "level": level,
            "lift": lift,
            "confidence": trust,
            "normals": normals,
            "height": made["height"],
            "shadow": made["shadow"],
            "shading": normals[:, 2:3],
        }

    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate with the look on it, at its own size; nothing is clamped."""
        return given.plate + given.plate * _change_at(look, given.plate) + _lift_at(look, given)

    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """`gain`, `offset` (plate x gain + offset is the result), and what was perceived."""
        size = _size(given.plate)
        normals = F.normalize(resampled(look["normals"], size), dim=1, eps=1e-6)
        made = {
            "gain": 1.0 + _change_at(look, given.plate),
            "offset": _lift_at(look, given),
            "normals": normals,
        }
        for name in ("confidence", "height", "shadow", "shading"):
            made[name] = resampled(look[name], size)
        return made

    def loss(self, pair: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """`light` of the result, `doubt` against its error, and what was perceived.

        Doubt takes no part in the result here, so that it learns the error and hides none.
        """
        small = _shrunk(pair.given, self.lesson_px)
        own = lamp_of_way(pair.truth["own"]) if "own" in pair.truth else self.own_light(small)
        old, new, add = asked(small.vector, own)
        made = self.net(small.plate, small.mask, old, new)
        change, lift = _changed(small, made, (old, new, add), torch.ones_like(made["doubt"]))
        size = _size(small.plate)
        target = resampled(pair.target, size)
        weight = resampled(pair.weight * pair.given.mask, size)
        result = small.plate + small.plate * change.clamp(_LEAST, _MOST) + lift
        flat = (result.flatten(2), target.flatten(2), weight.flatten(2))
        terms = {"light": self.light_error(*flat), "doubt": _doubt(made["doubt"], *flat)}
        if "share" in pair.truth:
            truth = resampled(pair.truth["share"], size)
            off = F.smooth_l1_loss(made["share"], truth, reduction="none", beta=0.1) * weight
            terms["share"] = 1.5 * off.sum() / (3.0 * weight.sum()).clamp_min(1.0)
        if "normals" in pair.truth:
            terms |= perceived(made, pair.truth, size)
        if "real" in pair.truth:
            terms["mirror"] = self._mirror(small, made, (old, new), pair.truth["real"])
        return terms

    def own_light(self, given_small: Given) -> Lamp:
        """The plate's own light, as the estimator reads it."""
        return lamp_of(self._estimated(given_small.plate, given_small.mask))

    def _decided(self, plate: Tensor, mask: Tensor, old: Lamp, new: Lamp) -> dict[str, Tensor]:
        """What the net makes, at the plate's size: the mean of two sizes and their mirror images.

        Small pictures are what it was taught with, and show it the whole; larger ones the detail.
        """
        large = self._both(plate, mask, old, new)
        size = small_size(*_size(plate), long_px=_smaller_px(plate), cell_px=CELL_PX)
        less = self._both(resampled(plate, size), resampled(mask, size), old, new)
        return {n: 0.5 * (made + resampled(less[n], _size(made))) for n, made in large.items()}

    def _both(self, plate: Tensor, mask: Tensor, old: Lamp, new: Lamp) -> dict[str, Tensor]:
        """The mean of a plate and its mirror image."""
        old, new = both(old, mirrored(old)), both(new, mirrored(new))
        seen = self._perceived(
            lambda view, alpha, *_: self.net.perceive(view, alpha, old),
            torch.cat([plate, plate.flip(3)]), torch.cat([mask, mask.flip(3)]),
            old.way, old.sure, self.net.perception.stem.weight, self.net.seen.weight,
        )  # fmt: skip
        two = self.net.decide(seen, old, new)
        made = {name: tensor.chunk(2)[0] for name, tensor in two.items()}
        other = {name: tensor.chunk(2)[1].flip(3) for name, tensor in two.items()}
        other["normals"] = other["normals"] * _across(other["normals"])
        return {name: 0.5 * (tensor + other[name]) for name, tensor in made.items()}

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
            weight = next(net.parameters())
            return self._read(
                lambda view, alpha, _: estimator.raw(view, alpha, net=net), plate, mask, weight
            )

    def _mirror(
        self, small: Given, made: dict[str, Tensor], lights: tuple[Lamp, Lamp], real: Tensor
    ) -> Tensor:
        """A mirrored plate under a mirrored light is made of what the plate is, mirrored."""
        if not bool((real > 0).any()):
            return made["key"].sum() * 0.0
        turned = (mirrored(lamp) for lamp in lights)
        other = self.net(small.plate.flip(3), small.mask.flip(3), *turned)
        off = [(made[n] - other[n].flip(3)).abs().mean((1, 2, 3)) for n in ("share", "key")]
        return ((off[0] + off[1]) * real.view(-1)).mean()


def _shrunk(given: Given, long_px: int) -> Given:
    return shrunk(given._replace(guide=given.guide[:, :0]), long_px=long_px, cell_px=CELL_PX)


def _smaller_px(plate: Tensor) -> int:
    """Two thirds of a picture's long side, in whole cells."""
    return max(CELL_PX, round(max(_size(plate)) / 1.5 / CELL_PX) * CELL_PX)


def _changed(
    small: Given, made: dict[str, Tensor], lights: tuple[Lamp, Lamp, Tensor], trust: Tensor
) -> tuple[Tensor, Tensor]:
    """Change of light over the plate's, and light to add (both B,3,h,w)."""
    old, new, add = lights
    key = torch.exp2(new.key - old.key)[:, :, None, None]
    rest = torch.exp2(new.fill - old.fill)[:, :, None, None]
    moved = movement(old, new)[:, :, None, None] * trust
    share, given = made["share"], made["key"]
    change = share * (key - 1.0) + (1.0 - share) * (rest - 1.0) + key * moved * (given - share)
    adds = add[:, :, None, None] > 0
    weight = (small.mask + 0.05) / (small.mask + 0.05).sum((2, 3), keepdim=True)
    mean = (small.plate.clamp_min(0.0).mean(1, keepdim=True) * weight).sum((2, 3), keepdim=True)
    lift = key * mean * made["lift"]
    return torch.where(adds, key * given, change), torch.where(adds, lift, moved * lift)


def _along(plate: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """A change as a straight line in the plate's light and colour about each place.

    A guided filter (He, Sun and Tang 2013) by three guides: what is alike nearby is changed alike,
    so that a change decided in few pixels ends where things end, with hardly a halo about them.

    Returns:
        `slope` (B,9,h,w), by guide and then by channel, and `level` (B,3,h,w).
    """

    def mean(x: Tensor) -> Tensor:
        reach = _WINDOW // 2
        return F.avg_pool2d(x, _WINDOW, stride=1, padding=reach, count_include_pad=False)

    def shared(one: Tensor, other: Tensor) -> Tensor:
        """Covariances (B,h,w,3,3) of channels of both."""
        both = mean((one[:, :, None] * other[:, None]).flatten(1, 2))
        apart = both - (mean(one)[:, :, None] * mean(other)[:, None]).flatten(1, 2)
        return apart.unflatten(1, (3, 3)).permute(0, 3, 4, 1, 2)

    guide = torch.cat(_guides(plate), 1)
    plain = _PLAIN * torch.eye(3, device=guide.device, dtype=guide.dtype)
    slope = torch.linalg.solve(shared(guide, guide) + plain, shared(guide, change))
    slope = slope.permute(0, 3, 4, 1, 2).flatten(1, 2)
    level = mean(change) - _line(slope, torch.zeros_like(change), mean(guide).split(1, 1))
    return mean(slope), mean(level)


def _guides(plate: Tensor) -> tuple[Tensor, ...]:
    """Brightness and two colours, in stops (each B,1,H,W)."""
    red, green, blue = stops(plate).split(1, 1)
    return (red + green + blue) / 3.0, red - green, blue - green


def _line(slope: Tensor, level: Tensor, guides: tuple[Tensor, ...]) -> Tensor:
    """What slopes and a level make of guides (B,3,H,W), at the guides' size."""
    size = _size(guides[0])
    line = resampled(level, size)
    for part, guide in zip(slope.chunk(3, 1), guides, strict=True):
        line = torch.addcmul(line, resampled(part, size), guide)
    return line


def _change_at(look: Look, plate: Tensor) -> Tensor:
    return _line(look["slope"], look["level"], _guides(plate)).clamp(_LEAST, _MOST)


def _lift_at(look: Look, given: Given) -> Tensor:
    return resampled(look["lift"], _size(given.plate))


def _doubt(doubt: Tensor, made: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """How well the error to expect says the error there is: Laplace's negative log likelihood."""
    both = torch.stack([made.detach(), target]).clamp_min(0.0) + 4 * TOE
    off = (both[0] / both[1]).log2().abs().mean(1, keepdim=True)
    expected = doubt.flatten(2) + 0.05
    each = (off / expected + expected.log()) * weight
    return 0.02 * each.sum() / weight.sum().clamp_min(1.0)


def perceived(
    made: dict[str, Tensor], truth: dict[str, Tensor], size: tuple[int, int]
) -> dict[str, Tensor]:
    """Errors of normals and height where the truth is known (depth is 0 where not)."""
    depth, true = (resampled(truth[n], size) for n in ("depth", "normals"))
    there = F.avg_pool2d((depth > 0).float(), 2)
    count = there.sum().clamp_min(1.0)
    normals = (1.0 - (made["normals"] * seen_normals(true)).sum(1, keepdim=True)) * there
    height, sure = _true_height(depth, true)
    rise = made["height"] - height
    middle = (rise * sure).sum((2, 3), keepdim=True) / sure.sum((2, 3), keepdim=True).clamp_min(1.0)
    rise = ((rise - middle).abs() * sure).sum() / sure.sum().clamp_min(1.0)
    return {"normals": 1.5 * normals.sum() / count, "height": 0.2 * rise}


def seen_normals(true: Tensor) -> Tensor:
    """Normals as they are to be perceived: at half the size."""
    return F.normalize(F.avg_pool2d(true, 2), dim=1, eps=1e-4)


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


def _across(picture: Tensor) -> Tensor:
    return picture.new_tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[2]), int(picture.shape[3])


def _width(net: nn.Module) -> int:
    return int(net.state_dict()["stem.weight"].shape[0])

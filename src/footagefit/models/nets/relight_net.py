"""The network of relighting: it perceives shape, physics shades, it corrects.

`perceive` reads normals, height and albedo off the small plate. `shade` puts them under the old
and the new light and marches shadows over the height. `correct` looks at all of that and says what
is missing, how sure it is, and what light must be added where old light was none.

Shapes: B batch, C channels, H and W of the small plate, h = H / 2 and w = W / 2 of all that is
decided. Every forward takes and returns tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.models.nets.light import stops
from footagefit.models.nets.light_code import Lamp, level

CELL_PX = 16  # sides of small pictures are multiples of this
_STEPS = (1.0, 2.0, 3.5, 5.5, 8.0, 12.0, 18.0)  # of the shadow march, in cells
_MOST_EV = 5.0  # of any change
_SHADED = 17  # channels that `correct` sees beside features and stops


class RelightNet(nn.Module):
    """Perceive and correct.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        self.perception = _UNet(4 * 7, width, deep=(2 * width, 4 * width, 4 * width))
        self.seen = nn.Conv2d(width, 7, 1)
        self.correction = _UNet(width + 3 + _SHADED, width, deep=(2 * width, 3 * width))
        self.change = nn.Conv2d(width, 3, 1)
        self.trust = nn.Conv2d(width, 1, 1)
        self.added = nn.Conv2d(width, 3, 1)
        for head in (self.change, self.trust, self.added):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)  # pyright: ignore[reportArgumentType]

    def perceive(self, plate: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features (B,C,h,w), normals (B,3,h,w), height (B,1,h,w), albedo stops (B,3,h,w)."""
        view = stops(plate)
        mean = _mean(view, mask)
        about = (view - mean).clamp(-6.0, 6.0)
        x = self.perception(_folded(torch.cat([0.4 * about, 0.1 * view, mask], 1)))
        raw = self.seen(F.silu(x))
        facing = raw.new_tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
        normals = F.normalize(raw[:, :3] + facing, dim=1, eps=1e-4)
        return x, normals, 0.2 * raw[:, 3:4], raw[:, 4:7]

    def forward(
        self, plate: Tensor, mask: Tensor, old: Lamp, new: Lamp, add: Tensor, moved: Tensor
    ) -> dict[str, Tensor]:
        """What to change (all at h, w).

        Returns:
            `change` (B,3) stops before trust, `trust` (B,1) 0..1, `lift` (B,3) light to add in
            units of the plate's mean, `physics` (B,3) stops that shading alone would change, and
            what was perceived: `normals`, `height`, `albedo`, `shadow` (B,1) of the new key.
        """
        features, normals, height, albedo = self.perceive(plate, mask)
        view = F.avg_pool2d(stops(plate), 2)
        about = (view - _mean(view, F.avg_pool2d(mask, 2))).clamp(-6.0, 6.0)
        shaded, physics, shadow = shade(normals, height, old, new, add, moved)
        x = torch.cat([features, 0.4 * about, shaded], 1)
        x = F.silu(self.correction(x))
        change = physics + moved[:, :, None, None] * 2.0 * self.change(x)
        change = _MOST_EV * torch.tanh(change / _MOST_EV)
        trust = torch.sigmoid(1.5 + 2.0 * self.trust(x))
        lift = moved[:, :, None, None] * F.softplus(self.added(x) - 4.0)
        return {
            "change": change, "trust": trust, "lift": lift, "physics": physics,
            "normals": normals, "height": height, "albedo": albedo, "shadow": shadow,
        }  # fmt: skip


def shade(
    normals: Tensor, height: Tensor, old: Lamp, new: Lamp, add: Tensor, moved: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The picture's shape under both lights.

    Returns:
        Channels for the corrector (B,17,h,w), the change in stops (B,3,h,w) that unshadowed
        shading makes, and how much of the new key is hidden (B,1,h,w).
    """
    was, will = _facing(normals, old), _facing(normals, new)
    hidden_was, hidden_will = marched(height, old.way), marched(height, new.way)
    change = _change(was, will, old, new, add)
    in_shadow = _change(was * (1 - hidden_was), will * (1 - hidden_will), old, new, add)
    size = normals.shape[2:]
    turn = (old.way * new.way).sum(1, keepdim=True)
    contrast = [level(old.key) - level(old.fill), level(new.key) - level(new.fill)]
    code = [turn, 0.2 * contrast[0], 0.2 * contrast[1], add, 0.3 * old.sure, moved,
            old.way[:, 2:3], new.way[:, 2:3]]  # fmt: skip
    spread = torch.cat(code, 1)[:, :, None, None].expand(-1, -1, *size)
    shaded = torch.cat([
        was, will, hidden_was, hidden_will, _glint(normals, old.way), _glint(normals, new.way),
        0.4 * change.mean(1, keepdim=True), 0.4 * in_shadow.mean(1, keepdim=True),
        (new.key - old.key).mean(1)[:, None, None, None].expand(-1, 1, *size), spread,
    ], 1)  # fmt: skip
    return shaded, change, hidden_will


def marched(height: Tensor, way: Tensor) -> Tensor:
    """How much each place is hidden from a light by what stands beside it (B,1,h,w).

    Screen-space: a ray from the place runs over the picture towards the light and rises with it;
    what stands higher than the ray hides it.

    Args:
        height: (B,1,h,w) towards the camera, in picture widths.
        way: (B,3) to the light.
    """
    rows, columns = int(height.shape[2]), int(height.shape[3])
    y = (torch.arange(rows, device=height.device, dtype=height.dtype) + 0.5) * (2.0 / rows) - 1.0
    x = (torch.arange(columns, device=height.device, dtype=height.dtype) + 0.5) * (2.0 / columns)
    grid = torch.stack(torch.meshgrid(y, x - 1.0, indexing="ij")[::-1], -1)[None]
    hidden = torch.zeros_like(height)
    for step in _STEPS:
        moved = way[:, :2] * way.new_tensor([2.0 * step / columns, -2.0 * step / rows])
        place = grid + moved[:, None, None]
        there = F.grid_sample(height, place, align_corners=False, padding_mode="border")
        ray = height + (way[:, 2] * step / columns)[:, None, None, None]
        above = (there - ray) * (columns / (0.6 + 0.25 * step)) - 1.0
        hidden = torch.maximum(hidden, torch.sigmoid(2.0 * above))
    return hidden


def _facing(normals: Tensor, lamp: Lamp) -> Tensor:
    """Lambert's cosine (B,1,h,w), its foot rounded by the key's size (as the stage has it)."""
    cosine = (normals * lamp.way[:, :, None, None]).sum(1, keepdim=True)
    wide = torch.sin(torch.deg2rad(torch.exp2(lamp.soft).clamp(4.0, 170.0) / 2))
    wide = wide[:, :, None, None]
    soft = (cosine + wide).clamp_min(0.0).square() / (4.0 * wide)
    return torch.where(cosine >= wide, cosine, soft)


def _glint(normals: Tensor, way: Tensor, power: float = 16.0) -> Tensor:
    half = F.normalize(way + way.new_tensor([0.0, 0.0, 1.0]), dim=1, eps=1e-4)
    return (normals * half[:, :, None, None]).sum(1, keepdim=True).clamp_min(1e-4).pow(power)


def _change(was: Tensor, will: Tensor, old: Lamp, new: Lamp, add: Tensor) -> Tensor:
    """Stops (B,3,h,w) between two shadings, per channel; 0 to the bit where they are the same."""
    add = add[:, :, None, None]
    before = _lit(was, old)
    after = _lit(will, new)
    more = before + after - torch.exp2(new.fill)[:, :, None, None]
    return torch.log2(torch.where(add > 0, more, after) / before)


def _lit(cosine: Tensor, lamp: Lamp) -> Tensor:
    # Some light comes back from the set wherever a key is: black shadows are rare.
    key = torch.exp2(lamp.key)[:, :, None, None]
    return key * (cosine + 0.06) + torch.exp2(lamp.fill)[:, :, None, None]


def _mean(view: Tensor, mask: Tensor) -> Tensor:
    weight = mask + 0.05
    return (view * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)


def _folded(x: Tensor) -> Tensor:
    """Each two by two pixels as one with four times the channels."""
    return F.pixel_unshuffle(x, 2)


class _UNet(nn.Module):
    """Down and up again.

    Args:
        channels: Of the input.
        width: Of the first and the last stage.
        deep: Of the stages below.
    """

    def __init__(self, channels: int, width: int, *, deep: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        widths = (width, *deep)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, deep, strict=False)
        )
        self.before = nn.ModuleList(_Block(w) for w in widths)
        self.up = nn.ModuleList(nn.Conv2d(b + a, a, 1) for a, b in zip(widths, deep, strict=False))
        self.after = nn.ModuleList(_Block(w) for w in widths[:-1])
        self.deepest = nn.Sequential(_Block(deep[-1]), nn.Conv2d(deep[-1], deep[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.before[0](self.stem(x))
        kept = [x]
        for down, block in zip(self.down, list(self.before)[1:], strict=True):
            x = block(down(F.silu(x)))
            kept.append(x)
        x = x + self.deepest(x) + x.mean((2, 3), keepdim=True)
        for at in range(len(self.up) - 1, -1, -1):
            wide = F.interpolate(x, size=kept[at].shape[2:], mode="bilinear")
            x = self.after[at](self.up[at](torch.cat([wide, kept[at]], 1)))
        return x


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.settle = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(self.settle(x)))))

"""The network of relighting: it perceives shape, physics shades, and it says what the key does.

`perceive` reads features, normals and height off the small plate under its own light. `shade` puts
those under the old and the new key and marches shadows over the height. The rest says, at the
plate's own size, how much of the plate's light is its key's (`share`) and what the same key would
give from where it is asked for (`key`). Both are parts of the plate's own light: so whatever is
asked of levels and colours is a weighted sum, and light adds by construction.

Shapes: B batch, C channels, H and W of the small plate, h = H / 2 and w = W / 2 of what is
perceived. Every forward takes and returns tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.models.nets.blocks import Turned
from footagefit.models.nets.light import stops
from footagefit.models.nets.light_code import Lamp

CELL_PX = 16  # sides of small pictures are multiples of this
_STEPS = (1.0, 2.0, 3.5, 5.5, 8.0, 12.0, 18.0)  # of the shadow march, in cells
_MOST_EV = 5.0  # that a key is brighter than the plate
_BOUNCED = 0.06  # some light comes back from the set wherever a key is
_SHADED = 7  # pictures that physics adds
_OLD, _NEW = 4, 10  # numbers that say where the plate's key is, and where it shall be
_DETAIL = 16


Seen = tuple[Tensor, Tensor, Tensor, Tensor]


class RelightNet(nn.Module):
    """Perceive, shade and correct.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        code, two, four = 2 * width, 2 * width, 4 * width
        self.old_code = _code(_OLD, code)
        self.perception = _UNet(4 * 7, width, deep=(two, four, four), code=code)
        self.seen = nn.Conv2d(width, 4, 1)
        self.new_code = _code(_NEW, code)
        self.correction = _UNet(width + _SHADED, width, deep=(two, 3 * width), code=code)
        self.detail = nn.Conv2d(width + 3, _DETAIL, 3, padding=1)
        self.decided = nn.Conv2d(_DETAIL, 10, 1)
        nn.init.zeros_(self.decided.weight)
        nn.init.zeros_(self.decided.bias)  # pyright: ignore[reportArgumentType]

    def perceive(self, plate: Tensor, mask: Tensor, old: Lamp) -> Seen:
        """Features (B,C,h,w), normals (B,3,h,w), height (B,1,h,w), stops about the mean."""
        view = stops(plate)
        about = (view - _mean(view, mask)).clamp(-6.0, 6.0)
        code = self.old_code(torch.cat([old.way, 0.3 * old.sure], 1))
        folded = F.pixel_unshuffle(torch.cat([0.4 * about, 0.1 * view, mask], 1), 2)
        x = self.perception(folded.contiguous(memory_format=torch.channels_last), code)
        raw = self.seen(F.silu(x))
        facing = raw.new_tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
        normals = F.normalize(raw[:, :3] + facing, dim=1, eps=1e-4)
        return x, normals, 0.2 * raw[:, 3:4], about

    def forward(self, plate: Tensor, mask: Tensor, old: Lamp, new: Lamp) -> dict[str, Tensor]:
        """What the plate's light is made of, and what the key would give: see `decide`."""
        return self.decide(self.perceive(plate, mask, old), old, new)

    def decide(self, seen: Seen, old: Lamp, new: Lamp) -> dict[str, Tensor]:
        """The second half, on what `perceive` saw.

        Returns:
            At H, W: `share` (B,3) of the plate's light that is the key's, `key` (B,3) the moved
            key's light over the plate's, `lift` (B,3) more of it, in units of the plate's mean,
            `doubt` (B,1) the error to expect, in stops. At h, w: `normals`, `height` and `shadow`
            (B,1) of the moved key.
        """
        features, normals, height, about = seen
        shaded, physics, shadow = shade(normals, height, old, new)
        turn = (old.way * new.way).sum(1, keepdim=True)
        soft = [0.12 * old.soft, 0.12 * new.soft]
        code = self.new_code(torch.cat([new.way, old.way, turn, 0.3 * old.sure, *soft], 1))
        x = self.correction(torch.cat([features, shaded], 1), code)
        size = (int(about.shape[2]), int(about.shape[3]))
        wide = F.interpolate(torch.cat([F.silu(x), physics], 1), size=size, mode="bilinear")
        x = self.detail(torch.cat([wide[:, :-1], 0.4 * about], 1))
        share, key, lift, doubt = self.decided(F.silu(x)).split([3, 3, 3, 1], 1)
        key = wide[:, -1:] + 2.0 * key
        return {
            "share": torch.sigmoid(1.0 + 2.0 * share),
            "key": torch.exp2(_MOST_EV * torch.tanh(key / _MOST_EV)),
            "lift": 0.05 * F.softplus(2.0 * lift - 3.0),
            "doubt": F.softplus(doubt),
            "normals": normals, "height": height, "shadow": shadow,
        }  # fmt: skip


def shade(normals: Tensor, height: Tensor, old: Lamp, new: Lamp) -> tuple[Tensor, Tensor, Tensor]:
    """The picture's shape under both keys.

    Returns:
        Pictures for the corrector (B,7,h,w), the moved key over the plate's (B,1,h,w) in stops as
        shading alone has it, and how much of the moved key is hidden (B,1,h,w).
    """
    was, will = _facing(normals, old), _facing(normals, new)
    hidden_was, hidden_will = marched(height, old.way), marched(height, new.way)
    ratio = torch.log2((will + _BOUNCED) / (was + _BOUNCED)).clamp(-3.0, 3.0)
    shaded = [was, will, hidden_was, hidden_will, 0.4 * ratio,
              _glint(normals, old.way), _glint(normals, new.way)]  # fmt: skip
    return torch.cat(shaded, 1), ratio - 0.5, hidden_will


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


def _mean(view: Tensor, mask: Tensor) -> Tensor:
    weight = mask + 0.05
    return (view * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)


def _code(numbers: int, width: int) -> nn.Sequential:
    """Numbers as features that turn a net's channels up and down."""
    return nn.Sequential(nn.Linear(numbers, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())


class _UNet(nn.Module):
    """Down and up again, every stage turned up and down by a code (Perez et al. 2018, FiLM).

    Args:
        channels: Of the input.
        width: Of the first and the last stage.
        deep: Of the stages below.
        code: Numbers of the code.
    """

    def __init__(self, channels: int, width: int, *, deep: tuple[int, ...], code: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        widths = (width, *deep)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, deep, strict=False)
        )
        self.before = nn.ModuleList(Turned(w, code) for w in widths)
        self.up = nn.ModuleList(nn.Conv2d(b + a, a, 1) for a, b in zip(widths, deep, strict=False))
        self.after = nn.ModuleList(Turned(w, code) for w in widths[:-1])
        self.deepest = Turned(deep[-1], code)
        self.everywhere = nn.Linear(deep[-1], deep[-1])

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        x = self.before[0](self.stem(x), code)
        kept = [x]
        for down, block in zip(self.down, list(self.before)[1:], strict=True):
            x = block(down(F.silu(x)), code)
            kept.append(x)
        x = x + self.everywhere(x.mean((2, 3)))[:, :, None, None]
        x = self.deepest(x, code)
        for at in range(len(self.up) - 1, -1, -1):
            wide = F.interpolate(x, size=kept[at].shape[2:], mode="bilinear")
            x = self.after[at](self.up[at](torch.cat([wide, kept[at]], 1)), code)
        return x

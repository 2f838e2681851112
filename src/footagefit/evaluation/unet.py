"""The open peer as a baseline: a U-Net that learns one shot's pairs and is applied in tiles.

What belongs here: the network, its training and its tiled application the way TuNet does them
(four levels, AdamW at a constant 1e-4, weight decay 1e-5, L1 on clipped display pictures,
Hann-blended overlapping tiles), written anew. What does not: our own models.

It knows no reference: it learns a mapping from pictures to pictures. Widths below 64 are toys that
two cores can train; tables say which was used.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count as count_from
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.evaluation.metrics import AP1_TO_REC709, display
from footagefit.tasks.draws import chance, choice, generator


class UNet(nn.Module):
    """Four levels down and up, convolutions twice at each.

    Args:
        width: Channels of the first level; TuNet's are 64.
    """

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        sizes = [width, 2 * width, 4 * width, 8 * width]
        self.first = _twice(3, width)
        self.down = nn.ModuleList([_twice(a, b) for a, b in pairwise(sizes)])
        self.bottom = _twice(sizes[-1], sizes[-1])
        ups = [sizes[-1], *reversed(sizes[:-1])]
        self.up = nn.ModuleList(
            [
                _twice(below + side, side)
                for below, side in zip([sizes[-1], *ups], ups, strict=False)
            ]
        )
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Display codes (B,3,H,W) to display codes; H and W multiples of 16."""
        passed = [self.first(x)]
        for down in self.down:
            passed.append(down(F.max_pool2d(passed[-1], 2)))
        x = self.bottom(F.max_pool2d(passed[-1], 2))
        for up in self.up:
            beside = passed.pop()
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = up(torch.cat([x, beside], 1))
        return self.last(x)


def train_unet(
    pairs: Iterator[tuple[Tensor, Tensor]],
    *,
    width: int = 16,
    max_minutes: float | None = None,
    max_steps: int | None = None,
    rate: float = 1e-4,
    seed: int = 0,
) -> tuple[UNet, int]:
    """Train on batches of (plate, target), scene-linear ACEScg; returns it and its steps.

    Args:
        pairs: Batches (B,3,H,W) without end.
        width: Channels of the first level.
        max_minutes: Stop after so long.
        max_steps: Or after so many steps.
        rate: Of AdamW, constant.
        seed: Of the weights.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = UNet(width=width)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-5)
    begun, steps = time.monotonic(), 0
    for plate, target in pairs:
        loss = (net(display(plate)) - display(target)).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps += 1
        late = max_minutes is not None and time.monotonic() - begun > 60.0 * max_minutes
        if late or (max_steps is not None and steps >= max_steps):
            break
    return net.eval(), steps


def crops(
    plate: Tensor, target: Tensor, *, size_px: int = 512, count: int = 2, seed: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end of one solved frame's crops, half of them mirrored, as TuNet's are.

    Args:
        plate: (1,3,H,W).
        target: The same, solved.
        size_px: Of a crop's sides at most; they are multiples of 16.
        count: Crops in a batch.
        seed: Of places and mirrors.
    """
    both = torch.cat([plate, target], 1)
    rows, columns = (max(16, min(size_px, n) // 16 * 16) for n in both.shape[-2:])
    for step in count_from(0):
        rng, taken = generator(seed, step), []
        for _ in range(count):
            top = choice(rng, both.shape[2] - rows + 1)
            left = choice(rng, both.shape[3] - columns + 1)
            crop = both[..., top : top + rows, left : left + columns]
            taken.append(crop.flip(3) if chance(rng, 0.5) else crop)
        batch = torch.cat(taken)
        yield batch[:, :3], batch[:, 3:]


@torch.no_grad()
def apply_tiled(net: UNet, plate: Tensor, *, tile_px: int = 512, overlap: float = 0.5) -> Tensor:
    """A whole frame (1,3,H,W) in overlapping tiles under Hann windows, back in linear ACEScg."""
    codes = display(plate)
    height, width = codes.shape[-2:]
    tile = min(tile_px, -(-max(height, width) // 16) * 16)
    step = max(1, int(tile * (1.0 - overlap)))
    pad = (0, max(0, tile - width), 0, max(0, tile - height))
    padded = F.pad(codes, pad, mode="replicate")
    total, weight = torch.zeros_like(padded), torch.zeros_like(padded[:, :1])
    window = _hann(tile)
    for top in _starts(padded.shape[2], tile, step):
        for left in _starts(padded.shape[3], tile, step):
            part = (..., slice(top, top + tile), slice(left, left + tile))
            total[part] += net(padded[part]) * window
            weight[part] += window
    return _linear((total / weight)[..., :height, :width])


def _starts(length: int, tile: int, step: int) -> list[int]:
    last = length - tile
    return sorted({*range(0, last + 1, step), last})


def _hann(tile: int) -> Tensor:
    line = torch.hann_window(tile + 2, periodic=False)[1:-1]
    return line[:, None] * line[None, :]


def _linear(codes: Tensor) -> Tensor:
    codes = codes.clamp(0.0, 1.0)
    linear = torch.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055).pow(2.4))
    back = torch.linalg.inv(torch.tensor(AP1_TO_REC709, dtype=linear.dtype))
    return torch.einsum("ij,bjhw->bihw", back, linear)


def _twice(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )

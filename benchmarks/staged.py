"""Shots of the soundstage for benchmarks: one scene enlarged, panned, lit and grained as asked.

Not a benchmark by itself; `render.py` times and judges on these.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

import footagefit
from footagefit.records import Box, ClipInfo
from footagefit.soundstage.training import draw

Light = Callable[[int, int, int], Tensor]  # frame, rows, columns to a gain (3,H,W)


def scene(seed: int = 3, size: tuple[int, int] = (270, 480)) -> Tensor:
    """A wild set under one light (3,H,W), exposed, with values above 1."""
    picture = draw(seed=seed, index=0, count=1, size_px=size, lights=1).images[0, 0]
    return picture * (0.18 / picture.mean().clamp_min(1e-4))


def frame(picture: Tensor, number: int, size: tuple[int, int], *, pan_px: float = 2.0) -> Tensor:
    """The scene at a size, moved on by a few pixels a frame, with grain (3,H,W)."""
    height, width = size
    margin = 0.12
    turn = margin * width / pan_px  # pans to the end and back: a jump would be a cut
    offset = (turn - abs(number % (2 * turn) - turn)) * pan_px / width
    y = (torch.arange(height) + 0.5) / height * (1 - margin) + margin / 2
    x = (torch.arange(width) + 0.5) / width * (1 - margin) + offset
    place = torch.stack(torch.meshgrid(y * 2 - 1, x * 2 - 1, indexing="ij")[::-1], -1)
    out = F.grid_sample(picture[None], place[None], mode="bicubic", padding_mode="border",
                        align_corners=False)[0].clamp_min(0.0)  # fmt: skip
    rng = torch.Generator().manual_seed(number)
    return out * torch.exp2(0.06 * torch.randn(out.shape, generator=rng))


def write_shot(
    path: Path,
    size: tuple[int, int],
    frames: range,
    *,
    light: Light | None = None,
    compression: str = "zip",
    pan_px: float = 2.0,
) -> Path:
    """An EXR shot (half, ACEScg, timecode) of the staged scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    box = Box(0, 0, size[1], size[0])
    info = ClipInfo(
        path=path, raster=box, display=box, data=box, first_frame=frames[0], length=len(frames),
        rate=Fraction(24), sample="half", space="ACEScg", timecode="01:00:00:00",
        metadata={"reel": "A001C001"},
    )  # fmt: skip
    form = footagefit.OutputForm(depth="half", compression=compression)
    picture = scene()
    with footagefit.open_writer(path, info=info, form=form, existing="skip") as out:
        for number in frames:
            if out.has(number):
                continue
            made = frame(picture, number, size, pan_px=pan_px)
            out.write(number, made if light is None else made * light(number, *size))
    return path


def write_reference(path: Path, size: tuple[int, int] = (270, 480)) -> Path:
    """The hero: the same set, a stop brighter and warmer."""
    gain = torch.tensor([2.2, 2.0, 1.7]).view(3, 1, 1)
    return write_shot(path, size, range(1, 2), light=lambda *_: gain)

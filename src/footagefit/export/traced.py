"""The field model in the plainest operators there are, for ONNX: any frame in, the same frame out.

What belongs here: `TracedField`, whose sizes are tensors, so that one traced graph serves every
resolution and aspect. What does not: writing the file (`onnx_file.py`), Flame's JSON (`flame.py`).

Where `scripted.py` asks for a size and loops, a graph has to say it in tensors: a picture is made
small by two matrices of whole numbers (exact in float32 up to 16 thousand pixels), and a field is
read as a sum over its depths of planes that two matrices stretch over the frame.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from footagefit.export.baked import Baked
from footagefit.models.nets.light import TOE, stops
from footagefit.models.nets.mirrored import agreed, both_ways
from footagefit.models.nets.settle import settled

_LN2 = 0.6931471805599453


class TracedField(nn.Module):
    """A fit of the field model as one graph: (1,3,H,W) light in one linear space, in and out.

    Args:
        baked: What the model holds; its strength is fixed here.
        primaries: Place in `baked.primaries` of the space that pixels come in.
    """

    luma: Tensor
    offset: Tensor
    inner: Tensor
    inner_offset: Tensor
    outer: Tensor
    reference: Tensor
    vector: Tensor
    into: Tensor
    back: Tensor
    look: Tensor

    def __init__(self, baked: Baked, *, primaries: int = 0) -> None:
        super().__init__()
        self.net = baked.net.eval()
        self.strength = baked.strength
        self.long_px = baked.long_px
        self.cell_px = baked.cell_px
        self.lens_size = baked.lens_size
        self.has_look = baked.look is not None
        for name, tensor in zip(
            ("luma", "offset", "inner", "inner_offset", "outer"), baked.guide_weights, strict=True
        ):
            self.register_buffer(name, tensor)
        self.register_buffer("reference", baked.reference_BRCHW)
        self.register_buffer("vector", baked.vector_BD)
        self.turns = primaries != 0
        self.register_buffer("into", baked.primaries[primaries][1])
        self.register_buffer("back", baked.primaries[primaries][2])
        if baked.look is not None:
            self.register_buffer("look", baked.look)

    def forward(self, plate: Tensor) -> Tensor:
        """(1,3,H,W) scene-linear light with its look on; nothing is clamped."""
        light = _turned(plate, self.into) if self.turns else plate
        grid = self.strength * self._grid(light)
        view = stops(light)
        depth = grid.shape[2]
        z = self._depth(view) * (depth - 1)
        rows = _hat(grid.shape[3], _size(light, 2)).to(light.dtype)
        columns = _hat(grid.shape[4], _size(light, 3)).to(light.dtype).t()
        seen = torch.cat([view, torch.ones_like(view[:, :1])], 1)
        delta = [torch.zeros_like(z)] * 3
        for k in range(depth):
            # What the pixels at this depth read, each from its own stops and 1.
            near = seen * (1.0 - (z - float(k)).abs()).clamp(min=0.0)
            for lane in range(3):
                cells = grid[:, 4 * lane : 4 * lane + 4, k]
                plane = torch.matmul(rows, torch.matmul(cells, columns))
                delta[lane] = delta[lane] + (plane * near).sum(1, keepdim=True)
        lanes = []
        for lane in range(3):
            # 2^d by exp: not every converter knows exp2.
            gain = torch.exp(delta[lane] * _LN2)
            lanes.append(light[:, lane : lane + 1] * gain + TOE * (gain - 1.0))
        made = torch.cat(lanes, 1)
        return plate + _turned(made - light, self.back) if self.turns else made

    def _grid(self, light: Tensor) -> Tensor:
        if self.has_look:
            return self.look
        height, width = _size(light, 2), _size(light, 3)
        scale = float(self.long_px) / torch.maximum(height, width).double()
        rows, columns = self._cells(height, scale), self._cells(width, scale)
        down, across = _smaller(height, rows), _smaller(width, columns).t()
        small = torch.matmul(down, torch.matmul(light, across))
        lens = self._lens(width.to(light.dtype) / height.to(light.dtype))
        guide = torch.matmul(
            _smaller(torch.tensor(self.lens_size[0]), rows),
            torch.matmul(lens, _smaller(torch.tensor(self.lens_size[1]), columns).t()),
        )
        mask = torch.ones_like(small[:, :1])
        with SpelledOut():
            two = both_ways(small, mask, guide, self.reference, self.vector)
            everywhere, cells = agreed(*self.net(*two))
            view = stops(small)
            everywhere, cells = settled(everywhere, cells, view, mask, self._depth(view)[:, 0])
        return cells + everywhere[:, :, None, None, None]

    def _cells(self, length: Tensor, scale: Tensor) -> Tensor:
        """Small pixels along one side, whole cells; as `models.base.small_size`."""
        return torch.round(length.double() * scale / self.cell_px).clamp(min=1.0).long() * (
            self.cell_px
        )

    def _depth(self, view: Tensor) -> Tensor:
        """Where each pixel reads the grid in depth (1,1,H,W), 0..1; as `field_net.Guide`."""
        shape = (1, -1, 1, 1)
        bent = torch.relu(
            torch.nn.functional.conv2d(view, self.inner[:, :, None, None])
            + self.inner_offset.view(shape)
        )
        u = (view * self.luma.view(shape)).sum(1, keepdim=True)
        u = u + (bent * self.outer.view(shape)).sum(1, keepdim=True) + self.offset
        return 0.5 + 0.5 * u / (1.0 + u.abs())

    def _lens(self, aspect: Tensor) -> Tensor:
        rows, columns = self.lens_size
        half = 0.5 * torch.sqrt(1.0 + aspect * aspect)
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) / rows
        x = (torch.arange(columns, dtype=torch.float32) + 0.5) / columns
        across = ((x - 0.5).view(1, 1, 1, -1).expand(1, 1, rows, columns)) * (aspect / half)
        up = ((0.5 - y).view(1, 1, -1, 1).expand(1, 1, rows, columns)) / half
        return torch.cat([across, up], 1)


class SpelledOut(TorchFunctionMode):
    """Sigmoids by exp: runtimes approximate theirs, and attention sharpens what they lose."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As asked, but for sigmoid and silu."""
        if func is torch.sigmoid:
            return 1.0 / (1.0 + torch.exp(-args[0]))
        if func in (functional.silu, torch._C._nn.silu):  # pyright: ignore[reportAttributeAccessIssue]
            return args[0] / (1.0 + torch.exp(-args[0]))
        return func(*args, **(kwargs or {}))


def _size(picture: Tensor, axis: int) -> Tensor:
    """A side's length as a tensor, which a trace keeps open."""
    return torch._shape_as_tensor(picture)[axis]  # pyright: ignore[reportPrivateImportUsage]


def _counted(length: Tensor) -> Tensor:
    """0, 1, 2 ... up to a length that the graph keeps open."""
    return torch.arange(length)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _turned(light: Tensor, matrix: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(light, matrix[:, :, None, None])


def _smaller(length: Tensor, wanted: Tensor) -> Tensor:
    """`models.base.resampled` along one side as a matrix (wanted, length) of the mean of light."""
    block = torch.div(length, 2 * wanted, rounding_mode="trunc").clamp(min=1)
    pixel = _counted(length)
    low = torch.div(pixel, block, rounding_mode="trunc") * block
    high = torch.minimum(low + block, length)
    bin_ = _counted(wanted)
    # In units of 1 / wanted of a pixel all bounds are whole numbers.
    first = torch.maximum(low * wanted, (bin_ * length)[:, None])
    last = torch.minimum(high * wanted, ((bin_ + 1) * length)[:, None])
    cover = (last - first).clamp(min=0).float() / (high - low).float()
    grown = _hat_between(length, wanted)
    cover = torch.where(wanted <= length, cover, grown)
    return cover / cover.sum(1, keepdim=True)


def _hat_between(length: Tensor, wanted: Tensor) -> Tensor:
    """Straight lines between pixel centres, for pictures that grow (wanted, length)."""
    place = _counted(wanted).double() + 0.5
    place = place * (length.double() / wanted.double()) - 0.5
    place = torch.minimum(place.clamp(min=0.0), length.double() - 1.0)
    return (1.0 - (place[:, None] - _counted(length).double()).abs()).clamp(min=0.0).float()


def _hat(cells: int | Tensor, wanted: Tensor) -> Tensor:
    """How much of each cell every pixel of a side reads (wanted, cells)."""
    count = cells if isinstance(cells, Tensor) else torch.tensor(cells)
    return _hat_between(count, wanted)

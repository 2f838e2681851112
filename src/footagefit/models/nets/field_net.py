"""The network of the field model: a small picture and its references in, a field of changes out.

Shapes: B batch, R references, C channels, H rows and W columns of the small picture, N tokens,
D vector entries, Z depth cells, h rows and w columns of cells. Reads top-down: `FieldNet` first.
Every forward takes and returns tensors only, so that it scripts for Nuke and exports for Flame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.models.nets.carry import SHEET, Carry, sheet
from footagefit.models.nets.light import stops

AFFINE = 12  # 3x4: what is added to each channel's stops, from all three stops and 1
CELL_PX = 16  # small pixels a cell of the grid covers
_CHANNELS = 9  # stops of R, G, B; the same about their own mean and spread; mask; x and y
_LEVELS = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # of the cumulative histograms
STATISTICS = 3 * (2 + len(_LEVELS)) + 3
_SCALE = 0.25  # stops to network units


class FieldNet(nn.Module):
    """Plate, references and controls to one global and many local log-affine changes.

    Args:
        width: Channels of the first stage; the deepest has four times as many.
        depth_cells: Cells of the grid along its guide.
        guide_channels: What the task adds beside the plate.
        vector_size: Entries of controls and signature, present flags counted.
        heads: Of the cross-attention.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        depth_cells: int = 8,
        guide_channels: int = 2,
        vector_size: int = 0,
        heads: int = 4,
    ) -> None:
        super().__init__()
        deep = 4 * width
        self.depth_cells = depth_cells
        self.guide_channels = guide_channels
        self.vector_size = vector_size
        self.encoder = Encoder(_CHANNELS, width)
        self.guide_stem = nn.Conv2d(max(1, guide_channels), deep, 1)
        self.heads = heads
        self.sheet = SHEET
        self.carry = Carry(deep, heads=heads)
        self.carried = nn.Conv2d(heads * (SHEET + 1), deep, 1)
        self.attend = nn.ModuleList([CrossAttention(deep, heads) for _ in range(2)])
        self.mix = nn.ModuleList([Block(deep) for _ in range(2)])
        self.settle = nn.GroupNorm(8, deep)  # else a hard batch drives features where heads die
        self.modulate = nn.Linear(max(1, vector_size), 2 * deep)
        self.shared = nn.Sequential(
            nn.Linear(3 * STATISTICS + 3 * deep, 2 * deep), nn.SiLU(), nn.Linear(2 * deep, deep)
        )
        self.global_head = nn.Linear(deep, AFFINE)
        self.statistics_head = nn.Linear(STATISTICS, AFFINE)
        self.transfer_gate = nn.Linear(deep, 6)
        self.local_head = nn.Conv2d(2 * deep, AFFINE * depth_cells, 1)
        self.carry_gate = nn.Conv2d(2 * deep, heads, 1)
        self.affine = AFFINE
        self.cell_px = CELL_PX
        self.statistics = STATISTICS
        zero = (self.modulate, self.global_head, self.statistics_head, self.local_head)
        for layer in (*zero, self.transfer_gate, self.carry_gate):
            for weight in layer.parameters():
                nn.init.zeros_(weight)

    def forward(
        self, plate: Tensor, mask: Tensor, guide: Tensor, reference: Tensor, vector: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Changes of stops that make the plate sit beside its references.

        Args:
            plate: (B,3,H,W) scene-linear; H and W multiples of `CELL_PX`.
            mask: (B,1,H,W) where the output counts.
            guide: (B,G,H,W) what the task adds.
            reference: (B,R,3,H',W') scene-linear; R may be 0.
            vector: (B,D) controls and signature.

        Returns:
            The global change (B,12) and the local ones (B,12,Z,h,w).
        """
        batch = plate.shape[0]
        view = stops(plate)
        own = moments(view, mask)
        x = self.encoder(_with_place(view, mask, own))
        if self.guide_channels > 0:
            x = x + self.guide_stem(_at_centres(guide))
        features, theirs, statistics, present = self._of_references(reference, batch)
        mine = sheet(view, self.cell_px)
        apart, sure = self.carry(x, mine, features, theirs, max(1, reference.shape[1]))
        apart, sure = apart * present[:, :, None, None], sure * present[:, :, None, None]
        x = x + self.carried(torch.cat([0.25 * apart, sure], 1))
        tokens = features.flatten(2).transpose(1, 2).reshape(batch, -1, features.shape[1])
        for attend, mix in zip(self.attend, self.mix):  # noqa: B905  (TorchScript takes no strict)
            x = mix(attend(x, tokens))
        x = self.settle(x)
        if self.vector_size > 0:
            scale, shift = self.modulate(vector)[:, :, None, None].chunk(2, dim=1)
            x = x * (1.0 + scale) + shift
        wanted = (statistics - own) * present
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3)), tokens.mean(1)], 1)
        shared = self.shared(torch.cat([own, statistics, wanted, pooled], 1))
        # An optimizer moves each weight by little a step: outputs in stops want large units.
        everywhere = 4.0 * self.global_head(shared) + 8.0 * self.statistics_head(wanted)
        gate = 8.0 * self.transfer_gate(shared) * present
        everywhere = everywhere + transfer(own, statistics, gate)
        both = F.silu(torch.cat([x, shared[:, :, None, None].expand_as(x)], 1))
        local = 2.0 * self.local_head(both)
        cells = local.view(batch, self.affine, self.depth_cells, local.shape[2], local.shape[3])
        pull = self._carried(mine, everywhere, apart, sure, 8.0 * self.carry_gate(both))
        return everywhere, cells + pull[:, :, None]

    def _carried(
        self, mine: Tensor, everywhere: Tensor, apart: Tensor, sure: Tensor, gate: Tensor
    ) -> Tensor:
        """What the global change leaves of the way to each cell's counterpart (B,12,h,w)."""
        batch, _, height, width = mine.shape
        affine = everywhere.view(batch, 3, 4)
        done = torch.matmul(affine[:, :, :3], mine[:, 0:3].flatten(2)) + affine[:, :, 3:]
        done = done.view(batch, 1, 3, height, width)
        heads = apart.view(batch, self.heads, self.sheet, height, width)[:, :, 0:3]
        left = (heads - sure[:, :, None] * done) * gate[:, :, None]
        offset = left.sum(1)
        none = torch.zeros_like(offset)
        return torch.stack([none, none, none, offset], 2).flatten(1, 2)

    def _of_references(
        self, reference: Tensor, batch: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features (BR,C,h,w) and sheets (BR,6,h,w) of their cells; statistics (B,S); 1 (B,1).

        Without references all four are zeros.
        """
        count = reference.shape[1]
        deep = self.guide_stem.out_channels
        if count == 0:
            nothing = torch.zeros(batch, 1, device=reference.device, dtype=reference.dtype)
            none = nothing.expand(batch, self.statistics)
            empty = nothing[:, :, None, None]
            return (
                empty.expand(batch, deep, 1, 1),
                empty.expand(batch, self.sheet, 1, 1),
                none,
                nothing,
            )
        view = stops(reference.flatten(0, 1))
        everywhere = torch.ones_like(view[:, :1])
        each = moments(view, everywhere)
        features = self.encoder(_with_place(view, everywhere, each))
        statistics = each.view(batch, count, self.statistics).mean(1)
        return features, sheet(view, self.cell_px), statistics, torch.ones_like(statistics[:, :1])


class Encoder(nn.Module):
    """A picture to features of its cells; plate and references share it."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 4, stride=4)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.down_again = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1)
        self.deep = Block(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """(B,6,H,W) to (B,4 width,H/16,W/16)."""
        x = F.silu(self.stem(x))
        x = F.silu(self.down(x))
        return self.deep(F.silu(self.down_again(x)))


class Block(nn.Module):
    """Two convolutions beside a path that lets everything pass."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.second(F.silu(self.first(F.silu(self.norm(x)))))


class CrossAttention(nn.Module):
    """Each cell of the plate asks all cells of the references; one that answers nothing is there.

    Scaled dot-product attention (Vaswani et al. 2017, eq. 1) with a learned null key, so that a
    plate without references, or unlike them, is not forced to copy.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(1, channels)
        self.ask = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        self.null = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Features (B,C,h,w) and reference tokens (B,N,C) to features (B,C,h,w)."""
        batch, channels, height, width = x.shape
        wide = channels // self.heads
        null = self.null.expand(batch, 1, channels)
        known = torch.cat([null, tokens], 1)
        q = self.ask(self.norm(x).flatten(2).transpose(1, 2))
        q = q.view(batch, -1, self.heads, wide).transpose(1, 2)
        k = self.key(known).view(batch, -1, self.heads, wide).transpose(1, 2)
        v = self.value(known).view(batch, -1, self.heads, wide).transpose(1, 2)
        weights = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / float(wide) ** 0.5, dim=-1)
        answer = torch.matmul(weights, v).transpose(1, 2).reshape(batch, -1, channels)
        return x + self.out(answer).transpose(1, 2).reshape(batch, channels, height, width)


def moments(view: Tensor, weight: Tensor, scale: float = _SCALE) -> Tensor:
    """Weighted statistics of stops: mean, deviation, cumulative histogram, correlation (B,S)."""
    view, weight = F.avg_pool2d(view, 4), F.avg_pool2d(weight, 4)
    weight = weight / weight.sum((2, 3), keepdim=True).clamp_min(1e-6)
    mean = (view * weight).sum((2, 3), keepdim=True)
    off = view - mean
    deviation = ((off * off * weight).sum((2, 3)) + 1e-4).sqrt()
    parts = [mean[:, :, 0, 0] * scale, torch.log2(deviation)]
    for level in (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0):  # as _LEVELS
        parts.append((torch.sigmoid(2.0 * (view - level)) * weight).sum((2, 3)))
    across = (off * off.roll(1, 1) * weight).sum((2, 3))
    parts.append(across / (deviation * deviation.roll(1, 1)))
    return torch.cat(parts, 1)


def transfer(own: Tensor, wanted: Tensor, gate: Tensor, scale: float = _SCALE) -> Tensor:
    """The classical answer as a change of stops, as far as the gate (B,6) lets it (B,12).

    Mean and deviation of each channel (Reinhard et al. 2001, eq. 10 and 11): the net learns how
    far to trust it and what to add, instead of finding it first.
    """
    mean, to_mean = own[:, 0:3] / scale, wanted[:, 0:3] / scale
    slope = torch.exp2((wanted[:, 3:6] - own[:, 3:6]).clamp(-1.5, 1.5)) - 1.0
    slope = slope * gate[:, 0:3]
    offset = (to_mean - mean) * gate[:, 3:6] - slope * mean
    red, green, blue = slope[:, 0:1], slope[:, 1:2], slope[:, 2:3]
    none = torch.zeros_like(red)
    rows = [red, none, none, offset[:, 0:1]]
    rows += [none, green, none, offset[:, 1:2]]
    rows += [none, none, blue, offset[:, 2:3]]
    return torch.cat(rows, 1)


def _at_centres(guide: Tensor, cell_px: int = CELL_PX) -> Tensor:
    """A guide at the middle of each cell: what bilinear sampling gives there, in plain pooling.

    `F.interpolate` scripts to code that names every resampler of its own torch: older ones, such
    as Nuke carries, then refuse the whole model.
    """
    middle = cell_px // 2 - 1
    return F.avg_pool2d(guide[:, :, middle:, middle:], 2, stride=cell_px)


def _with_place(view: Tensor, mask: Tensor, own: Tensor, scale: float = _SCALE) -> Tensor:
    """Stops, mask and place in the frame (-1..1) as the encoder's channels.

    Stops come twice, as they are and about their own mean and spread (`moments`): so that the same
    wall looks the same under another exposure, and a cell of the plate finds it in a reference.
    """
    batch, _, height, width = view.shape
    y = (torch.arange(height, device=view.device, dtype=view.dtype) + 0.5) * (2.0 / height) - 1.0
    x = (torch.arange(width, device=view.device, dtype=view.dtype) + 0.5) * (2.0 / width) - 1.0
    rows = y.view(1, 1, height, 1).expand(batch, 1, height, width)
    columns = x.view(1, 1, 1, width).expand(batch, 1, height, width)
    mean = own[:, 0:3, None, None] / scale
    spread = torch.exp2(own[:, 3:6, None, None]) + 0.1
    return torch.cat([view * scale, 0.5 * (view - mean) / spread, mask, columns, rows], 1)


class Guide(nn.Module):
    """The depth at which a pixel reads the grid: its luminance, and what helps beside it.

    Pointwise, so that a random pixel, a row and a whole frame give the same depth. Starts as
    luminance; a small learned part then tells apart what luminance alone does not.

    Args:
        hidden: Units of the learned part.
    """

    def __init__(self, *, hidden: int = 8) -> None:
        super().__init__()
        self.luma = nn.Parameter(torch.tensor([0.27, 0.67, 0.06]) * 0.5)  # AP1 luminance, softened
        self.offset = nn.Parameter(torch.tensor([0.5]))
        self.inner = nn.Parameter(torch.randn(hidden, 3) * 0.2)
        self.inner_offset = nn.Parameter(torch.linspace(-1.0, 1.0, hidden))
        self.outer = nn.Parameter(torch.zeros(hidden))

    def forward(self, view: Tensor) -> Tensor:
        """Stops (B,3,...) to depth in 0..1 (B,...)."""
        x = view.transpose(0, 1).flatten(1)
        inner = F.relu(torch.mm(self.inner, x) + self.inner_offset[:, None])
        u = torch.mv(x.t(), self.luma) + torch.mv(inner.t(), self.outer) + self.offset
        z = 0.5 + 0.5 * u / (1.0 + u.abs())
        return z.view(view[:, 0].shape)

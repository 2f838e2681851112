"""The field model as one scripted module: any frame in, that frame with its look on out.

What belongs here: `ScriptedField`, which follows the rules of Nuke's Inference node: scripted,
whole frames of any size, one tensor in and out, knobs as top-level attributes, nothing inherited,
half or float. What does not: knobs' ranges, files, nodes (`nuke.py`), what is baked in
(`baked.py`).

The net, and the curves of light, are the model's own, compiled as they stand. Everything inside
runs in float32; a half frame is rounded once, on its way out. TorchScript reads no globals:
constants are attributes. Nor does it
read annotations that are put off: this module evaluates its own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.export.baked import Baked
from footagefit.export.held import held
from footagefit.models.nets.follow import followed
from footagefit.models.nets.light import relit, stops
from footagefit.models.nets.mirrored import agreed, both_ways
from footagefit.models.nets.settle import settled

LARGEST_HALF = 65504.0
_BAND_PX = 1 << 19  # pixels sliced at once: bounded memory at any resolution


class ScriptedField(nn.Module):
    """A fit of the field model for applications that run TorchScript.

    Attributes set from outside (knobs): `strength`, `local`, `tone` and `colour` 0 to 1;
    `primaries`, which linear space the pixels are in, by its place in `Baked.primaries`;
    `use_mask` 1 takes the fourth channel as the mask, where there is one; `locked` 1 takes the
    look that was baked in, where there is one, and 0 decides on one for each frame.
    """

    strength: float
    local: float
    tone: float
    colour: float
    primaries: int
    use_mask: int
    locked: int
    reference: list[Tensor]
    guide: list[Tensor]
    vector: list[Tensor]
    into: list[Tensor]
    back: list[Tensor]
    look: list[Tensor]

    def __init__(self, baked: Baked) -> None:
        super().__init__()
        self.strength = float(baked.strength)
        self.local, self.tone, self.colour = 1.0, 1.0, 1.0
        self.primaries = 0
        self.use_mask = 0
        self.locked = 0 if baked.look is None else 1
        self.net = held(baked.net)
        self.reference = [baked.reference_BRCHW]
        self.vector = [baked.vector_BD]
        self.guide = list(baked.guide_weights)
        self.into = [into for _, into, _ in baked.primaries]
        self.back = [back for _, _, back in baked.primaries]
        self.look = [] if baked.look is None else [baked.look]
        self.lens = (int(baked.lens_size[0]), int(baked.lens_size[1]))
        self.long_px = int(baked.long_px)
        self.cell_px = int(baked.cell_px)
        self.band_px = _BAND_PX
        self.largest = LARGEST_HALF

    def forward(self, x: Tensor) -> Tensor:
        """The frame with its look on.

        Args:
            x: (1,3,H,W) or (1,4,H,W) scene-linear light of `primaries`, and a mask; any range.

        Returns:
            (1,3,H,W) of the same type; nothing is clamped but what half cannot hold.
        """
        light = x[:, :3].float()
        mask = torch.ones_like(light[:, :1])
        masked = self.use_mask != 0 and x.shape[1] > 3
        if masked:
            mask = x[:, 3:4].float()
        grid = followed(self._grid(light, mask), self.local, self.tone, self.colour)
        grid = self.strength * grid
        out = self._applied(light, grid)
        if masked:
            mixed = torch.where(mask >= 1.0, out, light + mask * (out - light))
            out = torch.where(mask > 0.0, mixed, light)
        if x.dtype == torch.float16:
            out = out.clamp(-self.largest, self.largest)
        return out.to(x.dtype).contiguous()

    def _grid(self, light: Tensor, mask: Tensor) -> Tensor:
        """The changes of stops (1,12,Z,h,w) at full strength, the global one added in."""
        if self.locked != 0 and len(self.look) == 1:
            return self.look[0].to(light.device)
        height, width = light.shape[2], light.shape[3]
        scale = float(self.long_px) / float(max(height, width))
        rows = max(1, int(round(height * scale / self.cell_px))) * self.cell_px  # noqa: RUF046
        columns = max(1, int(round(width * scale / self.cell_px))) * self.cell_px  # noqa: RUF046
        # One broken pixel must not break the frame: what is not a number counts as black here.
        whole = torch.nan_to_num(light, 0.0, self.largest, -self.largest)
        plate = self._seen(self._small(whole, rows, columns))
        seen = self._small(mask, rows, columns)
        guide = self._small(self._lens(float(width) / float(height)), rows, columns)
        device = light.device
        reference, vector = self.reference[0].to(device), self.vector[0].to(device)
        two = both_ways(plate, seen, guide.to(device), reference, vector)
        answer = self.net(two[0], two[1], two[2], two[3], two[4])
        everywhere, cells = agreed(answer[0], answer[1])
        view = stops(plate)
        everywhere, cells = settled(everywhere, cells, view, seen, self._depth(view))
        return cells + everywhere[:, :, None, None, None]

    def _applied(self, light: Tensor, grid: Tensor) -> Tensor:
        """Every pixel with what the grid holds at its place and depth, in bands of rows."""
        height, width = light.shape[2], light.shape[3]
        x = (torch.arange(width, device=light.device, dtype=torch.float32) + 0.5) * (2.0 / width)
        y = (torch.arange(height, device=light.device, dtype=torch.float32) + 0.5) * (2.0 / height)
        step = max(1, self.band_px // width)
        bands: list[Tensor] = []
        for top in range(0, height, step):
            part = light[:, :, top : top + step]
            rows = y[top : top + step].view(1, -1, 1).expand(1, part.shape[2], width) - 1.0
            columns = x.view(1, 1, -1).expand(1, part.shape[2], width) - 1.0
            bands.append(self._sliced(part, grid, columns, rows))
        return torch.cat(bands, 2)

    def _sliced(self, part: Tensor, grid: Tensor, x: Tensor, y: Tensor) -> Tensor:
        depth_cells = grid.shape[2]
        seen = self._seen(part)
        view = stops(seen)
        z = (2.0 * self._depth(view) * (depth_cells - 1) + 1.0) / depth_cells - 1.0
        place = torch.stack([x, y, z], -1).unsqueeze(1)
        # Trilinear (0), held at the border (1), corners not aligned: as `slicing.py`.
        change = torch.grid_sampler(grid, place, 0, 1, False)[:, :, 0]
        red = _delta(change[:, 0:4], view)
        green = _delta(change[:, 4:8], view)
        blue = _delta(change[:, 8:12], view)
        made = relit(seen, torch.cat([red, green, blue], 1))
        if self.primaries == 0:
            return made
        # Only the difference goes back: where nothing changes, the pixel stays to the bit.
        return part + _turned(made - seen, self.back[self.primaries])

    def _seen(self, light: Tensor) -> Tensor:
        """Light of the chosen primaries as ACEScg, which the net knows."""
        if self.primaries == 0:
            return light
        return _turned(light, self.into[self.primaries])

    def _depth(self, view: Tensor) -> Tensor:
        """Where each pixel reads the grid in depth, 0..1; as `nets.field_net.Guide`."""
        luma, offset = self.guide[0].to(view.device), self.guide[1].to(view.device)
        inner, inner_offset = self.guide[2].to(view.device), self.guide[3].to(view.device)
        outer = self.guide[4].to(view.device)
        flat = view[0].flatten(1)
        bent = torch.relu(torch.mm(inner, flat) + inner_offset[:, None])
        u = torch.mv(flat.t(), luma) + torch.mv(bent.t(), outer) + offset
        return (0.5 + 0.5 * u / (1.0 + u.abs())).view(view[:, 0].shape)

    def _lens(self, aspect: float) -> Tensor:
        """Where pixels lie behind the lens (1,2,18,32); as `tasks.base.lens_coordinates`."""
        rows, columns = self.lens[0], self.lens[1]
        half = 0.5 * (1.0 + aspect * aspect) ** 0.5
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) / rows
        x = (torch.arange(columns, dtype=torch.float32) + 0.5) / columns
        across = ((x - 0.5) * aspect / half).view(1, 1, 1, -1).expand(1, 1, rows, columns)
        up = ((0.5 - y) / half).view(1, 1, -1, 1).expand(1, 1, rows, columns)
        return torch.cat([across, up], 1)

    def _small(self, picture: Tensor, rows: int, columns: int) -> Tensor:
        """A picture at another size, light averaged; as `models.base.resampled`."""
        height, width = picture.shape[2], picture.shape[3]
        if height == rows and width == columns:
            return picture
        down, across = max(1, height // (2 * rows)), max(1, width // (2 * columns))
        if down > 1 or across > 1:
            picture = F.avg_pool2d(picture, [down, across], ceil_mode=True, count_include_pad=False)
        left = _weights(height, down, rows).to(picture.device)
        right = _weights(width, across, columns).to(picture.device)
        return torch.matmul(left, torch.matmul(picture, right.t()))


def _delta(affine: Tensor, view: Tensor) -> Tensor:
    """What one channel's stops change by: three weights and an offset (1,4,H,W), the view."""
    return (affine[:, 0:3] * view).sum(1, keepdim=True) + affine[:, 3:4]


def _turned(light: Tensor, matrix: Tensor) -> Tensor:
    """Light (1,3,H,W) through a 3x3 matrix."""
    return torch.matmul(matrix.to(light.device), light.flatten(2)).view(light.shape)


def _weights(length: int, block: int, wanted: int) -> Tensor:
    """How much of each block of pixels each wanted pixel holds; as `models.base` has it."""
    edges = torch.arange(0, length + block, block, dtype=torch.float64).clamp(max=float(length))
    if wanted <= length:
        bounds = torch.arange(wanted + 1, dtype=torch.float64) * (float(length) / float(wanted))
        low = torch.maximum(edges[None, :-1], bounds[:-1, None])
        high = torch.minimum(edges[None, 1:], bounds[1:, None])
        cover = (high - low).clamp(min=0.0)
    else:
        place = torch.arange(wanted, dtype=torch.float64) + 0.5
        place = (place * (float(length) / float(wanted)) - 0.5).clamp(0.0, float(length) - 1.0)
        cover = torch.arange(length, dtype=torch.float64)[None]
        cover = (1.0 - (place[:, None] - cover).abs()).clamp(min=0.0)
    return (cover / cover.sum(1, keepdim=True)).float()

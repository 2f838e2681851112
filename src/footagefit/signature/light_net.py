"""The network of the light estimator: a small picture in, the light on it out. Tensors only.

Shapes: B batch, C channels, H rows and W columns of the small picture, D numbers of a light.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE_PX = 64  # rows and columns it looks at: any frame is squeezed into them
# direction (3), log of its concentration, log2 of softness, key and fill stops of R, G, B
OUTPUTS = 3 + 1 + 1 + 3 + 3
_GREY_STOPS = -2.473931188332412  # log2 of 0.18
_TOE = 2.0**-8


class LightNet(nn.Module):
    """Where the key stands and how sure that is, how soft it is, key and fill in stops.

    Beside features it pools what classical estimators use: light against predicted normals.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        w1, w2, w3 = width, 2 * width, 4 * width
        self.stem = nn.Conv2d(6, w1, 5, stride=2, padding=2)
        self.one = _Block(w1)
        self.down_two = nn.Conv2d(w1, w2, 3, stride=2, padding=1)
        self.two = nn.Sequential(_Block(w2), _Block(w2))
        self.down_three = nn.Conv2d(w2, w3, 3, stride=2, padding=1)
        self.three = nn.Sequential(_Block(w3), _Block(w3), _Block(w3))
        self.up = nn.Conv2d(w3 + w2, w2, 3, padding=1)
        self.normals = nn.Conv2d(w2, 4, 1)
        self.head = nn.Sequential(nn.Linear(2 * w3 + 12, 160), nn.SiLU(), nn.Linear(160, OUTPUTS))

    def forward(self, plate: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Light of each picture (B,11) and normals as it sees them (B,3,16,16).

        Args:
            plate: (B,3,64,64) scene-linear.
            mask: (B,1,64,64) the subject.
        """
        view, mean = _seen(plate, mask)
        x = self.one(self.stem(_with_place(view, mask)))
        x2 = self.two(F.silu(self.down_two(x)))
        x3 = self.three(F.silu(self.down_three(x2)))
        wide = F.interpolate(x3, scale_factor=2.0, mode="nearest")
        raw = self.normals(F.silu(self.up(torch.cat([wide, x2], 1))))
        normals = F.normalize(raw[:, :3], dim=1, eps=1e-4)
        there = torch.sigmoid(raw[:, 3:]) * F.avg_pool2d(mask, 4) + 1e-3
        there = there / there.sum((2, 3), keepdim=True)
        luma = F.avg_pool2d(view, 4).mean(1, keepdim=True)
        shaded = (torch.exp2(luma.clamp(-4.0, 3.0)) * normals * there).sum((2, 3))
        facing = (normals * there).sum((2, 3))
        log_shaded = (luma * normals * there).sum((2, 3))
        second = (normals * normals * there).sum((2, 3))
        pooled = [x3.mean((2, 3)), x3.amax((2, 3)), shaded, facing, log_shaded, second]
        out = self.head(torch.cat(pooled, 1))
        way = F.normalize(out[:, :3] + shaded + log_shaded, dim=1, eps=1e-4)
        sure = out[:, 3:4].clamp(-3.0, 5.0)
        colours = out[:, 5:11] + torch.cat([mean, mean], 1)
        return torch.cat([way, sure, 2.0 + 2.0 * out[:, 4:5], colours], 1), normals


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.settle = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(self.settle(x)))))


def _seen(plate: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Stops about the subject's mean (B,3,H,W), and that mean (B,3) over grey."""
    view = torch.log2(plate.clamp_min(0.0) + _TOE) - _GREY_STOPS
    weight = mask + 0.05
    weight = weight / weight.sum((2, 3), keepdim=True)
    mean = (view * weight).sum((2, 3))
    return (view - mean[:, :, None, None]).clamp(-6.0, 6.0), mean


def _with_place(view: Tensor, mask: Tensor) -> Tensor:
    batch, _, height, width = view.shape
    kind = {"device": view.device, "dtype": view.dtype}
    y = 1.0 - (torch.arange(height, **kind) + 0.5) * (2.0 / height)
    x = (torch.arange(width, **kind) + 0.5) * (2.0 / width) - 1.0
    rows = y.view(1, 1, height, 1).expand(batch, 1, height, width)
    columns = x.view(1, 1, 1, width).expand(batch, 1, height, width)
    return torch.cat([0.4 * view, mask, columns, rows], 1)

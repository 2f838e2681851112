"""Where the camera stands and which ray each pixel looks along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from footagefit.soundstage.tiles import SIDE, from_tiles, into_tiles, padded

SENSOR_MM = 24.9  # width of a Super 35 gate


@dataclass(frozen=True)
class Camera:
    """A pinhole; the glass is `lens.py`'s.

    Attributes:
        place: In the world, metres.
        target: What it looks at.
        focal_mm: On a gate 24.9 mm wide.
        roll_deg: Tilt of the horizon.
        margin: How much wider than the gate to look, for a lens that reads beyond it.
        squeeze: Of an anamorphic lens: how much more of the width the gate holds.
    """

    place: tuple[float, float, float]
    target: tuple[float, float, float]
    focal_mm: float
    roll_deg: float = 0.0
    margin: float = 1.0
    squeeze: float = 1.0

    def axes(self) -> np.ndarray:
        """Rows x right, y up, z towards the camera, in the world."""
        z = np.subtract(self.place, self.target).astype(float)
        z /= np.sqrt(z @ z)
        x = np.array([z[2], 0.0, -z[0]]) / np.hypot(z[2], z[0])  # up cross z
        y = np.array([z[1] * x[2], z[2] * x[0] - z[0] * x[2], -z[1] * x[0]])  # z cross x
        a = np.radians(self.roll_deg)
        return np.stack([x * np.cos(a) + y * np.sin(a), y * np.cos(a) - x * np.sin(a), z])


@dataclass
class View:
    """Cameras of a batch as tensors.

    Attributes:
        place: (B,3).
        axes: (B,3,3) rows right, up, towards the camera.
        reach: (B,1) focal length over half the gate's width.
        squeeze: (B,2) how much more a lens takes in across, and up (1).
        size: Height and width in pixels.
        rows: First row and the row after the last, where only a band is looked at.
        points: (N,2) places in the picture in pixels, x right and y down from the corner, where
            only some are looked at; a multiple of a tile's rays, neighbours by each other.
    """

    place: Tensor
    axes: Tensor
    reach: Tensor
    squeeze: Tensor
    size: tuple[int, int]
    rows: tuple[int, int]
    points: Tensor | None = None

    def bands(self, rays: int) -> list[View]:
        """The same view in bands of about so many rays: small ones stay in the caches."""
        height, width = self.size
        step = max(SIDE, rays // padded(width) // SIDE * SIDE)
        return [replace(self, rows=(y, min(y + step, height))) for y in range(0, height, step)]

    def rays(self) -> Tensor:
        """Unit directions (B,N,3) from `place` through pixel centres, or `points`.

        They run tile by tile (see `tiles`); the last tiles may reach beyond the picture.
        """
        height, width = self.size
        places = self._centres() if self.points is None else self.points
        scale = torch.tensor([2.0 / width, -2.0 / height], device=places.device)
        plain = places * scale + torch.tensor([-1.0, 1.0], device=places.device)
        plain = plain * torch.tensor([1.0, height / width], device=places.device)
        at = plain[None] * (self.squeeze / self.reach)[:, None]
        local = torch.cat([at, -torch.ones_like(at[..., :1])], -1)
        way = torch.matmul(local, self.axes)
        return way * torch.rsqrt((way * way).sum(-1, keepdim=True))

    def _centres(self) -> Tensor:
        """(N,2) pixel centres of these rows, tile by tile."""
        first, last = self.rows
        device = self.place.device
        x = torch.arange(padded(self.size[1]), device=device) + 0.5
        y = torch.arange(first, first + padded(last - first), device=device) + 0.5
        down, across = torch.meshgrid(y, x, indexing="ij")
        return into_tiles(torch.stack([across, down], -1))

    def picture(self, values: Tensor) -> Tensor:
        """What rays brought (B,N,C) or (B,N), as (B,C,H,W) of these rows."""
        if values.dim() == 2:
            values = values[..., None]
        return from_tiles(values, (self.rows[1] - self.rows[0], self.size[1]))

    def planar(self, values: Tensor) -> Tensor:
        """The same of (B,C,N)."""
        return self.picture(values.transpose(1, 2))

    def project(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """Pixel positions (B,N,2), x right and y down from the corner, and depth (B,N)."""
        height, width = self.size
        local = torch.matmul(point - self.place[:, None], self.axes.transpose(-1, -2))
        depth = -local[..., 2]
        across = local[..., :2] / depth.clamp_min(1e-4)[..., None]
        across = across * (self.reach / self.squeeze)[:, None]
        x = (across[..., 0] + 1) * 0.5 * width
        y = (1 - across[..., 1] * (width / height)) * 0.5 * height
        return torch.stack([x, y], -1), depth


def view(cameras: Sequence[Camera], size_px: tuple[int, int], *,
         device: str | torch.device = "cpu") -> View:  # fmt: skip
    """Cameras as tensors."""
    place = torch.tensor([c.place for c in cameras], dtype=torch.float32)
    axes = torch.from_numpy(np.stack([c.axes() for c in cameras]).astype(np.float32))
    reach = torch.tensor([[2 * c.focal_mm / SENSOR_MM / c.margin] for c in cameras])
    squeeze = torch.tensor([[c.squeeze, 1.0] for c in cameras], device=device)
    rows = (0, size_px[0])
    return View(place.to(device), axes.to(device), reach.to(device), squeeze, size_px, rows)

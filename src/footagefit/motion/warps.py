"""Reading a picture at places between its pixels.

Here: cubic samples at given places, places by a homography or a flow, and one motion after
another. Not here: finding motion (`homography.py`, `flow.py`), carrying pixels forward
(`between.py`).

Places are x, y in px, x to the right, y down, the first pixel's centre at 0, 0.

Shapes: B batch, C channels, H rows, W columns, N places.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.motion import looks

_ROW = 256  # places a row when they are handed to OpenCV, which takes no picture over 32767 px
_ROWS = 16_384
_EDGE_PX = 0.5


def sampled(picture_BCHW: Tensor, at_BHW2_px: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures read at places by a cubic filter, and where these lie in the picture.

    Args:
        picture_BCHW: Values as they are; beyond the border its last pixels go on.
        at_BHW2_px: Places x, y.

    Returns:
        Values (B,C,H,W), and 1 where the place is in the picture (B,1,H,W).
    """
    height, width = picture_BCHW.shape[-2:]
    x, y = at_BHW2_px[..., 0], at_BHW2_px[..., 1]
    inside = (x >= -_EDGE_PX) & (x <= width - 1 + _EDGE_PX)
    inside = inside & (y >= -_EDGE_PX) & (y <= height - 1 + _EDGE_PX)
    valid = inside[:, None].to(picture_BCHW.dtype)
    if picture_BCHW.device.type == "cpu" and picture_BCHW.dtype == torch.float32:
        read = [
            looks.tensor(at_places(p.permute(1, 2, 0).numpy(), a.numpy()))
            for p, a in zip(picture_BCHW.detach(), at_BHW2_px.detach().float(), strict=True)
        ]
        return torch.stack(read), valid
    size = at_BHW2_px.new_tensor([width, height])
    place = ((at_BHW2_px + 0.5) * 2.0 / size - 1.0).to(picture_BCHW)
    values = F.grid_sample(
        picture_BCHW, place, mode="bicubic", padding_mode="border", align_corners=False
    )
    return values, valid


def at_places(picture_HWC: np.ndarray, at_xy2: np.ndarray, *, cubic: bool = True) -> np.ndarray:
    """A picture (H,W,C) or (H,W) read at places of any shape (...,2), as (...,C) or (...)."""
    import cv2

    lead = at_xy2.shape[:-1]
    places = np.ascontiguousarray(at_xy2, np.float32).reshape(-1, 2)
    spare = -len(places) % _ROW
    if spare:
        places = np.concatenate([places, np.zeros((spare, 2), np.float32)])
    x, y = (np.ascontiguousarray(places[:, i]).reshape(-1, _ROW) for i in (0, 1))
    flags = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    planes = picture_HWC if picture_HWC.ndim == 3 else picture_HWC[..., None]
    planes = np.ascontiguousarray(planes, np.float32)
    count = planes.shape[2]
    rows = [
        cv2.remap(
            planes[..., c : c + 4], x[r : r + _ROWS], y[r : r + _ROWS], flags,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(-1, _ROW, min(4, count - c))
        for r in range(0, len(x), _ROWS)
        for c in range(0, count, 4)
    ]  # fmt: skip
    per = -(-count // 4)
    bands = [np.concatenate(rows[i : i + per], -1) for i in range(0, len(rows), per)]
    read = np.concatenate(bands).reshape(-1, count)[: len(places) - spare]
    return read.reshape(*lead, count) if picture_HWC.ndim == 3 else read.reshape(lead)


def taps(part_N: np.ndarray) -> np.ndarray:
    """Weights (N,4) of OpenCV's cubic filter for a place so far beyond a pixel, 0 to 1."""
    a = -0.75
    d = np.stack([1.0 + part_N, part_N, 1.0 - part_N, 2.0 - part_N], 1)
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1.0, near, far)


def pixels(size: tuple[int, int]) -> np.ndarray:
    """Every pixel's own place (H,W,2)."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.stack([x, y], -1)


def moved(at_xy2: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Places (...,2) where a homography takes them; what it takes behind the camera is far out."""
    x, y = at_xy2[..., 0].astype(np.float64), at_xy2[..., 1].astype(np.float64)
    depth = by[2, 0] * x + by[2, 1] * y + by[2, 2]
    over = np.where(depth > 1e-6, 1.0 / np.maximum(depth, 1e-6), 0.0)
    to_x = np.where(over > 0, (by[0, 0] * x + by[0, 1] * y + by[0, 2]) * over, -1e6)
    to_y = np.where(over > 0, (by[1, 0] * x + by[1, 1] * y + by[1, 2]) * over, -1e6)
    return np.stack([to_x, to_y], -1).astype(np.float32)


def within(at_xy2: np.ndarray, size: tuple[int, int], *, edge_px: float = 0.0) -> np.ndarray:
    """Whether places lie in a picture, at least so far from its border."""
    x, y = at_xy2[..., 0], at_xy2[..., 1]
    low = edge_px - _EDGE_PX
    return (x >= low) & (x <= size[1] - 1 - low) & (y >= low) & (y <= size[0] - 1 - low)

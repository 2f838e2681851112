"""ST-maps: a distortion as a picture that says where to read, for any compositor.

Here: writing and reading them as float EXR, both ways, and reading a frame through one. Not here:
what the distortion is (`distortion.py`).

At each output pixel R says where to read across and G up from the bottom, both 0..1 with pixel
centres at (x + 0.5) / W. `undistort` reads the lens's picture to straighten it, `distort` bends
what is straight.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import UnreadableClip
from footagefit.footage import picture
from footagefit.signature import coordinates
from footagefit.signature.distortion import Distortion


def maps(lens: Distortion, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """`undistort` and `distort` (H,W,2), R to the right and G from the bottom."""
    x, y = np.broadcast_arrays(*coordinates.grid(size, squeeze=lens.squeeze))
    x, y = x.astype(np.float64), y.astype(np.float64)
    half = coordinates.half_diagonal_px(size, squeeze=lens.squeeze)
    made = []
    for at_x, at_y in (lens.distorted(x, y), lens.undistorted(x, y)):
        across = at_x * half / (size[1] * lens.squeeze) + 0.5
        made.append(np.stack([across, at_y * half / size[0] + 0.5], -1).astype(np.float32))
    return made[0], made[1]


def write(folder: Path, name: str, lens: Distortion, size: tuple[int, int]) -> tuple[Path, Path]:
    """Both maps as 32-bit float EXR: `<name>_undistort.exr` and `<name>_distort.exr`."""
    import OpenImageIO as oiio

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, values in zip(("undistort", "distort"), maps(lens, size), strict=True):
        spec = oiio.ImageSpec(size[1], size[0], 3, "float")
        spec.channelnames = ("R", "G", "B")
        spec.attribute("compression", "zip")
        spec.attribute("DateTime", "")
        path = folder / f"{name}_{kind}.exr"
        blue = np.zeros((*size, 1), np.float32)
        picture.write(path, [(spec, np.concatenate([values, blue], -1))])
        paths.append(path)
    return paths[0], paths[1]


def read(path: Path) -> np.ndarray:
    """A map (H,W,2) from an EXR, ours or another's."""
    with picture.PictureFile(path) as opened:
        part = opened.parts[0]
        names = list(part.stored)
        if not {"R", "G"} <= set(names):
            raise UnreadableClip(
                f"no ST-map: its channels are {', '.join(names)}", path=path,
                hint="A map holds R and G",
            )  # fmt: skip
        pixels = opened.pixels(part, dtype="float")
    return np.ascontiguousarray(pixels[..., [names.index("R"), names.index("G")]])


def through(frame_CHW: Tensor, map_HW2: np.ndarray) -> Tensor:
    """A frame read where a map says."""
    place = torch.from_numpy(
        map_HW2 * np.array([2, -2], np.float32) + np.array([-1, 1], np.float32)
    )
    return F.grid_sample(frame_CHW[None], place[None].to(frame_CHW), mode="bicubic",
                         padding_mode="border", align_corners=False)[0]  # fmt: skip


def fit(undistort_HW2: np.ndarray, *, squeeze: float = 1.0) -> Distortion:
    """The distortion that an undistorting map comes nearest to."""
    from scipy.optimize import least_squares

    size = (undistort_HW2.shape[0], undistort_HW2.shape[1])
    x, y = np.broadcast_arrays(*coordinates.grid(size, squeeze=squeeze))
    step = max(1, size[1] // 64)
    x, y = (v[::step, ::step].ravel().astype(float) for v in (x, y))
    half = coordinates.half_diagonal_px(size, squeeze=squeeze)
    at = undistort_HW2[::step, ::step].reshape(-1, 2).astype(float) - 0.5
    wanted = at * np.array([size[1] * squeeze, size[0]]) / half

    def rest(values: np.ndarray) -> np.ndarray:
        k1, k2, cx, cy = (float(v) for v in values)
        made = Distortion(k1, k2, cx, cy).distorted(x, y)
        return (np.stack(made, 1) - wanted).ravel()

    found = least_squares(rest, np.zeros(4), x_scale=[0.1, 0.05, 0.01, 0.01])
    error = float(np.sqrt((found.fun**2).mean())) * coordinates.HD_HALF_PX
    k1, k2, cx, cy = (float(v) for v in found.x)
    return Distortion(k1, k2, cx, cy, squeeze, round(error, 4), 0)

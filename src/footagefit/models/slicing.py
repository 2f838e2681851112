"""Slice a field of changes at every pixel and apply it: exact, differentiable, cheap.

What belongs here: reading a bilateral grid (Chen, Paris and Durand 2007; HDRnet, Gharbi et al.
2017, eq. 4) at each pixel's place and depth, and adding the change of stops it holds to the
light. Three ways give the same numbers: plain torch in row bands, torch.compile, and a fused
numba kernel. What does not belong here: deciding what the grid holds.

Shapes: B batch, H rows, W columns, P sampled pixels, Z depth cells, h rows and w columns of cells.
The centre of cell (0, 0) lies at half a cell from the corner of the frame, so that a grid means
the same at every resolution and aspect.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import FootagefitWarning, WrongValue
from footagefit.models.nets.field_net import AFFINE, Guide
from footagefit.models.nets.light import relit, stops

Way = Literal["auto", "plain", "compiled", "numba"]
_FURTHEST_EV = 20.0  # stops: beyond, in training, an example says no more
_BAND_PX = 1 << 19  # pixels a band of the plain way holds: bounded memory at any resolution


def slice_and_apply(plate: Tensor, grid: Tensor, guide: Guide, *, way: Way = "auto") -> Tensor:
    """The whole plate with the field on it.

    Args:
        plate: (B,3,H,W) scene-linear, any range.
        grid: (B,12,Z,h,w) changes of stops, the global one added in.
        guide: Gives each pixel's depth.
        way: `plain` differentiates and runs anywhere; `numba` fuses all on the CPU; `compiled`
            fuses on any device; `auto` takes numba for float32 on the CPU where nothing asks
            for gradients, else plain.

    Returns:
        (B,3,H,W), nothing clamped; where the field is zero, the plate to the bit.
    """
    tracks = torch.is_grad_enabled() and (plate.requires_grad or grid.requires_grad)
    if way == "auto":
        fits = plate.device.type == "cpu" and plate.dtype == torch.float32 and not tracks
        way = "numba" if fits and _kernel() is not None else "plain"
    if way == "numba":
        return _numba(plate, grid, guide)
    if way == "compiled":
        return _compiled()(plate, grid, _guide_weights(guide))
    if way == "plain":
        return _plain(plate, grid, guide)
    raise WrongValue(f"way: expected auto, plain, compiled or numba, got {way!r}")


def slice_points(plate: Tensor, grid: Tensor, guide: Guide, *, index: Tensor) -> Tensor:
    """Some pixels of the plate with the field on them, for training.

    Args:
        plate: (B,3,H,W) scene-linear.
        grid: (B,12,Z,h,w).
        guide: Gives each pixel's depth.
        index: (B,P) row x W + column of each pixel.

    Returns:
        (B,3,P), the same numbers that the whole frame would hold there, but that no change goes
        past `_FURTHEST_EV`: one wild example would end a run in numbers that are none.
    """
    height, width = plate.shape[-2:]
    light = plate.flatten(2).gather(2, index[:, None].expand(-1, 3, -1))
    rows = torch.div(index, width, rounding_mode="floor").to(plate.dtype)
    columns = (index % width).to(plate.dtype)
    x, y = (columns + 0.5) * (2.0 / width) - 1.0, (rows + 0.5) * (2.0 / height) - 1.0
    made = _sliced(light[:, :, None], grid, guide, x[:, None], y[:, None], furthest=_FURTHEST_EV)
    return made[:, :, 0]


def _plain(plate: Tensor, grid: Tensor, guide: Guide) -> Tensor:
    height, width = plate.shape[-2:]
    step = max(1, _BAND_PX // width)
    kind = {"device": plate.device, "dtype": plate.dtype}
    x = (torch.arange(width, **kind) + 0.5) * (2.0 / width) - 1.0
    y = (torch.arange(height, **kind) + 0.5) * (2.0 / height) - 1.0
    bands = []
    for top in range(0, height, step):
        light = plate[:, :, top : top + step]
        shape = (plate.shape[0], light.shape[2], width)
        rows = y[top : top + step].view(1, -1, 1).expand(shape)
        bands.append(_sliced(light, grid, guide, x.view(1, 1, -1).expand(shape), rows))
    return torch.cat(bands, 2) if len(bands) > 1 else bands[0]


def _sliced(
    light: Tensor, grid: Tensor, guide: Guide, x: Tensor, y: Tensor, furthest: float | None = None
) -> Tensor:
    """Light (B,3,H,W) at places x, y (B,H,W) in -1..1 with the field on it."""
    depth_cells = grid.shape[2]
    view = stops(light)
    depth = guide(view)
    z = (2.0 * depth * (depth_cells - 1) + 1.0) / depth_cells - 1.0
    place = torch.stack([x.expand_as(z), y.expand_as(z), z], -1)[:, None]
    change = F.grid_sample(grid, place, align_corners=False, padding_mode="border")[:, :, 0]
    affine = change.unflatten(1, (3, 4))
    delta = (affine[:, :, :3] * view[:, None]).sum(2) + affine[:, :, 3]
    return relit(light, delta if furthest is None else delta.clamp(-furthest, furthest))


def _guide_weights(guide: Guide) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return guide.luma, guide.offset, guide.inner, guide.inner_offset, guide.outer


def _gathered(plate: Tensor, grid: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
    """As `_plain`, written as gathers that a compiler fuses into one pass over the frame."""
    _, _, height, width = plate.shape
    batch, _, depth, rows, columns = grid.shape
    luma, offset, inner, inner_offset, outer = weights
    view = stops(plate)
    u = sum(luma[c] * view[:, c] for c in range(3)) + offset
    for k in range(inner.shape[0]):
        part = sum(inner[k, c] * view[:, c] for c in range(3)) + inner_offset[k]
        u = u + outer[k] * part.clamp_min(0.0)
    z = (0.5 + 0.5 * u / (1.0 + u.abs())) * (depth - 1)
    y = (torch.arange(height, device=plate.device) + 0.5) * (rows / height) - 0.5
    x = (torch.arange(width, device=plate.device) + 0.5) * (columns / width) - 0.5
    y, x = y.clamp(0, rows - 1).view(1, -1, 1), x.clamp(0, columns - 1).view(1, 1, -1)
    z0, y0, x0 = (
        z.floor().clamp(0, max(depth - 2, 0)),
        y.floor().clamp(0, max(rows - 2, 0)),
        x.floor().clamp(0, max(columns - 2, 0)),
    )
    fz, fy, fx = z - z0, y - y0, x - x0
    flat = grid.flatten(2)
    first = ((z0.long() * rows + y0.long()) * columns + x0.long()).flatten(1)
    dz, dy, dx = (rows * columns * (depth > 1)), columns * (rows > 1), int(columns > 1)
    lanes = []
    for row in range(3):
        delta = 0.0
        for column in range(4):
            cells = flat[:, row * 4 + column]

            def at(step: int, cells: Tensor = cells) -> Tensor:
                return cells.gather(1, first + step).view(batch, height, width)

            near = _lerp(_lerp(at(0), at(dx), fx), _lerp(at(dy), at(dy + dx), fx), fy)
            far = _lerp(
                _lerp(at(dz), at(dz + dx), fx), _lerp(at(dz + dy), at(dz + dy + dx), fx), fy
            )
            value = _lerp(near, far, fz)
            delta = delta + (value * view[:, column] if column < 3 else value)
        lanes.append(relit(plate[:, row], delta))  # pyright: ignore[reportArgumentType]
    return torch.stack(lanes, 1)


def _lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return a + (b - a) * t


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., Tensor]:
    return torch.compile(_gathered, dynamic=True)


@lru_cache(maxsize=1)
def _kernel() -> Callable[..., None] | None:
    """The fused kernel, or None (said once) where numba does not import."""
    try:
        from footagefit.models.slicing_kernel import apply_rows
    except ImportError as error:
        line = f"numba does not import ({error}); fields are applied by plain torch, slower"
        warnings.warn(line, FootagefitWarning, stacklevel=3)
        return None
    return apply_rows


def _numba(plate: Tensor, grid: Tensor, guide: Guide) -> Tensor:
    kernel = _kernel()
    if kernel is None:
        return _plain(plate, grid, guide)
    from footagefit.models.slicing_kernel import set_threads

    threads = torch.get_num_threads()
    set_threads(threads)
    light = plate.detach().contiguous()
    out = torch.empty_like(light)
    cells = grid.detach().permute(0, 3, 4, 2, 1).contiguous().numpy()  # (B,h,w,Z,12)
    # Copies: what numpy looks at can no longer be resized, as weights gathered for a while are.
    weights = [w.detach().clone().contiguous().numpy() for w in _guide_weights(guide)]
    for b in range(plate.shape[0]):
        kernel(light[b].numpy(), cells[b], *weights, out[b].numpy())
    if torch.get_num_threads() != threads:  # numba's OpenMP layer is torch's, and sets it
        torch.set_num_threads(threads)
    return out


def with_global(everywhere: Tensor, cells: Tensor) -> Tensor:
    """The grid with the global change (B,12) in every cell (B,12,Z,h,w)."""
    if everywhere.shape[1] != AFFINE or cells.shape[1] != AFFINE:
        raise WrongValue(f"a change has {AFFINE} numbers, got {everywhere.shape[1]}")
    return cells + everywhere[:, :, None, None, None]

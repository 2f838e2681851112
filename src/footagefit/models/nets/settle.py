"""A field that hardly differs from place to place is one change for the whole frame.

What belongs here: how far a field goes beyond the one change that says most of it, and what is let
go of where that is no more than a network's own unrest. What does not: the network, slicing.
Tensors only, so that it scripts for Nuke and exports for Flame.

An exposure, a printer light or a look changes every place alike; a net that answers cell by cell
answers each a little differently, and those errors average out in the one change that fits all
cells best. Light that falls differently is smooth, stands far above them, and is kept whole.

Shapes: B batch, Z depth cells, h and w of cells, H and W of the small picture, N unknowns.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

UNREST = 0.03  # stops, rms over the frame: local differences so small are let go of
LIGHT = 0.10  # stops: differences from here on are kept whole
_CELL_PX = 16  # as in `field_net`
# What keeps the equations from guessing: little beyond the mean change, depths like their
# neighbours, few stops.
_PULL, _BEND, _LEAST = 1e-2, 1e-2, 1e-4

# TorchScript reads no globals: the constants reach the functions as defaults, and stay at them.


def settled(
    everywhere: Tensor, cells: Tensor, view: Tensor, mask: Tensor, depth: Tensor,
    unrest: float = UNREST, light: float = LIGHT,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A field drawn towards the one change that fits it best, the less it differs from that.

    The one change is a matrix on stops and an offset for each depth, so that the grid holds it
    exactly; least squares over the pixels that read each cell.

    Args:
        everywhere: (B,12) the global change.
        cells: (B,12,Z,h,w) the local ones.
        view: (B,3,H,W) stops of the small picture.
        mask: (B,1,H,W) where the output counts.
        depth: (B,H,W) where each pixel reads the grid, 0..1.
        unrest: Stops of difference that are let go of.
        light: Stops of difference that are kept whole.

    Returns:
        The global change and the local ones, as they came or settled.
    """
    used, colour = _read(view, mask, depth, cells.shape[2])
    weight = (used / (used.sum((1, 2, 3), keepdim=True) + 1e-6))[:, None]
    grid = (cells + everywhere[:, :, None, None, None]).float()
    change = _changed(grid, colour)
    matrix, offsets = _one_change(grid, colour, change, weight)
    none = torch.zeros_like(offsets)
    alike = _by(torch.cat([matrix, none[:, :, :1]], 2), colour) + offsets[:, :, :, None, None]
    apart = _apart(change - alike, weight)
    kept = ((apart - unrest) / (light - unrest)).clamp(0.0, 1.0)
    kept = kept * kept * (3.0 - 2.0 * kept)
    level = (offsets * weight.sum((3, 4))).sum(2, keepdim=True)
    one = torch.cat([matrix, level], 2).flatten(1)
    rest = torch.stack([none, none, none, offsets - level], 2).flatten(1, 2)[:, :, :, None, None]
    wide = kept[:, :, None, None, None]
    everywhere = one.to(everywhere.dtype) * (1.0 - kept) + everywhere * kept
    return everywhere, rest.to(cells.dtype) * (1.0 - wide) + cells * wide


def _read(
    view: Tensor, mask: Tensor, depth: Tensor, depth_cells: int, cell_px: int = _CELL_PX
) -> tuple[Tensor, Tensor]:
    """How many pixels read each cell (B,Z,h,w), and their mean stops (B,3,Z,h,w).

    Counted on a quarter of the picture's rows and columns: a sixteenth of the work, and as good.
    """
    quarter, cell = 4, cell_px // 4
    seen = F.avg_pool2d(torch.cat([depth[:, None], mask, view], 1).float().detach(), quarter)
    place, mask, view = seen[:, 0:1] * (depth_cells - 1), seen[:, 1:2], seen[:, 2:5]
    used, colour = [], []
    for level in range(depth_cells):
        near = (1.0 - (place - float(level)).abs()).clamp(min=0.0) * mask
        share = F.avg_pool2d(near, cell)
        used.append(share)
        colour.append(F.avg_pool2d(near * view, cell) / (share + 1e-4))
    return torch.cat(used, 1), torch.stack(colour, 2)


def _changed(grid: Tensor, colour: Tensor) -> Tensor:
    """What cells (B,12,Z,h,w) do to colours (B,3,Z,h,w), in stops."""
    lanes = []
    for lane in range(3):
        affine = grid[:, 4 * lane : 4 * lane + 4]
        lanes.append((affine[:, 0:3] * colour).sum(1) + affine[:, 3])
    return torch.stack(lanes, 1)


def _by(affine: Tensor, colour: Tensor) -> Tensor:
    """What one change (B,3,4) does to colours (B,3,Z,h,w), in stops."""
    made = torch.matmul(affine[:, :, :3], colour.flatten(2)) + affine[:, :, 3:]
    return made.view(colour.shape)


def _one_change(
    grid: Tensor, colour: Tensor, change: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """The matrix (B,3,3) and the offsets (B,3,Z) that make those changes of those colours best.

    What is solved for is the way from the mean of all cells, about the mean colour: so the
    equations stand well apart, and where they say little it stays at the mean.
    """
    mean = (grid * weight).sum((2, 3, 4)).view(-1, 3, 4)
    middle = (colour * weight).sum((2, 3, 4))[:, :, None]
    about = colour - middle[:, :, :, None, None]
    left = change - _by(mean, colour)
    heavy = about * weight
    across = torch.matmul(heavy.flatten(2), about.flatten(2).transpose(1, 2))
    sums, here = heavy.sum((3, 4)), weight.sum((3, 4))
    here = _unit(here.shape[2]).to(here) * here
    top = torch.cat([across, sums], 2)
    squares = torch.cat([top, torch.cat([sums.transpose(1, 2), here], 2)], 1)
    toward = torch.matmul(heavy.flatten(2), left.flatten(2).transpose(1, 2))
    aims = torch.cat([toward, (left * weight).sum((3, 4)).transpose(1, 2)], 1)
    found = solved(squares + _held(here.shape[2]).to(squares), aims)
    turn, offsets = found[:, :3].transpose(1, 2), found[:, 3:].transpose(1, 2)
    offsets = offsets + mean[:, :, 3:] - torch.matmul(turn, middle)
    return mean[:, :, :3] + turn, offsets


def _apart(left: Tensor, weight: Tensor) -> Tensor:
    """How far a field is from the one change (B,1), in stops, of what neighbours have in common.

    Light differs alike over depths and neighbouring places; unrest evens out there.
    """
    here = weight.sum(2)
    place = F.avg_pool2d((left * weight).sum(2), 3, stride=1, padding=1)
    place = place / (F.avg_pool2d(here, 3, stride=1, padding=1) + 1e-8)
    much = (place.square() * here).flatten(1).sum(1, keepdim=True) / 3.0
    return torch.sqrt(much + 1e-12)


def _held(count: int, pull: float = _PULL, bend: float = _BEND, least: float = _LEAST) -> Tensor:
    """What is added to the equations (N,N), the matrix's three first."""
    unit = _unit(count)
    neighbour = unit[:-1] - unit[1:]
    depths = bend * torch.matmul(neighbour.t(), neighbour) + least * unit
    beside = torch.zeros(3, count)
    top = torch.cat([pull * _unit(3), beside], 1)
    return torch.cat([top, torch.cat([beside.t(), depths], 1)], 0)


def solved(squares: Tensor, aims: Tensor) -> Tensor:
    """The x of squares x = aims, for positive definite squares (B,N,N) and aims (B,N,K).

    Gauss and Jordan's elimination, spelled out: runtimes of exported models solve nothing.
    """
    count = squares.shape[1]
    unit = _unit(count).to(squares)
    both = torch.cat([squares, aims], 2)
    for at in range(count):
        row = both[:, at : at + 1] / both[:, at : at + 1, at : at + 1]
        both = both - (both[:, :, at : at + 1] - unit[None, :, at : at + 1]) * row
    return both[:, :, count:]


def _unit(count: int) -> Tensor:
    """The unit matrix, in words that older torch scripts and that runtimes know."""
    place = torch.arange(count)
    return (place[:, None] == place[None]).to(torch.float32)

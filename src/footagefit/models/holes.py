"""Where pixels are made: boxes round holes, cut out of a frame and put back.

What belongs here: crops at a frame's own scale. What does not: what fills them.

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from footagefit.models.base import resampled
from footagefit.records import Given

Box = tuple[slice, slice]  # rows and columns
_ROOM = 0.5  # of the hole's size, seen on both sides together


def hole_boxes(mask_B1HW: Tensor, *, least_px: int) -> list[Box | None]:
    """A box for each picture that holds its hole with room round it; None where there is none.

    Args:
        mask_B1HW: 1 where pixels are made.
        least_px: Rows and columns that a box has at least, as far as the frame has them.
    """
    height, width = mask_B1HW.shape[-2:]
    found: list[Box | None] = []
    for mask in mask_B1HW[:, 0] > 0:
        rows, columns = (mask.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
        if not rows:
            found.append(None)
            continue
        sides = ((rows, height), (columns, width))
        top, left = (_side(places[0], places[-1] + 1, n, least_px) for places, n in sides)
        found.append((top, left))
    return found


def cut(given: Given, index: int, box: Box) -> Given:
    """What is given of one picture, inside a box (B is 1)."""
    rows, columns = box
    size = (int(given.plate.shape[2]), int(given.plate.shape[3]))
    one = slice(index, index + 1)
    return Given(
        plate=given.plate[one, :, rows, columns],
        guide=resampled(given.guide[one], size)[:, :, rows, columns],
        mask=given.mask[one, :, rows, columns],
        reference=given.reference[one],
        vector=given.vector[one],
        noise=given.noise[one, :, rows, columns],
    )


def put_back(plate: Tensor, made: Tensor, mask: Tensor) -> Tensor:
    """What was made wherever the mask is above 0; how much of it is the task's to say."""
    return torch.where(mask > 0, made, plate)


def _side(first: int, last: int, length: int, least: int) -> slice:
    size = min(length, max(least, round((last - first) * (1.0 + _ROOM))))
    begin = min(max(0, (first + last - size) // 2), length - size)
    return slice(begin, begin + size)

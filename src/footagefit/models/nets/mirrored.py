"""A field decided twice, of a picture and of its mirror image, and both answers as one.

What belongs here: how a net is asked both ways and what is made of its answers. What does not: the
net, and training, which asks once: half of what is learnt from comes mirrored.

What a net gets wrong of a picture and of its mirror image is hardly the same, and half of what
differs goes. Tensors only, so that it scripts for Nuke and exports for Flame.

Shapes: B batch, R references, D vector entries, Z depth cells, h and w of cells, H and W of the
small picture.
"""

from __future__ import annotations

import torch
from torch import Tensor


def both_ways(
    plate: Tensor, mask: Tensor, guide: Tensor, reference: Tensor, vector: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What a net is given (B,C,H,W), and after it in the batch the same mirrored.

    The guide is mirrored with the picture: it says where in the lens each pixel was.
    """
    return (
        torch.cat([plate, plate.flip([3])]),
        torch.cat([mask, mask.flip([3])]),
        torch.cat([guide, guide.flip([3])]),
        torch.cat([reference, reference.flip([4])]),
        torch.cat([vector, vector]),
    )


def agreed(everywhere: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (B,12) and (B,12,Z,h,w) of both halves of a batch, the second turned back."""
    count = everywhere.shape[0] // 2
    change = 0.5 * (everywhere[:count] + everywhere[count:])
    local = 0.5 * (cells[:count] + cells[count:].flip([4]))
    return change, local

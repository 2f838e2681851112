"""How much of a field of changes to follow, by its parts.

What belongs here: parts that a person holds back. What does not: who asks for them (`rendering`,
`export`). Tensors only, so that it scripts for Nuke.
"""

from __future__ import annotations

from torch import Tensor


def followed(rows: Tensor, local: float, tone: float, colour: float) -> Tensor:
    """Changes of stops (B,12,Z,h,w) with some of their parts held back.

    Args:
        rows: For each channel, what is added to its stops from all three stops and 1.
        local: Of what differs from place to place, 0 to 1.
        tone: Of what lightens or darkens: what the channels have in common, by ACEScg luminance.
        colour: Of the rest, which changes hues.
    """
    if local != 1.0:
        everywhere = rows.mean((3, 4), keepdim=True)
        rows = everywhere + local * (rows - everywhere)
    if tone != 1.0 or colour != 1.0:
        apart = rows.reshape(rows.shape[0], 3, 4, -1)
        common = 0.27 * apart[:, 0:1] + 0.67 * apart[:, 1:2] + 0.06 * apart[:, 2:3]
        rows = (colour * (apart - common) + tone * common).view(rows.shape)
    return rows

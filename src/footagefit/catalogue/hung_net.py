"""What the network that finds wires is shown of a take beside its hero; the net is a small U-Net.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

import numpy as np

from footagefit.catalogue.differing_net import DifferingNet

CHANNELS = 10
KEPT = 7  # of them, from which the others follow
_MOST = 4.0
_UNITS = np.array([1, 2, 2], np.float32)  # luminance and two colours, to a stop


class HungNet(DifferingNet):
    """A small U-Net over cells of 2 x 2 pixels.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, *, width: int = 16) -> None:
        super().__init__(width=width, channels=CHANNELS, kinds=1)


def shown(kept_CHW: np.ndarray) -> np.ndarray:
    """Both pictures, what differs, where both reach (10,H,W), from what is kept (7,H,W)."""
    take, hero, inside = kept_CHW[:3], kept_CHW[3:6], kept_CHW[6:]
    scale = _UNITS[:, None, None]
    planes = [np.clip(p * scale, -_MOST, _MOST) for p in (take, hero, take - hero)]
    return (np.concatenate([*planes, inside]) * inside).astype(np.float32)

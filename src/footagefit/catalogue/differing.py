"""Props, booms and wardrobe that one of two aligned takes has and the other has not.

Here: what a small net is shown of the two, and what is made of its answer. Not here: holding the
takes beside each other (`outside`), wires (`hung`), teaching the net (`training/differing.py`).

Shapes: K kinds, H rows, W columns, C channels of evidence, h and w cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from footagefit.catalogue.comparing import Box
from footagefit.catalogue.differing_net import CELL_PX, KINDS, DifferingNet, present
from footagefit.catalogue.outside import Beside
from footagefit.small_nets import loaded

WEIGHTS = Path(__file__).resolve().parent / "weights" / "differing.safetensors"
LONG_PX = 320  # long side of what the net is shown
MOST = 4.0  # that a channel of evidence may be
_CRUMB = 0.2  # of the largest part
_UNITS = np.array([1, 1, 1, 0.6, 1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 4], np.float32)  # to a stop


@dataclass(frozen=True)
class Seen:
    """One kind of thing that differs.

    Attributes:
        kind: One of `KINDS`.
        sure: How likely it is there at all, as a logit.
        box: About it, in pixels of the reference's picture.
        share: Of the picture that it covers.
        apart_px: Between its two largest parts, where a prop was and is; 0 where it is one.
    """

    kind: str
    sure: float
    box: Box
    share: float
    apart_px: float


def evidence(seen: Beside) -> np.ndarray:
    """What the net is shown (C,H,W): what differs, where it is new or gone, what stirs."""
    import cv2

    stirred = [np.ptp(p[..., 0], axis=0) for p in (seen.shown_KHWC, seen.was_KHWC)]
    channels = [
        *np.moveaxis(seen.shown_HWC - seen.was_HWC, -1, 0), *np.moveaxis(seen.was_HWC, -1, 0),
        *_luma_and_colour(seen.added_HWC), *_luma_and_colour(seen.missing_HWC),
        seen.new_HWC.sum(-1), seen.old_HWC.sum(-1), *stirred,
    ]  # fmt: skip
    planes = np.stack([c * seen.inside_HW for c in channels] + [seen.inside_HW.astype(np.float32)])
    planes = np.clip(planes * _UNITS[:, None, None], -MOST, MOST).astype(np.float32)
    height, width = seen.inside_HW.shape
    scale = LONG_PX / max(height, width)
    if scale == 1.0:
        return planes
    size = (round(width * scale), round(height * scale))
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in planes])


def differing(
    seen: Beside, limits: Mapping[str, float], *, net: DifferingNet | None = None
) -> list[Seen]:
    """What differs, surest first.

    Args:
        seen: The takes.
        limits: By kind, the logit from which it is told.
        net: Another than the one that ships.
    """
    with torch.no_grad():
        logits = (net or shipped())(torch.from_numpy(evidence(seen))[None])
        sure = present(logits)[0].tolist()
    found = []
    for kind, logit, plane in zip(KINDS, sure, logits[0].numpy(), strict=True):
        if kind in limits and logit > limits[kind]:
            found.append(_boxed(kind, logit, plane, seen.inside_HW.shape))
    return sorted(found, key=lambda s: -s.sure)


def _boxed(kind: str, sure: float, plane_hw: np.ndarray, size: tuple[int, ...]) -> Seen:
    """A box about the cells that are likelier than not, or nearly as likely as the likeliest."""
    there = plane_hw > min(0.0, float(plane_hw.max()) - 1.0)
    rows, columns = (np.flatnonzero(there.any(axis)) for axis in (1, 0))
    scale = CELL_PX * max(size) / LONG_PX
    left, top = int(columns[0] * scale), int(rows[0] * scale)
    right = min(size[1], round((columns[-1] + 1) * scale))
    bottom = min(size[0], round((rows[-1] + 1) * scale))
    box = (left, top, right - left, bottom - top)
    return Seen(kind, sure, box, float(there.mean()), scale * _apart(there))


def _apart(there_hw: np.ndarray) -> float:
    """Cells between the middles of the two largest parts, the smaller no mere crumb."""
    import cv2

    _, _, stats, middles = cv2.connectedComponentsWithStats(there_hw.astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    if len(areas) < 2:
        return 0.0
    first, second = np.argsort(areas)[::-1][:2]
    if areas[second] < _CRUMB * areas[first]:
        return 0.0
    return float(np.hypot(*(middles[1 + first] - middles[1 + second])))


def _luma_and_colour(excess_HWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return excess_HWC[..., 0], excess_HWC[..., 1:].sum(-1)


@lru_cache(maxsize=1)
def shipped() -> DifferingNet:
    """The net with its shipped weights.

    Raises:
        MissingPart: They are not there.
    """
    return load(WEIGHTS)


def load(path: Path) -> DifferingNet:
    """A net with weights from a file, frozen."""
    return loaded(path, lambda width: DifferingNet(width=width))

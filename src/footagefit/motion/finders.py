"""What should not be in a shot, found: wires, booms, dust, flashes, held frames; a mask a frame.

    for number, mask_1HW in find("wire", footage.plate, footage.numbers): ...

What belongs here: from a net's likelihoods to masks, by rules of size, length and lasting. What
does not: what the net looks at (`evidence`), flashes and held frames (`drops`), writing masks.
A mask is a proposal: an artist corrects it and feeds it back.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import UnknownName
from footagefit.motion import drops
from footagefit.motion import finder_net as nets
from footagefit.motion.evidence import UNLIKE, evidence, stops_of
from footagefit.motion.hanging import hangs, signs_of
from footagefit.motion.wires import candidates, painted
from footagefit.small_nets import loaded

KINDS = (*nets.KINDS, "flash", "drop")
_HINT = "Install footagefit again, or bring a mask with mask="
WEIGHTS = Path(__file__).resolve().parent / "weights" / "finder.safetensors"
Read = Callable[[int], Tensor]


@dataclass(frozen=True)
class Way:
    """How one kind is looked for.

    Attributes:
        long_px: Long side of the picture that is looked at.
        lasts: Whether it is there in neighbouring frames too.
        grow_px: How much masks are widened: edges are soft.
    """

    long_px: int
    lasts: bool = True
    grow_px: int = 1


WAYS = {"wire": Way(960), "boom": Way(320), "dust": Way(960, lasts=False)}
_REACH = 2  # frames to either side in which a thing that lasts is looked for
_STRAY_SHARE = 0.05  # of the short side: how far it may have moved meanwhile
_SEEN_AGAIN = 0.5  # share of neighbouring frames
_IN_VAIN = 3  # curves that are no wires before no more are looked for
_SURE, _LIKELY = 0.9, 0.5  # of booms and dust: somewhere in them, and all over
_BOOM_SHARE = (0.002, 0.16)  # of the frame
_BOOM_MEAN, _BOOM_WHOLE = 0.85, 0.6  # mean likelihood, and share of its convex outline
_DUST_SHARE, _DUST_RING_PX, _DUST_CALM = 0.004, 8, 0.12  # how much round a speck may differ too


class Seen(NamedTuple):
    """What the net says of a frame at the working size.

    Attributes:
        likely_HW: How likely each pixel is of the kind looked for.
        restless_HW: Where the frame differs from either neighbour.
        stops_HW: Its luminance, log2.
    """

    likely_HW: np.ndarray
    restless_HW: np.ndarray
    stops_HW: np.ndarray


def find(kind: str, read: Read, numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """A mask (1,H,W) of 0 and 1 for each frame, in order; a few frames are held at a time.

    Args:
        kind: One of `KINDS`; `drop` also gives numbers that lack between the first and the last,
            as frames that are a hole altogether.
        read: A frame (3,H,W), scene-linear ACEScg, by number.
        numbers: Frames of one shot that exist, ascending.

    Raises:
        UnknownName: Not one of `KINDS`.
    """
    if kind not in KINDS:
        raise UnknownName("thing to find", kind, KINDS)
    if kind == "flash":
        return drops.flashes(read, numbers)
    if kind == "drop":
        return drops.held(read, numbers)
    return _found(kind, read, numbers)


def _found(kind: str, read: Read, numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    way, net = WAYS[kind], shipped()
    masks: deque[tuple[int, np.ndarray, tuple[int, int]]] = deque(maxlen=2 * _REACH + 1)
    given = 0
    for index, (number, three, size) in enumerate(_threes(way, read, numbers)):
        masks.append((number, judged(kind, looked(net, kind, three)), size))
        if index >= _REACH:
            yield _lasting(way, masks, given - (index - len(masks) + 1))
            given += 1
    first = len(numbers) - len(masks)
    while given < len(numbers):
        yield _lasting(way, masks, given - first)
        given += 1


def _threes(
    way: Way, read: Read, numbers: Sequence[int]
) -> Iterator[tuple[int, tuple[Tensor, Tensor, Tensor], tuple[int, int]]]:
    """Each frame between its neighbours at the working size, and its own size."""
    held: dict[int, tuple[Tensor, tuple[int, int]]] = {}

    def small(index: int) -> tuple[Tensor, tuple[int, int]]:
        if index not in held:
            frame = read(numbers[index])
            held[index] = (_resized(frame, way.long_px), (frame.shape[1], frame.shape[2]))
        return held[index]

    last = len(numbers) - 1
    for index, number in enumerate(numbers):
        before = index - 1 if index else min(1, last)
        after = index + 1 if index < last else max(0, last - 1)
        (frame, size), one, two = small(index), small(before)[0], small(after)[0]
        yield number, (one, frame, two), size
        held.pop(index - 1, None)


def _resized(frame_3HW: Tensor, long_px: int) -> Tensor:
    """Light averaged down to a long side; a smaller frame stays as it is."""
    height, width = frame_3HW.shape[1:]
    scale = long_px / max(height, width)
    if scale >= 1.0:
        return frame_3HW
    size = (max(16, round(height * scale)), max(16, round(width * scale)))
    light = frame_3HW.nan_to_num(0.0, 65504.0, 0.0)
    return F.interpolate(light[None], size=size, mode="area")[0]


def looked(net: nets.FinderNet, kind: str, three: tuple[Tensor, Tensor, Tensor]) -> Seen:
    """What the net says of the middle one of three frames."""
    seen = evidence(*three)
    height, width = seen.shape[1:]
    spare = (0, -width % nets.CELL_PX, 0, -height % nets.CELL_PX)
    with torch.inference_mode():
        logits = net(F.pad(seen[None], spare, mode="replicate"))
    likely = torch.sigmoid(logits[0, nets.KINDS.index(kind), :height, :width])
    return seen_as(likely, seen)


def seen_as(likely_HW: Tensor, evidence_CHW: Tensor) -> Seen:
    """Likelihood of one kind and the evidence that it was told from."""
    restless = (evidence_CHW[UNLIKE].abs() > 1.0).any(0)
    return Seen(likely_HW.numpy(), restless.numpy(), stops_of(evidence_CHW).numpy())


def judged(kind: str, seen: Seen) -> np.ndarray:
    """What of it is taken for found (H,W), by what such a thing looks like as a whole."""
    if kind == "wire":
        return _wires(seen)
    return _pieces(seen, _is_boom if kind == "boom" else _is_dust)


def _wires(seen: Seen) -> np.ndarray:
    """The curves that hang before the frame, as wide as they are."""
    out = np.zeros(seen.likely_HW.shape, bool)
    in_vain = 0
    for curve, left in candidates(seen.likely_HW):
        if hangs(signs_of(left, seen.stops_HW, curve)):
            out |= painted(left, curve)
        elif (in_vain := in_vain + 1) == _IN_VAIN:
            break
    return out


def _pieces(seen: Seen, fits: Callable[[np.ndarray, Seen], bool]) -> np.ndarray:
    """The likely pieces that are sure somewhere and fit."""
    count, labels = _labelled(seen.likely_HW >= _LIKELY)
    best = np.zeros(count, np.float32)
    np.maximum.at(best, labels.ravel(), seen.likely_HW.ravel())
    keep = np.zeros(count, bool)
    for at in np.flatnonzero(best[1:] >= _SURE) + 1:
        keep[at] = fits(labels == at, seen)
    return keep[labels]


def _labelled(mask_HW: np.ndarray) -> tuple[int, np.ndarray]:
    """How many pieces a mask has, the background being one, and which each pixel is of."""
    import cv2

    count, labels = cv2.connectedComponents(mask_HW.astype(np.uint8), connectivity=8)
    return count, labels.astype(np.int64)


def _is_boom(piece: np.ndarray, seen: Seen) -> bool:
    """One body that comes in from the border."""
    import cv2

    share = float(piece.mean())
    border = piece[0].any() or piece[-1].any() or piece[:, 0].any() or piece[:, -1].any()
    if not border or not _BOOM_SHARE[0] <= share <= _BOOM_SHARE[1]:
        return False
    points = np.argwhere(piece).astype(np.float32)
    outline = max(1.0, cv2.contourArea(cv2.convexHull(points)))
    sure = float(seen.likely_HW[piece].mean()) >= _BOOM_MEAN
    return sure and len(points) >= _BOOM_WHOLE * outline


def _is_dust(piece: np.ndarray, seen: Seen) -> bool:
    """Small, and alone: round what moves too fast to be laid over, much differs."""
    import cv2

    if piece.mean() > _DUST_SHARE:
        return False
    size = 2 * _DUST_RING_PX + 1
    wide = cv2.dilate(piece.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    near = cv2.dilate(piece.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    ring = wide & ~near
    return float(seen.restless_HW[ring].mean()) <= _DUST_CALM


def _lasting(
    way: Way, masks: Sequence[tuple[int, np.ndarray, tuple[int, int]]], at: int
) -> tuple[int, Tensor]:
    """One frame's mask at its own size, without what its neighbours do not have."""
    import cv2

    number, mask, size = masks[at]
    if way.lasts and len(masks) > 1 and mask.any():
        others = [m for i, (_, m, _) in enumerate(masks) if i != at and abs(i - at) <= _REACH]
        mask = _seen_again(mask, others)
    grown = mask.astype(np.uint8)
    if way.grow_px:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * way.grow_px + 1,) * 2)
        grown = cv2.dilate(grown, disc)
    if grown.shape != size:
        large = cv2.resize(grown.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
        grown = large >= 0.5
    return number, torch.from_numpy(grown.astype(np.float32))[None]


def _seen_again(mask: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """The pieces that enough of the neighbours have near the same place."""
    import cv2

    stray = max(2, round(_STRAY_SHARE * min(mask.shape)))
    block = np.ones((2 * stray + 1, 2 * stray + 1), np.uint8)
    again = np.mean([cv2.dilate(m.astype(np.uint8), block) for m in others], 0)
    count, labels = _labelled(mask)
    total = np.bincount(labels.ravel(), again.ravel(), minlength=count)
    mean = total / np.maximum(1, np.bincount(labels.ravel(), minlength=count))
    keep = mean >= _SEEN_AGAIN
    keep[0] = False
    return keep[labels]


@lru_cache(maxsize=1)
def shipped() -> nets.FinderNet:
    """The net with its shipped weights.

    Raises:
        MissingPart: They are not there.
    """
    return load(WEIGHTS)


def load(path: Path) -> nets.FinderNet:
    """A net with weights from a file, frozen."""
    return loaded(path, lambda width: nets.FinderNet(width=width), hint=_HINT)

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

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import MissingPart, UnknownName
from footagefit.motion import drops
from footagefit.motion import finder_net as nets
from footagefit.motion.evidence import evidence

KINDS = (*nets.KINDS, "flash", "drop")
WEIGHTS = Path(__file__).resolve().parent / "weights" / "finder.safetensors"
Read = Callable[[int], Tensor]


@dataclass(frozen=True)
class Way:
    """How one kind is looked for.

    Attributes:
        long_px: Long side of the picture that is looked at.
        sure: Likelihood that something found must reach somewhere.
        likely: Likelihood that its pixels have.
        least_px: Least length, or 0.
        least_share: Least length as a share of the short side.
        most_share: Most area as a share of the frame.
        slender: Least length over mean width.
        lasts: Whether it is there in neighbouring frames too.
        grow_px: How much masks are widened: edges are soft.
    """

    long_px: int
    sure: float
    likely: float
    least_px: float = 0.0
    least_share: float = 0.0
    most_share: float = 1.0
    slender: float = 0.0
    lasts: bool = True
    grow_px: int = 1


WAYS = {
    "wire": Way(960, 0.75, 0.4, least_px=36, least_share=0.12, slender=5.0),
    "boom": Way(320, 0.8, 0.5, least_px=6),
    "dust": Way(960, 0.8, 0.4, most_share=0.01, lasts=False),
}
_REACH = 2  # frames to either side in which a thing that lasts is looked for
_STRAY_SHARE = 0.04  # of the short side: how far it may have moved meanwhile
_SEEN_AGAIN = 0.5  # share of neighbouring frames


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
        masks.append((number, judged(kind, likelihood(net, kind, three)), size))
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


def likelihood(net: nets.FinderNet, kind: str, three: tuple[Tensor, Tensor, Tensor]) -> np.ndarray:
    """How likely each pixel of the middle frame is of a kind (H,W)."""
    seen = evidence(*three)
    height, width = seen.shape[1:]
    spare = (0, -width % nets.CELL_PX, 0, -height % nets.CELL_PX)
    with torch.inference_mode():
        logits = net(F.pad(seen[None], spare, mode="replicate"))
    return torch.sigmoid(logits[0, nets.KINDS.index(kind), :height, :width]).numpy()


def judged(kind: str, likely_HW: np.ndarray) -> np.ndarray:
    """What of it is taken for found (H,W): whole pieces, each sure somewhere, and of its shape."""
    import cv2

    way = WAYS[kind]
    short = min(likely_HW.shape)
    weak = (likely_HW >= way.likely).astype(np.uint8)
    if kind == "wire":  # short gaps do not end one
        weak = cv2.morphologyEx(weak, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
    best = np.zeros(count, np.float32)
    np.maximum.at(best, labels.ravel(), likely_HW.ravel())
    area = boxes[:, cv2.CC_STAT_AREA]
    length = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT])
    keep = (best >= way.sure) & (area <= way.most_share * likely_HW.size)
    keep &= length >= max(way.least_px, way.least_share * short)
    keep &= length**2 >= way.slender * area  # length over width, width being area over length
    keep[0] = False
    return keep[labels]


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
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
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
    if not WEIGHTS.is_file():
        raise MissingPart(
            "the finder's weights are not there", path=WEIGHTS,
            hint="Install footagefit again, or bring a mask with mask=",
        )  # fmt: skip
    return load(WEIGHTS)


def load(path: Path) -> nets.FinderNet:
    """A net with weights from a file, frozen."""
    from safetensors.torch import load_file

    weights = {n: t.float() if t.is_floating_point() else t for n, t in load_file(path).items()}
    net = nets.FinderNet(width=weights["stem.weight"].shape[0])
    net.load_state_dict(weights)
    return net.eval().requires_grad_(False)

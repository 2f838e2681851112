"""Things that leap: small, and further from one frame to the other than they are large.

Here: blocks that dense flow leaves unexplained, looked for by comparing them all round, and flow
that starts from what was found. Not here: dense flow itself (`flow.py`).

Coarse to fine, a small thing is gone before its leap is short enough to be followed.

Shapes: H rows, W columns; flows (H,W,2) u, v in px.
"""

from __future__ import annotations

import cv2
import numpy as np

from footagefit.motion import warps
from footagefit.motion.flow import Tracker

_BLOCK_PX, _STEP_PX, _REACH_PX = 12, 6, 24
_MOST = 800  # blocks of a pair
_APART = 7.0  # 8-bit codes, on average: less is explained
_BETTER = 0.15  # of what is left without a leap, in squares
_FIT = 150.0  # codes squared: what is found must fit, too
_ALONE_PX, _ONCE, _NOISE = 4, 0.4, 4.0
_ALIKE_PX, _COMPANY = 2, 2
_LEAST = 3
_SOFT_PX = 1.0


def followed(one_HW: np.ndarray, other_HW: np.ndarray, track: Tracker) -> np.ndarray:
    """Flow from one 8-bit picture to another, leaps followed.

    Args:
        one_HW: Codes.
        other_HW: Codes.
        track: Dense flow.
    """
    plain = track(one_HW, other_HW)
    soft = [cv2.GaussianBlur(p, (0, 0), _SOFT_PX).astype(np.float32) for p in (one_HW, other_HW)]
    left = _left(soft[0], soft[1], plain)
    found = _blocks(soft[0], soft[1], plain, left)
    if len(found) < _LEAST:
        return plain
    start = plain.copy()
    half = _BLOCK_PX // 2
    for x, y, u, v in found:
        start[y - half : y + half, x - half : x + half] = (u, v)
    leapt = track(one_HW, other_HW, start)
    better = _left(soft[0], soft[1], leapt) < left
    return np.where(better[..., None], leapt, plain)


def _left(one: np.ndarray, other: np.ndarray, along: np.ndarray) -> np.ndarray:
    """What a flow leaves unexplained nearby (H,W)."""
    seen = warps.at_places(other, warps.pixels(one.shape[:2]) + along, cubic=False)
    return cv2.blur(np.abs(one - seen), (_BLOCK_PX // 2 + 1,) * 2)


def _blocks(
    one: np.ndarray, other: np.ndarray, plain: np.ndarray, left: np.ndarray
) -> list[tuple[int, int, int, int]]:
    """Middles x, y of blocks that were found elsewhere, and their leaps u, v."""
    height, width = one.shape
    half = _BLOCK_PX // 2
    across, down = (int(v) for v in np.median(plain.reshape(-1, 2), 0).round())
    pad = _REACH_PX + max(abs(across), abs(down))
    wide = cv2.copyMakeBorder(other, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    places = [
        (x, y)
        for y in range(half, height - half + 1, _STEP_PX)
        for x in range(half, width - half + 1, _STEP_PX)
        if left[min(y, height - 1), min(x, width - 1)] > _APART
    ]
    found = []
    for x, y in places[:: -(-len(places) // _MOST) or 1]:
        block = one[y - half : y + half, x - half : x + half]
        top, side = y - half + pad + down - _REACH_PX, x - half + pad + across - _REACH_PX
        around = wide[
            top : top + _BLOCK_PX + 2 * _REACH_PX, side : side + _BLOCK_PX + 2 * _REACH_PX
        ]
        apart = cv2.matchTemplate(around, block, cv2.TM_SQDIFF) / _BLOCK_PX**2
        least, _, (right, below), _ = cv2.minMaxLoc(apart)
        if least > min(_FIT, _BETTER * apart[_REACH_PX, _REACH_PX]):
            continue
        # Bricks and blinds are found everywhere: what is found twice is not found.
        apart[max(0, below - _ALONE_PX) : below + _ALONE_PX + 1,
              max(0, right - _ALONE_PX) : right + _ALONE_PX + 1] = np.inf  # fmt: skip
        if least < _ONCE * apart.min() - _NOISE:
            found.append((x, y, right - _REACH_PX + across, below - _REACH_PX + down))
    return _in_company(found)


def _in_company(found: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Blocks with others beside them that leap alike: a thing is larger than one block."""
    if not found:
        return []
    all_N4 = np.array(found)
    near = np.abs(all_N4[:, None, :2] - all_N4[None, :, :2]).max(-1) <= 2 * _STEP_PX
    alike = np.abs(all_N4[:, None, 2:] - all_N4[None, :, 2:]).max(-1) <= _ALIKE_PX
    company = (near & alike).sum(1) - 1
    return [block for block, count in zip(found, company, strict=True) if count >= _COMPANY]

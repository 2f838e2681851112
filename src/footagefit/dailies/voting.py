"""Maps between two pictures by votes: parts look for themselves, and those that agree win.

Parts vote for where they find themselves (Ballard 1981): a set that moved one way outvotes an actor
who moved another, or comes second. It finds what has too few corners for landmarks. Not here:
landmarks (`same_set.py`), whether a map is any good (its callers).

Shapes: H rows, W columns, N votes.
"""

from __future__ import annotations

import numpy as np

_PX = 240  # long side at which parts are looked for
_REACH = 0.2  # of the width that a camera may have moved
_SURE, _NEAR_PX, _LEAST, _MOST = 0.6, 3.5, 3, 4
# Stops (rms) of detail that a part needs, and beyond which counts alike.
_PLAIN, _ROUGH = 0.02, 0.15
_MOST_TURN = 0.12


def voted(one_HW: np.ndarray, other_HW: np.ndarray) -> list[np.ndarray]:
    """Maps (2,3) from one picture's pixels to the other's that several parts agree on, most first.

    Args:
        one_HW: A picture's detail.
        other_HW: Another's, of the same size.
    """
    import cv2

    size = np.array(one_HW.shape[1::-1])
    scale = max(1.0, float(size.max()) / _PX)
    small = tuple(int(v) for v in (size / scale).round())
    one, other = (cv2.resize(p, small, interpolation=cv2.INTER_AREA) for p in (one_HW, other_HW))
    votes_N5 = _votes(one, other)
    maps = []
    while len(votes_N5) >= _LEAST and len(maps) < _MOST:
        apart = np.linalg.norm(votes_N5[:, None, 2:4] - votes_N5[None, :, 2:4], axis=-1)
        together = apart < _NEAR_PX
        winner = together[int((together * votes_N5[:, 4]).sum(1).argmax())]
        if winner.sum() < _LEAST:
            break
        at, by = votes_N5[winner, :2], votes_N5[winner, 2:4]
        step = np.average(by, axis=0, weights=votes_N5[winner, 4])
        maps.append(np.array([[1, 0, step[0] * scale], [0, 1, step[1] * scale]], np.float32))
        turned, _ = cv2.estimateAffinePartial2D(at, at + by, ransacReprojThreshold=1.5)
        if turned is not None and np.abs(turned[:, :2] - np.eye(2)).max() < _MOST_TURN:
            turned[:, 2] *= scale
            maps.append(turned.astype(np.float32))
        votes_N5 = votes_N5[~winner]
    return maps


def _votes(one_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
    """Parts of one picture found in another (N,5): place x, y, shift x, y, and what that counts."""
    import cv2

    height, width = one_HW.shape
    side, reach = max(12, width // 8), round(width * _REACH)
    framed = np.pad(other_HW, reach)
    votes = []
    for y in range(0, height - side + 1, side // 2):
        for x in range(0, width - side + 1, side // 2):
            part = one_HW[y : y + side, x : x + side]
            rough = float(part.std())
            if rough < _PLAIN:
                continue
            about = framed[y : y + side + 2 * reach, x : x + side + 2 * reach]
            like = cv2.matchTemplate(about, part, cv2.TM_CCOEFF_NORMED)
            _, sure, _, at = cv2.minMaxLoc(like)
            if sure > _SURE:
                half = side / 2
                weight = sure * min(rough, _ROUGH)
                votes.append((x + half, y + half, at[0] - reach, at[1] - reach, weight))
    return np.array(votes, np.float32).reshape(-1, 5)

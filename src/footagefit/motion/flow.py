"""Dense flow between two frames, and how sure it is.

Here: DIS (Kroeger et al. 2016) of OpenCV, a learned flow from a TorchScript file in its place, and
the check of one direction by the other. Not here: global motion (`homography.py`), flow where there
is no pixel (`spreading.py`).

Shapes: C channels, H rows, W columns; flows (H,W,2) u, v in px.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import UsageError
from footagefit.motion import looks, warps

Tracker = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Where each pixel of one 8-bit picture lies in another: flow (H,W,2)."""

_SHARE, _SLACK_PX2 = 0.01, 0.25  # of Sundaram et al. 2010, section 4.2, its slack halved
_LEAST_PX = 16


def dis(*, fine: bool = False) -> Tracker:
    """DIS on 8-bit codes.

    Args:
        fine: Whether to go down to single pixels: four times the work.
    """
    import cv2

    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if fine:
        engine.setFinestScale(0)
    engine.setVariationalRefinementIterations(8)

    def track(one_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
        if min(one_HW.shape) < _LEAST_PX:
            return np.zeros((*one_HW.shape, 2), np.float32)
        return engine.calc(one_HW, other_HW, None)  # pyright: ignore[reportCallIssue, reportArgumentType]

    return track


def learned(path: Path) -> Tracker:
    """A flow net from a TorchScript file: two pictures (1,3,H,W) 0..1 in, flow (1,2,H,W) px out.

    Raises:
        UsageError: The file is not there, or is no TorchScript.
    """
    try:
        net = torch.jit.load(str(path.expanduser()), map_location="cpu").eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise UsageError(
            "no flow net can be read here", path=path,
            hint="Save one with torch.jit.script: two pictures (1,3,H,W) in, flow (1,2,H,W) out",
        ) from error  # fmt: skip

    def track(one_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
        pair = [
            torch.from_numpy(codes.astype(np.float32) / 255.0).expand(1, 3, -1, -1)
            for codes in (one_HW, other_HW)
        ]
        with torch.inference_mode():
            made = net(*pair)
        if tuple(made.shape) != (1, 2, *one_HW.shape):
            raise UsageError(
                f"this flow net gives {tuple(made.shape)} for two pictures of {one_HW.shape}",
                path=path, hint="It must give (1,2,H,W)",
            )  # fmt: skip
        return made[0].permute(1, 2, 0).float().numpy()

    return track


def tracker(path: Path | None = None, *, fine: bool = False) -> Tracker:
    """The learned flow where a path is given, else DIS."""
    return dis(fine=fine) if path is None else learned(path)


def agreement(forward_HW2: np.ndarray, backward_HW2: np.ndarray) -> np.ndarray:
    """How far a flow and its way back agree: 1 where they meet, 0 where they do not (H,W)."""
    back = warps.at_places(
        backward_HW2, warps.pixels(forward_HW2.shape[:2]) + forward_HW2, cubic=False
    )
    apart = ((forward_HW2 + back) ** 2).sum(-1)
    size = (forward_HW2**2).sum(-1) + (back**2).sum(-1)
    ratio = apart / (_SHARE * size + _SLACK_PX2)
    return np.exp(-0.7 * ratio * ratio).astype(np.float32)


def dense(
    one_CHW: Tensor, other_CHW: Tensor, *, hole_1HW: Tensor | None = None,
    other_hole_1HW: Tensor | None = None, long_px: int = 640, path: Path | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Flow from a frame to another, and its confidence.

    Args:
        one_CHW: Scene-linear ACEScg.
        other_CHW: Likewise, of the same size.
        hole_1HW: Where the one has no pixel; confidence is 0 there.
        other_hole_1HW: The other's.
        long_px: Longest side at which they are compared.
        path: Of a learned flow, see `learned`.

    Returns:
        Flow (2,H,W) in px of the frames, and confidence 0..1 (1,H,W).
    """
    first = looks.look(one_CHW, hole_1HW, long_px=long_px)
    second = looks.look(other_CHW, other_hole_1HW, long_px=long_px)
    forward, sure = between(first, second, tracker(path, fine=max(first.size) <= 2 * long_px))
    grown = enlarged(np.concatenate([forward, sure[..., None]], -1), first.size)
    return looks.tensor(grown[..., :2]), looks.tensor(grown[..., 2:]).clamp(0.0, 1.0)


def between(one: looks.Look, other: looks.Look, track: Tracker) -> tuple[np.ndarray, np.ndarray]:
    """Flow from a look to another and its confidence, at the looks' own size."""
    known = ~one.hole_HW & ~other.hole_HW
    codes = looks.eight_bits(one.stops_HW, other.stops_HW, known)
    forward, backward = track(*codes), track(*codes[::-1])
    at = warps.pixels(forward.shape[:2]) + forward
    there = warps.at_places((~other.hole_HW).astype(np.float32), at, cubic=False) > 0.99
    seen = ~one.hole_HW & there & warps.within(at, forward.shape[:2])
    return forward, np.where(seen, agreement(forward, backward), 0.0).astype(np.float32)


def enlarged(field_HWC: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A field made as large as the frame; its first two channels are px and grow with it."""
    import cv2

    down, across = size[0] / field_HWC.shape[0], size[1] / field_HWC.shape[1]
    wide = cv2.resize(field_HWC, size[::-1], interpolation=cv2.INTER_LINEAR)
    wide = wide.reshape(*size, -1).copy()
    wide[..., 0] *= across
    wide[..., 1] *= down
    return wide

"""Pixels of a clip in memory carried to one of its frames, as a shot's are when it is rendered.

What belongs here: a window's frames as `motion` wants footage. What does not: motion itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def carried(frames_TCHW: Tensor, holes_T1HW: Tensor, at: int) -> tuple[Tensor, Tensor]:
    """What other frames show where one has a hole, and how sure that is.

    Args:
        frames_TCHW: Scene-linear ACEScg.
        holes_T1HW: 1 where there is no pixel.
        at: Index of the frame.

    Returns:
        Light (3,H,W), 0 where nothing is known, and confidence (1,H,W).
    """
    import cv2

    hole = holes_T1HW[at]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    codes = [_codes(f, h) for f, h in zip(frames_TCHW, holes_T1HW, strict=True)]
    y, x = np.mgrid[0 : hole.shape[1], 0 : hole.shape[2]].astype(np.float32)
    total, weight = np.zeros((*hole.shape[1:], 3), np.float32), np.zeros(hole.shape[1:], np.float32)
    for other in sorted(range(len(codes)), key=lambda n: abs(n - at)):
        if other == at or bool(holes_T1HW[other].all()):
            continue
        if bool(hole.all()):
            flow, back = np.zeros((*hole.shape[1:], 2), np.float32), None
        else:
            flow, back = (
                dis.calc(*pair, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
                for pair in ((codes[at], codes[other]), (codes[other], codes[at]))
            )
        place = (x + flow[..., 0], y + flow[..., 1])
        sure = (1.0 - holes_T1HW[other, 0].numpy()).astype(np.float32)
        sure = cv2.remap(sure, *place, cv2.INTER_LINEAR, borderValue=0)
        if back is not None:
            off = flow + cv2.remap(back, *place, cv2.INTER_LINEAR)
            sure = sure * np.exp(-(off**2).sum(-1))
        else:
            sure = sure * 0.3
        light = np.ascontiguousarray(frames_TCHW[other].permute(1, 2, 0).numpy())
        seen = cv2.remap(light, *place, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        total += seen * (sure**2)[..., None]
        weight += sure**2
    light = torch.from_numpy(total / np.maximum(weight, 1e-6)[..., None]).permute(2, 0, 1)
    confidence = torch.from_numpy(np.minimum(np.sqrt(weight), 0.95))[None] * (hole > 0)
    confidence = torch.where(confidence > 0.02, confidence, 0.0)
    return torch.where(confidence > 0.0, light, 0.0).float(), confidence.float()


def _codes(frame_CHW: Tensor, hole_1HW: Tensor) -> np.ndarray:
    import cv2

    stops = torch.log2(frame_CHW.mean(0).clamp_min(0.0) + 2.0**-8)
    codes = ((stops + 8.0) * 20.0).clamp(0, 255).byte().numpy()
    hole = (hole_1HW[0] > 0).byte().numpy()
    return codes if not hole.any() or hole.all() else cv2.inpaint(codes, hole, 3, cv2.INPAINT_NS)

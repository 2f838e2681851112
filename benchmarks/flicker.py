"""What flickers: motion-compensated cells, warping error and lag, for each temporal mode.

Not a benchmark by itself; `render.py` prints its rows.

Flicker: luminance in stops of 16x9 cells, each frame against the one before it moved along the
source's own flow; the 95th percentile over cells and frames, over the source's own. Warping error
as Lai et al. 2018 (occlusions left out), over the source's own, both at the source's mean level.
Lag: how far a mode's cells are from those of looks decided frame by frame, averaged over grain.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from rows import Row
from staged import write_reference, write_shot

import footagefit
from footagefit.rendering.temporal import Temporal

MODES: tuple[Temporal, ...] = ("none", "smooth", "locked", "auto")
LIMIT = 1.2
CELLS = (9, 16)
LUMA = np.array([0.2722, 0.6741, 0.0537], np.float32)
TOE = 2.0**-6


def moving_light(number: int, height: int, width: int) -> torch.Tensor:
    """A soft light that swings from left to right and back over 48 frames, 1.5 stops deep."""
    x = (torch.arange(width) + 0.5) / width
    centre = 0.5 + 0.45 * math.sin(2 * math.pi * number / 48)
    stops = -0.75 + 1.5 * torch.exp(-((x - centre) ** 2) / 0.08)
    return torch.exp2(stops).view(1, 1, -1).expand(3, height, width)


def rows(fit: Path, folder: Path, *, quick: bool) -> list[Row]:
    """Rows for a shot whose light stands and one whose light moves."""
    size, count = ((54, 96), 8) if quick else ((270, 480), 48)
    reference = write_reference(folder / "hero" / "hero.####.exr", size)
    found = []
    for what, light in (("light stands", None), ("light moves", moving_light)):
        name = what.replace(" ", "_")
        plate = write_shot(folder / name / f"{name}.####.exr", size, range(1, 1 + count),
                           light=light, pan_px=1.0)  # fmt: skip
        source = lumas(plate)
        flows = [(flow(b, a), flow(a, b)) for a, b in pairwise(source)]
        outs = {}
        for mode in MODES:
            out = folder / f"{name}_{mode}" / "m.####.exr"
            footagefit.render(plate, fit=fit, reference=reference, out=out, temporal=mode,
                              existing="replace")  # fmt: skip
            outs[mode] = lumas(out)
        own = flicker(source, flows)
        own_warp = warping(source, flows, source)
        for mode in MODES:
            ratio = flicker(outs[mode], flows) / own
            base = {"source's own, stops": own}
            what_now, target = f"flicker, {what}, {mode}", f"<= {LIMIT}"
            found.append(Row(what_now, "x source", ratio, base, target, ratio <= LIMIT))
            warp = warping(outs[mode], flows, source) / own_warp
            found.append(Row(f"warping error, {what}, {mode}", "x source", warp,
                             {"source's own": own_warp}))  # fmt: skip
            if what == "light moves":
                lag = lag_stops(outs[mode], outs["none"])
                found.append(Row(f"lag error, {what}, {mode}", "stops", lag, {}))
    return found


def lumas(path: Path) -> list[np.ndarray]:
    """Luminance of every frame."""
    clip = footagefit.open_clip(path, space="ACEScg")
    found = []
    for number in clip.numbers:
        rgb = clip.read([number]).rgb_TCHW[0].permute(1, 2, 0).numpy()
        found.append(np.maximum(rgb @ LUMA, 0.0))
    return found


def flow(of: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Where each pixel of `of` lies in `onto` (H,W,2), by DIS."""
    codes = [np.clip((np.log2(x + TOE) + 6) / 8 * 255, 0, 255).astype(np.uint8) for x in (of, onto)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(codes[0], codes[1], None)


def warped(picture: np.ndarray, along: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(picture, x + along[..., 0], y + along[..., 1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip


def visible(back: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Pixels that both frames see: forward and backward flow agree, and bend little."""
    again = warped(forward, back)
    size = (back**2).sum(-1) + (again**2).sum(-1)
    agree = ((back + again) ** 2).sum(-1) <= 0.01 * size + 0.5
    bend = sum(np.gradient(back[..., c], axis=a) ** 2 for c in (0, 1) for a in (0, 1))
    return agree & (bend <= 0.01 * (back**2).sum(-1) + 0.002)


def cells(values: np.ndarray) -> np.ndarray:
    return cv2.resize(values.astype(np.float32), CELLS[::-1], interpolation=cv2.INTER_AREA)


def flicker(frames: list[np.ndarray], flows: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The 95th percentile of what cells change by from frame to frame, in stops."""
    steps = []
    for (a, b), (back, _) in zip(pairwise(frames), flows, strict=True):
        before = warped(np.log2(a + TOE), back)
        steps.append(np.abs(cells(np.log2(b + TOE) - before)))
    return float(np.percentile(np.stack(steps), 95))


def warping(
    frames: list[np.ndarray],
    flows: list[tuple[np.ndarray, np.ndarray]],
    source: list[np.ndarray],
) -> float:
    """Mean squared difference of warped frames where nothing is hidden, at the source's level."""
    scale = np.mean(source) / max(1e-6, np.mean(frames))
    total = []
    for (a, b), (back, forward) in zip(pairwise(frames), flows, strict=True):
        seen = visible(back, forward)
        total.append(
            float((((b - warped(a, back)) * scale) ** 2)[seen].mean()) if seen.any() else 0
        )
    return float(np.mean(total))


def lag_stops(frames: list[np.ndarray], each: list[np.ndarray]) -> float:
    """Mean distance of cells from those of looks of each frame, averaged over five frames."""
    ours = np.stack([cells(np.log2(f + TOE)) for f in frames])
    theirs = np.stack([cells(np.log2(f + TOE)) for f in each])
    off = ours - theirs
    kernel = np.ones(5) / 5
    calm = np.apply_along_axis(lambda v: np.convolve(v, kernel, "valid"), 0, off)
    return float(np.abs(calm).mean())

"""What flickers: motion-compensated cells, warping error and lag, for each temporal mode.

Not a benchmark by itself; `render.py` prints its rows.

Flicker: luminance in stops of 16x9 cells, each frame against the one before it moved along the
source's own flow; the 95th percentile over cells and frames, over the source's own. Warping error
as Lai et al. 2018 (occlusions left out), over the source's own, both at the source's mean level.
Lag: how far a mode's cells are from those of looks decided frame by frame, averaged over grain.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from rows import Row
from staged import write_reference, write_shot

import footagefit
from footagefit.evaluation.steadiness import TOE, cells, flow, flows_of, luminance
from footagefit.evaluation.steadiness import cell_flicker_stops as flicker
from footagefit.evaluation.steadiness import warping_error as warping
from footagefit.rendering.temporal import Temporal

MODES: tuple[Temporal, ...] = ("none", "smooth", "locked", "auto")
LIMIT = 1.2
__all__ = ["flicker", "flow", "lag_stops", "rows", "warping"]


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
        flows = flows_of(source)
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
        found.append(luminance(clip.read([number]).rgb_TCHW[0].numpy()))
    return found


def lag_stops(frames: list[np.ndarray], each: list[np.ndarray]) -> float:
    """Mean distance of cells from those of looks of each frame, averaged over five frames."""
    ours = np.stack([cells(np.log2(f + TOE)) for f in frames])
    theirs = np.stack([cells(np.log2(f + TOE)) for f in each])
    off = ours - theirs
    kernel = np.ones(5) / 5
    calm = np.apply_along_axis(lambda v: np.convolve(v, kernel, "valid"), 0, off)
    return float(np.abs(calm).mean())

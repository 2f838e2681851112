"""How fast the soundstage lights pictures, beside Mitsuba where it is installed.

    python benchmarks/soundstage.py
    python benchmarks/soundstage.py --quick --json soundstage.json
    python benchmarks/soundstage.py --mitsuba /tmp/mitsuba/bin/python

One process, two threads; scenes as training draws them, with albedo, normals, depth and soft
shadows, four lights a scene. Mitsuba renders a like scene (spheres, a plane, an area light) at 16
samples a pixel, compiled by LLVM where it can, else its scalar variant; `--mitsuba` names an
interpreter that has it, since its wheel may want other versions than ours.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from rows import Row, arguments, medians, show

from footagefit.soundstage import heads, training

LIGHTS = 4
SCENES = 32  # a single scene may be a bare wall and say nothing
TARGET_128 = 60.0
VARIANTS = ("llvm_ad_rgb", "scalar_rgb")


def main() -> None:
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--mitsuba", default=sys.executable)
    ours, rest = own.parse_known_args()
    sys.argv[1:] = rest
    options = arguments(__doc__ or "")
    torch.set_num_threads(2)
    sizes = (64,) if options.quick else (64, 128, 256)
    rows = [rate(size, 1 if options.quick else 3, mitsuba=ours.mitsuba) for size in sizes]
    show(f"Lit pictures a second, {LIGHTS} lights a scene", rows, options.json)


def rate(size: int, turns: int, *, mitsuba: str) -> Row:
    """Median over turns; every turn draws scenes never drawn before, the same at every size."""
    cost: list[float] = []
    starts = itertools.count(2, SCENES)
    heads.chart.cache_clear()

    def ours() -> None:
        begun = time.process_time()
        training.draw(seed=1, index=next(starts), count=SCENES, size_px=(size, size), lights=LIGHTS)
        cost.append(time.process_time() - begun)

    training.draw(seed=1, index=0, count=2, size_px=(size, size), lights=LIGHTS)
    value = SCENES * LIGHTS / medians({"ours": ours}, rounds=turns)["ours"]
    busy = os.getloadavg()[0]
    print(f"{size} px: {1000 * min(cost) / (SCENES * LIGHTS):.1f} ms of CPU a picture, load {busy}")
    others = mitsuba_rate(size, mitsuba)
    if size != 128:
        return Row(f"{size} px", "pictures/s", value, others)
    return Row(
        f"{size} px", "pictures/s", value, others, f">= {TARGET_128:.0f}", value >= TARGET_128
    )


def mitsuba_rate(size: int, python: str) -> dict[str, float]:
    """Pictures a second of a like scene by the first variant that runs, or nothing."""
    script = Path(__file__).with_name("mitsuba_rate.py")
    for variant in VARIANTS:
        done = subprocess.run(
            [python, str(script), variant, str(size)], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return {f"Mitsuba {variant} 16 spp": float(done.stdout.split()[-1])}
    return {}


if __name__ == "__main__":
    main()

"""What a filled shot must keep: bits outside the mask, holes of any shape, time and memory.

Not a benchmark by itself; see `fill.py`.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import torch
from fill_holes import tubes
from fill_shots import FIRST, Shot, write, write_masks
from render import PEAK
from rows import Row
from staged import frame as staged_frame
from staged import scene
from torch import Tensor

import footagefit
from footagefit.errors import FootagefitError
from footagefit.rendering.fits import Fit

_FRAMES = 7
_SHARE = 0.10
_MOST_MINUTES, _MOST_MIB = 30.0, 3072.0


def contract(shot: Shot, fits: dict[str, Fit], folder: Path, *, quick: bool) -> list[Row]:
    """Judged on stored values, read by OpenImageIO."""
    count = 3 if quick else _FRAMES
    numbers = list(shot.numbers)[:count]
    plate = write(folder / "plate" / "p.####.exr", shot.plates[:count], numbers)
    hole = tubes(count, shot.size, seed=9, share=0.05, travel=0.2)
    border = torch.zeros(1, *shot.size)
    border[:, :6] = border[:, -6:] = border[:, :, :6] = border[:, :, -6:] = 1.0
    whole = [torch.full((1, *shot.size), float(n == 1)) for n in range(count)]
    cases = {"tube": hole, "every border": [border] * count, "one whole frame": whole,
             "empty": [torch.zeros(1, *shot.size)] * count}  # fmt: skip
    rows = [_kept(name, masks, plate, numbers, fits["cleanup"], folder)
            for name, masks in cases.items()]  # fmt: skip
    everything = [torch.ones(1, *shot.size)] * count
    return [*rows, _refused(everything, plate, numbers, fits["cleanup"], folder)]


def _kept(name: str, masks: list[Tensor], plate: Path, numbers: list[int], fit: Fit,
          folder: Path) -> Row:  # fmt: skip
    """Stored values outside a mask that changed, and frames that did not come whole."""
    key = name.replace(" ", "_")
    mask = write_masks(folder / key / "mask.####.exr", masks, numbers)
    out = folder / key / "out.####.exr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        footagefit.render(plate, fit=fit, mask=mask, out=out, existing="replace")
    wrong = 0
    for number, matte in zip(numbers, masks, strict=True):
        one, other = (_stored(path, number) for path in (plate, out))
        outside = (matte[0] == 0).numpy()
        wrong += int((one.view(np.uint16) != other.view(np.uint16)).any(-1)[outside].sum())
        wrong += int((~np.isfinite(other.astype(np.float32))).sum())
    return Row(f"mask of {name}: pixels outside it that changed, or broken", "pixels",
               float(wrong), {}, "0", wrong == 0)  # fmt: skip


def _stored(path: Path, number: int) -> np.ndarray:
    opened = oiio.ImageInput.open(str(path).replace("####", f"{number:04d}"))
    return opened.read_image(0, 0, 0, 3, "half")


def _refused(masks: list[Tensor], plate: Path, numbers: list[int], fit: Fit, folder: Path) -> Row:
    mask = write_masks(folder / "all" / "mask.####.exr", masks, numbers)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            footagefit.render(plate, fit=fit, mask=mask, out=folder / "all" / "out.####.exr")
    except FootagefitError as error:
        said = "\n" not in str(error)
    else:
        said = False
    return Row("every frame a hole: refused in one line", "", float(said), {}, "1", said)


CHILD = (
    PEAK
    + """
import sys, time, warnings, footagefit
plate, fit, mask, out, gib = sys.argv[1:]
told = []
def progress(items, *, total, label):
    begun = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if label == "render":
            told.append((time.monotonic() - begun) / done * (total - done))
warnings.simplefilter("ignore")
begun = time.monotonic()
footagefit.render(plate, fit=fit, mask=mask, out=out, memory_gb=float(gib), progress=progress)
print(peak(), time.monotonic() - begun, told[0] if told else 0.0)
"""
)


def speed(fits: dict[str, Fit], folder: Path, *, size: tuple[int, int], count: int) -> list[Row]:
    """A shot with a tenth of each frame masked, end to end, in a process of its own."""
    numbers = range(FIRST, FIRST + count)
    picture = scene()
    plates = [staged_frame(picture, n, size) for n in numbers]
    plate = write(folder / "plate" / "p.####.exr", plates, list(numbers))
    masks = tubes(count, size, seed=4, share=_SHARE, travel=0.3)
    mask = write_masks(folder / "mask" / "m.####.exr", masks, list(numbers))
    out = folder / "out" / "m.####.exr"
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob("*.exr"):
        left.unlink()
    line = [sys.executable, "-c", CHILD, str(plate), str(fits["cleanup"].path), str(mask),
            str(out), "2"]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    held, seconds, first = map(float, done.stdout.split())
    minutes = seconds / 60
    what = f"{size[1]}x{size[0]}, {count} frames, a tenth of each a hole"
    beside = {"s a frame": seconds / count, "ETA told after the first frame, s": first}
    return [
        Row(f"{what}: end to end", "minutes", minutes, beside, f"<= {_MOST_MINUTES:g}",
            minutes <= _MOST_MINUTES),
        Row(f"{what}: peak memory, memory_gb=2", "MiB", held, {}, f"<= {_MOST_MIB:g}",
            held <= _MOST_MIB),
    ]  # fmt: skip

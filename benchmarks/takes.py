"""Takes of the soundstage through known glass, cheap enough to measure: sets are rendered once.

Not a benchmark by itself; `signature.py` measures these. A set is rendered wider than the frame by
the soundstage's own renderer; a take is a camera that stands or pans over it, through the
soundstage's lens and sensor. Figures stand still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.signature import coordinates
from footagefit.signature.measuring import Run
from footagefit.soundstage import lens as glass
from footagefit.soundstage.filming import film
from footagefit.soundstage.script import write_script
from footagefit.soundstage.sensor import expose
from footagefit.soundstage.specs import LensSpec, SensorSpec

WIDER = 4 / 3  # how much wider than the frame sets are rendered


@dataclass(frozen=True)
class Kit:
    """A lens and a camera of which all is known."""

    lens: LensSpec
    sensor: SensorSpec


def sets(folder: Path, *, size: tuple[int, int], seed: int, most: int) -> list[Path]:
    """Sets of a script, rendered where they are not there yet; as half-float arrays on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    large = (round(size[0] * WIDER), round(size[1] * WIDER))
    paths = []
    takes = [t for t in write_script("demo", seed).takes if t.camera == "A" and t.number == 1]
    for take in takes[:most]:
        path = folder / f"{take.shot}_{seed}_{large[1]}.npy"
        paths.append(path)
        if path.exists():
            continue
        asked = replace(
            take.asked, lens=LensSpec(focal_mm=take.asked.lens.focal_mm / WIDER), obstacle=None
        )
        picture = film(asked, size_px=large, samples=2).frame(0.3, truth=False).image_CHW
        part = path.with_suffix(".part.npy")
        np.save(part, (picture * 2.0**take.sensor.exposure_ev).numpy().astype(np.float16))
        part.replace(path)
    return paths


def shots(
    paths: list[Path], kit: Kit, *, size: tuple[int, int], frames: int = 4
) -> Iterator[list[Tensor]]:
    """One take of each set as light on the sensor: every other camera pans, the others drift."""
    for place, path in enumerate(paths):
        world = torch.from_numpy(np.load(path).astype(np.float32))
        steps = [i / max(1, frames - 1) for i in range(frames)]
        yield [_shot(world, kit, size, place, step) for step in steps]


def runs(paths: list[Path], kit: Kit, *, size: tuple[int, int], frames: int = 4) -> Iterator[Run]:
    """The same as the camera records them, each frame with the one after it."""
    for place, taken in enumerate(shots(paths, kit, size=size, frames=frames)):
        first, after = [], []
        for number, clean in enumerate(taken):
            for kept, follows in ((first, 0), (after, 1)):
                seen = expose(clean, kit.sensor, seed=place, frame=10 * number + follows)
                kept.append(coordinates.channels_last(seen))
        yield Run(first, after)


def _shot(world: Tensor, kit: Kit, size: tuple[int, int], place: int, step: float) -> Tensor:
    margin = glass.margin_px(size, kit.lens)
    rows, columns = world.shape[1] - size[0] - 2 * margin, world.shape[2] - size[1] - 2 * margin
    reach = 1.0 if place % 2 == 0 else 0.12
    left = margin + round(columns * (0.5 + reach * (step - 0.5)))
    top = margin + round(rows * (0.35 + 0.3 * reach * step))
    cut = world[:, top - margin : top + size[0] + margin, left - margin : left + size[1] + margin]
    return glass.through(cut.contiguous(), kit.lens, margin=margin)

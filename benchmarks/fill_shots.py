"""Shots to cut holes into: staged ones with a grain-free truth, and real clips.

Not a benchmark by itself; `fill.py` and `fill_found.py` judge on these. Sets are the crew's, which
no base is taught on. What is made is kept in a folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import footagefit
from footagefit.footage.opening import open_clip
from footagefit.records import Box, ClipInfo, Light
from footagefit.soundstage.filming import film
from footagefit.soundstage.sensor import expose
from footagefit.soundstage.specs import LensSpec, Obstacle, SensorSpec, SetUp

FIRST = 1001
_STILL_EV = 0.05
GLASS = LensSpec("40 mm", 40.0, -0.03, 0.004, 0.2, 0.6, 0.3, 0.8, 0.0, 0.01)
CAMERA = SensorSpec(1.2, grain=0.03, grain_size_px=0.7, grain_chroma=0.5)
LIGHT = Light(azimuth_deg=35.0, elevation_deg=35.0, softness_deg=20.0, key_ev=0.2, key_k=5600.0,
              key_tint_duv=0.0, fill_ev=-2.2, fill_k=5600.0, fill_tint_duv=0.0)  # fmt: skip


@dataclass(frozen=True)
class Staging:
    """A staged shot: the set-up, how fast its time runs, and whether it has a wire or a boom."""

    name: str
    kind: str
    framing: str
    move: str
    speed: float = 1.0
    obstacle: str = ""

    @property
    def moves(self) -> bool:
        """Whether the camera does."""
        return self.move != "static"


STAGED = (
    Staging("pan", "interior", "medium", "pan", 2.0),
    Staging("push-in", "exterior", "medium", "dolly", 2.0),
    Staging("locked", "interior", "wide", "static", 2.0),
)
MOVING = (
    Staging("night pan", "night", "medium", "pan", 2.0),
    Staging("dolly", "interior", "wide", "dolly", 2.0),
    Staging("hand held", "interior", "medium", "handheld", 2.0),
    Staging("outside pan", "exterior", "wide", "pan", 2.0),
)
PANS = (
    Staging("pan two", "interior", "medium", "pan", 2.0),
    Staging("pan four", "interior", "wide", "pan", 2.0),
)
HUNG = (
    Staging("wire, pan", "interior", "wide", "pan", 1.0, "wire"),
    Staging("wire, locked", "exterior", "medium", "static", 1.0, "wire"),
    Staging("boom, locked", "limbo", "medium", "static", 1.0, "boom"),
)


@dataclass
class Shot:
    """Frames from `FIRST` on.

    Attributes:
        name: For tables.
        plates: As a camera recorded them, as half floats hold them (3,H,W).
        clean: The same without grain; None where nobody knows.
        moves: Whether the camera does.
        things: Masks (1,H,W) of an obstacle that was really there, or empty.
    """

    name: str
    plates: list[Tensor]
    clean: list[Tensor] | None = None
    moves: bool = True
    things: list[Tensor] = field(default_factory=list)

    @property
    def numbers(self) -> range:
        """Of its frames."""
        return range(FIRST, FIRST + len(self.plates))

    @property
    def truth(self) -> list[Tensor]:
        """What a hole is judged by."""
        return self.plates if self.clean is None else self.clean

    @property
    def key(self) -> str:
        """Of its name, size and length, for files."""
        return f"{self.name.replace(', ', '_')}_{self.size[1]}_{len(self.plates)}"

    @cached_property
    def background(self) -> Tensor:
        """Where nothing moves, of a locked shot (1,H,W): 1 where light stays through the shot."""
        stops = [(p.clamp_min(0.0) + 2.0**-7).log2() for p in self.truth]
        low, high = (getattr(torch.stack(stops), way)(0) for way in ("amin", "amax"))
        return ((high - low).amax(0, keepdim=True) < _STILL_EV).float()

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.plates[0].shape[1]), int(self.plates[0].shape[2])


def staged(staging: Staging, folder: Path, *, size: tuple[int, int], frames: int) -> Shot:
    """A shot of the stage, filmed when first asked for."""
    from safetensors.torch import load_file, save_file

    name = staging.name.replace(", ", "_")
    path = folder / f"{name}_{size[0]}x{size[1]}_{frames}.safetensors"
    if not path.is_file():
        made = _filmed(staging, size, frames)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        save_file(made, part)
        os.replace(part, path)
    kept = load_file(path)
    things = [t.float() for t in kept["things"]] if "things" in kept else []
    return Shot(staging.name, [t.float() for t in kept["plates"]],
                [t.float() for t in kept["clean"]], staging.moves, things)  # fmt: skip


def _filmed(staging: Staging, size: tuple[int, int], frames: int) -> dict[str, Tensor]:
    obstacle = Obstacle(staging.obstacle, 5) if staging.obstacle else None  # pyright: ignore
    setup = SetUp(
        90_000 + sum(map(ord, staging.name)), staging.kind, "A", staging.framing, LIGHT, GLASS,
        7, staging.move, obstacle=obstacle,
    )  # pyright: ignore  # fmt: skip
    camera = film(setup, size_px=size, samples=2)
    plates, clean, things = [], [], []
    still = SensorSpec(CAMERA.exposure_ev, grain=0.0, read_noise=0.0)
    for number in range(frames):
        filmed = camera.frame(number * staging.speed / 24, truth=obstacle is not None)
        without = filmed.image_CHW if filmed.clean_CHW is None else filmed.clean_CHW
        plates.append(expose(filmed.image_CHW, CAMERA, seed=3, frame=number).half())
        clean.append(expose(without, still, seed=3, frame=number).half())
        if filmed.mask_1HW is not None:
            things.append(filmed.mask_1HW.half())
    made = {"plates": torch.stack(plates), "clean": torch.stack(clean)}
    return made | ({"things": torch.stack(things)} if things else {})


def kept(path: Path, job: Callable[[], Any]) -> Any:
    """Plain data that a job gives, worked out once."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = job()
        path.with_suffix(".part").write_text(json.dumps(made))
        os.replace(path.with_suffix(".part"), path)
    return json.loads(path.read_text())


def real(path: Path, *, long_px: int, frames: int, first: int = 0) -> Shot:
    """The middle of a real clip, made smaller."""
    with open_clip(path, space=_space(path)) as clip:
        numbers = clip.numbers[first:]
        start = max(0, (len(numbers) - frames) // 2)
        plates = []
        for number in numbers[start : start + frames]:
            light = clip.read([number]).rgb_TCHW
            scale = min(1.0, long_px / max(light.shape[2:]))
            size = [round(n * scale / 2) * 2 for n in light.shape[2:]]
            small = torch.nn.functional.interpolate(light, size=size, mode="area")[0]
            plates.append(small.clamp(-1.0, 6e4).half().float())
    return Shot(path.stem, plates)


def _space(path: Path) -> str:
    return "ACEScg" if path.suffix.lower() == ".exr" else "g24_rec709"


def write(path: Path, plates: Sequence[Tensor], numbers: Sequence[int]) -> Path:
    """Plates as an EXR shot, half, ACEScg; what lies there already stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with footagefit.open_writer(path, info=info_of(path, plates, numbers),
                                form=footagefit.OutputForm(depth="half", compression="zip"),
                                existing="skip") as out:  # fmt: skip
        for number, plate in zip(numbers, plates, strict=True):
            if not out.has(number):
                out.write(number, plate)
    return path


def write_masks(path: Path, masks: Sequence[Tensor], numbers: Sequence[int]) -> Path:
    """Masks as a clip."""
    return write(path, [mask.expand(3, -1, -1) for mask in masks], numbers)


def info_of(path: Path, plates: Sequence[Tensor], numbers: Sequence[int]) -> ClipInfo:
    """What such a shot says of itself."""
    height, width = (int(n) for n in plates[0].shape[1:])
    box = Box(0, 0, width, height)
    there = set(numbers)
    gone = tuple(n for n in range(numbers[0], numbers[-1] + 1) if n not in there)
    return ClipInfo(
        path=path, raster=box, display=box, data=box, first_frame=numbers[0],
        length=numbers[-1] - numbers[0] + 1, rate=Fraction(24), sample="half", space="ACEScg",
        timecode="01:00:00:00", missing=gone,
    )  # fmt: skip

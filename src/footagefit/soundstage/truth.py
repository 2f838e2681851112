"""The truth beside the footage: its schema, and the one reader and writer for it.

    truth/show.json                    what was shot, and what was got wrong on purpose
    truth/<shot>/shot.json             the shot's light, lens, sensor and frames
    truth/<shot>/truth.####.exr        layers of a frame, float, never colour-converted

Layers of a frame (see `SCHEMA`) are in the lens's picture, before the sensor. All are samples at
pixel centres, never blends of two things. All sources' `light.<source>.direct` and `.indirect` add
up to the picture before blur, vignette and bloom, but for pixels on edges: there the picture is the
mean of a few rays (`filming`), of which the truth has the one through the centre; `clean` is such a
picture too. `mask` is a pixel wider than the obstacle is at pixel centres.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import UnreadableClip
from footagefit.footage import picture

VERSION = 1
SCHEMA = {
    "albedo": "3 channels: diffuse reflectance, linear ACEScg",
    "normals": "3: unit, camera axes, +x right, +y up, +z to the camera, signed",
    "depth": "1: metres along the camera's axis; 0 where there is nothing",
    "ids": "1: object number, 0 for nothing",
    "light.<source>.direct": "3: what this source alone gives, straight",
    "light.<source>.indirect": "3: what it gives by way of the set",
    "shadow.<source>": "1: share of the source that is seen, 0..1",
    "motion.forward": "2: u, v in pixels to the next frame, +u right, +v up, before the lens",
    "motion.backward": "2: the same to the frame before",
    "mask": "1: where an obstacle stands",
    "clean": "3: the picture without the obstacle, linear ACEScg",
}
_SUFFIXES = {1: ("",), 2: (".u", ".v"), 3: (".R", ".G", ".B")}


@dataclass
class Truth:
    """What is known of one frame.

    Attributes:
        layers: Tensors (C,H,W) by name, see `SCHEMA`; motion with v down, as in memory.
        shot: The shot's own record: light, lens, sensor, frames.
    """

    layers: dict[str, Tensor]
    shot: dict[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        """Names of the sources that render alone."""
        names = [n.split(".")[1] for n in self.layers if n.startswith("light.")]
        return list(dict.fromkeys(names))


def write_frame(folder: Path, shot: str, frame: int, layers: Mapping[str, Tensor]) -> Path:
    """Write a frame's layers as one float EXR; motion is stored with v up."""
    import OpenImageIO as oiio

    names: list[str] = []
    planes: list[np.ndarray] = []
    for name, values in layers.items():
        array = values.detach().cpu().numpy().astype(np.float32)
        for index, suffix in enumerate(_SUFFIXES[array.shape[0]]):
            names.append(name + suffix)
            flip = name.startswith("motion.") and index == 1
            planes.append(-array[index] if flip else array[index])
    height, width = planes[0].shape
    spec = oiio.ImageSpec(width, height, len(names), "float")
    spec.channelnames = tuple(names)
    spec.attribute("compression", "zip")
    spec.attribute("DateTime", "")
    path = frame_path(folder, shot, frame)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.write(path, [(spec, np.stack(planes, -1))], frame=frame)
    return path


def frame_path(folder: Path, shot: str, frame: int) -> Path:
    """Where a frame's truth lies."""
    return folder / "truth" / shot / f"truth.{frame:04d}.exr"


def write_shot(folder: Path, shot: str, record: Mapping[str, Any]) -> Path:
    """Write a shot's record."""
    return write_json(folder / "truth" / shot / "shot.json", {"version": VERSION, **record})


def write_json(path: Path, record: Mapping[str, Any]) -> Path:
    """Write plain data atomically, sorted, so that the same show gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


def read_json(path: Path) -> dict[str, Any]:
    """A record of the truth; an error where it is missing or of a version we do not know."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnreadableClip(
            "no truth here", path=path, hint="Stage a show with `footagefit stage`"
        ) from None
    except ValueError as error:
        raise UnreadableClip(f"not valid JSON ({error})", path=path) from error
    if record.get("version") != VERSION:
        raise UnreadableClip(
            f"truth of version {record.get('version')}, this reads {VERSION}",
            path=path,
            hint="Stage the show again",
        )
    return record


def read(folder: str | Path, shot: str, frame: int) -> Truth:
    """The truth of one frame.

    Args:
        folder: The staged show.
        shot: The shot's name, as `truth/` has it.
        frame: Frame number, as the footage numbers it.
    """
    folder = Path(folder)
    path = frame_path(folder, shot, frame)
    layers: dict[str, list[np.ndarray]] = {}
    with picture.PictureFile(path, frame=frame) as opened:
        part = opened.parts[0]
        pixels = opened.pixels(part, dtype="float")
    places = {name: i for i, name in enumerate(part.stored)}
    for name in part.stored:
        base, _, last = name.rpartition(".")
        layer = base if last in ("R", "G", "B", "u", "v") and base else name
        layers.setdefault(layer, [])
    for layer, channels in layers.items():
        for suffixes in ((".R", ".G", ".B"), (".u", ".v"), ("",)):
            if layer + suffixes[0] in places:
                channels += [pixels[..., places[layer + s]] for s in suffixes]
                break
    tensors = {n: torch.from_numpy(np.stack(c)) for n, c in layers.items()}
    for name, values in tensors.items():
        if name.startswith("motion."):
            values[1] *= -1
    record = folder / "truth" / shot / "shot.json"
    return Truth(tensors, read_json(record) if record.exists() else {})

"""Short takes to learn motion from: wild sets that a camera moves past, by (seed, index).

    takes = Moving(folder, seed=0, takes=480)
    takes.take(12)      # (T,3,H,W) linear ACEScg, before lens and sensor

What belongs here: how camera and things move in training takes, and their cache. What does not: the
sets (`wild.py`), what is learnt from them (`tasks/`). The same (seed, index) gives the same take.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.soundstage.camera import SENSOR_MM, Camera, view
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import lit, lit_apart, look
from footagefit.soundstage.scene import scene
from footagefit.soundstage.sets import Moving as Swaying
from footagefit.soundstage.sets import Set
from footagefit.soundstage.training import aimed, key_and_fill, wild_camera, wild_light
from footagefit.soundstage.wild import DRAWING, wild_set

FRAMES = 5
TAKE_PX = (144, 216)
_STREAM = 53
_CHART_PX = 128
_STEP_S = (0.04, 0.25)  # from one frame to the next: the slow sway of figures shows
_MOVES = ("static", "pan", "truck", "dolly", "handheld")
_ODDS = (0.2, 0.25, 0.25, 0.12, 0.18)


@dataclass
class Going(Swaying):
    """How something goes its way: at a speed, from where it stands."""

    speed: np.ndarray

    def at(self, time_s: float) -> np.ndarray:
        """The offset at a moment."""
        return self.speed * time_s


@dataclass(frozen=True)
class Moving:
    """A folder of takes; can be pickled.

    Attributes:
        folder: Where they are cached.
        seed: Of the takes.
        takes: How many there are.
        size_px: Rows and columns.
    """

    folder: Path
    seed: int
    takes: int
    size_px: tuple[int, int] = TAKE_PX

    def take(self, number: int) -> Tensor:
        """A take (T,3,H,W), rendered when first asked for."""
        from safetensors.torch import load_file

        path = self._path(number)
        if not path.exists():
            self._write(number)
        return load_file(path)["frames"].float()

    def render(self) -> None:
        """Render every take that is not in the cache."""
        for number in range(self.takes):
            if not self._path(number).exists():
                self._write(number)

    def _path(self, number: int) -> Path:
        rows, columns = self.size_px
        name = f"moving_v{DRAWING}_s{self.seed}_{rows}x{columns}_f{FRAMES}"
        return self.folder / name / f"{number:06d}.safetensors"

    def _write(self, number: int) -> None:
        from safetensors.torch import save_file

        path = self._path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = draw_take(seed=self.seed, index=number, size_px=self.size_px)
        part = path.with_suffix(f".{os.getpid()}.part")
        save_file({"frames": made.clamp(-6e4, 6e4).half().contiguous()}, part)
        os.replace(part, path)


def draw_take(*, seed: int, index: int, size_px: tuple[int, int], frames: int = FRAMES) -> Tensor:
    """One take (T,3,H,W): its own set, light, camera move and things that go."""
    rng = np.random.default_rng([seed, index, _STREAM])
    with torch.inference_mode():
        made, asked = wild_set(rng)[0], wild_light(rng, first=True)
        camera = wild_camera(rng, made)
        camera = aimed([camera], scene([made], chart_px=_CHART_PX), "cpu")[0]
        _set_going(made, camera, rng)
        cameras, step_s = _path_of(camera, frames, rng), rng.uniform(*_STEP_S)
        key, fill = key_and_fill([asked], [camera], "cpu")
        shot = [
            _picture(made, at, size_px, time_s=number * step_s, sources=(key, fill))
            for number, at in enumerate(cameras)
        ]
    return torch.stack(shot)


def _picture(
    made: Set, camera: Camera, size_px: tuple[int, int], *, time_s: float,
    sources: tuple[Source, Source],
) -> Tensor:  # fmt: skip
    """One frame (3,H,W)."""
    key, fill = sources
    stage = scene([made], time_s, chart_px=_CHART_PX)
    seen = look(stage, view([camera], size_px))
    light = lit_apart(seen, [key])[0].total
    return (light + lit(seen, fill).total)[0]


def _set_going(made: Set, camera: Camera, rng: np.random.Generator) -> None:
    """Let one or two things go their way across what the camera sees."""
    if not made.things or rng.random() < 0.35:
        return
    for _ in range(int(rng.integers(1, 3))):
        at = int(rng.integers(len(made.things)))
        way = rng.standard_normal(2) * _width_m(camera) * 0.25  # a second
        speed = way[0] * camera.axes()[0] + 0.4 * way[1] * camera.axes()[1]
        nothing = np.zeros(3)
        made.things[at] = replace(made.things[at], move=Going(nothing, nothing, nothing, speed))


def _path_of(camera: Camera, frames: int, rng: np.random.Generator) -> list[Camera]:
    """Where the camera is in each frame."""
    move = str(rng.choice(_MOVES, p=_ODDS))
    size = _width_m(camera) * 0.08 * rng.random() ** 1.5  # from a frame to the next
    right, up, back = camera.axes()
    turn = rng.uniform(-0.4, 0.4)
    way = (right * np.cos(turn) + up * np.sin(turn)) * rng.choice((-1.0, 1.0)) * size
    place, target = np.array(camera.place), np.array(camera.target)
    made = []
    for number in range(frames):
        t = number - frames // 2
        shake = rng.standard_normal(3) * size * 0.5
        if move == "pan":
            at = replace(camera, target=tuple(target + way * t))
        elif move == "truck":
            at = replace(camera, place=tuple(place + way * t), target=tuple(target + way * t))
        elif move == "dolly":
            at = replace(camera, place=tuple(place + back * size * t * 0.7))
        elif move == "handheld":
            at = replace(
                camera, place=tuple(place + 0.4 * shake), target=tuple(target + shake),
                roll_deg=camera.roll_deg + float(rng.normal() * 0.4),
            )  # fmt: skip
        else:
            at = camera
        made.append(at)
    return made


def _width_m(camera: Camera) -> float:
    """How wide the picture is where the camera looks."""
    away = float(np.linalg.norm(np.subtract(camera.place, camera.target)))
    return away * SENSOR_MM / camera.focal_mm

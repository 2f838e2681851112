"""Small fits that make pixels, and a camera that pans over a wall, to take things out of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from footagefit.rendering.fits import Part, Recipe, save_fit
from rendering_helpers import ACESCG, timecode

HEIGHT, WIDTH, STEP_PX = 64, 112, 3
Pan = Callable[..., Path]


def make_fill(path: Path, task: str) -> Path:
    """An untrained fit: what nothing shows is a smooth surface."""
    recipe = Recipe(Part(task), Part("fill", {"width": 8, "steps": 1}))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = recipe.build_model(recipe.build_task().spec)
    return save_fit(path, recipe=recipe, weights=model.state_dict(), card={"lineage": {}})


@pytest.fixture(scope="session")
def cleanup_fit(tmp_path_factory) -> Path:
    return make_fill(tmp_path_factory.mktemp("fills") / "cleanup_v001", "cleanup")


@pytest.fixture(scope="session")
def extend_fit(tmp_path_factory) -> Path:
    return make_fill(tmp_path_factory.mktemp("fills") / "extend_v001", "extend")


def wall() -> np.ndarray:
    """A wide picture with detail at several sizes (H,W,3)."""
    rng = np.random.default_rng(4)
    made = np.full((1, 3, 3 * HEIGHT, 4 * WIDTH), 0.3, np.float32)
    for cells, strength in ((12, 0.15), (40, 0.1), (96, 0.05)):
        coarse = rng.random((1, 3, cells, cells * 2), np.float32)
        size = made.shape[2:]
        grown = torch.nn.functional.interpolate(
            torch.from_numpy(coarse), size=size, mode="bicubic"
        ).numpy()
        made += strength * (grown - 0.5)
    return made[0].transpose(1, 2, 0)


def seen(
    number: int, *, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0
) -> np.ndarray:
    """What the camera sees of the wall in a frame, and beyond its borders (H,W,3)."""
    x, y = WIDTH + STEP_PX * (number - 1001), HEIGHT
    return wall()[y - top : y + HEIGHT + bottom, x - left : x + WIDTH + right]


@pytest.fixture
def pan(tmp_path, write_picture) -> Pan:
    """Write the pan and give its pattern."""

    def make(name: str = "pan", frames=range(1001, 1009), *, layers: bool = False, **more) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        about = {"chromaticities": ("float[8]", ACESCG), "compression": "zip", "reelName": "A007"}
        about["FramesPerSecond"] = ("rational", (24, 1))
        for number in frames:
            pixels, names = seen(number).astype(np.float16), ["R", "G", "B"]
            if layers:
                depth = np.full((HEIGHT, WIDTH, 1), number - 1000, np.float16)
                pixels, names = np.concatenate([pixels, depth], -1), [*names, "depth.Z"]
            head = {**about, "smpte:TimeCode": ("timecode", (timecode(number), 0))}
            path = folder / f"{name}.{number:04d}.exr"
            write_picture(path, pixels, attributes=head, channels=names, **more)
        return folder / f"{name}.####.exr"

    return make


@pytest.fixture
def mattes(tmp_path, write_picture) -> Callable[..., Path]:
    """Write mattes of a function of frame number, rows and columns."""

    def make(of: Callable[[int], np.ndarray], frames=range(1001, 1009), name="matte") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number in frames:
            values = np.asarray(of(number), np.float16).reshape(HEIGHT, WIDTH, 1)
            write_picture(folder / f"{name}.{number:04d}.exr", values, channels=["A"])
        return folder / f"{name}.####.exr"

    return make

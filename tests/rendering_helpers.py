"""A tiny fit that changes pictures, and shots to take through it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
import torch

from footagefit.rendering.fits import Part, Recipe, save_fit

RECIPE = Recipe(Part("match", {"size": [32, 64]}), Part("field", {"width": 8, "long_px": 64}))


def make_fit(path: Path, *, std: float = 0.05, seed: int = 0, **card: object) -> Path:
    """A fit with random weights: strong enough to see, weak enough to stay a picture."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = RECIPE.build_model(RECIPE.build_task().spec)
        for name, weight in model.named_parameters():
            if "head" in name or "gate" in name:
                # What is carried over is weighed eightfold: a gate as wild would drown the rest.
                torch.nn.init.normal_(weight, std=std / 8 if "carry" in name else std)
    return save_fit(path, recipe=RECIPE, weights=model.state_dict(), card={"lineage": {}, **card})


@pytest.fixture(scope="session")
def fit(tmp_path_factory) -> Path:
    return make_fit(tmp_path_factory.mktemp("fits") / "match_v001")


def picture(number: int, height: int = 48, width: int = 80, seed: int = 0) -> np.ndarray:
    """A smooth scene with grain, values above 1 and below 0 (H,W,3)."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, 6, 9)).astype(np.float32) ** 2)
    base = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    grain = np.random.default_rng([seed, number]).standard_normal((height, width, 3))
    scene = base.permute(1, 2, 0).numpy() * 0.8 * (1 + 0.05 * grain)
    scene[2:5, 3:7] = 6.0
    scene[6:8, 3:7] = -0.02
    return scene.astype(np.float32)


@pytest.fixture
def shot(tmp_path, write_picture) -> Callable[..., Path]:
    """Write an EXR shot, straight through OpenImageIO, and give its pattern."""

    def make(name: str = "plate", frames=range(1001, 1007), *, height=48, width=80, seed=0,
             gain=1.0, **options) -> Path:  # fmt: skip
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        attributes = {"chromaticities": ("float[8]", ACESCG), "compression": "zip"}
        attributes["FramesPerSecond"] = ("rational", (24, 1))
        attributes |= options.pop("attributes", {})
        for number in frames:
            level = gain(number) if callable(gain) else gain
            pixels = (picture(number, height, width, seed) * level).astype(np.float16)
            about = {**attributes, "smpte:TimeCode": ("timecode", (timecode(number), 0))}
            path = folder / f"{name}.{number:04d}.exr"
            write_picture(path, pixels, attributes=about, **options)
        return folder / f"{name}.####.exr"

    return make


ACESCG = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


def timecode(number: int) -> int:
    """01:00:00:ff, packed."""
    frames = number % 24
    return (1 << 24) | (frames // 10 << 4) | (frames % 10)


def stored(path: Path) -> tuple[np.ndarray, oiio.ImageSpec]:
    """A file's own values and header, read by OpenImageIO alone."""
    opened = oiio.ImageInput.open(str(path))
    spec = opened.spec()
    return opened.read_image(0, 0, 0, spec.nchannels, str(spec.format)), spec


@pytest.fixture
def reference(tmp_path, write_picture) -> Path:
    path = tmp_path / "hero.1001.exr"
    pixels = (picture(7, 40, 72, seed=3) * 0.4).astype(np.float16)
    about = {"chromaticities": ("float[8]", ACESCG)}
    return write_picture(path, pixels, attributes=about)

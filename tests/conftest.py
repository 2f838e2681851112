"""What every test may lean on: small made-up pictures, and a config that is always ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from hypothesis import settings

# The suite asks the same questions every time; `pytest --hypothesis-profile=explore` asks new ones.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=500)
settings.load_profile("same")

os.environ.pop("OCIO", None)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("WANDB_MODE", "disabled")


_TYPES = {"float16": "half", "float32": "float"}


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Write pixels straight through OpenImageIO, without any of our own code."""

    def write(path: Path, pixels: np.ndarray, **options: Any) -> Path:
        attributes: dict[str, Any] = options.pop("attributes", {})
        height, width, count = pixels.shape
        spec = oiio.ImageSpec(
            width, height, count, _TYPES.get(pixels.dtype.name, pixels.dtype.name)
        )
        names = options.pop("channels", ["R", "G", "B", "A"][:count])
        spec.channelnames = tuple(names)
        if "A" in names:
            spec.alpha_channel = list(names).index("A")
        if "formats" in options:
            spec.channelformats = tuple(oiio.TypeDesc(f) for f in options.pop("formats"))
        for key in ("x", "y", "full_x", "full_y", "full_width", "full_height", "tile_width",
                    "tile_height"):  # fmt: skip
            if key in options:
                setattr(spec, key, options.pop(key))
        for name, value in attributes.items():
            if isinstance(value, tuple) and isinstance(value[0], str):
                spec.attribute(name, oiio.TypeDesc(value[0]), value[1])
            else:
                spec.attribute(name, value)
        assert not options, options
        output = oiio.ImageOutput.create(str(path))
        assert output.open(str(path), spec), output.geterror()
        assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
        output.close()
        return path

    return write


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Pixels with values below 0 and above 1, the same every time."""

    def make(height: int = 12, width: int = 20, channels: int = 3, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return (rng.standard_normal((height, width, channels)) * 2 + 1).astype(np.float32)

    return make


@pytest.fixture
def footagefit(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: exit code, output, errors."""
    from footagefit.cli import main

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run

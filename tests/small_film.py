"""A show of a few small takes, made, scanned and split in a second or two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio

FRAMES = range(1001, 1011)


def write_take(folder: Path, scene: int, take: int) -> None:
    """A take of a scene: the same blocks, exposed otherwise, with grain."""
    rng = np.random.default_rng((scene, take))
    base = np.random.default_rng(scene).random((4, 8, 3)).repeat(9, 0).repeat(8, 1)
    folder.mkdir(parents=True)
    for frame in FRAMES:
        pixels = base * (0.5 + 0.3 * take) + 0.05 * rng.random((36, 64, 3))
        spec = oiio.ImageSpec(64, 36, 3, "half")
        path = str(folder / f"S{scene:02d}_T{take:02d}.{frame}.exr")
        out = oiio.ImageOutput.create(path)
        assert out.open(path, spec)
        assert out.write_image(np.ascontiguousarray(pixels.astype(np.float16)))
        out.close()


def unscanned_film(folder: Path) -> Path:
    """Four scenes of two takes; returns the show's YAML."""
    for scene in (1, 2, 3, 4):
        for take in (1, 2):
            name = f"S{scene:02d}_T{take:02d}"
            write_take(folder / "dailies" / name, scene, take)
    show = folder / "film.yaml"
    show.write_text(
        "roots: [dailies]\nspace: ACEScg\nnames: ['S(?P<scene>\\d+)_T(?P<take>\\d+)']\n"
    )
    return show


def small_film(folder: Path) -> Path:
    """The same, scanned."""
    from footagefit.cli import main

    show = unscanned_film(folder)
    assert main(["scan", f"show={show}"]) == 0
    return show

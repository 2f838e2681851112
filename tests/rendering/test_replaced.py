"""A background replaced: edges free of the old one, the front as it was or in the new light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import footagefit
from fill_helpers import HEIGHT, WIDTH, cleanup_fit, mattes
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.replaced import unmixed
from rendering_helpers import ACESCG, make_fit, stored

__all__ = ["cleanup_fit", "mattes"]

FRONT, OLD, NEW = (0.6, 0.3, 0.1), (0.05, 0.9, 0.1), (0.1, 0.1, 0.5)


def disc() -> np.ndarray:
    """A matte with a soft edge (H,W)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    far = np.hypot(y - HEIGHT / 2, x - WIDTH / 2)
    return np.clip((22 - far) / 5, 0, 1).astype(np.float32)


def flat(colour: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(colour).view(3, 1, 1).expand(3, HEIGHT, WIDTH).clone()


def mixed() -> torch.Tensor:
    a = torch.from_numpy(disc())[None]
    return a * flat(FRONT) + (1 - a) * flat(OLD)


def test_an_edge_is_freed_of_the_old_background():
    a = torch.from_numpy(disc())[None]
    front = unmixed(mixed(), a)
    edge = (a[0] > 0.1) & (a[0] < 1)
    before = (mixed() - flat(FRONT)).abs().mean(0)[edge].mean()
    after = (front - flat(FRONT)).abs().mean(0)[edge].mean()
    assert float(after) < 0.2 * float(before)
    assert torch.equal(front[:, a[0] == 1], mixed()[:, a[0] == 1])


@pytest.fixture
def scene(tmp_path, write_picture):
    """A plate of three frames, its matte, and a still to go behind."""
    about = {"chromaticities": ("float[8]", ACESCG)}
    folder = tmp_path / "plate"
    folder.mkdir()
    pixels = mixed().permute(1, 2, 0).numpy().astype(np.float16)
    for number in (1, 2, 3):
        write_picture(folder / f"plate.{number:04d}.exr", pixels, attributes=about)
    behind = flat(NEW).permute(1, 2, 0).numpy().astype(np.float16)
    write_picture(tmp_path / "behind.exr", behind, attributes=about)
    return folder / "plate.####.exr"


def test_a_front_stands_before_another_background(scene, cleanup_fit, mattes, tmp_path):
    alpha = mattes(lambda _: disc(), frames=(1, 2, 3))
    asked = Filling(background=tmp_path / "behind.exr", alpha=alpha)
    done = footagefit.render(scene, fit=cleanup_fit, fill=asked, layers=["mask"],
                             out=tmp_path / "o" / "r.####.exr")  # fmt: skip
    made, spec = stored(Path(str(done.out).replace("####", "0002")))
    made = made[..., [spec.channelnames.index(c) for c in "RGB"]]
    a = torch.from_numpy(disc())[None]
    truth = (a * flat(FRONT) + (1 - a) * flat(NEW)).permute(1, 2, 0).numpy()
    assert np.abs(made.astype(float) - truth).max() < 0.05
    plate = stored(tmp_path / "plate" / "plate.0002.exr")[0]
    solid = disc() == 1
    assert (made.view(np.uint16)[solid] == plate.view(np.uint16)[solid]).all()


def test_a_match_fit_brings_the_front_into_the_new_light(scene, cleanup_fit, mattes, tmp_path):
    alpha = mattes(lambda _: disc(), frames=(1, 2, 3))
    fit = make_fit(tmp_path / "match")
    asked = Filling(background=tmp_path / "behind.exr", alpha=alpha, match=fit)
    done = footagefit.render(scene, fit=cleanup_fit, fill=asked,
                             out=tmp_path / "o" / "r.####.exr")  # fmt: skip
    one, two = (stored(Path(str(done.out).replace("####", n)))[0] for n in ("0001", "0003"))
    plate = stored(tmp_path / "plate" / "plate.0001.exr")[0]
    solid, clear = disc() == 1, disc() == 0
    assert np.abs(one.astype(float) - plate.astype(float))[solid].mean() > 0.005
    assert np.allclose(one[clear], np.float16(NEW), atol=1e-3)
    assert (one == two).all()  # one look for the shot

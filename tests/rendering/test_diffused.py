"""A diffused picture is never the output: a UHD plate keeps its detail, and its bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import footagefit
from fill_helpers import HEIGHT, WIDTH, mattes, pan, seen
from footagefit.models import diffusion_hashes as hashes
from footagefit.models.base import resampled
from footagefit.models.diffusion import DiffusionModel
from footagefit.models.nets.codes import codes_of
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.fits import Fit, Part, Recipe, save_fit
from footagefit.soundstage.training import draw
from footagefit.tasks.base import PlainWindow
from rendering_helpers import ACESCG, stored
from tiny_bases import tiny_base

__all__ = ["mattes", "pan"]
UHD = (2160, 3840)


class Blurry(nn.Module):
    """An autoencoder that keeps colour and loses every detail, as far as a bad one would."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.channels, self.factor = channels, factor

    def encode(self, codes: torch.Tensor) -> torch.Tensor:
        small = F.avg_pool2d(codes, self.factor)
        return torch.cat([small, small[:, :1]], 1)[:, : self.channels]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return F.interpolate(latents[:, :3], scale_factor=self.factor, mode="bilinear")


def darker_right(size: tuple[int, int]) -> torch.Tensor:
    """A stop less, from the middle to five eighths of the frame growing."""
    x = (torch.arange(size[1]) + 0.5) / size[1]
    return torch.exp2(-((x - 0.5) * 8.0).clamp(0.0, 1.0)).expand(1, 1, *size)


@pytest.fixture(scope="module")
def plate() -> torch.Tensor:
    """A staged scene at UHD with grain and texture (3,H,W)."""
    scene = draw(seed=3, index=0, count=1, size_px=(135, 240), lights=1).images[0, 0]
    scene = scene * (0.18 / scene.mean())
    frame = F.interpolate(scene[None], UHD, mode="bicubic")[0].clamp_min(0.0)
    grain = torch.randn(3, *UHD, generator=torch.Generator().manual_seed(1))
    return (frame * torch.exp2(0.1 * grain)).half().float()


@pytest.fixture(scope="module", params=["grid", "ratio"])
def fit(request, tmp_path_factory) -> Fit:
    """Of a net that knows what it should make, but for a little noise."""
    root = tmp_path_factory.mktemp("base")
    recipe = Recipe(Part("match", {"size": [32, 64]}),
                    Part("diffusion", {"base": str(root / "sd15"), "side_px": 192, "rank": 2,
                                       "look": request.param}))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(root / "cache"))
        tiny_base(root / "sd15", "sd15", towers=True)
        task = recipe.build_task()
        model = recipe.build_model(task.spec)
    assert isinstance(model, DiffusionModel)
    model.autoencoder = Blurry(4, 2)
    small = model.encode_given

    def knows(given):
        known = small(given)
        wanted = given.plate * darker_right(tuple(given.plate.shape[-2:]))
        noise = torch.randn(known["plate"].shape, generator=torch.Generator().manual_seed(5))
        known["wanted"] = model._latents(wanted) + 0.005 * noise
        return known

    model.encode_given = knows
    model._velocity = lambda z, s, known, vector, keep: known["plate"] - known["wanted"]
    card = {"files": {"weights.safetensors": "0" * 64}}
    return Fit(root / "fit", recipe, task, model.eval(), {}, card)


def energy(picture: torch.Tensor) -> float:
    """Of gradients, in stops, over the third of the frame where nothing should change."""
    part = torch.log2(picture[..., : UHD[1] // 3].clamp_min(0.0) + 2.0**-8)
    return float(part.diff(dim=-1).square().mean() + part.diff(dim=-2).square().mean())


def test_a_uhd_plate_keeps_its_detail(fit, plate):
    given = fit.task.given(PlainWindow(plate[None], plate[None, :, ::8, ::8]), {})
    with torch.inference_mode():
        result = fit.model.predict(given)[0]
        small = codes_of(resampled(plate[None], (128, 256)))
        diffused = fit.model.autoencoder.decode(fit.model.autoencoder.encode(small))
    assert energy(result) == pytest.approx(energy(plate), rel=0.01)
    right = slice(UHD[1] * 11 // 16, None)
    off = torch.log2((result[..., right] + 2.0**-8) / (plate[..., right] + 2.0**-8))
    assert float(off[plate[..., right] > 0.05].mean()) == pytest.approx(-1.0, abs=0.1)
    lost = diffused.diff(dim=3).square().mean() / small.diff(dim=3).square().mean()
    assert float(lost) < 0.5  # what would be left of it in the diffused picture itself


def test_outside_the_mask_stored_bits_stay(fit, plate, tmp_path, write_picture):
    pixels = plate.permute(1, 2, 0).numpy().astype(np.float16)
    about = {"chromaticities": ("float[8]", ACESCG), "compression": "none"}
    shot = tmp_path / "plate"
    shot.mkdir()
    write_picture(shot / "plate.1001.exr", pixels, attributes=about)
    matte = np.zeros((*UHD, 1), np.float16)
    matte[200:1900, 1500:3500] = 1.0
    mask = write_picture(tmp_path / "matte.exr", matte, channels=["A"],
                         attributes={"compression": "zips"})  # fmt: skip
    out = tmp_path / "out" / "m.####.exr"
    footagefit.render(shot / "plate.####.exr", fit=fit, out=out, mask=mask,
                      reference=shot / "plate.1001.exr", temporal="none")  # fmt: skip
    made = stored(Path(str(out).replace("####", "1001")))[0].view(np.uint16)
    outside = matte[..., 0] == 0
    before = pixels.view(np.uint16)
    assert (made == before)[outside].all()
    assert (made != before)[~outside].any()


@pytest.mark.filterwarnings("ignore:grain cannot be told")  # the wall has none
def test_a_base_fills_what_no_frame_shows_and_leaves_what_was_carried(
    pan, mattes, tmp_path, monkeypatch
):
    monkeypatch.setenv(hashes.CACHE, str(tmp_path / "cache"))
    base = tiny_base(tmp_path / "sd15", "sd15", towers=True)
    recipe = Recipe(
        Part("cleanup"),
        Part("diffusion", {"base": str(base), "side_px": 32, "rank": 2, "steps": 1}),
    )
    model = recipe.build_model(recipe.build_task().spec)
    fit = save_fit(
        tmp_path / "cleanup_v001", recipe=recipe, weights=model.state_dict(),
        card={"lineage": {}, **model.about()},
    )  # fmt: skip
    hole = np.zeros((HEIGHT, WIDTH))
    hole[20:34, 50:64] = 1.0  # seen in other frames, as the camera pans
    hole[:, 0:4] = hole[0:3] = 1.0  # the top never is
    out = tmp_path / "o" / "c.####.exr"
    plate, mask = pan(), mattes(lambda _: hole)
    footagefit.render(plate, fit=fit, mask=mask, out=out, layers=["confidence"])
    made = stored(Path(str(out).replace("####", "1004")))[0].astype(np.float32)
    truth, sure = seen(1004), made[..., 3]
    keeps = hole == 0
    assert np.array_equal(made[keeps][:, :3], truth.astype(np.float16).astype(np.float32)[keeps])
    carried = sure[20:34, 50:64] > 0.9
    assert carried.mean() > 0.8
    assert np.abs(made[20:34, 50:64, :3] - truth[20:34, 50:64])[carried].max() < 0.02
    assert sure[0:3, 10:].max() < 0.5
    assert np.isfinite(made).all() and np.ptp(made[0:3, 10:, :3]) > 0
    again = {}
    for name, seed in (("same", 0), ("other", 7)):  # a frame alone is the frame in its run
        out = tmp_path / name / "c.####.exr"
        footagefit.render(plate, fit=fit, mask=mask, out=out, fill=Filling(seed=seed),
                          frames="1004", layers=["confidence"])  # fmt: skip
        again[name] = stored(Path(str(out).replace("####", "1004")))[0].astype(np.float32)
    assert np.array_equal(again["same"], made)
    assert not np.array_equal(again["other"][0:3, 10:, :3], made[0:3, 10:, :3])
    assert np.array_equal(again["other"][keeps], made[keeps])

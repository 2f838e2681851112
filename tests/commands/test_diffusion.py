"""A base taught on a show, as a person does it: train, infer, compare, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from footagefit.cli import main
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models import diffusion_places as places
from footagefit.rendering.fits import load_fit
from rendering_helpers import stored
from small_film import unscanned_film
from small_training import SMALL
from tiny_bases import tiny_base

WORDS = [w for w in SMALL if not w.startswith("model.")]
WORDS += ["model=diffusion", "model.side_px=32", "model.rank=4", "model.lpips_weight=0",
          "model.drop_reference=0", "trainer.rate=0.01", "trainer.max_steps=3"]  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A show with a fit of each of two bases."""
    folder = tmp_path_factory.mktemp("film")
    show = unscanned_film(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(folder / "cache"))
        patch.setenv(places.BASES, str(folder / "bases"))
        for name, family in (("v1", "sd15"), ("v2", "flux")):
            tiny_base(folder / "bases" / family, family, towers=True)
            words = ["train", f"show={show}", *WORDS, f"model.base=house/{family}"]
            assert main([*words, f"name={name}"]) == 0
        yield show


@pytest.fixture
def fit(film) -> Path:
    """Of which something is left to see: three steps may not beat doing nothing."""
    from footagefit.rendering.fits import save_fit

    path = film.parent / "film_work" / "fits" / "strong"
    if path.exists():
        return path
    loaded = load_fit(film.parent / "film_work" / "fits" / "v1")
    weights = loaded.model.state_dict()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, weight in weights.items():
            if "conv_out.weight" in name or "lora_B" in name:
                weights[name] = 0.05 * torch.randn_like(weight)
    return save_fit(path, recipe=loaded.recipe, weights=weights, card=dict(loaded.card),
                    about=loaded.model.about())  # fmt: skip


def test_a_fit_changes_the_mask_and_keeps_other_stored_bits(film, fit, tmp_path, footagefit,
                                                            write_picture):  # fmt: skip
    plate = film.parent / "dailies" / "S01_T01" / "S01_T01.####.exr"
    reference = film.parent / "dailies" / "S01_T02" / "S01_T02.1001.exr"
    matte = np.zeros((36, 64, 1), np.float16)
    matte[8:20, 30:60] = 1.0
    mask = write_picture(tmp_path / "matte.exr", matte, channels=["A"])
    words = ["infer", f"fit={fit}", f"plate={plate}", f"reference={reference}",
             f"mask={mask}", "frames=1001-1003", "space=ACEScg",
             "reference_space=ACEScg"]  # fmt: skip
    for name in ("one", "two"):
        code, _, err = footagefit(*words, f"out={tmp_path}/{name}/m.####.exr")
        assert code == 0, err
    for number in (1001, 1002, 1003):
        before, _ = stored(Path(str(plate).replace("####", str(number))))
        after, _ = stored(tmp_path / "one" / f"m.{number}.exr")
        again, _ = stored(tmp_path / "two" / f"m.{number}.exr")
        outside = matte[..., 0] == 0
        assert (before.view(np.uint16) == after.view(np.uint16))[outside].all()
        assert (before != after)[~outside].any()
        assert (after.view(np.uint16) == again.view(np.uint16)).all()


def test_fits_are_compared(film, tmp_path, footagefit):
    fits = film.parent / "film_work" / "fits"
    code, _, err = footagefit("compare", f"fits=[{fits}/v1,{fits}/v2]", f"show={film}",
                              f"out={tmp_path}/report", "frames=1", "long_side_px=64")  # fmt: skip
    assert code == 0, err
    assert (tmp_path / "report" / "page" / "data.js").is_file()
    card = json.loads((fits / "v1" / "card.json").read_text())
    assert card["weights"]["base"] == "sd15"
    assert "openrail++" in (fits / "v1" / "CARD.md").read_text()


def plain_net(film: Path):
    return bases.library().UNet2DConditionModel.from_pretrained(
        str(film.parent / "bases" / "sd15" / "unet"), local_files_only=True
    )


def test_a_lora_is_read_by_diffusers(film, fit, tmp_path, footagefit):
    out = tmp_path / "a" / "show.safetensors"
    code, said, err = footagefit("export", f"fit={fit}", "to=lora", f"out={out}")
    assert code == 0, err
    assert "checked against the fit" in said
    net = plain_net(film)
    bare = {n: w.clone() for n, w in net.named_parameters()}
    net.load_lora_adapter(load_file(out), prefix="unet")
    net.fuse_lora()
    net.unload_lora()
    mine = load_fit(fit).model.denoiser.net
    apart = 0
    for name, weight in net.named_parameters():
        if not name.endswith("to_q.weight"):
            continue
        place = mine.get_submodule(name.removesuffix(".weight"))
        lora = place.lora_B["default"].weight @ place.lora_A["default"].weight
        assert torch.allclose(weight, bare[name] + lora, atol=1e-6)
        apart += int(not torch.equal(weight, bare[name]))
    assert apart > 0
    code, _, err = footagefit("export", f"fit={fit}", "to=lora", f"out={out}")
    assert code == 2
    assert "there already" in err


def test_comfyui_finds_its_names(fit, tmp_path, footagefit):
    out = tmp_path / "show.safetensors"
    assert footagefit("export", f"fit={fit}", "to=comfyui", f"out={out}")[0] == 0
    state = load_file(out)
    stem = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert {f"{stem}.lora_up.weight", f"{stem}.lora_down.weight", f"{stem}.alpha"} <= set(state)
    assert float(state[f"{stem}.alpha"]) == 4.0 == state[f"{stem}.lora_down.weight"].shape[0]


def test_a_merged_base_stands_alone(film, fit, tmp_path, footagefit):
    out = tmp_path / "merged"
    code, said, err = footagefit("export", f"fit={fit}", "to=merged", f"out={out}")
    assert code == 0, err
    assert "checked against the fit" in said
    net = bases.library().UNet2DConditionModel.from_pretrained(str(out / "unet"))
    assert net.config.in_channels == 4 + 4 + 1 + 2
    assert (
        load_file(out / "beside.safetensors").keys()
        == dict(load_fit(fit).model.conditions.state_dict()).keys()
    )
    assert not [n for n, _ in net.named_parameters() if "lora" in n]


def test_other_destinations_and_other_fits_are_refused_in_one_line(fit, tmp_path, footagefit):
    code, _, err = footagefit("export", f"fit={fit}", "to=nuke", f"out={tmp_path}/n")
    assert code == 2
    assert "model is diffusion" in err
    from small_fit import small_fit

    field = small_fit(tmp_path / "field")
    code, _, err = footagefit("export", f"fit={field}", "to=lora", f"out={tmp_path}/l.safetensors")
    assert code == 2
    assert "takes fits of model diffusion" in err

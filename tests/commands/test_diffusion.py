"""Every family of bases as a person takes it: train, stop, go on, infer, compare, export."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from footagefit.cli import main
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models import diffusion_places as places
from footagefit.rendering.fits import load_fit, read_about, save_fit
from footagefit.training.fine_tune import FineTune
from rendering_helpers import stored
from small_film import small_film
from small_training import SMALL
from tiny_bases import FAMILIES, tiny_base

WORDS = [w for w in SMALL if not w.startswith("model.")]
WORDS += ["model=diffusion", "model.side_px=32", "model.rank=2", "model.lpips_weight=0",
          "trainer.val_windows=1", "trainer.max_steps=2", "trainer.warmup_steps=0",
          "trainer.save_every=0", "trainer.review_every=0", "trainer.rate=0.01"]  # fmt: skip
KIN = ("sd2-inpaint", "flux-fill")
MATTE = np.zeros((36, 64, 1), np.float16)
MATTE[8:20, 30:60] = 1.0


def train(show: Path, family: str) -> int:
    """Told to stop in its first step."""
    step = FineTune.training_step

    def told(self, batch, index):
        signal.raise_signal(signal.SIGTERM)
        return step(self, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FineTune, "training_step", told)
        return main(["train", f"show={show}", *WORDS, f"model.base={family}", f"name={family}"])


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A scanned show, and where its fits lie a run and a fit of each family."""
    folder = tmp_path_factory.mktemp("film")
    show = small_film(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(folder / "cache"))
        patch.setenv(places.BASES, str(folder / "bases"))
        for number, family in enumerate(FAMILIES):
            tiny_base(folder / "bases" / family, family, seed=number, towers=True)
            assert train(show, family) == 130
            run = folder / "film_work" / "runs" / family
            assert last(run)["global_step"] == 1
            assert not (folder / "film_work" / "fits" / family).exists()
            assert main(["train", f"resume={run}"]) == 0
        yield show


@pytest.fixture(scope="module")
def learnt(film) -> Mapping[str, Path]:
    """Fits of the last steps' weights: two steps may not beat doing nothing, which is then kept."""
    made = {}
    for family in FAMILIES:
        fit = load_fit(film.parent / "film_work" / "fits" / family)
        state = last(film.parent / "film_work" / "runs" / family)["state_dict"]
        weights = {n: state[f"model.{n}"] for n in fit.model.state_dict()}
        made[family] = save_fit(
            film.parent / "learnt" / family, recipe=fit.recipe, weights=weights,
            card=dict(fit.card), about=fit.model.about(),
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def fit(learnt) -> Path:
    """One to look at closely."""
    return learnt["sd15"]


def last(run: Path) -> dict:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fit_comes_from_the_run_that_went_on_and_knows_its_base(film, family):
    run, path = (film.parent / "film_work" / n / family for n in ("runs", "fits"))
    assert last(run)["global_step"] == 2
    fit = load_fit(path)
    found = fit.model.found
    assert found.folder == film.parent / "bases" / family
    assert read_about(path / "weights.safetensors") == {
        "base": family, "base_hash": found.hash, "base_licence": "openrail++",
    }  # fmt: skip
    assert fit.recipe.model.settings["base_hash"] == found.hash
    kept = load_file(path / "weights.safetensors")
    assert kept.keys() == fit.model.state_dict().keys()
    assert not any(".own." in name or "autoencoder" in name for name in kept)
    assert "openrail++" in (path / "CARD.md").read_text()


@pytest.fixture
def infer(film, tmp_path, footagefit, write_picture) -> Callable[..., Path]:
    """A take through a fit, by a matte; gives where frames were written."""
    matte = write_picture(tmp_path / "matte.exr", MATTE, channels=["A"])
    reference = plate_of(film, "####").replace("T01", "T02")

    def run(fit: Path, name: str, frames: str, *more: str) -> Path:
        out = tmp_path / name / "m.####.exr"
        code, _, err = footagefit(
            "infer", f"fit={fit}", f"plate={plate_of(film, '####')}", f"reference={reference}",
            f"mask={matte}", f"frames={frames}", "space=ACEScg", "reference_space=ACEScg",
            f"out={out}", *more,
        )  # fmt: skip
        assert code == 0, err
        return out.parent

    return run


def plate_of(film: Path, frame: object) -> str:
    return str(film.parent / "dailies" / "S01_T01" / f"S01_T01.{frame}.exr")


def between(film: Path, folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Which stored samples of a frame were changed, and which the matte leaves out."""
    before, _ = stored(Path(plate_of(film, frame)))
    after, _ = stored(folder / f"m.{frame}.exr")
    assert np.isfinite(after).all()
    return before.view(np.uint16) != after.view(np.uint16), MATTE[..., 0] == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fit_changes_the_mask_and_keeps_other_stored_bits(film, learnt, family, infer):
    changed, outside = between(film, infer(learnt[family], "out", "1002"), 1002)
    assert not changed[outside].any()
    assert changed[~outside].any()


def test_a_frame_is_the_same_bits_again(fit, infer):
    folders = [infer(fit, name, "1001-1003") for name in ("one", "two")]
    for number in (1001, 1002, 1003):
        one, two = (stored(f / f"m.{number}.exr")[0].view(np.uint16) for f in folders)
        assert (one == two).all()


def test_looks_are_filtered_over_time(film, fit, infer):
    flicker = {}
    for temporal in ("none", "smooth", "locked"):
        folder, change = infer(fit, temporal, "1001-1004", f"temporal={temporal}"), []
        for number in range(1001, 1005):
            pair = (folder / f"m.{number}.exr", Path(plate_of(film, number)))
            after, before = (stored(p)[0].astype(np.float32)[MATTE[..., 0] > 0] for p in pair)
            change.append(np.log2((after + 0.01) / (before + 0.01)))
        flicker[temporal] = float(np.abs(np.diff(change, axis=0)).mean())
    assert flicker["locked"] < 0.7 * flicker["none"], flicker
    assert flicker["smooth"] < 0.9 * flicker["none"], flicker


@pytest.fixture
def compare(film, tmp_path, footagefit) -> Callable[[Mapping[str, Path]], list[dict[str, float]]]:
    """Fits side by side; gives the display PSNR of each shot, by fit and of the plate."""

    def run(fits: Mapping[str, Path]) -> list[dict[str, float]]:
        listed = ",".join(map(str, fits.values()))
        code, said, err = footagefit("compare", f"fits=[{listed}]", f"show={film}", "frames=1",
                                     f"out={tmp_path}/report", "long_side_px=64",
                                     "loop_px=0")  # fmt: skip
        assert code == 0, err
        assert f"{len(fits)} fits" in said
        text = (tmp_path / "report" / "page" / "data.js").read_text()
        data = json.loads(text.removeprefix("window.footagefit = { data: ").removesuffix(" };\n"))
        columns = {c["label"]: c["key"] for c in data["columns"]}
        psnr = [m["name"] for m in data["metrics"]].index("psnr")
        asked = {name: columns[path.name] for name, path in fits.items()} | {"plate": "plate"}
        return [{n: s["values"][key][psnr] for n, key in asked.items()} for s in data["shots"]]

    return run


def test_all_of_them_are_seen_side_by_side(learnt, compare):
    for values in compare(learnt):
        assert np.isfinite(list(values.values())).all()
        assert len(set(values.values())) == len(FAMILIES) + 1  # none is another, or nothing


@pytest.fixture(scope="module")
def fills(film) -> Mapping[str, Path]:
    """What inpainting kin learn besides: to make pixels where something was taken out."""
    words = [w for w in WORDS if not w.startswith("task.")]
    words += ["task=cleanup", "task.size=[32,32]", "model.steps=1", "trainer.max_steps=1"]
    for family in KIN:
        name = f"cleanup_{family}"
        assert main(["train", f"show={film}", *words, f"model.base={family}", f"name={name}"]) == 0
    return {family: film.parent / "film_work" / "fits" / f"cleanup_{family}" for family in KIN}


@pytest.mark.filterwarnings("ignore:grain cannot be told")  # the blocks hide it
@pytest.mark.parametrize("family", KIN)
def test_pixels_are_made_inside_the_mask_alone(film, fills, family, infer):
    changed, outside = between(film, infer(fills[family], "out", "1002"), 1002)
    assert not changed[outside].any()
    assert changed[~outside].mean() > 0.9


def test_fits_that_make_pixels_are_compared(fills, compare):
    for values in compare(fills):
        assert np.isfinite(list(values.values())).all()
        assert values[KIN[0]] != values[KIN[1]]


def test_a_base_elsewhere_is_named_on_the_command_line(film, fit, tmp_path, footagefit,
                                                       monkeypatch):  # fmt: skip
    monkeypatch.delenv(places.BASES)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("footagefit.commands.ui._serve", lambda desk, port: desk.close() or 0)
    monkeypatch.chdir(film.parent)
    plate = [f"plate={plate_of(film, '####')}", "space=ACEScg", "reference_space=ACEScg"]
    for words in (
        ["infer", f"fit={fit}", *plate, f"reference={plate_of(film, 1001)}", "job=openjd",
         f"out={tmp_path}/m.####.exr"],
        ["ui", f"fit={fit}", *plate],
        ["compare", f"fits=[{fit}]", f"show={film}", f"out={tmp_path}/c", "dry_run=true"],
        ["evaluate", f"fit={fit}", f"show={film}", f"against={fit}", "dry_run=true"],
        ["export", f"fit={fit}", "to=lora", f"out={tmp_path}/l.safetensors"],
        ["train", f"show={film}", f"init_from={fit}", "model=diffusion", "dry_run=true"],
    ):  # fmt: skip
        code, _, err = footagefit(*words)
        assert code == 2
        assert "the base sd15 of content" in err
        key = "model.bases" if words[0] == "train" else "bases"
        code, _, err = footagefit(*words, f"{key}=[nowhere,bases]")
        assert code == 0, err
    job = (tmp_path / "m.openjd.json").read_text()  # for machines that start elsewhere
    assert f"bases=[{film.parent}/nowhere,{film.parent}/bases]" in job


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
    assert float(state[f"{stem}.alpha"]) == 2.0 == state[f"{stem}.lora_down.weight"].shape[0]


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

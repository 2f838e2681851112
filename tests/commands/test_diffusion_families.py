"""Every family of bases as a person takes it: trained, stopped, gone on with, used, compared."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from footagefit.cli import main
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
        for family in FAMILIES:
            tiny_base(folder / "bases" / family, family, towers=True)
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


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shot_goes_through_it(film, learnt, family, tmp_path, footagefit, write_picture):
    plate = film.parent / "dailies" / "S01_T01" / "S01_T01.####.exr"
    matte = np.zeros((36, 64, 1), np.float16)
    matte[8:20, 30:60] = 1.0
    mask = write_picture(tmp_path / "matte.exr", matte, channels=["A"])
    code, said, err = footagefit(
        "infer", f"fit={learnt[family]}", f"plate={plate}", f"mask={mask}", "frames=1002",
        f"reference={str(plate).replace('T01', 'T02')}", "space=ACEScg", "reference_space=ACEScg",
        f"out={tmp_path}/m.####.exr",
    )  # fmt: skip
    assert code == 0, err
    assert "1 frames written" in said
    before, _ = stored(Path(str(plate).replace("####", "1002")))
    after, _ = stored(tmp_path / "m.1002.exr")
    outside = matte[..., 0] == 0
    assert (before.view(np.uint16) == after.view(np.uint16))[outside].all()
    assert np.isfinite(after).all()
    assert (before != after)[~outside].any()


def test_all_of_them_are_seen_side_by_side(film, learnt, tmp_path, footagefit):
    fits = ",".join(map(str, learnt.values()))
    code, said, err = footagefit("compare", f"fits=[{fits}]", f"show={film}", "frames=1",
                                 f"out={tmp_path}/report", "long_side_px=64",
                                 "loop_px=0")  # fmt: skip
    assert code == 0, err
    assert f"{len(FAMILIES)} fits" in said
    text = (tmp_path / "report" / "page" / "data.js").read_text()
    data = json.loads(text.removeprefix("window.footagefit = { data: ").removesuffix(" };\n"))
    columns = {c["label"]: c["key"] for c in data["columns"]}
    psnr = [m["name"] for m in data["metrics"]].index("psnr")
    for shot in data["shots"]:
        values = {f: shot["values"][columns[f]][psnr] for f in (*FAMILIES, "plate")}
        assert all(np.isfinite(v) for v in values.values())
        assert len(set(values.values())) == len(values), values  # none is another, or nothing

"""Diffusion fits: runs that go on to the bit, latents that are kept, what a fit holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from footagefit.errors import FootagefitWarning, MissingPart, UsageError
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models import diffusion_places as places
from footagefit.rendering.fits import Part, load_fit, read_about
from footagefit.training import latents, likeness
from footagefit.training.fine_tune import FineTune
from footagefit.training.run import Plan, execute, finish, module_of
from footagefit.training.settings import Settings
from tiny_bases import tiny_base
from training.conftest import a_plan, diffused, sides


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(root / "cache"))
        yield tiny_base(root / "sdxl", "sdxl", towers=True)


def last(folder) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def ran(plan: Plan, folder):
    plan.write(folder)
    return execute(folder, sides())


@pytest.fixture(scope="module")
def undisturbed(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "runs" / "match_v001"
    return folder, ran(diffused(base), folder)


def test_a_run_begins_with_the_plate_and_ends_in_a_small_fit(base, undisturbed, tmp_path):
    folder, numbers = undisturbed
    rows = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    first = next(row for row in rows if "val/psnr" in row)
    assert first["val/psnr"] == pytest.approx(first["val/psnr_plate"], abs=1e-4)
    path = finish(folder, tmp_path / "fit", numbers)
    fit = load_fit(path)
    weights = load_file(path / "weights.safetensors")
    assert all(torch.equal(w, weights[n]) for n, w in fit.model.state_dict().items())
    assert not any(".own." in name or "autoencoder" in name for name in weights)
    found = bases.find(str(base))
    assert read_about(path / "weights.safetensors") == fit.card["weights"] == {
        "base": "sdxl", "base_hash": found.hash, "base_licence": "openrail++",
    }  # fmt: skip
    held = sum(w.numel() for w in weights.values())
    assert held < 0.6 * sum(w.numel() for w in fit.model.parameters())


def test_stopped_and_resumed_is_bit_identical(base, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "run"
    step = FineTune.training_step

    def die(self, batch, index):
        if index == 3:
            raise SystemError("killed")
        return step(self, batch, index)

    monkeypatch.setattr(FineTune, "training_step", die)
    with pytest.raises(SystemError):
        ran(diffused(base), folder)
    monkeypatch.undo()
    execute(folder, sides())
    one, other = last(folder), last(undisturbed[0])
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not any("autoencoder" in name for name in one)


def test_a_fit_starts_another_run_and_refuses_another_base(base, undisturbed, tmp_path):
    folder, numbers = undisturbed
    path = finish(folder, tmp_path / "fit", numbers)
    child = replace(diffused(base, max_steps=1), init_from=str(path))
    module = module_of(child, tmp_path / "runs" / "child", child.recipe.build_task())
    weights = load_file(path / "weights.safetensors")
    assert all(torch.equal(w, weights[n]) for n, w in module.model.state_dict().items())
    moved = tmp_path / "elsewhere"
    shutil.copytree(base, moved / "sdxl")
    with pytest.MonkeyPatch.context() as patch:  # the same base under another roof
        patch.setenv(places.BASES, str(moved))
        shutil.move(base, base.with_name("away"))
        try:
            assert load_fit(path).model.found.folder == moved / "sdxl"
            shutil.rmtree(moved / "sdxl")
            tiny_base(moved / "sdxl", "sdxl", seed=5, towers=True)
            with pytest.raises(MissingPart, match="elsewhere/sdxl is another"):
                load_fit(path)
        finally:
            shutil.move(base.with_name("away"), base)


def kept(plan: Plan, folder, **changed) -> latents.Kept:
    task = plan.recipe.build_task()
    module = module_of(plan, folder, task)
    plan = replace(plan, settings=replace(plan.settings, **changed))
    return latents.kept_for(plan, folder, sides().train, task, module)


def files(folder) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")}


def test_latents_are_kept_by_content_and_added_to(base, tmp_path, capsys, monkeypatch):
    plan, folder = diffused(base), tmp_path / "runs" / "run"
    cache = tmp_path / "cache" / "latents"
    first = kept(plan, folder, variants=3)
    assert "3 examples, 3 of them encoded now" in capsys.readouterr().out
    there = files(cache)
    assert len(there) == 3
    kept(plan, folder, variants=5)  # another list, of which three are there
    assert "5 examples, 2 of them encoded now" in capsys.readouterr().out
    assert {n: t for n, t in files(cache).items() if n in there} == there
    assert len(list(cache.glob("*.jsonl"))) == 2
    one, again = first[1], first[4]
    assert all(torch.equal(one.truth[n], again.truth[n]) for n in one.truth)
    gone = next(iter(there))
    (cache / gone[:2] / gone).unlink()
    monkeypatch.setattr(latents, "_content", None)  # trusted: nothing is made to compare
    with pytest.raises(TypeError):
        kept(plan, folder, variants=3)
    monkeypatch.undo()
    kept(plan, folder, variants=3, trust_cache=True)
    assert "1 of them encoded now" in capsys.readouterr().out
    with pytest.raises(UsageError, match="keeps no latents"):
        task = a_plan().recipe.build_task()
        module = module_of(a_plan(), folder, task)
        latents.kept_for(a_plan(), folder, sides().train, task, module)


def test_a_run_on_kept_latents_is_the_run_without(base, undisturbed, tmp_path):
    folder = tmp_path / "runs" / "run"
    plan = diffused(base, variants=16)
    assert ran(diffused(base, variants=16, cache_only=True), folder) == {}
    assert not (folder / "checkpoints").exists()
    ran(plan, folder)
    one, other = last(folder), last(undisturbed[0])  # 16 examples: each is drawn once
    assert all(torch.allclose(one[n].float(), other[n].float(), atol=1e-5) for n in one)


def test_settings_of_a_cache_go_together(base):
    with pytest.raises(UsageError, match="none is kept"):
        Settings(cache_only=True)
    with pytest.raises(UsageError, match="one fills it"):
        Settings(variants=10, devices=2)
    Settings(variants=10, devices=2, trust_cache=True)


def test_likeness_is_handed_down_or_said_to_be_missing(base, monkeypatch):
    plan = diffused(base)
    weighed = Part("diffusion", {**plan.recipe.model.settings, "lpips_weight": 2.0})
    recipe = replace(plan.recipe, model=weighed)
    model = recipe.build_model(recipe.build_task().spec)

    class Standing:
        def between(self, one, other):
            return (one - other).square().flatten(1).mean(1)

    monkeypatch.setattr(likeness, "Lpips", Standing)
    likeness.give_likeness(model)
    assert model.likeness is not None

    def missing():
        raise MissingPart("no backbone for LPIPS", hint="Name one")

    model.likeness = None
    monkeypatch.setattr(likeness, "Lpips", missing)
    with pytest.warns(FootagefitWarning, match="goes without LPIPS"):
        likeness.give_likeness(model)
    assert model.likeness is None

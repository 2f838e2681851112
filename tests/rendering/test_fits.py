"""A fit: comes back as it was written, and is refused when it is anything else."""

import json

import pytest
import torch
import yaml
from safetensors.torch import load_file

import footagefit
from footagefit.errors import AlreadyThere, UnknownName, WrongValue
from footagefit.rendering.fits import BrokenFit, Part, Recipe, load_fit, save_fit

RECIPE = Recipe(Part("match", {"size": [32, 64]}), Part("field", {"width": 8, "long_px": 64}))


@pytest.fixture
def fit(tmp_path):
    model = RECIPE.build_model(RECIPE.build_task().spec)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.1)
    card = {"lineage": {"clips": ["A001"]}, "approvals": []}
    signature = {"signature.grain": 0.01}
    return save_fit(
        tmp_path / "fit",
        recipe=RECIPE,
        weights=model.state_dict(),
        card=card,
        signature=signature,
    )


def test_comes_back_as_written(fit):
    back = footagefit.load_fit(fit)
    weights = load_file(fit / "weights.safetensors")
    assert all(torch.equal(w, weights[n]) for n, w in back.model.state_dict().items())
    assert back.recipe == RECIPE
    assert back.signature == {"signature.grain": 0.01}
    assert back.card["lineage"] == {"clips": ["A001"]}
    assert not back.model.training
    assert len(back.hash) == 64
    assert sorted(p.name for p in fit.parent.iterdir()) == ["fit"]


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.yaml", "signature.json"])
def test_a_changed_file_is_refused(fit, name):
    raw = bytearray((fit / name).read_bytes())
    raw[-3] ^= 1
    (fit / name).write_bytes(bytes(raw))
    with pytest.raises(BrokenFit, match=f"{name}: changed since it was written"):
        load_fit(fit)


def rewritten(fit, change):
    """Change the recipe and make the hashes right again, as an attacker would."""
    import hashlib

    raw = yaml.safe_load((fit / "recipe.yaml").read_text())
    change(raw)
    (fit / "recipe.yaml").write_text(yaml.safe_dump(raw))
    card = json.loads((fit / "card.json").read_text())
    digest = hashlib.sha256((fit / "recipe.yaml").read_bytes()).hexdigest()
    card["files"]["recipe.yaml"] = digest
    (fit / "card.json").write_text(json.dumps(card))


def test_a_target_in_a_recipe_is_refused(fit):
    rewritten(fit, lambda r: r["task"]["settings"].update({"_target_": "os.system"}))
    with pytest.raises(BrokenFit, match=r"task\.settings\._target_ is not allowed"):
        load_fit(fit)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda r: r.update({"hook": 1}), BrokenFit, "and no more"),
        (lambda r: r.update({"format": 9}), BrokenFit, "format 9"),
        (lambda r: r["model"].update({"name": "fields"}), UnknownName, "known: field"),
        (lambda r: r["model"]["settings"].update({"width": {"a": 1}}), BrokenFit, "plain value"),
        (lambda r: r["model"]["settings"].update({"width": "wide"}), WrongValue, "whole number"),
        (lambda r: r["model"]["settings"].update({"wdth": 8}), UnknownName, "wdth"),
        (lambda r: r["model"]["settings"].update({"width": 16}), BrokenFit, "do not fit"),
    ],
)
def test_a_recipe_that_is_not_plain_or_not_known_is_refused(fit, change, error, text):
    rewritten(fit, change)
    with pytest.raises(error, match=text):
        load_fit(fit)


def test_unknown_version_missing_parts_and_no_fit(fit, tmp_path):
    with pytest.raises(BrokenFit, match="no fit there"):
        load_fit(tmp_path / "nowhere")
    card = json.loads((fit / "card.json").read_text())
    (fit / "card.json").write_text(json.dumps({**card, "format": 2}))
    with pytest.raises(BrokenFit, match="format 2"):
        load_fit(fit)
    (fit / "card.json").write_text(json.dumps(card))
    (fit / "signature.json").unlink()
    with pytest.raises(BrokenFit, match="not whole"):
        load_fit(fit)


def test_weights_with_nan_are_refused(fit, tmp_path):
    weights = load_file(fit / "weights.safetensors")
    weights["guide.luma"][0] = float("nan")
    other = save_fit(tmp_path / "other", recipe=RECIPE, weights=weights, card={})
    with pytest.raises(BrokenFit, match="NaN"):
        load_fit(other)


def test_pickles_are_not_read(fit):
    torch.save({"a": torch.zeros(1)}, fit / "weights.safetensors")
    card = json.loads((fit / "card.json").read_text())
    import hashlib

    digest = hashlib.sha256((fit / "weights.safetensors").read_bytes()).hexdigest()
    card["files"]["weights.safetensors"] = digest
    (fit / "card.json").write_text(json.dumps(card))
    with pytest.raises(BrokenFit, match="do not fit the recipe"):
        load_fit(fit)


def test_a_fit_that_is_there_is_not_overwritten(fit):
    before = (fit / "weights.safetensors").read_bytes()
    with pytest.raises(AlreadyThere):
        save_fit(fit, recipe=RECIPE, weights={"a": torch.zeros(1)}, card={})
    assert (fit / "weights.safetensors").read_bytes() == before


def test_a_write_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        save_fit(tmp_path / "x", recipe=RECIPE, weights={}, card={"bad": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_fit_holds_plain_files_only(fit):
    assert {p.suffix for p in fit.iterdir()} == {".safetensors", ".yaml", ".json"}

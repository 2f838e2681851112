"""What makes a base's run lighter or faster: 8 bits for AdamW, fused nets."""

from __future__ import annotations

import sys
import types
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from footagefit.errors import MissingPart, UsageError
from footagefit.models import diffusion_hashes as hashes
from footagefit.training import lightning
from footagefit.training.fine_tune import FineTune
from footagefit.training.run import execute, finish, module_of
from footagefit.training.settings import Settings
from tiny_bases import tiny_base
from training.conftest import diffused, sides


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(root / "cache"))
        yield tiny_base(root / "flux", "flux", towers=True)


def ran(plan, folder) -> dict[str, torch.Tensor]:
    plan.write(folder)
    execute(folder, sides())
    return last(folder)["state_dict"]


def last(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def kinds(state) -> set[torch.dtype]:
    """Of all tensors in it; bitsandbytes has its own in a dict of their own."""
    if isinstance(state, torch.Tensor):
        return {state.dtype}
    return set().union(*map(kinds, state.values())) if isinstance(state, dict) else set()


SHORT = {"max_steps": 3, "review_every": 0, "val_windows": 1, "save_every": 2}


@pytest.fixture(scope="module")
def plain(base, tmp_path_factory):
    return ran(diffused(base, **SHORT), tmp_path_factory.mktemp("plain") / "runs" / "run")


def test_fused_nets_learn_the_same_and_keep_their_names(base, plain, tmp_path, monkeypatch):
    """Traced as with torch.compile; what compilers make of it takes minutes."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    folder = tmp_path / "runs" / "run"
    state = ran(diffused(base, compile_model=True, **SHORT), folder)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert state.keys() == plain.keys()
    assert not any("_orig_mod" in name for name in state)
    assert all(torch.allclose(w, plain[n], atol=1e-4) for n, w in state.items())
    fit = finish(folder, tmp_path / "fit", {})
    model = diffused(base).recipe.build_model(diffused(base).recipe.build_task().spec)
    assert model.state_dict().keys() == load_file(fit / "weights.safetensors").keys()


def test_eight_bits_are_kept_and_gone_on_with(base, plain, tmp_path, monkeypatch):
    pytest.importorskip("bitsandbytes", reason="pip install bitsandbytes")
    plan = diffused(base, eight_bit=True, **SHORT)
    lightning.check_machine(plan.settings)
    state = ran(plan, tmp_path / "whole")
    assert torch.uint8 in kinds(last(tmp_path / "whole")["optimizer_states"][0]["state"])
    apart = max(float((w.float() - plain[n].float()).abs().max()) for n, w in state.items())
    assert 0.0 < apart < 0.05  # three steps of 0.01
    step = FineTune.training_step

    def die(self, batch, index):
        if index == 2:
            raise SystemError("killed")
        return step(self, batch, index)

    plan.write(tmp_path / "halves")
    with monkeypatch.context() as patch:
        patch.setattr(FineTune, "training_step", die)
        with pytest.raises(SystemError):
            execute(tmp_path / "halves", sides())
    execute(tmp_path / "halves", sides())
    again = last(tmp_path / "halves")["state_dict"]
    assert all(torch.equal(w, again[n]) for n, w in state.items())


def test_eight_bits_that_cannot_be_had_are_one_line(base, tmp_path, monkeypatch):
    class Small(torch.optim.AdamW):
        pass

    fake = types.SimpleNamespace(AdamW8bit=Small)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", fake)
    plan = diffused(base, eight_bit=True)
    module = module_of(plan, tmp_path, plan.recipe.build_task())
    assert isinstance(module.configure_optimizers()["optimizer"], Small)
    monkeypatch.setattr(lightning, "find_spec", lambda name: None)
    with pytest.raises(MissingPart, match=r"needs bitsandbytes.*pip install"):
        lightning.check_machine(plan.settings)
    monkeypatch.setattr(lightning, "find_spec", lambda name: fake)
    lightning.check_machine(plan.settings)

    def fails(*args, **said):
        raise RuntimeError("no kernel for this\nand more")

    monkeypatch.setattr(fake, "AdamW8bit", fails)
    with pytest.raises(MissingPart, match=r"does not work on this CPU \(no kernel for this\)"):
        lightning.check_machine(plan.settings)
    with pytest.raises(UsageError, match="steps whole weights"):
        Settings(strategy="fsdp", devices=2, precision="bf16", eight_bit=True)

"""A step and a look of a diffusion model, taken before a run begins, and forgotten."""

from __future__ import annotations

import pytest
import torch

from footagefit.errors import MissingPart
from footagefit.models import diffusion_hashes as hashes
from footagefit.training import preflight as room
from footagefit.training.examples import Examples
from footagefit.training.fine_tune import FineTune
from footagefit.training.run import module_of
from tiny_bases import tiny_base
from training.conftest import diffused, sides

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run's settings, what it trains, and two examples."""
    root = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(root / "cache"))
        plan = diffused(tiny_base(root / "sd15", "sd15", towers=True), batch_size=2)
        task = plan.recipe.build_task()
        module = module_of(plan, root / "run", task)
    examples = Examples(sides().train, task, seed=0)
    return plan.settings, module, [examples[0], examples[1]]


def test_a_step_and_a_look_are_taken_and_forgotten(begun, monkeypatch):
    settings, module, pairs = begun
    before = {n: w.clone() for n, w in module.model.state_dict().items()}
    learnt = [w for w in module.model.parameters() if w.requires_grad]
    taken = []
    terms, look = FineTune.terms, type(module.model).look

    def stepped(self, batch, *, rng):
        taken.append(f"step of {len(batch.target)}")
        return terms(self, batch, rng=rng)

    def looked(self, given_small):
        assert any(w.grad is not None for w in learnt)  # beside what backward left
        taken.append("look")
        return look(self, given_small)

    monkeypatch.setattr(FineTune, "terms", stepped)
    monkeypatch.setattr(type(module.model), "look", looked)
    room.preflight(module, pairs, settings, device=CPU)
    assert taken == ["step of 2", "look"]
    assert all(torch.equal(w, before[n]) for n, w in module.model.state_dict().items())
    assert all(w.grad is None for w in module.model.parameters())


@pytest.mark.parametrize("what", ["forward", "optimizer", "look"])
def test_too_little_memory_is_said_in_one_line_whatever_it_is_for(begun, monkeypatch, what):
    settings, module, pairs = begun

    def full(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    if what == "forward":
        monkeypatch.setattr(FineTune, "terms", full)
    elif what == "look":
        monkeypatch.setattr(type(module.model), "look", full)
    else:
        empty = torch.empty
        monkeypatch.setattr(room.torch, "empty", lambda *size, **said: (
            full() if said.get("dtype") == torch.uint8 else empty(*size, **said)))  # fmt: skip
    with pytest.raises(MissingPart, match=r"2 pictures does not fit.*recompute=true"):
        room.preflight(module, pairs, settings, device=CPU)

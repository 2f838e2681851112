"""What a machine is asked for: half precision, blocks worked out twice; and what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from footagefit.errors import MissingPart, UsageError
from footagefit.rendering.fits import Part
from footagefit.tasks.draws import generator
from footagefit.training import lightning, memory
from footagefit.training.examples import Examples
from footagefit.training.run import execute
from footagefit.training.settings import Settings


def losses(folder) -> list[float]:
    rows = map(json.loads, (folder / "record.jsonl").read_text().splitlines())
    return [row["train/loss"] for row in rows if "train/loss" in row]


def weights(folder) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    from training.conftest import a_plan, sides

    folder = tmp_path_factory.mktemp("memory") / "plain"
    a_plan(max_steps=10, review_every=0).write(folder)
    execute(folder, sides())
    return folder


def test_half_precision_learns_about_the_same_and_keeps_whole_weights(plain, tmp_path, plan, waves):
    plan(max_steps=10, review_every=0, precision="bf16").write(tmp_path / "run")
    execute(tmp_path / "run", waves())
    half, full = losses(tmp_path / "run"), losses(plain)
    assert half != full
    assert half == pytest.approx(full, rel=0.05)
    assert all(w.dtype != torch.bfloat16 for w in weights(tmp_path / "run").values())


def test_recomputed_blocks_come_to_the_same_weights(plain, tmp_path, plan, waves):
    plan(max_steps=10, review_every=0, recompute=True).write(tmp_path / "run")
    execute(tmp_path / "run", waves())
    ours, theirs = weights(tmp_path / "run"), weights(plain)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("name", ["match", "relight"])
def test_recomputed_blocks_keep_less(plan, waves, name):
    recipe = plan().recipe
    if name == "relight":
        small = Part("relight", {"width": 8, "long_px": 64})
        recipe = replace(recipe, task=Part("relight", {"size": [64, 64]}), model=small)
    task = recipe.build_task()
    pair = Examples(waves().train, task, seed=0)[0]
    kept = []
    for again in (False, True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = recipe.build_model(task.spec)
        if again:
            memory.recompute(model)
        sizes: dict[int, int] = {}

        def keep(tensor, sizes=sizes):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            terms = model.loss(pair, rng=generator(0))
        kept.append((sum(sizes.values()), {n: float(v.detach()) for n, v in terms.items()}))
    assert kept[0][1] == kept[1][1]
    assert kept[1][0] < 0.8 * kept[0][0], kept


def test_what_this_machine_cannot_do_is_said_before_anything_is_begun(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="needs a GPU"):
        lightning.check_machine(Settings(precision="16"))
    with pytest.raises(MissingPart, match="no GPU is there"):
        lightning.check_machine(Settings(accelerator="gpu"))
    lightning.check_machine(Settings(precision="bf16"))
    assert lightning.precision_of(Settings()) == "32"
    with pytest.raises(UsageError, match="several devices"):
        Settings(strategy="fsdp")


def test_a_compiler_that_fails_is_one_line(tmp_path, plan, waves, monkeypatch):
    def fails(loss):
        def call(*args, **kwargs):
            raise TorchDynamoException(
                "InvalidCxxCompiler: No working C++ compiler found\nin a long story"
            )

        return call

    monkeypatch.setattr(torch, "compile", fails)
    plan(compile_model=True).write(tmp_path / "run")
    with pytest.raises(MissingPart, match=r"No working C\+\+ compiler found\)") as caught:
        execute(tmp_path / "run", waves())
    assert "\n" not in str(caught.value)

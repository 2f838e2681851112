"""Two ranks share a batch and come to the same as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from footagefit.training.examples import Batches
from footagefit.training.run import execute
from training.conftest import a_plan, sides


def losses(folder: Path) -> list[float]:
    lines = (folder / "record.jsonl").read_text().splitlines()
    return [row["train/loss"] for row in map(json.loads, lines) if "train/loss" in row]


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """A run on one device."""
    folder = tmp_path_factory.mktemp("ranks") / "one"
    a_plan(max_steps=20, review_every=0).write(folder)
    execute(folder, sides())
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """Runs on two ranks by the names of their folders; the parted one is stopped half-way."""
    root = tmp_path_factory.mktemp("ranks")
    for strategy in ("ddp", "fsdp"):
        plan = a_plan(max_steps=20, review_every=0, devices=2, strategy=strategy)
        plan.write(root / strategy)
    still = a_plan(max_steps=40, devices=2, rate=1e-12, review_every=2, patience=1)
    still.write(root / "still")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", str(Path(__file__).with_name("two_ranks.py"))]
    command += [str(root / name) for name in ("ddp", "fsdp@10", "fsdp", "still")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (root / "said.txt").write_text(done.stdout, encoding="utf-8")
    return root


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_ranks_come_to_the_same_as_one(one, two, strategy):
    assert len(losses(one)) == len(losses(two / strategy)) == 2
    assert losses(two / strategy) == pytest.approx(losses(one), abs=1e-4)
    states = [
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for f in (one, two / strategy)
    ]
    for name, weight in states[0].items():
        assert torch.allclose(weight, states[1][name], atol=1e-3), name
    kept = [load_file(f / "checkpoints" / "best.safetensors") for f in (one, two / strategy)]
    assert kept[0].keys() == kept[1].keys()
    assert all(torch.allclose(kept[0][name], kept[1][name], atol=1e-3) for name in kept[0])


def test_ranks_stop_early_together(two):
    assert (two / "said.txt").read_text(encoding="utf-8").count("stopping early") == 1
    state = torch.load(two / "still" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] < 40


@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 1), (2, 1), (2, 2), (4, 1)])
def test_ranks_and_parts_share_out_every_step(ranks, accumulate):
    each = [
        list(Batches(steps=3, batch_size=8, accumulate=accumulate, rank=r, ranks=ranks))
        for r in range(ranks)
    ]
    for step in range(3):
        parts = slice(step * accumulate, (step + 1) * accumulate)
        seen = sorted(i for rank in each for part in rank[parts] for i in part)
        assert seen == list(range(step * 8, step * 8 + 8))


def test_batches_go_on_where_they_stopped():
    whole = list(Batches(steps=9, batch_size=4, accumulate=2))
    rest = Batches(steps=9, batch_size=4, accumulate=2, start_step=5)
    assert list(rest) == whole[10:]
    assert len(rest) == len(whole)

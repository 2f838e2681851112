"""Two ranks share a batch and come to the same as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from footagefit.training.examples import Batches
from footagefit.training.run import execute


def losses(folder: Path) -> list[float]:
    lines = (folder / "record.jsonl").read_text().splitlines()
    return [row["train/loss"] for row in map(json.loads, lines) if "train/loss" in row]


def test_two_ranks_come_to_the_same_as_one(tmp_path, plan, waves):
    one, two = tmp_path / "one", tmp_path / "two"
    plan(max_steps=20, review_every=0).write(one)
    execute(one, waves())
    plan(max_steps=20, review_every=0, devices=2).write(two)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", str(Path(__file__).with_name("two_ranks.py")), str(two)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(losses(one)) == len(losses(two)) == 2
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)
    states = [
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for f in (one, two)
    ]
    for name, weight in states[0].items():
        assert torch.allclose(weight, states[1][name], atol=1e-3), name


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

"""Two ranks share a batch and come to the same as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from footagefit.models import diffusion_hashes as hashes
from footagefit.training.examples import Batches
from footagefit.training.run import execute
from tiny_bases import tiny_base
from training.conftest import a_plan, diffused, sides

# Of each kind of blocks one; SDXL is held in half precision, and its blocks are worked out again.
BASES = {"sdxl": {"dtype": "bf16"}, "flux": {}}
# A block and the next one, which is fetched meanwhile; a UNet's way up has blocks of blocks.
AT_ONCE = {"sdxl": 3, "flux": 2}
ALIKE = {"sdxl": 0.1, "flux": 0.02}  # Adam takes the sign of the smallest gradients


def told(folder: Path, name: str) -> list[float]:
    lines = (folder / "record.jsonl").read_text().splitlines()
    return [row[name] for row in map(json.loads, lines) if name in row]


def losses(folder: Path) -> list[float]:
    return told(folder, "train/loss")


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """A run on one device."""
    folder = tmp_path_factory.mktemp("ranks") / "one"
    a_plan(max_steps=20, review_every=0).write(folder)
    execute(folder, sides())
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """Runs on two ranks by the names of their folders; two parted ones are stopped half-way."""
    root = tmp_path_factory.mktemp("ranks")
    for strategy in ("ddp", "fsdp"):
        plan = a_plan(max_steps=20, review_every=0, devices=2, strategy=strategy)
        plan.write(root / strategy)
    for family, said in BASES.items():
        base = tiny_base(root / "bases" / family, family)
        asked = {"max_steps": 10, "review_every": 5, "val_windows": 1, "rate": 1e-3,
                 "recompute": family == "sdxl"}  # fmt: skip
        diffused(base, said=said, **asked).write(root / f"{family}-one")
        plan = diffused(base, said=said, devices=2, strategy="fsdp", **asked)
        plan.write(root / family)
    still = a_plan(max_steps=40, devices=2, rate=1e-12, review_every=2, patience=1)
    still.write(root / "still")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", str(Path(__file__).with_name("two_ranks.py"))]
    names = ["ddp", "fsdp@10", "fsdp", "still"]
    names += ["sdxl", "flux@5", "flux"]
    command += [str(root / name) for name in names]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", hashes.CACHE: str(root / "cache")},
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


@pytest.mark.filterwarnings("ignore:.*no text towers there")
@pytest.mark.parametrize("family", BASES)
def test_a_base_is_gathered_block_by_block_and_learns_what_one_device_would(two, family):
    alone, parted = two / f"{family}-one", two / family
    execute(alone, sides())
    assert len(losses(alone)) == 1
    assert losses(parted) == pytest.approx(losses(alone), rel=2e-3)
    assert len(told(alone, "val/psnr")) == 3
    assert told(parted, "val/psnr") == pytest.approx(told(alone, "val/psnr"), abs=0.02)
    states = [
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for f in (alone, parted)
    ]
    assert states[0].keys() == states[1].keys()
    for name, weight in states[0].items():
        apart = torch.dist(weight.float(), states[1][name].float())
        assert float(apart) <= ALIKE[family] * float(weight.float().norm()) + 1e-3, name
    kept = [load_file(f / "checkpoints" / "best.safetensors") for f in (alone, parted)]
    assert kept[0].keys() == kept[1].keys()
    assert all(w.shape == kept[1][n].shape for n, w in kept[0].items())
    stood = [json.loads((f / "standing.json").read_text()) for f in (alone, parted)]
    assert stood[1]["this fit"]["psnr_db"] == pytest.approx(
        stood[0]["this fit"]["psnr_db"], abs=0.02
    )
    gathered = json.loads((parted / "gathered.json").read_text())
    blocks = sorted(n for n in gathered["sizes"] if n != gathered["rest"])
    assert len(blocks) > 10
    assert gathered["most"] <= gathered["rest"] + sum(blocks[-AT_ONCE[family] :])
    assert gathered["most"] - gathered["rest"] < 0.7 * sum(blocks)
    assert gathered["left"] == 0


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

"""The optimizer of nets taught from nothing: even steps, faster lessons, going on to the bit."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from footagefit.errors import UsageError
from footagefit.training.orthogonal import Orthogonal, orthogonalised, parted
from footagefit.training.run import execute
from footagefit.training.settings import Settings


def small_net(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1), nn.SiLU(),
        nn.Conv2d(16, 2, 1),
    )  # fmt: skip


def lesson(net: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> float:
    """What another net makes of pictures whose channels are alike, by the squared error."""
    teacher, loss = small_net(seed=7), torch.zeros(())
    for step in steps:
        rng = torch.Generator().manual_seed(step)
        picture = torch.randn(4, 1, 12, 12, generator=rng) + 0.2 * torch.randn(
            4, 3, 12, 12, generator=rng
        )
        with torch.no_grad():
            wanted = 10.0 * teacher(3.0 * picture)
        loss = (net(picture) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12)])
def test_all_directions_of_a_matrix_come_to_the_same_size(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1.5, shape[1]))
    sizes = torch.linalg.svdvals(orthogonalised(matrix))
    before = torch.linalg.svdvals(matrix)
    assert float(before.max() / before.min()) > 3
    assert float(sizes.min()) > 0.5 and float(sizes.max()) < 1.3


def test_kernels_step_one_way_and_all_else_by_adamw():
    net = small_net()
    kernels, matrices, rest = parted(net, weight_decay=0.1)
    assert [len(group["params"]) for group in (kernels, matrices, rest)] == [2, 1, 3]
    assert kernels["orthogonal"] and rest["weight_decay"] == 0.0

    other = copy.deepcopy(net)
    adam = torch.optim.AdamW(
        [{"params": [p for p in other.parameters() if p.ndim > 1], "weight_decay": 0.1},
         {"params": [p for p in other.parameters() if p.ndim == 1], "weight_decay": 0.0}],
        lr=0.01, betas=(0.9, 0.98),
    )  # fmt: skip
    lesson(net, Orthogonal(parted(net, weight_decay=0.1), 0.01), range(1))
    lesson(other, adam, range(1))
    same = [torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True)]
    assert same == [False, True, False, True, True, True]


def test_a_net_is_taught_faster_than_by_adamw():
    one, other = small_net(), small_net()
    adam = torch.optim.AdamW(other.parameters(), 0.03, weight_decay=0.0)
    ours = lesson(one, Orthogonal(parted(one, weight_decay=0.0), 0.03), range(150))
    theirs = lesson(other, adam, range(150))
    assert ours < 0.8 * theirs


def test_it_goes_on_to_the_bit():
    whole, parts = small_net(), small_net()
    lesson(whole, Orthogonal(parted(whole, weight_decay=0.01), 0.01), range(6))
    first = Orthogonal(parted(parts, weight_decay=0.01), 0.01)
    lesson(parts, first, range(3))
    again = Orthogonal(parted(parts, weight_decay=0.01), 0.01)
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    lesson(parts, again, range(3, 6))
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_may_be_taught_by_it(tmp_path, plan, waves):
    asked = plan(orthogonal=True)
    asked.write(tmp_path / "run")
    assert execute(tmp_path / "run", waves())["steps"] == 6
    plain = plan()
    plain.write(tmp_path / "plain")
    execute(tmp_path / "plain", waves())
    both = [(tmp_path / n / "record.jsonl").read_text().splitlines()[-1] for n in ("run", "plain")]
    assert both[0] != both[1]


@pytest.mark.parametrize(
    "said", [{"eight_bit": True}, {"precision": "16"}, {"strategy": "fsdp", "devices": 2}]
)
def test_it_does_not_step_parts_of_kernels(said):
    with pytest.raises(UsageError, match=r"trainer\.orthogonal"):
        Settings(orthogonal=True, **said)

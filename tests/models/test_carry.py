"""Carrying the references' light over: right under any light, silent where nothing is alike."""

import torch

from footagefit.models.nets.carry import SHEET, Carry, sheet
from footagefit.tasks.draws import generator


def finder() -> Carry:
    """One whose features are compared as they are, and that is sharp."""
    made = Carry(8, heads=1)
    with torch.no_grad():
        for layer in (made.ask, made.key):
            layer.weight.copy_(12.0 * torch.eye(8)[:, :, None, None])
            layer.bias.zero_()
        made.reach.fill_(-20.0)  # wherever it stands
    return made


def cells(*, seed: int, rows: int = 4, columns: int = 6) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(1, 8, rows, columns, generator=generator(seed)), dim=1
    )


def test_finds_each_cell_where_it_went_and_tells_the_difference_in_stops():
    x = cells(seed=1)
    own = torch.randn(1, SHEET, 4, 6, generator=generator(2))
    there, theirs = x.roll((1, 2), (2, 3)), own.roll((1, 2), (2, 3)) + 0.75
    with torch.no_grad():
        apart, sure = finder()(x, own, there, theirs, 1)
    assert float(sure.min()) > 0.99
    assert torch.allclose(apart, torch.full_like(apart, 0.75), atol=0.02)


def test_what_is_nowhere_alike_is_answered_by_nothing():
    x = cells(seed=1)
    own = torch.zeros(1, SHEET, 4, 6)
    with torch.no_grad():
        apart, sure = finder()(x, own, -x.mean((2, 3), keepdim=True).expand_as(x), own + 3.0, 1)
    assert float(sure.mean()) < 0.9
    assert torch.allclose(apart, 3.0 * sure.expand_as(apart), atol=1e-5)


def test_a_head_with_reach_stays_near_and_several_references_share():
    near = Carry(8, heads=1)
    with torch.no_grad():
        near.reach.fill_(7.0)
        near.ask.weight.zero_()
        near.ask.bias.zero_()
        near.null.fill_(-30.0)
        x, own = cells(seed=1), torch.zeros(1, SHEET, 4, 6)
        ramp = torch.arange(6.0).expand(2, SHEET, 4, 6).clone()
        ramp[1] += 10.0
        apart, _ = near(x, own, x.expand(2, -1, -1, -1), ramp, 2)
    assert torch.allclose(apart[0, 0], torch.arange(6.0).expand(4, 6) + 5.0, atol=0.05)


def test_a_sheet_is_mean_and_spread():
    view = torch.zeros(1, 3, 32, 32)
    view[:, :, :16, :16] = torch.tensor([1.0, -2.0, 0.5])[None, :, None, None]
    view[:, :, 16:, ::2] = 2.0
    made = sheet(view, 16)
    assert made.shape == (1, SHEET, 2, 2)
    assert torch.allclose(made[0, :3, 0, 0], torch.tensor([1.0, -2.0, 0.5]))
    assert torch.allclose(made[0, :3, 1, 0], torch.ones(3))
    assert float(made[0, 3, 1, 0]) > float(made[0, 3, 0, 0]) + 3.0

"""Looks fitted from a made picture: what it changes they follow, what it lost they keep."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from footagefit.models.base import Amounts, resampled
from footagefit.models.guided import Grid, Ratio
from footagefit.models.nets.codes import WHITE, codes_of, light_of
from footagefit.models.nets.light import TOE, stops
from footagefit.tasks.draws import generator

SMALL = (36, 64)


def a_plate(height: int = 288, width: int = 512) -> torch.Tensor:
    """Smooth shapes, an edge, grain."""
    rng = generator(4)
    coarse = torch.rand(1, 3, 5, 8, generator=rng)
    light = F.interpolate(coarse, (height, width), mode="bicubic").clamp_min(0.02)
    light[..., width // 3 :] *= 0.4
    return light * (1.0 + 0.08 * torch.randn(1, 3, height, width, generator=rng))


def looked(kind, plate, change, weight=None):
    small = resampled(plate, SMALL)
    sure = torch.ones(1, 1, *SMALL) if weight is None else weight
    return kind.look(small, change, sure)


@pytest.mark.parametrize("kind", [Grid(), Ratio()])
def test_no_change_is_the_plate_to_the_bit(kind):
    plate = a_plate()
    plate[0, :, 3, 3] = torch.tensor([90.0, -0.2, 3.0])
    look = looked(kind, plate, torch.zeros(1, 3, *SMALL))
    assert all(bool((tensor == 0).all()) for tensor in look.values())
    assert torch.equal(kind.apply(look, plate), plate)


@pytest.mark.parametrize("kind", [Grid(), Ratio()])
def test_one_gain_is_found_and_detail_kept(kind):
    plate = a_plate()
    change = torch.tensor([0.5, -0.25, 1.0]).view(1, 3, 1, 1).expand(1, 3, *SMALL)
    made = kind.apply(looked(kind, plate, change), plate)
    wanted = (plate + TOE) * torch.exp2(change[..., :1, :1]) - TOE
    assert float((made - wanted).abs().mean()) < 0.02 * float(wanted.mean())


@pytest.mark.parametrize(("kind", "most"), [(Grid(long_cells=16), 0.12), (Ratio(), 0.08)])
def test_a_change_of_one_side_stays_there(kind, most):
    plate = a_plate()
    change = torch.zeros(1, 3, *SMALL)
    change[..., 32:] = -1.0
    noisy = change + 0.05 * torch.randn(1, 3, *SMALL, generator=generator(9))
    made = kind.apply(looked(kind, plate, noisy), plate)
    off = torch.log2((made.clamp_min(0) + TOE) / (plate.clamp_min(0) + TOE))
    assert float((off[..., 320:] + 1.0).abs().mean()) < most
    assert float(off[..., :192].abs().mean()) < most
    kept = [p.diff(dim=3)[..., :180].square().sum() for p in (made, plate)]
    assert float(kept[0] / kept[1]) == pytest.approx(1.0, abs=0.08)


def test_a_change_that_follows_the_plates_light_is_followed():
    plate = a_plate()
    small = resampled(plate, SMALL)
    change = 0.3 * stops(small).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    made = Grid().apply(Grid().look(small, change, torch.ones(1, 1, *SMALL)), small)
    off = torch.log2((made + TOE) / (small + TOE)) - change
    assert float(off.abs().mean()) < 0.03


def test_what_is_not_sure_does_not_count():
    plate = a_plate()
    change = torch.zeros(1, 3, *SMALL)
    change[..., :10, :10] = 5.0
    sure = torch.ones(1, 1, *SMALL)
    sure[..., :10, :10] = 0.0
    look = looked(Grid(), plate, change, sure)
    assert all(float(tensor.abs().max()) < 1e-6 for tensor in look.values())


@pytest.mark.parametrize("kind", [Grid(), Ratio()])
def test_parts_are_followed(kind):
    plate = a_plate()
    change = torch.full((1, 3, *SMALL), 0.5)
    change[:, 0, :, 32:] = -1.0
    look = looked(kind, plate, change)
    whole = kind.apply(look, plate)

    def made(**amounts):
        return kind.apply(kind.followed(look, Amounts(**amounts)), plate)

    assert torch.allclose(made(), whole, atol=1e-5)
    assert torch.equal(made(strength=0.0), plate)
    off = torch.log2((made(local=0.0).clamp_min(0) + TOE) / (plate.clamp_min(0) + TOE))
    left, right = off[:, 0, :, :128].mean(), off[:, 0, :, 384:].mean()
    assert abs(float(left - right)) < 0.3  # of the 1.5 that they differ by
    grey = torch.log2((made(colour=0.0).clamp_min(0) + TOE) / (plate.clamp_min(0) + TOE))
    assert float((grey[:, 0] - grey[:, 1]).abs().mean()) < 0.02


def test_codes_and_light_go_both_ways():
    light = torch.tensor([-0.03, 0.0, 0.001, 0.18, 1.0, WHITE])
    codes = codes_of(light)
    assert torch.allclose(light_of(codes), light, rtol=1e-4, atol=1e-6)
    assert (codes.diff() > 0).all()
    assert float(codes[1]) == pytest.approx(-1.0)
    assert float(codes[-1]) == pytest.approx(1.0)
    assert float(codes_of(torch.tensor(300.0))) == pytest.approx(1.0)

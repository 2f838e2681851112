"""Noise stays white and with its pixels; tiles leave no seams; boxes hold their holes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.models.holes import cut, hole_boxes, put_back
from footagefit.models.noise import latent_noise
from footagefit.models.tiles import starts, tiled
from footagefit.records import Given
from footagefit.tasks.draws import generator


def pixels(height: int, width: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, channels, height, width, generator=generator(seed))


@pytest.mark.parametrize(("factor", "channels", "given"), [(8, 16, 1), (8, 4, 3), (2, 4, 1)])
def test_latent_noise_is_white(factor, channels, given):
    made = latent_noise(
        pixels(64 * factor, 64 * factor, given), (64, 64), channels=channels, factor=factor
    )
    assert made.shape == (1, channels, 64, 64)
    flat = made[0].flatten(1)
    assert torch.allclose(flat.std(1), torch.ones(channels), atol=0.06)
    assert float((torch.corrcoef(flat) - torch.eye(channels)).abs().max()) < 0.07
    beside = (made[..., 1:] * made[..., :-1]).mean()
    assert abs(float(beside)) < 0.02


def test_latent_noise_moves_with_its_pixels():
    noise = pixels(128, 128)
    still = latent_noise(noise, (16, 16), channels=4, factor=8)
    moved = latent_noise(noise.roll((8, 16), (2, 3)), (16, 16), channels=4, factor=8)
    assert torch.allclose(moved, still.roll((1, 2), (2, 3)), atol=1e-5)


def test_without_noise_every_frame_has_the_same_and_otherwise_its_own():
    none = pixels(128, 128)[:, :0]
    one = latent_noise(none, (16, 16), channels=4, factor=8)
    assert torch.equal(one, latent_noise(none, (16, 16), channels=4, factor=8))
    small = [latent_noise(pixels(20, 20, seed=s), (16, 16), channels=4, factor=8) for s in (1, 2)]
    assert not torch.equal(small[0], small[1])
    assert float(small[0].std()) == pytest.approx(1.0, abs=0.1)
    larger = latent_noise(pixels(300, 260), (16, 16), channels=4, factor=8)
    assert float(larger.std()) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("size", [(40, 56), (16, 16), (33, 17)])
def test_tiles_of_a_local_net_are_the_whole(size):
    x = torch.randn(1, 3, *size, generator=generator(1))

    def pointwise(part):
        return torch.sin(part[:, :2]) * part[:, 2:]

    made = tiled(pointwise, x, tile=16, overlap=6)
    assert torch.allclose(made, pointwise(x), atol=1e-6)
    assert torch.equal(tiled(pointwise, x, tile=0, overlap=6), pointwise(x))


def test_tiles_that_differ_leave_no_seam():
    x = torch.zeros(1, 1, 48, 48)
    levels = iter(torch.linspace(0.0, 1.0, 64).tolist())
    made = tiled(lambda part: part + next(levels), x, tile=24, overlap=12)
    steps = torch.cat([made.diff(dim=2).flatten(), made.diff(dim=3).flatten()]).abs()
    assert float(made.max() - made.min()) > 0.05
    assert float(steps.max()) < 0.25 * float(made.max() - made.min())


def test_tiles_lie_evenly_and_share_enough():
    for length in range(16, 90):
        places = starts(length, 16, 4)
        assert places[0] == 0
        assert places[-1] + 16 == length
        assert all(b - a <= 12 for a, b in pairwise(places))
    assert all(place % 4 == 0 for place in starts(64, 16, 4, 4))
    with pytest.raises(WrongValue):
        tiled(lambda part: part, torch.zeros(1, 1, 32, 32), tile=16, overlap=16)


def test_boxes_hold_their_holes_and_come_back():
    mask = torch.zeros(3, 1, 60, 90)
    mask[0, 0, 5:8, 80:90] = 1.0
    mask[2] = 1.0
    boxes = hole_boxes(mask, least_px=32)
    assert boxes[1] is None
    assert boxes[2] == (slice(0, 60), slice(0, 90))
    rows, columns = boxes[0]
    assert (rows.start, rows.stop, columns.stop) == (0, 32, 90)
    assert columns.stop - columns.start == 32
    given = Given(
        torch.rand(3, 3, 60, 90), torch.rand(3, 2, 6, 9), mask, torch.zeros(3, 0, 3, 8, 8),
        torch.zeros(3, 2), torch.randn(3, 1, 60, 90),
    )  # fmt: skip
    there = cut(given, 0, boxes[0])
    assert there.plate.shape == (1, 3, 32, 32)
    assert there.guide.shape[-2:] == there.noise.shape[-2:] == (32, 32)
    assert float(there.mask.sum()) == 30.0
    back = put_back(there.plate, torch.full_like(there.plate, 7.0), there.mask)
    assert torch.equal(back[there.mask.expand_as(back) == 0], there.plate[
        there.mask.expand_as(back) == 0])  # fmt: skip
    assert float(F.relu(back - 6.0).sum()) == pytest.approx(90.0)

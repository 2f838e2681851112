"""The learned baseline is a fair one: it learns, and tiles do not show."""

import pytest
import torch

from footagefit.evaluation.metrics import psnr
from footagefit.evaluation.unet import UNet, _hann, _starts, apply_tiled, train_unet
from footagefit.tasks.draws import generator


def pairs(count: int = 10_000):
    for index in range(count):
        plate = torch.rand(2, 3, 32, 32, generator=generator(index)) * 0.6
        yield plate, plate * 0.5


def test_it_learns_a_grade():
    net, steps = train_unet(pairs(), width=8, max_steps=60, rate=1e-2)
    plate = torch.rand(1, 3, 32, 32, generator=generator(77_777)) * 0.6
    assert steps == 60
    fresh = UNet(width=8).eval()
    before = float(psnr(apply_tiled(fresh, plate), plate * 0.5))
    assert float(psnr(apply_tiled(net, plate), plate * 0.5)) > before + 3


@pytest.mark.parametrize("size", [(40, 70), (16, 16), (100, 33)])
def test_tiles_cover_and_blend(size):
    class Same(UNet):
        def forward(self, x):
            return x

    plate = torch.rand(1, 3, *size, generator=generator(3)) * 0.8
    grey = plate.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    out = apply_tiled(Same(width=8), grey, tile_px=32)
    assert out.shape == grey.shape
    assert torch.allclose(out, grey, atol=1e-3)


def test_windows_are_positive_everywhere():
    assert float(_hann(32).min()) > 0
    assert _starts(100, 32, 16)[-1] == 68

"""Small nets that ship: what is kept comes back, in half precision, frozen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from footagefit.errors import MissingPart
from footagefit.small_nets import loaded, saved


class Stemmed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, width, 3)
        self.settle = nn.BatchNorm2d(width)


def test_a_net_comes_back_frozen(tmp_path):
    net, path = Stemmed(5), tmp_path / "net.safetensors"
    net.settle(torch.randn(2, 5, 4, 4))  # its counter is no share of anything
    saved(net, path)
    back = loaded(path, Stemmed)
    assert not back.training and not any(p.requires_grad for p in back.parameters())
    for name, tensor in net.state_dict().items():
        assert torch.allclose(back.state_dict()[name], tensor, rtol=1e-3, atol=1e-3)
    assert int(back.settle.num_batches_tracked) == 1


def test_weights_that_are_not_there_are_one_line(tmp_path):
    with pytest.raises(MissingPart, match="these weights are not there"):
        loaded(tmp_path / "none.safetensors", Stemmed)

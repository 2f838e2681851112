"""Layers whose weights stay float32, whatever precision the application asks the model for.

What belongs here: stand-ins for the layers that `models/nets/` are made of, and putting them in
a net's place. What does not: any one net, what is done around it.

Nuke's "optimise for speed and memory" turns every parameter and buffer of a model to half. A
look that was decided in half is off by more than the frame's own rounding. Tensors in a list are
neither parameters nor buffers, and stay as they are; they follow the picture's device on every
call, a few megabytes.

TorchScript reads no annotations that are put off: this module evaluates its own.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HeldConv(nn.Module):
    """A convolution with float32 weights; scripts."""

    held: list[Tensor]

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.held = [layer.weight.detach().float(), _bias(layer.bias, layer.out_channels)]
        self.out_channels = layer.out_channels
        self.stride = (layer.stride[0], layer.stride[1])
        self.padding = (int(layer.padding[0]), int(layer.padding[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,C',H',W')."""
        weight, bias = self.held[0].to(x.device), self.held[1].to(x.device)
        return F.conv2d(x, weight, bias, self.stride, self.padding)


class HeldLinear(nn.Module):
    """A linear layer with float32 weights; scripts."""

    held: list[Tensor]

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.held = [layer.weight.detach().float(), _bias(layer.bias, layer.out_features)]
        self.out_features = layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        """(...,C) to (...,C')."""
        return F.linear(x, self.held[0].to(x.device), self.held[1].to(x.device))


class HeldNorm(nn.Module):
    """Group normalisation with float32 weights; scripts."""

    held: list[Tensor]

    def __init__(self, layer: nn.GroupNorm) -> None:
        super().__init__()
        count = layer.num_channels
        weight = torch.ones(count) if layer.weight is None else layer.weight.detach().float()
        self.held = [weight, _bias(layer.bias, count)]
        self.groups = layer.num_groups
        self.eps = float(layer.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        weight, bias = self.held[0].to(x.device), self.held[1].to(x.device)
        return torch.group_norm(x, self.groups, weight, bias, self.eps)


def _bias(bias: Tensor | None, count: int) -> Tensor:
    return torch.zeros(count) if bias is None else bias.detach().float()


def held(net: nn.Module) -> nn.Module:
    """A copy of a net whose layers hold their weights at float32.

    What a net holds as bare parameters stays a parameter, and is rounded where a model is made
    half: a null key, say, which weighs little.
    """
    made = copy.deepcopy(net).float().eval().cpu()
    for parent in list(made.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Conv2d:
                if child.groups != 1 or child.dilation != (1, 1) or child.padding_mode != "zeros":
                    continue
                setattr(parent, name, HeldConv(child))
            elif type(child) is nn.Linear:
                setattr(parent, name, HeldLinear(child))
            elif type(child) is nn.GroupNorm:
                setattr(parent, name, HeldNorm(child))
    return made

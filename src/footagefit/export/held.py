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

from footagefit.export.baked import NotExportable


class HeldConv(nn.Module):
    """A convolution with float32 weights; scripts."""

    held: list[Tensor]

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.held = [layer.weight.detach().float(), _bias(layer.bias, layer.out_channels)]
        self.out_channels = layer.out_channels
        self.stride = (layer.stride[0], layer.stride[1])
        self.padding = (int(layer.padding[0]), int(layer.padding[1]))
        self.dilation = (layer.dilation[0], layer.dilation[1])
        self.groups = layer.groups

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,C',H',W')."""
        weight, bias = self.held[0].to(x.device), self.held[1].to(x.device)
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)


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


class HeldLayerNorm(nn.Module):
    """Layer normalisation with float32 weights; scripts."""

    held: list[Tensor]
    shape: list[int]

    def __init__(self, layer: nn.LayerNorm) -> None:
        super().__init__()
        ones = torch.ones(layer.normalized_shape)
        weight = ones if layer.weight is None else layer.weight.detach().float()
        bias = torch.zeros_like(ones) if layer.bias is None else layer.bias.detach().float()
        self.held = [weight, bias]
        self.shape = [int(side) for side in layer.normalized_shape]
        self.eps = float(layer.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        weight, bias = self.held[0].to(x.device), self.held[1].to(x.device)
        return torch.layer_norm(x, self.shape, weight, bias, self.eps)


def held(net: nn.Module) -> nn.Module:
    """A copy of a net whose layers hold their weights at float32.

    What a net holds as bare parameters stays a parameter, and is rounded where a model is made
    half: a null key, say, which weighs little.

    Raises:
        NotExportable: A layer of a kind that there is no stand-in for.
    """
    made = copy.deepcopy(net).float().eval().cpu()
    for parent in list(made.modules()):
        for name, child in list(parent.named_children()):
            swapped = _stand_in(child)
            if swapped is not None:
                setattr(parent, name, swapped)
    for name, layer in made.named_modules():
        if type(layer).__module__.startswith("torch.nn") and list(layer.parameters(recurse=False)):
            raise NotExportable(
                f"the net's {name} is a {type(layer).__name__}, which cannot be kept at float32",
                hint="Render with footagefit infer; the layer needs a stand-in in export/held.py",
            )
    return made


def _stand_in(layer: nn.Module) -> nn.Module | None:
    kind = type(layer)
    if kind is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
        return HeldConv(layer)  # pyright: ignore[reportArgumentType]
    if kind is nn.Linear:
        return HeldLinear(layer)  # pyright: ignore[reportArgumentType]
    if kind is nn.GroupNorm:
        return HeldNorm(layer)  # pyright: ignore[reportArgumentType]
    if kind is nn.LayerNorm:
        return HeldLayerNorm(layer)  # pyright: ignore[reportArgumentType]
    return None


def _bias(bias: Tensor | None, count: int) -> Tensor:
    return torch.zeros(count) if bias is None else bias.detach().float()

"""What makes a model fit: its weights parted over devices, its activations worked out twice.

What belongs here: parting (FSDP2, `torch.distributed.fsdp.fully_shard`) and recomputing
(activation checkpointing, Chen et al. 2016) of any model of ours. What does not: the step
(`fine_tune.py`), choosing a strategy (`lightning.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from footagefit.models.base import Model
from footagefit.models.diffusion import DiffusionModel


def part(model: Model, mesh: Any) -> None:
    """Give each device of a mesh its share of the weights; the loss gathers them when it runs."""
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "loss")


def whole(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with every device's share in them; all ranks have to ask."""
    from torch.distributed.tensor import DTensor

    return {n: w.full_tensor() if isinstance(w, DTensor) else w for n, w in weights.items()}


def own(weight: Tensor) -> Tensor:
    """This device's share of a weight or gradient."""
    from torch.distributed.tensor import DTensor

    return weight.to_local() if isinstance(weight, DTensor) else weight


def recompute(model: nn.Module) -> None:
    """Let a model's blocks be worked out again in the backward pass; results stay the same."""
    if isinstance(model, DiffusionModel):  # whose bases know their own blocks
        model.denoiser.recompute()
        return
    for block in blocks(model):
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """The largest parts of a net that run from end to end: those that hold no list of others."""
    for child in model.children():
        if isinstance(child, nn.ModuleList) or any(_lists(child)):
            yield from blocks(child)
        elif any(True for _ in child.children()):
            yield child


def _lists(module: nn.Module) -> Iterator[bool]:
    return (isinstance(part, nn.ModuleList) for part in module.modules())

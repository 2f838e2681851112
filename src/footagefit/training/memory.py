"""What makes a model fit: its weights parted over devices, its activations worked out twice.

What belongs here: parting (FSDP2, `torch.distributed.fsdp.fully_shard`) and recomputing
(activation checkpointing, Chen et al. 2016) of any model of ours. What does not: the step
(`fine_tune.py`), choosing a strategy (`lightning.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from footagefit.models.base import Model
from footagefit.models.diffusion import DiffusionModel
from footagefit.models.diffusion_bases import forget

_ENTRIES = ("loss", "predict")  # what gathers weights when it runs


def part(model: Model, mesh: Any) -> None:
    """Give each device of a mesh its share of the weights.

    A base's blocks are gathered as they run, and the rest of the model as a whole.
    """
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for block in units(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for name in _ENTRIES:
        register_fsdp_forward_method(model, name)
    forget()  # each device has its share; the base as it was read is held no longer


def units(model: nn.Module) -> list[nn.Module]:
    """The blocks that a base's nets name as not to be split, inner ones first."""
    found: dict[nn.Module, None] = {}
    for net in model.modules():
        names = getattr(net, "_no_split_modules", None) or ()
        found |= {m: None for m in net.modules() if type(m).__name__ in names}
    return list(reversed(found))


def parted(model: nn.Module) -> bool:
    """Whether each device holds a share of a model's weights: all have to ask it together."""
    from torch.distributed.fsdp import FSDPModule

    return isinstance(model, FSDPModule)


def shares(weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Whole weights as this device's shares of them; all ranks have to ask."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    held = model.state_dict()
    return {
        n: distribute_tensor(w.to(t.device), t.device_mesh, t.placements)
        if isinstance(t := held[n], DTensor)
        else w
        for n, w in weights.items()
    }


@contextmanager
@torch.no_grad()
def wearing(model: Any, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Other weights in the place of a parted model's own, for a while; shares of them."""
    held = {n: own(w) for n, w in model.state_dict().items()}
    before = {n: w.clone() for n, w in held.items()}
    for name, weight in weights.items():
        held[name].copy_(own(weight))
    try:
        yield
    finally:
        model.reshard()  # what was gathered is of the other weights
        for name, weight in before.items():
            held[name].copy_(weight)


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

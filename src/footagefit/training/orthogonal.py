"""An optimizer for nets taught from nothing: kernels step by momentum made orthogonal.

A kernel's momentum is mostly a few strong directions; made orthogonal (Jordan et al. 2024, Muon),
every direction of it steps alike, and a net learns from half the pictures. All other weights step
by AdamW. Fine-tuning from a base gains nothing by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_STRIDE = 0.2  # of a step's root mean square to the rate: as long as AdamW's steps are
_ROUNDS = ((3.4445, -4.775, 2.0315),) * 5  # of the iteration that drives singular values to 1


class Orthogonal(torch.optim.AdamW):
    """AdamW, but for groups marked `orthogonal`.

    Args:
        groups: Of weights; those with `orthogonal=True` hold kernels.
        lr: Peak learning rate of both kinds.
        betas: AdamW's.
        weight_decay: Of groups that say none.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 0.01,
    ) -> None:
        marked = [{"orthogonal": False, **group} for group in groups if group["params"]]
        super().__init__(marked, lr=lr, betas=betas, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of all weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        every = self.param_groups
        self.param_groups = [group for group in every if not group["orthogonal"]]
        try:
            super().step()
        finally:
            self.param_groups = every
        for group in every:
            if group["orthogonal"]:
                self._turn(group)
        return loss

    def _turn(self, group: dict[str, Any]) -> None:
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight]
            if not state:  # AdamW, which reads states back, looks for steps in every one
                state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(weight)}
            momentum = state["momentum"]
            momentum.lerp_(weight.grad, 1.0 - _MOMENTUM)
            ahead = weight.grad.lerp(momentum, _MOMENTUM).flatten(1)
            stride = group["lr"] * _STRIDE * math.sqrt(max(ahead.shape))
            weight.mul_(1.0 - group["lr"] * group["weight_decay"])
            weight.add_(orthogonalised(ahead).view_as(weight), alpha=-stride)


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix with its directions kept and its singular values about 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for one, three, five in _ROUNDS:
        square = x @ x.T
        x = one * x + (three * square + five * square @ square) @ x
    return x.T if tall else x


def parted(net: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Weights of a net as groups: kernels, other matrices, and the rest, which does not decay."""
    learning = [p for p in net.parameters() if p.requires_grad]
    kernels = [p for p in learning if _is_kernel(p)]
    matrices = [p for p in learning if p.ndim >= 2 and not _is_kernel(p)]
    rest = [p for p in learning if p.ndim < 2]
    return [
        {"params": kernels, "weight_decay": weight_decay, "orthogonal": True},
        {"params": matrices, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]


def _is_kernel(weight: Tensor) -> bool:
    return weight.ndim == 4 and min(weight.shape[2:]) > 1

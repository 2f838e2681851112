"""Answers kept while the question stays the same: a control that turns asks of one plate again.

What belongs here: the memory. What does not: what is asked (`relight.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """The last answers of a costly function of tensors; none while gradients are wanted.

    Args:
        count: How many are kept.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: tuple[tuple[tuple[Tensor, ...], Answer], ...] = ()

    def __call__(self, make: Callable[..., Answer], *asked: Tensor) -> Answer:
        """What `make` makes of `asked`; to be read, not written to."""
        if torch.is_grad_enabled():
            return make(*asked)
        for before, answer in self._kept:
            if all(_same(one, other) for one, other in zip(before, asked, strict=True)):
                return answer
        answer = make(*asked)
        mine = tuple(tensor.clone() for tensor in asked), answer
        self._kept = (mine, *self._kept)[: self._count]  # whole at any moment, for threads
        return answer

    def __getstate__(self) -> dict[str, object]:
        """Copies and other processes begin with nothing."""
        return {"_count": self._count, "_kept": ()}


def _same(one: Tensor, other: Tensor) -> bool:
    return one.device == other.device and one.dtype == other.dtype and torch.equal(one, other)

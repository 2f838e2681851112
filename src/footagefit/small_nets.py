"""Small nets that ship beside the code that asks them: weights as plain data, in half precision.

What belongs here: keeping such weights and giving them back. What does not: the nets, how they are
taught (`training/teaching.py`), fits (`rendering/fits.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import nn

from footagefit.errors import MissingPart

Net = TypeVar("Net", bound=nn.Module)


def loaded(
    path: Path, make: Callable[[int], Net], *, hint: str = "Install footagefit again"
) -> Net:
    """A net with weights from a file, frozen.

    Args:
        path: The file.
        make: Makes the net by the channels of its stem.
        hint: What to do where the file is not there.

    Raises:
        MissingPart: The file is not there.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingPart("these weights are not there", path=path, hint=hint)
    weights = {n: t.float() if t.is_floating_point() else t for n, t in load_file(path).items()}
    net = make(weights["stem.weight"].shape[0])
    net.load_state_dict(weights)
    return net.eval().requires_grad_(False)


def saved(net: nn.Module, path: Path) -> None:
    """Keep a net's weights; counters stay as they are."""
    from safetensors.torch import save_file

    weights = {n: t.half() if t.is_floating_point() else t for n, t in net.state_dict().items()}
    save_file({n: t.contiguous() for n, t in weights.items()}, path)

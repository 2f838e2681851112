"""A fit, a reference, and what goes into an exported model."""

from __future__ import annotations

import pytest
import torch

from footagefit.export.baked import baked
from footagefit.export.parity import trying_frame
from footagefit.rendering.fits import load_fit
from small_fit import small_fit


@pytest.fixture(scope="session")
def fit(tmp_path_factory):
    return load_fit(small_fit(tmp_path_factory.mktemp("fits") / "small"))


@pytest.fixture(scope="session")
def reference() -> torch.Tensor:
    return trying_frame(45, 80, seed=5)[0][None].abs()


@pytest.fixture(scope="session")
def bake(fit, reference):
    return baked(fit, to="nuke", reference_RCHW=reference)

"""Models on tiny bases, and examples to teach them with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from footagefit.errors import FootagefitWarning
from footagefit.models import diffusion_hashes as hashes
from footagefit.models.diffusion import DiffusionModel
from footagefit.records import Given, Pair
from footagefit.tasks.draws import generator
from tiny_bases import tiny_base

SIZE = (32, 64)
TOWERS = ("sd15", "sd2", "sd2-inpaint", "sdxl", "sd3", "flux")  # families with text towers here


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    """Folders of tiny bases by family."""
    root = tmp_path_factory.mktemp("bases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hashes.CACHE, str(root / "cache"))
        yield lru_cache(lambda family: tiny_base(root / family, family, towers=family in TOWERS))


def a_model(folder: Path, *, seed: int = 3, **settings) -> DiffusionModel:
    said = {"guide_channels": 2, "vector_size": 4, "side_px": 32, "rank": 4, "lpips_weight": 0.0}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)  # some have no text towers
        torch.manual_seed(seed)
        return DiffusionModel(base=str(folder), **{**said, **settings}).eval()


def a_given(batch: int = 1, *, guide: int = 2, references: int = 1, noise: int = 0) -> Given:
    rng = generator(batch, guide)
    mask = torch.ones(batch, 1, *SIZE)
    return Given(
        plate=torch.rand(batch, 3, *SIZE, generator=rng) ** 2,
        guide=torch.randn(batch, guide, 9, 16, generator=rng),
        mask=mask,
        reference=torch.rand(batch, references, 3, 24, 40, generator=rng),
        vector=torch.rand(batch, 4, generator=rng),
        noise=torch.randn(batch, noise, *SIZE, generator=rng),
    )


def a_pair(batch: int = 1, **asked) -> Pair:
    given = a_given(batch, **asked)
    target = given.plate * torch.tensor([1.6, 1.0, 0.6]).view(1, 3, 1, 1)
    return Pair(given, target, {}, torch.ones(batch, 1, *SIZE))


def total(model: DiffusionModel, pair: Pair, step: int = 0) -> torch.Tensor:
    return torch.stack(list(model.loss(pair, rng=generator(0, step)).values())).sum()


def taught(model: DiffusionModel, pair: Pair, *, steps: int, rate: float = 2e-3) -> None:
    model.train()
    learnt = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.Adam(learnt, lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min(1.0, 3.1 - 3.0 * step / steps)
        optimizer.zero_grad()
        total(model, pair, step).backward()
        optimizer.step()
    model.eval()


def holed(references: int = 1, noise: int = 2) -> Given:
    given = a_given(2, guide=6, references=references, noise=noise)
    mask = torch.zeros(2, 1, *SIZE)
    mask[0, :, 8:20, 12:40] = 1.0
    return given._replace(mask=mask)

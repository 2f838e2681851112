"""A tiny show in memory, and runs on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from footagefit.rendering.fits import Part, Recipe
from footagefit.tasks.base import PlainWindow
from footagefit.tasks.draws import generator
from footagefit.training.run import Plan, Sides
from footagefit.training.settings import Settings


@dataclass(frozen=True)
class Waves:
    """Windows of smooth coloured waves; can be pickled."""

    seed: int = 0
    broken_at: int = -1

    def window(self, index: int) -> PlainWindow:
        rng = generator(self.seed, index)
        coarse = torch.rand(2, 3, 4, 6, generator=rng) ** 2
        frames = torch.nn.functional.interpolate(coarse, size=(32, 64), mode="bicubic")
        frames = frames.clamp_min(0.0)
        if index == self.broken_at:
            frames = frames * float("nan")
        return PlainWindow(frames[:1], frames[1:])


def a_plan(**changed) -> Plan:
    settings = {
        "max_steps": 6,
        "batch_size": 4,
        "workers": 0,
        "threads": 1,
        "review_every": 3,
        "save_every": 3,
        "val_windows": 2,
        "warmup_steps": 2,
        "accelerator": "cpu",
    }
    task = Part("match", {"size": [32, 64], "codecs": ["grain", "clipping"]})
    model = Part("field", {"width": 8, "long_px": 64, "points": 128})
    return Plan(Recipe(task, model), Settings(**{**settings, **changed}))


def diffused(base: Path, *, said: Mapping[str, object] | None = None, **changed) -> Plan:
    """A run on a tiny base; `said` of its model."""
    plan = a_plan(**{"max_steps": 4, "save_every": 2, "review_every": 2, "rate": 0.01, **changed})
    small = {"side_px": 32, "rank": 4, "lpips_weight": 0.0}
    model = Part("diffusion", {"base": str(base), **small, **(said or {})})
    return replace(plan, recipe=replace(plan.recipe, model=model))


def sides(**changed) -> Sides:
    return Sides(train=Waves(**changed), held_out=Waves(seed=9))


@pytest.fixture
def plan():
    return a_plan


@pytest.fixture
def waves():
    return sides

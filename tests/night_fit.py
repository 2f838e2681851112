"""A relight fit whose trained part is nothing: physics alone moves the light."""

from __future__ import annotations

from pathlib import Path

import torch

from footagefit.rendering.fits import Part, Recipe, save_fit

RECIPE = Recipe(
    Part("relight", {"size": [32, 32]}),
    Part("relight", {"width": 8, "long_px": 48}),
)


def night_fit(path: Path) -> Path:
    """Write it."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = RECIPE.build_model(RECIPE.build_task().spec)
    return save_fit(path, recipe=RECIPE, weights=model.state_dict(), card={"lineage": {}})

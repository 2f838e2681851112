"""A fit to export: of the field model, tiny, with small random weights that do something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from footagefit.rendering.fits import Part, Recipe, save_fit

RECIPE = Recipe(
    Part("match", {"size": [32, 64]}), Part("field", {"width": 8, "long_px": 64, "depth_cells": 4})
)


def small_fit(path: Path, *, zero: bool = False, anchors: bool = False) -> Path:
    """Write it; `zero` leaves it untrained and, by default, blind to sets: it returns the plate."""
    recipe = RECIPE
    if zero and not anchors:
        settings = {**RECIPE.model.settings, "anchors": False}
        recipe = replace(RECIPE, model=Part("field", settings))
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = recipe.build_model(recipe.build_task().spec)
        if not zero:
            for weight in model.parameters():
                torch.nn.init.normal_(weight, std=0.015)
    signature = {"signature.exposure_ev": 0.4, "signature.grain": 0.01}
    return save_fit(
        path, recipe=recipe, weights=model.state_dict(), card={"steps": 1}, signature=signature
    )

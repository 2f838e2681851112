"""What a model's loss asks for and only `evaluation` has: LPIPS.

What belongs here: handing it down to models that ask. What does not: the metric itself.
"""

from __future__ import annotations

import warnings

from footagefit.errors import FootagefitWarning, MissingPart
from footagefit.evaluation.perceptual import Lpips
from footagefit.models.base import Model
from footagefit.models.diffusion import DiffusionModel


def give_likeness(model: Model) -> None:
    """LPIPS to a model that weighs it; where no backbone is at hand, the loss goes without."""
    if not isinstance(model, DiffusionModel) or model.lpips_weight <= 0.0:
        return
    try:
        model.likeness = Lpips().between
    except MissingPart as error:
        line = f"{error.what}: the loss goes without LPIPS. {error.hint}"
        warnings.warn(FootagefitWarning(line), stacklevel=2)

"""What goes into an exported model beside its net: references, signature, primaries, a look.

What belongs here: gathering that from a fit and a few frames, and saying in one line why a fit
cannot go. What does not: the exported modules (`scripted.py`, `traced.py`), files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor, nn

from footagefit.errors import FootagefitError, UsageError
from footagefit.footage import colour
from footagefit.models.base import Amounts, Look, blended
from footagefit.models.field import FieldModel, grid_of
from footagefit.models.nets.field_net import CELL_PX
from footagefit.rendering.fits import Fit
from footagefit.tasks.base import PlainWindow

LENS = ("lens.x", "lens.y")
PRIMARIES = {
    "ACEScg": "lin_ap1",
    "linear Rec.709": "lin_rec709",
    "linear Rec.2020": "lin_rec2020",
    "linear P3-D65": "lin_p3d65",
    "ACES2065-1": "lin_ap0",
}
_OWN = tuple(f.name for f in fields(Amounts))  # controls that looks are not decided from


class NotExportable(FootagefitError):
    """A fit that cannot go where it was asked to go."""


@dataclass(frozen=True)
class Baked:
    """All that an exported field model holds.

    Attributes:
        net: `FieldModel.net`.
        guide_weights: The guide's luma, offset, inner, inner offset and outer.
        reference_BRCHW: The references, made small as the model makes them.
        vector_BD: Controls and signature with their present flags.
        lens_size: Rows and columns of the task's lens coordinates.
        long_px: Long side of the small picture.
        cell_px: Small pixels a cell covers.
        primaries: Name, matrix to ACEScg and matrix back; ACEScg first.
        strength: What the knob stands at first.
        look: A shot's own changes of stops (1,12,Z,h,w); None where each frame decides.
    """

    net: nn.Module
    guide_weights: tuple[Tensor, ...]
    reference_BRCHW: Tensor
    vector_BD: Tensor
    lens_size: tuple[int, int]
    long_px: int
    cell_px: int
    primaries: tuple[tuple[str, Tensor, Tensor], ...]
    strength: float = 1.0
    look: Tensor | None = None

    @property
    def own_look(self) -> Look | None:
        """The shot's look, all of it in its cells; None where each frame decides."""
        if self.look is None:
            return None
        return {"everywhere": self.look.new_zeros(1, 12), "cells": self.look}

    def locked_to(self, look: Look) -> Baked:
        """The same with a shot's look in it."""
        return replace(self, look=grid_of(look).cpu())


def field_of(fit: Fit, to: str) -> FieldModel:
    """The fit's field model, or why there is none to export.

    Raises:
        NotExportable: Another model, or a task whose guides or controls no destination can give.
    """
    model, spec = fit.model, fit.task.spec
    if not isinstance(model, FieldModel):
        name = fit.recipe.model.name
        raise NotExportable(
            f"to={to} takes transforms (model field), and this fit's model is {name}",
            path=fit.path,
            hint="Render it with footagefit infer",
        )
    if tuple(spec.guide) != LENS:
        raise NotExportable(
            f"task {spec.name} shows its model {', '.join(spec.guide) or 'no lens coordinates'}, "
            f"and to={to} can give it {', '.join(LENS)} only",
            path=fit.path,
            hint="Render it with footagefit infer",
        )
    unknown = [name for name in spec.controls if name not in _OWN]
    if unknown:
        raise NotExportable(
            f"task {spec.name} has controls that to={to} has no knobs for ({', '.join(unknown)})",
            path=fit.path,
            hint="Render it with footagefit infer",
        )
    return model


def need_reference(fit: Fit, reference_RCHW: Tensor | None, to: str) -> Tensor:
    """The references, which a task that works beside some cannot do without."""
    if reference_RCHW is not None:
        return reference_RCHW
    if fit.task.spec.references:
        raise UsageError(
            f"{fit.path}: task {fit.task.spec.name} works beside a reference, and to={to} "
            "was given none",
            hint="Say reference=<a frame to sit beside>, such as reference=hero.1001.exr",
        )
    return torch.zeros(0, 3, 16, 16)


def baked(
    fit: Fit,
    *,
    to: str,
    reference_RCHW: Tensor | None,
    strength: float = 1.0,
) -> Baked:
    """Everything an exported model of this fit holds.

    Args:
        fit: Of the field model.
        to: The destination, for messages.
        reference_RCHW: Frames to sit beside, scene-linear ACEScg.
        strength: How much of the change to make at first.
    """
    model = field_of(fit, to)
    fit.task.checked({"strength": strength})
    references = need_reference(fit, reference_RCHW, to)
    plate = torch.zeros(1, 3, CELL_PX, CELL_PX)
    window = PlainWindow(plate, references, signature=fit.signature)
    given = fit.task.given(window, {})
    small = model.small(given)
    guide = model.guide
    weights = (guide.luma, guide.offset, guide.inner, guide.inner_offset, guide.outer)
    return Baked(
        net=model.net,
        guide_weights=tuple(w.detach().float().cpu().clone() for w in weights),
        reference_BRCHW=small.reference.detach().float().clone(),
        vector_BD=given.vector.detach().float().clone(),
        lens_size=(given.guide.shape[2], given.guide.shape[3]),
        long_px=model.long_px,
        cell_px=CELL_PX,
        primaries=tuple(_matrices()),
        strength=strength,
    )


def known_primaries() -> list[str]:
    """Names of the linear spaces that the config knows, ACEScg first."""
    return [name for name, alias in PRIMARIES.items() if colour.known(alias) is not None]


def _matrices() -> list[tuple[str, Tensor, Tensor]]:
    """Matrices to ACEScg and back of the linear spaces that the config knows, ACEScg first."""
    found = []
    for name in known_primaries():
        alias = PRIMARIES[name]
        into, back = np.eye(3, dtype=np.float32)[None], np.eye(3, dtype=np.float32)[None]
        colour.to_working(into, alias)
        colour.from_working(back, alias)
        found.append((name, torch.from_numpy(into[0].T.copy()), torch.from_numpy(back[0].T.copy())))
    return found


def shot_look(
    fit: Fit, plates: Sequence[Tensor], reference_RCHW: Tensor, *, to: str = "lut"
) -> Look:
    """One look for some frames of a shot (each (3,H,W)): the mean of their own."""
    model = field_of(fit, to)
    looks = []
    for plate in plates:
        window = PlainWindow(plate[None], reference_RCHW, signature=fit.signature)
        with torch.no_grad():
            looks.append(model.look(model.small(fit.task.given(window, {}))))
    return blended(looks, [1.0 / len(looks)] * len(looks))

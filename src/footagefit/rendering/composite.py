"""One frame's result: the look applied, put in place under the mask, and what was done as layers.

What belongs here: out = plate + m (result - plate), which pixels keep their stored code values,
premultiplication on the way out, `gain` and `offset` with mask and strength in them. What does
not: reading, writing, deciding looks.

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from footagefit.errors import UnknownName
from footagefit.models.base import Amounts, Look, Model
from footagefit.records import Given
from footagefit.rendering.fits import Fit
from footagefit.rendering.shot import Loaded, Shot
from footagefit.tasks.base import PlainWindow

MASK = "mask"


class Result(NamedTuple):
    """One frame, ready to be written.

    Attributes:
        rgb_CHW: Scene-linear ACEScg, premultiplied; None where the source passes as it is.
        alpha_1HW: The plate's.
        keep_HW: True where the source's stored values stay; None where nowhere.
        layers: What was asked for beside, (C,H,W) by name.
    """

    rgb_CHW: Tensor | None
    alpha_1HW: Tensor | None
    keep_HW: Tensor | None
    layers: dict[str, Tensor]


def compose(
    shot: Shot,
    loaded: Loaded,
    look: Look,
    *,
    model: Model,
    device: torch.device,
    layers: Collection[str] = (),
) -> Result:
    """Apply a frame's look and put the result in its place."""
    amounts = shot.animation.amounts_at(loaded.number)
    idle = amounts.none or (loaded.mask_1HW is not None and not bool(loaded.mask_1HW.any()))
    if idle and not layers and loaded.native is not None:
        everywhere = torch.ones(loaded.plate_CHW.shape[1:], dtype=torch.bool)
        return Result(_premultiplied(loaded, loaded.plate_CHW), loaded.alpha_1HW, everywhere, {})
    given = _masked(shot.given(loaded, device=device), loaded, device)
    look = {name: tensor.to(device) for name, tensor in look.items()}
    followed = model.followed(look, amounts)
    worked = given
    if shot.regrain is not None:
        worked = given._replace(plate=shot.regrain.clean(given.plate))
    made = model.apply(followed, worked)
    if shot.regrain is not None:
        made = shot.regrain.grained(made, clean_BCHW=worked.plate, plate_BCHW=given.plate)
    put = made if loaded.mask_1HW is None else shot.fit.task.composite(given, made)
    extra = _layers(model, followed, worked, loaded, layers)
    if shot.regrain is not None and {"gain", "offset"} & set(layers):
        extra = _regrained(extra, model, followed, worked, loaded, put[0].cpu())
    out = _premultiplied(loaded, put[0].cpu())
    keep = _kept(loaded, amounts)
    return Result(out, loaded.alpha_1HW, keep, extra)


def _masked(given: Given, loaded: Loaded, device: torch.device) -> Given:
    """The person's mask alone: where a model looks is another matter."""
    if loaded.mask_1HW is None:
        return given
    return given._replace(mask=loaded.mask_1HW[None].to(device))


def _kept(loaded: Loaded, amounts: Amounts) -> Tensor | None:
    """Where the source's stored values stay."""
    if amounts.none:
        return torch.ones(loaded.plate_CHW.shape[1:], dtype=torch.bool)
    keep = None
    if loaded.mask_1HW is not None:
        keep = loaded.mask_1HW[0] <= 0.0
    if loaded.alpha_1HW is not None:
        clear = loaded.alpha_1HW[0] == 0.0
        keep = clear if keep is None else keep | clear
    return keep


def _premultiplied(loaded: Loaded, rgb_CHW: Tensor) -> Tensor:
    """Colour times its coverage; where that is 0, the plate's own passes."""
    a = loaded.alpha_1HW
    if a is None:
        return rgb_CHW
    return torch.where(a == 0, loaded.plate_CHW, rgb_CHW * a)


def _layers(
    model: Model,
    look: Look,
    given: Given,
    loaded: Loaded,
    names: Collection[str],
) -> dict[str, Tensor]:
    """What was asked for beside the picture; plate x gain + offset is the result, mask and all."""
    if not names:
        return {}
    made = model.layers(look, given) if set(names) - {MASK} else {}
    mask = given.mask[0].cpu()
    out: dict[str, Tensor] = {}
    for name in names:
        layer = mask if name == MASK else made[name][0].cpu()
        if name == "gain" and loaded.mask_1HW is not None:
            layer = 1.0 + mask * (layer - 1.0)
        elif name == "offset":
            layer = layer if loaded.mask_1HW is None else mask * layer
            layer = layer if loaded.alpha_1HW is None else layer * loaded.alpha_1HW
        out[name] = layer
    return out


def _regrained(
    extra: dict[str, Tensor],
    model: Model,
    look: Look,
    worked: Given,
    loaded: Loaded,
    put_CHW: Tensor,
) -> dict[str, Tensor]:
    """The offset takes the grain's change in: plate x gain + offset is the result still."""
    if "offset" not in extra:
        return extra
    gain = extra.get("gain")
    if gain is None:
        gain = _layers(model, look, worked, loaded, ["gain"])["gain"]
    offset = put_CHW - loaded.plate_CHW * gain
    if loaded.alpha_1HW is not None:
        offset = offset * loaded.alpha_1HW
    return {**extra, "offset": offset}


def layers_of(fit: Fit) -> list[str]:
    """Names of the layers that a fit can give."""
    light = torch.full((1, 3, 16, 32), 0.18)
    window = PlainWindow(light, light[:, :, :, :16], signature=dict(fit.signature))
    with torch.inference_mode():
        given = fit.task.given(window, {})
        look = fit.model.look(fit.model.small(given))
        return sorted({MASK, *fit.model.layers(look, given)})


def check_layers(fit: Fit, asked: Collection[str], there: Collection[str]) -> None:
    """Raise where a layer cannot be given, or would take the place of one of the plate's."""
    check_names(fit.task.spec.name, asked, layers_of(fit) if asked else [], there)


def check_names(
    task: str, asked: Collection[str], known: Collection[str], there: Collection[str]
) -> None:
    """Raise where a layer is none of those known, or is one that the plate has."""
    for name in asked:
        if name not in known:
            raise UnknownName(f"layer of a {task} fit", name, known)
        if name in there:
            raise UnknownName(
                "layer",
                name,
                [n for n in known if n not in there],
                hint=f"The plate has a layer {name} of its own, which passes through",
            )

"""How far an exported model lies from the fit it came from, on frames that try it.

What belongs here: such frames, the measure, and the refusal. What does not: running any one
runtime (`nuke.py`, `onnx_file.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from footagefit.errors import FootagefitError
from footagefit.export.baked import field_of
from footagefit.models.base import Look, scaled
from footagefit.rendering.fits import Fit
from footagefit.tasks.base import PlainWindow

FLOAT_BOUND = 1e-5
HALF_BOUND = 1e-3
LARGEST_HALF = 65504.0


class Departs(FootagefitError):
    """An exported model that does not do what its fit does."""


def trying_frame(height: int, width: int, *, seed: int = 0) -> Tensor:
    """A frame (1,3,H,W) with smooth light, grain, negatives and highlights, exact in half."""
    rng = torch.Generator().manual_seed(seed + 7919 * height + width)
    coarse = torch.rand(1, 3, 6, 9, generator=rng) * 6.0 - 5.0
    light = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").exp2()
    light = light + 0.01 * torch.randn(1, 3, height, width, generator=rng)
    flat = light.flatten(2)
    count = flat.shape[2]
    flat[:, :, :: max(7, count // 97)] *= 40.0
    flat[:, :, 3 :: max(11, count // 41)] *= -0.2
    flat[:, :, 0] = torch.tensor([469.8, -0.17, 3.93])  # LogC4's white, a RED green's negative
    return flat.view(light.shape).half().float()


def expected(
    fit: Fit,
    plate: Tensor,
    reference_RCHW: Tensor,
    *,
    strength: float = 1.0,
    look: Look | None = None,
) -> Tensor:
    """What a net makes of a frame: decided small (or given), scaled, applied at full size.

    Without what the set says, which an exported net cannot read off; a given look may hold it.
    """
    window = PlainWindow(plate, reference_RCHW, signature=fit.signature)
    given = fit.task.given(window, {})
    with torch.no_grad():
        if look is None:
            look = field_of(fit, "parity").said(fit.model.small(given))
        return fit.model.apply(scaled(look, strength), given)


def distance(made: Tensor, wanted: Tensor, *, by_pixel: bool = False) -> float:
    """The largest error: of the light above 1, of 1 below it; NaN counts as infinite.

    Args:
        made: (1,3,H,W).
        wanted: Likewise.
        by_pixel: Of a pixel's brightest channel, not of each: a matrix mixes them, and their
            rounding with them.
    """
    size = wanted.abs().amax(1, keepdim=True) if by_pixel else wanted.abs()
    off = (made.float() - wanted).abs() / size.clamp_min(1.0)
    return float(torch.nan_to_num(off, float("inf"), float("inf")).max())


def in_half(wanted: Tensor) -> Tensor:
    """Light as far as half can hold it: brighter than 65504 there is nothing."""
    return wanted.clamp(-LARGEST_HALF, LARGEST_HALF)


def checked(found: Mapping[str, float], bounds: Mapping[str, float], *, what: str) -> None:
    """Refuse an export that departs from its fit.

    Raises:
        Departs: Some distance is above its bound.
    """
    for name, value in found.items():
        if not value <= bounds[name]:
            raise Departs(
                f"{what} departs from its fit by {value:.2g} in {name}, {bounds[name]:g} is allowed"
                "; nothing was written",
                hint="Render with footagefit infer, and report the fit's recipe",
            )


def tried(
    run: Callable[[Tensor], Tensor],
    fit: Fit,
    reference_RCHW: Tensor,
    *,
    sizes: tuple[tuple[int, int], ...] = ((61, 107), (90, 160)),
    strength: float = 1.0,
    look: Look | None = None,
    by_pixel: bool = False,
) -> float:
    """The largest distance of a runtime from its fit over some frame sizes."""
    worst = 0.0
    for height, width in sizes:
        plate = trying_frame(height, width)
        wanted = expected(fit, plate, reference_RCHW, strength=strength, look=look)
        worst = max(worst, distance(run(plate), wanted, by_pixel=by_pixel))
    return worst

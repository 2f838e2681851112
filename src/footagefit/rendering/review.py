"""Pictures for people: a wedge of a control, before and after, a review movie.

What belongs here: what is looked at, never composited. What does not: frames that go out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from footagefit.dailies.sheet import Cell, save_sheet
from footagefit.errors import FootagefitWarning, UsageError
from footagefit.footage import colour
from footagefit.footage.opening import open_clip
from footagefit.footage.view import View
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.models.base import Model, resampled
from footagefit.records import Box
from footagefit.rendering.composite import compose
from footagefit.rendering.controls import animation, wedge_values
from footagefit.rendering.plan import Plan
from footagefit.rendering.render import Progress, quiet
from footagefit.rendering.shot import Loaded, Shot
from footagefit.rendering.work import Work

if TYPE_CHECKING:
    from PIL import Image

_SHEET_PX = 1800  # about how wide a sheet gets
_SHEET_ROWS = 6
_MOVIE_LONG_PX = 1920
_REVIEW_SPACE = "g24_rec709"


def write_wedge(plan: Plan, text: str, path: Path) -> Path:
    """A labelled contact sheet of some frames, at several values of one control.

    Each frame's look is its own here (`temporal=none`): a wedge is for choosing a value.

    Args:
        plan: The render; of its frames the first, middle and last are shown.
        text: `light.azimuth_deg=-60:60:30`.
        path: The picture to write.
    """
    name, values = wedge_values(text)
    spec = plan.fit.task.spec
    if plan.fills:
        raise UsageError(f"a wedge is of a change of light, and fits of {spec.name} make pixels",
                         hint="Render some frames with frames= instead")  # fmt: skip
    for value in values:
        animation(spec, {name: value}, also_known=plan.ask.also_known)
    unit = spec.controls[name].unit
    shot, work = plan.shot(), plan.work()
    columns = 1 + len(values)
    cell_px = max(160, _SHEET_PX // columns)
    cells = []
    view = View(space=plan.clip.info.space)
    for number in _some(plan.frames, 3):
        loaded = shot.load(number)
        plate = premultiplied(loaded)
        cells.append(Cell(_shown(plate, cell_px, view), f"{number}  plate", "as it is"))
        for value in values:
            held = replace(shot, animation=plan.animation.replaced(name, value))
            made = own_look(held, loaded, work)
            line = f"{name}={value:g} {unit}".strip()
            cells.append(Cell(_shown(made, cell_px, view), line, f"{number}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_sheet(cells, path, columns=columns, cell_px=cell_px)


def own_look(shot: Shot, loaded: Loaded, work: Work) -> Tensor:
    """A frame with the look that it alone asks for (3,H,W)."""

    def job(device: torch.device, model: Model) -> Tensor:
        look = model.look(model.small(shot.given(loaded, device=device)))
        made = compose(shot, loaded, look, model=model, device=device).rgb_CHW
        return loaded.plate_CHW if made is None else made

    return work.run(job, frame=loaded.number)


def premultiplied(loaded: Loaded) -> Tensor:
    """A frame as it is stored: colour times its coverage."""
    a = loaded.alpha_1HW
    return loaded.plate_CHW if a is None else loaded.plate_CHW * a


def sheet_path(plan: Plan) -> Path:
    """Where the before-and-after sheet goes."""
    return _beside(plan, "_before_after.jpg")


def movie_path(plan: Plan) -> Path:
    """Where the review movie goes."""
    return _beside(plan, "_review.mov")


def _beside(plan: Plan, tail: str) -> Path:
    return plan.out.parent / f"{plan.stem}{tail}"


def write_before_after(plan: Plan) -> Path:
    """Some frames of the plate beside what was made of them."""
    after = open_clip(plan.out, space=plan.form.space)
    view = View(space=plan.clip.info.space)
    numbers = _some(sorted(set(plan.frames) & set(after.numbers)), _SHEET_ROWS)
    cells = []
    for number in numbers:
        both = (plan.before(number), after.read([number]).rgb_TCHW[0])
        for light, title in zip(both, ("before", "after"), strict=True):
            cells.append(
                Cell(_shown(light, _SHEET_PX // 3, view), f"{number}  {title}", plan.recipe)
            )
    return save_sheet(cells, sheet_path(plan), columns=4, cell_px=_SHEET_PX // 4)


def write_movie(plan: Plan, *, progress: Progress = quiet) -> Path:
    """The result as an H.264 movie with frame numbers burnt in; gaps hold the frame before."""
    after = open_clip(plan.out, space=plan.form.space)
    there = sorted(set(plan.frames) & set(after.numbers))
    info = plan.info
    scale = min(1.0, _MOVIE_LONG_PX / max(info.width, info.height))
    wide = 2 * round(info.width * scale * max(1.0, info.pixel_aspect) / 2)
    tall = 2 * round(info.height * scale / min(1.0, info.pixel_aspect) / 2)
    box = Box(0, 0, wide, tall)
    rate = info.rate or Fraction(24)
    if info.rate is None:
        line = f"{info.path}: the plate has no rate; the review movie runs at 24 frames a second"
        warnings.warn(FootagefitWarning(line), stacklevel=2)
    shown = replace(info, raster=box, display=box, data=box, pixel_aspect=1.0, rate=rate)
    path = movie_path(plan)
    form = OutputForm(space=_REVIEW_SPACE, codec="h264", burn_in=True)
    with open_writer(path, info=shown, form=form, existing="replace", source=plan.out) as writer:
        held = there[0]
        for number in progress(
            range(there[0], there[-1] + 1), total=there[-1] - there[0] + 1, label="review"
        ):
            held = number if number in there else held
            light = after.read([held]).rgb_TCHW
            writer.write(number, resampled(light.contiguous(), (tall, wide))[0])
    return path


def _some(numbers: Sequence[int], most: int) -> list[int]:
    """First, last and what lies evenly between."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[round(i * (len(numbers) - 1) / (most - 1))] for i in range(most)]


def _shown(light_CHW: Tensor, wide_px: int, view: View) -> Image.Image:
    """A small 8-bit picture of scene-linear light."""
    from PIL import Image

    height, width = light_CHW.shape[1:]
    size = (max(1, round(height * wide_px / width)), wide_px)
    small = resampled(light_CHW[None].contiguous().nan_to_num(0.0, 65504.0, -1.0), size)[0]
    return Image.fromarray(colour.preview(small.permute(1, 2, 0).numpy(), view))

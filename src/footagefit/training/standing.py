"""Where a run stands at its end: beside doing nothing, the classical ways, and what it began from.

What belongs here: the table and the picture that say whether a fit was worth its minutes. What does
not: judging a fit by its show in full, with intervals (`evaluation`), looks on the way
(`callbacks.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from footagefit.records import Given, Pair
from footagefit.tasks.base import INSIDE
from footagefit.tasks.filling import NEAREST

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from footagefit.footage.view import View
    from footagefit.models.base import Model
    from footagefit.tasks.base import Task
    from footagefit.training.run import Plan, Sides

Table = dict[str, dict[str, float]]
Way = Callable[[Pair], "Tensor"]

UNTOUCHED, BEGAN, FIT = "untouched", "began from", "this fit"
NEAREST_FRAME, CARRIED = "nearest frame", "carried alone"
_ROWS = 6  # of the picture


def best_of(
    plan: Plan,
    folder: Path,
    task: Task,
    *,
    device: torch.device,
    known: Mapping[int, Tensor] | None = None,
) -> Way:
    """A finished run's best weights, as what they make of an example.

    Args:
        plan: Of the run.
        folder: The run's.
        task: The plan's.
        device: Where to predict.
        known: What they made, by ids of examples, where no device holds them alone.
    """
    if known:
        return lambda pair: known[id(pair)]
    from safetensors.torch import load_file

    fit = plan.recipe.build_model(task.spec).eval()
    fit.load_state_dict(load_file(folder / "checkpoints" / "best.safetensors"))
    return _on(fit, device)


def stand(plan: Plan, folder: Path, *, fit: Way, pairs: Sequence[Pair], view: View) -> Table:
    """Every way on the held-out examples, kept in the run's folder with a picture.

    Args:
        plan: Of the run.
        folder: The run's: gets `standing.json` and `standing.png`.
        fit: Its best weights.
        pairs: Held-out examples, a batch of one each.
        view: How they are shown.
    """
    import torch

    from footagefit.rendering.fits import load_fit

    began = None
    if plan.init_from is not None:
        began = load_fit(plan.init_from, bases=plan.recipe.bases).model
    fills = bool(pairs) and INSIDE in pairs[0].truth
    ways = _trained(_fills() if fills else _transforms(), fit, began)
    table: Table = {}
    with torch.no_grad():
        rival = ways[CARRIED if fills else UNTOUCHED]
        before = [_scores(rival(pair), pair) for pair in pairs]
        for name, way in ways.items():
            scores = [_scores(way(pair), pair) for pair in pairs]
            gains = [now[0] - then[0] for now, then in zip(scores, before, strict=True)]
            table[name] = {
                "psnr_db": sum(s[0] for s in scores) / len(scores),
                "psnr_log_db": sum(s[1] for s in scores) / len(scores),
                "worst_gain_db": min(gains),
            }
        _picture(ways, table, pairs[:_ROWS], folder / "standing.png", view)
    part = folder / "standing.part"
    part.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    os.replace(part, folder / "standing.json")
    return table


COLUMNS = (
    "shot", "scene", "frame", "plate PSNR dB", "fit PSNR dB", "gain dB", "fit log PSNR dB",
    "fit dE2000",
)  # fmt: skip


def shot_rows(fit: Way, sides: Sides, pairs: Sequence[Pair]) -> list[list[object]]:
    """Shots x metrics of the best weights on the held-out examples, a row each."""
    import torch

    from footagefit.evaluation.metrics import delta_e_2000

    rows: list[list[object]] = []
    for index, pair in enumerate(pairs):
        window = sides.held_out.window(index)
        shot = getattr(window, "shot", None)
        names = (f"held_out_{index}", "", -1)
        if shot is not None:
            names = (shot.name, shot.scene, getattr(window, "numbers", (-1,))[0])
        with torch.no_grad():
            made = fit(pair)
        before, (after, log) = _scores(pair.given.plate, pair)[0], _scores(made, pair)
        apart = float(delta_e_2000(made, pair.target))
        rows.append([*names, *(round(v, 4) for v in (before, after, after - before, log, apart))])
    return rows


def stood(folder: Path) -> Table:
    """What `stand` kept, or nothing."""
    path = folder / "standing.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def lines(table: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The table for a terminal."""
    where = "in held-out holes, dB" if CARRIED in table else "on held-out frames, dB"
    gain = "  worst gain over carried" if CARRIED in table else "  worst gain"
    made = [f"  {where:26s}{'display':>9s}{'log':>9s}{gain}"]
    for name, row in table.items():
        values = (row["psnr_db"], row["psnr_log_db"], row["worst_gain_db"])
        made.append("  {:26s}{:9.2f}{:9.2f}{:+12.2f}".format(name, *values))
    return made


def _on(model: Model, device: torch.device) -> Way:
    """A model's prediction, made on a device and brought back."""
    model.to(device)
    return lambda pair: model.predict(Given(*(part.to(device) for part in pair.given))).cpu()


def _trained(ways: dict[str, Way], fit: Way, began: Model | None) -> dict[str, Way]:
    """Every way by name, best guess last."""
    if began is not None:
        ways[BEGAN] = lambda pair: began.predict(pair.given)
    ways[FIT] = fit
    return ways


def _fills() -> dict[str, Way]:
    """What fills a hole without a fit; where a whole frame is gone, inpainting copies the next."""
    import typing

    import torch

    from footagefit.evaluation import fills

    def painted(pair: Pair, way: fills.Way, plate: Tensor, hole: Tensor) -> Tensor:
        if bool((pair.given.mask > 0).all()) and bool((hole > 0).all()):
            return pair.truth[NEAREST]
        return fills.inpainted(plate[0], hole[0], way=way)[None]

    def carried(pair: Pair) -> Tensor:
        given = pair.given
        seen = (given.guide[:, 3:4] > 0) & (given.mask > 0)
        plate = torch.where(seen, given.guide[:, :3], given.plate)
        return painted(pair, "telea", plate, given.mask * ~seen)

    def nearest(pair: Pair) -> Tensor:
        return torch.where(pair.given.mask > 0, pair.truth[NEAREST], pair.given.plate)

    ways: dict[str, Way] = {
        name: lambda pair, name=name: painted(pair, name, pair.given.plate, pair.given.mask)
        for name in typing.get_args(fills.Way)
    }
    return {**ways, NEAREST_FRAME: nearest, CARRIED: carried}


def _transforms() -> dict[str, Way]:
    """Doing nothing, and the classical ways to make two pictures match."""
    from footagefit.evaluation.baselines import CLASSICAL

    ways: dict[str, Way] = {UNTOUCHED: lambda pair: pair.given.plate}
    for name, classical in CLASSICAL.items():
        if name == "identity":
            continue

        def way(pair: Pair, classical: Callable[..., Tensor] = classical) -> Tensor:
            if not pair.given.reference.shape[1]:
                return pair.given.plate
            return classical(pair.given.plate[0], pair.given.reference[0, 0])[None]

        ways[name] = way
    return ways


def _scores(made: Tensor, pair: Pair) -> tuple[float, float]:
    """PSNR of display and of log light, in the hole where the pair has one."""
    from footagefit.evaluation.metrics import psnr, psnr_log

    inside = pair.truth.get(INSIDE)
    return tuple(float(m(made, pair.target, mask=inside)) for m in (psnr, psnr_log))  # pyright: ignore[reportReturnType]


def _picture(
    ways: Mapping[str, Way], table: Table, pairs: Sequence[Pair], path: Path, view: View
) -> None:
    """Rows of reference, plate, the best classical way, the fit, and what it should be."""
    import numpy as np
    from PIL import Image, ImageDraw

    from footagefit.training.record import displayed

    rivals = [name for name in table if name not in (UNTOUCHED, BEGAN, FIT)]
    rival = max(rivals, key=lambda name: table[name]["psnr_db"])
    rows, names = [], ["plate", rival, FIT, "true"]
    for pair in pairs:
        panes = [pair.given.plate[0], ways[rival](pair)[0], ways[FIT](pair)[0], pair.target[0]]
        if pair.given.reference.shape[1]:
            panes.insert(0, pair.given.reference[0, 0])
        rows.append(
            np.concatenate([displayed(p, like=pair.target[0], view=view) for p in panes], 1)
        )
    if not rows:
        return
    if pairs[0].given.reference.shape[1]:
        names.insert(0, "reference")
    head = Image.new("RGB", (rows[0].shape[1], 16), (24, 24, 24))
    for at, name in enumerate(names):
        place = (at * rows[0].shape[1] // len(names) + 4, 2)
        ImageDraw.Draw(head).text(place, name, fill=(210, 210, 210))
    part = path.with_suffix(".part")
    Image.fromarray(np.concatenate([np.asarray(head), *rows])).save(part, format="PNG")
    os.replace(part, path)

"""How soon the page of `footagefit ui` shows a turned control: median and worst preview.

    python benchmarks/ball.py
    python benchmarks/ball.py --fit film_work/fits/relight_v001

A relight fit of the packaged size (untrained unless `--fit` names one: weights do not change the
time) and the match base, on a staged 1920x1080 plate of half EXR, previews of 960 px: the first of
a frame, which is read, and those while a control moves. Asked over HTTP, as the page does; the
baseline is the same picture through the view and into a JPEG alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

import torch
from rows import Row, arguments, show
from staged import scene, write_reference, write_shot

from footagefit.commands.desk import Desk
from footagefit.commands.ui import routes_of
from footagefit.footage import colour
from footagefit.models.base import resampled
from footagefit.rendering.ask import Ask
from footagefit.rendering.fits import Part, Recipe, save_fit
from footagefit.report import pictures
from footagefit.report.local import Local

BASE = Path(colour.__file__).resolve().parents[1] / "models" / "weights" / "match_field"
ASKED_MS = 250.0


def untrained(path: Path) -> Path:
    """A relight fit of the packaged size."""
    recipe = Recipe(Part("relight", {}), Part("relight", {}))
    model = recipe.build_model(recipe.build_task().spec)
    return save_fit(path, recipe=recipe, weights=model.state_dict(), card={"lineage": {}})


def posted(local: Local, **given: object) -> tuple[float, float]:
    """Milliseconds from asking for a preview to having it, and of processor time till then."""
    body = json.dumps(given).encode()
    asked = urllib.request.Request(
        f"{local.address}preview", body, {"Content-Type": "application/json"}
    )
    begun = time.perf_counter(), time.process_time()
    with urllib.request.urlopen(asked) as answer:
        answer.read()
    return 1e3 * (time.perf_counter() - begun[0]), 1e3 * (time.process_time() - begun[1])


def bare_ms(size: tuple[int, int], rounds: int) -> float:
    """The view transform and the JPEG alone."""
    light = resampled(scene()[None], size)[0].permute(1, 2, 0).contiguous().numpy()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        pictures.encoded(colour.preview(light, quick=True), quality=90)
        taken.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(taken)


def rows_of(name: str, desk: Desk, moving: str, *, rounds: int) -> list[Row]:
    """First and later previews of one fit."""
    with Local(routes_of(desk)) as local:
        posted(local, frame=1001, controls={moving: 0.5})  # kernels are compiled once
        first, _ = posted(local, frame=1002, controls={moving: 0.5})
        each = [posted(local, frame=1002, controls={moving: 0.9 * n / rounds})
                 for n in range(rounds)]  # fmt: skip
    desk.close()
    taken, busy = zip(*each, strict=True)
    bare = {"view and JPEG alone": bare_ms(desk.preview.size, rounds)}
    median = statistics.median(taken)
    target = f"<= {ASKED_MS:g}"
    return [
        Row(f"{name}: a control moves, median", "ms", median, bare, target, median <= ASKED_MS),
        Row(f"{name}: a control moves, worst", "ms", max(taken), bare),
        Row(f"{name}: processor time, median", "ms", statistics.median(busy)),
        Row(f"{name}: a frame's first", "ms", first, bare),
    ]


def main() -> None:
    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--fit", type=Path, help="a relight fit")

    asked = arguments(__doc__ or "", more=more)
    size, rounds = ((90, 160), 3) if asked.quick else ((1080, 1920), 40)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        plate = write_shot(Path(folder) / "plate" / "p.####.exr", size, range(1001, 1003))
        beside = write_reference(Path(folder) / "hero" / "h.####.exr")
        fit = asked.fit or untrained(Path(folder) / "night")
        relight = Desk(Ask(plate=plate, fit=fit), catalogue=None)
        match = Desk(Ask(plate=plate, fit=BASE, reference=beside), catalogue=None)
        rows = rows_of("relight", relight, "light.by.key_ev", rounds=rounds)
        rows += rows_of("match", match, "strength", rounds=rounds)
    show("Previews of footagefit ui", rows, asked.json)


if __name__ == "__main__":
    main()

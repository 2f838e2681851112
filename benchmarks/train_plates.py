"""What a fit learnt from 8-bit proxies loses on the same takes' plates.

    python benchmarks/train_plates.py
    python benchmarks/train_plates.py minutes=5 work=/scratch/plates --json plates.json
    python benchmarks/train_plates.py steps=900   # on a machine that does other work as well

One staged show, every take delivered twice: as an 8-bit, graded H.264 proxy and as a scene-linear
EXR plate. One fit is trained on the proxies alone, one on the plates alone, both from the base and
for as long; both are scored on held-out plates, on examples made as training makes them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rows import Row, arguments, show, words

from footagefit.dailies.data import Dailies
from footagefit.dailies.entries import TRAIN, VAL
from footagefit.evaluation.metrics import psnr
from footagefit.rendering.fits import Fit, Part, Recipe, load_fit
from footagefit.soundstage.crew import shoot
from footagefit.soundstage.script import write_script
from footagefit.tasks.draws import generator
from footagefit.tasks.match import Match
from footagefit.training.run import Plan, Sides, execute, finish
from footagefit.training.settings import Settings
from footagefit.training.shows import dailies_of, fill_cache

BASE = Path(__file__).parents[1] / "src/footagefit/models/weights/match_field"
WITHIN_DB = 1.0


def main() -> None:
    said = words()
    options = arguments(__doc__ or "")
    options.minutes = float(said.get("minutes", 3.0))
    options.steps = int(said["steps"]) if "steps" in said else None
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(said.get("work", temporary))
        shows = _shot(work, options)
        fits = {name: _fit(path, work / name, options) for name, path in shows.items()}
        show("A fit on proxies, on plates", [_row(shows["plates"], fits, options)], options.json)


def _shot(work: Path, options: Namespace) -> dict[str, Path]:
    """The show, and two descriptions of it: what was delivered as proxies, and as plates."""
    script = write_script("brief" if options.quick else "demo", 33)
    takes = [
        replace(take, plate=f"{take.shot}_{index:04d}") for index, take in enumerate(script.takes)
    ]
    folder = work / "show"
    for _ in shoot(replace(script, takes=tuple(takes)), folder, workers=os.cpu_count() or 1):
        pass
    rolls = sorted({take.roll for take in takes})
    made = {}
    for name, roots in (("proxies", rolls), ("plates", ["plates"])):
        made[name] = folder / f"{name}.yaml"
        made[name].write_text(f"name: {name}\nroots: [{', '.join(roots)}]\nwork: work_{name}\n")
        verb = [sys.executable, "-m", "footagefit.cli", "scan", f"show={made[name]}"]
        subprocess.run(verb, check=True, capture_output=True)
    return made


def _dailies(path: Path, options: Namespace) -> Dailies:
    dailies = dailies_of(path, _settings(options), spec=Match().spec)
    fill_cache(dailies)
    return dailies


def _settings(options: Namespace) -> Settings:
    steps = 2 if options.quick else options.steps
    length: dict[str, Any] = {"max_steps": steps}
    if steps is None:
        length["max_minutes"] = options.minutes
    return Settings(**length, val_windows=4, review_every=0, batch_size=8, workers=0, threads=1)


def _fit(path: Path, work: Path, options: Namespace) -> Fit:
    """Train, or take what an earlier run trained."""
    if not (work / "fit").is_dir():
        dailies = _dailies(path, options)
        base = load_fit(BASE)
        recipe = Recipe(
            Part("match", {"size": [112, 192]}), Part("field", base.recipe.model.settings)
        )
        Plan(recipe, _settings(options), init_from=str(BASE)).write(work)
        numbers = execute(work, Sides(dailies.windows(TRAIN), dailies.windows(VAL)))
        finish(work, work / "fit", numbers)
    return load_fit(work / "fit")


@torch.no_grad()
def _row(path: Path, fits: dict[str, Fit], options: Namespace) -> Row:
    source = _dailies(path, options).windows(VAL)
    task = Match(size=[112, 192], keep=0, harmonise=0, worlds=0)
    pairs = [
        task.pair(source.window(i), generator(9, i)) for i in range(4 if options.quick else 96)
    ]
    scores = {
        name: fmean(float(psnr(fit.model.predict(p.given), p.target)) for p in pairs)
        for name, fit in fits.items()
    }
    scores["untouched"] = fmean(float(psnr(p.given.plate, p.target)) for p in pairs)
    ours = scores.pop("proxies")
    holds = ours >= scores["plates"] - WITHIN_DB
    return Row("PSNR on held-out plates, fit on proxies", "dB", ours, scores, "plates' - 1", holds)


if __name__ == "__main__":
    main()

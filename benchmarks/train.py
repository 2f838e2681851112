"""Match: what a fit gains over doing nothing, over the classical ways, and over a per-shot U-Net.

    python benchmarks/train.py show=film.yaml minutes=5
    python benchmarks/train.py --quick
    python benchmarks/train.py show=film.yaml --json rows.json

Trains on a show's training side with some families of change held out, and scores takes of its
held-out side under those families (`HELD_OUT`) and under the ones trained on. Without a show, a
few soundstage scenes stand in. Then times look and apply, beside a bare copy of the frame.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import footagefit  # noqa: F401  (makes lightning importable)
from footagefit.evaluation.baselines import CLASSICAL, oracle_gain
from footagefit.evaluation.metrics import delta_e_2000, psnr, psnr_log
from footagefit.evaluation.unet import apply_tiled, train_unet
from footagefit.models.field import FieldModel
from footagefit.records import Given, Pair
from footagefit.rendering.fits import Part, Recipe, load_fit
from footagefit.tasks.base import collated
from footagefit.tasks.degrade import FAMILIES
from footagefit.tasks.draws import generator
from footagefit.tasks.match import Match
from footagefit.training.run import Plan, Sides, execute, finish
from footagefit.training.settings import Settings
from footagefit.training.shows import dailies_of, fill_cache, sides_of
from footagefit.training.stage import sides_of_stage

HELD_OUT = ("look_lut", "soft_shadow", "printer_lights")
SEEN = [name for name in FAMILIES if name not in HELD_OUT]
CODECS = ["grain", "jpeg", "h264"]

Rows = list[dict[str, Any]]
Method = Callable[[Pair], torch.Tensor]


def main() -> int:
    options = _options()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(options.work or temporary)
        sides = _sides(options, work)
        fit = _fit(options, sides, work)
        net, steps = _unet(options, sides)
        print(f"fit: {fit.card['steps']} steps; U-Net (h16): {steps} steps, same minutes")
        for kind, families in (("held-out", list(HELD_OUT)), ("seen", SEEN)):
            rows += _scored(kind, families, options, sides, fit.model, net)
    rows += _timed(options.quick)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="show=YAML minutes=5 init=<fit> work=<folder>")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--json", help="write rows here")
    options = parser.parse_args()
    said = dict(word.split("=", 1) for word in options.words)
    options.show, options.init, options.work = (said.get(k) for k in ("show", "init", "work"))
    options.minutes = float(said.get("minutes", 0.05 if options.quick else 5.0))
    options.count = 4 if options.quick else 96
    return options


def _settings(options: argparse.Namespace) -> Settings:
    length = {"max_steps": 3} if options.quick else {"max_minutes": options.minutes}
    return Settings(
        **{"max_steps": None, **length},
        review_every=0,
        val_windows=2 if options.quick else 16,
        batch_size=4 if options.quick else 8,
        workers=0 if options.quick else 1,
    )


def _recipe(options: argparse.Namespace) -> Recipe:
    size = [48, 80] if options.quick else [112, 192]
    model = {"width": 16, "long_px": 64 if options.quick else 192, "points": 2048}
    if options.init:
        model = dict(load_fit(options.init).recipe.model.settings)
    return Recipe(Part("match", {"families": SEEN, "size": size}), Part("field", model))


def _sides(options: argparse.Namespace, work: Path) -> Sides:
    if options.show is None:
        size = (48, 80) if options.quick else (112, 192)
        scenes = 4 if options.quick else 64
        return sides_of_stage(work / "cache", scenes=scenes, size_px=size, seed=11)
    settings = _settings(options)
    dailies = dailies_of(Path(options.show), settings, spec=_recipe(options).build_task().spec)
    fill_cache(dailies)
    return sides_of(dailies)


def _fit(options: argparse.Namespace, sides: Sides, work: Path) -> Any:
    folder = work / "runs" / f"benchmark_{int(time.time())}"
    plan = Plan(_recipe(options), _settings(options), init_from=options.init)
    plan.write(folder)
    numbers = execute(folder, sides)
    return load_fit(finish(folder, folder / "fit", numbers))


def _unet(options: argparse.Namespace, sides: Sides) -> tuple[Any, int]:
    size = [48, 80] if options.quick else [112, 192]
    task = Match(families=SEEN, size=size)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for step in range(10_000_000):
            pairs = [_pair(task, sides.train, 2 * step + i, 5) for i in range(2)]
            batch = collated(pairs)
            yield batch.given.plate, batch.target

    length = {"max_steps": 2} if options.quick else {"max_minutes": options.minutes}
    return train_unet(batches(), width=16, **length)


def _pair(task: Match, source: Any, index: int, stream: int) -> Pair:
    return task.pair(source.window(index), generator(stream, index))


def _scored(
    kind: str,
    families: list[str],
    options: argparse.Namespace,
    sides: Sides,
    model: Any,
    net: Any,
) -> Rows:
    size = [48, 80] if options.quick else [112, 192]
    task = Match(families=families, codecs=CODECS, size=size, keep=0, harmonise=0, worlds=0)
    pairs = [_pair(task, sides.held_out, index, 6) for index in range(options.count)]
    methods: dict[str, Method] = {
        name: (lambda p, way=way: way(p.given.plate[0], p.given.reference[0, 0])[None])
        for name, way in CLASSICAL.items()
    }
    methods["oracle gain"] = lambda p: oracle_gain(p.given.plate[0], p.target[0])[None]
    methods["U-Net h16"] = lambda p: apply_tiled(net, p.given.plate)
    if options.init:
        base = load_fit(options.init).model
        methods["base"] = lambda p: base.predict(p.given)
    methods["field"] = lambda p: model.predict(p.given)
    with torch.no_grad():
        table = {name: _numbers(method, pairs) for name, method in methods.items()}
    print(f"\n{len(pairs)} held-out frames, {kind} families: {', '.join(families)}")
    print(f"{'':20}{'PSNR dB':>10}{'log dB':>10}{'dE2000':>10}{'worst dB':>10}")
    plain = table["identity"][0]
    for name, (shown, log, colour) in table.items():
        worst = min(a - b for a, b in zip(shown, plain, strict=True))
        means = (statistics.fmean(v) for v in (shown, log, colour))
        print(f"{name:20}" + "".join(f"{v:10.2f}" for v in (*means, worst)))
    return _rows(kind, table)


def _numbers(method: Method, pairs: list[Pair]) -> tuple[list[float], list[float], list[float]]:
    columns: tuple[list[float], list[float], list[float]] = ([], [], [])
    for pair in pairs:
        made = method(pair)
        for column, metric in zip(columns, (psnr, psnr_log, delta_e_2000), strict=True):
            column.append(float(metric(made, pair.target)))
    return columns


def _rows(kind: str, table: dict[str, Any]) -> Rows:
    means = {name: round(statistics.fmean(values[0]), 3) for name, values in table.items()}
    best = max(means[name] for name in CLASSICAL)
    gain = means["field"] - best
    worst = min(a - b for a, b in zip(table["field"][0], table["identity"][0], strict=True))
    ours = means.pop("field")
    return [
        _row(f"PSNR, unseen takes, {kind} families", "dB", ours, means, best + 4, gain >= 4),
        _row(f"worst frame against identity, {kind}", "dB", worst, {}, -0.5, worst >= -0.5),
    ]


def _timed(quick: bool) -> Rows:
    """Look and apply on whole frames, beside copying them."""
    model = FieldModel(width=16, vector_size=16).eval()
    for layer in (model.net.local_head, model.net.global_head):
        torch.nn.init.normal_(layer.weight, std=0.02)
    rows: Rows = []
    sizes = {"HD": (1080, 1920, 0.12), "UHD": (2160, 3840, 0.4)}
    for name, (height, width, target) in ({"small": (90, 160, 1.0)} if quick else sizes).items():
        given = _frame(height, width)
        with torch.no_grad():
            grid = model.look(model.small(given))
            look_s = _median(lambda g=given: model.look(model.small(g)))
            apply_s = _median(lambda k=grid, g=given: model.apply(k, g))
            copy_s = _median(lambda g=given: g.plate.clone())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(
            f"{name}: look {look_s:.3f} s, apply {apply_s:.3f} s, copy {copy_s:.3f} s, "
            f"process peak {peak:.2f} GB"
        )
        both = look_s + apply_s
        rows.append(
            _row(f"{name} look and apply", "s", both, {"copy": copy_s}, target, both <= target)
        )
        if name == "UHD":
            rows.append(_row("UHD process peak", "GB", peak, {}, 2.0, peak <= 2.0))
    return rows


def _frame(height: int, width: int) -> Given:
    rng = generator(height)
    return Given(
        torch.rand(1, 3, height, width, generator=rng),
        torch.zeros(1, 2, 18, 32),
        torch.ones(1, 1, height, width),
        torch.rand(1, 1, 3, 270, 480, generator=rng),
        torch.zeros(1, 16),
        torch.zeros(1, 0, height, width),
    )


def _median(work: Callable[[], object], runs: int = 7) -> float:
    work()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _row(
    metric: str, unit: str, ours: float, baselines: dict[str, float], target: float, holds: bool
) -> dict[str, Any]:
    print(f"  {metric}: {ours:.3f} {unit}, wanted {target:.3f}: {'holds' if holds else 'FAILS'}")
    return {
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "baselines": {k: round(v, 4) for k, v in baselines.items()},
        "target": round(target, 4),
        "holds": bool(holds),
    }


if __name__ == "__main__":
    sys.exit(main())

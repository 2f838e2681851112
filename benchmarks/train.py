"""Match: what a fit gains over nothing, over the classical ways, over its base and over a U-Net.

    python benchmarks/train.py                          # a staged show
    python benchmarks/train.py show=film.yaml minutes=5 # another
    python benchmarks/train.py steps=1881               # what five quiet minutes come to, where
                                                        # other work shares the machine
    python benchmarks/train.py base=FOLDER work=OTHER   # from another base than the one that ships
    python benchmarks/train.py --quick --json rows.json

Fits train on all but some families of change (`HELD_OUT`), on the first four fifths of the frames
of a show's training side. Scored are: takes never seen under families never seen; the same takes
under families that were trained on; and the last frames of seen shots. Where takes of a set-up do
not sit together, those real pairs are scored on what stands still in both: fits learn from pairs of
two thirds of the takes, and are scored on pairs with one of the others. What is trained is kept
in the work folder (`work=benchmarks/work`): a run that was stopped goes on.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from rows import Row, arguments, show, words
from train_speed import apply_rows, step_rows

from footagefit.dailies.data import Dailies
from footagefit.dailies.entries import TRAIN, VAL
from footagefit.dailies.pairs import Mismatch, mined, mismatches
from footagefit.dailies.sampling import Sampling
from footagefit.dailies.windows import Windows
from footagefit.evaluation.baselines import CLASSICAL, oracle_gain
from footagefit.evaluation.metrics import delta_e_2000, psnr, psnr_log
from footagefit.evaluation.unet import apply_tiled, train_unet
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.models.field import FieldModel
from footagefit.records import Box, ClipInfo, Pair
from footagefit.rendering.fits import Fit, Part, Recipe, load_fit
from footagefit.tasks.base import PlainWindow, collated
from footagefit.tasks.degrade import FAMILIES
from footagefit.tasks.draws import generator
from footagefit.tasks.match import Match
from footagefit.training.real_pairs import among, real_pairs
from footagefit.training.run import Plan, Sides, execute, finish
from footagefit.training.settings import Settings
from footagefit.training.shows import dailies_of, fill_cache
from footagefit.training.stage import with_replay

HELD_OUT = ("look_lut", "soft_shadow", "printer_lights")
SEEN = [name for name in FAMILIES if name not in HELD_OUT]
CODECS = ["grain", "jpeg", "h264"]
BASE = Path(__file__).parents[1] / "src/footagefit/models/weights/match_field"
SPACE = "g24_rec709"
KEPT = 0.8  # part of a training shot's frames that is trained on

Method = Callable[[Pair], torch.Tensor]


def main() -> None:
    options = _options()
    rows = apply_rows(quick=options.quick)  # first: peak memory is the process's
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary) if options.quick else Path(options.work)
        path = Path(options.show) if options.show else _staged(work, options.quick)
        recipe = _recipe(options)
        dailies = dailies_of(path, _settings(options, 1.0), spec=recipe.build_task().spec)
        fill_cache(dailies)
        methods = _methods(options, dailies, work / _name(path))
        for kind, pairs in _sets(options, dailies).items():
            rows += _scored(kind, pairs, methods)
        rows += step_rows(_sides(dailies).train, recipe, quick=options.quick)
        show(f"Match on {_name(path)}, {options.minutes:g} minutes", rows, options.json)


def _options() -> Namespace:
    said = words()
    options = arguments(__doc__ or "")
    options.show = said.get("show")
    options.work = said.get("work", "benchmarks/work")
    options.base = said.get("base", str(BASE))
    options.minutes = float(said.get("minutes", 5.0))
    options.steps = int(said["steps"]) if "steps" in said else None
    options.count = 4 if options.quick else 96
    options.size = [48, 80] if options.quick else [112, 192]
    return options


def _name(path: Path) -> str:
    return path.stem if path.stem != "show" else path.parent.name


def _staged(work: Path, quick: bool) -> Path:
    """A show from the soundstage, shot once; or two scenes of moving noise."""
    folder = work / ("noise" if quick else "staged")
    verb = [sys.executable, "-m", "footagefit.cli"]
    path = folder / "show.yaml"
    if quick:
        _noise(folder)
        path.write_text(f"name: noise\nroots: [.]\nwork: work\nspace: {SPACE}\n")
    else:
        stage = [*verb, "stage", f"out={folder}", "preset=demo", "seed=21"]
        subprocess.run(stage, check=True, capture_output=True)
    subprocess.run([*verb, "scan", f"show={path}"], check=True, capture_output=True)
    return path


def _noise(folder: Path) -> None:
    folder.mkdir(parents=True)
    box = Box(0, 0, 128, 80)
    info = ClipInfo(
        path=folder, raster=box, display=box, data=box, first_frame=1, length=16,
        rate=Fraction(24), sample="uint8", space=SPACE,
    )  # fmt: skip
    for scene, take in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1)):
        seed = torch.Generator().manual_seed(scene)
        wide = torch.rand(1, 3, 10, 20, generator=seed)
        wide = torch.nn.functional.interpolate(wide, (80, 160), mode="bicubic")[0].clamp(0.02, 1)
        form = OutputForm(codec="h264", space=SPACE)
        with open_writer(folder / f"{scene}A_T{take}.mov", info=info, form=form) as out:
            for number in range(1, 17):
                left = number + 8 * (take - 1)
                out.write(number, wide[..., left : left + 128] * 2.0 ** (0.3 * (take - 1)))


def _settings(options: Namespace, minutes: float, *, rate: float = 1e-3) -> Settings:
    length: dict[str, Any] = {"max_steps": 3} if options.quick else {"max_minutes": minutes}
    if options.steps:
        length = {"max_steps": max(1, round(options.steps * minutes / options.minutes))}
    return Settings(
        **{"max_steps": None, **length},
        review_every=0,
        val_windows=2 if options.quick else 16,
        batch_size=4 if options.quick else 8,
        rate=rate,
        workers=0 if options.quick else 1,
        threads=1,
    )


def _recipe(options: Namespace) -> Recipe:
    small = {"width": 8, "long_px": 64, "points": 512}
    model = small if options.quick else dict(load_fit(options.base).recipe.model.settings)
    task = {"families": SEEN, "size": options.size}
    return Recipe(Part("match", task), Part("field", model))


def _sides(dailies: Dailies, *, seen: bool = True) -> Sides:
    """Both sides; of training shots the first frames, or those that are never trained on."""
    side = dailies.windows(TRAIN)
    cut = []
    for shot in side.sampling.shots.values():
        last = shot.first + max(1, int(shot.length * KEPT)) - 1
        cut.append(replace(shot, last=last) if seen else replace(shot, first=last + 1))
    sampling = Sampling(
        [s for s in cut if s.length >= 1], seed=dailies.seed, references=dailies.references
    )
    sides = Sides(Windows(side.reader, sampling), dailies.windows(VAL))
    if not seen:
        return sides
    couples = [couple for couple in _couples(dailies) if not _judged(dailies, couple)]
    return among(sides, real_pairs(side.reader, couples), share=Match().pairs)


def _couples(dailies: Dailies) -> list[Mismatch]:
    """Takes of the training side that do not sit together."""
    return mismatches(list(dailies.windows(TRAIN).reader.shots.values()))


def _judged(dailies: Dailies, couple: Mismatch) -> bool:
    """Whether a couple is kept from training: one of every third take is in it."""
    held = set(sorted(dailies.windows(TRAIN).reader.shots)[::3])
    return couple.one in held or couple.other in held


def _unseen(dailies: Dailies) -> Windows:
    """Held-out takes, each beside another that sits with it where there is one."""
    side = dailies.windows(VAL)
    shots = list(side.sampling.shots.values())
    sampling = Sampling(shots, seed=1, references=dailies.references, from_mates=1.0)
    return Windows(side.reader, sampling)


# -- what is compared -----------------------------------------------------------------------------


def _methods(options: Namespace, dailies: Dailies, work: Path) -> dict[str, Method]:
    methods: dict[str, Method] = {
        name: (lambda p, way=way: way(p.given.plate[0], p.given.reference[0, 0])[None])
        for name, way in CLASSICAL.items()
    }
    methods["oracle gain"] = lambda p: oracle_gain(p.given.plate[0], p.target[0])[None]
    net = _unet(options, _sides(dailies), work / "unet.pt")
    methods["U-Net"] = lambda p: apply_tiled(net, p.given.plate)
    if not options.quick:
        base = load_fit(options.base).model
        methods["base's net alone"] = lambda p: _net_alone(base, p)
        methods["base"] = lambda p: base.predict(p.given)
        for name, minutes, start in (("1 min", 1.0, options.base), ("from nothing", None, None)):
            fit = _fit(options, dailies, work / name.replace(" ", "_"), minutes, start)
            methods[name] = lambda p, model=fit.model: model.predict(p.given)
    start = None if options.quick else options.base
    fit = _fit(options, dailies, work / "fit", None, start)
    print(f"fit: {fit.card['steps']} steps in {fit.card['minutes']} minutes")
    methods["fit's net alone"] = lambda p: _net_alone(fit.model, p)
    methods["fit"] = lambda p: fit.model.predict(p.given)
    return methods


def _net_alone(model: FieldModel, pair: Pair) -> torch.Tensor:
    """What a net makes that is not held to the set."""
    return model.apply(model.said(model.small(pair.given)), pair.given)


def _fit(
    options: Namespace, dailies: Dailies, work: Path, minutes: float | None, start: str | None
) -> Fit:
    """Train, or take what an earlier run trained."""
    made = work / "fit"
    if not made.is_dir():
        rate = 3e-3 if start is None else 1e-3
        settings = _settings(options, minutes or options.minutes, rate=rate)
        plan = Plan(_recipe(options), settings, init_from=start)
        if not (work / "run.json").is_file():
            plan.write(work)
        task = plan.recipe.build_task()
        sides = with_replay(_sides(dailies), work.parent / "cache", task=task, plan=plan)
        finish(work, made, execute(work, sides))
    return load_fit(made)


def _unet(options: Namespace, sides: Sides, kept: Path) -> Any:
    """Trained as TuNet trains one for a shot, for the same minutes."""
    task = Match(families=SEEN, size=options.size)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for step in range(10_000_000):
            batch = collated([_pair(task, sides.train, 2 * step + i, 5) for i in range(2)])
            yield batch.given.plate, batch.target

    if kept.is_file():
        net, _ = train_unet(batches(), width=16, max_steps=1)
        net.load_state_dict(torch.load(kept, weights_only=True))
        return net.eval()
    length: dict[str, Any] = {"max_steps": 2} if options.quick else {"max_minutes": options.minutes}
    if options.steps:
        length = {"max_steps": options.steps}
    net, steps = train_unet(batches(), width=16, **length)
    print(f"U-Net (16 channels): {steps} steps")
    kept.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), kept)
    return net


# -- what it is compared on -----------------------------------------------------------------------


def _pair(task: Match, source: Any, index: int, stream: int) -> Pair:
    return task.pair(source.window(index), generator(stream, index))


def _sets(options: Namespace, dailies: Dailies) -> dict[str, list[Pair]]:
    def task(families: Sequence[str]) -> Match:
        return Match(
            families=families, codecs=CODECS, size=options.size, keep=0, harmonise=0, worlds=0
        )

    unseen = _unseen(dailies)
    last = _sides(dailies, seen=False).train
    count = range(options.count)
    return {
        "unseen takes, unseen families": [_pair(task(HELD_OUT), unseen, i, 6) for i in count],
        "unseen takes, trained families": [_pair(task(SEEN), unseen, i, 7) for i in count],
        "unseen frames of seen shots, trained families": [
            _pair(task(SEEN), last, i, 8) for i in count
        ],
        "real pairs of takes": _real_pairs(options, dailies),
    }


def _real_pairs(options: Namespace, dailies: Dailies) -> list[Pair]:
    """Couples that no fit learnt from, each way; what stands still is judged."""
    reader = dailies.windows(TRAIN).reader
    task = Match(size=options.size)
    couples = [couple for couple in _couples(dailies) if _judged(dailies, couple)]
    found = [pair for couple in couples if (pair := mined(reader, couple)) is not None]
    pairs = []
    for pair in found[: options.count // 4]:
        both, names = (pair.one_CHW, pair.other_CHW), (pair.mismatch.one, pair.mismatch.other)
        for (target, plate), name in zip((both, both[::-1]), names, strict=True):
            beside = reader.frames(name, [reader.shots[name].first])[0]
            given = task.given(PlainWindow(plate[None], beside), {})
            pairs.append(Pair(given, target[None], {}, pair.mask_1HW[None]))
    return pairs


# -- scores ---------------------------------------------------------------------------------------


def _scored(kind: str, pairs: list[Pair], methods: dict[str, Method]) -> list[Row]:
    if not pairs:
        print(f"\n{kind}: the show has none")
        return []
    with torch.no_grad():
        table = {name: _numbers(method, pairs) for name, method in methods.items()}
    print(f"\n{len(pairs)} frames: {kind}")
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
        mask = pair.weight if float(pair.weight.amin()) == 0.0 else None
        for column, metric in zip(columns, (psnr, psnr_log, delta_e_2000), strict=True):
            column.append(float(metric(made, pair.target, mask=mask)))
    return columns


def _rows(kind: str, table: dict[str, Any]) -> list[Row]:
    means = {name: statistics.fmean(values[0]) for name, values in table.items()}
    logs = {name: statistics.fmean(values[1]) for name, values in table.items()}
    ours, ours_log = means.pop("fit"), logs.pop("fit")
    best = max(means[name] for name in CLASSICAL)
    wanted = 7.0 if "seen shots" in kind else 4.0
    if "real" in kind:
        wanted = 0.0
    worst = min(a - b for a, b in zip(table["fit"][0], table["identity"][0], strict=True))
    rows = [
        Row(f"PSNR, {kind}", "dB", ours, means, f">= best classical + {wanted:g}",
            ours - best >= wanted),
        Row(f"log PSNR, {kind}", "dB", ours_log, logs),
        Row(f"worst frame over identity, {kind}", "dB", worst, {}, ">= -0.5", worst >= -0.5),
    ]  # fmt: skip
    if "base" in means:
        base = means["base"]
        rows.append(Row(f"over the base, {kind}", "dB", ours - base, {}, ">= 1", ours - base >= 1))
    return rows


if __name__ == "__main__":
    main()

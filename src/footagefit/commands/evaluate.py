"""`footagefit evaluate`: a fit on a show's held-out shots, beside what could be done without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit.errors import FootagefitError, UsageError, WrongValue

if TYPE_CHECKING:
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.show import Show
    from footagefit.evaluation.judge import Asked, Judge
    from footagefit.evaluation.perceptual import Lpips
    from footagefit.evaluation.results import Evaluation, ShotResult
    from footagefit.rendering.fits import Fit

As = Literal["table", "json"]


def evaluate(
    *,
    fit: Path,
    show: Path,
    against: Path | None,
    bases: Sequence[str],
    shots: str | None,
    frames: int,
    draws: int,
    seed: int,
    methods: str | None,
    unet_steps: int,
    long_side_px: int,
    out: Path | None,
    card: bool,
    as_: As,
    dry_run: bool,
) -> int:
    """Judge a fit; see configs/evaluate.yaml for each key."""
    from footagefit.dailies.show import load_show
    from footagefit.evaluation.judge import Asked
    from footagefit.evaluation.results import RESULT, write
    from footagefit.rendering.fits import load_fit

    if frames < 1 or draws < 1:
        raise WrongValue("frames and draws: expected 1 or more")
    if unet_steps < 0 or long_side_px < 32:
        raise WrongValue("unet_steps: expected 0 or more; long_side_px: expected 32 or more")
    production = load_show(show)
    ours = load_fit(fit, bases=bases)
    other = None if against is None else load_fit(against, bases=bases)
    asked = Asked(frames, draws, seed, unet_steps, long_side_px, production.view.exposure_ev)
    dailies = dailies_of(production, asked)
    picked = picked_of(production, dailies, shots)
    checks = [leak_checked(one, picked, production) for one in (ours, other) if one is not None]
    folder = out or production.work / "reports" / ours.path.resolve().name
    names = None if methods is None else [n.strip() for n in methods.split(",") if n.strip()]
    judge = _judge(ours, other, dailies, asked, folder, names)
    quiet = as_ == "json"
    if not quiet:
        _describe(ours, judge, picked, checks)
    if dry_run:
        return 0
    results = _results(judge, dailies, picked)
    found = _found(production, ours, other, judge, results, "; against: ".join(checks))
    path = write(found, folder / RESULT)
    if quiet:
        print(path.read_text(encoding="utf-8"), end="")
    else:
        _print(found, judge, path)
    if card:
        _onto_card(ours, found, folder, quiet=quiet)
    return 0


def dailies_of(production: Show, asked: Asked) -> Dailies:
    """The show's dailies as fits are judged on them."""
    from footagefit.dailies.data import Dailies

    return Dailies(production, references=1, long_side_px=asked.long_side_px, workers=0)


def picked_of(production: Show, dailies: Dailies, pattern: str | None) -> list[Shot]:
    """Held-out shots by default; of those named, any that may be used: leaks are found later."""
    from footagefit.commands.shots import chosen
    from footagefit.dailies.entries import TRAIN, VAL

    held_out = dailies.shots(VAL)
    if pattern is None:
        if not held_out:
            raise UsageError(
                "no shot is held out", path=production.catalogue,
                hint="Look at: footagefit shots show=<show>",
            )  # fmt: skip
        return held_out
    return chosen(held_out + dailies.shots(TRAIN), clip=pattern, scene=None, side=None)


def leak_checked(fit: Fit, picked: Sequence[Shot], production: Show) -> str:
    """One line of what was checked; raises where the fit was trained on what is picked."""
    from footagefit.dailies.database import Catalogue
    from footagefit.evaluation import leaks

    with Catalogue(production.catalogue) as catalogue:
        everything, media = catalogue.shots(), catalogue.media()
    fits = production.work / "fits"
    return leaks.check(
        fit.path, fit.card, picked, everything=everything, media=media, fits=fits
    )  # fmt: skip


def _judge(
    fit: Fit, other: Fit | None, dailies: Dailies, asked: Asked, folder: Path,
    names: Sequence[str] | None,
) -> Judge:  # fmt: skip
    from footagefit import __version__
    from footagefit.evaluation.examples import judged_task
    from footagefit.evaluation.judge import Judge
    from footagefit.evaluation.ways import ways_of

    if other is not None and other.recipe.task.name != fit.recipe.task.name:
        raise UsageError(
            f"{fit.path.name} was taught {fit.recipe.task.name}, {other.path.name} "
            f"{other.recipe.task.name}",
            hint="Set against= to a fit of the same task",
        )
    lpips = perceptual()
    identity = {
        "fit": fit.hash,
        "against": "" if other is None else other.hash,
        "recipe": str(fit.card["files"]["recipe.yaml"]),
        "lpips": "" if lpips is None else str(lpips.source.name),
        "code": __version__,
    }
    methods = ways_of(fit, against=other, unet_steps=asked.unet_steps, names=names)
    return Judge(dailies, judged_task(fit.recipe), methods, asked, folder, identity, lpips)


def perceptual() -> Lpips | None:
    """LPIPS with a real backbone, or none at all."""
    from footagefit.errors import MissingPart
    from footagefit.evaluation.perceptual import Lpips

    try:
        return Lpips()
    except MissingPart:
        return None


def _results(judge: Judge, dailies: Dailies, picked: Sequence[Shot]) -> list[ShotResult]:
    from footagefit.commands.progress import track

    return list(track(judge.shots(picked), total=len(picked), label="evaluate", unit="shots"))


def _found(
    production: Show, fit: Fit, other: Fit | None, judge: Judge, results: list[ShotResult],
    leak_check: str,
) -> Evaluation:  # fmt: skip
    from dataclasses import asdict

    from footagefit import __version__
    from footagefit.evaluation import intervals, ways
    from footagefit.evaluation.judge import fit_record
    from footagefit.evaluation.measured import METRICS
    from footagefit.evaluation.results import Evaluation

    there = {k for s in results for row in s.metrics.values() for k in row}
    metrics = tuple(m for m in METRICS if m.name in there)
    worse = ()
    if other is not None:
        worse = intervals.regressions(results, fit=ways.FIT, against=ways.AGAINST, metrics=metrics)
    runs = production.work / "runs"

    def record(one: Fit) -> Any:
        return fit_record(one, judge.folder, runs / str(one.card.get("run", one.path.name)))

    source = None if judge.lpips is None else judge.lpips.source.name  # pyright: ignore
    return Evaluation(
        show=production.name,
        task=fit.recipe.task.name,
        exposure_ev=judge.asked.exposure_ev,
        fit=record(fit),
        against=None if other is None else record(other),
        settings=asdict(judge.asked),
        leak_check=leak_check,
        lpips=source or "no real backbone at hand: left out",
        methods=tuple(w.method for w in judge.methods),
        metrics=metrics,
        shots=tuple(results),
        groups=tuple(intervals.groups(results)),
        gains=tuple(intervals.gains(results, fit=ways.FIT, metrics=metrics)),
        regressions=tuple(worse),
        code_version=__version__,
    )


def _describe(fit: Fit, judge: Judge, picked: Sequence[Shot], checks: Sequence[str]) -> None:
    asked = judge.asked
    scenes = len({s.scene for s in picked})
    print(
        f"{fit.path.name}: {len(picked)} shots of {scenes} scenes, {asked.frames} frames each "
        f"under {asked.draws} mismatches, {len(judge.methods)} methods"
    )
    for line in checks:
        print(f"leak check: {line}")
    if judge.lpips is None:
        print("LPIPS is left out: no real backbone is at hand (`footagefit doctor` says how)")


def _print(found: Evaluation, judge: Judge, path: Path) -> None:
    from footagefit.evaluation import tables

    if judge.kept:
        print(f"{judge.kept} shots were judged already")
    _table("means over shots, 95 % intervals", tables.methods(found))
    _table("gain of this fit in display PSNR, dB, shot by shot", tables.gains(found))
    _table("display PSNR by scene, dB", tables.by_group(found, "scene"))
    _table("by set-up", tables.by_group(found, "setup"))
    _table("by shot, least gain first", tables.by_shot(found))
    if found.against is not None:
        rows = tables.regressions(found)
        if len(rows) > 1:
            _table(f"worse than {found.against.name}, worst first", rows)
        else:
            print(f"no shot is worse than with {found.against.name} in any metric shown")
    print(f"report: {path}")


def _table(title: str, rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="")
    for index, name in enumerate(rows[0]):
        table.add_column(name, justify="right" if index else "left", overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    width = 1 + sum(2 + max(len(r[i]) for r in rows) for i in range(len(rows[0])))
    console = Console(width=max(80, width), highlight=False)
    console.print(table)
    console.print()


def _onto_card(fit: Fit, found: Evaluation, folder: Path, *, quiet: bool) -> None:
    from footagefit.evaluation import cards

    if "weights" in fit.path.resolve().parts[-2:-1]:
        return  # a shipped base belongs to the package, and its card with it
    try:
        path = cards.take_evaluation(fit.path, found, folder)
    except (OSError, FootagefitError) as error:
        raise FootagefitError(
            f"the card could not be written ({error})", path=fit.path, hint="Say card=false"
        ) from error
    if not quiet:
        print(f"card: {path}")

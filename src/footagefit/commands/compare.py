"""`footagefit compare`: several fits side by side on the same frames, as one static report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit.errors import AlreadyThere, FootagefitWarning, UsageError, WrongValue

if TYPE_CHECKING:
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.show import Show
    from footagefit.evaluation.compared import Column, Shelf
    from footagefit.evaluation.judge import Asked, Judge
    from footagefit.evaluation.results import ShotResult
    from footagefit.rendering.fits import Fit
    from footagefit.report.side_by_side import Size

Pictures = Literal["jpeg", "png"]
FIRST_VIEW_BYTES = 5_000_000


def compare(
    *,
    fits: Sequence[str],
    show: Path,
    bases: Sequence[str],
    out: Path | None,
    shots: str | None,
    frames: int,
    draws: int,
    seed: int,
    long_side_px: int,
    loop_px: int,
    pictures: Pictures,
    prune: bool,
    dry_run: bool,
) -> int:
    """Judge fits on the same frames and write the report; see configs/compare.yaml."""
    from footagefit.commands.evaluate import dailies_of, leak_checked, picked_of
    from footagefit.dailies.show import load_show
    from footagefit.evaluation.compared import Shelf
    from footagefit.evaluation.judge import Asked

    if frames < 1 or draws < 1:
        raise WrongValue("frames and draws: expected 1 or more")
    if long_side_px < 64 or loop_px < 0:
        raise WrongValue("long_side_px: expected 64 or more, and loop_px 0 or more")
    loaded = _loaded([Path(f).expanduser() for f in fits if f], bases)
    production = load_show(show)
    folder = out or production.work / "reports" / "side_by_side"
    _check_folder(folder)
    asked = Asked(frames, draws, seed, 0, long_side_px, production.view.exposure_ev)
    dailies = dailies_of(production, asked)
    picked = picked_of(production, dailies, shots)
    checks = {key: leak_checked(fit, picked, production) for key, fit in loaded.items()}
    print(f"{len(loaded)} fits, {len(picked)} shots, {frames} frames of each")
    for key, line in checks.items():
        print(f"leak check of {loaded[key].path.name}: {line}")
    if dry_run:
        return 0
    shelf = Shelf(folder, dailies.view, pictures, loop_px)
    judges = _judges(loaded, dailies, asked, shelf)
    results = _results(judges, picked)
    columns = _columns(loaded, results, production)
    data = _write(columns, checks, judges, picked, production, shelf)
    _tidy(shelf.folder, data, prune)
    return 0


def _loaded(paths: Sequence[Path], bases: Sequence[str]) -> dict[str, Fit]:
    """The fits by column, all of one task and none twice."""
    from footagefit.rendering.fits import load_fit

    if not paths:
        raise UsageError("fits is empty", hint="Say fits=[film_work/fits/a,film_work/fits/b]")
    found: dict[str, Fit] = {}
    for path in paths:
        fit = load_fit(path, bases=bases)
        key = f"fit_{fit.hash[:12]}"
        first = next(iter(found.values()), fit)
        if key in found:
            raise UsageError(
                f"it holds the same weights as {found[key].path.name}", path=path,
                hint="Name each fit once",
            )  # fmt: skip
        if fit.recipe.task.name != first.recipe.task.name:
            raise UsageError(
                f"it was taught {fit.recipe.task.name}, {first.path.name} "
                f"{first.recipe.task.name}", path=path, hint="Compare fits of one task",
            )  # fmt: skip
        found[key] = fit
    return found


def _check_folder(folder: Path) -> None:
    """A folder of something else is left alone."""
    ours = any((folder / name).exists() for name in ("judged", "page"))
    if folder.exists() and not folder.is_dir():
        raise AlreadyThere("a file is there", path=folder, hint="Say out=<a new folder>")
    if folder.is_dir() and not ours and any(folder.iterdir()):
        raise AlreadyThere(
            "the folder holds something that is no report", path=folder,
            hint="Say out=<a new folder>",
        )  # fmt: skip


def _judges(
    loaded: dict[str, Fit], dailies: Dailies, asked: Asked, shelf: Shelf
) -> dict[str, Judge]:
    """One for the plate as it is and one for each fit, all on one task: none of a fit's own."""
    from dataclasses import asdict

    from footagefit import __version__
    from footagefit.commands.evaluate import perceptual
    from footagefit.evaluation import ways
    from footagefit.evaluation.compared import PLATE
    from footagefit.evaluation.examples import compared_task
    from footagefit.evaluation.judge import Judge

    task, part = compared_task(next(iter(loaded.values())).recipe)
    lpips = perceptual()
    shared = {
        "task": repr(sorted(asdict(part).items())),
        "pictures": f"{shelf.form} {shelf.loop_px}",
        "lpips": "" if lpips is None else str(lpips.source.name),
        "code": __version__,
    }
    made = {}
    for key, fit in {PLATE: None, **loaded}.items():
        way = ways.untouched() if fit is None else ways.alone(fit)
        recipe = "" if fit is None else str(fit.card["files"]["recipe.yaml"])
        identity = {**shared, "fit": "" if fit is None else fit.hash, "recipe": recipe}
        folder = shelf.folder / "judged" / key
        keeper = shelf.keeper(key, folder)
        made[key] = Judge(dailies, task, [way], asked, folder, identity, lpips, keeper)
    return made


def _results(judges: dict[str, Judge], picked: Sequence[Shot]) -> dict[str, list[ShotResult]]:
    """Every judge's result of every shot; shots come one by one, so that a stop keeps most."""
    from footagefit.commands.progress import track

    def each() -> Iterator[tuple[str, ShotResult]]:
        for shot in picked:
            for key, judge in judges.items():
                yield key, next(judge.shots([shot]))

    found: dict[str, list[ShotResult]] = {key: [] for key in judges}
    total = len(picked) * len(judges)
    for key, result in track(each(), total=total, label="compare", unit="judgements"):
        found[key].append(result)
    kept = sum(judge.kept for judge in judges.values())
    if kept:
        print(f"{kept} of {total} were judged already")
    return found


def _columns(
    loaded: dict[str, Fit], results: dict[str, list[ShotResult]], production: Show
) -> list[Column]:
    from footagefit.evaluation.compared import PLATE, REFERENCE, TARGET, Column

    labels = _labels(loaded)
    beside = any(p.method == REFERENCE for s in results[PLATE] for p in s.pictures)
    found = [Column(REFERENCE, REFERENCE)] if beside else []
    found += [Column(PLATE, PLATE, results[PLATE]), Column(TARGET, TARGET)]
    for key, fit in loaded.items():
        found.append(_fit_column(key, fit, labels[key], results[key], production))
    return found


def _fit_column(
    key: str, fit: Fit, label: str, results: list[ShotResult], production: Show
) -> Column:
    from footagefit.commands.lineage import chain_of
    from footagefit.evaluation.compared import Column, flat
    from footagefit.evaluation.judge import curves_of

    card = dict(fit.card)
    told = {k: card.get(k) for k in ("steps", "minutes", "code_version")}
    told["began from"] = (card.get("parent") or {}).get("fit")
    told |= flat({"task": {"name": fit.recipe.task.name, **fit.recipe.task.settings}})
    told |= flat({"model": {"name": fit.recipe.model.name, **fit.recipe.model.settings}})
    told |= flat(card.get("settings") or {}, under="training.")
    run = production.work / "runs" / str(card.get("run", fit.path.name))
    return Column(
        key, label, results, fit.hash, told, curves_of(run), chain_of(fit.path, card),
        card.get("approvals", []), card.get("remarks", []),
    )  # fmt: skip


def _labels(loaded: dict[str, Fit]) -> dict[str, str]:
    """A fit's folder name; where two fits share it, what tells them apart goes before."""
    names = {key: fit.path.resolve() for key, fit in loaded.items()}
    taken = [path.name for path in names.values()]
    return {
        key: path.name if taken.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        for key, path in names.items()
    }


def _write(
    columns: Sequence[Column], checks: dict[str, str], judges: dict[str, Judge],
    picked: Sequence[Shot], production: Show, shelf: Shelf,
) -> dict[str, Any]:  # fmt: skip
    """Write the page; returns what is in it."""
    from footagefit import __version__
    from footagefit.evaluation.compared import PLATE, Told, gather
    from footagefit.evaluation.measured import METRICS
    from footagefit.report import side_by_side

    judge = judges[PLATE]
    asked = judge.asked
    told = Told(
        show=production.name,
        task=judge.task.spec.name,
        exposure_ev=asked.exposure_ev,
        settings={
            "frames": asked.frames, "draws": asked.draws, "seed": asked.seed,
            "long_side_px": asked.long_side_px,
        },
        leak_check=checks,
        lpips=judge.identity["lpips"] or "no real backbone at hand: left out",
        code_version=__version__,
    )  # fmt: skip
    rates = {}
    for shot in picked:
        reader = judge.dailies.windows(shot.side).reader
        rates[shot.name] = reader.media[reader.link(shot).path].rate or production.rate
    data = gather(told, columns, picked, METRICS, shelf=shelf, rates=rates)
    index = side_by_side.write(shelf.folder, data)
    print(f"report: {index}")
    return data


def _tidy(folder: Path, data: dict[str, Any], prune: bool) -> None:
    """Remove what other fits and shots left in the folder, or say that it is kept."""
    from footagefit.report import side_by_side

    if prune and (gone := side_by_side.prune(folder, data)):
        print(f"{gone} files of other fits and shots were removed")
    elif not prune and (kept := len(side_by_side.others(folder, data))):
        print(f"{kept} files of other fits and shots are kept: prune=true removes them")
    _say_sizes(side_by_side.size_of(folder, data))


def _say_sizes(size: Size) -> None:
    import warnings

    all_mb, first_mb = size.all_bytes / 1e6, size.first_bytes / 1e6
    print(f"{all_mb:.1f} MB in all, {first_mb:.2f} MB for the first view")
    if size.first_bytes > FIRST_VIEW_BYTES:
        line = f"the first view is {first_mb:.1f} MB, over 5. Say shots= to show fewer"
        warnings.warn(FootagefitWarning(line), stacklevel=2)

"""`footagefit train`: a show's dailies become a fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit import config
from footagefit.config import Raw
from footagefit.errors import (
    AlreadyThere,
    FootagefitError,
    FootagefitWarning,
    UnknownName,
    UsageError,
    WrongValue,
)
from footagefit.training.mirrors import Tracking
from footagefit.training.settings import MAY_CHANGE, Settings

if TYPE_CHECKING:
    from footagefit.rendering.fits import Part, Recipe
    from footagefit.tasks.base import Task
    from footagefit.training.run import Plan

_MODEL = "field"  # the default of configs/train.yaml
_LOOKED_AT = (2, 2)  # frames of a take, and takes of a set-up, where nobody measured


def train(
    *,
    show: Path | None,
    task: Raw,
    model: Raw,
    trainer: Settings,
    name: str | None,
    resume: Path | None,
    init_from: str,
    stage_scenes: int | None,
    work: Path,
    measure: bool,
    keyframes: Path | None,
    tracking: Tracking,
    group: str | None,
    online: bool,
    dry_run: bool,
) -> int:
    """Begin a run, or go on with one, and write its fit; see configs/train.yaml for each key."""
    from footagefit.rendering.fits import Recipe
    from footagefit.training.lightning import check_machine
    from footagefit.training.mirrors import mirrors_of
    from footagefit.training.run import Plan, finish
    from footagefit.training.shows import check_keyframes

    recipe = fitting(Recipe(part_of("task", task), part_of("model", model)))
    if resume is not None:
        folder = resume.expanduser()
        plan = _going_on(Plan.read(folder), trainer, folder)
    else:
        if show is None and stage_scenes is None:
            raise UsageError("show is not set", hint="Say show=<YAML or folder of dailies>")
        recipe, start = started(recipe, init_from)
        if keyframes is not None and show is not None:
            check_keyframes(show, keyframes)
        plan = Plan(
            recipe=recipe,
            settings=trainer,
            show=None if show is None else str(show),
            init_from=start,
            lineage=_stage_lineage(stage_scenes, recipe, trainer) if show is None else {},
            keyframes=None if keyframes is None else str(keyframes),
            trackers=mirrors_of(tracking),
            online=online,
            group=group,
        )
        folder = _new_folder(work if show is None else work_of(show), recipe, name)
    check_machine(plan.settings)
    _describe(plan, folder)
    if dry_run:
        return 0
    new = resume is None
    numbers = _run(plan, folder, new=new, measure=measure and new)
    if plan.settings.cache_only:
        print("latents are in the cache; say trainer.cache_only=false to train on them")
        return 0
    fit = folder.parent.parent / "fits" / folder.name
    finish(folder, fit, numbers, replace=resume is not None)
    _print_result(fit, folder, numbers)
    return 0


def fitting(recipe: Recipe) -> Recipe:
    """The recipe with a model that learns its task, where none was asked for by name."""
    known = recipe.build_task().spec.models
    if recipe.model.name in known or recipe.model.name != _MODEL or recipe.model.settings:
        return recipe
    from footagefit.rendering.fits import Part

    print(f"model: {known[0]}, which learns {recipe.task.name}")
    return replace(recipe, model=Part(known[0], {}))


def _run(plan: Plan, folder: Path, *, new: bool, measure: bool) -> Mapping[str, float]:
    """Prepare the show, write the plan, and train: here, or in one process for each device."""
    from footagefit.training.launch import over_devices
    from footagefit.training.lessons import forget, with_lessons
    from footagefit.training.run import execute
    from footagefit.training.shows import (
        dailies_of,
        fill_cache,
        lineage_of,
        need_show,
        sides_of,
        with_keyframes,
        with_real_pairs,
    )
    from footagefit.training.stage import replay_of, with_replay

    if plan.show is None and "stage" in plan.lineage:
        return _run_on_stage(plan, folder)
    show = need_show(plan.show)
    scanned(show)
    task = plan.recipe.build_task()
    if measure:
        measured(show, task)
    dailies = dailies_of(show, plan.settings, spec=task.spec)
    sides = sides_of(dailies)
    fill_cache(dailies)
    if plan.settings.ranks == 1:  # else each looks for its own
        sides = with_real_pairs(sides, dailies, task=task, settings=plan.settings)
    sides = with_keyframes(sides, plan.keyframes, space=dailies.show.space)
    sides = with_replay(sides, dailies.show.work / "cache", task=task, plan=plan)
    sides = with_lessons(sides, folder, task=task, seed=plan.settings.seed)
    if new:
        replay = replay_of(task, plan)
        lineage = lineage_of(dailies, keyframes=plan.keyframes, replay=replay)
        plan = replace(plan, lineage=lineage)
    plan.write(folder)
    if plan.settings.ranks == 1:
        numbers = execute(folder, sides, plan=plan)
    else:
        numbers = over_devices(folder, plan.settings)
    forget(folder)
    return numbers


def _run_on_stage(plan: Plan, folder: Path) -> Mapping[str, float]:
    """Train on soundstage scenes, rendered into the work folder's cache first."""
    from footagefit.training.run import execute
    from footagefit.training.stage import Rendered, sides_of_stage

    stage = plan.lineage["stage"]
    rows, columns = stage["size_px"]
    sides = sides_of_stage(
        folder.parent.parent / "cache",
        scenes=stage["scenes"],
        size_px=(rows, columns),
        seed=stage["seed"],
        task=plan.recipe.build_task(),
    )
    for side in (sides.train, sides.held_out):
        if isinstance(side, Rendered):
            print("soundstage: rendering what is not in the cache yet")
            side.render()
    plan.write(folder)
    return execute(folder, sides, plan=plan)


def _stage_lineage(scenes: int | None, recipe: Recipe, settings: Settings) -> dict[str, Any]:
    from footagefit.training.stage import lineage_of_stage

    task = recipe.build_task()
    size = getattr(task, "size", (112, 192))
    return lineage_of_stage(
        scenes=scenes or 0,
        size_px=(int(size[0]), int(size[1])),
        seed=settings.seed,
        teacher=task.spec.teacher,
    )


def work_of(show: Path) -> Path:
    """The show's work folder."""
    from footagefit.dailies.show import load_show

    return load_show(show).work


def scanned(show: Path) -> None:
    """Scan the show where that was never done, saying so."""
    from footagefit.dailies.show import load_show

    production = load_show(show)
    if production.catalogue.exists():
        return
    from footagefit.commands.scan import scan

    print(f"{production.name} was never scanned: scanning first")
    scan(show=show, workers=None, again=False, detector="auto", slates="auto", share=None)


def measured(show: Path, task: Task) -> None:
    """Measure the show's lenses, light and grain where the task wants them and nobody has.

    A few frames of each set-up: `footagefit measure` looks at more, and is not done over.
    """
    from footagefit.commands.measure import measure_dailies
    from footagefit.dailies.show import load_show
    from footagefit.training.shows import signature_of

    wants = any(name.startswith("signature.") for name in task.spec.vector)
    production = load_show(show)
    if not wants or signature_of(production.work) is not None:
        return
    print(f"{production.name} was never measured: measuring first, a few frames a set-up")
    try:
        measure_dailies(production, frames=_LOOKED_AT[0], takes=_LOOKED_AT[1])
    except FootagefitError as error:
        line = f"nothing was measured: {error}; training goes on without"
        warnings.warn(FootagefitWarning(line), stacklevel=2)


def part_of(group: str, raw: Mapping[str, Any]) -> Part:
    """The packaged config that a composed group came from, and what was set otherwise."""
    import yaml

    from footagefit.rendering.fits import Part

    known = {}
    for path in sorted((config.config_dir() / group).glob("*.yaml")):
        packaged = yaml.safe_load(path.read_text(encoding="utf-8"))
        known[path.stem] = packaged
        if packaged.get("_target_") == raw.get("_target_"):
            apart = {k: v for k, v in raw.items() if k not in packaged or packaged[k] != v}
            return Part(path.stem, apart)
    raise UnknownName(group, raw.get("_target_"), known)


def started(recipe: Recipe, init_from: str) -> tuple[Recipe, str | None]:
    """Where weights come from; a fit to start from brings its model's sizes along."""
    from footagefit.rendering.fits import Recipe, load_fit

    if init_from == "none":
        return recipe, None
    path = Path(init_from).expanduser()
    if init_from == "base":
        path = _shipped(recipe)
        if not path.is_dir():
            named = f"{recipe.task.name} base of model {recipe.model.name}"
            print(f"no {named} is shipped: training starts from nothing")
            return recipe, None
    fit = load_fit(path, bases=recipe.bases)
    learns = recipe.build_task().spec.models
    if fit.recipe.model.name not in learns:
        raise WrongValue(
            f"init_from={init_from}: its model is {fit.recipe.model.name}, and task "
            f"{recipe.task.name} is learnt by {', '.join(learns)}",
            hint="Say init_from=base, or a fit of such a model",
        )
    sizes = {**fit.recipe.model.settings, **recipe.model.settings}
    return Recipe(recipe.task, replace(fit.recipe.model, settings=sizes)), str(path)


def _shipped(recipe: Recipe) -> Path:
    """Where the task's base would lie; one that tasks share is of one model alone."""
    from footagefit.rendering.fits import RECIPE, read_recipe

    weights = Path(config.__file__).resolve().parent / "models" / "weights"
    shared = recipe.build_task().spec.base
    if shared and read_recipe(weights / shared / RECIPE).model.name == recipe.model.name:
        return weights / shared
    return weights / f"{recipe.task.name}_{recipe.model.name}"


def _going_on(plan: Plan, asked: Settings, folder: Path) -> Plan:
    """The run's own plan; what was asked for otherwise must be of what may change."""
    plain, default = asked.plain(), Settings().plain()
    said = {key: value for key, value in plain.items() if value != default[key]}
    mine = plan.settings.plain()
    wrong = sorted(k for k, v in said.items() if k not in MAY_CHANGE and mine[k] != v)
    if wrong:
        raise UsageError(
            f"a run goes on as it began, and trainer.{', trainer.'.join(wrong)} changed",
            path=folder,
            hint="Leave them out, or begin a new run with init_from=<fit>",
        )
    changes = {key: value for key, value in said.items() if key in MAY_CHANGE}
    return replace(plan, settings=replace(plan.settings, **changes))


def _new_folder(work: Path, recipe: Recipe, name: str | None) -> Path:
    runs = work / "runs"
    if name is not None:
        if (runs / name).exists():
            raise AlreadyThere(
                "a run of that name is there",
                path=runs / name,
                hint=f"Say resume={runs / name}, or another name=",
            )
        return runs / name
    number = 1
    while (runs / f"{recipe.task.name}_v{number:03d}").exists():
        number += 1
    return runs / f"{recipe.task.name}_v{number:03d}"


def _describe(plan: Plan, folder: Path) -> None:
    settings = plan.settings
    length = f"{settings.max_steps} steps"
    if settings.max_minutes is not None:
        length = f"{settings.max_minutes:g} minutes"
    start = "nothing" if plan.init_from is None else plan.init_from
    print(f"{plan.recipe.task.name} with {plan.recipe.model.name}, {length}, from {start}")
    print(f"run: {folder}")


def _print_result(fit: Path, folder: Path, numbers: Mapping[str, float]) -> None:
    from footagefit.training.standing import lines, stood

    if table := stood(folder):
        print("\n".join(lines(table)))
        print(f"look at it: {folder / 'standing.png'}")
    if numbers.get("val/step") == 0:
        print(
            "  no step beat the weights it began from: those are kept, and the fit changes nothing "
            "that they did not; train longer, or on more takes"
        )
    elif "val/step" in numbers:
        print(f"  kept: the weights of step {numbers['val/step']:.0f}, the best on held-out frames")
    print(f"fit: {fit}")

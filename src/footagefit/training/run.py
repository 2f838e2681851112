"""A run: its folder, how it begins, how it goes on to the bit, and the fit it ends in.

What belongs here: everything between a resolved config and a fit. What does not: the command line
and preparing a show (`commands/train.py`), the step (`fine_tune.py`).

A run's folder::

    run.json              recipe, settings, lineage: what the run is; read again on resume
    budget.json           steps that a budget in minutes came to
    record.jsonl review/  the record
    checkpoints/          last.ckpt (to go on from), best.safetensors (the best average)
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import FootagefitError, UsageError, WrongValue
from footagefit.footage.view import View
from footagefit.rendering.fits import (
    WEIGHTS,
    Part,
    Recipe,
    load_fit,
    read_about,
    read_card,
    save_fit,
)
from footagefit.training.lightning import precision_of, quiet, set_threads, trainer_of
from footagefit.training.settings import Settings

if TYPE_CHECKING:
    from footagefit.models.base import Model
    from footagefit.records import Pair
    from footagefit.tasks.base import Task
    from footagefit.training.examples import Source
    from footagefit.training.fine_tune import FineTune

FORMAT = 1


@dataclass(frozen=True)
class Plan:
    """What a run is: all that must not change when it goes on.

    Attributes:
        recipe: Task and model.
        settings: Budget, optimizer, machine.
        show: The show's YAML or folder; None where windows come from memory.
        init_from: A fit whose weights it starts from, or None.
        lineage: Show, clips and frames it learns from; goes into the card.
        keyframes: Folder of an artist's keyframes to learn from as well, or None.
        trackers: Mirrors of the record, by name.
        online: Let W&B reach out.
        group: Runs of one sweep share it in W&B and in `footagefit track`.
    """

    recipe: Recipe
    settings: Settings
    show: str | None = None
    init_from: str | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    keyframes: str | None = None
    trackers: tuple[str, ...] = ()
    online: bool = False
    group: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; trackers show it as the run's config."""
        return {
            "format": FORMAT,
            "task": {"name": self.recipe.task.name, "settings": dict(self.recipe.task.settings)},
            "model": {"name": self.recipe.model.name, "settings": dict(self.recipe.model.settings)},
            "settings": self.settings.plain(),
            "show": self.show,
            "init_from": self.init_from,
            "lineage": dict(self.lineage),
            "keyframes": self.keyframes,
            "trackers": list(self.trackers),
            "online": self.online,
            "group": self.group,
        }

    def write(self, folder: Path) -> None:
        """Into a new run's folder."""
        raw = self.plain()
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / "run.part"
        part.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, folder / "run.json")

    @staticmethod
    def read(folder: Path) -> Plan:
        """From a run's folder."""
        path = folder / "run.json"
        if not path.is_file():
            raise UsageError("no run there", path=folder, hint="Say resume=<a run's folder>")
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.get("format") != FORMAT:
            raise UsageError(f"format {raw.get('format')!r} is not known", path=path)
        return Plan(
            recipe=Recipe(Part(**raw["task"]), Part(**raw["model"])),
            settings=Settings.from_plain(raw["settings"]),
            show=raw["show"],
            init_from=raw["init_from"],
            lineage=raw["lineage"],
            keyframes=raw.get("keyframes"),
            trackers=tuple(raw["trackers"]),
            online=raw["online"],
            group=raw.get("group"),
        )

    def check_resumes(self, other: Plan, folder: Path) -> None:
        """Refuse to go on as something else."""
        apart = [f"trainer.{n}" for n in self.settings.changed(other.settings)]
        apart += ["task"] if self.recipe.task != other.recipe.task else []
        apart += ["model"] if self.recipe.model != other.recipe.model else []
        if apart:
            raise UsageError(
                f"a run goes on as it began, and {', '.join(apart)} changed",
                path=folder,
                hint="Leave them as they were, or begin a new run with init_from=<fit>",
            )


@dataclass(frozen=True)
class Sides:
    """What a run learns from and is judged on.

    Attributes:
        train: Windows to learn from.
        held_out: Windows to be judged on; their scenes are never trained on.
        review: Windows of review shots, by name.
        views: How review shots are shown, by name.
        view: How other pictures are shown.
        kept: Examples from a cache, to learn from in the place of `train`.
    """

    train: Source
    held_out: Source
    review: Mapping[str, Any] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    view: View = field(default_factory=View)
    kept: Any = None


def execute(folder: Path, sides: Sides, *, plan: Plan | None = None) -> dict[str, float]:
    """Run, or go on with, what lies in a folder; returns the last review's numbers.

    Args:
        folder: Holds `run.json`; goes on from `checkpoints/last.ckpt` where there is one.
        sides: Where windows come from.
        plan: Read from the folder by default.
    """
    begun = time.monotonic()
    plan = plan or Plan.read(folder)
    settings = plan.settings
    with warnings.catch_warnings():
        quiet()
        from footagefit.training.buckets import examples_of
        from footagefit.training.callbacks import Budget, Checkpoints, Review, say
        from footagefit.training.latents import kept_for
        from footagefit.training.mirrors import trackers
        from footagefit.training.preflight import Preflight, preflight
        from footagefit.training.standing import best_of, shot_rows, stand

        set_threads(settings)
        first = int(os.environ.get("RANK", "0")) == 0
        if first:
            say(f"train: building the model, and {settings.val_windows} held-out examples")
        task = plan.recipe.build_task()
        module = module_of(plan, folder, task)
        if settings.variants:
            sides = replace(sides, kept=kept_for(plan, folder, sides.train, task, module))
        if settings.cache_only:
            return {}
        pairs, shots = _judged_on(sides, plan.recipe, task, settings)
        checkpoints = Checkpoints(folder / "checkpoints", every=settings.save_every)
        made = _trackers(folder, plan, trackers)
        review = Review(
            pairs,
            shots,
            made,
            every=settings.review_every,
            patience=settings.patience,
            best=folder / "checkpoints" / "best.safetensors",
            views=sides.views,
        )
        review.stopped = lambda: checkpoints.stopping
        budget = Budget(folder / "budget.json", minutes=settings.max_minutes, begun=begun)
        examples = examples_of(sides.train, plan.recipe, settings, task=task)
        held = [*pairs, *examples.largest()] if pairs else []
        calls = [Preflight(held, settings), budget, review, checkpoints]
        trainer = trainer_of(settings, module.total_steps, calls)
        device = trainer.strategy.root_device
        if first:
            on = " before it goes on from its checkpoint" if checkpoints.last.exists() else ""
            say(f"train: trying a step and a look for their memory{on}")
        if settings.strategy != "fsdp":
            preflight(module, held, settings, device=device)
        batches = _batches(sides.kept or examples, settings, checkpoints, trainer)
        _fit(trainer, module, batches, checkpoints)
        numbers = {
            **review.kept, "steps": float(trainer.global_step), "s": time.monotonic() - begun
        }  # fmt: skip
        if trainer.is_global_zero and pairs and not checkpoints.told:
            say(f"train: judging the fit and the classical ways on {len(pairs)} held-out frames")
            fit = best_of(plan, folder, task, device=device, known=review.known)
            stand(plan, folder, fit=fit, pairs=pairs, view=sides.view)
            _told(made, folder, numbers, rows=shot_rows(fit, sides, pairs))
        for tracker in made:
            tracker.close()
    if checkpoints.told:
        raise Stopped(
            f"stopped at step {trainer.global_step}",
            path=folder,
            hint=f"Go on with resume={folder}",
        )
    return numbers


class Stopped(FootagefitError):
    """A run that was told to stop, and saved."""

    exit_code = 130


def finish(folder: Path, out: Path, numbers: Mapping[str, float], *, replace: bool = False) -> Path:
    """Write the fit of a finished run: the best average, its recipe and its card."""
    from safetensors.torch import load_file

    from footagefit.evaluation.cards import write_markdown
    from footagefit.training.shows import signature_for
    from footagefit.training.standing import stood

    plan = Plan.read(folder)
    weights = load_file(folder / "checkpoints" / "best.safetensors")
    about = read_about(folder / "checkpoints" / "best.safetensors")
    card = {
        "run": folder.name,
        "parent": _parent(plan),
        "lineage": dict(plan.lineage),
        "settings": plan.settings.plain(),
        "standing": {
            name: {k: round(v, 4) for k, v in row.items()} for name, row in stood(folder).items()
        },
        "metrics": {k: round(v, 4) for k, v in numbers.items() if k.startswith("val/")},
        "steps": int(numbers.get("steps", 0)),
        "minutes": round(numbers.get("s", 0.0) / 60.0, 2),
        "approvals": [],
    }
    measured = signature_for(plan.show)
    path = save_fit(
        out, recipe=plan.recipe, weights=weights, card=card, signature=measured, about=about,
        replace=replace,
    )  # fmt: skip
    write_markdown(path, fits=folder.parent.parent / "fits")
    return path


def _told(
    trackers: Sequence[Any], folder: Path, numbers: Mapping[str, float], *, rows: Sequence[Any]
) -> None:
    """Hand trackers the table of shots and the fit, as it will be written."""
    import tempfile

    from footagefit.training.standing import COLUMNS

    for tracker in trackers:
        tracker.table("shots", COLUMNS, rows)
    if len(trackers) < 2:
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        fit = finish(folder, Path(temporary) / folder.name, numbers)
        for tracker in trackers:
            tracker.fit(fit, ["latest", f"step-{int(numbers.get('val/step', 0))}"])


def module_of(plan: Plan, folder: Path, task: Task) -> FineTune:
    """What a plan trains, with the weights it starts from; `folder` is the run's."""
    import torch

    from footagefit.training.fine_tune import FineTune
    from footagefit.training.likeness import give_likeness
    from footagefit.training.memory import recompute

    settings, precision = plan.settings, precision_of(plan.settings)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        model = plan.recipe.build_model(task.spec)
    if plan.init_from is not None:
        _take_weights(model, Path(plan.init_from), plan.recipe.bases)
    give_likeness(model)
    if settings.recompute:
        recompute(model)
    return FineTune(
        model,
        seed=settings.seed,
        total_steps=_length(settings, folder),
        rate=settings.rate,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        ema_decay=settings.ema_decay,
        keep_batch=folder,
        compile_model=settings.compile_model,
        bf16=precision == "bf16",
        eight_bit=settings.eight_bit,
        fused=precision != "16",
        orthogonal=settings.orthogonal,
    )


def _take_weights(model: Model, path: Path, bases: Sequence[str]) -> None:
    """Start from a fit's weights; what does not fit by name or size is an error."""
    fit = load_fit(path, bases=bases)
    try:
        model.load_state_dict(fit.model.state_dict())
    except RuntimeError as error:
        raise WrongValue(
            "its model has other sizes than this run's",
            path=path,
            hint="Leave model.* as the fit's recipe has it",
        ) from error


def _length(settings: Settings, folder: Path) -> int:
    from footagefit.training.examples import ENDLESS_STEPS

    frozen = folder / "budget.json"
    if frozen.exists():
        return int(json.loads(frozen.read_text(encoding="utf-8"))["steps"])
    return settings.max_steps or ENDLESS_STEPS


def _judged_on(
    sides: Sides, recipe: Recipe, task: Task, settings: Settings
) -> tuple[list[Pair], dict[str, Pair]]:
    """Held-out examples, the same at every look and in every run of a seed."""
    from footagefit.tasks.draws import generator
    from footagefit.training.buckets import examples_of

    held_out = examples_of(sides.held_out, recipe, settings, task=task, stream=1)
    pairs = [held_out[index] for index in range(settings.val_windows)]
    shots = {
        name: held_out.pair(window, generator(settings.seed, number, 2))
        for number, (name, window) in enumerate(sorted(sides.review.items()))
    }
    if not shots:
        shots = {f"held_out_{i}": pair for i, pair in enumerate(pairs[:4])}
    return pairs, shots


def _batches(examples: Any, settings: Settings, checkpoints: Any, trainer: Any) -> Any:
    from footagefit.training.examples import ENDLESS_STEPS, Batches, loader

    batches = Batches(
        steps=settings.max_steps or ENDLESS_STEPS,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        start_step=_step_of(checkpoints.last),
        rank=trainer.global_rank,
        ranks=trainer.world_size,
    )
    return loader(examples, batches, workers=settings.workers)


def _step_of(checkpoint: Path) -> int:
    import torch

    if not checkpoint.exists():
        return 0
    raw = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return int(raw["global_step"])


def _fit(trainer: Any, module: FineTune, batches: Any, checkpoints: Any) -> None:
    last = checkpoints.last if checkpoints.last.exists() else None
    trainer.fit(
        module,
        train_dataloaders=batches,
        ckpt_path=None if last is None else str(last),
        weights_only=True,
    )


def _trackers(folder: Path, plan: Plan, make: Any) -> list[Any]:
    if int(os.environ.get("RANK", "0")) != 0:
        return []
    made = make(folder, names=plan.trackers, run=folder.name, online=plan.online, group=plan.group)
    for tracker in made:
        tracker.config(plan.plain())
    return made


def _parent(plan: Plan) -> dict[str, str] | None:
    if plan.init_from is None:
        return None
    files = read_card(plan.init_from)["files"]
    return {"fit": Path(plan.init_from).name, "hash": str(files[WEIGHTS])}

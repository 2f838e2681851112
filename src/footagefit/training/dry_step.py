"""What a training step takes of memory, found by taking some in a process of their own.

What belongs here: a real batch, forward, backward, optimizer and average, measured. What does not:
what is made of the figure (`footagefit validate`).

    python -m footagefit.training.dry_step '<recipe and settings as JSON>'
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import FootagefitError

if TYPE_CHECKING:
    from footagefit.rendering.fits import Recipe
    from footagefit.training.settings import Settings

_STEPS = 3  # the optimizer's own memory is there from the second on


@dataclass(frozen=True)
class Taken:
    """Memory of a step.

    Attributes:
        peak_mb: The most the training process held.
        step_mb: Of that, what steps added to the data and the model.
        device_mb: The most on the graphics card; 0 without one.
    """

    peak_mb: float
    step_mb: float
    device_mb: float


def measure(show: Path, recipe: Recipe, settings: Settings) -> Taken:
    """Take a few steps of a run in another process, which does not touch its files.

    Raises:
        FootagefitError: They failed; the message says why.
    """
    asked = {
        "show": str(show),
        "task": [recipe.task.name, dict(recipe.task.settings)],
        "model": [recipe.model.name, dict(recipe.model.settings)],
        "settings": settings.plain(),
    }
    command = [sys.executable, "-m", "footagefit.training.dry_step", json.dumps(asked)]
    source = str(Path(__file__).resolve().parents[2])
    known = [source, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, known))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        killed = done.returncode == -9
        hint = "Lower batch_size or long_side_px" if killed else "Mend that first"
        raise FootagefitError(
            "a step does not fit into memory" if killed else f"a step fails ({said})", hint=hint
        )
    return Taken(**json.loads(lines[-1]))


def taken_here(asked: dict[str, Any]) -> dict[str, float]:
    """Take the steps, and say what this process held."""
    import torch

    from footagefit.rendering.fits import Part, Recipe
    from footagefit.tasks.base import collated
    from footagefit.training.examples import Examples
    from footagefit.training.fine_tune import FineTune
    from footagefit.training.memory import recompute
    from footagefit.training.settings import Settings
    from footagefit.training.shows import dailies_of

    settings = Settings.from_plain(asked["settings"])
    recipe = Recipe(Part(*asked["task"]), Part(*asked["model"]))
    task = recipe.build_task()
    windows = dailies_of(Path(asked["show"]), settings, spec=task.spec).windows("train")
    examples = Examples(windows, task, seed=settings.seed)
    size = settings.batch_size // (settings.accumulate * settings.devices)
    batch = collated([examples[index] for index in range(size)])
    model = recipe.build_model(task.spec)
    if settings.recompute:
        recompute(model)
    tune = FineTune(model, seed=settings.seed, total_steps=_STEPS)
    optimizer = tune.configure_optimizers()["optimizer"]
    before_mb = peak_mb()
    for step in range(_STEPS):
        rng = torch.Generator().manual_seed(step)
        terms = tune.model.loss(batch, rng=rng)
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        tune.ema.follow(tune.model)
    on_device = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_initialized() else 0.0
    whole = peak_mb()
    return {"peak_mb": whole, "step_mb": whole - before_mb, "device_mb": on_device}


def peak_mb() -> float:
    """The most memory this process has held."""
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 1000 if sys.platform != "darwin" else kilobytes / 1e6


if __name__ == "__main__":
    try:
        print(json.dumps(taken_here(json.loads(sys.argv[1]))))
    except FootagefitError as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.exit_code)

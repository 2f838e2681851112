"""What a training step takes of memory, found by taking some in a process of their own.

What belongs here: a real batch through the run's own trainer, measured: forward, backward, clip,
optimizer, average, at the run's precision and on its device. What does not: what is made of the
figures (`footagefit validate`), and the stage's scenes that some tasks learn from besides.

    python -m footagefit.training.dry_step <folder with the run's plan>
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import FootagefitError

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.training.run import Plan

_STEPS = 3  # the optimizer's own memory is there from the second on
_SELF = Path("/proc/self")


@dataclass(frozen=True)
class Taken:
    """Memory of a step, in megabytes.

    Attributes:
        peak_mb: The most the training process held during steps.
        step_mb: Of that, what steps added to data and model: gradients, what forward keeps for
            backward, the optimizer's own.
        model_mb: Weights of the model.
        kept_mb: What the optimizer and the average keep beside them.
        device_mb: The most on the graphics card; 0 without one.
    """

    peak_mb: float
    step_mb: float
    model_mb: float
    kept_mb: float
    device_mb: float


def measure(plan: Plan) -> Taken:
    """Take a few steps of a run in another process, which does not touch its files.

    Args:
        plan: The run; its show as an absolute path.

    Raises:
        FootagefitError: They failed; the message says why.
    """
    settings = plan.settings
    few = replace(
        settings,
        max_steps=_STEPS,
        max_minutes=None,
        batch_size=settings.batch_size // settings.ranks,
        devices=1,
        nodes=1,
        strategy="auto",
        compile_model=False,
    )
    source = str(Path(__file__).resolve().parents[2])
    known = [source, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, known))}
    with tempfile.TemporaryDirectory() as folder:
        replace(plan, settings=few).write(Path(folder))
        command = [sys.executable, "-m", "footagefit.training.dry_step", folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        if done.returncode == -9 or "OutOfMemory" in said or "MemoryError" in said:
            raise FootagefitError(
                "a step does not fit into memory",
                hint=f"Say trainer.accumulate={settings.accumulate * 2}, or a smaller batch_size",
            )
        raise FootagefitError(f"a step fails ({said.rstrip('.')})", hint="Mend that first")
    return Taken(**json.loads(lines[-1]))


def taken_here(folder: Path) -> Taken:
    """Take the steps of the plan that lies in a folder, and say what this process held."""
    import torch
    from torch.utils.data import DataLoader

    from footagefit.tasks.base import collated
    from footagefit.training.buckets import examples_of
    from footagefit.training.lightning import quiet, set_threads, trainer_of
    from footagefit.training.run import Plan, module_of
    from footagefit.training.shows import dailies_of, need_show, sides_of, with_keyframes

    plan = Plan.read(folder)
    settings = plan.settings
    set_threads(settings)
    task = plan.recipe.build_task()
    dailies = dailies_of(need_show(plan.show), settings, spec=task.spec)
    sides = with_keyframes(sides_of(dailies), plan.keyframes, space=dailies.show.space)
    examples = examples_of(sides.train, plan.recipe, settings, task=task)
    batch = collated([examples[i] for i in range(settings.batch_size // settings.accumulate)])
    with warnings.catch_warnings():
        quiet()
        module = module_of(plan, folder, task)
        trainer = trainer_of(settings, _STEPS, [])
        _forget_peak()
        before_mb = _held_mb("VmRSS") or peak_mb()
        again: Any = [batch] * (_STEPS * settings.accumulate)
        trainer.fit(module, train_dataloaders=DataLoader(again, batch_size=None))
    state = [v for held in trainer.optimizers[0].state.values() for v in held.values()]
    on_device = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_initialized() else 0.0
    whole = peak_mb()
    return Taken(
        peak_mb=whole,
        step_mb=max(0.0, whole - before_mb),
        model_mb=_size_mb(module.model.state_dict().values()),
        kept_mb=_size_mb([*state, *module.ema.buffers()]),
        device_mb=on_device,
    )


def _size_mb(values: Iterable[object]) -> float:
    import torch

    tensors: list[Tensor] = [v for v in values if isinstance(v, torch.Tensor)]
    return sum(t.element_size() * t.nelement() for t in tensors) / 1e6


def peak_mb() -> float:
    """The most memory this process has held, since it was last forgotten where it can be."""
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    most = kilobytes / 1000 if sys.platform != "darwin" else kilobytes / 1e6
    return _held_mb("VmHWM") or most


def _forget_peak() -> None:
    """Let the most that was held count from here on: reading footage may have held more."""
    with contextlib.suppress(OSError):
        (_SELF / "clear_refs").write_text("5")


def _held_mb(name: str) -> float:
    """A line of what Linux says of this process's memory; 0 elsewhere."""
    try:
        lines = (_SELF / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(x.split()[1]) / 1000 for x in lines if x.startswith(f"{name}:")), 0.0)


if __name__ == "__main__":
    try:
        print(json.dumps(asdict(taken_here(Path(sys.argv[1])))))
    except FootagefitError as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.exit_code)

"""A run's processes: one for each device, on this machine or on several.

What belongs here: torchrun's command line, and asking SLURM for machines (submitit). What does not:
what a process does (`worker.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from footagefit.errors import FootagefitError, MissingPart
from footagefit.training.settings import Settings
from footagefit.training.worker import RESULT

_PORT = 29_500
_DAY_MIN = 1440


def over_devices(folder: Path, settings: Settings) -> Mapping[str, float]:
    """Train the run that lies in a folder, and wait for it; returns the last review's numbers."""
    (folder / RESULT).unlink(missing_ok=True)
    if settings.nodes > 1 and settings.meet is None:
        failed = any(_submitted(folder, settings))
    else:
        if settings.nodes > 1:
            print(f"on each of the other {settings.nodes - 1} machines, where {folder} and the "
                  "show lie at the same paths, say:")  # fmt: skip
            print("  " + " ".join(["python", *words(folder, settings, meet=settings.meet)[1:]]))
        done = subprocess.run(words(folder, settings, meet=settings.meet), check=False)
        failed = done.returncode != 0
    if failed or not (folder / RESULT).exists():
        raise FootagefitError(
            "a rank stopped; what it said is above",
            path=folder,
            hint=f"Mend it, then go on with resume={folder}",
        )
    return json.loads((folder / RESULT).read_text(encoding="utf-8"))


def words(folder: Path, settings: Settings, *, meet: str | None = None) -> list[str]:
    """What starts this machine's processes.

    Args:
        folder: The run's.
        settings: How many devices a machine, and how many machines.
        meet: `host:port` where machines find each other.
    """
    said = [sys.executable, "-m", "torch.distributed.run"]
    if settings.nodes == 1:
        said.append("--standalone")
    else:
        said += [f"--nnodes={settings.nodes}", "--rdzv-backend=c10d"]
        said += [f"--rdzv-endpoint={meet}", f"--rdzv-id={folder.name}"]
    said += [f"--nproc-per-node={settings.devices}", "-m", "footagefit.training.worker"]
    return [*said, str(folder)]


def _submitted(folder: Path, settings: Settings) -> list[int]:
    """Ask SLURM for the machines, and for their exit codes.

    SLURM's own SBATCH_* variables say which partition and account.
    """
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingPart(
            "several machines without trainer.meet are asked of SLURM by submitit",
            hint='pip install "footagefit[farm]", or say trainer.meet=<host:port of this machine>',
        ) from error
    executor = submitit.AutoExecutor(folder=str(folder / "submitit"))
    executor.update_parameters(
        name=folder.name,
        nodes=settings.nodes,
        tasks_per_node=1,
        gpus_per_node=settings.devices,
        timeout_min=_DAY_MIN,
    )
    print(f"asked for {settings.nodes} machines; what they say lies in {folder / 'submitit'}")
    return executor.submit(on_a_machine, folder, settings).results()


def on_a_machine(folder: Path, settings: Settings) -> int:
    """One machine's processes, in a job that has several; they meet at the first."""
    import submitit  # pyright: ignore[reportMissingImports]

    meet = f"{submitit.JobEnvironment().hostnames[0]}:{_PORT}"
    return subprocess.run(words(folder, settings, meet=meet), check=False).returncode

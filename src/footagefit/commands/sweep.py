"""`footagefit train -m`: one run for each of many configs, in one group.

What belongs here: where a sweep lies, what its runs are called, how it goes on, and what it came
to. What does not: which configs there are (Hydra's sweepers) and where they run (its launchers).

A sweep's folder, `<work>/sweeps/<group>`, holds `multirun.yaml` and the config of each run; the
runs and fits lie among the show's others and are called `<group>_<number>`. Saying the same again
with its group= goes on: finished runs are kept, unfinished ones resumed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footagefit import config
from footagefit.errors import AlreadyThere, FootagefitError, UsageError

_SCORE = "val/psnr"


class FailedRun(FootagefitError):
    """A run of a sweep that did not end in a fit."""


@dataclass(frozen=True)
class Job:
    """What runs one config of a sweep; can be pickled to another machine.

    Attributes:
        group: What the runs share.
        folder: Of the sweep.
    """

    group: str
    folder: Path

    def __call__(self, composed: dict[str, Any], number: int) -> float:
        """Train, or go on training; returns the best display PSNR on held-out frames."""
        from footagefit.training.run import Stopped

        name = f"{self.group}_{number:03d}"
        try:
            return self._trained(composed, name)
        except Stopped as error:  # the sweep ends with it
            print(f"footagefit: {name}: {error}", file=sys.stderr)
            raise KeyboardInterrupt from error
        except FootagefitError as error:
            print(f"footagefit: {name}: {error}", file=sys.stderr)
            raise FailedRun(
                f"{name} did not end in a fit ({error.what})",
                path=self.folder,
                hint=f"Mend it, then say the same with group={self.group}: finished runs are kept",
            ) from error

    def _trained(self, composed: dict[str, Any], name: str) -> float:
        from footagefit.commands.train import train
        from footagefit.rendering.fits import read_card

        composed = {**composed, "group": self.group, "name": name}
        bound = config.bind(train, composed)
        if bound["dry_run"]:
            train(**bound)
            return 0.0
        self._keep(composed, name)
        work = _work(composed)
        fit, run = work / "fits" / name, work / "runs" / name
        if fit.is_dir():
            print(f"{name} is there already")
        else:
            train(**{**bound, "resume": run if (run / "run.json").is_file() else None})
        return float(read_card(fit)["metrics"][_SCORE])

    def _keep(self, composed: Mapping[str, Any], name: str) -> None:
        """Write down what a run is; refuse to go on with it as something else."""
        path = self.folder / f"{name}.json"
        text = json.dumps(composed, indent=1, sort_keys=True) + "\n"
        if path.is_file() and path.read_text(encoding="utf-8") != text:
            raise AlreadyThere(
                "a run of that sweep is there, and was another one", path=path,
                hint="Say another group=",
            )  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)


def sweep(words: Sequence[str]) -> int:
    """Run every config that the words of `footagefit train` name."""
    from footagefit.commands.train import scanned

    common = config.shared("train", words)
    for key in ("resume", "name"):
        if common[key] is not None:
            raise UsageError(
                f"a sweep takes no {key}=", hint="Its runs are named, and gone on with, by group="
            )
    if common["show"] is None and common["stage_scenes"] is None:
        raise UsageError("show is not set", hint="Say show=<YAML or folder of dailies>")
    searched = [w for w in words if "interval(" in w]
    if searched and not any(w.startswith(("sweep=", "hydra/sweeper=")) for w in words):
        raise UsageError(
            f"{searched[0]} is a space to search", hint="Say sweep=optuna, or name values: key=1,2"
        )
    work = _work(common)
    group = common["group"] or _free(work / "sweeps")
    if common["dry_run"]:
        with tempfile.TemporaryDirectory() as folder:
            config.sweep("train", words, Job(group, Path(folder)), folder=Path(folder))
        return 0
    folder = work / "sweeps" / group
    if common["show"] is not None:  # runs that begin at once would all scan
        scanned(Path(common["show"]).expanduser())
    print(f"sweep: {folder}; group={group} goes on with it", flush=True)
    try:
        config.sweep("train", words, Job(group, folder), folder=folder)
    except ValueError as error:  # how a search says that its space is empty, or that no run ended
        raise UsageError(
            f"the search could not go on ({error})", path=folder, hint="Mend what is said above"
        ) from error
    finally:
        _print_result(work, group)
    return 0


def _work(common: Mapping[str, Any]) -> Path:
    from footagefit.commands.train import work_of

    if common["show"] is None:
        return Path(common["work"]).expanduser()
    return work_of(Path(common["show"]).expanduser())


def _free(sweeps: Path) -> str:
    """The first name that no sweep has."""
    number = 1
    while (sweeps / f"sweep_v{number:03d}").exists():
        number += 1
    return f"sweep_v{number:03d}"


def _print_result(work: Path, group: str) -> None:
    """Runs of the sweep, the best first."""
    from footagefit.commands.track import rows_of

    rows = [row for row in rows_of(work) if row["group"] == group and row["state"] == "fit"]
    rows.sort(key=lambda row: -(row["psnr"] or 0.0))
    for row in rows:
        print(f"  {row['name']:24s}{row['psnr'] or 0.0:9.2f} dB on held-out frames")
    if rows:
        print(f"best fit: {work / 'fits' / rows[0]['name']}")

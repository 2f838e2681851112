"""What every benchmark prints: ours beside the baselines of the same run, and whether it holds."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: see footagefit/__init__.py


@dataclass
class Row:
    """One number.

    Attributes:
        metric: What is measured.
        unit: Its unit.
        ours: Our value.
        baselines: Others' values in the same run, by name.
        target: What was asked for, in words; empty where nothing was.
        holds: Whether `ours` meets the target; computed, never typed; None without a target.
    """

    metric: str
    unit: str
    ours: float
    baselines: dict[str, float] = field(default_factory=dict)
    target: str = ""
    holds: bool | None = None


def arguments(
    description: str, *, more: Callable[[argparse.ArgumentParser], object] | None = None
) -> argparse.Namespace:
    """`--quick` for a smoke run, `--json FILE` for the rows, and what a script adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smoke run on tiny footage")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    if more is not None:
        more(parser)
    return parser.parse_args()


def words() -> dict[str, str]:
    """What was said as `name=value`, taken out of the command line."""
    said = [w for w in sys.argv[1:] if "=" in w and not w.startswith("-")]
    sys.argv[1:] = [w for w in sys.argv[1:] if w not in said]
    return dict(word.split("=", 1) for word in said)


def medians(jobs: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Median seconds of each job; the jobs take turns, so that a busy machine hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            begun = time.perf_counter()
            job()
            taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in taken.items()}


def show(title: str, rows: Sequence[Row], path: Path | None = None) -> None:
    """Print the table; write it as JSON where asked."""
    print(f"\n{title}\n")
    print("| metric | unit | ours | baselines | target | holds |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        others = ", ".join(f"{name} {value:.4g}" for name, value in row.baselines.items())
        holds = {True: "yes", False: "NO", None: ""}[row.holds]
        print(f"| {row.metric} | {row.unit} | {row.ours:.4g} | {others} | {row.target} | {holds} |")
    if path is not None:
        plain = [asdict(row) for row in rows]
        path.write_text(json.dumps(plain, indent=1, default=lambda v: v.item()) + "\n")

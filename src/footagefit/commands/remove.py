"""`footagefit remove`: take a signature's lens and grain off a clip."""

from __future__ import annotations

from pathlib import Path

from footagefit.commands import lensing
from footagefit.footage.writing import Existing, OutputForm


def remove(
    *,
    in_: Path,
    out: Path,
    signature: Path,
    effects: list[str] | None,
    lens: str | None,
    setup: str | None,
    seed: int | None,
    space: str,
    frames: str | None,
    layer: str,
    existing: Existing,
    threads: int | None,
    dry_run: bool,
    output: OutputForm,
) -> int:
    """Read `in_` frame by frame and write `out`; see configs/remove.yaml for each key."""
    job = lensing.Job(
        "remove", in_, out, signature, effects, lens, setup, seed, space, frames, layer, existing,
        threads, dry_run, output,
    )  # fmt: skip
    return lensing.run(job)

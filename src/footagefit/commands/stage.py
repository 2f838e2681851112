"""`footagefit stage`: shoot a show with known truth."""

from __future__ import annotations

import os
from pathlib import Path

from footagefit.commands.progress import track
from footagefit.soundstage.script import Script, write_script


def stage(
    *,
    out: Path,
    preset: str,
    seed: int,
    import_: Path | None,
    space: str,
    workers: int | None,
    dry_run: bool,
) -> int:
    """Shoot `preset` into `out`, or import a light stage; see configs/stage.yaml for each key."""
    out = out.expanduser()
    if import_ is not None:
        return _import(import_.expanduser(), out, space=space, dry_run=dry_run)
    script = write_script(preset, seed)
    _describe(script, out)
    if dry_run:
        return 0
    from footagefit.soundstage.crew import shoot

    taken = shoot(script, out, workers=workers or os.cpu_count() or 1)
    for _ in track(taken, total=len(script.takes), label="stage", unit="takes"):
        pass
    weight = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(f"{len(script.takes)} takes, {weight / 1e6:.1f} MB; look at {out / 'contact.jpg'}")
    return 0


def _import(folder: Path, out: Path, *, space: str, dry_run: bool) -> int:
    from footagefit.soundstage.light_stage import import_lights, subjects

    found = subjects(folder)
    for subject in found:
        print(f"{subject.name}: {len(subject.pictures)} pictures, one light each")
    if not dry_run:
        for _ in track(import_lights(found, out, space=space), total=len(found), label="import",
                       unit="subjects"):  # fmt: skip
            pass
        print(f"truth of {len(found)} subjects written to {out / 'truth'}")
    return 0


def _describe(script: Script, out: Path) -> None:
    height, width = script.size_px
    frames = sum(take.length for take in script.takes)
    lenses = {take.asked.lens.name for take in script.takes}
    print(f"{out}: {len(script.scenes)} scenes, {len(script.takes)} takes, {len(lenses)} lenses, "
          f"{frames} frames of {width}x{height}")  # fmt: skip
    for fault in script.faults:
        print(f"  {fault.shot}: {fault.kind} {fault.size:g} {fault.unit}")

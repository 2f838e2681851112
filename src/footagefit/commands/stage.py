"""`footagefit stage`: shoot a show with known truth."""

from __future__ import annotations

import os
from pathlib import Path

from footagefit.commands.progress import track
from footagefit.errors import WrongValue
from footagefit.soundstage.plan import Script
from footagefit.soundstage.script import write_script


def stage(
    *,
    out: Path,
    preset: str,
    seed: int,
    import_: Path | None,
    space: str,
    variety: int | None,
    beside: Path | None,
    workers: int | None,
    scene: str | None,
    truth_every: int | None,
    dry_run: bool,
) -> int:
    """Shoot `preset` into `out`, or import a light stage; see configs/stage.yaml for each key."""
    out = out.expanduser()
    if variety is not None:
        return _variety(variety, out, seed=seed, beside=beside, dry_run=dry_run)
    if beside is not None:
        raise WrongValue("beside= is drawn beside variety=, which is not given",
                          hint="Say how many scenes to measure: variety=200")  # fmt: skip
    if import_ is not None:
        return _import(import_.expanduser(), out, space=space, dry_run=dry_run)
    script = write_script(preset, seed, truth_every=truth_every)
    return _shoot(script, out, workers=workers or os.cpu_count() or 1, scene=scene, dry_run=dry_run)


def _shoot(script: Script, out: Path, *, workers: int, scene: str | None, dry_run: bool) -> int:
    """Say what will be shot, how long and how large, then do it."""
    from footagefit.soundstage import crew, schedule

    asked = script.part({take.shot for take in crew.takes_of(script, scene)})
    _describe(asked, out)
    reckoned = schedule.schedule(asked, film=crew.on_stage, workers=workers)
    there = _weight(out)
    print(f"  {reckoned}, truth of {reckoned.truths} frames"
          + (f"; {there / 1e9:.2g} GB are there already" if there else ""))  # fmt: skip
    schedule.room_for(out, reckoned, there=there)
    if dry_run:
        return 0
    taken = crew.shoot(script, out, workers=workers, scene=scene)
    for _ in track(taken, total=len(asked.takes), label="stage", unit="takes"):
        pass
    print(f"{len(asked.takes)} takes, {_weight(out) / 1e6:.1f} MB; look at {out / 'contact.jpg'}")
    return 0


def _weight(out: Path) -> int:
    return sum(p.stat().st_size for p in out.rglob("*") if p.is_file())


def _variety(scenes: int, out: Path, *, seed: int, beside: Path | None, dry_run: bool) -> int:
    """Measure how wide training scenes range, and draw it."""
    if scenes < 4:
        raise WrongValue(f"variety={scenes} is too few to tell anything", hint="Say variety=200")
    if beside is not None and not beside.expanduser().is_dir():
        raise WrongValue("beside= is not a folder", path=beside, hint="Name a folder of pictures")
    if dry_run:
        print(f"{out}: variety.json and variety.png of {scenes} scenes")
        return 0
    from footagefit.soundstage import variety

    measured = track(variety.measured(seed=seed, count=scenes), total=scenes, label="variety",
                     unit="scenes")  # fmt: skip
    figures = variety.of_scenes(measured)
    real = variety.of_pictures(beside.expanduser()) if beside is not None else None
    record, page = variety.report(figures, out, beside=real)
    for name, shares in figures.items():
        print(f"  {name}: {variety.covered(shares):.0%} of the range")
    print(f"{record} and {page}")
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
    scenes = {take.scene for take in script.takes}
    print(f"{out}: {len(scenes)} scenes, {len(script.takes)} takes, {len(lenses)} lenses, "
          f"{frames} frames of {width}x{height}")  # fmt: skip
    for fault in script.faults:
        print(f"  {fault.shot}: {fault.kind} {fault.size:g} {fault.unit}")

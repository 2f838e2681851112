"""`footagefit validate`: everything a training run will touch, checked before it starts.

It takes the words that `footagefit train` takes, and reads footage through the same data module,
so that what passes here is what will be run.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from footagefit.commands.progress import track
from footagefit.commands.train import fitting, part_of, started
from footagefit.config import Raw
from footagefit.errors import FootagefitError, UsageError
from footagefit.training.mirrors import Tracking, mirrors_of
from footagefit.training.settings import Settings

if TYPE_CHECKING:
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.entries import Shot
    from footagefit.rendering.fits import Recipe
    from footagefit.tasks.base import Task
    from footagefit.training.run import Plan

_AHEAD = 4  # batches that each loader process makes ready


@dataclass
class Findings:
    """What was checked: lines for a person, and what stands in the way."""

    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def good(self, line: str) -> None:
        """Something that is as it should be."""
        self.lines.append(f"  ok    {line}")

    def note(self, line: str) -> None:
        """Something to know, which stops nothing."""
        self.lines.append(f"  note  {line}")

    def fault(self, line: str) -> None:
        """Something that would stop the run, or make it worthless."""
        if line not in self.faults:
            self.lines.append(f"  FAULT {line}")
            self.faults.append(line)


def validate(
    *,
    show: Path,
    task: Raw,
    model: Raw,
    trainer: Settings,
    init_from: str,
    keyframes: Path | None,
    tracking: Tracking,
    read: bool,
    dry_steps: bool,
) -> int:
    """Check a run in advance; see configs/validate.yaml for each key."""
    from footagefit.rendering.fits import Recipe
    from footagefit.training.shows import dailies_of

    findings = Findings()
    recipe = fitting(Recipe(part_of("task", task), part_of("model", model)))
    plan = _plan(recipe, trainer, show, init_from, findings)
    learnt = plan.recipe.build_task()
    dailies = dailies_of(show, trainer, spec=learnt.spec)
    shots = _sides(dailies, findings)
    if shots:
        _clips(dailies, shots, read, findings)
        _cache(dailies, shots, findings)
    if learnt.spec.teacher == "sources":
        findings.note("scenes of the soundstage are rendered into the cache before the first run")
    plan = _besides(plan, dailies, keyframes, tracking, findings)
    if not findings.faults:
        _review(dailies, findings)
    if not findings.faults:
        _batches(dailies, learnt, trainer, findings)
    if dry_steps and not findings.faults:
        _step(plan, dailies.show.work, findings)
    print(f"{dailies.show.name}: {recipe.task.name} with {plan.recipe.model.name}")
    print("\n".join(findings.lines))
    if findings.faults:
        count = len(findings.faults)
        raise UsageError(
            f"{count} fault{'s' if count > 1 else ''} would stop or spoil the run: "
            f"{findings.faults[0]}",
            path=dailies.show.catalogue,
            hint="Mend what is listed above",
        )
    return 0


def _plan(
    recipe: Recipe, settings: Settings, show: Path, init_from: str, findings: Findings
) -> Plan:
    """What would be run, with the weights it would start from."""
    from footagefit.training.run import Plan

    start = None
    try:
        recipe, start = started(recipe, init_from)
        findings.good(f"it starts from {start or 'nothing'}")
    except FootagefitError as error:
        findings.fault(str(error))
    return Plan(recipe, settings, show=str(show.expanduser().resolve()), init_from=start)


def _sides(dailies: Dailies, findings: Findings) -> list[Shot]:
    """Both sides have shots, and nothing is on both."""
    from footagefit.dailies.entries import TRAIN, VAL

    shots: list[Shot] = []
    for side in (TRAIN, VAL):
        try:
            found = dailies.shots(side)
            sampling = dailies.windows(side).sampling
        except FootagefitError as error:
            findings.fault(str(error))
            continue
        shots += found
        frames = sum(s.length for s in sampling.shots.values())
        short = len(found) - len(sampling.shots)
        left = f", {short} too short for {dailies.length} frames" if short else ""
        findings.good(
            f"{side}: {len(sampling.shots)} shots of {len(sampling.scenes)} scenes, "
            f"{frames} frames{left}"
        )
    if not findings.faults:
        findings.good("no scene, take, file or duplicate is on both sides")
    return shots


def _clips(dailies: Dailies, shots: list[Shot], read: bool, findings: Findings) -> None:
    """Every clip is there, is what was scanned, says its colour space, and reads."""
    from footagefit.dailies.finding import find

    show, role = dailies.show, dailies.role
    reader = dailies.windows(shots[0].side).reader
    there = {i.path: i for i in find(show.roots, show.work, exclude=show.exclude)}
    links = sorted({reader.link(s).path: s for s in shots}.items())
    failed = 0
    for path, shot in track(links, total=len(links), label="validate", unit="clips"):
        medium = dailies.windows(shot.side).reader.media[path]
        file = show.work / path
        if path not in there:
            findings.fault(f"{file}: the clip has vanished. Mount it, or scan again")
        elif (there[path].bytes, there[path].changed_ns) != (medium.bytes, medium.changed_ns):
            findings.fault(f"{file}: changed since the scan. Scan again")
        elif not (medium.space or show.space):
            findings.fault(f"{file}: its colour space is not certain. Set space: in the show")
        elif read:
            try:
                middle = (shot.first + shot.last) // 2
                dailies.windows(shot.side).reader.frames(shot.name, [shot.first, middle, shot.last])
                continue
            except FootagefitError as error:
                findings.fault(str(error))
        else:
            continue
        failed += 1
    if not failed:
        how = "open and read" if read else "are there, unchanged"
        findings.good(f"{len(links)} clips {how}")
    missing = [s.name for s in shots if s.medium(role) is None]
    if missing:
        findings.note(
            f"{len(missing)} shots have no {role}: their {reader.link(shots[0]).role} or other "
            f"first medium is read ({', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''})"
        )


def _cache(dailies: Dailies, shots: list[Shot], findings: Findings) -> None:
    """The small frames have room."""
    need = 0
    for side in {s.side for s in shots}:
        reader = dailies.windows(side).reader
        need += sum(reader.cached_bytes(p, n) for p, n in reader.spans().items())
    have, free = dailies.cache.size_bytes(), _free_bytes(dailies.show.work)
    line = f"cache: {need / 1e9:.2f} GB needed, {have / 1e9:.2f} there, {free / 1e9:.1f} GB free"
    if need > dailies.cache.limit_bytes:
        findings.note(f"{line}; more than the cache may take, so the rest is decoded each time")
    elif need - have > free:
        findings.fault(f"{line}: the disk is too full")
    else:
        findings.good(line)


def _free_bytes(work: Path) -> int:
    return shutil.disk_usage(work if work.exists() else work.parent).free


def _besides(
    plan: Plan, dailies: Dailies, keyframes: Path | None, tracking: Tracking, findings: Findings
) -> Plan:
    """The work folder, an artist's keyframes, and where the record is mirrored."""
    from footagefit.tasks.keyframes import read_keyframes

    work = dailies.show.work
    try:
        tempfile.TemporaryFile(dir=work).close()
        findings.good(f"{work} can be written")
    except OSError as error:
        findings.fault(f"{work}: runs and fits cannot be written ({error.strerror})")
    for name in mirrors_of(tracking):
        if find_spec(name) is None:
            findings.fault(f"{name} is not installed. pip install {name}")
        else:
            findings.good(f"{name} is installed")
    if keyframes is None:
        return plan
    try:
        pairs = read_keyframes(keyframes, space=dailies.show.space or "auto")
        findings.good(f"{len(pairs.numbers)} keyframes, before and after")
    except FootagefitError as error:
        findings.fault(str(error))
    return replace(plan, keyframes=str(keyframes.expanduser().resolve()))


def _review(dailies: Dailies, findings: Findings) -> None:
    """Review shots can be read, and belong to a side."""
    from footagefit.training.shows import sides_of

    try:
        sides = sides_of(dailies)
    except FootagefitError as error:
        findings.fault(str(error))
        return
    if sides.review:
        findings.good(f"{len(sides.review)} review shots are there and read")
    else:
        findings.note("no review shots are named in the show; name some under review:")


def _batches(dailies: Dailies, task: Task, settings: Settings, findings: Findings) -> None:
    """What examples take of memory, from a real one of each side."""
    import torch

    from footagefit.dailies.entries import TRAIN, VAL
    from footagefit.training.examples import Examples

    made = []
    for side, stream in ((TRAIN, 0), (VAL, 1)):
        examples = Examples(dailies.windows(side), task, seed=settings.seed, stream=stream)
        try:
            pair = examples[0]
        except FootagefitError as error:
            findings.fault(str(error))
            return
        held = [*pair.given, pair.target, *pair.truth.values(), pair.weight]
        tensors = [t for t in held if isinstance(t, torch.Tensor)]
        made.append(sum(t.element_size() * t.nelement() for t in tensors) / 1e6)
    batch_mb = made[0] * settings.batch_size / settings.accumulate
    ready_mb = batch_mb * _AHEAD * settings.workers
    findings.good(
        f"{settings.batch_size // settings.accumulate} examples of {made[0]:.1f} MB at a time; "
        f"{settings.workers} workers hold up to {ready_mb:.0f} MB ready, "
        f"{settings.val_windows} held-out ones stay in memory: "
        f"{made[1] * settings.val_windows:.0f} MB"
    )


def _step(plan: Plan, work: Path, findings: Findings) -> None:
    """What the trainer takes of memory for a step of this size, from real ones."""
    from footagefit.training import dry_step

    try:
        taken = dry_step.measure(plan)
    except FootagefitError as error:
        findings.fault(str(error))
        return
    line = (
        f"a step peaks at {taken.peak_mb:.0f} MB in the trainer: {taken.step_mb:.1f} MB of it for "
        f"forward, backward and optimizer, beside {taken.model_mb:.1f} MB of weights "
        f"({taken.kept_mb:.1f} MB kept by optimizer and average)"
    )
    if taken.device_mb:
        line += f"; {taken.device_mb:.0f} MB on the device"
    free_mb = _free_mb()
    if free_mb is not None and taken.peak_mb > free_mb:
        findings.fault(
            f"{line}: {free_mb:.0f} MB are free. Say trainer.accumulate=2, or a smaller batch_size"
        )
    else:
        findings.good(line)
    saved_mb = 2 * (taken.model_mb + taken.kept_mb) + taken.model_mb  # last, next, and the best
    line = f"checkpoints take up to {saved_mb:.0f} MB"
    if saved_mb * 1e6 > _free_bytes(work):
        findings.fault(f"{line}: the disk is too full")
    else:
        findings.good(line)


def _free_mb() -> float | None:
    """Memory that can be had without swapping, where the system says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((int(x.split()[1]) for x in lines if x.startswith("MemAvailable")), None)
    return None if kilobytes is None else kilobytes / 1000

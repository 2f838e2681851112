"""`footagefit validate`: everything a training run will touch, checked before it starts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from footagefit.commands.progress import track
from footagefit.config import Raw
from footagefit.errors import FootagefitError, UsageError

if TYPE_CHECKING:
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.entries import Link, Shot
    from footagefit.dailies.show import Show


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
        self.lines.append(f"  FAULT {line}")
        self.faults.append(line)


def validate(
    *,
    show: Path,
    task: Raw,
    model: Raw,
    role: str,
    batch_size: int,
    length: int,
    references: int,
    long_side_px: int,
    cache_gb: float,
    workers: int,
    read: bool,
    dry_steps: bool,
) -> int:
    """Check a run in advance; see configs/validate.yaml for each key."""
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.show import load_show

    production = load_show(show)
    dailies = Dailies(
        production,
        batch_size=batch_size,
        length=length,
        references=references,
        long_side_px=long_side_px,
        cache_gb=cache_gb,
        workers=workers,
        role=role,
    )
    findings = Findings()
    shots = _sides(dailies, findings)
    if shots:
        _clips(production, dailies, shots, role, read, findings)
        _review(production, findings)
        _cache(dailies, shots, findings)
        _memory(dailies, findings)
    if shots and dry_steps and not findings.faults:
        _step(show, task, model, dailies, findings)
    print(f"{production.name}: task {str(task['_target_']).rpartition('.')[2].lower()}")
    print("\n".join(findings.lines))
    if findings.faults:
        count = len(findings.faults)
        raise UsageError(
            f"{count} fault{'s' if count > 1 else ''} would stop or spoil the run: "
            f"{findings.faults[0]}",
            path=production.catalogue,
            hint="Mend what is listed above",
        )
    return 0


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


def _clips(
    show: Show, dailies: Dailies, shots: list[Shot], role: str, read: bool, findings: Findings
) -> None:
    """Every clip is there, is what was scanned, says its colour space, and reads."""
    from footagefit.dailies.finding import find

    reader = dailies.windows(shots[0].side).reader
    there = {i.path: i for i in find(show.roots, show.work, exclude=show.exclude)}
    links = sorted({_link(s, role).path: s for s in shots}.items())
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


def _link(shot: Shot, role: str) -> Link:
    return shot.medium(role) or shot.primary


def _review(show: Show, findings: Findings) -> None:
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue) as catalogue:
        names = {s.name for s in catalogue.shots()}
    unknown = [n for n in show.review if n not in names]
    if unknown:
        findings.fault(f"review shots not in the catalogue: {', '.join(unknown)}")
    elif show.review:
        findings.good(f"{len(show.review)} review shots are there")
    else:
        findings.note("no review shots are named in the show; name some under review:")


def _cache(dailies: Dailies, shots: list[Shot], findings: Findings) -> None:
    need = 0
    for side in {s.side for s in shots}:
        reader = dailies.windows(side).reader
        need += sum(reader.cached_bytes(p, n) for p, n in reader.spans().items())
    have = dailies.cache.size_bytes()
    work = dailies.show.work
    free = shutil.disk_usage(work if work.exists() else work.parent).free
    line = f"cache: {need / 1e9:.2f} GB needed, {have / 1e9:.2f} there, {free / 1e9:.1f} GB free"
    if need > dailies.cache.limit_bytes:
        findings.note(f"{line}; more than cache_gb, so the rest is decoded each time")
    elif need - have > free:
        findings.fault(f"{line}: the disk is too full")
    else:
        findings.good(line)


def _memory(dailies: Dailies, findings: Findings) -> None:
    """What a step's data cost, from a real batch."""
    import torch

    from footagefit.dailies.entries import TRAIN

    if findings.faults:
        return
    windows = dailies.windows(TRAIN)
    batch = [windows.window(index) for index in range(dailies.batch_size)]
    tensors = [t for w in batch for t in (w.frames_TCHW, w.reference_RCHW, w.gone_T1HW)]
    size = sum(t.element_size() * t.nelement() for t in tensors if isinstance(t, torch.Tensor))
    ahead = 1 + 2 * dailies.workers
    findings.good(
        f"a batch of {dailies.batch_size} windows is {size / 1e6:.1f} MB; with {dailies.workers} "
        f"workers ahead of the trainer at most {ahead * size / 1e6:.0f} MB"
    )


def _step(show: Path, task: Raw, model: Raw, dailies: Dailies, findings: Findings) -> None:
    """What the trainer takes of memory for a step of this size, from real ones."""
    from footagefit.commands.train import part_of
    from footagefit.rendering.fits import Recipe
    from footagefit.training import dry_step
    from footagefit.training.settings import Settings

    settings = Settings(
        batch_size=dailies.batch_size,
        long_side_px=dailies.long_side_px,
        workers=dailies.workers,
        seed=dailies.seed,
    )
    recipe = Recipe(part_of("task", task), part_of("model", model))
    try:
        taken = dry_step.measure(show.expanduser().resolve(), recipe, settings)
    except FootagefitError as error:
        findings.fault(str(error))
        return
    line = (
        f"a step peaks at {taken.peak_mb:.0f} MB in the trainer, {taken.step_mb:.0f} MB of it for "
        f"forward, backward and optimizer"
    )
    if taken.device_mb:
        line += f"; {taken.device_mb:.0f} MB on the device"
    free_mb = _free_mb()
    if free_mb is not None and taken.peak_mb > free_mb:
        findings.fault(f"{line}: {free_mb:.0f} MB are free. Lower batch_size or long_side_px")
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

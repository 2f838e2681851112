"""`footagefit measure`: what a show's lenses, light and grain measure as, and a page of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.commands.progress import track
from footagefit.commands.references import References, Spheres, chart_in, check, with_references
from footagefit.commands.shots import chosen
from footagefit.errors import (
    AlreadyThere,
    FootagefitError,
    FootagefitWarning,
    UsageError,
    WrongValue,
)

if TYPE_CHECKING:
    import numpy as np

    from footagefit.dailies.entries import Link, Medium, Shot
    from footagefit.dailies.show import Show
    from footagefit.footage.clip import Clip
    from footagefit.signature.measuring import LensSeen, Run
    from footagefit.signature.page import Sample
    from footagefit.signature.record import MeasuredLight, SetupLook, Signature

_ROLES = ("original", "plate", "proxy")  # the finest first: grain and sharpness live there
_SHOW_PATCHES = 40  # frames whose patches make the show's own grain
_CROP_PX = 224


@dataclass(frozen=True)
class Pick:
    """A shot to look at: its finest medium, and which of that medium's frames."""

    shot: Shot
    link: Link
    medium: Medium
    numbers: tuple[int, ...]

    @property
    def lens(self) -> str:
        """The lens, by metadata; unnamed lenses are told apart by set-up."""
        named = str(self.medium.metadata.get("lens") or "").strip()
        return named or f"of {self.shot.setup}"


@dataclass
class Seen:
    """All that has been seen so far of a show."""

    lenses: dict[str, LensSeen] = field(default_factory=dict)
    setups: dict[str, SetupLook] = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict)
    colours: list[np.ndarray] = field(default_factory=list)
    patches: list[object] = field(default_factory=list)


def measure(
    *,
    show: Path,
    clip: str | None,
    out: Path | None,
    frames: int,
    takes: int,
    chessboard: Path | None,
    corners: list[int],
    flat: Path | None,
    chart: Path | None,
    hdri: Path | None,
    ball: Path | None,
    at: str | None,
    kind: Literal["grey", "chrome"],
    lens: str | None,
    setup: str | None,
    existing: Literal["replace", "error"],
    dry_run: bool,
) -> int:
    """Measure; see configs/measure.yaml for each key."""
    from footagefit.dailies.show import load_show
    from footagefit.signature import record

    production = load_show(show)
    folder = out.expanduser() if out is not None else production.work / "signature"
    if len(corners) != 2:
        raise WrongValue("corners: expected two numbers", hint="Say corners=[9,6]")
    given = References(chessboard, (int(corners[0]), int(corners[1])), flat, chart,
                       Spheres(hdri, ball, at, kind), lens, setup)  # fmt: skip
    check(given)
    if (folder / record.FILE).exists() and existing == "error":
        raise AlreadyThere("measured already", path=folder, hint="Say existing=replace")
    picks = _picked(production, clip, frames=frames, takes=takes)
    if dry_run:
        for name, group in picks.items():
            print(f"{name}: " + ", ".join(f"{p.link.path} {p.numbers}" for p in group))
        return 0
    seen = _looked_at(production, picks)
    made = with_references(_signature(production, seen), given, production)
    _write(folder, made, seen)
    return 0


def measure_dailies(show: Show, *, frames: int, takes: int) -> None:
    """Measure what the dailies alone say, where `footagefit measure` would write it."""
    seen = _looked_at(show, _picked(show, None, frames=frames, takes=takes))
    _write(show.work / "signature", _signature(show, seen), seen)


def _picked(show: Show, clip: str | None, *, frames: int, takes: int) -> dict[str, list[Pick]]:
    """Shots by set-up, each with the frames to look at."""
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.entries import CORRUPT, TRUNCATED

    with Catalogue(show.catalogue) as catalogue:
        whole = [s for s in catalogue.shots() if not {CORRUPT, TRUNCATED} & set(s.flags)]
        shots = chosen(whole, clip=clip, scene=None, side=None)
        media = {m.path: m for m in catalogue.media()}
    groups: dict[str, list[Pick]] = {}
    for shot in shots:
        link = min(shot.links, key=lambda k: _ROLES.index(k.role) if k.role in _ROLES else 9)
        groups.setdefault(shot.setup or shot.name, []).append(
            Pick(shot, link, media[link.path], _numbers(link, media[link.path], frames))
        )
    for name, group in groups.items():
        fine_first = sorted(group, key=lambda p: (p.link.role == "proxy", p.shot.name))
        groups[name] = [p for p in fine_first if p.numbers][:takes]
    groups = {name: group for name, group in sorted(groups.items()) if group}
    if not groups:
        raise UsageError("no shots to look at", path=show.catalogue, hint="Run: footagefit scan")
    print(f"{show.name}: {len(groups)} set-ups, {_count(groups)} frames to look at")
    return groups


def _count(picks: dict[str, list[Pick]]) -> int:
    return sum(len(pick.numbers) for group in picks.values() for pick in group)


def _numbers(link: Link, medium: Medium, count: int) -> tuple[int, ...]:
    """Frames spread evenly over a shot, the last one left for what follows."""
    there = [n for n in range(link.first, link.last + 1) if n not in set(medium.missing)]
    if not there or count < 1:
        return ()
    last = max(0, len(there) - 2)
    places = {round(i * last / max(1, count - 1)) for i in range(min(count, len(there)))}
    return tuple(there[i] for i in sorted(places))


def _looked_at(show: Show, picks: dict[str, list[Pick]]) -> Seen:
    """Every set-up in turn; only the small things seen in it stay in memory."""
    seen = Seen()
    every = [(name, pick) for name, group in picks.items() for pick in group]
    steps = track(_visits(show, every, seen), total=_count(picks), label="measure")
    for _ in steps:
        pass
    return seen


def _visits(show: Show, every: Sequence[tuple[str, Pick]], seen: Seen) -> Iterator[int]:
    from footagefit.signature import overlaps
    from footagefit.signature.measuring import FINE, LensSeen, SetupSeen
    from footagefit.signature.page import Sample

    open_setups: dict[str, SetupSeen] = {}
    for place, (name, pick) in enumerate(every):
        try:
            run, chart = _read(show, pick)
        except FootagefitError as error:
            warnings.warn(FootagefitWarning(f"left out: {error}"), stacklevel=2)
            yield from pick.numbers
            continue
        role = pick.link.role
        size = (run.frames[0].shape[0], run.frames[0].shape[1])
        squeeze = float(pick.medium.pixel_aspect or 1.0)
        glass = seen.lenses.setdefault(pick.lens, LensSeen(pick.lens, size, squeeze, role))
        if glass.medium not in FINE and role in FINE:
            glass.medium, glass.size = role, size
        if abs(glass.squeeze - squeeze) < 0.01:
            glass.add(run)
        look = open_setups.setdefault(name, SetupSeen(pick.lens, role))
        if look.medium in FINE or role not in FINE:
            look.add(run, shot=pick.shot.name)
        look.light = look.light or chart
        if name not in seen.samples:
            crop = _calm_crop(run.frames[0]) if role in FINE else None
            seen.samples[name] = Sample(overlaps.small(run.frames[0]), crop)
        yield from pick.numbers
        last = place + 1 == len(every) or every[place + 1][0] != name
        if last:
            _close(name, open_setups.pop(name), seen)


def _close(name: str, look: object, seen: Seen) -> None:
    """A set-up is through: its record stays, its frames' patches go."""
    import numpy as np

    from footagefit.signature.measuring import SetupSeen

    if not isinstance(look, SetupSeen):
        return
    seen.setups[name] = look.look()
    seen.colours += look.colours
    seen.samples[name] = replace(seen.samples[name], colours_N3=np.concatenate(look.colours))
    seen.patches += look.patches[: max(1, _SHOW_PATCHES // 8)]


def _read(show: Show, pick: Pick) -> tuple[Run, MeasuredLight | None]:
    """A shot's frames with the one after each, and a chart where its slate shows one."""
    from footagefit.signature.coordinates import channels_last
    from footagefit.signature.measuring import Run

    clip = _opened(show, pick.medium)
    frames, after = [], []
    there = set(clip.numbers)
    for number in pick.numbers:
        follows = number + 1 in there and number < pick.link.last
        read = clip.read([number, number + 1] if follows else [number])
        frames.append(channels_last(read.rgb_TCHW[0]))
        after.append(channels_last(read.rgb_TCHW[1]) if follows else None)
    chart = _chart_on_slate(clip, pick, show.white_k)
    clip.close()
    return Run(frames, after), chart


def _opened(show: Show, medium: Medium) -> Clip:
    from footagefit.footage.opening import open_clip

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)  # said once, by the scan
        return open_clip(
            show.work / medium.path,
            space=medium.space or show.space or "auto",
            rate=medium.rate,
            start=medium.first_frame if medium.form == "movie" else None,
            sidecar="none",
        )


def _chart_on_slate(clip: Clip, pick: Pick, white_k: float) -> MeasuredLight | None:
    from footagefit.dailies.entries import SLATE
    from footagefit.signature.coordinates import channels_last

    slates = [p for p in pick.medium.parts if p.kind == SLATE]
    for part in slates[:1]:
        middle = (part.first + part.last) // 2
        picture = channels_last(clip.read([middle]).rgb_TCHW[0])
        found = chart_in(picture, white_k)
        if found is not None:
            return found
    return None


def _calm_crop(frame_HWC: np.ndarray) -> np.ndarray | None:
    """A piece of a frame with little texture and neither dark nor burnt out."""
    import numpy as np

    from footagefit.signature import coordinates

    side = min(_CROP_PX, *frame_HWC.shape[:2])
    best, chosen_at = np.inf, None
    for y in range(0, frame_HWC.shape[0] - side + 1, max(1, side // 2)):
        for x in range(0, frame_HWC.shape[1] - side + 1, max(1, side // 2)):
            part = coordinates.luma(frame_HWC[y : y + side : 4, x : x + side : 4])
            level = float(np.median(part))
            rough = float(coordinates.stops(part).std()) + 0.3 * abs(
                np.log2(max(level, 1e-4) / 0.2)
            )
            if rough < best:
                best, chosen_at = rough, (y, x)
    if chosen_at is None:
        return None
    y, x = chosen_at
    return frame_HWC[y : y + side, x : x + side].copy()


def _signature(show: Show, seen: Seen) -> Signature:
    from footagefit import __version__
    from footagefit.signature import grade, grain
    from footagefit.signature.grain_patches import Patches
    from footagefit.signature.record import Signature

    kept = [p for p in seen.patches if isinstance(p, Patches)]
    return Signature(
        show=show.name,
        white_k=show.white_k,
        lenses={name: lens.lens() for name, lens in sorted(seen.lenses.items())},
        setups=dict(sorted(seen.setups.items())),
        grain=grain.fit(Patches.joined(kept)) if kept else None,
        grade=grade.fit(seen.colours),
        version=__version__,
    )


def _write(folder: Path, made: Signature, seen: Seen) -> None:
    """The record, the page, and what other tools read."""
    from footagefit.signature import grain_table, page, record, stmaps

    path = record.write(folder / record.FILE, made)
    sizes = {name: lens.size for name, lens in seen.lenses.items()}
    print(f"signature: {path}")
    for name, lens in made.lenses.items():
        if lens.distortion is not None and name in sizes:
            safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
            maps = stmaps.write(folder / "stmaps", safe, lens.distortion, sizes[name])
            print(f"ST-maps: {maps[0]}, {maps[1].name}")
    if made.grain is not None:
        print(f"grain table: {grain_table.write(folder / 'grain.tbl', made.grain)}")
    print(f"page: {page.write(folder / 'signature.html', made, samples=seen.samples, sizes=sizes)}")

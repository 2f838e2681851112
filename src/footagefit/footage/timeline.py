"""ALE, EDL and OTIO as plain events: what a log or a cut says of a stretch of a clip.

Here: reading and writing through OpenTimelineIO and its adapters, and the one record that comes
out. Not here: which clip on disk an event means (`dailies.linking`), and timecode arithmetic
(`footage.timecode`). Ranges are frame counts of timecode; outs are exclusive, as EDLs have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import AlreadyThere, UnreadableClip, WrongValue
from footagefit.footage.timecode import film_rate

if TYPE_CHECKING:
    import opentimelineio as otio

SUFFIXES = (".ale", ".edl", ".otio", ".otioz", ".otiod", ".xml", ".aaf", ".fcpxml")

_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class CDL:
    """A grade as ASC CDL holds it: slope, offset and power per channel, and saturation."""

    slope: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    power: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0


@dataclass(frozen=True)
class Event:
    """A stretch of source and, in a cut, where it sits.

    Attributes:
        name: Clip name.
        reel: Reel, tape or camera file name; empty where the log is silent.
        source_in: First source frame, counted as timecode counts.
        source_out: One past the last source frame; None together with `source_in`.
        record_in: First frame in the cut; None in a log.
        record_out: One past the last frame in the cut.
        rate: Frames a second.
        scene: Slated scene.
        take: Slated take.
        camera: Camera letter.
        source_file: File name or URL of the medium.
        cdl: The grade it was seen with.
        comments: Lines the cut carried along.
        fields: All other columns or metadata, by their own names.
    """

    name: str
    reel: str = ""
    source_in: int | None = None
    source_out: int | None = None
    record_in: int | None = None
    record_out: int | None = None
    rate: Fraction = Fraction(24)
    scene: str = ""
    take: str = ""
    camera: str = ""
    source_file: str = ""
    cdl: CDL | None = None
    comments: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Source frames the event covers; 0 where the log gives no range."""
        if self.source_in is None or self.source_out is None:
            return 0
        return self.source_out - self.source_in


def read_timeline(path: str | Path, *, rate: Fraction | float | None = None) -> list[Event]:
    """The events of a log or a cut, in its own order.

    Args:
        path: ALE, EDL, OTIO, or any file an installed OpenTimelineIO adapter reads.
        rate: Frames a second of an EDL, which does not say; 24 unless given. Logs and OTIO
            files carry their own.
    """
    path = Path(path)
    import opentimelineio as otio

    adapter, options = _reading(path, rate)
    try:
        if path.suffix.lower() in (".ale", ".edl"):
            made = otio.adapters.read_from_string(_text(path), adapter_name=adapter, **options)
        else:
            made = otio.adapters.read_from_file(str(path))
    except FileNotFoundError:
        raise UnreadableClip("no such timeline", path=path, hint="Check the path") from None
    except Exception as error:  # adapters raise whatever their parser met
        reason = str(error).strip().splitlines()
        raise UnreadableClip(
            f"not a readable timeline ({reason[0] if reason else type(error).__name__})",
            path=path,
            hint="Export it again as EDL (CMX3600), ALE or OTIO",
        ) from error
    return [_event(clip, made) for clip in _clips(made)]


def write_timeline(
    path: str | Path,
    events: Sequence[Event],
    *,
    title: str = "",
    overwrite: bool = False,
) -> Path:
    """Write events as ALE, EDL, OTIO, or whatever an installed adapter writes.

    Args:
        path: Where to; the suffix picks the form.
        events: In cut order. For a cut each needs a source range; gaps between record ranges
            become gaps of the cut.
        title: Name of the cut.
        overwrite: Whether a file already there may go.
    """
    path = Path(path)
    import opentimelineio as otio

    if path.exists() and not overwrite:
        raise AlreadyThere("timeline already there", path=path, hint="Ask for overwrite=true")
    if not events:
        raise WrongValue("a timeline needs at least one event", path=path)
    timeline = _timeline(events, title or path.stem, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        if path.suffix.lower() == ".ale":
            made = otio.schema.SerializableCollection(children=[_log_clip(e) for e in events])
            text = otio.adapters.write_to_string(
                made, "ale", columns=_columns(events), fps=_smpte(events[0].rate)
            )
            passing.write_text(text, encoding="utf-8")
        elif path.suffix.lower() == ".edl":
            text = otio.adapters.write_to_string(
                timeline, "cmx_3600", rate=_smpte(events[0].rate), reelname_len=32
            )
            passing.write_text(text, encoding="utf-8")
        else:
            otio.adapters.write_to_file(timeline, str(passing))
    except otio.exceptions.OTIOError as error:
        passing.unlink(missing_ok=True)
        raise WrongValue(
            f"cannot be written in this form ({error})", path=path, hint="Write .otio instead"
        ) from error
    passing.replace(path)
    return path


def _reading(path: Path, rate: Fraction | float | None) -> tuple[str, dict[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".edl":
        return "cmx_3600", {"rate": _smpte(film_rate(rate or 24))}
    if suffix == ".ale":
        return "ale", {"fps": _smpte(film_rate(rate or 24))}
    return "", {}


def _text(path: Path) -> str:
    """Logs come from every system: UTF-8 with or without mark, else Windows' Latin."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if path.suffix.lower() == ".ale":  # Avid ends rows with a tab; the adapter counts columns
        text = "\n".join(line.rstrip("\t") for line in text.split("\n"))
    return text


def _smpte(rate: Fraction) -> float:
    import opentimelineio as otio

    return otio.opentime.RationalTime.nearest_smpte_timecode_rate(float(rate))


def _clips(made: otio.core.SerializableObject) -> Iterable[otio.schema.Clip]:
    import opentimelineio as otio

    if isinstance(made, otio.schema.Timeline):
        for track in made.video_tracks():
            yield from track.find_clips()
    elif isinstance(made, otio.schema.SerializableCollection | otio.core.Composition):
        yield from made.find_clips()
    elif isinstance(made, otio.schema.Clip):
        yield made


def _event(clip: otio.schema.Clip, made: otio.core.SerializableObject) -> Event:
    import opentimelineio as otio

    metadata = _plain(clip.metadata)
    fields = _fields(metadata)
    source = clip.source_range
    if source is None and not clip.media_reference.is_missing_reference:
        source = clip.available_range()
    source_in = source_out = record_in = record_out = None
    rate = Fraction(24)
    if source is not None:
        rate = film_rate(source.start_time.rate)
        source_in = source.start_time.to_frames()
        source_out = source_in + source.duration.to_frames()
    if isinstance(made, otio.schema.Timeline):
        placed = clip.transformed_time_range(clip.trimmed_range(), made.tracks)
        start = made.global_start_time.to_frames() if made.global_start_time else 0
        record_in = start + placed.start_time.to_frames()
        record_out = record_in + placed.duration.to_frames()
    reference = clip.media_reference
    url = getattr(reference, "target_url", "") or ""
    lines = _inside(metadata, "cmx_3600", "comments")
    comments = [str(line) for line in lines] if isinstance(lines, list) else []
    said = {m[1].upper(): m[2].strip() for m in map(_SAYS.match, comments) if m}
    reel = str(_inside(metadata, "cmx_3600", "reel") or _first(fields, _REEL) or "")
    return Event(
        name=clip.name or "",
        reel=reel,
        source_in=source_in,
        source_out=source_out,
        record_in=record_in,
        record_out=record_out,
        rate=rate,
        scene=_first(fields, ("scene",)) or said.get("SCENE", ""),
        take=_first(fields, ("take",)) or said.get("TAKE", ""),
        camera=_first(fields, ("camera", "cam", "camera id")) or said.get("CAMERA", ""),
        source_file=url or said.get("SOURCE FILE", "") or _first(fields, ("source file",)),
        cdl=_cdl(metadata, fields),
        comments=tuple(c for c in comments if not _SAYS.match(c)),
        fields={k: v for k, v in fields.items() if k.lower() not in _SLATE},
    )


_SAYS = re.compile(r"^\s*\*?\s*(SCENE|TAKE|CAMERA|SOURCE FILE)\s*[:=]\s*(.+)$", re.IGNORECASE)
_SLATE = set(
    ["name", "start", "end", "duration", "tape", "scene", "take", "camera", "asc_sop", "asc_sat"]
) | {"source file"}
_REEL = ("reel", "tape", "reel name", "camroll", "reel_name")


def _plain(value: object) -> dict[str, object]:
    """An AnyDictionary as a dict, all the way down."""
    import opentimelineio as otio

    def down(thing: Any) -> object:
        if isinstance(thing, dict | otio._otio.AnyDictionary):
            return {str(k): down(v) for k, v in thing.items()}
        if isinstance(thing, list | tuple | otio._otio.AnyVector):
            return [down(v) for v in thing]
        return thing

    plain = down(value)
    return plain if isinstance(plain, dict) else {}


def _inside(tree: object, *keys: str) -> object:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _fields(metadata: dict[str, object]) -> dict[str, str]:
    """Columns of a log, or what a house wrote under its own name in an OTIO file."""
    found: dict[str, str] = {}
    for name, value in metadata.items():
        if name in ("cdl", "cmx_3600"):
            continue
        if isinstance(value, dict):
            found.update({k: str(v) for k, v in value.items() if isinstance(v, str | int | float)})
        elif isinstance(value, str | int | float):
            found[name] = str(value)
    return found


def _first(fields: dict[str, str], names: Sequence[str]) -> str:
    lower = {k.lower(): v for k, v in fields.items()}
    return next((lower[n].strip() for n in names if lower.get(n, "").strip()), "")


def _cdl(metadata: dict[str, object], fields: dict[str, str]) -> CDL | None:
    sop = _inside(metadata, "cdl", "asc_sop")
    saturation = _inside(metadata, "cdl", "asc_sat")
    text = _first(fields, ("asc_sop", "cdl"))
    numbers: list[float] = []
    if isinstance(sop, dict):
        numbers = [float(v) for k in ("slope", "offset", "power") for v in sop.get(k, ())]
    elif text:  # the adapter passes over whole numbers such as (1 1 1)(0 0 0)(1 1 1)
        numbers = [float(v) for v in _NUMBER.findall(text)]
    if saturation is None:
        said = _first(fields, ("asc_sat",))
        saturation = float(said) if _NUMBER.fullmatch(said) else None
    if len(numbers) < 9 and saturation is None:
        return None
    if len(numbers) < 9:
        numbers = [1.0] * 3 + [0.0] * 3 + [1.0] * 3
    s, o, p = (tuple(numbers[i : i + 3]) for i in (0, 3, 6))
    return CDL(s, o, p, 1.0 if saturation is None else float(str(saturation)))  # pyright: ignore[reportArgumentType]


def _timeline(events: Sequence[Event], title: str, path: Path) -> otio.schema.Timeline:
    import opentimelineio as otio

    rate = _smpte(events[0].rate)
    at = otio.opentime.RationalTime
    timeline = otio.schema.Timeline(name=title)
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    if path.suffix.lower() == ".ale":
        return timeline
    playhead = events[0].record_in or 0
    if playhead and path.suffix.lower() == ".edl":  # whose writer knows no start but a gap
        track.append(otio.schema.Gap(duration=at(playhead, rate)))
    elif playhead:
        timeline.global_start_time = at(playhead, rate)
    for event in events:
        if event.source_in is None:
            raise WrongValue(f"event {event.name!r} has no source range", path=path)
        gap = 0 if event.record_in is None else event.record_in - playhead
        if gap < 0:
            raise WrongValue(f"event {event.name!r} overlaps the one before it", path=path)
        if gap:
            track.append(otio.schema.Gap(duration=at(gap, rate)))
        track.append(_log_clip(event))
        playhead += gap + event.length
    return timeline


def _log_clip(event: Event) -> otio.schema.Clip:
    import opentimelineio as otio

    rate = _smpte(event.rate)
    clip = otio.schema.Clip(name=event.name)
    if event.source_in is not None:
        at = otio.opentime.RationalTime
        clip.source_range = otio.opentime.TimeRange(
            at(event.source_in, rate), at(event.length, rate)
        )
    if event.source_file:
        clip.media_reference = otio.schema.ExternalReference(target_url=event.source_file)
    columns = _slate(event)
    clip.metadata["ALE"] = columns
    says = [f"{k.upper()}: {columns[k]}" for k in ("Scene", "Take", "Camera") if k in columns]
    if event.source_file:
        says.append(f"SOURCE FILE: {event.source_file}")
    lines = [*event.comments, *says]
    clip.metadata["cmx_3600"] = {"reel": event.reel or event.name, "comments": lines}
    if event.cdl is not None:
        cdl = event.cdl
        clip.metadata["cdl"] = {
            "asc_sop": {
                "slope": list(cdl.slope),
                "offset": list(cdl.offset),
                "power": list(cdl.power),
            },
            "asc_sat": cdl.saturation,
        }
    return clip


def _slate(event: Event) -> dict[str, str]:
    known = {"Tape": event.reel, "Scene": event.scene, "Take": event.take, "Camera": event.camera}
    if event.cdl is not None:
        sop = (event.cdl.slope, event.cdl.offset, event.cdl.power)
        known["ASC_SOP"] = "".join(f"({' '.join(f'{v:.6f}' for v in three)})" for three in sop)
        known["ASC_SAT"] = f"{event.cdl.saturation:.6f}"
    rest = {k: v for k, v in event.fields.items() if k.lower() not in _SLATE}
    return {k: v for k, v in {**known, **rest}.items() if v != ""}


def _columns(events: Sequence[Event]) -> list[str]:
    names = ["Name", "Start", "End", "Duration", "Source File"]
    for event in events:
        names += [k for k in _slate(event) if k not in names]
    return names

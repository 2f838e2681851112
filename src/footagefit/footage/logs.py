"""What a log or a cut beside a clip says of it: ALE, EDL and OTIO sidecars.

Here: finding them, finding the clip's line in them, and putting what it says where the file itself
is silent. Not here: parsing (`timeline.py`), and the logs of a whole show (`dailies.linking`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from footagefit.errors import FootagefitError, FootagefitWarning, WrongValue
from footagefit.footage.pattern import parse
from footagefit.footage.timecode import can_drop, frames_of, timecode_of
from footagefit.footage.timeline import Event, read_timeline
from footagefit.records import ClipInfo

_OF_ONE_CLIP = (".ale", ".edl", ".otio")
_LENSES = ("Lens", "Lens Type", "Lens Model", "lens")


def said_of(info: ClipInfo, sidecar: str | Path) -> ClipInfo:
    """What is known of a clip, with what its sidecar adds; the file's own word is kept.

    Args:
        info: Of the clip, as its file tells it.
        sidecar: An ALE, EDL or OTIO file; `auto` for a file of the clip's own name beside it, or
            an ALE of its roll in its folder or the one above; `none`.

    Raises:
        UnreadableClip: The sidecar is missing or unreadable.
        WrongValue: The sidecar does not name the clip.
    """
    if str(sidecar) == "none":
        return info
    if str(sidecar) != "auto":
        path = Path(sidecar).expanduser()
        events = _events(path, info)
        event = _of(info, events)
        if event is None:
            known = ", ".join(dict.fromkeys(e.name for e in events[:6]))
            raise WrongValue(
                f"the sidecar does not name {info.path.name}",
                path=path,
                hint=f"It names {known}" if known else "It names no clip",
            )
        return _with(info, event)
    for path in _beside(info.path):
        try:
            event = _of(info, _events(path, info))
        except FootagefitError as error:
            message = f"{path}: the clip's log is left out ({error.what}). Say sidecar=none"
            warnings.warn(FootagefitWarning(message), stacklevel=3)
            continue
        if event is not None:
            return _with(info, event)
    return info


def _beside(clip: Path) -> list[Path]:
    """Logs that `auto` looks into, surest first."""
    own = [clip.with_name(_stem(clip.name) + suffix) for suffix in _OF_ONE_CLIP]
    found = [path for path in own if path.is_file()]
    for folder in (clip.parent, clip.parent.parent):
        if folder.is_dir():
            found += [p for p in sorted(folder.glob("*.[aA][lL][eE]")) if p not in found]
    return found


def _events(path: Path, info: ClipInfo) -> Sequence[Event]:
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _read(path, changed, str(info.rate) if info.rate else None)


@lru_cache(maxsize=32)
def _read(path: Path, changed: int, rate: str | None) -> Sequence[Event]:
    from fractions import Fraction

    return tuple(read_timeline(path, rate=Fraction(rate) if rate else None))


def _stem(name: str) -> str:
    """A clip's name without its frame number and suffix."""
    pattern = parse(Path(name))
    whole = pattern.before if pattern is not None else Path(name).stem
    return whole.rstrip("._-")


def _of(info: ClipInfo, events: Sequence[Event]) -> Event | None:
    """The clip's line: by file or clip name, else by reel and timecode; the longest of several."""
    stem = _stem(info.path.name).lower()
    named = [
        e
        for e in events
        if stem in {e.name.lower(), *(_stem(Path(n).name).lower() for n in (e.name, e.source_file))}
    ]
    reel = str(info.metadata.get("reel", "")).lower()
    if not named and reel and info.timecode and info.rate:
        start = frames_of(info.timecode, info.rate)
        named = [
            e
            for e in events
            if e.reel.lower() == reel
            and e.source_in is not None
            and e.source_in < start + info.length
            and e.source_in + e.length > start
        ]
    return max(named, key=lambda e: e.length, default=None)


def _with(info: ClipInfo, event: Event) -> ClipInfo:
    said: dict[str, object] = {
        "reel": event.reel,
        "scene": event.scene,
        "take": event.take,
        "camera": event.camera,
        "lens": next((event.fields[name] for name in _LENSES if event.fields.get(name)), ""),
        **event.fields,
    }
    rate = info.rate or event.rate
    timecode = info.timecode
    if timecode is None and event.source_in is not None and event.length >= info.length:
        drop = can_drop(rate) and any(";" in str(text) for text in event.fields.values())
        timecode = timecode_of(event.source_in, rate, drop_frame=drop)
    metadata = {name: text for name, text in said.items() if text not in (None, "")}
    return replace(info, rate=rate, timecode=timecode, metadata={**metadata, **info.metadata})

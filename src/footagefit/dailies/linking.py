"""From media to shots: which files show the same frames, what they are called, what is wrong.

Here: proxy, original and plate of the same frames made one shot by reel and timecode; slates from
logs and names put together; the cut held against the footage. All of it is made anew from the
media each time, in one transaction. Not here: looking at pixels (`examine`), set-ups (`setups`),
sides (`splits`).
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from footagefit.dailies import names, setups, splits
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import (
    DROPPED,
    PROXY,
    SHORT,
    SHOT,
    TINY,
    Link,
    Medium,
    Part,
    Shot,
    Slate,
)
from footagefit.dailies.finding import Found
from footagefit.dailies.show import Show
from footagefit.errors import FootagefitError
from footagefit.footage.timecode import frames_of
from footagefit.footage.timeline import Event, read_timeline

FEWEST_FRAMES = 5
_RANK = {PROXY: 0, "original": 1, "plate": 2}


@dataclass
class Problems:
    """What a person should see, a line each."""

    lines: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, path: str, kind: str, what: str) -> None:
        """Note one."""
        self.lines.add((path, kind, what))


class Lines(NamedTuple):
    """What sidecars say: logs count a camera's clips, cuts use pieces of them; both name slates."""

    logs: list[Event]
    cuts: list[Event]


def settle(catalogue: Catalogue, show: Show, sidecars: Sequence[Found]) -> list[Shot]:
    """Make shots, set-ups and sides from all media and sidecars, and store them."""
    media = [m for m in catalogue.media() if m.state in ("scanned", "bad")]
    problems = Problems()
    for medium in media:
        for flag in medium.flags:
            problems.add(medium.path, flag, medium.problem or _explained(medium, flag))
    rate = show.rate or next((m.rate for m in media if m.rate), Fraction(24))
    lines = _events(sidecars, rate, problems)
    good = [m for m in media if m.state == "scanned"]
    shots = _named(_linked(good, problems), good, lines, problems)
    shots = _against_the_cut(shots, good, lines.cuts, problems)
    looks = setups.looks_of(catalogue)
    shots = setups.grouped(shots, looks)
    shots = splits.families(shots, looks, good)
    shots = _measured(catalogue, shots)
    shots = _marked(catalogue, shots, good)
    with catalogue.change() as db:
        shots = splits.sided(db, shots, seed=show.seed)
        catalogue.replace_shots(db, shots)
        _store_problems(db, problems)
    return shots


def same_reel(one: str, other: str) -> bool:
    """Whether two reel names mean the same: equal, or one the roll that the other is a clip of."""
    a, b = _reel(one), _reel(other)
    if not a or not b:
        return False
    return a == b or (min(len(a), len(b)) >= 4 and (a.startswith(b) or b.startswith(a)))


def start_of(medium: Medium) -> int | None:
    """Timecode of the first frame as a count of frames; None where there is none to go by."""
    if not medium.timecode or medium.rate is None:
        return None
    try:
        return frames_of(medium.timecode, medium.rate)
    except FootagefitError:
        return None


# -- media of one shot ----------------------------------------------------------------------------


def _linked(media: Sequence[Medium], problems: Problems) -> list[Shot]:
    """Shots with all their media: the one with most frames leads, proxies first among equals."""
    lead = sorted(media, key=lambda m: (-m.length, _RANK.get(m.role, 3), m.path))
    groups = _by_reel(media)
    taken: dict[str, str] = {}
    shots: list[Shot] = []
    for medium in lead:
        if medium.path in taken:
            continue
        others = []
        for other in groups[_key(medium)]:
            if other.path == medium.path or other.path in taken or other.role == medium.role:
                continue
            shift = _shift(medium, other, problems)
            if shift is not None:
                others.append((other, shift))
                taken[other.path] = medium.path
        shots += [_shot(medium, part, others) for part in medium.parts if part.kind == SHOT]
    return shots


def _by_reel(media: Sequence[Medium]) -> dict[str, list[Medium]]:
    groups: dict[str, list[Medium]] = defaultdict(list)
    for medium in sorted(media, key=lambda m: (_RANK.get(m.role, 3), m.path)):
        groups[_key(medium)].append(medium)
    return groups


def _key(medium: Medium) -> str:
    """What media of the same frames share: the roll, or for want of one the name."""
    if medium.slate.roll:
        return _reel(medium.slate.roll)
    return _reel(medium.reel)[:4] or names.stem_of(medium.path).lower()


def _reel(name: str) -> str:
    return "".join(c for c in PurePosixPath(name).name.lower() if c.isalnum())


def _shift(lead: Medium, other: Medium, problems: Problems) -> int | None:
    """Number of a frame in `other` minus its number in `lead`, or None if they are not linked."""
    same_name = names.stem_of(lead.path).lower() == names.stem_of(other.path).lower()
    if not (same_name or same_reel(lead.reel, other.reel)):
        return None
    if lead.rate and other.rate and abs(lead.rate - other.rate) > Fraction(1, 100):
        return None
    here, there = start_of(lead), start_of(other)
    if here is not None and there is not None:
        overlap = min(here + lead.length, there + other.length) - max(here, there)
        if overlap <= 0:
            return None
        if not same_name and (here == 0 or there == 0) and _reel(lead.reel) != _reel(other.reel):
            return None  # a timecode that was never set says nothing about a whole roll
        return (other.first_frame - there) - (lead.first_frame - here)
    if not same_name and _reel(lead.reel) != _reel(other.reel):
        return None
    if lead.length == other.length:
        return other.first_frame - lead.first_frame
    if lead.first_frame <= other.first_frame and other.last_frame <= lead.last_frame:
        return 0  # a piece of it, with the numbers kept
    problems.add(other.path, "not linked", f"has the name of {lead.path} but no timecode to place")
    return None


def _shot(lead: Medium, part: Part, others: Sequence[tuple[Medium, int]]) -> Shot:
    links = [Link(lead.path, lead.role, part.first, part.last, 0, lead.id)]
    for other, shift in others:
        first = max(part.first + shift, other.first_frame)
        last = min(part.last + shift, other.last_frame)
        if first <= last:
            links.append(Link(other.path, other.role, first, last, shift, other.id))
    flags = list(dict.fromkeys(f for m in (lead, *(o for o, _ in others)) for f in m.flags))
    if part.length < FEWEST_FRAMES:
        flags.append(TINY)
    return Shot(
        name="",
        slate=lead.slate,
        scene="",
        setup="",
        first=part.first,
        last=part.last,
        links=tuple(links),
        flags=tuple(flags),
    )


# -- names ----------------------------------------------------------------------------------------


def _named(
    shots: list[Shot], media: Sequence[Medium], lines: Lines, problems: Problems
) -> list[Shot]:
    by_path = {m.path: m for m in media}
    named: list[Shot] = []
    counts: dict[str, int] = defaultdict(int)
    slates, logs = _indexed([*lines.logs, *lines.cuts]), _indexed(lines.logs)
    for shot in sorted(shots, key=lambda s: (s.primary.path, s.first)):
        lead = by_path[shot.primary.path]
        slate = Slate()
        linked = [(by_path[k.path], k) for k in shot.links]
        for event in _likely(slates, [medium for medium, _ in linked]):
            if any(_is_of(event, medium, link) for medium, link in linked):
                slate = slate.over(names.tidy(Slate(event.scene, event.take, event.camera)))
        for event in _likely(logs, [lead]):
            if _is_of(event, lead, shot.primary):
                shot = _against_the_log(shot, lead, event, problems)
        for link in shot.links:
            slate = _agreed(slate, by_path[link.path].slate, link.path, problems)
        scene = names.script_scene(slate.scene) or _folder_scene(lead.path)
        stem = names.stem_of(lead.path)
        counts[stem] += 1
        name = stem if counts[stem] == 1 else f"{stem}#{counts[stem]}"
        named.append(replace(shot, name=name, slate=slate, scene=scene))
    return named


def _against_the_log(shot: Shot, lead: Medium, event: Event, problems: Problems) -> Shot:
    """Flag a file that holds fewer frames than the camera's log counted."""
    lacks = event.length - lead.length
    same_start = event.source_in is not None and event.source_in == start_of(lead)
    if lacks <= 0 or not same_start or lead.role != PROXY or DROPPED in shot.flags:
        return shot
    problems.add(
        lead.path, DROPPED, f"the log counts {event.length} frames, it holds {lead.length}"
    )
    return replace(shot, flags=(*shot.flags, DROPPED))


def _agreed(slate: Slate, named: Slate, path: str, problems: Problems) -> Slate:
    """The log's word over the file name's; a contradiction is told."""
    for part in ("scene", "take", "camera"):
        logged, told = getattr(slate, part), getattr(named, part)
        finer = part == "scene" and names.script_scene(logged) == told  # 42A: a set-up of 42
        if logged and told and logged != told and not finer:
            problems.add(path, "slate", f"{part} is {logged} by the log, {told} by its name")
    return slate.over(named)


def _folder_scene(path: str) -> str:
    """Unslated footage: each folder is a scene of its own, told apart by a leading slash."""
    parent = PurePosixPath(path).parent.name
    return f"/{parent}" if parent not in ("", ".", "..") else "/"


def _indexed(events: Sequence[Event]) -> dict[str, dict[int, Event]]:
    """Lines by all that they may be found by: a show has thousands of both."""
    index: dict[str, dict[int, Event]] = defaultdict(dict)
    for n, event in enumerate(events):
        found_by = {names.stem_of(event.name).lower(), event.name.lower()}
        if event.source_file:
            found_by.add(names.stem_of(event.source_file).lower())
        for key in (*found_by, f"reel {_reel(event.reel)[:4]}"):
            index[key][n] = event
    return index


def _likely(index: dict[str, dict[int, Event]], media: Sequence[Medium]) -> list[Event]:
    """Lines that may be about some media, in order; `_is_of` makes sure."""
    found: dict[int, Event] = {}
    for medium in media:
        for reel in (medium.reel, medium.slate.roll):
            found |= index.get(f"reel {_reel(reel)[:4]}", {})
        found |= index.get(names.stem_of(medium.path).lower(), {})
    return [found[n] for n in sorted(found)]


def _is_of(event: Event, medium: Medium, link: Link) -> bool:
    """Whether a log's line is about a medium."""
    stem = names.stem_of(medium.path).lower()
    files = {names.stem_of(event.source_file).lower()} if event.source_file else set()
    named = stem in files | {names.stem_of(event.name).lower(), event.name.lower()}
    start = start_of(medium)
    if start is None or event.source_in is None or event.source_out is None:
        return named or (bool(event.reel) and _reel(event.reel) == _reel(medium.reel))
    if not named and not any(same_reel(event.reel, r) for r in (medium.reel, medium.slate.roll)):
        return False
    first = start + link.first - medium.first_frame
    last = start + link.last - medium.first_frame
    return event.source_in <= last and event.source_out > first


# -- the cut --------------------------------------------------------------------------------------


def _against_the_cut(
    shots: list[Shot], media: Sequence[Medium], cuts: Sequence[Event], problems: Problems
) -> list[Shot]:
    """Flag shots that have fewer frames than the cut takes from them."""
    by_path = {m.path: m for m in media}
    index = _indexed(cuts)
    shots_in = Counter(s.primary.path for s in shots)
    out = []
    for shot in shots:
        lead, link = by_path[shot.primary.path], shot.primary
        start = start_of(lead)
        need = [e for e in _likely(index, [lead]) if _is_of(e, lead, link)]
        if start is None:
            out.append(shot)
            continue
        first = start + shot.first - lead.first_frame
        last = start + shot.last - lead.first_frame
        whole = shots_in[lead.path] == 1
        head = max((first - e.source_in for e in need if e.source_in is not None), default=0)
        tail = max((e.source_out - 1 - last for e in need if e.source_out is not None), default=0)
        if whole and (head > 0 or tail > 0):
            lacks = [f"{n} at the {end}" for n, end in ((head, "head"), (tail, "tail")) if n > 0]
            problems.add(lead.path, SHORT, f"the cut takes more frames: {' and '.join(lacks)}")
            shot = replace(shot, flags=(*shot.flags, SHORT))
        out.append(shot)
    return out


def _events(sidecars: Sequence[Found], rate: Fraction, problems: Problems) -> Lines:
    """Lines of all sidecars that can be read."""
    lines = Lines([], [])
    for item in sidecars:
        try:
            events = read_timeline(item.file, rate=rate)
        except FootagefitError as error:
            problems.add(item.path, "unreadable", error.what)
            continue
        (lines.logs if item.file.suffix.lower() == ".ale" else lines.cuts).extend(events)
    return lines


# -- the rest -------------------------------------------------------------------------------------


def _measured(catalogue: Catalogue, shots: list[Shot]) -> list[Shot]:
    """One figure a shot out of its curves: medians, which a slate or a flash does not move."""
    firsts = {m.id: m.first_frame for m in catalogue.media()}
    by_medium: dict[int, list[int]] = defaultdict(list)
    for index, shot in enumerate(shots):
        by_medium[shot.primary.medium_id].append(index)
    out = list(shots)
    for row in catalogue.rows(
        "SELECT * FROM curves WHERE name IN ('exposure_ev', 'white_k', 'motion_px', 'focus')"
    ):
        curve = np.frombuffer(row["curve"], np.float16).astype(np.float32)
        for index in by_medium.get(row["medium"], ()):
            shot = out[index]
            at = shot.first - firsts[row["medium"]]
            values = curve[at : at + shot.length]
            values = values[np.isfinite(values)]
            if len(values):
                out[index] = replace(shot, **{row["name"]: round(float(np.median(values)), 4)})
    return out


def _marked(catalogue: Catalogue, shots: list[Shot], media: Sequence[Medium]) -> list[Shot]:
    """What people said of any medium of a shot holds for the shot."""
    said = {row["content"]: row for row in catalogue.rows("SELECT * FROM marks")}
    content = {m.path: m.content for m in media}
    out = []
    for shot in shots:
        marks = [said[c] for k in shot.links if (c := content[k.path]) in said]
        train = all(mark["train"] is None or mark["train"] for mark in marks)
        by = next((mark["approved_by"] for mark in marks if mark["approved_by"]), "")
        out.append(replace(shot, train=train, approved_by=by))
    return out


def _explained(medium: Medium, flag: str) -> str:
    if medium.missing:
        from footagefit.footage.pattern import ranges

        return f"no picture for {len(medium.missing)} frames: {ranges(medium.missing)}"
    return f"{flag}: frames are held or skipped in mid-motion" if flag.startswith("drop") else flag


def _store_problems(db: sqlite3.Connection, problems: Problems) -> None:
    db.execute("DELETE FROM problems")
    db.executemany("INSERT INTO problems VALUES (?, ?, ?)", sorted(problems.lines))

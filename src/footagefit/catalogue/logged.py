"""What camera logs and file headers say of a shot beside its slate: lens, circled, INT, NIGHT.

Here: finding each shot's line in the logs and taking words out of it. Not here: slates
(`dailies.linking` reads those), what pixels say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from footagefit.dailies.entries import Medium, Shot
from footagefit.dailies.finding import find
from footagefit.dailies.names import stem_of
from footagefit.dailies.show import Show
from footagefit.errors import FootagefitError
from footagefit.footage.timeline import Event, read_timeline

PLACES = ("int", "ext")
TIMES = ("day", "night", "dusk", "dawn", "morning", "evening")
_YES = ("y", "yes", "true", "1", "*", "x", "circled")
_CIRCLED = ("circled", "circle", "circle take", "good take", "print")
_LENS = ("lens", "lens type", "lens model", "focal length", "lens_name")
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_MOST_WORDS = 40


@dataclass(frozen=True)
class Said:
    """What was said of a shot.

    Attributes:
        lens: As the log or the header names it.
        circled: Whether somebody on set liked the take.
        words: Tags first (`int`, `night`, `circled`), then other words of the log's line.
    """

    lens: str = ""
    circled: bool = False
    words: tuple[str, ...] = ()


def said(show: Show, shots: Sequence[Shot], media: Sequence[Medium]) -> dict[str, Said]:
    """What logs and headers say of each shot; logs that cannot be read were listed by the scan."""
    lines: dict[str, list[Event]] = defaultdict(list)
    for item in find(show.roots, show.work, exclude=show.exclude):
        if item.form != "sidecar" or item.file.suffix.lower() != ".ale":
            continue
        try:
            events = read_timeline(item.file, rate=show.rate)
        except FootagefitError:
            continue
        for event in events:
            for name in {event.name, event.source_file} - {""}:
                lines[stem_of(name).lower()].append(event)
    by_path = {m.path: m for m in media}
    found = {}
    for shot in shots:
        fields: dict[str, str] = {}
        for link in shot.links:
            header = {k: str(v) for k, v in by_path[link.path].metadata.items()}
            fields = {**header, **fields}
            for event in lines.get(stem_of(link.path).lower(), ()):
                fields |= event.fields
        found[shot.name] = of_fields(fields, shot.primary.path)
    return found


def of_fields(fields: dict[str, str], path: str = "") -> Said:
    """What columns of a log, or a header's attributes, come to.

    Args:
        fields: By the names they have there.
        path: Of the clip: folders are called `INT_KITCHEN` and `night` too.
    """
    lower = {k.lower().replace("_", " "): v.strip() for k, v in fields.items()}
    lens = next((lower[n] for n in _LENS if lower.get(n)), "")
    circled = any(lower.get(n, "").lower() in _YES for n in _CIRCLED)
    text = [v for k, v in lower.items() if k not in _CIRCLED and len(v) < 60]
    words = [w.lower() for value in (*text, path) for w in _WORD.findall(value.replace("_", " "))]
    tags = [w for w in (*PLACES, *TIMES) if w in words]
    tags += ["circled"] if circled else []
    rest = [w for w in words if w not in tags and not w.isdigit()]
    return Said(lens, circled, tuple(dict.fromkeys([*tags, *rest]))[:_MOST_WORDS])

"""What a person decided in a report, as the page exports it: picks, notes and approvals.

What belongs here: reading that JSON, and refusing what is not it. What does not: cards and the
catalogue (`commands/approve.py`), the page that writes it (`assets/decisions.js`).

The JSON::

    {"format": 1, "kind": "footagefit decisions", "report": id, "show": name, "by": who,
     "fits": {name: sha256 of its weights},
     "picks": [{"shot", "frame", "fit", "at"}],
     "notes": [{"shot", "frame", "fit", "text", "at"}],
     "approvals": [{"fit", "text", "at"}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footagefit.errors import FootagefitError

FORMAT = 1
KIND = "footagefit decisions"
PICK, NOTE, APPROVAL = "pick", "note", "approval"
_GROUPS = {"picks": PICK, "notes": NOTE, "approvals": APPROVAL}
_LONGEST = 4000  # characters of a note


class BrokenDecisions(FootagefitError):
    """A file that is not what a report exports."""


@dataclass(frozen=True)
class Decision:
    """One thing that a person said.

    Attributes:
        what: `pick`, `note` or `approval`.
        fit: Name of the fit it is about; empty where a note is about the shot alone.
        content: That fit's weights' hash.
        shot: Name of the shot; empty in an approval, which is of the whole fit.
        frame: As the file numbers it; None in an approval.
        text: What was said, on one line.
        at: The day, `YYYY-MM-DD`.
    """

    what: str
    fit: str
    content: str
    shot: str
    frame: int | None
    text: str
    at: str


@dataclass(frozen=True)
class Decisions:
    """Everything one person said of one report."""

    report: str
    show: str
    by: str
    items: tuple[Decision, ...]


def read(path: Path) -> Decisions:
    """Decisions from the JSON of a report's page; all of them are sound, or it is refused."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BrokenDecisions(
            "no such file", path=path, hint="Say from=<the JSON that a report exported>"
        ) from error
    except (OSError, ValueError) as error:
        raise BrokenDecisions("not JSON", path=path, hint="Export it from the report") from error
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise BrokenDecisions(
            "not a report's decisions", path=path, hint="Export it from the report's page"
        )
    if raw.get("format") != FORMAT:
        raise BrokenDecisions(
            f"format {raw.get('format')!r}, and this version reads {FORMAT}", path=path
        )
    fits = raw.get("fits")
    if not isinstance(fits, dict):
        raise BrokenDecisions("it lists no fits", path=path)
    items = []
    for group, what in _GROUPS.items():
        rows = raw.get(group, [])
        if not isinstance(rows, list):
            raise BrokenDecisions(f"{group}: expected a list", path=path)
        items += [_decision(what, row, fits, path) for row in rows]
    said = [" ".join(str(raw.get(key, "")).split()) for key in ("report", "show", "by")]
    return Decisions(said[0], said[1], said[2], tuple(items))


def _decision(what: str, row: Any, fits: Mapping[str, Any], path: Path) -> Decision:
    if not isinstance(row, dict):
        raise BrokenDecisions(f"a {what} is no object", path=path)
    texts = {key: row.get(key) or "" for key in ("fit", "shot", "text", "at")}
    for key, value in texts.items():
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise BrokenDecisions(f"a {what}: {key} is not a text of a note's length", path=path)
    frame = row.get("frame")
    if what == APPROVAL:
        frame, texts["shot"] = None, ""
    elif not texts["shot"] or not isinstance(frame, int) or isinstance(frame, bool):
        raise BrokenDecisions(f"a {what} names no shot and frame", path=path)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", texts["at"]):
        raise BrokenDecisions(f"a {what} says no day (YYYY-MM-DD)", path=path)
    if what != NOTE and not texts["fit"]:
        raise BrokenDecisions(f"a {what} names no fit", path=path)
    if texts["fit"] and not isinstance(fits.get(texts["fit"]), str):
        raise BrokenDecisions(f"a {what} names {texts['fit']!r}, which is not listed", path=path)
    content = fits[texts["fit"]] if texts["fit"] else ""
    text = " ".join(texts["text"].split())
    return Decision(what, texts["fit"], content, texts["shot"], frame, text, texts["at"])

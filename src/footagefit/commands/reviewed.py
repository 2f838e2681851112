"""What a person decided in a report, taken into cards and catalogue (`approve from=`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from footagefit.dailies.show import Show
    from footagefit.report.decisions import Decision, Decisions


def take(path: Path, show: Show, *, by: str) -> int:
    """Record picks, notes and approvals; all are checked before the first is written.

    Args:
        path: The JSON that the report's page exported.
        show: The show that was judged on.
        by: Who decided, where the file does not say.
    """
    from footagefit.evaluation.cards import take_review
    from footagefit.report import decisions

    found = decisions.read(path)
    who = found.by or by.strip()
    if not who:
        raise UsageError("it does not say who decided", path=path, hint="Say by=<who>")
    if found.show != show.name:
        raise UsageError(
            f"it is of the show {found.show!r}, not {show.name!r}", path=path,
            hint="Say show=<the show that was compared on>",
        )  # fmt: skip
    _check_shots(found, show)
    fits = _fits(found, show, path)
    entries = [(one, _entry(one, who)) for one in found.items]
    for content, fit in fits.items():
        mine = [(one, entry) for one, entry in entries if one.content == content]
        take_review(
            fit,
            approvals=[e for one, e in mine if one.what == decisions.APPROVAL],
            remarks=[e for one, e in mine if one.what != decisions.APPROVAL],
        )
    new = _into(show.catalogue, entries)
    counts = {w: sum(one.what == w for one in found.items) for w in ("pick", "note", "approval")}
    said = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
    known = len(entries) - new
    tail = f" ({known} known already)" if known else ""
    print(f"{said} by {who}{tail}; recorded in {len(fits)} cards, {show.catalogue}")
    return 0


def _check_shots(found: Decisions, show: Show) -> None:
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue, write=True) as catalogue:  # an older one is brought up to date
        known = [s.name for s in catalogue.shots()]
    for one in found.items:
        if one.shot and one.shot not in known:
            raise UnknownName("shot", one.shot, known)


def _fits(found: Decisions, show: Show, path: Path) -> dict[str, Path]:
    """The show's fits that are spoken of, by their weights' hash."""
    from footagefit.commands.approve import hash_of

    there = {hash_of(p.parent): p.parent for p in sorted((show.work / "fits").glob("*/card.json"))}
    wanted = {one.content: one.fit for one in found.items if one.content}
    for content, name in wanted.items():
        if content not in there:
            raise UsageError(
                f"the fit {name} ({content[:12]}) is not among the fits of {show.name}", path=path,
                hint=f"Put the fit's folder into {show.work / 'fits'}",
            )  # fmt: skip
    return {content: there[content] for content in wanted}


def _entry(one: Decision, by: str) -> dict[str, Any]:
    """A decision as cards and the catalogue have it."""
    if one.what == "approval":
        return {"what": "fit", "name": one.fit, "content": one.content, "by": by,
                "note": one.text, "at": one.at}  # fmt: skip
    return {"what": one.what, "shot": one.shot, "frame": one.frame, "by": by,
            "note": one.text, "at": one.at}  # fmt: skip


_APPROVALS = "approvals (what, name, content, approved_by, note, at)"
_REMARKS = "remarks (what, shot, frame, fit, content, said_by, note, at)"


def _into(path: Path, entries: list[tuple[Decision, dict[str, Any]]]) -> int:
    """Rows of the catalogue, once each; returns how many are new."""
    from footagefit.dailies.database import Catalogue

    new = 0
    with Catalogue(path, write=True) as catalogue, catalogue.change() as db:
        for one, entry in entries:
            if one.what == "approval":
                table, row = _APPROVALS, tuple(entry.values())
            else:
                keys = ("what", "shot", "frame", "fit", "content", "by", "note", "at")
                whole: Mapping[str, Any] = {**entry, "fit": one.fit, "content": one.content}
                table, row = _REMARKS, tuple(whole[key] for key in keys)
            name, _, columns = table.partition(" ")
            same = " AND ".join(f"{c.strip()} = ?" for c in columns.strip("()").split(","))
            if db.execute(f"SELECT 1 FROM {name} WHERE {same}", row).fetchone() is None:
                marks = ", ".join("?" * len(row))
                db.execute(f"INSERT INTO {table} VALUES ({marks})", row)
                new += 1
    return new

"""`footagefit approve`: a person approves a fit, a clip, a frame, or what a report decided."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import UsageError

if TYPE_CHECKING:
    from footagefit.dailies.show import Show

Approval = dict[str, str]


def approve(
    *,
    fit: Path | None,
    clip: str | None,
    frame: Path | None,
    from_: Path | None,
    by: str,
    note: str,
    show: Path | None,
) -> int:
    """Record an approval in card and catalogue; see configs/approve.yaml for each key."""
    if sum(one is not None for one in (fit, clip, frame, from_)) != 1:
        raise UsageError("approve one thing", hint="Say fit=, clip=, frame= or from=: one of them")
    if from_ is not None:
        from footagefit.commands.reviewed import take

        return take(from_, need(show, "from="), by=by)
    if not by.strip():
        raise UsageError("by is empty", hint="Say by=<who approves>")
    if fit is not None:
        cards, given = [fit], [_given("fit", fit.resolve().name, hash_of(fit), by, note)]
    elif clip is not None:
        cards, given = _of_clip(clip, show, by, note)
    else:
        cards, given = _of_frame(frame or Path(), show, by, note)
    _onto_cards(cards, given)
    catalogue = _catalogue(show, cards)
    if catalogue is not None:
        _into(catalogue, given)
    where = [f"{len(cards)} cards"] + ([] if catalogue is None else [str(catalogue)])
    for one in given:
        print(f"{one['what']} {one['name']} approved by {by}; recorded in {', '.join(where)}")
    return 0


def _given(what: str, name: str, content: str, by: str, note: str) -> Approval:
    at = datetime.now(UTC).date().isoformat()
    return {"what": what, "name": name, "content": content, "by": by, "note": note, "at": at}


def hash_of(fit: Path) -> str:
    """What identifies a fit: its weights' hash, by its card."""
    from footagefit.rendering.fits import WEIGHTS, read_card

    return str(read_card(fit)["files"][WEIGHTS])


def _of_clip(clip: str, show: Path | None, by: str, note: str) -> tuple[list[Path], list[Approval]]:
    """The shots' marks, and the cards of the fits that learnt from them."""
    from footagefit.commands.shots import chosen, mark
    from footagefit.dailies.database import Catalogue

    production = need(show, "clip=")
    with Catalogue(production.catalogue) as catalogue:
        picked = chosen(catalogue.shots(), clip=clip, scene=None, side=None)
        content = {m.path: m.content for m in catalogue.media()}
    mark(production, clip, None, by, note)
    given = [_given("clip", s.name, content[s.primary.path], by, note) for s in picked]
    hashes = {content[link.path] for s in picked for link in s.links}
    cards = [
        path.parent
        for path in sorted((production.work / "fits").glob("*/card.json"))
        if hashes & {c.get("content") for c in _clips(path)}
    ]
    return cards, given


def _of_frame(
    frame: Path, show: Path | None, by: str, note: str
) -> tuple[list[Path], list[Approval]]:
    """The frame's file as its manifest has it, and the card of the fit that made it."""
    from footagefit.footage.manifest import sha256

    if not frame.is_file():
        raise UsageError("no such frame", path=frame, hint="Say frame=<one rendered file>")
    digest = sha256(frame)
    job = _job_of(frame, digest)
    made_by = job.get("fit") or {}
    given = [_given("frame", frame.name, digest, by, note)]
    near = [Path(str(made_by.get("path", "")))]
    if show is not None:
        near += sorted(p.parent for p in (need(show, "").work / "fits").glob("*/card.json"))
    for path in near:
        if (path / "card.json").is_file() and hash_of(path) == made_by.get("hash"):
            return [path], given
    raise UsageError(
        "the fit that made it was not found", path=frame,
        hint="Say show=<the show whose fits folder holds it>",
    )  # fmt: skip


def _job_of(frame: Path, digest: str) -> dict[str, Any]:
    """The job of the manifest that lists this very file."""
    for path in sorted(frame.parent.glob("*.manifest.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        for entry in raw.get("frames", []):
            if entry.get("file") == frame.name:
                if entry.get("sha256") != digest:
                    raise UsageError(
                        "it was changed since it was rendered", path=frame, frame=entry["frame"],
                        hint="Approve the frame as it was rendered, or render it again",
                    )  # fmt: skip
                return raw.get("job") or {}
    raise UsageError("no manifest beside it lists it", path=frame, hint="Render it with infer")


def _clips(card: Path) -> list[dict[str, Any]]:
    raw = json.loads(card.read_text(encoding="utf-8"))
    return (raw.get("lineage") or {}).get("clips", [])


def _onto_cards(cards: Iterable[Path], given: list[Approval]) -> None:
    from footagefit.evaluation.cards import take_approval

    for path in cards:
        names = {c.get("shot") for c in _clips(path / "card.json")}
        for one in given:
            if one["what"] != "clip" or one["name"] in names:
                take_approval(path, one)


def _catalogue(show: Path | None, cards: list[Path]) -> Path | None:
    """The show's catalogue: as said, or of the work folder that the fit lies in."""
    if show is not None:
        return need(show, "").catalogue
    for path in cards:
        near = path.resolve().parent.parent / "catalogue.sqlite"
        if near.is_file():
            return near
    print("the fit lies in no show's work folder: no catalogue was told; say show=")
    return None


def need(show: Path | None, what: str) -> Show:
    """The show, where it was said."""
    from footagefit.dailies.show import load_show

    if show is None:
        raise UsageError(f"{what} needs show=", hint="Say show=<YAML or folder of dailies>")
    return load_show(show)


def _into(path: Path, given: list[Approval]) -> None:
    from footagefit.dailies.database import Catalogue

    with Catalogue(path, write=True) as catalogue, catalogue.change() as db:
        for one in given:
            db.execute(
                "INSERT INTO approvals (what, name, content, approved_by, note, at) "
                "VALUES (:what, :name, :content, :by, :note, :at)",
                one,
            )

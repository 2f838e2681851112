"""`footagefit select`: rank the takes of each set-up, and cut the best together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.errors import AlreadyThere, MissingPart, UnknownName, WrongValue

if TYPE_CHECKING:
    from footagefit.catalogue.ranking import Ranked
    from footagefit.dailies.show import Show

As = Literal["table", "json"]
Ranking = list[tuple[str, "list[Ranked]"]]
_OWN = (".otio", ".edl", ".ale")
_EXTRA = (".xml", ".aaf")  # by adapters of the extra `edit`


def select(
    *,
    show: Path,
    scene: str | None,
    clip: str | None,
    rule: str | None,
    picks: int,
    out: Path | None,
    handles: int,
    existing: Literal["replace", "error"],
    as_: As,
) -> int:
    """Rank and cut; see configs/select.yaml for each key."""
    from footagefit.catalogue.ranking import weights
    from footagefit.dailies.show import load_show

    if picks < 1 or handles < 0:
        raise WrongValue("picks= counts from 1, handles= from 0")
    if out is not None:
        _check(out, existing)
    production = load_show(show)
    ranking = rank(production, scene=scene, clip=clip, rule=weights(rule))
    if as_ == "json":
        print(json.dumps(_plain(ranking, picks), indent=1))
    else:
        _table(ranking, picks)
    if out is not None:
        print(f"cut: {_cut(production, ranking, picks, out.expanduser(), handles, existing)}")
    return 0


def rank(
    show: Show, *, scene: str | None = None, clip: str | None = None, rule: dict[str, float]
) -> Ranking:
    """Set-ups in scene order, their takes best first; set-ups of one take too."""
    from footagefit.catalogue import measures
    from footagefit.catalogue.judging import SetupJudged
    from footagefit.catalogue.ranking import ranked
    from footagefit.commands.continuity import groups_of, judged
    from footagefit.dailies.database import Catalogue

    setups = {s.setup: s for s in judged(show, scene=scene, clip=clip)}
    with Catalogue(show.catalogue) as catalogue:
        groups = groups_of(catalogue.shots(), scene, clip)
        known = measures.kept(catalogue, [s for g in groups.values() for s in g])
    out: Ranking = []
    for name, group in groups.items():
        alone = SetupJudged(name, group[0].scene, group[0], "the only take", ())
        out.append((name, ranked(setups.get(name, alone), known, rule=rule)))
    return out


def _check(out: Path, existing: str) -> None:
    """Before anything is measured: whether the cut could be written at all."""
    if out.expanduser().exists() and existing == "error":
        raise AlreadyThere("a cut is there already", path=out, hint="Say existing=replace")
    import opentimelineio as otio

    suffix = out.suffix.lower()
    able = otio.adapters.suffixes_with_defined_adapters(read=False, write=True)
    if suffix in _OWN or suffix[1:] in able:
        return
    if suffix in _EXTRA:
        hint = 'pip install "footagefit[edit]"'
        raise MissingPart(f"no adapter writes {suffix}", path=out, hint=hint)
    raise UnknownName("type of cut", suffix or out.name, (*_OWN, *_EXTRA), path=out)


def _cut(show: Show, ranking: Ranking, picks: int, out: Path, handles: int, existing: str) -> Path:
    from footagefit.catalogue.cutting import events_of
    from footagefit.dailies.database import Catalogue
    from footagefit.footage.timeline import write_timeline

    with Catalogue(show.catalogue) as catalogue:
        media = catalogue.media()
    shots = [r.shot for _, takes in ranking for r in takes[:picks]]
    events = events_of(show, shots, media, handles=handles)
    return write_timeline(out, events, title=out.stem, overwrite=existing == "replace")


def _plain(ranking: Ranking, picks: int) -> dict[str, object]:
    return {
        "setups": [
            {
                "setup": name,
                "takes": [
                    {
                        "shot": r.shot.name,
                        "take": r.shot.slate.take,
                        "against": r.against,
                        "reasons": list(r.reasons),
                        "picked": place < picks,
                    }
                    for place, r in enumerate(takes)
                ],
            }
            for name, takes in ranking
        ]
    }


def _table(ranking: Ranking, picks: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("set-up", "", "take", "shot"):
        table.add_column(name, no_wrap=True)
    table.add_column("against", justify="right")
    table.add_column("reasons")
    for setup, takes in ranking:
        for place, r in enumerate(takes):
            row: Sequence[str] = (
                setup if not place else "",
                "pick" if place < picks else "",
                r.shot.slate.take,
                r.shot.name,
                f"{r.against:.1f}",
                ", ".join(r.reasons),
            )
            table.add_row(*row)
    Console(width=None if Console().is_terminal else 200).print(table)

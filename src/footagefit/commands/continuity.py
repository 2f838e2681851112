"""`footagefit continuity`: which takes don't sit together, in what and by how much."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.commands.heroes import finest, fixed_path, reference_of
from footagefit.commands.progress import track
from footagefit.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from footagefit.catalogue.judging import Judged, SetupJudged
    from footagefit.catalogue.measures import Measures
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.show import Show

As = Literal["table", "json"]
PAGES = (".html", ".htm")
_FIXABLE = ("exposure", "white point", "tint", "contrast", "key direction")


def continuity(
    *,
    show: Path,
    scene: str | None,
    clip: str | None,
    hero: str | None,
    out: Path | None,
    as_: As,
    fit: Path | None,
) -> int:
    """Judge; see configs/continuity.yaml for each key."""
    from footagefit.catalogue import pages, records
    from footagefit.dailies.show import load_show

    production = load_show(show)
    through = match_fit(production, fit)
    page = (out or production.work / "reports" / "continuity.html").expanduser()
    if page.suffix.lower() not in PAGES or page.is_dir():
        named = page.suffix or page.name
        raise UnknownName("type of page", named, PAGES, path=page, hint="Say out=continuity.html")
    setups = judged(production, scene=scene, clip=clip, hero=hero)
    lines = _lines(production, setups, through)
    broken = unreadable(production)
    plain = records.plain(production.name, setups, lines=lines, unreadable=broken)
    text = json.dumps(plain, indent=1)
    written = page.with_suffix(".json")
    pages.write(
        page,
        production.name,
        setups,
        lines=lines,
        unreadable=broken,
        view=production.view,
        spaces=_spaces(production, setups),
    )
    part = written.with_name(f".{written.name}.part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(written)
    if as_ == "json":
        print(text)
    else:
        _table(setups, lines, broken)
        print(f"page: {page}\nrecord: {written}")
    return 0


def judged(
    show: Show,
    *,
    scene: str | None = None,
    clip: str | None = None,
    hero: str | None = None,
) -> list[SetupJudged]:
    """The set-ups asked for, each take against its hero; measures what is not measured yet."""
    from footagefit.catalogue import measures
    from footagefit.catalogue.judging import judge_setup
    from footagefit.catalogue.laying import LONG_SIDE_PX
    from footagefit.catalogue.measuring import reader_of
    from footagefit.commands.search import measured
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue) as catalogue:
        every, media = catalogue.shots(), catalogue.media()
    asked = clip if clip or scene else hero
    groups = groups_of(every, scene, asked)
    shots = [s for group in groups.values() for s in group]
    measured(show, shots)
    if hero is not None:
        name_hero(show, every, hero)
    with Catalogue(show.catalogue) as catalogue:
        known: dict[str, Measures] = measures.kept(catalogue, shots)
        chosen = measures.heroes(catalogue, shots)
    reader = reader_of(show, shots, media, long_side_px=LONG_SIDE_PX)
    several = {name: group for name, group in groups.items() if len(group) > 1}
    steps = track(several.items(), total=len(several), label="continuity", unit="set-ups")
    white_k = show.white_k
    return [
        judge_setup(reader, group, setup=name, known=known, chosen=chosen, white_k=white_k)
        for name, group in steps
    ]


def name_hero(show: Show, shots: Sequence[Shot], hero: str) -> None:
    """Keep which take a person wants its set-up matched to."""
    from footagefit.catalogue import measures
    from footagefit.commands.shots import chosen
    from footagefit.dailies.database import Catalogue

    named = chosen(shots, clip=hero, scene=None, side=None)
    if len(named) > 1:
        names = ", ".join(s.name for s in named[:6])
        raise UsageError(f"hero={hero} fits {len(named)} shots: {names}", hint="Name one of them")
    takes = [s for s in shots if _slated(s) == _slated(named[0])]
    with Catalogue(show.catalogue, write=True) as catalogue:
        measures.name_hero(catalogue, takes, named[0])


def groups_of(shots: Sequence[Shot], scene: str | None, clip: str | None) -> dict[str, list[Shot]]:
    """Takes by set-up, in scene order, of the scene or of the shots that were asked for.

    What was slated as takes of one set-up is held together, also where the framing changed so much
    that the scan took it for another: a swapped lens is one of the things to be found.
    """
    from footagefit.catalogue.cutting import scene_order
    from footagefit.commands.shots import chosen

    setups = {_slated(s) for s in chosen(shots, clip=clip, scene=scene, side=None)}
    groups: dict[str, list[Shot]] = {}
    for shot in sorted(shots, key=scene_order):
        if _slated(shot) in setups:
            groups.setdefault(_slated(shot), []).append(shot)
    return groups


def _slated(shot: Shot) -> str:
    """A shot's set-up as slated, where it has a slate with a set-up's letter or a take's number."""
    slate = shot.slate
    if not slate.scene or not slate.take:
        return shot.setup
    return f"{slate.scene}/{slate.camera}" if slate.camera else slate.scene


def _spaces(show: Show, setups: Sequence[SetupJudged]) -> dict[str, str]:
    """Colour space of what each hero's pictures are of."""
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue) as catalogue:
        space = {m.path: m.space for m in catalogue.media()}
    return {
        s.hero.name: space[(s.hero.medium("proxy") or s.hero.primary).path] or show.space or ""
        for s in setups
    }


def _lines(show: Show, setups: Sequence[SetupJudged], fit: Path) -> dict[str, str]:
    """By take, what would match it to its hero."""
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue) as catalogue:
        media = {m.path: m for m in catalogue.media()}
    lines = {}
    for setup in setups:
        todo = [j for j in setup.takes if fixable(j)]
        hero = reference_of(show, setup.hero, media) if todo else Path()
        lines |= {j.shot.name: infer_line(show, hero, j, fit=fit) for j in todo}
    return lines


def fixable(judged: Judged) -> bool:
    """Whether a match to the hero is what a take needs."""
    return any(d.kind in _FIXABLE for d in judged.differences)


def lit_otherwise(judged: Judged) -> bool:
    """Whether light fell otherwise in a take, as from a key that moved."""
    from footagefit.catalogue.differences import LIMITS

    told = any(d.kind == "key direction" for d in judged.differences)
    return told or (judged.figures or {}).get("light", 0.0) > LIMITS["light"]


def match_fit(show: Show, asked: Path | None = None) -> Path:
    """The fit that was asked for, else the show's newest match fit, else the base that ships.

    Raises:
        UsageError: What was asked for learnt another task.
    """
    import footagefit
    from footagefit.rendering.fits import taught

    if asked is not None:
        if (task := taught(asked)) != "match":
            raise UsageError(
                f"fit= takes a match fit, and this one is {task}",
                path=asked,
                hint="Say fit=base/match or a fit that `footagefit train task=match` made",
            )
        return asked
    folder = show.work / "fits"
    found = sorted(folder.glob("match_v*/card.json"), key=lambda p: p.stat().st_mtime)
    package = Path(footagefit.__file__).resolve().parent
    return found[-1].parent if found else package / "models" / "weights" / "match_field"


def infer_line(show: Show, hero: Path, take: Judged, *, fit: Path) -> str:
    """The command that would match a take to its hero.

    Args:
        show: The production.
        hero: The hero take's frames.
        take: What was found of it.
        fit: A match fit.
    """
    import shlex

    from footagefit.rendering.versions import RENDERS

    link = finest(take.shot)
    out = fixed_path(show.work / RENDERS, take.shot)  # not among what `fix` makes
    paths = {"fit": fit, "plate": show.work / link.path, "reference": hero, "out": out}
    words = [f"{name}={os.path.normpath(path)}" for name, path in paths.items()]
    words.append(f"frames={link.first}-{link.last}")
    words += ["relit=1"] if lit_otherwise(take) else []
    return "footagefit infer " + " ".join(w if _plain(w) else shlex.quote(w) for w in words)


def _plain(word: str) -> bool:
    return all(c.isalnum() or c in "=/._-#%+:" for c in word)


def unreadable(show: Show) -> dict[str, str]:
    """Clips that could not be read, and why: they are in no set-up, and a take may be lost."""
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue) as catalogue:
        return {m.path: m.problem for m in catalogue.media("bad")}


def _table(setups: Sequence[SetupJudged], lines: dict[str, str], broken: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from footagefit.catalogue.records import worst_first

    table = Table(box=None, pad_edge=False)
    for name in ("take", "set-up", "hero", "differs in"):
        table.add_column(name, no_wrap=name != "differs in")
    off = worst_first(setups)
    for setup, take in off:
        said = "; ".join(f"{d.said} ({d.note})" if d.note else d.said for d in take.differences)
        table.add_row(take.shot.name, setup.setup, setup.hero.name, said or take.note)
    console = Console(width=None if Console().is_terminal else 200)
    takes = sum(len(s.takes) for s in setups)
    console.print(f"{len(off)} of {takes} takes do not sit beside their heroes", highlight=False)
    console.print(table)
    for path, why in broken.items():
        console.print(f"{path}: cannot be read: {why}", highlight=False)
    for name, line in lines.items():
        console.print(f"{name}:", highlight=False)
        print(f"  {line}")

"""`footagefit search`: find shots by words, by picture, by light."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.commands.progress import track
from footagefit.errors import FootagefitWarning, UnknownSpace, WrongValue

if TYPE_CHECKING:
    from footagefit.catalogue.measures import Measures
    from footagefit.catalogue.search import Hit
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.show import Show

As = Literal["table", "json"]


def search(
    *,
    show: Path,
    query: str | None,
    like: Path | None,
    light: Path | None,
    frame: str | None,
    limit: int,
    measure: bool,
    sheet: Path | None,
    columns: int,
    as_: As,
) -> int:
    """Search; see configs/search.yaml for each key."""
    from footagefit.catalogue import measures
    from footagefit.catalogue import search as finding
    from footagefit.catalogue.words import parsed
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.show import load_show

    if limit < 1:
        raise WrongValue(f"limit={limit}: expected a number from 1 on")
    production = load_show(show)
    asked = None if query is None else parsed(query)
    if measure:
        measured(production)
    _index(production)
    with Catalogue(production.catalogue) as catalogue:
        hits = finding.search(
            catalogue,
            asked,
            like=None if like is None else _seen(production, like, frame).look,
            light=None if light is None else finding.light_vector(_seen(production, light, frame)),
            limit=limit,
        )
        found = {s.name: s for s in catalogue.shots([h.shot for h in hits])}
        shots = [found[h.shot] for h in hits]
        known = measures.kept(catalogue, shots)
        if not hits or like or light or (asked is not None and asked.bounds):
            _unmeasured(catalogue)
        if as_ == "json":
            print(json.dumps({"shots": [_plain(h, found, known) for h in hits]}, indent=1))
        else:
            _table(hits, found, known)
        if sheet is not None and shots:
            _sheet(catalogue, shots, sheet.expanduser(), columns)
    return 0


def measured(show: Show, shots: Sequence[Shot] | None = None) -> None:
    """Bring measures up to date, and say what that did."""
    from footagefit.catalogue.measuring import measure_show

    def progress(items: Iterable[object], total: int, label: str) -> Iterable[object]:
        return track(items, total=total, label=label, unit="shots")

    done = measure_show(show, shots, progress=progress)
    if done.failed:
        line = f"{done.failed} shots could not be measured: {done.why}"
        warnings.warn(FootagefitWarning(line), stacklevel=2)


def _index(show: Show) -> None:
    """Make the index anew where a scan, a mark or new measures left it behind."""
    from footagefit.catalogue import search as finding
    from footagefit.dailies.database import Catalogue

    with Catalogue(show.catalogue) as catalogue:
        if finding.fresh(catalogue):
            return
    with Catalogue(show.catalogue, write=True) as catalogue:
        finding.index(catalogue)


def _unmeasured(catalogue: Catalogue) -> None:
    """Say how many shots could not be found by measures, for there are none of them."""
    from footagefit.catalogue import measures

    behind = measures.missing(catalogue)
    if behind:
        line = f"{behind} shots are not measured, or by an older version: say measure=true"
        warnings.warn(FootagefitWarning(line), stacklevel=2)


def _seen(show: Show, path: Path, frame: str | None) -> Measures:
    """What a picture that is searched by looks like, and how it is lit."""
    from footagefit.catalogue.measuring import of_picture
    from footagefit.footage.opening import open_clip
    from footagefit.signature.coordinates import channels_last

    try:
        opened = open_clip(path.expanduser())
    except UnknownSpace:
        if show.space is None:
            raise
        opened = open_clip(path.expanduser(), space=show.space)
    with opened as clip:
        numbers = list(clip.numbers)
        number = numbers[len(numbers) // 2]
        if frame is not None:
            if not frame.lstrip("-").isdigit() or int(frame) not in numbers:
                raise WrongValue(
                    f"frame={frame}: expected a frame from {numbers[0]} to {numbers[-1]}", path=path
                )
            number = int(frame)
        return of_picture(channels_last(clip.read([number]).rgb_TCHW[0]), white_k=show.white_k)


def _plain(hit: Hit, shots: Mapping[str, Shot], known: Mapping[str, Measures]) -> dict[str, object]:
    from footagefit.catalogue.words import tags_of

    shot, made = shots[hit.shot], known.get(hit.shot)
    return {
        "shot": shot.name,
        "scene": shot.slate.scene or shot.scene,
        "take": shot.slate.take,
        "camera": shot.slate.camera,
        "setup": shot.setup,
        "clip": shot.primary.path,
        "frames": [shot.first, shot.last],
        "away": hit.away,
        "all_words": not hit.loose,
        "measures": {} if made is None else dict(made.figures),
        "tags": [] if made is None else tags_of(made),
    }


def _table(hits: Sequence[Hit], shots: Mapping[str, Shot], known: Mapping[str, Measures]) -> None:
    from rich.console import Console
    from rich.table import Table

    from footagefit.catalogue.words import tags_of

    if any(hit.loose for hit in hits):
        print("no shot has all of the words; these have some of them")
    table = Table(box=None, pad_edge=False)
    for name in ("shot", "scene", "take", "cam", "frames"):
        table.add_column(name, no_wrap=True)
    for name in ("ev", "kelvin", "key at", "ratio"):
        table.add_column(name, justify="right")
    table.add_column("tags")
    for hit in hits:
        s, made = shots[hit.shot], known.get(hit.shot)
        row = [
            s.name,
            s.slate.scene or s.scene,
            s.slate.take,
            s.slate.camera,
            f"{s.first}-{s.last}",
        ]
        table.add_row(
            *row, *(["", "", "", "", ""] if made is None else _figures(made, tags_of(made)))
        )
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    console.print(f"{len(hits)} shots", highlight=False)


def _figures(made: Measures, tags: Sequence[str]) -> list[str]:
    azimuth, elevation = made["key_azimuth_deg"], made["key_elevation_deg"]
    key = "" if azimuth is None or elevation is None else f"{azimuth:+.0f}° up {elevation:.0f}°"
    plain = [("exposure_ev", "+.2f"), ("white_k", ".0f")]
    said = ["" if made[n] is None else format(made[n], form) for n, form in plain]
    ratio = made["key_fill_ev"]
    return [*said, key, "" if ratio is None else f"{ratio:.1f}", " ".join(tags)]


def _sheet(catalogue: Catalogue, shots: Sequence[Shot], path: Path, columns: int) -> None:
    from footagefit.commands.shots import thumbnail_cells
    from footagefit.dailies.sheet import save_sheet

    cells = thumbnail_cells(catalogue, shots)
    print(f"contact sheet: {save_sheet(cells, path, columns=columns)}")

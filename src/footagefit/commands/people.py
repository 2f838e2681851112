"""`footagefit people`: who is the same person across shots; opt-in, named and forgotten by you."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.commands.progress import track
from footagefit.errors import WrongValue

if TYPE_CHECKING:
    from footagefit.catalogue.people import Person
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.show import Show

As = Literal["table", "json"]
_ACROSS = 6  # faces in a row of the sheet


def people(
    *,
    show: Path,
    find: bool,
    again: bool,
    name: str | None,
    forget: str | None,
    sheet: Path | None,
    as_: As,
) -> int:
    """Tell people apart; see configs/people.yaml for each key."""
    from footagefit.catalogue import people as kept
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.show import load_show

    production = load_show(show)
    with Catalogue(production.catalogue) as catalogue:
        shots = catalogue.shots()
    if find:
        kept.look_for(production, shots, again=again, progress=_progress)
    if name is not None or forget is not None:
        with Catalogue(production.catalogue, write=True) as catalogue:
            if name is not None:
                number, _, called = name.partition(":")
                if not called.strip():
                    raise WrongValue(f"name={name}: no name", hint="Say name=2:Anna")
                kept.name(catalogue, _number("name", number), called.strip())
            if forget is not None:
                kept.forget(catalogue, None if forget == "all" else _number("forget", forget))
    with Catalogue(production.catalogue) as catalogue:
        found = kept.people(catalogue, shots)
        if as_ == "json":
            rows = [{"person": p.id, "name": p.name, "shots": list(p.shots)} for p in found]
            print(json.dumps({"people": rows}, indent=1))
        else:
            _table(found)
        if sheet is not None and found:
            _sheet(production, catalogue, found, sheet.expanduser())
    return 0


def _progress(items: Iterable[object], total: int, label: str) -> Iterable[object]:
    return track(items, total=total, label=label, unit="shots")


def _number(key: str, said: str) -> int:
    if not said.strip().isdecimal():
        raise WrongValue(f"{key}={said}: expected a person's number", hint="List them: people")
    return int(said)


def _table(found: Sequence[Person]) -> None:
    if not found:
        print("nobody is kept; say find=true to look for people by their faces")
        return
    for person in found:
        some = ", ".join(person.shots[:4]) + (" ..." if len(person.shots) > 4 else "")
        print(f"{person.id:>4}  {person.name or '-':<20} {len(person.shots):>5} shots  {some}")


def _sheet(show: Show, catalogue: Catalogue, found: Sequence[Person], path: Path) -> None:
    """A few faces of each person in a row."""
    import numpy as np
    from PIL import Image

    from footagefit.catalogue import faces
    from footagefit.catalogue.measures import keys
    from footagefit.catalogue.measuring import reader_of
    from footagefit.dailies.sheet import Cell, save_sheet
    from footagefit.footage import colour

    shots = {s.name: s for s in catalogue.shots()}
    at = keys(catalogue, list(shots.values()))
    reader = reader_of(show, list(shots.values()), catalogue.media(),
                       long_side_px=faces.LONG_SIDE_PX)  # fmt: skip
    cells = []
    for person in found:
        for name in person.shots[:_ACROSS]:
            rows = catalogue.rows(
                "SELECT * FROM faces WHERE content = ? AND first = ? AND person = ?",
                [*at[name], person.id],
            )
            pixels, _ = reader.frames(name, [rows[0]["frame"]])
            picture = colour.preview(pixels[0].permute(1, 2, 0).contiguous().numpy())
            height, width = picture.shape[:2]
            x, y, w, h = (rows[0][n] for n in ("x", "y", "w", "h"))
            top, left = max(0, int((y - 0.3 * h) * height)), max(0, int((x - 0.3 * w) * width))
            cut = picture[top : int((y + 1.3 * h) * height), left : int((x + 1.3 * w) * width)]
            face = Image.fromarray(np.ascontiguousarray(cut))
            cells.append(Cell(face, f"{person.id} {person.name}".strip(), name))
    print(f"contact sheet: {save_sheet(cells, path, columns=_ACROSS)}")

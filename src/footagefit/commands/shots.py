"""`footagefit shots`: list and show what a scan found, and say what may be trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit.dailies.entries import SIDES
from footagefit.errors import UnknownName, WrongValue

if TYPE_CHECKING:
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.entries import Shot
    from footagefit.dailies.sheet import Cell
    from footagefit.dailies.show import Show

As = Literal["table", "json"]
YesNo = Literal["yes", "no"]


def shots(
    *,
    show: Path,
    clip: str | None,
    scene: str | None,
    side: str | None,
    sheet: Path | None,
    frames: int,
    columns: int,
    as_: As,
    train: YesNo | None,
    approved_by: str | None,
    note: str,
) -> int:
    """List shots; see configs/shots.yaml for each key."""
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.show import load_show

    production = load_show(show)
    if train is not None or approved_by is not None:
        mark(production, clip, None if train is None else train == "yes", approved_by, note)
    with Catalogue(production.catalogue) as catalogue:
        found = chosen(catalogue.shots(), clip=clip, scene=scene, side=side)
        problems = [dict(row) for row in catalogue.rows("SELECT * FROM problems")]
        if as_ == "json":
            print(json.dumps({"shots": [_plain(s) for s in found], "problems": problems}, indent=1))
        else:
            _table(found, problems)
        if sheet is not None:
            _sheet(production, catalogue, found, sheet.expanduser(), frames, columns)
    return 0


def chosen(
    shots: Sequence[Shot], *, clip: str | None, scene: str | None, side: str | None
) -> list[Shot]:
    """The shots asked for; a name or pattern that fits none is an error that lists names."""
    found = [
        s
        for s in shots
        if (clip is None or fnmatch(s.name, clip) or s.name == clip)
        and (scene is None or scene.upper() in (s.scene.upper(), s.slate.scene.upper()))
        and (side is None or s.side == side)
    ]
    if side is not None and side not in SIDES:
        raise UnknownName("side", side, list(SIDES))
    if found or (clip is None and scene is None):
        return found
    if side is not None and chosen(shots, clip=clip, scene=scene, side=None):
        raise WrongValue(f"side={side}: none of these shots is", hint="Leave side= out")
    if clip is not None:
        raise UnknownName("shot", clip, [s.name for s in shots])
    raise UnknownName("scene", scene, sorted({s.scene for s in shots}))


def mark(
    show: Show, clip: str | None, train: bool | None, approved_by: str | None, note: str
) -> None:
    """Keep what a person says of clips, by content, and make it count at once."""
    from dataclasses import replace

    from footagefit.dailies.database import Catalogue

    if clip is None:
        raise WrongValue("train= and approved_by= need clip=", hint="Say clip=<name or pattern>")
    with Catalogue(show.catalogue, write=True) as catalogue:
        shots = catalogue.shots()
        picked = chosen(shots, clip=clip, scene=None, side=None)
        content = {m.path: m.content for m in catalogue.media()}
        hashes = {content[link.path] for s in picked for link in s.links}
        touched = [s for s in shots if any(content[k.path] in hashes for k in s.links)]
        with catalogue.change() as db:
            for value in sorted(hashes):
                db.execute(
                    "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT(content) DO UPDATE SET "
                    "train = coalesce(excluded.train, train), approved_by = "
                    "CASE excluded.approved_by WHEN '' THEN approved_by "
                    "ELSE excluded.approved_by END, note = excluded.note",
                    (value, None if train is None else int(train), approved_by or "", note),
                )
            marked = {
                s.name: replace(
                    s,
                    train=s.train if train is None else train,
                    approved_by=s.approved_by if approved_by is None else approved_by,
                )
                for s in touched
            }
            catalogue.replace_shots(db, [marked.get(s.name, s) for s in shots])
    said = [] if train is None else [f"train: {'yes' if train else 'no'}"]
    said += [] if approved_by is None else [f"approved by {approved_by}"]
    print(f"{len(touched)} shots marked {', '.join(said)}")


def _plain(shot: Shot) -> dict[str, Any]:
    from dataclasses import asdict

    plain = asdict(shot)
    plain["length"] = shot.length
    return plain


def _table(shots: Sequence[Shot], problems: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("shot", "scene", "take", "cam", "set-up", "frames", "media", "side"):
        table.add_column(name, no_wrap=name in ("scene", "take", "cam", "side"))
    for name in ("ev", "kelvin", "motion", "focus"):
        table.add_column(name, justify="right")
    table.add_column("remarks")
    for s in shots:
        remarks = [*s.flags, *([] if s.train else ["train: no"])]
        remarks += [f"approved by {s.approved_by}"] if s.approved_by else []
        remarks += [s.because] if s.because else []
        remarks += [f"duplicate of {s.family}"] if s.family != s.name else []
        table.add_row(
            *(s.name, s.slate.scene, s.slate.take, s.slate.camera, s.setup),
            f"{s.first}-{s.last}",
            "+".join(link.role for link in s.links),
            s.side,
            _figure(s.exposure_ev, "+.2f"),
            _figure(s.white_k, ".0f"),
            _figure(s.motion_px, ".1f"),
            _figure(s.focus, ".2f"),
            ", ".join(remarks),
        )
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    for row in problems:
        console.print(f"{row['path']}: {row['kind']}: {row['what']}", highlight=False)


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _sheet(
    show: Show,
    catalogue: Catalogue,
    shots: Sequence[Shot],
    path: Path,
    frames: int,
    columns: int,
) -> None:
    from footagefit.dailies.sheet import save_sheet

    if frames > 1:
        cells = [cell for s in shots for cell in _frame_cells(show, s, catalogue, frames)]
    else:
        cells = thumbnail_cells(catalogue, shots)
    print(f"contact sheet: {save_sheet(cells, path, columns=columns)}")


def thumbnail_cells(catalogue: Catalogue, shots: Sequence[Shot]) -> list[Cell]:
    """The catalogue's own pictures of shots, in their order."""
    from footagefit.dailies.sheet import Cell

    cells = []
    for s in shots:
        for row in catalogue.rows(
            "SELECT t.frame, t.jpeg FROM thumbnails t JOIN parts p ON p.medium = t.medium "
            "AND p.n = t.part WHERE t.medium = ? AND p.first = ?",
            [s.primary.medium_id, s.first],
        ):
            frame, jpeg = row["frame"], row["jpeg"]
            line = f"frame {frame} of {s.first}-{s.last}  {s.side}"
            slate = "/".join(filter(None, (s.slate.scene, s.slate.take, s.slate.camera)))
            title = f"{s.name}  {slate}" if slate else s.name
            cells.append(Cell(jpeg, title, line, warns=bool(s.flags) or not s.train))
    return cells


def _frame_cells(show: Show, shot: Shot, catalogue: Catalogue, frames: int) -> list[Cell]:
    """Some frames of a shot, first and last among them, read from its primary medium."""
    from PIL import Image

    from footagefit.dailies.cache import FrameCache
    from footagefit.dailies.sheet import CELL_PX, Cell
    from footagefit.dailies.windows import Reader
    from footagefit.footage import colour

    cache = FrameCache(show.work / "cache", limit_bytes=0)
    reader = Reader(
        show.work,
        [shot],
        catalogue.media(),
        cache=cache,
        long_side_px=CELL_PX,
        role=shot.primary.role,
        space=show.space,
    )
    count = min(frames, shot.length)
    numbers = [shot.first + round(i * (shot.length - 1) / max(1, count - 1)) for i in range(count)]
    pixels, gone = reader.frames(shot.name, numbers)
    cells, view = [], reader.view(shot, show.view)
    for slot, number in enumerate(numbers):
        rgb = pixels[slot].permute(1, 2, 0).contiguous().numpy()
        shown = colour.preview(rgb, view)
        missing = bool(gone[slot].any())
        line = f"frame {number}" + ("  missing" if missing else "")
        cells.append(Cell(Image.fromarray(shown), shot.name, line, warns=missing))
    return cells

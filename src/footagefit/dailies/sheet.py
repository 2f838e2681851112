"""Contact sheets: thumbnails with names and frame numbers, as one picture.

Here: laying out. Not here: which shots (`commands.shots`). Pictures are 8-bit sRGB, for eyes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from footagefit.errors import UnknownName, WrongValue
from footagefit.report import pictures as pages

if TYPE_CHECKING:
    from PIL import Image

CELL_PX = 192
SUFFIXES = (".jpg", ".jpeg", ".png")
_CAPTION_PX = 26
_GAP_PX = 4
_TEXT, _WARN = (230, 230, 230), (255, 176, 64)


@dataclass(frozen=True)
class Cell:
    """One thumbnail: a picture (JPEG, or a PIL picture), two lines under it."""

    picture: bytes | Image.Image
    title: str
    line: str
    warns: bool = False


def contact_sheet(
    cells: Sequence[Cell], *, columns: int = 6, cell_px: int = CELL_PX
) -> Image.Image:
    """Cells in rows, as they come."""
    from PIL import Image, ImageDraw, ImageFont

    if not cells:
        raise WrongValue("nothing to show on a contact sheet", hint="Choose other shots")
    pictures = [_fitted(cell.picture, cell_px) for cell in cells]
    columns = max(1, min(columns, len(cells)))
    tall = max(p.height for p in pictures)
    row_px = tall + _CAPTION_PX + _GAP_PX
    rows = -(-len(cells) // columns)
    size = (columns * (cell_px + _GAP_PX) + _GAP_PX, rows * row_px + _GAP_PX)
    sheet = Image.new("RGB", size, pages.GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for index, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        x = _GAP_PX + (index % columns) * (cell_px + _GAP_PX)
        y = _GAP_PX + (index // columns) * row_px
        sheet.paste(picture, (x + (cell_px - picture.width) // 2, y + (tall - picture.height) // 2))
        colour = _WARN if cell.warns else _TEXT
        draw.text((x, y + tall), _short(cell.title, font, cell_px), fill=colour, font=font)
        draw.text((x, y + tall + 12), _short(cell.line, font, cell_px), fill=colour, font=font)
    return sheet


def save_sheet(
    cells: Sequence[Cell], path: Path, *, columns: int = 6, cell_px: int = CELL_PX
) -> Path:
    """Write a contact sheet; the suffix picks the form."""
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise UnknownName("type of contact sheet", path.suffix or path.name, SUFFIXES, path=path,
                          hint="Say sheet=contact.jpg")  # fmt: skip
    sheet = contact_sheet(cells, columns=columns, cell_px=cell_px)
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".part-{path.name}")
    sheet.save(passing, quality=88, icc_profile=pages.srgb_profile())
    passing.replace(path)
    return path


def _fitted(picture: bytes | Image.Image, cell_px: int) -> Image.Image:
    from PIL import Image

    opened = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    opened = opened.convert("RGB")
    scale = min(cell_px / opened.width, 1.2 * cell_px / opened.height)
    return opened.resize(
        (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
    )


def _short(text: str, font: object, cell_px: int) -> str:
    while text and font.getlength(text) > cell_px:  # pyright: ignore[reportAttributeAccessIssue]
        text = text[:-2].rstrip("…") + "…"
    return text

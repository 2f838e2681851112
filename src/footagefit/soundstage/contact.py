"""The contact sheet: one labelled picture per take on a neutral dark surround."""

from __future__ import annotations

import math
from pathlib import Path

from footagefit.soundstage.delivery import still_path
from footagefit.soundstage.plan import Script, Take

_GAP_PX, _LABEL_PX, _WIDTH_PX, _SURROUND = 10, 34, 300, (46, 46, 46)


def label(take: Take) -> tuple[str, str]:
    """Scene, take and camera; and what is wrong with it."""
    fault = take.fault
    wrong = "" if fault is None else f"{fault.kind} {fault.size:g} {fault.unit}"
    return f"{take.scene}{take.setup}  T{take.number}  {take.camera}  {take.asked.lens.name}", wrong


def write_contact(out: Path, script: Script, *, columns: int = 6) -> Path:
    """Lay the takes' stills out in shooting order, as `contact.jpg`."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = script.size_px
    cell = (_WIDTH_PX, round(_WIDTH_PX * height / width))
    columns = min(columns, len(script.takes))
    rows = math.ceil(len(script.takes) / columns)
    step = (cell[0] + _GAP_PX, cell[1] + _GAP_PX + _LABEL_PX)
    sheet = Image.new("RGB", (step[0] * columns + _GAP_PX, step[1] * rows + _GAP_PX), _SURROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for index, take in enumerate(script.takes):
        x = _GAP_PX + step[0] * (index % columns)
        y = _GAP_PX + step[1] * (index // columns)
        with Image.open(still_path(out, take)) as still:
            sheet.paste(still.convert("RGB").resize(cell, Image.Resampling.LANCZOS), (x, y))
        name, wrong = label(take)
        draw.text((x, y + cell[1] + 2), name, fill=(190, 190, 190), font=font)
        draw.text((x, y + cell[1] + 17), wrong, fill=(225, 160, 80), font=font)
    part = out / ".contact.jpg.part"
    sheet.save(part, format="JPEG", quality=88)
    part.replace(out / "contact.jpg")
    return out / "contact.jpg"

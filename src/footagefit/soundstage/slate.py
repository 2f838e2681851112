"""The slate: drawn, and held into the scene's light. Which frames carry it is the script's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from footagefit.records import Light
from footagefit.soundstage.lights import colour_of
from footagefit.soundstage.plan import SHOW, Take

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from torch import Tensor

_PAPER, _INK = 0.72, 0.03  # reflectance
_OVER = 2  # drawn at twice the size


def words(take: Take) -> tuple[tuple[str, str], ...]:
    """What the slate says, field by field."""
    return (
        ("SCENE", f"{take.scene}{take.setup}"),
        ("TAKE", f"{take.number:02d}"),
        ("ROLL", take.roll),
        ("CAM", take.camera),
        ("DATE", f"20{take.date[:2]}-{take.date[2:4]}-{take.date[4:]}"),
    )


def board(take: Take, size_px: tuple[int, int], *, open_deg: float = 0.0) -> np.ndarray:
    """The slate as reflectance and coverage (H,W,2) over a whole frame.

    Args:
        take: What it says.
        size_px: Height and width of the frame.
        open_deg: How far the clapper is open.
    """
    from PIL import Image, ImageDraw

    height, width = size_px[0] * _OVER, size_px[1] * _OVER
    page = Image.new("LA", (width, height), (0, 0))
    draw = ImageDraw.Draw(page)
    left, right = int(width * 0.12), int(width * 0.88)
    top, bottom = int(height * 0.26), int(height * 0.95)
    draw.rectangle((left, top, right, bottom), fill=(255, 255))
    _clapper(page, (left, top, right), open_deg=open_deg)
    _fields(draw, take, (left, top, right, bottom))
    if take.tail_slate:
        page = page.rotate(180)
    page = page.resize((size_px[1], size_px[0]), Image.Resampling.BOX)
    return np.asarray(page, np.float32) / 255.0


def _clapper(page: Image, at: tuple[int, int, int], *, open_deg: float) -> None:
    """The striped stick over the board, turned about its left end."""
    from PIL import Image, ImageDraw

    left, top, right = at
    thick = max(4, int(page.height * 0.07))
    stick = Image.new("LA", page.size, (0, 0))
    draw = ImageDraw.Draw(stick)
    draw.rectangle((left, top - thick, right, top - 2), fill=(20, 255))
    step = (right - left) / 9
    for index in range(0, 9, 2):
        x = left + index * step
        draw.polygon(
            [(x + thick, top - thick), (x + step, top - thick), (x + step - thick, top - 2),
             (x, top - 2)],
            fill=(255, 255),
        )  # fmt: skip
    stick = stick.rotate(open_deg, center=(left, top))
    page.paste(stick, (0, 0), stick.getchannel("A"))


def _fields(draw: ImageDraw, take: Take, box: tuple[int, int, int, int]) -> None:
    """Show on top, scene, take and roll large, camera and date below."""
    from PIL import ImageFont

    left, top, right, bottom = box
    tall, wide = bottom - top, right - left
    ink, line = (10, 255), max(1, tall // 80)

    def text(at: tuple[float, float], said: str, share: float) -> None:
        font = ImageFont.load_default(size=max(6, int(tall * share)))
        draw.text((left + wide * at[0], top + tall * at[1]), said, fill=ink, font=font)

    said = words(take)
    text((0.04, 0.03), SHOW, 0.15)
    for x, (name, value) in zip((0.0, 0.34, 0.56), said[:3], strict=True):
        text((x + 0.03, 0.26), name, 0.10)
        text((x + 0.03, 0.37), value, 0.25)
        if x:
            draw.line((left + wide * x, top + tall * 0.24, left + wide * x, top + tall * 0.74),
                      fill=ink, width=line)  # fmt: skip
    for y in (0.24, 0.74):
        draw.line((left, top + tall * y, right, top + tall * y), fill=ink, width=line)
    text((0.04, 0.80), f"CAM {said[3][1]}", 0.14)
    text((0.42, 0.80), said[4][1], 0.14)


def held(picture_CHW: Tensor, take: Take, *, light: Light, place: int) -> Tensor:
    """A frame with the slate in front of it, linear ACEScg, lit by the scene's key and fill.

    Args:
        picture_CHW: What the camera sees behind the slate.
        take: What the slate says.
        light: The light as this camera sees it.
        place: Which of the slate's frames: the clapper closes on the last but one.
    """
    size = (picture_CHW.shape[1], picture_CHW.shape[2])
    closing = max(0, take.slate_frames - 2 - place)
    drawn = board(take, size, open_deg=min(18.0, 6.0 * closing))
    grey, cover = torch.from_numpy(drawn[..., 0].copy()), torch.from_numpy(drawn[..., 1].copy())
    reflectance = _INK + (_PAPER - _INK) * grey
    return picture_CHW * (1 - cover) + (_lit(light)[:, None, None] * reflectance) * cover


def _lit(light: Light) -> Tensor:
    """What a white board gives: the key at its angle to a board tipped to meet it, and the fill."""
    import math

    cosine = math.cos(math.radians(light.azimuth_deg or 0.0)) * math.cos(
        math.radians(light.elevation_deg or 0.0)
    )
    key = colour_of(light.key_ev or 0.0, light.key_k or 5600.0, light.key_tint_duv or 0.0)
    fill = colour_of(light.fill_ev or 0.0, light.fill_k or 5600.0, light.fill_tint_duv or 0.0)
    return torch.tensor(key) * max(0.3, cosine) + torch.tensor(fill)

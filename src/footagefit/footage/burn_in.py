"""Words drawn into a review picture: frame number, timecode, a line of text. For eyes only."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

_HEIGHT_SHARE = 1 / 24
_BOX = 0.55  # how far the box behind the words darkens the picture
_WHITE = 0.9


@lru_cache(maxsize=4)
def _font(size_px: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size_px)


def burn_in(codes_HWC: np.ndarray, left: str, *, right: str = "") -> None:
    """Draw into the lower corners of a picture, in place.

    Args:
        codes_HWC: Display code values, 0..1.
        left: Usually the frame number.
        right: Usually the timecode.
    """
    from PIL import Image, ImageDraw

    height, width = codes_HWC.shape[:2]
    size = max(9, round(height * _HEIGHT_SHARE))
    font, pad = _font(size), max(2, size // 4)
    for text, at_right in ((left, False), (right, True)):
        if not text:
            continue
        x0, y0, x1, y1 = (int(v) for v in font.getbbox(text))
        box = Image.new("L", (x1 - x0 + 2 * pad, y1 - y0 + 2 * pad), 0)
        ImageDraw.Draw(box).text((pad - x0, pad - y0), text, fill=255, font=font)
        ink = np.asarray(box, dtype=np.float32)[: height - pad, : width - pad, None] / 255
        top = height - pad - ink.shape[0]
        first = width - pad - ink.shape[1] if at_right else pad
        part = codes_HWC[top : top + ink.shape[0], first : first + ink.shape[1], :3]
        ink = ink[:, : part.shape[1]]
        part *= (1 - _BOX) * (1 - ink)
        part += ink * np.float32(_WHITE)

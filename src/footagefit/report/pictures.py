"""Pictures for pages: 8 bit, tagged sRGB, with nothing else in their headers.

What belongs here: writing and making small. What does not: colour (`footage/colour.py` makes the
8-bit picture), where pictures go.

Every file says that it is sRGB, so that a wide-gamut screen shows what others show, and says no
more: no EXIF, no clock, no name of a machine. The same pixels give the same bytes.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

Form = Literal["jpeg", "png"]
SUFFIX: dict[Form, str] = {"jpeg": ".jpg", "png": ".png"}
GROUND = (23, 23, 23)  # `--ground` of look.css


def save(pixels_HWC: np.ndarray, path: Path, *, form: Form = "jpeg", quality: int = 95) -> Path:
    """Write an 8-bit sRGB picture, whole or not at all.

    Args:
        pixels_HWC: uint8.
        path: Where to; the suffix is not looked at.
        form: `png` is lossless; `jpeg` keeps colour at full resolution.
        quality: Of JPEG, 1 to 95.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(encoded(pixels_HWC, form=form, quality=quality))
    os.replace(part, path)
    return path


def encoded(pixels_HWC: np.ndarray, *, form: Form = "jpeg", quality: int = 95) -> bytes:
    """An 8-bit sRGB picture as a file's bytes."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    stored = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels_HWC))
    if form == "png":
        info = PngInfo()
        info.add(b"sRGB", b"\x00")  # perceptual intent
        picture.save(stored, format="PNG", pnginfo=info, compress_level=6)
    else:
        picture.save(
            stored, format="JPEG", quality=quality, subsampling=0, optimize=True,
            icc_profile=srgb_profile(),
        )  # fmt: skip
    return stored.getvalue()


def data_uri(stored: bytes, form: Form = "png") -> str:
    """A picture that stands in a page or a script."""
    return f"data:image/{form};base64,{base64.b64encode(stored).decode('ascii')}"


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """An ICC profile of sRGB, without the date it was made on."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()
    profile[84:100] = bytes(16)  # its own digest, which would hold the date
    return bytes(profile)


def read(path: Path) -> np.ndarray:
    """A picture's 8-bit pixels (H,W,3)."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def strip(pictures: Sequence[np.ndarray | None], *, cell: tuple[int, int]) -> np.ndarray:
    """Pictures side by side, small: a row of a grid in one file; None leaves a cell empty.

    Args:
        pictures: uint8 (H,W,3), of any size.
        cell: Width and height of each; a picture keeps its shape in it.
    """
    from PIL import Image

    width, height = cell
    row = Image.new("RGB", (width * len(pictures), height), GROUND)
    for place, pixels in enumerate(pictures):
        if pixels is not None:
            small = _inside(Image.fromarray(pixels), cell)
            x = place * width + (width - small.width) // 2
            row.paste(small, (x, (height - small.height) // 2))
    return np.asarray(row)


def shrunk(pixels_HWC: np.ndarray, long_px: int) -> np.ndarray:
    """A picture made small to a long side; one that is smaller stays as it is."""
    from PIL import Image

    height, width = pixels_HWC.shape[:2]
    if max(height, width) <= long_px:
        return pixels_HWC
    return np.asarray(_inside(Image.fromarray(pixels_HWC), (long_px, long_px)))


def samples(pixels_HWC: np.ndarray, *, size: tuple[int, int] = (54, 160)) -> np.ndarray:
    """Some of a picture's own pixels for scopes, evenly taken: nothing is averaged away.

    Args:
        pixels_HWC: uint8.
        size: Rows and columns; a waveform wants columns.
    """
    height, width = pixels_HWC.shape[:2]
    rows = _even(height, min(size[0], height))
    columns = _even(width, min(size[1], width))
    return pixels_HWC[rows][:, columns]


def _even(length: int, count: int) -> Any:
    return ((np.arange(count) + 0.5) * length / count).astype(int)


def _inside(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    from PIL import Image

    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)

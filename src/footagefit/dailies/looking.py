"""One quick look at every frame of a clip, in order: all that scanning needs of the pixels.

Here: all frames of a clip as tiny pictures (48 x 27), how sharp they are, some thumbnails, and what
their values stand for. Not here: what is taken of a frame (`thinning`), decoding (`footage`), and
what is concluded from it (`cuts`, `leaders`, `measures`).

Shape suffixes: T frames, H rows, W columns, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from footagefit.dailies.cuts import HEIGHT, WIDTH, jumps
from footagefit.dailies.thinning import (
    Closer,
    Thumb,
    Tiny,
    codes_of,
    most_of,
    places,
    rgb_grid,
    small,
)
from footagefit.errors import UnreadableFrame
from footagefit.footage.clip import Clip, Lines
from footagefit.records import ClipInfo, Native

_SLANTED = np.flatnonzero(np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).ravel() % 6 == 0)
_ROUGH_PX = 10 * WIDTH  # from here on a tiny pixel hides what deblocking does


@dataclass
class Look:
    """What was seen.

    Attributes:
        small_THWC: Tiny pictures as uint8 Y, Cb, Cr code values.
        linear_THWC: Tiny pictures in ACEScg (float16) where the clip is stored as RGB, else None.
        sharp_T: Fine detail over coarse detail along rows, 0..1.
        numbers: Frame number of each.
        broken: Frames that did not decode, with why.
        thumbs: Some larger pictures by frame number: ACEScg, Y, Cb, Cr as above, or planes.
        matrix: Of stored YUV.
        full: Whether stored YUV is full range.
    """

    small_THWC: np.ndarray
    linear_THWC: np.ndarray | None
    sharp_T: np.ndarray
    numbers: list[int]
    broken: dict[int, str] = field(default_factory=dict)
    thumbs: dict[int, Thumb] = field(default_factory=dict)
    matrix: str = "bt709"
    full: bool = False

    @cached_property
    def jump_T(self) -> np.ndarray:
        """Mean change of code values from frame to frame."""
        return jumps(self.small_THWC)


def look_at(clip: Clip, *, most_broken: int = 64) -> Look:
    """Look at every frame of a clip once, front to back.

    Args:
        clip: Open for reading.
        most_broken: Frames that may fail before the rest is given up.
    """
    info, numbers, index = clip.info, clip.numbers, 0
    tiny, closer = Tiny(info), Closer()
    for lines in clip.through(rough=info.width >= _ROUGH_PX):
        tiny.add(lines)
        if index >= closer.due:
            closer.look(numbers[index], index, lines)
        index += 1
        del lines  # the next frame goes where this one was, which is still in the cache
    seen, linear, broken = numbers[:index], list[np.ndarray](), dict[int, str]()
    for number in numbers[index:]:
        try:
            native = clip.native(number)
        except UnreadableFrame as error:
            broken[number] = error.what
            if len(broken) > most_broken:
                break
            continue
        if native.layout == "interleaved":
            linear.append(small(rgb_grid(native, info)).astype(np.float16))
            tiny.add_made(codes_of(linear[-1].astype(np.float32)))
            if len(seen) >= closer.due:
                closer.look_at_stored(number, len(seen), native, info)
        else:
            lines = _lines_of(native)
            tiny.add(lines)
            if len(seen) >= closer.due:
                closer.look(number, len(seen), lines)
        seen.append(number)
    return Look(
        small_THWC=tiny.all(),
        linear_THWC=np.stack(linear) if linear else None,
        sharp_T=closer.sharp(len(seen)),
        numbers=seen,
        broken=broken,
        thumbs=closer.thumbs,
        matrix=str(tiny.attributes.get("matrix", "bt709")),
        full=tiny.attributes.get("levels") == "full",
    )


def _lines_of(native: Native) -> Lines:
    planes = tuple([np.ascontiguousarray(p).reshape(-1) for p in native.planes])
    sizes = tuple([(p.shape[0], p.shape[1]) for p in native.planes])
    return Lines(planes, sizes, native.attributes, True)


def linear_of(look: Look, info: ClipInfo, *, chunk: int = 256) -> np.ndarray:
    """Every sixth of the tiny pictures' pixels in scene-linear ACEScg (T,N,3), float32.

    They lie on a slanted grid; conversion costs more than all else that is done with them.
    """
    from footagefit.footage import colour

    picked = _SLANTED
    if look.linear_THWC is not None:
        return look.linear_THWC.reshape(len(look.numbers), -1, 3)[:, picked].astype(np.float32)
    flat_TNC = look.small_THWC.reshape(len(look.numbers), -1, 3)[:, picked]
    out = np.empty(flat_TNC.shape, np.float32)
    for start in range(0, len(out), chunk):
        out[start : start + chunk] = rgb_of(flat_TNC[start : start + chunk], look.matrix, look.full)
        colour.to_working(out[start : start + chunk], info.space)
    return out


def shown(thumb: Thumb, look: Look, info: ClipInfo) -> np.ndarray:
    """A thumbnail as 8-bit sRGB, for eyes."""
    from footagefit.footage import colour

    if isinstance(thumb, tuple):
        thumb = _thumb(thumb, info)
    if thumb.dtype == np.uint8:
        pixels = rgb_of(thumb[None], look.matrix, look.full)[0]
        if colour.encoding(info.space) == "sdr-video":  # made for eyes as it is
            return (pixels.clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        colour.to_working(pixels, info.space)
    else:
        pixels = np.ascontiguousarray(thumb, np.float32)
    return colour.preview(pixels)


def rgb_of(ycc_THWC: np.ndarray, matrix: str, full: bool) -> np.ndarray:
    """RGB code values 0..1 of 8-bit Y, Cb, Cr."""
    weights, offsets = _to_rgb(matrix, full)
    rgb = ycc_THWC.reshape(-1, 3).astype(np.float32) @ weights
    rgb += offsets
    return rgb.reshape(ycc_THWC.shape)


@lru_cache(maxsize=8)
def _to_rgb(matrix: str, full: bool) -> tuple[np.ndarray, np.ndarray]:
    from footagefit.footage.yuv import PlaneFormat, equation

    made = equation(PlaneFormat("yuv444p", 8, "yuv", False, 0, 0), matrix=matrix, full=full)
    return made.weights.T.astype(np.float32), made.offsets.astype(np.float32)


def _thumb(picked: tuple[np.ndarray, ...], info: ClipInfo) -> np.ndarray:
    """The samples as 8-bit Y, Cb, Cr."""
    shape = picked[0].shape
    picked = tuple(p[places(p.shape[0], shape[0])][:, places(p.shape[1], shape[1])] for p in picked)
    if info.sample == "uint8" and info.channels[:3] == ("Y", "U", "V"):
        return np.stack(picked, -1)
    scaled = [p.astype(np.float32) / most_of(p, info.sample) for p in picked]
    if info.channels[:3] == ("G", "B", "R"):
        g, b, r = scaled
        return codes_of(np.stack([r, g, b], -1) ** 2.4 * 4.0)
    if len(scaled) < 3:
        scaled = [scaled[0], *[np.full_like(scaled[0], 128 / 255)] * 2]
    return (np.stack(scaled, -1) * 255.0 + 0.5).clip(0, 255).astype(np.uint8)

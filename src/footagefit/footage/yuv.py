"""Stored planes of a movie frame to RGB code values and back, in float, nothing clipped.

libswscale was measured and left: it clips what limited range keeps above white and below black,
reads full-range 1023 as 0.9990, and puts left-sited chroma half a pixel off. Here planes are only
brought to full size; the matrix goes on as the first step of the colour conversion, which takes
less time than numpy would. Rows go in bands that stay in cache.

Chroma of 4:2:0 and 4:2:2 is sited left, as MPEG and ProRes have it. Nothing here knows of colour
spaces: matrix and range only.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

# Weights of red and blue in luma: ITU-R BT.709-6, BT.601-7, BT.2020-2 (non-constant luminance).
LUMA = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
_BAND_ROWS = 64


@dataclass(frozen=True)
class PlaneFormat:
    """How a frame's planes hold its picture.

    Attributes:
        name: FFmpeg's name of the pixel format.
        bits: Bits of one sample.
        colour: `yuv`, `rgb` or `grey`.
        alpha: Whether the last plane is alpha.
        across: log2 of how many pixels share a chroma sample horizontally.
        down: The same, vertically.
        via: Planar format to unpack to, losslessly, before planes are taken; empty for none.
    """

    name: str
    bits: int
    colour: str
    alpha: bool
    across: int
    down: int
    via: str = ""


_UNPACKED = {
    "nv12": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "p010le": "yuv420p10le",
    "p210le": "yuv422p10le", "uyvy422": "yuv422p", "yuyv422": "yuv422p", "rgb24": "gbrp",
    "bgr24": "gbrp", "bgr0": "gbrp", "rgb0": "gbrp", "0rgb": "gbrp", "0bgr": "gbrp",
    "rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap", "abgr": "gbrap", "pal8": "gbrap",
    "rgb48le": "gbrp16le", "rgb48be": "gbrp16le", "rgba64le": "gbrap16le",
    "rgba64be": "gbrap16le", "bgr48le": "gbrp16le", "x2rgb10le": "gbrp10le", "monob": "gray",
}  # fmt: skip


@lru_cache(maxsize=64)
def plane_format(name: str) -> PlaneFormat | None:
    """What a pixel format's planes hold, or None where it is not one we know."""
    import av

    via = _UNPACKED.get(name, "")
    form = av.VideoFormat(via or name, 16, 16)
    parts = form.components
    bits = parts[0].bits
    big_endian = form.name.endswith("be") and bits > 8
    planar = form.is_planar or len(parts) == 1
    if not planar or big_endian or bits > 16 or any(p.bits != bits for p in parts):
        return None
    if len({p.plane for p in parts}) != len(parts) or "f32" in form.name or "f16" in form.name:
        return None
    alpha = len(parts) in (2, 4)
    grey = len(parts) < 3
    across = 0 if grey else (16 // parts[1].width).bit_length() - 1
    down = 0 if grey else (16 // parts[1].height).bit_length() - 1
    return PlaneFormat(
        name=via or name,
        bits=bits,
        colour="rgb" if form.is_rgb else "grey" if grey else "yuv",
        alpha=alpha,
        across=across,
        down=down,
        via=via,
    )


def planes_of(frame: Any, form: PlaneFormat) -> tuple[np.ndarray, ...]:
    """A decoded frame's planes as read-only arrays (H,W) on the decoder's own memory."""
    found = []
    sizes = sizes_of(form, frame.height, frame.width)
    for lines, (height, width) in zip(lines_of(frame, form), sizes, strict=True):
        rows = lines.reshape(height, -1)
        rows.flags.writeable = False
        found.append(rows[:, :width])
    return tuple(found)


def lines_of(frame: Any, form: PlaneFormat) -> tuple[np.ndarray, ...]:
    """The same, each in one row, line after line, with what pads the lines."""
    if form.via and frame.format.name != form.via:
        frame = frame.reformat(format=form.via)
    kind = np.uint8 if form.bits == 8 else np.uint16
    return tuple([np.frombuffer(plane, kind) for plane in frame.planes])


def sizes_of(form: PlaneFormat, height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Height and width of each plane's picture."""
    whole, part = (height, width), (-(-height >> form.down), -(-width >> form.across))
    colours = (whole,) if form.colour == "grey" else (whole, part, part)
    return (*colours, whole) if form.alpha else colours


@dataclass(frozen=True)
class _Scale:
    luma: np.float32
    black: np.float32
    chroma: np.float32
    middle: np.float32


def _scale(bits: int, full: bool) -> _Scale:
    """Code values of limited range: BT.709-6 table 4; full range: H.273 equation 8."""
    more = 1 << (bits - 8)
    if full:
        top = (1 << bits) - 1
        values = (1 / top, 0, 1 / top, 1 << (bits - 1))
    else:
        values = (1 / (219 * more), 16 * more, 1 / (224 * more), 128 * more)
    return _Scale(*(np.float32(v) for v in values))


@dataclass(frozen=True)
class Equation:
    """RGB code values from a frame's code planes: `rgb = weights @ codes + offsets`.

    Black comes out as 0 and white as 1; what lies beyond is kept.
    """

    weights: np.ndarray
    offsets: np.ndarray


def equation(form: PlaneFormat, *, matrix: str, full: bool) -> Equation:
    """How code planes make RGB.

    Args:
        form: What the planes hold.
        matrix: A key of `LUMA`; RGB formats have none.
        full: Whether codes run from 0 to the top, else 16 to 235 (in 8 bits).
    """
    scale = _scale(form.bits, full)
    luma, chroma = float(scale.luma), float(scale.chroma)
    if form.colour != "yuv":
        # FFmpeg's planar RGB is G, B, R
        weights = np.eye(3)[[2, 0, 1]] if form.colour == "rgb" else np.eye(3)
        return Equation(weights * luma, np.full(3, -luma * float(scale.black)))
    red, blue = LUMA[matrix]
    green = 1.0 - red - blue
    to_red, to_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    weights = np.array(
        [
            [luma, 0.0, to_red],
            [luma, -to_blue * blue / green, -to_red * red / green],
            [luma, to_blue, 0.0],
        ]
    )
    zero = np.array([scale.black, scale.middle, scale.middle], np.float64)
    return Equation(weights, -weights @ zero)


Through = Callable[[Sequence[np.ndarray], np.ndarray], None]


def to_rgb(
    planes: Sequence[np.ndarray], out_HWC: np.ndarray, *, form: PlaneFormat, through: Through
) -> None:
    """Bring a frame's planes to full size in float, and on into a float32 picture.

    Args:
        planes: Of `planes_of`.
        out_HWC: Three channels, filled.
        form: What the planes hold.
        through: Makes rows of the picture of three code planes (rows, W), while they are in
            cache: `by(equation)`, or what `colour.planes_to_working` returns.
    """
    width = out_HWC.shape[1]

    def share(bands: Sequence[tuple[int, int]]) -> None:
        held = np.empty((3, _BAND_ROWS, width), np.float32)
        for first, end in bands:
            codes = held[:, : end - first]
            if form.colour == "yuv":
                codes[0] = planes[0][first:end]
                for plane, full_size in zip(planes[1:3], codes[1:], strict=True):
                    _widen(_rows_up(plane, first, end, form.down), full_size, form.across)
            else:
                for channel in range(3):
                    codes[channel] = planes[channel if form.colour == "rgb" else 0][first:end]
            through(tuple(codes), out_HWC[first:end])

    _in_bands(out_HWC.shape[0], share)


def by(equation: Equation) -> Through:
    """A `through` that stops at RGB code values."""
    weights, offsets = equation.weights.astype(np.float32), equation.offsets.astype(np.float32)

    def through(codes: Sequence[np.ndarray], out: np.ndarray) -> None:
        for channel in range(3):
            terms = [p * w for p, w in zip(codes, weights[channel], strict=True) if w]
            np.add(sum(terms[1:], terms[0]), offsets[channel], out=out[..., channel])

    return through


def alpha_of(planes: Sequence[np.ndarray], out_HW: np.ndarray, *, form: PlaneFormat) -> None:
    """Write a frame's alpha, 0..1; it is full range whatever the picture is."""
    np.multiply(planes[-1], np.float32(1 / ((1 << form.bits) - 1)), out=out_HW)


def _rows_up(plane: np.ndarray, first: int, end: int, down: int) -> np.ndarray:
    """Chroma at luma rows `first` to `end`; it lies midway between the rows that share it.

    Bands begin at a row that begins a chroma row.
    """
    if down == 0:
        return plane[first:end].astype(np.float32)
    share = 1 << down
    low, high = first >> down, -(-end // share)
    last = plane.shape[0] - 1
    rows = np.empty((high - low + 2, plane.shape[1]), np.float32)
    rows[1:-1] = plane[low:high]
    rows[0], rows[-1] = plane[max(low - 1, 0)], plane[min(high, last)]
    out = np.empty(((high - low) * share, plane.shape[1]), np.float32)
    for offset in range(share):
        place = (offset + 0.5) / share - 0.5  # of this row, in chroma rows
        other = rows[2:] if place > 0 else rows[:-2]
        target = out[offset::share]
        np.multiply(rows[1:-1], np.float32(1 - abs(place)), out=target)
        target += other * np.float32(abs(place))
    return out[: end - first]


def _widen(chroma: np.ndarray, out: np.ndarray, across: int) -> None:
    """Chroma brought to full width, between samples that are sited left."""
    share = 1 << across
    out[:, ::share] = chroma
    for offset in range(1, share):
        between = out[:, offset::share]
        columns = min(between.shape[1], chroma.shape[1] - 1)
        near, far = np.float32(1 - offset / share), np.float32(offset / share)
        np.multiply(chroma[:, :columns], near, out=between[:, :columns])
        between[:, :columns] += chroma[:, 1 : columns + 1] * far
        between[:, columns:] = chroma[:, -1:]


def from_rgb(
    rgb_HWC: np.ndarray, *, form: PlaneFormat, matrix: str, full: bool
) -> list[np.ndarray]:
    """Planes of a picture's RGB code values, rounded and held within what the format can store.

    Limited range keeps what lies above white and below black, as far as its codes reach.
    """
    scale = _scale(form.bits, full)
    kind, top = (np.uint8 if form.bits == 8 else np.uint16), (1 << form.bits) - 1

    def codes(values: np.ndarray) -> np.ndarray:
        held = np.nan_to_num(values, nan=0.0, posinf=top, neginf=0)
        np.clip(np.rint(held, out=held), 0, top, out=held)
        return held.astype(kind)

    r, g, b = (rgb_HWC[..., c] for c in range(3))
    if form.colour == "rgb":
        return [codes(c / scale.luma + scale.black) for c in (g, b, r)]
    red, blue = LUMA[matrix]
    luma = np.float32(red) * r + np.float32(1 - red - blue) * g + np.float32(blue) * b
    planes = [codes(luma / scale.luma + scale.black)]
    for primary, weight in ((b, blue), (r, red)):
        difference = (primary - luma) * np.float32(0.5 / (1 - weight))
        shared = _share(difference, form.across, form.down)
        planes.append(codes(shared / scale.chroma + scale.middle))
    return planes


def _share(chroma: np.ndarray, across: int, down: int) -> np.ndarray:
    """Left-sited chroma of a full-size difference: 1-2-1 across, a mean down."""
    if down:
        if chroma.shape[0] % 2:
            chroma = np.concatenate([chroma, chroma[-1:]])
        chroma = (chroma[::2] + chroma[1::2]) * np.float32(0.5)
    if across:
        padded = np.concatenate([chroma[:, :1], chroma, chroma[:, -1:]], axis=1)
        width = chroma.shape[1]
        left, middle, right = padded[:, :width:2], padded[:, 1 : width + 1 : 2], padded[:, 2::2]
        chroma = (left + right[:, : middle.shape[1]]) * np.float32(0.25)
        chroma += middle * np.float32(0.5)
    return chroma


def alpha_plane(alpha_HW: np.ndarray, form: PlaneFormat) -> np.ndarray:
    """The stored plane of an alpha in 0..1."""
    top = (1 << form.bits) - 1
    held = np.rint(np.clip(np.nan_to_num(alpha_HW), 0, 1) * top)
    return held.astype(np.uint8 if form.bits == 8 else np.uint16)


@lru_cache(maxsize=2)
def _pool(pid: int, workers: int) -> ThreadPoolExecutor:
    """One pool per process: threads do not survive a fork."""
    return ThreadPoolExecutor(max_workers=workers)


def _in_bands(height: int, share: Callable[[Sequence[tuple[int, int]]], None]) -> None:
    """Call `share(bands)` for all rows, on several threads where there is enough to do."""
    edges = [*range(0, height, _BAND_ROWS), height]
    bands = list(itertools.pairwise(edges))
    workers = min(8, os.cpu_count() or 1)
    if workers == 1 or len(bands) < 4:
        share(bands)
        return
    cuts = [len(bands) * which // workers for which in range(workers + 1)]
    shares = [bands[first:end] for first, end in itertools.pairwise(cuts)]
    list(_pool(os.getpid(), workers).map(share, shares))

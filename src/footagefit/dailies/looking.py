"""One quick look at every frame of a clip, in order: all that scanning needs of the pixels.

Here: stored frames to tiny pictures (48 x 27), a sharpness figure from the full picture, and
some thumbnails. Not here: decoding (`footage`), and what is concluded from it (`cuts`, `leaders`,
`measures`). A look must cost little beside decoding: planes are taken as stored, thinned out by
strides and averaged by two small matrix products.

Shape suffixes: T frames, H rows, W columns, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from footagefit.dailies.cuts import HEIGHT, WIDTH
from footagefit.errors import UnreadableFrame
from footagefit.footage.clip import Clip
from footagefit.records import ClipInfo, Native

THUMB_PX = 192
_TAPS, _CHROMA_TAPS = 4, 2  # samples across one cell of the tiny picture
_SHARP_EVERY = 3
_MOST_THUMBS = 64


@dataclass
class Look:
    """What was seen.

    Attributes:
        small_THWC: Tiny pictures as uint8 Y, Cb, Cr code values.
        linear_THWC: Tiny pictures in ACEScg (float16) where the clip is stored as RGB, else None.
        sharp_T: Fine detail over coarse detail along rows, 0..1.
        numbers: Frame number of each.
        broken: Frames that did not decode, with why.
        thumbs: Some larger pictures by frame number: ACEScg or Y, Cb, Cr as above.
        matrix: Of stored YUV.
        full: Whether stored YUV is full range.
    """

    small_THWC: np.ndarray
    linear_THWC: np.ndarray | None
    sharp_T: np.ndarray
    numbers: list[int]
    broken: dict[int, str] = field(default_factory=dict)
    thumbs: dict[int, np.ndarray] = field(default_factory=dict)
    matrix: str = "bt709"
    full: bool = False


def look_at(clip: Clip, *, most_broken: int = 64) -> Look:
    """Look at every frame of a clip once, front to back.

    Args:
        clip: Open for reading.
        most_broken: Frames that may fail before the rest is given up.
    """
    small, linear, sharp = [], [], []
    broken: dict[int, str] = {}
    thumbs = _Thumbs()
    matrix, full, held = "bt709", False, 0.0
    for number in clip.numbers:
        try:
            native = clip.native(number)
        except UnreadableFrame as error:
            broken[number] = error.what
            if len(broken) > most_broken:
                break
            continue
        if native.layout == "interleaved":
            linear.append(_small(_rgb_grid(native, clip.info)).astype(np.float16))
            small.append(codes_of(linear[-1].astype(np.float32)))
            if len(sharp) % _SHARP_EVERY == 0:
                held = _sharpness(_luma_rows(native.planes[0]))
            sharp.append(held)
            thumbs.offer(number, lambda n=native: _rgb_grid(n, clip.info, wide=THUMB_PX))
            continue
        matrix = str(native.attributes.get("matrix", matrix))
        full = native.attributes.get("levels") == "full"
        small.append(_small_of_planes(native))
        if len(sharp) % _SHARP_EVERY == 0:
            held = _sharpness(native.planes[0])
        sharp.append(held)
        thumbs.offer(number, lambda n=native: _thumb_of_planes(n))
    return Look(
        small_THWC=np.stack(small) if small else np.zeros((0, HEIGHT, WIDTH, 3), np.uint8),
        linear_THWC=np.stack(linear) if linear else None,
        sharp_T=np.array(sharp, np.float32),
        numbers=[n for n in clip.numbers if n not in broken][: len(small)],
        broken=broken,
        thumbs=thumbs.kept,
        matrix=matrix,
        full=full,
    )


def linear_of(look: Look, info: ClipInfo, *, chunk: int = 256) -> np.ndarray:
    """The tiny pictures in scene-linear ACEScg (T,H,W,3), float32."""
    if look.linear_THWC is not None:
        return look.linear_THWC.astype(np.float32)
    out = np.empty(look.small_THWC.shape, np.float32)
    for start in range(0, len(out), chunk):
        part = look.small_THWC[start : start + chunk]
        rgb = rgb_of(part, look.matrix, look.full)
        flat = np.ascontiguousarray(rgb.reshape(-1, WIDTH, 3))
        _to_working(flat, info.space)
        out[start : start + chunk] = flat.reshape(part.shape)
    return out


def shown(thumb_HWC: np.ndarray, look: Look, info: ClipInfo) -> np.ndarray:
    """A thumbnail as 8-bit sRGB, for eyes."""
    from footagefit.footage import colour

    if thumb_HWC.dtype == np.uint8:
        pixels = rgb_of(thumb_HWC[None], look.matrix, look.full)[0]
        _to_working(pixels, info.space)
    else:
        pixels = np.ascontiguousarray(thumb_HWC, np.float32)
    return colour.preview(pixels)


def rgb_of(ycc_THWC: np.ndarray, matrix: str, full: bool) -> np.ndarray:
    """RGB code values 0..1 of 8-bit Y, Cb, Cr."""
    from footagefit.footage.yuv import LUMA

    red, blue = LUMA.get(matrix, LUMA["bt709"])
    y = ycc_THWC[..., 0].astype(np.float32)
    cb = ycc_THWC[..., 1].astype(np.float32) - 128.0
    cr = ycc_THWC[..., 2].astype(np.float32) - 128.0
    y, cb, cr = (
        (y / 255.0, cb / 255.0, cr / 255.0)
        if full
        else ((y - 16.0) / 219.0, cb / 224.0, cr / 224.0)
    )
    r = y + 2 * (1 - red) * cr
    b = y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.ascontiguousarray(np.stack([r, g, b], -1))


def codes_of(linear_HWC: np.ndarray) -> np.ndarray:
    """8-bit Y, Cb, Cr that stand for scene-linear pixels: a soft curve keeps highlights apart."""
    curved = np.clip(np.maximum(linear_HWC, 0.0) / 4.0, 0.0, 1.0) ** (1 / 2.8)
    y = curved[..., 0] * 0.2126 + curved[..., 1] * 0.7152 + curved[..., 2] * 0.0722
    cb = (curved[..., 2] - y) / 1.8556
    cr = (curved[..., 0] - y) / 1.5748
    ycc = np.stack([16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr], -1)
    return np.clip(ycc + 0.5, 0, 255).astype(np.uint8)


def _to_working(pixels_HWC: np.ndarray, space: str) -> None:
    from footagefit.footage import colour

    colour.to_working(pixels_HWC, space)


class _Thumbs:
    """Pictures at even steps through a clip of unknown length, never more than so many."""

    def __init__(self) -> None:
        self.kept: dict[int, np.ndarray] = {}
        self._seen = 0
        self._step = 8

    def offer(self, number: int, make: object) -> None:
        if self._seen % self._step == 4:
            self.kept[number] = make()  # pyright: ignore[reportCallIssue]
            if len(self.kept) > _MOST_THUMBS:
                self.kept = dict(list(self.kept.items())[::2])
                self._step *= 2
        self._seen += 1


def _small_of_planes(native: Native) -> np.ndarray:
    planes = native.planes
    if native.layout.startswith(("gbr", "rgb")):
        g, b, r = (_small(_thin(p)) / _most(p) for p in planes[:3])
        return codes_of(np.stack([r, g, b], -1) ** 2.4 * 4.0)
    taps = (_TAPS, _CHROMA_TAPS, _CHROMA_TAPS)
    shrunk = [
        _small(_thin(p, t)) * (255.0 / _most(p, native.sample))
        for p, t in zip(planes[:3], taps, strict=False)
    ]
    if len(planes) < 3:
        shrunk = [shrunk[0], *[np.full((HEIGHT, WIDTH), 128.0, np.float32)] * 2]
    return (np.stack(shrunk, -1) + 0.5).clip(0, 255).astype(np.uint8)


def _thumb_of_planes(native: Native) -> np.ndarray:
    planes = native.planes
    height, width = planes[0].shape[:2]
    tall = max(2, round(THUMB_PX * height / width))
    rows = (np.arange(tall) + 0.5) / tall
    columns = (np.arange(THUMB_PX) + 0.5) / THUMB_PX
    if native.layout.startswith(("gbr", "rgb")):
        g, b, r = (_pick(p, rows, columns) / _most(p) for p in planes[:3])
        return codes_of(np.stack([r, g, b], -1) ** 2.4 * 4.0)
    picked = [_pick(p, rows, columns) * (255.0 / _most(p, native.sample)) for p in planes[:3]]
    if len(planes) < 3:
        picked = [picked[0], *[np.full_like(picked[0], 128.0)] * 2]
    return (np.stack(picked, -1) + 0.5).clip(0, 255).astype(np.uint8)


def _pick(plane_HW: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = plane_HW.shape[:2]
    y, x = (rows * height).astype(int), (columns * width).astype(int)
    return plane_HW[y][:, x].reshape(len(y), len(x)).astype(np.float32)


def _most(plane: np.ndarray, sample: str = "") -> float:
    """The code value of full scale."""
    bits = {"uint10": 10, "uint12": 12, "uint16": 16}.get(sample, 8 * plane.dtype.itemsize)
    return float((1 << bits) - 1)


def _thin(plane_HW: np.ndarray, taps: int = _TAPS) -> np.ndarray:
    """A plane thinned out to taps x taps samples for each tiny pixel."""
    plane = plane_HW[..., 0] if plane_HW.ndim == 3 else plane_HW
    rows, columns = _places(plane.shape[0], HEIGHT * taps), _places(plane.shape[1], WIDTH * taps)
    return np.take(plane[rows], columns, axis=1)


def _small(taps: np.ndarray) -> np.ndarray:
    """Mean of each tiny pixel's samples; (27 x taps, 48 x taps) or with channels behind."""
    kind = np.uint32 if np.issubdtype(taps.dtype, np.integer) else np.float32
    shape = taps.shape[2:]
    each = taps.shape[0] // HEIGHT
    rows = taps[0::each].astype(kind)
    for step in range(1, each):
        rows += taps[step::each]
    cells = rows[:, 0::each].copy()
    for step in range(1, each):
        cells += rows[:, step::each]
    return cells.reshape(HEIGHT, WIDTH, *shape).astype(np.float32) / (each * each)


@lru_cache(maxsize=64)
def _places(length: int, count: int) -> np.ndarray:
    return ((np.arange(count) + 0.5) * length / count).astype(int)


def _rgb_grid(native: Native, info: ClipInfo, *, wide: int = 0) -> np.ndarray:
    """Stored RGB thinned out and converted to ACEScg: strided, or picked at `wide` columns."""
    stored = native.planes[0]
    picks = [native.channels.index(c) for c in _rgb_names(native.channels)]
    if wide:
        height, width = stored.shape[:2]
        tall = max(2, round(wide * height / width))
        rows, columns = (np.arange(tall) + 0.5) / tall, (np.arange(wide) + 0.5) / wide
        planes = [_pick(stored[..., p], rows, columns) for p in picks]
    else:
        planes = [_thin(stored[..., p]) for p in picks]
    rgb = np.ascontiguousarray(np.stack(planes, -1), np.float32)
    if np.issubdtype(stored.dtype, np.integer):
        rgb /= _most(stored, native.sample)
    np.nan_to_num(rgb, copy=False, nan=0.0, posinf=65504.0, neginf=0.0)
    _to_working(rgb, info.space)
    return rgb


def _rgb_names(channels: tuple[str, ...]) -> list[str]:
    for names in (("R", "G", "B"), ("r", "g", "b"), ("Y", "Y", "Y")):
        if all(n in channels for n in names):
            return list(names)
    endings = [next((c for c in channels if c.endswith(f".{n}")), None) for n in "RGB"]
    if all(endings):
        return [str(c) for c in endings]
    return [channels[min(i, len(channels) - 1)] for i in range(3)]


def _luma_rows(stored_HWC: np.ndarray) -> np.ndarray:
    plane = stored_HWC[..., min(1, stored_HWC.shape[2] - 1)] if stored_HWC.ndim == 3 else stored_HWC
    step = max(1, plane.shape[0] // 24)
    rows = plane[step // 2 :: step].astype(np.float32)
    if not np.issubdtype(stored_HWC.dtype, np.integer):
        rows = np.nan_to_num(np.maximum(rows, 0.0), posinf=65504.0) ** (1 / 2.8) * 255.0
    return rows


def _sharpness(plane_HW: np.ndarray) -> float:
    """Finest detail over coarse detail along a few rows: falls when focus goes."""
    plane = plane_HW[..., 0] if plane_HW.ndim == 3 else plane_HW
    step = max(1, plane.shape[0] // 24)
    rows = plane[step // 2 :: step]
    if rows.shape[1] < 16:
        return 0.0
    rows = rows.astype(np.int16 if rows.dtype == np.uint8 else np.float32)
    fine = rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2]
    coarse = rows[:, 8:] - rows[:, :-8]
    over = float(np.abs(coarse).mean())
    return 0.0 if over < 1e-6 else float(np.abs(fine).mean()) / (over + float(np.abs(fine).mean()))

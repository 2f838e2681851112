"""One quick look at every frame of a clip, in order: all that scanning needs of the pixels.

Here: stored frames to tiny pictures (48 x 27), a sharpness figure from the full picture, and
some thumbnails. Not here: decoding (`footage`), and what is concluded from it (`cuts`, `leaders`,
`measures`). A look must cost little beside decoding: planes are taken as stored, thinned out by
strides and averaged by two small matrix products.

Shape suffixes: T frames, H rows, W columns, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from footagefit.dailies.cuts import HEIGHT, WIDTH, jumps
from footagefit.errors import UnreadableFrame
from footagefit.footage.clip import Clip
from footagefit.records import ClipInfo, Native

THUMB_PX = 192
_TAPS = 4  # samples across one cell of the tiny picture
_PLANE_TAPS = (_TAPS, 2, 2)  # the same of each plane
_BATCH = 64
Thumb = np.ndarray | tuple[np.ndarray, ...]
_SLANTED = np.flatnonzero(np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).ravel() % 6 == 0)
_SHARP_EVERY, _SHARP_ROWS = 6, 12
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
    linear, sharp = [], []
    broken: dict[int, str] = {}
    tiny, thumbs = _Tiny(), _Thumbs()
    matrix, full, held = "bt709", False, 0.0
    for number in clip.numbers:
        try:
            native = clip.native(number)
        except UnreadableFrame as error:
            broken[number] = error.what
            if len(broken) > most_broken:
                break
            continue
        stored = native.layout == "interleaved"
        if stored:
            linear.append(_small(_rgb_grid(native, clip.info)).astype(np.float16))
            tiny.add(codes_of(linear[-1].astype(np.float32)))
        else:
            matrix = str(native.attributes.get("matrix", matrix))
            full = native.attributes.get("levels") == "full"
            tiny.add_planes(native)
        if len(sharp) % _SHARP_EVERY == 0:
            held = _sharpness(_luma_rows(native.planes[0]))
        sharp.append(held)
        if thumbs.wants():
            kept = _rgb_grid(native, clip.info, wide=THUMB_PX) if stored else _picked(native)
            thumbs.keep(number, kept)
        del native  # the next frame goes where this one was, which is still in the cache
    small_THWC = tiny.all()
    return Look(
        small_THWC=small_THWC,
        linear_THWC=np.stack(linear) if linear else None,
        sharp_T=np.array(sharp, np.float32),
        numbers=[n for n in clip.numbers if n not in broken][: len(small_THWC)],
        broken=broken,
        thumbs=thumbs.kept,
        matrix=matrix,
        full=full,
    )


def linear_of(look: Look, info: ClipInfo, *, chunk: int = 256) -> np.ndarray:
    """Every sixth of the tiny pictures' pixels in scene-linear ACEScg (T,N,3), float32.

    They lie on a slanted grid; conversion costs more than all else that is done with them.
    """
    picked = _SLANTED
    if look.linear_THWC is not None:
        return look.linear_THWC.reshape(len(look.numbers), -1, 3)[:, picked].astype(np.float32)
    flat_TNC = look.small_THWC.reshape(len(look.numbers), -1, 3)[:, picked]
    out = np.empty(flat_TNC.shape, np.float32)
    for start in range(0, len(out), chunk):
        out[start : start + chunk] = rgb_of(flat_TNC[start : start + chunk], look.matrix, look.full)
        _to_working(out[start : start + chunk], info.space)
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
        _to_working(pixels, info.space)
    else:
        pixels = np.ascontiguousarray(thumb, np.float32)
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
        self.kept: dict[int, Thumb] = {}
        self._seen = -1
        self._step = 8

    def wants(self) -> bool:
        """Whether the next frame should be kept."""
        self._seen += 1
        return self._seen % self._step == 4

    def keep(self, number: int, picture: Thumb) -> None:
        """Keep one; every other one goes when there are too many."""
        self.kept[number] = picture
        if len(self.kept) > _MOST_THUMBS:
            self.kept = dict(list(self.kept.items())[::2])
            self._step *= 2


class _Tiny:
    """Tiny pictures as they come; planes are averaged in batches, since small steps cost."""

    def __init__(self) -> None:
        self._done: list[np.ndarray] = []
        self._taps: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._whole = False
        self._scale: list[float] = []
        self._held = 0

    def add(self, picture_HWC: np.ndarray) -> None:
        """One that is tiny already."""
        self._done.append(picture_HWC[None])

    def add_planes(self, native: Native) -> None:
        """One of a frame's planes."""
        planes = native.planes
        if native.layout.startswith(("gbr", "rgb")):
            g, b, r = (_small(_thin(p)) / _most(p) for p in planes[:3])
            self.add(codes_of(np.stack([r, g, b], -1) ** 2.4 * 4.0))
            return
        if not self._taps:
            kind = planes[0].dtype
            sizes = [(HEIGHT * t, WIDTH * t) for t in _PLANE_TAPS[: len(planes[:3])]]
            self._taps = [np.empty((_BATCH, *size), kind) for size in sizes]
            self._rows = [np.empty((t.shape[1], 0), kind) for t in self._taps]
            self._whole = all(map(_is_whole, planes[:3]))
            self._scale = [255.0 / _most(p, native.sample) for p in planes[:3]]
        for channel, (taps, plane) in enumerate(zip(self._taps, planes, strict=False)):
            (height, width), (tall, across) = plane.shape, taps.shape[1:]
            if self._whole and plane.base is not None:  # numpy copies all to take rows of a part
                plane = plane.base.reshape(-1, plane.strides[0] // plane.itemsize)
            if self._rows[channel].shape[1] != plane.shape[1]:
                self._rows[channel] = np.empty((tall, plane.shape[1]), plane.dtype)
            rows = self._rows[channel]
            plane.take(_places(height, tall), axis=0, out=rows, mode="clip")
            rows.take(_places(width, across), axis=1, out=taps[self._held], mode="clip")
        self._held += 1
        if self._held == _BATCH:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        out = np.full((self._held, HEIGHT, WIDTH, 3), 128, np.uint8)
        for channel, (taps, scale) in enumerate(zip(self._taps, self._scale, strict=True)):
            each = taps.shape[1] // HEIGHT
            total = _summed(taps[: self._held], each)
            mean = total * np.float32(scale / (each * each)) + np.float32(0.5)
            out[..., channel] = mean.clip(0, 255)
        self._done.append(out)
        self._held = 0

    def all(self) -> np.ndarray:
        """All of them (T,H,W,3)."""
        self._flush()
        return np.concatenate(self._done or [np.zeros((0, HEIGHT, WIDTH, 3), np.uint8)])


def _is_whole(plane_HW: np.ndarray) -> bool:
    """Whether a plane's base is all of its samples and what lies between its rows, in one row."""
    base = plane_HW.base
    if not isinstance(base, np.ndarray) or base.ndim != 1 or base.dtype != plane_HW.dtype:
        return False
    starts = base.__array_interface__["data"][0] == plane_HW.__array_interface__["data"][0]
    return starts and base.nbytes == plane_HW.shape[0] * plane_HW.strides[0]


def _summed(taps_THW: np.ndarray, each: int) -> np.ndarray:
    """Sums of each x each samples."""
    rows = taps_THW[:, 0::each].astype(np.uint32 if taps_THW.dtype != np.uint8 else np.uint16)
    for step in range(1, each):
        rows += taps_THW[:, step::each]
    cells = rows[..., 0::each].copy()
    for step in range(1, each):
        cells += rows[..., step::each]
    return cells


def _picked(native: Native) -> tuple[np.ndarray, ...]:
    """A thumbnail's samples as stored, a plane each: few of them are ever shown."""
    height, width = native.planes[0].shape[:2]
    tall = max(2, round(THUMB_PX * height / width))
    return tuple(
        plane[_places(plane.shape[0], tall)][:, _places(plane.shape[1], THUMB_PX)]
        for plane in native.planes[:3]
    )


def _thumb(picked: tuple[np.ndarray, ...], info: ClipInfo) -> np.ndarray:
    """The samples as 8-bit Y, Cb, Cr."""
    scaled = [p.astype(np.float32) / _most(p, info.sample) for p in picked]
    if info.channels[:3] == ("G", "B", "R"):
        g, b, r = scaled
        return codes_of(np.stack([r, g, b], -1) ** 2.4 * 4.0)
    if len(scaled) < 3:
        scaled = [scaled[0], *[np.full_like(scaled[0], 128 / 255)] * 2]
    return (np.stack(scaled, -1) * 255.0 + 0.5).clip(0, 255).astype(np.uint8)


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
    """A few rows of luma, enough to tell how sharp a picture is."""
    plane = stored_HWC[..., min(1, stored_HWC.shape[2] - 1)] if stored_HWC.ndim == 3 else stored_HWC
    step = max(1, plane.shape[0] // _SHARP_ROWS)
    rows = plane[step // 2 :: step]
    if rows.dtype == np.uint8:
        return rows.astype(np.int16)
    rows = rows.astype(np.float32)
    if not np.issubdtype(stored_HWC.dtype, np.integer):
        rows = np.nan_to_num(np.maximum(rows, 0.0), posinf=65504.0) ** (1 / 2.8) * 255.0
    return rows


def _sharpness(rows_HW: np.ndarray) -> float:
    """Finest detail over coarse detail along a few rows: falls when focus goes."""
    if rows_HW.shape[1] < 16:
        return 0.0
    fine = rows_HW[:, 2:] + rows_HW[:, :-2] - 2 * rows_HW[:, 1:-1]
    coarse = rows_HW[:, 8:] - rows_HW[:, :-8]
    kind = np.int32 if fine.dtype == np.int16 else np.float64
    over = float(np.abs(coarse).sum(dtype=kind)) / coarse.size
    detail = float(np.abs(fine).sum(dtype=kind)) / fine.size
    return 0.0 if over < 1e-6 else detail / (over + detail)

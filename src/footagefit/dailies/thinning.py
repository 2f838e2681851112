"""Stored frames thinned out: samples for tiny pictures and thumbnails, rows to tell sharpness by.

Here: what is taken of a frame, and sums over it. Not here: which frames (`looking`).

Decoding a frame fills the cache, and each step in Python after it costs several times as much as
in a loop by itself. So a frame gives up its samples in one step a plane, some frames are summed
together after, and only every few frames are asked for more.

Shape suffixes: T frames, H rows, W columns, C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from footagefit.dailies.cuts import HEIGHT, WIDTH
from footagefit.footage.clip import Lines
from footagefit.records import ClipInfo, Native

THUMB_PX = 192
Thumb = np.ndarray | tuple[np.ndarray, ...]
_TAPS = 4  # samples across one cell of the tiny picture
_PLANE_TAPS = (_TAPS, 2, 2)  # the same of each plane
_BATCH = 16  # few enough to stay in the cache
_SHARP_EVERY, _SHARP_ROWS = 8, 12
_SHARP_WAIT = 6  # frames more after which one that was not filtered will do
_MOST_THUMBS = 64


class Tiny:
    """Tiny pictures as they come; planes are averaged in batches, since small steps cost."""

    def __init__(self, info: ClipInfo) -> None:
        self.attributes: dict[str, object] = {}
        self._stored_rgb = info.channels[:3] == ("G", "B", "R")
        self._sample = info.sample
        self._done: list[np.ndarray] = []
        self._length = 0
        self._picks: list[np.ndarray] = []  # of each plane, where its samples lie
        self._taps: list[np.ndarray] = []  # the samples: frames, samples x tiny pixels
        self._most: list[float] = []
        self._held = 0

    def add_made(self, picture_HWC: np.ndarray) -> None:
        """One that is tiny already."""
        self._done.append(picture_HWC[None])

    def add(self, lines: Lines) -> None:
        """One of a frame's planes."""
        planes = lines.planes
        if planes[0].size != self._length:
            self._begin(lines)
        if self._stored_rgb:
            g, b, r = (thin(lines.picture(n)) for n in range(3))
            rgb = [small(plane) / most_of(plane, self._sample) for plane in (r, g, b)]
            self.add_made(codes_of(np.stack(rgb, -1) ** 2.4 * 4.0))
            return
        held = self._held
        for plane, picks, taps in zip(planes, self._picks, self._taps, strict=False):
            plane.take(picks, out=taps[held], mode="clip")
        self._held = held + 1
        if self._held == _BATCH:
            self._flush()

    def _begin(self, lines: Lines) -> None:
        self._flush()
        self.attributes, self._length = lines.attributes, lines.planes[0].size
        planes = lines.planes[:3]
        self._picks = [
            _sample_places(size, len(plane) // size[0], each)
            for plane, size, each in zip(planes, lines.sizes, _PLANE_TAPS, strict=False)
        ]
        self._taps = [
            np.empty((_BATCH, len(picks)), plane.dtype)
            for plane, picks in zip(planes, self._picks, strict=True)
        ]
        self._most = [most_of(p, self._sample) for p in planes]
        self._held = 0

    def _flush(self) -> None:
        if not self._held:
            return
        out = np.full((self._held, HEIGHT * WIDTH, 3), 128, np.uint8)
        for channel, (taps, most) in enumerate(zip(self._taps, self._most, strict=True)):
            out[..., channel] = _averaged(taps[: self._held], most)
        self._done.append(out.reshape(self._held, HEIGHT, WIDTH, 3))
        self._held = 0

    def all(self) -> np.ndarray:
        """All of them (T,H,W,3)."""
        self._flush()
        return np.concatenate(self._done or [np.zeros((0, HEIGHT, WIDTH, 3), np.uint8)])


@lru_cache(maxsize=16)
def _sample_places(size: tuple[int, int], line: int, each: int) -> np.ndarray:
    """Where in a plane's lines, one after the other, the samples of tiny pixels lie.

    First the first sample of every tiny pixel, then the second of every one: sums are then quick.
    """
    rows = places(size[0], HEIGHT * each).reshape(HEIGHT, 1, each, 1)
    columns = places(size[1], WIDTH * each).reshape(1, WIDTH, 1, each)
    return (rows * line + columns).transpose(2, 3, 0, 1).ravel()


def _averaged(taps_TN: np.ndarray, most: float) -> np.ndarray:
    """Means of each tiny pixel's samples as 8-bit codes, rounded."""
    each = taps_TN.reshape(len(taps_TN), -1, HEIGHT * WIDTH)
    count = each.shape[1]
    if each.dtype == np.uint8:  # in whole numbers: the same, and sooner
        total = each.sum(axis=1, dtype=np.uint16)
        total += count // 2
        total //= count
        return total
    total = each.sum(axis=1, dtype=np.uint32)
    return (total * np.float32(255.0 / (most * count)) + np.float32(0.5)).clip(0, 255)


class Closer:
    """What only some frames are asked for: how sharp they are, and pictures for people.

    Attributes:
        due: Index of the next frame to look at; it costs to ask every one.
        thumbs: Pictures by frame number, at even steps through a clip of unknown length, never
            more than so many.
    """

    def __init__(self) -> None:
        self.due = 0
        self.thumbs: dict[int, Thumb] = {}
        self._next_thumb, self._step = 4, 8
        self._next_sharp = -_SHARP_WAIT  # the first frame is, whatever it is
        self._told: list[int] = []
        self._sharp: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def look(self, number: int, index: int, lines: Lines) -> None:
        """Look at a frame by its planes."""
        self._tell(index, lambda: lines.picture(0), filtered=lines.filtered)
        self._keep(number, index, lambda: _picked(lines))

    def look_at_stored(self, number: int, index: int, native: Native, info: ClipInfo) -> None:
        """Look at a frame of stored RGB."""
        self._tell(index, lambda: native.planes[0], filtered=True)
        self._keep(number, index, lambda: rgb_grid(native, info, wide=THUMB_PX))

    def _tell(self, index: int, stored: Callable[[], np.ndarray], *, filtered: bool) -> None:
        due = self._next_sharp if filtered else self._next_sharp + _SHARP_WAIT
        if index >= due:
            rows = _luma_rows(stored())
            if len(self._rows) == _BATCH or (self._rows and rows.shape != self._rows[0].shape):
                self._flush()
            self._rows.append(rows)
            self._told.append(index)
            self._next_sharp = index + _SHARP_EVERY
        self.due = min(max(self._next_sharp, index + 1), self._next_thumb)

    def _keep(self, number: int, index: int, picture: Callable[[], Thumb]) -> None:
        if index < self._next_thumb:
            return
        self.thumbs[number] = picture()
        if len(self.thumbs) > _MOST_THUMBS:
            self.thumbs = dict(list(self.thumbs.items())[::2])
            self._step *= 2
        self._next_thumb = index + self._step
        self.due = min(max(self._next_sharp, index + 1), self._next_thumb)

    def sharp(self, total: int) -> np.ndarray:
        """How sharp each of so many frames is: as the last one that was looked at."""
        self._flush()
        told = np.concatenate(self._sharp or [np.zeros(0, np.float32)])
        return np.repeat(told, np.diff([*self._told, total]))

    def _flush(self) -> None:
        if self._rows:
            self._sharp.append(_sharpness(_for_sums(np.stack(self._rows))))
            self._rows = []


def _picked(lines: Lines) -> tuple[np.ndarray, ...]:
    """A thumbnail's samples as stored, a plane each: few of them are ever shown."""
    height, width = lines.sizes[0]
    tall = max(2, round(THUMB_PX * height / width))
    found = []
    for plane, (rows, columns) in zip(lines.planes[:3], lines.sizes, strict=False):
        some = plane.reshape(rows, -1).take(places(rows, -(-tall * rows // height)), axis=0)
        found.append(some.take(places(columns, -(-THUMB_PX * columns // width)), axis=1))
    return tuple(found)


def codes_of(linear_HWC: np.ndarray) -> np.ndarray:
    """8-bit Y, Cb, Cr that stand for scene-linear pixels: a soft curve keeps highlights apart."""
    curved = np.clip(np.maximum(linear_HWC, 0.0) / 4.0, 0.0, 1.0) ** (1 / 2.8)
    y = curved[..., 0] * 0.2126 + curved[..., 1] * 0.7152 + curved[..., 2] * 0.0722
    cb = (curved[..., 2] - y) / 1.8556
    cr = (curved[..., 0] - y) / 1.5748
    ycc = np.stack([16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr], -1)
    return np.clip(ycc + 0.5, 0, 255).astype(np.uint8)


def _pick(plane_HW: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = plane_HW.shape[:2]
    y, x = (rows * height).astype(int), (columns * width).astype(int)
    return plane_HW[y][:, x].reshape(len(y), len(x)).astype(np.float32)


def most_of(plane: np.ndarray, sample: str = "") -> float:
    """The code value of a plane's full scale."""
    bits = {"uint10": 10, "uint12": 12, "uint16": 16}.get(sample, 8 * plane.dtype.itemsize)
    return float((1 << bits) - 1)


def thin(plane_HW: np.ndarray, taps: int = _TAPS) -> np.ndarray:
    """A plane thinned out to taps x taps samples for each tiny pixel."""
    plane = plane_HW[..., 0] if plane_HW.ndim == 3 else plane_HW
    rows, columns = places(plane.shape[0], HEIGHT * taps), places(plane.shape[1], WIDTH * taps)
    return np.take(plane[rows], columns, axis=1)


def small(taps: np.ndarray) -> np.ndarray:
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
def places(length: int, count: int) -> np.ndarray:
    """So many places along a length, evenly spread."""
    return ((np.arange(count) + 0.5) * length / count).astype(int)


def rgb_grid(native: Native, info: ClipInfo, *, wide: int = 0) -> np.ndarray:
    """Stored RGB thinned out and converted to ACEScg: strided, or picked at `wide` columns."""
    from footagefit.footage import colour

    stored = native.planes[0]
    picks = [native.channels.index(c) for c in _rgb_names(native.channels)]
    if wide:
        height, width = stored.shape[:2]
        tall = max(2, round(wide * height / width))
        rows, columns = (np.arange(tall) + 0.5) / tall, (np.arange(wide) + 0.5) / wide
        planes = [_pick(stored[..., p], rows, columns) for p in picks]
    else:
        planes = [thin(stored[..., p]) for p in picks]
    rgb = np.ascontiguousarray(np.stack(planes, -1), np.float32)
    if np.issubdtype(stored.dtype, np.integer):
        rgb /= most_of(stored, native.sample)
    np.nan_to_num(rgb, copy=False, nan=0.0, posinf=65504.0, neginf=0.0)
    colour.to_working(rgb, info.space)
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
    """A copy of a few rows of luma, enough to tell how sharp a picture is."""
    plane = stored_HWC[..., min(1, stored_HWC.shape[2] - 1)] if stored_HWC.ndim == 3 else stored_HWC
    step = max(1, plane.shape[0] // _SHARP_ROWS)
    return plane[step // 2 :: step].copy()


def _for_sums(rows_THW: np.ndarray) -> np.ndarray:
    """Rows as numbers to sum up: 8 bits exactly, light on a curve."""
    if rows_THW.dtype == np.uint8:
        return rows_THW.astype(np.int16)
    rows = rows_THW.astype(np.float32)
    if not np.issubdtype(rows_THW.dtype, np.integer):
        rows = np.nan_to_num(np.maximum(rows, 0.0), posinf=65504.0) ** (1 / 2.8) * 255.0
    return rows


def _sharpness(rows_THW: np.ndarray) -> np.ndarray:
    """Finest detail over coarse detail along some pictures' rows: falls when focus goes."""
    if rows_THW.shape[2] < 16:
        return np.zeros(len(rows_THW), np.float32)
    fine = rows_THW[:, :, 2:] + rows_THW[:, :, :-2] - 2 * rows_THW[:, :, 1:-1]
    coarse = rows_THW[:, :, 8:] - rows_THW[:, :, :-8]
    kind = np.int32 if fine.dtype == np.int16 else np.float64
    over, detail = (
        np.abs(d).sum((1, 2), dtype=kind) / (d.shape[1] * d.shape[2]) for d in (coarse, fine)
    )
    told = detail / np.maximum(over + detail, 1e-9)
    return np.where(over < 1e-6, 0.0, told).astype(np.float32)

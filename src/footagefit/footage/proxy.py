"""8-bit proxies through decord, for training: fast, never for a final render.

decord decodes ahead as soon as it is opened (half a gigabyte for one 720p clip was measured), so
readers are opened at the first read, per process, a few are kept, and each is opened anew after
some hundreds of frames. Its threads do not survive a fork: the fork of a process that has used
decord reads through PyAV instead. On some files its random access returns wrong frames without a
word: `agrees` finds out before a clip is trusted to it.
"""

from __future__ import annotations

import hashlib
import os
import random
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import FootagefitWarning, MissingPart, UnknownName, UnreadableFrame
from footagefit.footage import colour, movie_tags, yuv
from footagefit.footage.clip import Clip
from footagefit.footage.movie import MovieClip
from footagefit.records import Frames, Native

_KEPT = 2  # open readers a process
_READS = 256  # frames until a reader is opened anew
_NEAR = 5.0  # mean 8-bit codes that decord's conversion to RGB may lie beside ours
# Slices, not lists: gathering would start torch's threads, which hang in a fork.
_LAYERS = {"R": slice(1), "G": slice(1, 2), "B": slice(2, 3), "mask": slice(1), "rgb": slice(3)}

_readers: OrderedDict[tuple[int, str], list[Any]] = OrderedDict()
_used_in: list[int] = []  # the process that decord first ran in: it does not work in its forks


class ProxyClip(Clip):
    """A movie read at 8 bits; for the arguments see `MovieClip`.

    Its frame numbers, matrix and tags are `MovieClip`'s; what limited range keeps above white and
    below black is lost.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        space: str,
        matrix: str = "auto",
        levels: str = "auto",
        start: int | None = None,
        rate: Fraction | None = None,
    ) -> None:
        self._exact = MovieClip(
            path, space=space, matrix=matrix, levels=levels, start=start, rate=rate
        )
        stored = self._exact.info
        self.info = replace(stored, alpha=False, layers=tuple(_LAYERS), sample="uint8")
        self._mend = _mending(self._exact)
        if stored.bit_depth > 8:
            message = f"{path}: {stored.bit_depth} bits are read as 8. Say reader=pyav for all."
            warnings.warn(FootagefitWarning(message), stacklevel=2)

    def read(self, frames: Sequence[int]) -> Frames:
        """Scene-linear ACEScg pixels, from 8-bit codes."""
        rgb = self._codes(frames)
        for slot in range(len(frames)):
            colour.to_working(rgb[slot], self.info.space)
        return Frames(torch.from_numpy(rgb).permute(0, 3, 1, 2), None, tuple(frames))

    def data(self, frames: Sequence[int], layer: str) -> Tensor:
        """Code values 0..1 of `R`, `G`, `B`, `rgb`, or `mask` (R)."""
        if layer not in _LAYERS:
            raise UnknownName("layer", layer, _LAYERS, path=self.info.path)
        return torch.from_numpy(self._codes(frames)).permute(0, 3, 1, 2)[:, _LAYERS[layer]]

    def native(self, frame: int) -> Native:
        """The stored planes, which decord does not give: PyAV's."""
        return self._exact.native(frame)

    def _codes(self, frames: Sequence[int]) -> np.ndarray:
        self.require(frames)
        if _used_in and _used_in[0] != os.getpid():
            message = f"{self.info.path}: decord ran before this fork, so PyAV reads it here."
            warnings.warn(FootagefitWarning(message), stacklevel=3)
            return self._exact.data(frames, "rgb").permute(0, 2, 3, 1).numpy().clip(0, 1)
        height, width = self.info.height, self.info.width
        rgb = np.empty((len(frames), height, width, 3), np.float32)
        for slot in sorted(range(len(frames)), key=lambda s: frames[s]):
            picture = self._picture(frames[slot])
            np.multiply(picture, np.float32(1 / 255), out=rgb[slot])
            if self._mend is not None:
                factors, offset = self._mend
                rgb[slot] = rgb[slot] @ factors.T + offset
        return rgb

    def _picture(self, frame: int) -> np.ndarray:
        """One frame as decord gives it, (H,W,3) of 8 bits."""
        path, position = self.info.path, frame - self.info.first_frame
        try:
            picture = _reader(path)[position].asnumpy()
        except _refusals() as error:
            _forget(path)
            raise self._unreadable(frame, "decord does not decode it") from error
        if picture.shape != (self.info.height, self.info.width, 3):
            size = f"{picture.shape[1]}x{picture.shape[0]}"
            raise self._unreadable(frame, f"decord gives {size}, turned or cropped")
        return picture

    def _unreadable(self, frame: int, why: str) -> UnreadableFrame:
        hint = "Say reader=pyav"
        return UnreadableFrame(why, path=self.info.path, frame=frame, hint=hint)

    def close(self) -> None:
        """Let go of the file; reading again opens it again."""
        _forget(self.info.path)
        self._exact.close()


def agrees(path: str | Path, *, samples: int = 24, seed: int = 0) -> bool:
    """Whether decord can be trusted with a clip.

    It must hold as many frames as the clip, give the frames it gives in sequence bit for bit when
    asked in any order, and these must be the frames that PyAV decodes in sequence, as near as two
    conversions to 8-bit RGB come.

    Args:
        path: The movie.
        samples: How many frames to ask for out of order.
        seed: Which frames, in which order.
    """
    decord = _decord()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)
        clip = ProxyClip(path, space="lin_ap1")
    first, length = clip.info.first_frame, clip.info.length
    picked = random.Random(seed).sample(range(length), min(samples, length))
    wanted: dict[int, bytes] = {}
    try:
        with clip:
            if len(_reader(clip.info.path)) != length:
                return False
            in_sequence = decord.VideoReader(str(clip.info.path), num_threads=1)
            for position in range(length):
                picture = in_sequence[position].asnumpy()
                if position in picked:
                    if not _is_frame(clip, picture, first + position):
                        return False
                    wanted[position] = hashlib.sha256(picture.tobytes()).digest()
            del in_sequence
            return all(
                hashlib.sha256(clip._picture(first + position).tobytes()).digest()
                == wanted[position]
                for position in picked
            )
    except (UnreadableFrame, *_refusals()):
        return False


def _is_frame(clip: ProxyClip, picture: np.ndarray, frame: int) -> bool:
    """Whether decord's picture is the frame that PyAV decodes."""
    info = clip.info
    if picture.shape != (info.height, info.width, 3):
        return False
    codes = picture.astype(np.float32) / 255
    if clip._mend is not None:
        codes = codes @ clip._mend[0].T + clip._mend[1]
    exact = clip._exact.data([frame], "rgb")[0].permute(1, 2, 0).numpy()
    return float(np.abs(codes.clip(0, 1) - exact.clip(0, 1)).mean()) * 255 < _NEAR


def _reader(path: Path) -> Any:
    """This process's open reader of a movie; the least used is closed, a worn one replaced."""
    key = (os.getpid(), str(path))
    held = _readers.get(key)
    if held is None or held[1] >= _READS:
        _readers.pop(key, None)
        held = None
        while len(_readers) >= _KEPT:
            _readers.popitem(last=False)
        decord = _decord()
        _used_in[:] = _used_in or [os.getpid()]
        decord.logging.set_level(decord.logging.ERROR)
        _readers[key] = [decord.VideoReader(str(path), num_threads=1), 0]
    _readers.move_to_end(key)
    _readers[key][1] += 1
    return _readers[key][0]


def _decord() -> Any:
    try:
        import decord
    except ImportError as error:
        raise MissingPart("decord is not installed", hint="Say reader=pyav") from error
    return decord


def _refusals() -> tuple[type[Exception], ...]:
    """What decord raises where it cannot open or decode."""
    decord = _decord()
    return (decord.DECORDError, RuntimeError, IndexError, OSError)


def _forget(path: Path) -> None:
    _readers.pop((os.getpid(), str(path)), None)


def _mending(clip: MovieClip) -> tuple[np.ndarray, np.ndarray] | None:
    """What turns decord's RGB into ours: it takes untagged movies for Rec.601, limited."""
    if clip.form.colour != "yuv":
        return None
    theirs = movie_tags.matrix_from_tags(clip.tags.matrix, movie_tags.UNSAID) or "bt601"
    if theirs == clip.matrix and clip.tagged_full == clip.full:
        return None
    back = np.linalg.inv(_to_rgb(theirs, clip.tagged_full))
    factors = _to_rgb(clip.matrix, clip.full) @ back
    black = np.array([0.0 if clip.full else 16 / 255, 0, 0])
    their_black = np.array([0.0 if clip.tagged_full else 16 / 255, 0, 0])
    offset = _to_rgb(clip.matrix, clip.full) @ (their_black - black)
    return factors.astype(np.float32), offset.astype(np.float32)


def _to_rgb(matrix: str, full: bool) -> np.ndarray:
    """Codes 0..1 of Y, Cb, Cr, black and middle at 0, to RGB."""
    red, blue = yuv.LUMA[matrix]
    green = 1 - red - blue
    luma, chroma = (1.0, 1.0) if full else (255 / 219, 255 / 224)
    b, r = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    return np.array([[luma, 0, r], [luma, -b * blue / green, -r * red / green], [luma, b, 0]])

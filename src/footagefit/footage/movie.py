"""Movies at full bit depth, by frame number, through PyAV: ProRes, DNxHR, H.264, HEVC, FFV1.

What lies where is `movie_index.py`'s, getting at it `movie_decoder.py`'s, planes to RGB
`yuv.py`'s, tags `movie_tags.py`'s. Colour conversion is `colour.py`'s.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from footagefit.errors import (
    FootagefitWarning,
    UnknownName,
    UnknownSpace,
    UnreadableClip,
    UnreadableFrame,
)
from footagefit.footage import alpha, colour, movie_tags, timecode, yuv
from footagefit.footage.clip import Clip, Lines
from footagefit.footage.movie_decoder import MovieDecoder
from footagefit.footage.movie_index import build_index, open_movie
from footagefit.records import Box, ClipInfo, Frames, Native

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".mov", ".mp4", ".mxf", ".mkv", ".avi", ".m4v")
_CHANNELS = {"R": 0, "G": 1, "B": 2}
_FULL_RANGE, _LIMITED_RANGE = 2, 1  # AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG
_BIDIRECTIONAL = 3  # AV_PICTURE_TYPE_B: hardly anything else is made from such frames


class MovieClip(Clip):
    """A movie, any frame of which can be had at any time, exactly.

    Args:
        path: The movie.
        space: Colour space of its pixels, or `auto` where its tags are certain.
        matrix: `bt709`, `bt601` or `bt2020` to overrule its tags; `auto` to follow them.
        levels: `limited` or `full` to overrule its tags; `auto` to follow them.
        start: Number of the first frame, to overrule its timecode.
        rate: Frames a second, to overrule the container's.
        otherwise: Colour space for `auto` to take where the tags are not certain.
        threads: That decode; 0 for as many as the machine has.

    Attributes:
        form: How its planes hold the picture.
        matrix: The matrix in use.
        full: Whether its codes are taken for full range.
        tags: What it says of its colour.
        tagged_full: Whether it says that its codes are full range.

    Raises:
        UnreadableClip: It is missing, empty, cut off or not a movie.
        UnknownSpace: `auto`, the tags are not certain, and there is no `otherwise`.
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
        otherwise: str = "",
        threads: int = 0,
    ) -> None:
        path = Path(path)
        _known("matrix", matrix, (*yuv.LUMA, "auto"))
        _known("levels", levels, ("limited", "full", "auto"))
        container, stream = open_movie(path)
        try:
            form = _form(path, stream)
            tags = movie_tags.container_tags(container, stream)
            codec = stream.codec_context
            self.tags = movie_tags.ColourTags(
                int(codec.color_primaries), int(codec.color_trc), int(codec.colorspace)
            )
            self.tagged_full = codec.color_range == _FULL_RANGE or "yuvj" in form.name
            self.matrix, self.full = _meaning(path, codec, form, matrix, levels)
            space = _space(path, space, codec, tags, otherwise)
            self._index = build_index(path, container, stream)
            self.info = _describe(
                path, container, stream, form, tags, space, rate, start, self._index
            )
        except BaseException:
            container.close()
            raise
        self.form = form
        self._name = stream.codec_context.format.name
        self._attributes: dict[str, object] = {
            "matrix": self.matrix,
            "levels": "full" if self.full else "limited",
        }
        self._threads = threads
        self._decoder: MovieDecoder | None = self._make_decoder((container, stream))

    def read(self, frames: Sequence[int]) -> Frames:
        """Scene-linear ACEScg pixels, premultiplied where there is alpha.

        Movies hold straight alpha: colour is converted first, then multiplied.
        """
        import torch  # here: a scan looks at planes and never needs it

        made = yuv.equation(self.form, matrix=self.matrix, full=self.full)
        through = colour.planes_to_working(made.weights, made.offsets, space=self.info.space)
        rgb, coverage = self._codes(frames, through, alpha=self.info.alpha)
        if coverage is not None:
            for slot in range(len(frames)):
                alpha.multiply(rgb[slot], coverage[slot, 0])
        return Frames(
            torch.from_numpy(rgb).permute(0, 3, 1, 2),
            None if coverage is None else torch.from_numpy(coverage),
            tuple(frames),
        )

    def data(self, frames: Sequence[int], layer: str) -> Tensor:
        """Code values 0..1 of `R`, `G`, `B`, `A`, `rgb`, `rgba` or `mask` (alpha, else R)."""
        import torch

        if layer not in self.info.layers:
            raise UnknownName("layer", layer, self.info.layers, path=self.info.path)
        if layer == "mask":
            layer = "A" if self.info.alpha else "R"
        through = yuv.by(yuv.equation(self.form, matrix=self.matrix, full=self.full))
        rgb, coverage = self._codes(frames, through, alpha="a" in layer.lower())
        if layer == "A" and coverage is not None:
            return torch.from_numpy(coverage)
        colours = torch.from_numpy(rgb).permute(0, 3, 1, 2)
        if layer in _CHANNELS:
            return colours[:, _CHANNELS[layer], None]
        if layer == "rgba" and coverage is not None:
            return torch.cat([colours, torch.from_numpy(coverage)], dim=1)
        return colours

    def native(self, frame: int) -> Native:
        """The stored planes of one frame; read-only views of the decoder's memory."""
        self.require([frame])
        decoded = self._decoded(frame)
        planes = yuv.planes_of(decoded, self.form)
        return Native(
            planes=planes,
            layout=self.form.name,
            channels=self.info.channels,
            sample=self.info.sample,
            data=self.info.data,
            attributes=dict(self._attributes),
        )

    def through(self, *, rough: bool = False) -> Iterator[Lines]:
        """Planes of one frame after the other, on the decoder's own memory."""
        self._decoder = decoder = self._own_decoder()
        width, height, name = self.info.width, self.info.height, self._name
        sizes = yuv.sizes_of(self.form, height, width)
        for decoded in decoder.run(rough=rough):
            if decoded.width != width or decoded.height != height or decoded.format.name != name:
                return  # `native` says what is wrong with it, if anything is
            filtered = not (rough and decoded.pict_type == _BIDIRECTIONAL)
            yield Lines(yuv.lines_of(decoded, self.form), sizes, self._attributes, filtered)
            del decoded

    def _codes(
        self,
        frames: Sequence[int],
        through: yuv.Through,
        *,
        alpha: bool,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Pixels (T,H,W,3) and alpha (T,1,H,W) of some frames, decoded in file order."""
        self.require(frames)
        height, width = self.info.height, self.info.width
        rgb = np.empty((len(frames), height, width, 3), np.float32)
        coverage = np.empty((len(frames), 1, height, width), np.float32) if alpha else None
        for slot in sorted(range(len(frames)), key=lambda s: frames[s]):
            planes = yuv.planes_of(self._decoded(frames[slot]), self.form)
            yuv.to_rgb(planes, rgb[slot], form=self.form, through=through)
            if coverage is not None:
                yuv.alpha_of(planes, coverage[slot, 0], form=self.form)
        return rgb, coverage

    def _decoded(self, frame: int) -> Any:
        decoder = self._decoder = self._own_decoder()
        decoded = decoder.frame(frame - self.info.first_frame)
        name = decoded.format.name
        if (decoded.width, decoded.height) != (self.info.width, self.info.height) or (
            name != self.form.name and yuv.plane_format(name) != self.form
        ):
            raise UnreadableFrame(
                f"{decoded.width}x{decoded.height} {name} in a movie of "
                f"{self.info.width}x{self.info.height} {self.form.name}",
                path=self.info.path,
                frame=frame,
                hint="Cut the movie where it changes",
            )
        return decoded

    def _own_decoder(self) -> MovieDecoder:
        """This process's own."""
        decoder = self._decoder
        if decoder is None or decoder.process != os.getpid():
            self.close()
            decoder = self._make_decoder(None)
        return decoder

    def _make_decoder(self, opened: tuple[Any, Any] | None) -> MovieDecoder:
        return MovieDecoder(
            self.info.path,
            self._index,
            first_frame=self.info.first_frame,
            opened=opened,
            threads=self._threads,
        )

    def close(self) -> None:
        """Let go of the file; reading again opens it again."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_decoder": None}


def _known(kind: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise UnknownName(kind, name, names)


def _form(path: Path, stream: Any) -> yuv.PlaneFormat:
    codec = stream.codec_context
    name = codec.format.name if codec.format is not None else None
    form = yuv.plane_format(name) if name else None
    if form is None:
        what = f"pixels stored as {name}" if name else "no decodable pixels"
        raise UnreadableClip(what, path=path, hint="Transcode it to ProRes 4444 or to EXR")
    return form


def _meaning(
    path: Path, codec: Any, form: yuv.PlaneFormat, matrix: str, levels: str
) -> tuple[str, bool]:
    """The matrix, and whether codes are full range; what has to be assumed is said once."""
    assumed = []
    if matrix == "auto":
        found = movie_tags.matrix_from_tags(codec.colorspace, codec.color_primaries)
        matrix = found or movie_tags.assumed_matrix(codec.width, codec.height)
        if found is None and form.colour == "yuv":
            assumed.append(f"matrix={matrix}")
    full = levels == "full"
    if levels == "auto":
        full = codec.color_range == _FULL_RANGE or "yuvj" in form.name or form.colour == "rgb"
        tagged = codec.color_range in (_FULL_RANGE, _LIMITED_RANGE) or "yuvj" in form.name
        if not tagged and form.colour != "rgb":
            assumed.append("levels=limited")
    if assumed:
        what = " and ".join(assumed)
        message = f"{path}: not tagged, so {what} is assumed. Say {what} or what it is."
        warnings.warn(FootagefitWarning(message), stacklevel=3)
    return matrix, full


def _space(path: Path, space: str, codec: Any, tags: dict[str, object], otherwise: str) -> str:
    if space != "auto":
        return colour.resolve(space)
    found = movie_tags.space_from_tags(codec.color_primaries, codec.color_trc, metadata=tags)
    if found is not None and (known := colour.known(found)):
        return known
    if otherwise:
        return colour.resolve(otherwise)
    raise UnknownSpace(
        "its colour space is not certain from its tags "
        f"(primaries {int(codec.color_primaries)}, transfer {int(codec.color_trc)})",
        path=path,
        hint=f"Say space=<name>, for example {', '.join(movie_tags.LIKELY)}; "
        "or set space: in the show",
    )


def _rate(stream: Any) -> Fraction | None:
    """The container's rate; phones vary it a little, and then mean the whole number nearby."""
    rates = [r for r in (stream.average_rate, stream.guessed_rate, stream.base_rate) if r]
    if not rates:
        return None
    average = timecode.film_rate(rates[0])
    for rate in map(timecode.film_rate, rates):
        if rate.denominator in (1, 1001) and abs(rate / average - 1) < Fraction(1, 12):
            return rate
    return average


def _describe(
    path: Path,
    container: Any,
    stream: Any,
    form: yuv.PlaneFormat,
    tags: dict[str, object],
    space: str,
    rate: Fraction | None,
    start: int | None,
    index: Any,
) -> ClipInfo:
    codec = stream.codec_context
    rate = rate or _rate(stream)
    said = movie_tags.timecode_from_tags(tags)
    first = start
    if first is None:
        first = timecode.frames_of(said, rate) if said and rate else 1
    box = Box(0, 0, codec.width, codec.height)
    aspect = stream.sample_aspect_ratio
    channels = {"yuv": ("Y", "U", "V"), "rgb": ("G", "B", "R"), "grey": ("Y",)}[form.colour]
    colours = ("R", "G", "B", "rgb", "mask")
    return ClipInfo(
        path=path,
        raster=box,
        display=box,
        data=box,
        first_frame=first,
        length=len(index),
        rate=rate,
        sample={8: "uint8", 10: "uint10", 12: "uint12"}.get(form.bits, "uint16"),
        space=space,
        timecode=said,
        pixel_aspect=float(aspect) if aspect else 1.0,
        channels=(*channels, "A") if form.alpha else channels,
        layers=(*colours, "A", "rgba") if form.alpha else colours,
        alpha=form.alpha,
        codec=codec.name,
        metadata=movie_tags.common(tags),
    )

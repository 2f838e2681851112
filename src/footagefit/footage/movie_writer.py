"""Review movies and lossless ones: H.264, ProRes 422 HQ and 4444, FFV1, tagged as what they are.

Frames are ACEScg; they are converted here to the form's space, and to the codec's planes in float
by `yuv.py`. A movie is made under a hidden name beside its place and moved there when whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from footagefit.errors import AlreadyThere, DiskFull, FootagefitWarning, WriteError, WrongValue
from footagefit.footage import alpha as coverage
from footagefit.footage import colour, movie_tags, timecode, yuv
from footagefit.footage.burn_in import burn_in
from footagefit.footage.manifest import Manifest, job_of
from footagefit.footage.pattern import ranges
from footagefit.footage.writing import Entry, Existing, OutputForm, Writer
from footagefit.records import ClipInfo, Native

_FULL, _LIMITED, _RGB_MATRIX = 2, 1, 0


@dataclass(frozen=True)
class _Codec:
    """An encoder: pixel format without and with alpha, by depth; what containers take it."""

    encoder: str
    formats: dict[str, tuple[str, str]]
    containers: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)


_CODECS = {
    "h264": _Codec(
        "libx264",
        {"8": ("yuv420p", "yuv420p")},
        (".mp4", ".mov", ".m4v", ".mkv"),
        {"crf": "16", "preset": "medium"},
    ),
    "prores_hq": _Codec(
        "prores_ks",
        {"10": ("yuv422p10le", "yuv422p10le")},
        (".mov", ".mkv", ".mxf"),
        {"profile": "hq", "vendor": "apl0"},
    ),
    # FFmpeg's encoder takes 10 bits; decoders give 4444 back as 12.
    "prores_4444": _Codec(
        "prores_ks",
        {"10": ("yuv444p10le", "yuva444p10le")},
        (".mov", ".mkv"),
        {"profile": "4444", "vendor": "apl0", "alpha_bits": "16"},
    ),
    "ffv1": _Codec(
        "ffv1",
        {
            "16": ("gbrp16le", "gbrap16le"),
            "12": ("gbrp12le", "gbrap12le"),
            "10": ("gbrp10le", "gbrap10le"),
            "8": ("bgr0", "bgra"),
        },
        (".mkv", ".avi", ".mov"),
        {"level": "3", "slicecrc": "1", "g": "1"},
    ),
}
_NEEDS_EVEN = ("yuv420p",)


class MovieWriter(Writer):
    """One movie, frame after frame.

    Args:
        path: Where it goes.
        form: Space, codec, depth, burn-in.
        info: What is known of the input: rate, timecode and reel come from it.
        existing: What to do where the movie is there already.
        source: The clip the frames came from.
        job: What else makes this job what it is.
        frames: All that will be in it, where that is known.
    """

    def __init__(
        self,
        path: Path,
        *,
        form: OutputForm,
        info: ClipInfo,
        existing: Existing = "resume",
        source: Path | None = None,
        job: Mapping[str, object] | None = None,
        frames: Sequence[int] | None = None,
    ) -> None:
        self.form = form.resolved(info, path)
        self._path, self._info, self._existing = path, info, existing
        self._source, self._frames = source, frames
        if not path.parent.is_dir():
            raise WriteError("the folder does not exist", path=path.parent, hint="Make it first")
        self._codec = _CODECS[self.form.codec]
        self._depth = _depth(self.form, self._codec, info)
        if path.suffix.lower() not in self._codec.containers:
            raise WrongValue(
                f"{path.suffix} does not hold {self.form.codec}",
                path=path,
                hint=f"Name it {' or '.join(self._codec.containers)}",
            )
        whole = job_of(path, form, source or info.path, job)
        self._manifest = Manifest(path.parent / f"{path.stem}.manifest.json", whole)
        self._there = self._already()
        self._part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        self._rate = info.rate or _assumed_rate(path)
        self._container: Any = None
        self._stream: Any = None
        self._first = self._next = 0

    def _already(self) -> range | None:
        """Numbers of the frames in a movie that is there and stays."""
        if not self._path.exists() or self._existing == "replace":
            return None
        first = self._info.first_frame
        if self._existing == "skip":
            return range(first, first + self._info.length)
        entry = self._manifest.entry(self._path)
        if self._existing == "resume" and entry is not None:
            from footagefit.footage.movie_index import build_index, opened

            with opened(self._path) as (container, stream):
                length = len(build_index(self._path, container, stream))
            there = range(int(entry["frame"]), int(entry["frame"]) + length)
            if self._frames is not None and list(there) != sorted(self._frames):
                raise AlreadyThere(
                    f"is there already, with frames {ranges(there)}, and "
                    f"{ranges(self._frames)} are asked for",
                    path=self._path,
                    hint="Say existing=replace, or choose another out=",
                )
            return there
        raise AlreadyThere(
            "is there already and is not this job's",
            path=self._path,
            hint="Say existing=replace or existing=skip, or choose another out=",
        )

    def has(self, number: int) -> bool:
        """Whether the movie is there with this frame, and stays."""
        if self._there is None:
            return False
        if number in self._there:
            return True
        raise AlreadyThere(
            f"is there already, with frames {self._there[0]}-{self._there[-1]} only",
            path=self._path,
            frame=number,
            hint="Say existing=replace, or choose another out=",
        )

    def write(
        self,
        number: int,
        rgb_CHW: Tensor | None,
        alpha_1HW: Tensor | None = None,
        *,
        native: Native | None = None,
        keep_HW: Tensor | None = None,
        layers: Mapping[str, Tensor] | None = None,
        entries: Mapping[str, Entry] | None = None,
    ) -> None:
        """Add the next frame. Movies hold no further layers, and no entries of single frames.

        Stored code values pass through only into FFV1 of the same pixel format.
        """
        if self.has(number):
            return
        if self._container is not None and number != self._next:
            raise WriteError(
                f"a movie takes frames in order, and {self._next} is next",
                path=self._path,
                frame=number,
                hint="Write a sequence for frames out of order",
            )
        try:
            if rgb_CHW is None:
                form, planes = self._through(number, native)
            else:
                form, planes = self._planes(number, rgb_CHW, alpha_1HW)
                self._keep(planes, form, native, keep_HW)
            if self._container is None:
                self._open(number, form, planes)
            self._encode(number, form, planes)
        except BaseException:
            self.abort()
            raise
        self._next = number + 1

    def _through(
        self, number: int, native: Native | None
    ) -> tuple[yuv.PlaneFormat, list[np.ndarray]]:
        import av

        encoder = av.codec.Codec(self._codec.encoder, "w")
        layouts = {f.name for f in encoder.video_formats or []}
        form = yuv.plane_format(native.layout) if native and native.layout in layouts else None
        if native is None or form is None or self.form.codec != "ffv1":
            raise WriteError(
                f"stored values do not pass through into {self.form.codec}",
                path=self._path,
                frame=number,
                hint="Write FFV1 (.mkv) from a movie, or a sequence of the source's type",
            )
        return form, list(native.planes)

    def _planes(
        self, number: int, rgb_CHW: Tensor, alpha_1HW: Tensor | None
    ) -> tuple[yuv.PlaneFormat, list[np.ndarray]]:
        """Colour converted, words drawn, quantised to the codec's planes."""
        with_alpha = alpha_1HW is not None
        name = self._codec.formats[self._depth][with_alpha]
        form = yuv.plane_format(name)
        if form is None:
            raise WrongValue(f"no planes for {name}")
        codes = np.array(rgb_CHW.detach().cpu().permute(1, 2, 0).numpy(), np.float32, order="C")
        a = None if alpha_1HW is None else alpha_1HW[0].detach().cpu().numpy()
        if a is not None and form.alpha:
            coverage.divide(codes, a)
        colour.from_working(codes, self.form.space)
        if self.form.burn_in:
            burn_in(codes, str(number), right=self._timecode(number) or "")
        if name in _NEEDS_EVEN:
            odd = [(0, side % 2) for side in codes.shape[:2]]
            codes = np.pad(codes, [*odd, (0, 0)], mode="edge") if any(o for _, o in odd) else codes
        tags = movie_tags.tags_of_space(self.form.space)
        matrix = movie_tags.matrix_from_tags(tags.matrix, tags.primaries) or "bt709"
        planes = yuv.from_rgb(codes, form=form, matrix=matrix, full=form.colour == "rgb")
        if form.alpha:
            planes.append(yuv.alpha_plane(np.ones(codes.shape[:2]) if a is None else a, form))
        return form, planes

    def _keep(
        self,
        planes: list[np.ndarray],
        form: yuv.PlaneFormat,
        native: Native | None,
        keep_HW: Tensor | None,
    ) -> None:
        """Put stored values back where they must stay, or say once that they cannot."""
        if native is None or keep_HW is None or not bool(keep_HW.any()):
            return
        if self.form.codec == "ffv1" and native.layout == form.name:
            keep = keep_HW.detach().cpu().numpy().astype(bool)
            for ours, theirs in zip(planes, native.planes, strict=True):
                ours[keep] = theirs[keep]
        elif self._container is None:
            message = (
                f"{self._path}: {self.form.codec} does not keep the source's stored values; "
                "pixels that should stay are encoded anew. Write a sequence to keep them."
            )
            warnings.warn(FootagefitWarning(message), stacklevel=3)

    def _timecode(self, number: int) -> str | None:
        """A frame's timecode: the input's, else its number counted, so that it reads back."""
        info = self._info
        if info.timecode:
            return timecode.shifted(info.timecode, number - info.first_frame, self._rate)
        return timecode.timecode_of(number, self._rate) if number != 1 else None

    def _open(self, number: int, form: yuv.PlaneFormat, planes: list[np.ndarray]) -> None:
        import av

        self._manifest.begin(self._path)
        self._first = number
        tags = movie_tags.tags_of_space(self.form.space)
        try:
            container = av.open(str(self._part), "w")
            self._container = container
            stream: Any = container.add_stream(self._codec.encoder, rate=self._rate)
            stream.options = dict(self._codec.options)
            stream.height, stream.width = planes[0].shape
            stream.pix_fmt = self._stored_format(form)
            stream.time_base = 1 / self._rate
            codec = stream.codec_context
            codec.sample_aspect_ratio = Fraction(self._info.pixel_aspect).limit_denominator(1000)
            codec.color_primaries, codec.color_trc = tags.primaries, tags.transfer
            codec.colorspace = _RGB_MATRIX if form.colour == "rgb" else tags.matrix
            codec.color_range = _FULL if form.colour == "rgb" else _LIMITED
            self._tag(container, stream, number)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._failed(error, number) from error
        self._stream = stream

    def _stored_format(self, form: yuv.PlaneFormat) -> str:
        packed = {"gbrp": "bgr0", "gbrap": "bgra"}
        return packed.get(form.name, form.name)

    def _tag(self, container: Any, stream: Any, number: int) -> None:
        said = self._timecode(number)
        if said:
            stream.metadata["timecode"] = said
            if self._path.suffix.lower() in (".mkv", ".mxf", ".avi"):
                container.metadata["timecode"] = said
        reel = self._info.metadata.get("reel")
        if reel:
            stream.metadata["reel_name"] = str(reel)

    def _encode(self, number: int, form: yuv.PlaneFormat, planes: list[np.ndarray]) -> None:
        import av

        frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], form.name)
        for target, codes in zip(frame.planes, planes, strict=True):
            buffer: Any = target
            rows = np.frombuffer(buffer, codes.dtype).reshape(target.height, -1)
            rows[:, : target.width] = codes
        stored = self._stored_format(form)
        if stored != form.name:
            frame = frame.reformat(format=stored)
        codec = self._stream.codec_context
        frame.color_primaries, frame.color_trc = codec.color_primaries, codec.color_trc
        frame.colorspace, frame.color_range = codec.colorspace, codec.color_range
        frame.pts, frame.time_base = number - self._first, 1 / self._rate
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._failed(error, number) from error

    def _failed(self, error: Exception, number: int | None = None) -> WriteError:
        code = getattr(error, "errno", None)
        if code in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(
                "no space left on the device",
                path=self._path,
                frame=number,
                hint="Free some space and start again",
            )
        reason = getattr(error, "strerror", None) or str(error)
        return WriteError(
            f"cannot be written ({reason.lower()})",
            path=self._path,
            frame=number,
            hint="Check the folder's permissions and the form",
        )

    def close(self) -> None:
        """Finish the movie and put it in its place."""
        import av

        if self._container is None:
            return
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            with self._part.open("rb") as handle:
                os.fsync(handle.fileno())
            os.replace(self._part, self._path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            failed = self._failed(error)
            self.abort()
            raise failed from error
        self._container = self._stream = None
        self._manifest.finish_file(self._path, frame=self._first, source=self._source)
        self._manifest.finish()

    def abort(self) -> None:
        """Give up; nothing half-written stays."""
        if self._container is not None:
            with contextlib.suppress(Exception):
                self._container.close()
            self._container = self._stream = None
        self._part.unlink(missing_ok=True)


def _depth(form: OutputForm, codec: _Codec, info: ClipInfo) -> str:
    possible = tuple(codec.formats)
    if form.depth == "auto":
        wanted = str(info.bit_depth)
        return wanted if wanted in possible else possible[0]
    if form.depth not in possible:
        raise WrongValue(
            f"{form.codec} does not store depth {form.depth}",
            hint=f"It takes {', '.join(possible)}",
        )
    return form.depth


def _assumed_rate(path: Path) -> Fraction:
    message = f"{path}: the input has no rate, so 24 frames a second are assumed. Say rate=."
    warnings.warn(FootagefitWarning(message), stacklevel=4)
    return Fraction(24)

"""Tiny movies made on the fly, whose every frame differs and whose codes are known."""

from __future__ import annotations

import hashlib
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from footagefit.errors import FootagefitWarning
from footagefit.footage.movie import MovieClip

GAMMA = "Gamma 2.4 Encoded Rec.709"


def make_movie(
    path: Path,
    *,
    encoder: str = "libx264",
    layout: str = "yuv420p",
    frames: int = 30,
    size: tuple[int, int] = (96, 64),
    options: dict[str, str] | None = None,
    rate: Fraction = Fraction(24),
    tags: tuple[int, int, int, int] | None = (1, 1, 1, 1),
    timecode: str | None = None,
    planes=None,
) -> Path:
    """A moving pattern, or what `planes(i, shapes)` gives; tags as H.273 codes and range."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, layout
        codec = stream.codec_context
        if tags is not None:
            codec.color_primaries, codec.color_trc, codec.colorspace, codec.color_range = tags
        if timecode:
            stream.metadata["timecode"] = timecode
            container.metadata["timecode"] = timecode
        for i in range(frames):
            frame = av.VideoFrame(width, height, layout)
            frame.pts = i
            top = (1 << frame.format.components[0].bits) - 1
            for number, plane in enumerate(frame.planes):
                kind = np.uint8 if top == 255 else np.uint16
                rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
                shape = (plane.height, plane.width)
                if planes is not None:
                    rows[:, : plane.width] = planes(i, number, shape)
                    continue
                y, x = np.mgrid[: shape[0], : shape[1]]
                wave = np.sin((x + 3 * i) / 5.0 + number) * np.cos((y - 2 * i) / 7.0)
                rows[:, : plane.width] = np.rint(top * (0.5 + 0.35 * wave))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def sequential_hashes(path: Path) -> list[str]:
    """Hash of every frame, decoded from first to last by PyAV alone."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest = hashlib.sha256()
            deep = frame.format.components[0].bits > 8
            for plane in frame.planes:
                rows = np.frombuffer(plane, np.uint16 if deep else np.uint8)
                rows = rows.reshape(plane.height, -1)[:, : plane.width]
                digest.update(np.ascontiguousarray(rows).tobytes())
            found.append(digest.hexdigest())
    return found


def native_hash(clip: MovieClip, number: int) -> str:
    """Hash of a frame's stored planes, as `sequential_hashes` makes it."""
    digest = hashlib.sha256()
    for plane in clip.native(number).planes:
        digest.update(np.ascontiguousarray(plane).tobytes())
    return digest.hexdigest()


def quiet(path: Path, **arguments) -> MovieClip:
    """Open a movie whose assumptions are not under test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)
        return MovieClip(path, **{"space": GAMMA, **arguments})

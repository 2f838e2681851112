"""Where every frame of a movie lies: time stamps in showing order, and which are keyframes.

Made once per clip by reading packets without decoding (for intra-only QuickTime not even that:
its own table is enough), small, and picklable, so that loader workers need not make it again.
Edit lists are honoured: packets that the container discards are not frames.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from footagefit.errors import UnreadableClip

# Codecs whose every frame stands alone and is shown in stored order.
_INTRA = ("prores", "dnxhd", "mjpeg", "v210", "cfhd", "png", "qtrle", "rawvideo")
_NEXT_STEP = "Copy it again from the source, or leave it out"


@dataclass(frozen=True)
class MovieIndex:
    """Frames in the order they are shown.

    Attributes:
        pts: Time stamp of each frame, in ticks of the stream; ascending.
        keys: Positions (not time stamps) of the frames that decode alone; ascending.
        timed: Whether time stamps tell frames apart; else frames can only be counted from the
            start, which is slow and always right.
    """

    pts: np.ndarray
    keys: np.ndarray
    timed: bool = True

    def __len__(self) -> int:
        return len(self.pts)

    def key_before(self, position: int, *, back: int = 0) -> int:
        """Position of the keyframe at or before a frame, or `back` keyframes earlier still."""
        place = int(np.searchsorted(self.keys, position, side="right")) - 1 - back
        return int(self.keys[place]) if place >= 0 else 0


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """A movie's container and its picture stream.

    Raises:
        UnreadableClip: It is missing, empty, cut off, or not a movie.
    """
    container, stream = open_movie(path)
    try:
        yield container, stream
    finally:
        container.close()


def open_movie(path: Path) -> tuple[Any, Any]:
    """Like `opened`, for a caller that closes the container."""
    import av

    if not path.exists():
        raise UnreadableClip("no such movie", path=path, hint="Check the path")
    if path.is_dir() or path.stat().st_size == 0:
        what = "a folder, not a movie" if path.is_dir() else "an empty file"
        raise UnreadableClip(what, path=path, hint=_NEXT_STEP)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except PermissionError as error:
        raise UnreadableClip("may not be read", path=path, hint="Check its permissions") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableClip(
            f"not a movie, or cut off ({reason.lower()})", path=path, hint=_NEXT_STEP
        ) from error
    streams = [
        s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic
    ]
    if not streams:
        container.close()
        raise UnreadableClip("has no picture track, or is cut off", path=path, hint=_NEXT_STEP)
    return container, streams[0]


def build_index(path: Path, container: Any, stream: Any) -> MovieIndex:
    """Index a movie that was just opened.

    Raises:
        UnreadableClip: It holds fewer frames than it says.
    """
    quick = _from_table(stream)
    stored = len(quick) if quick else 0
    if quick is None:
        pts, keys, stored, damaged = _from_packets(container, stream)
        if damaged:
            said = stream.frames or stored
            raise UnreadableClip(
                f"cut off after {max(stored - 1, 0)} of {said} frames", path=path, hint=_NEXT_STEP
            )
        # AVI stores no time stamps: those of reordered frames are guessed, and wrong.
        guessed = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        quick = _ordered(pts, keys, trusted=not guessed)
    _check_whole(path, stream, stored)
    if not len(quick):
        raise UnreadableClip("has no frames", path=path, hint=_NEXT_STEP)
    return quick


def _from_table(stream: Any) -> MovieIndex | None:
    """The index from QuickTime's sample table, where stored order is showing order."""
    if stream.codec_context.name.partition("_")[0] not in _INTRA or not stream.frames:
        return None
    entries = list(stream.index_entries)
    if len(entries) != stream.frames or any(e.is_discard or not e.is_keyframe for e in entries):
        return None
    pts = np.array([e.timestamp for e in entries], dtype=np.int64)
    if np.any(np.diff(pts) <= 0):
        return None
    return MovieIndex(pts, np.arange(len(pts)))


def _from_packets(container: Any, stream: Any) -> tuple[list[int | None], list[bool], int, bool]:
    """Time stamps and key flags of packets that are shown; how many are stored; if one is cut."""
    import av

    pts: list[int | None] = []
    keys: list[bool] = []
    stored, damaged = 0, False
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            stored += 1
            damaged = damaged or packet.is_corrupt
            if not packet.is_discard:
                pts.append(packet.pts)
                keys.append(packet.is_keyframe)
    except av.error.FFmpegError:
        damaged = True
    return pts, keys, stored, damaged


def _ordered(pts: list[int | None], keys: list[bool], *, trusted: bool) -> MovieIndex:
    if not trusted or None in pts or len(set(pts)) != len(pts):
        return MovieIndex(np.arange(len(pts)), np.array([0]), timed=False)
    stamps = np.array(pts, dtype=np.int64)
    order = np.argsort(stamps)
    return MovieIndex(stamps[order], np.flatnonzero(np.array(keys, dtype=bool)[order]))


def _check_whole(path: Path, stream: Any, stored: int) -> None:
    """Compare what is there with what the container says should be."""
    said = stream.frames
    if not said and stream.average_rate and (seconds := _said_seconds(stream)):
        said = round(seconds * stream.average_rate)
        stored += 2  # durations are rounded, and the last frame's may be left out
    size = path.stat().st_size
    end = max((e.pos + e.size for e in stream.index_entries), default=0)
    if stored < said or end > size:
        inside = sum(e.pos + e.size <= size for e in stream.index_entries) if end > size else stored
        raise UnreadableClip(
            f"its index says {said or stored} frames, the file holds {inside}",
            path=path,
            hint=_NEXT_STEP,
        )


def _said_seconds(stream: Any) -> float | None:
    """The picture track's own length in seconds, where the container notes it."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    for name, text in stream.metadata.items():
        if name.upper().startswith("DURATION"):
            with contextlib.suppress(ValueError):
                hours, minutes, seconds = str(text).split(":")
                return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    container = stream.container
    if len(container.streams) == 1 and container.duration:
        return container.duration / 1_000_000
    return None

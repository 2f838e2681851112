"""What a clip holds, as a short key: so that looks decided once are found again, and only then.

What belongs here: keys of clips' content. What does not: caches.

A key stands on each file's length and on three samples of it (head, middle, tail), not on all of
its bytes: a farm's hundred chunks would else read a shot a hundred times. Where a file lies and
when it was written does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from footagefit.errors import UnreadableClip
from footagefit.footage.clip import Clip
from footagefit.footage.sequence import SequenceClip

_SAMPLE_BYTES = 1 << 14


def file_of(clip: Clip, frame: int) -> Path:
    """The file that holds a frame."""
    return clip.path_of(frame) if isinstance(clip, SequenceClip) else clip.info.path


def clip_key(clip: Clip, frames: Iterable[int]) -> str:
    """Key of some frames of a clip: their stored content, and how it is read."""
    info = clip.info
    reading = [info.space, list(info.raster), list(info.display), info.sample, list(info.channels)]
    files = sorted({(number, file_of(clip, number)) for number in frames})
    if not isinstance(clip, SequenceClip):
        numbers = [number for number, _ in files]
        return _key([reading, numbers, _sampled(info.path)])
    with ThreadPoolExecutor(8) as pool:
        sampled = list(pool.map(lambda item: _sampled(item[1]), files))
    return _key([reading, [[n, s] for (n, _), s in zip(files, sampled, strict=True)]])


def key_beside(clip: Clip | None, frames: Iterable[int]) -> str | None:
    """Key of a clip that goes with a plate by frame number, or of one picture for all."""
    if clip is None:
        return None
    return clip_key(clip, clip.numbers if clip.info.length == 1 else frames)


def plain_key(value: Mapping[str, object]) -> str:
    """Key of plain data."""
    return _key(value)


def _key(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _sampled(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as handle:
            for start in sorted({0, max(0, size // 2), max(0, size - _SAMPLE_BYTES)}):
                handle.seek(start)
                digest.update(handle.read(_SAMPLE_BYTES))
    except OSError as error:
        raise UnreadableClip(
            f"cannot be read ({error.strerror})", path=path, hint="Check the path"
        ) from error
    return digest.hexdigest()

"""One picture file in and out through OpenImageIO: headers, stored code values, atomic writing.

What belongs here is OpenImageIO's own manners (parts, channel formats, 10-bit packing). Frame
numbers, colour and alpha are the readers' and writers'.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from footagefit.errors import DiskFull, UnreadableClip, UnreadableFrame, WriteError
from footagefit.records import Box

# Attributes that describe how a file was stored, not what it shows: made anew on writing.
STRUCTURAL = (
    "oiio:", "openexr:", "tiff:", "png:", "dpx:", "compression", "name", "view", "type", "version",
    "chunkCount", "tiles", "lineOrder", "channels", "dataWindow", "displayWindow", "planarconfig",
    "thumbnail", "Software", "Exif:", "IPTC:", "ICCProfile", "jpeg:", "CompressionQuality",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """The header of one part of a picture file.

    Attributes:
        index: Its place in the file.
        name: Its name in a multi-part file, else empty.
        channels: Names as stored, with the part's name before them where they lack it.
        stored: Names exactly as the file has them.
        formats: Storage of each channel: `uint8`, `uint10`, `uint16`, `half`, `float`, `uint`.
        data: Data window.
        display: Display window.
        attributes: Header entries by their own names: (type, value).
    """

    index: int
    name: str
    channels: tuple[str, ...]
    stored: tuple[str, ...]
    formats: tuple[str, ...]
    data: Box
    display: Box
    attributes: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def value(self, name: str, default: Any = None) -> Any:
        """A header entry's value."""
        return self.attributes[name][1] if name in self.attributes else default


def _open(path: Path, frame: int | None) -> Any:
    import OpenImageIO as oiio

    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)  # dividing is ours, after decoding colour
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFrame(
            f"cannot be opened ({error.strerror})", path=path, frame=frame, hint="Check the path"
        ) from error
    if size == 0:
        raise UnreadableFrame(
            "the file is empty", path=path, frame=frame, hint="Copy or render the frame again"
        )
    opened = oiio.ImageInput.open(str(path), straight)
    if opened is None:
        raise UnreadableFrame(
            f"not a readable picture ({_brief(oiio.geterror())})",
            path=path,
            frame=frame,
            hint="Copy or render the frame again",
        )
    return opened


class PictureFile:
    """A picture file, opened once: its headers, then the pixels of any part.

    Args:
        path: The picture.
        frame: Its number, for messages.
    """

    def __init__(self, path: Path, *, frame: int | None = None) -> None:
        self.path, self._frame = path, frame
        self._opened = _open(path, frame)
        self.parts: list[Part] = []
        count = self._opened.spec().getattribute("oiio:subimages") or 1
        for index in range(int(count)):
            if not self._opened.seek_subimage(index, 0):
                break
            spec = self._opened.spec()
            if spec.deep:
                raise UnreadableClip(
                    "deep pixels are not read", path=path, hint="Flatten the file first"
                )
            self.parts.append(_part(spec, index))

    def pixels(self, part: Part, *, dtype: str | None = None) -> np.ndarray:
        """A part's stored pixels (H,W,C) over its data window.

        Args:
            part: One of `parts`.
            dtype: `float` for 0..1 codes or linear values; None for the stored type.
        """
        wanted = dtype or stored_dtype(part.formats)
        array = self._opened.read_image(part.index, 0, 0, len(part.stored), wanted)
        if array is None or self._opened.has_error:
            raise UnreadableFrame(
                f"the pixels do not decode ({_brief(self._opened.geterror())})",
                path=self.path,
                frame=self._frame,
                hint="Copy or render the frame again",
            )
        return array.reshape(part.data.height, part.data.width, len(part.stored))

    def __enter__(self) -> PictureFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def parts(path: Path, *, frame: int | None = None) -> list[Part]:
    """Headers of every part of a picture file."""
    with PictureFile(path, frame=frame) as opened:
        return opened.parts


def _part(spec: Any, index: int) -> Part:
    attributes = {a.name: (str(a.type), a.value) for a in spec.extra_attribs}
    name = str(attributes.get("name", ("", attributes.get("oiio:subimagename", ("", ""))[1]))[1])
    stored = tuple(spec.channelnames)
    bits = attributes.get("oiio:BitsPerSample", ("int", 0))[1]
    formats = tuple(map(str, spec.channelformats)) or (str(spec.format),) * spec.nchannels
    if bits in (10, 12) and set(formats) == {"uint16"}:
        formats = (f"uint{bits}",) * spec.nchannels
    prefix = f"{name}." if name and index > 0 else ""
    channels = tuple(c if c.startswith(prefix) else prefix + c for c in stored)
    return Part(
        index=index,
        name=name,
        channels=channels,
        stored=stored,
        formats=formats,
        data=Box(spec.x, spec.y, spec.width, spec.height),
        display=Box(spec.full_x, spec.full_y, spec.full_width, spec.full_height),
        attributes=attributes,
    )


def stored_dtype(formats: tuple[str, ...]) -> str:
    """The array type that holds every channel exactly."""
    kinds = set(formats)
    if len(kinds) == 1 and (kind := next(iter(kinds))) != "uint":
        return "uint16" if kind in ("uint10", "uint12") else kind
    return "double" if "uint" in kinds else "float"


def write(path: Path, planes: list[tuple[Any, np.ndarray]], *, frame: int | None = None) -> None:
    """Write a picture atomically: temporary name, flush to disk, rename.

    Args:
        path: The file to make or replace.
        planes: One (ImageSpec, pixels HWC) for each part.
        frame: For messages.
    """
    import OpenImageIO as oiio

    temporary = path.with_name(f".{path.name}.{_host()}.{os.getpid()}.part")
    _check_room(path, sum(array.nbytes for _, array in planes) // 8, frame)
    try:
        output = oiio.ImageOutput.create(path.suffix.lstrip(".").lower())
        if output is None:
            raise WriteError(f"cannot write {path.suffix} files", path=path)
        specs = [spec for spec, _ in planes]
        opened = output.open(str(temporary), specs[0] if len(specs) == 1 else tuple(specs))
        for index, (spec, array) in enumerate(planes):
            if opened and index:
                opened = output.open(str(temporary), spec, "AppendSubimage")
            opened = opened and output.write_image(np.ascontiguousarray(array))
        closed = output.close()
        if not opened or not closed:
            _check_room(path, 1 << 20, frame)
            raise WriteError(_brief(output.geterror()), path=path, frame=frame)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(f"cannot be written ({error.strerror})", path=path, frame=frame) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def clear_abandoned(folder: Path) -> None:
    """Remove temporary files that a killed process of this machine left in a folder."""
    for left in folder.glob(f".*.{_host()}.*.part"):
        number = left.name.split(".")[-2]
        if number.isdigit() and not _alive(int(number)):
            with contextlib.suppress(OSError):
                left.unlink()


def _host() -> str:
    """This machine's name, as a part of a file's: several may write into one folder."""
    return "".join(c if c.isalnum() else "-" for c in platform.node()) or "here"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _check_room(path: Path, need_bytes: int, frame: int | None) -> None:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise WriteError(
            f"the folder cannot be written to ({error.strerror})", path=path.parent
        ) from error
    if free < max(need_bytes, 1 << 16):
        raise DiskFull(
            f"no space left on the device ({free // 2**20} MiB free)",
            path=path,
            frame=frame,
            hint="Free some space; the same command goes on where it stopped",
        )


def _brief(message: str) -> str:
    return " ".join(str(message).split())[:200] or "no reason given"

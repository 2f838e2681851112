"""What goes out and in which form: the contract every writer keeps, and which writer makes what.

with open_writer("matched.####.exr", form=OutputForm(depth="half"), info=clip.info) as out:
    for frames in clip:
        out.write(frames.numbers[0], frames.rgb_TCHW[0])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.errors import UnknownName, WrongValue
from footagefit.footage import colour
from footagefit.footage.pattern import MOVIES, PICTURES, parse
from footagefit.records import ClipInfo, Native

if TYPE_CHECKING:
    from torch import Tensor

DEPTHS = ("auto", "half", "float", "8", "10", "12", "16")
COMPRESSIONS = ("auto", "none", "zip", "zips", "piz", "dwaa", "dwab", "rle", "b44", "b44a", "pxr24",
                "lzw")  # fmt: skip
CODECS = ("auto", "h264", "prores_hq", "prores_4444", "ffv1")
Existing = Literal["resume", "skip", "replace", "error"]
Entry = str | int | float

_DEPTHS_OF = {
    ".exr": ("half", "float"),
    ".dpx": ("10", "8", "12", "16"),
    ".tif": ("16", "8", "float", "half"),
    ".png": ("16", "8"),
    ".jpg": ("8",),
}
_ALIASES = {".tiff": ".tif", ".jpeg": ".jpg"}


@dataclass(frozen=True)
class OutputForm:
    """How pixels are stored; `auto` follows the input as far as the file type can.

    Args:
        space: Colour space to store, by the OCIO config's names.
        depth: `half`, `float`, or bits of an integer: 8, 10, 12, 16.
        compression: EXR: none, zip, zips, piz, dwaa, ...; TIFF: none, zip, lzw.
        codec: Movies: h264, prores_hq, prores_4444, ffv1 (lossless).
        burn_in: Draw frame number and timecode into review movies.
    """

    space: str = "auto"
    depth: str = "auto"
    compression: str = "auto"
    codec: str = "auto"
    burn_in: bool = False

    def __post_init__(self) -> None:
        for name, known in (("depth", DEPTHS), ("compression", COMPRESSIONS), ("codec", CODECS)):
            if getattr(self, name) not in known:
                raise UnknownName(name, getattr(self, name), known)
        if self.space != "auto":
            object.__setattr__(self, "space", colour.resolve(self.space))

    def resolved(self, info: ClipInfo, path: Path) -> OutputForm:
        """Every `auto` decided, from the input and the type of file to be made."""
        suffix = known_suffix(path)
        suffix = _ALIASES.get(suffix, suffix)
        space = info.space if self.space == "auto" else self.space
        if suffix in MOVIES:
            return replace(self, space=space, codec=_codec(self.codec, suffix, info))
        possible = _DEPTHS_OF[suffix]
        depth = self.depth
        if depth == "auto":
            wanted = {"uint8": "8", "uint10": "10", "uint12": "12", "uint16": "16"}
            depth = wanted.get(info.sample, info.sample)
            depth = depth if depth in possible else possible[0]
        if depth not in possible:
            raise WrongValue(
                f"{suffix} does not store depth {depth}", hint=f"It takes {', '.join(possible)}"
            )
        compression = self.compression
        if compression == "auto":
            compression = _compression(info, suffix)
        return replace(self, space=space, depth=depth, compression=compression)


def known_suffix(path: Path) -> str:
    """The suffix of a file that can be written, in small letters.

    Raises:
        UnknownName: It is none of those that can, or a folder was named.
    """
    suffix = path.suffix.lower()
    if suffix in (*PICTURES, *MOVIES) and not path.is_dir():
        return suffix
    example = path / "shot.####.exr" if path.is_dir() or not suffix else "shot.####.exr"
    name = suffix if suffix and not path.is_dir() else path.name
    raise UnknownName("output type", name, [*PICTURES, *MOVIES], path=path,
                      hint=f"Say out={example}")  # fmt: skip


def _codec(codec: str, suffix: str, info: ClipInfo) -> str:
    if codec != "auto":
        return codec
    if suffix == ".mkv":
        return "ffv1"
    if suffix in (".mp4", ".m4v"):
        return "h264"
    return "prores_4444" if info.alpha else "prores_hq"


def _compression(info: ClipInfo, suffix: str) -> str:
    stored = str(info.metadata.get("compression", "")) if f".{info.codec}" == suffix else ""
    if stored in COMPRESSIONS:
        return stored
    return "zip" if suffix in (".exr", ".tif") else "none"


class Writer(ABC):
    """Frames out, by number, in one form. Leaving it by an error leaves nothing half-written."""

    form: OutputForm

    @abstractmethod
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
        """Store one frame.

        Args:
            number: The frame's number, kept in its name.
            rgb_CHW: Scene-linear ACEScg, premultiplied; None to store `native` as it is.
            alpha_1HW: Coverage.
            native: The source's stored values, for what passes through: header, layers, parts,
                and the pixels of `keep_HW`.
            keep_HW: True where the stored values stay, bit for bit.
            layers: Further layers by name, (C,H,W), never colour-converted.
            entries: Further header entries by name, where the file type holds any.
        """

    @abstractmethod
    def has(self, number: int) -> bool:
        """Whether the frame is already there and is to be left alone."""

    @abstractmethod
    def close(self) -> None:
        """Finish everything that is under way."""

    @abstractmethod
    def abort(self) -> None:
        """Give up: whole frames stay, halves go."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def open_writer(
    path: str | Path,
    *,
    info: ClipInfo,
    form: OutputForm | None = None,
    existing: Existing = "resume",
    source: Path | None = None,
    threads: int | None = None,
    job: Mapping[str, object] | None = None,
    part: str = "",
    frames: Sequence[int] | None = None,
) -> Writer:
    """The writer for a path: a pattern or one picture, or a movie.

    Args:
        path: `matched.####.exr`, `review.mov`, `still.png`.
        info: What is known of the input: metadata, windows, rate and timecode come from it.
        form: How to store it.
        existing: Frames already there: `resume` skips what the same job has finished and refuses
            others; `skip`, `replace` and `error` say what they do.
        source: The clip the frames came from, for the manifest; refused as a target.
        threads: Encoding threads; by default one per core, at most 8.
        job: What else makes this job what it is; frames of another job are not gone on with.
        part: Name of one part of a job that several processes share; each keeps a record of its
            own, and `manifest.merge` makes them one.
        frames: All that will be written, if that is known; a movie of others is refused.
    """
    path = Path(path).expanduser()
    suffix = known_suffix(path)
    form = form or OutputForm()
    if suffix in MOVIES:
        from footagefit.footage.movie_writer import MovieWriter

        return MovieWriter(
            path,
            form=form.resolved(info, path),
            info=info,
            existing=existing,
            source=source,
            job=job,
            frames=frames,
        )
    from footagefit.footage.sequence_writer import SequenceWriter

    return SequenceWriter(
        path,
        pattern=parse(path),
        form=form.resolved(info, path),
        info=info,
        existing=existing,
        source=source,
        threads=threads,
        job=job,
        part=part,
    )

"""One clip, opened and looked at, as the records that the catalogue keeps of it.

Here: what a scan's worker process does with one clip. Not here: which clips (`finding`), in what
order and into which file (`scan`). Everything returned is small and can be pickled.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from footagefit.dailies.entries import (
    CORRUPT,
    DROPPED,
    ORIGINAL,
    PLATE,
    PROXY,
    SHOT,
    TRUNCATED,
    Medium,
    Part,
    Slate,
)
from footagefit.dailies.finding import Found, content_of
from footagefit.errors import FootagefitError, UnknownSpace, UnreadableClip

if TYPE_CHECKING:
    from footagefit.dailies.cuts import Change
    from footagefit.dailies.looking import Look
    from footagefit.footage.clip import Clip
    from footagefit.records import ClipInfo

Boards = Literal["off", "open", "first"]  # whether they are read: never, for what names leave open
UNKNOWN_SPACE = "unknown colour space"
_LEAST_MOTION = 8  # changes from frame to frame that a shot's motion is told by
_STAND_IN_SPACE = "srgb_texture"


@dataclass(frozen=True)
class Thumbnail:
    """A part's picture, its perceptual hashes, and three tiny luma pictures to tell set-ups by."""

    part: int
    frame: int
    jpeg: bytes
    hashes: bytes
    layout: bytes


@dataclass(frozen=True)
class Exam:
    """All a scan learns of one clip."""

    medium: Medium
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    thumbnails: tuple[Thumbnail, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What the show says of clips that do not say it themselves."""

    space: str | None = None
    rate: Fraction | None = None
    names: tuple[str, ...] = ()
    white_k: float = 5600.0
    learned: bool = False
    boards: Boards = "off"


def examine(item: Found, content: str, settings: Settings, *, threads: int = 0) -> Exam:
    """Open a clip, look at every frame, and write down what was seen; bad clips as bad.

    Args:
        item: The clip.
        content: Its content hash; made here where it is empty.
        settings: What the show says.
        threads: That decode; 0 for as many as the machine has.
    """
    content = content or content_of(item)
    base = Medium(
        path=item.path,
        form=item.form,
        bytes=item.bytes,
        changed_ns=item.changed_ns,
        content=content,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what had to be assumed is kept in the metadata
            return _examined(item, base, settings, threads)
    except FootagefitError as error:
        flags = (
            (TRUNCATED,) if "index says" in error.what or "cut off" in error.what else (CORRUPT,)
        )
        problem = f"{error.what}. {error.hint}" if error.hint else error.what
        return Exam(replace(base, state="bad", problem=problem, flags=flags))
    except Exception as error:  # one odd clip must not end a scan of thousands
        problem = f"could not be looked at ({type(error).__name__}: {error})"
        return Exam(replace(base, state="bad", problem=problem, flags=(CORRUPT,)))


def _examined(item: Found, base: Medium, settings: Settings, threads: int) -> Exam:
    from footagefit.dailies import leaders, looking, measures

    clip, space_known = _open(item, settings, threads)
    info = clip.info
    rate = info.rate or settings.rate or Fraction(24)
    with clip:
        look = looking.look_at(clip)
        if not look.numbers:
            why = next(iter(look.broken.values()), "no frame decodes")
            raise UnreadableClip(why, path=item.file, hint="Copy or export it again")
        changes = _learned(look) if settings.learned else None
        parts = leaders.parts_of(
            look.small_THWC, look.numbers, rate=float(rate), changes=changes, jump_T=look.jump_T
        )
        slate = _slate(item.path, info.metadata, settings)
        slate = _with_board(slate, clip, parts, settings.boards)
    medium = replace(
        base,
        state="scanned",
        role=_role(base.form, info.sample),
        codec=info.codec,
        width=info.width,
        height=info.height,
        rate=info.rate or settings.rate,
        first_frame=info.first_frame,
        length=info.length,
        sample=info.sample,
        space=info.space if space_known else "",
        timecode=info.timecode or "",
        pixel_aspect=info.pixel_aspect,
        reel=_reel(item.path, info.metadata, settings),
        flags=_flags(look, parts, info.missing, space_known),
        missing=tuple(sorted({*info.missing, *look.broken})),
        parts=parts,
        slate=slate,
        metadata=_kept(info.metadata),
        problem="" if space_known else "its colour space is not certain; set space: in the show",
    )
    curves = measures.curves_of(look, info, white_k=settings.white_k)
    return Exam(medium, _whole(curves, look.numbers, medium), _thumbnails(medium, look, info))


def _open(item: Found, settings: Settings, threads: int) -> tuple[Clip, bool]:
    """The clip, and whether its colour space is known."""
    from footagefit.footage.movie import MovieClip
    from footagefit.footage.opening import open_clip

    if item.form == "movie":
        open_as = partial(MovieClip, item.file, threads=threads, otherwise=settings.space or "")
    else:
        open_as = partial(open_clip, item.file, sidecar="none")  # logs are read once, for all
    try:
        return open_as(space="auto"), True
    except UnknownSpace:
        return open_as(space=settings.space or _STAND_IN_SPACE), bool(settings.space)


def _learned(look: Look) -> list[Change]:
    """The learned detector's transitions, and ours that it missed.

    It was not taught fades, nor shots of a few frames.
    """
    from footagefit.dailies import cuts, learned, looking

    if look.linear_THWC is None:
        rgb = looking.rgb_of(look.small_THWC, look.matrix, look.full)
    else:
        rgb = np.maximum(look.linear_THWC.astype(np.float32), 0.0) ** (1 / 2.4)
    found = learned.find_changes((rgb.clip(0.0, 1.0) * 255.0).astype(np.uint8))
    ours = [
        change
        for change in cuts.find_changes(look.small_THWC, look.jump_T)
        if not any(c.start - 2 <= change.at and change.start <= c.at + 2 for c in found)
    ]
    return sorted([*found, *ours], key=lambda change: change.at)


def _role(form: str, sample: str) -> str:
    if form == "sequence":
        return PLATE
    return PROXY if sample == "uint8" else ORIGINAL


def _reel(path: str, metadata: dict[str, object], settings: Settings) -> str:
    from footagefit.dailies.names import reel_of, stem_of

    said = str(metadata.get("reel") or "").strip()
    return said or reel_of(path, settings.names) or stem_of(path)


def _slate(path: str, metadata: dict[str, object], settings: Settings) -> Slate:
    from footagefit.dailies.names import slate_of, tidy

    named = slate_of(path, settings.names)
    inside = {n: str(metadata.get(n) or "") for n in ("scene", "take", "camera")}
    if len(inside["camera"]) != 1:  # a make and model, not a letter
        inside["camera"] = ""
    return named.over(tidy(Slate(**inside)))


def _with_board(slate: Slate, clip: Clip, parts: Sequence[Part], boards: Boards) -> Slate:
    """A slate with what is written on the clip's boards."""
    if boards == "off" or (boards == "open" and slate.scene and slate.take):
        return slate
    from footagefit.dailies.boards import read_slate

    written = read_slate(clip, parts)
    return written.over(slate) if boards == "first" else slate.over(written)


def _flags(
    look: Look, parts: Sequence[Part], missing: tuple[int, ...], space_known: bool
) -> tuple[str, ...]:
    flags = []
    if look.broken:
        flags.append(CORRUPT)
    if missing or any(_skips(look, part) for part in parts if part.kind == SHOT):
        flags.append(DROPPED)
    if not space_known:
        flags.append(UNKNOWN_SPACE)
    return tuple(flags)


def _skips(look: Look, part: Part) -> bool:
    """Frames held or skipped in the middle of a shot's motion: a copy of the one before, a jolt.

    Only within the shot: a clapper that has closed is held before the cut.
    """
    inside = [part.first < number <= part.last for number in look.numbers]
    jump_T = look.jump_T[np.flatnonzero(inside)]
    if len(jump_T) < _LEAST_MOTION:
        return False
    moving = float(np.median(jump_T))
    if moving < 0.35:
        return False
    held = np.flatnonzero(jump_T < 0.02 * moving)
    held = held[(held > 2) & (held < len(jump_T) - 3)]
    around = [float(np.median(jump_T[h - 2 : h + 3])) for h in held]
    return 0 < sum(a > 0.5 * moving for a in around) <= max(2, len(jump_T) // 8)


def _kept(metadata: dict[str, object]) -> dict[str, object]:
    """What is worth a row: short plain values."""
    kept = {}
    for name, value in metadata.items():
        if isinstance(value, str | int | float | bool) and len(str(value)) < 200:
            kept[str(name)] = value
    return kept


def _whole(
    curves: dict[str, np.ndarray], numbers: list[int], medium: Medium
) -> dict[str, np.ndarray]:
    """Curves from the first frame to the last, NaN where there is no picture, as float16."""
    at = np.array(numbers) - medium.first_frame
    inside = (at >= 0) & (at < medium.length)
    out = {}
    for name, curve in curves.items():
        full = np.full(medium.length, np.nan, np.float16)
        full[at[inside]] = np.clip(curve[inside], -60000, 60000)
        out[name] = full
    return out


def _thumbnails(medium: Medium, look: Look, info: ClipInfo) -> tuple[Thumbnail, ...]:
    from footagefit.dailies import looking, measures

    made = []
    for n, part in enumerate(medium.parts):
        if part.kind != SHOT:
            continue
        begin, end = np.searchsorted(look.numbers, (part.first, part.last + 1))
        run = look.small_THWC[begin:end]
        middle = (part.first + part.last) // 2
        near = [f for f in look.thumbs if part.first <= f <= part.last]
        frame = min(near, key=lambda f: abs(f - middle)) if near else middle
        if near:
            picture = looking.shown(look.thumbs[frame], look, info)
        else:
            tiny = look.small_THWC[min(np.searchsorted(look.numbers, frame), end - 1)]
            picture = looking.shown(np.repeat(np.repeat(tiny, 4, 0), 4, 1), look, info)
        thirds = run[[len(run) // 4, len(run) // 2, (3 * len(run)) // 4], ..., 0]
        made.append(
            Thumbnail(
                part=n,
                frame=frame,
                jpeg=_jpeg(picture),
                hashes=measures.hashes_of(run).tobytes(),
                layout=np.ascontiguousarray(thirds).tobytes(),
            )
        )
    return tuple(made)


def _jpeg(picture_HWC: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture_HWC).save(out, "JPEG", quality=82)
    return out.getvalue()

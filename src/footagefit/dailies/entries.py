"""What the catalogue holds, as plain records: media, parts of them, and shots.

Not here: how they are stored (`database`), found (`scan`) or put together (`linking`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

SHOT, SLATE, BARS, BLACK, DISSOLVE, FADE = "shot", "slate", "bars", "black", "dissolve", "fade"
PROXY, ORIGINAL, PLATE = "proxy", "original", "plate"
TRAIN, VAL, OUT = SIDES = "train", "val", "out"

# What a medium or a shot is listed with; a person reads these words in tables and JSON.
SHORT = "short"  # fewer frames than the cut takes from it
DROPPED = "dropped frames"  # numbers missing, held or skipped
TRUNCATED = "truncated"  # the index says more frames than decode
CORRUPT = "corrupt"  # frames that do not decode
TINY = "too few frames"  # shorter than a window


@dataclass(frozen=True)
class Slate:
    """What a shot is called on set; empty where nobody said.

    `scene` is as slated (`42A`); `number` is the scene of the script (`42`), by which shows are
    split, since set-ups of one scene share a place, a light and a cast.
    """

    scene: str = ""
    take: str = ""
    camera: str = ""
    roll: str = ""
    clip: str = ""

    def over(self, other: Slate) -> Slate:
        """This slate, with what it leaves open taken from `other`."""
        names = ("scene", "take", "camera", "roll", "clip")
        return Slate(*(getattr(self, n) or getattr(other, n) for n in names))


@dataclass(frozen=True)
class Part:
    """A stretch of a medium, first to last inclusive: a shot, slate, bars, black or a mix."""

    kind: str
    first: int
    last: int

    @property
    def length(self) -> int:
        """Frames in the part."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Medium:
    """A movie or sequence as the scan found it.

    Attributes:
        path: Relative to the show's folder, with forward slashes; sequences as `name.####.exr`.
        form: `movie` or `sequence`.
        bytes: Size of all its files.
        changed_ns: Newest modification time of its files.
        content: Partial content hash; one for equal files wherever they lie.
        state: `found`, `scanned`, `bad` or `gone`.
        problem: Why it is bad, in one line.
        flags: Words of this module's lists (`dropped frames`, `truncated` ...).
        missing: Frame numbers without a picture.
        parts: Shots and what lies between them, in order.
        slate: Slate by this medium's own name and metadata.
    """

    path: str
    form: str = "movie"
    role: str = ""
    bytes: int = 0
    changed_ns: int = 0
    content: str = ""
    state: str = "found"
    problem: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    rate: Fraction | None = None
    first_frame: int = 1
    length: int = 0
    sample: str = ""
    space: str = ""
    timecode: str = ""
    pixel_aspect: float = 1.0
    reel: str = ""
    flags: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    slate: Slate = field(default_factory=Slate)
    metadata: dict[str, object] = field(default_factory=dict)
    id: int = 0

    @property
    def last_frame(self) -> int:
        """Number of the last frame."""
        return self.first_frame + self.length - 1


@dataclass(frozen=True)
class Link:
    """One medium of a shot: its own frame numbers, and its number minus the shot's."""

    path: str
    role: str
    first: int
    last: int
    shift: int = 0
    medium_id: int = 0


@dataclass(frozen=True)
class Shot:
    """An unbroken run of frames, with every medium that shows it.

    Attributes:
        name: Unique in the show and stable over scans.
        slate: Scene, take, camera, roll.
        scene: The script's scene, by which the show is split (`42` of `42A`).
        setup: Takes of one set-up share it.
        first: First frame, as the primary medium numbers it, slates and bars left out.
        last: Last frame, likewise.
        links: Its media, the primary one first.
        side: `train`, `val` or `out`.
        because: Why it is `out`, or on the side of another shot.
        flags: Words such as `short`.
        train: False where a person withdrew it.
        family: Name of the first of the shots that it is a (near-)duplicate of, or its own.
    """

    name: str
    slate: Slate
    scene: str
    setup: str
    first: int
    last: int
    links: tuple[Link, ...]
    side: str = TRAIN
    because: str = ""
    flags: tuple[str, ...] = ()
    train: bool = True
    approved_by: str = ""
    family: str = ""
    exposure_ev: float | None = None
    white_k: float | None = None
    motion_px: float | None = None
    focus: float | None = None

    @property
    def length(self) -> int:
        """Frames in the shot."""
        return self.last - self.first + 1

    @property
    def primary(self) -> Link:
        """The medium whose frame numbers the shot counts by."""
        return self.links[0]

    def medium(self, role: str) -> Link | None:
        """The shot's proxy, original or plate, if it has one."""
        return next((link for link in self.links if link.role == role), None)

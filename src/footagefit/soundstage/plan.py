"""The records of a plan: what is shot, by which camera, and what is wrong with it. No drawing here.

`script` draws a plan from a preset and a seed; `crew` shoots it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from footagefit.records import Light
from footagefit.soundstage.specs import SensorSpec, SetUp

FAULTS = {
    "exposure": "stops",
    "white_balance": "mired",
    "contrast": "gamma",
    "key_moved": "degrees",
    "lens_swap": "mm",
    "wire": "count",
    "boom": "count",
    "wardrobe": "degrees",
    "prop": "metres",
    "dropped": "frames",
    "short": "frames",
    "soft": "px",
    "clipped": "stops",
    "corrupt": "share",
}
RATE = Fraction(24)
SHOW = "LONG ROAD"


@dataclass(frozen=True)
class Fault:
    """Something got wrong on purpose.

    Attributes:
        kind: One of `FAULTS`.
        shot: The take it is in.
        size: In the unit that `unit` names; signed where that means something.
        unit: Photographic unit.
        frames: Moments of the performance it touches, from 0.
    """

    kind: str
    shot: str
    size: float
    unit: str
    frames: tuple[int, ...]


@dataclass(frozen=True)
class Scene:
    """A place and time of day: one set, one light."""

    number: str
    name: str
    kind: str
    set_seed: int
    light: Light
    white_k: float


@dataclass(frozen=True)
class Take:
    """One performance through one camera.

    Attributes:
        shot: Name in `truth/`: scene, set-up, take and camera.
        clip: Name of the camera file, without suffix.
        timecode: Of the file's first frame.
        moments: Index of the performance frame that each recorded frame shows.
        slate_frames: Frames that the slate is in, before the performance or after it.
        plate: Folder under `plates/`, or empty.
    """

    scene: str
    setup: str
    number: int
    camera: Literal["A", "B"]
    roll: str
    shot: str
    clip: str
    date: str
    timecode: str
    asked: SetUp
    sensor: SensorSpec
    seed: int
    moments: tuple[int, ...]
    slate_frames: int
    tail_slate: bool
    circled: bool
    plate: str
    truth: tuple[int, ...]
    fault: Fault | None = None

    @property
    def length(self) -> int:
        """Frames in the camera file."""
        return len(self.moments) + self.slate_frames

    @property
    def slate(self) -> range:
        """Places of the slate's frames in the file, from 0."""
        start = len(self.moments) if self.tail_slate else 0
        return range(start, start + self.slate_frames)

    @property
    def first_action(self) -> int:
        """Place of the first performance frame in the file, from 0."""
        return 0 if self.tail_slate else self.slate_frames


@dataclass(frozen=True)
class Cut:
    """A shot in the rough cut: how many performance frames it asks of a take, from its first."""

    shot: str
    frames: int


@dataclass(frozen=True)
class Script:
    """A whole show as planned."""

    preset: str
    seed: int
    name: str
    size_px: tuple[int, int]
    scenes: tuple[Scene, ...]
    takes: tuple[Take, ...]
    cut: tuple[Cut, ...]

    def part(self, shots: Collection[str]) -> Script:
        """The same plan with some takes alone."""
        takes = tuple(take for take in self.takes if take.shot in shots)
        return replace(self, takes=takes, cut=tuple(c for c in self.cut if c.shot in shots))

    def setups(self) -> list[list[Take]]:
        """The takes of each set-up by camera A, in shooting order."""
        found: dict[tuple[str, str], list[Take]] = {}
        for take in self.takes:
            if take.camera == "A":
                found.setdefault((take.scene, take.setup), []).append(take)
        return list(found.values())

    @property
    def faults(self) -> list[Fault]:
        """Everything that is wrong, in shooting order."""
        return [take.fault for take in self.takes if take.fault is not None]

"""The few records that every room passes around. Plain data: no reading, no writing, no maths.

Shape suffixes, here and everywhere: T frames, B batch, C channels, H rows, W columns,
R reference frames, G guide channels, N noise channels, D vector entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class Box(NamedTuple):
    """A rectangle of pixels: x to the right, y down, as EXR windows count."""

    x: int
    y: int
    width: int
    height: int

    def union(self, other: Box) -> Box:
        """The smallest box that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, bottom - y)

    def inside(self, outer: Box) -> tuple[slice, slice]:
        """Rows and columns of this box in a raster that covers `outer`."""
        top, left = self.y - outer.y, self.x - outer.x
        return slice(top, top + self.height), slice(left, left + self.width)

    def holds(self, other: Box) -> bool:
        """Whether `other` lies wholly in this box."""
        return self.union(other) == self


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip before a pixel is decoded.

    Attributes:
        path: The movie, or the sequence as a pattern (`shot.####.exr`).
        raster: The rectangle `read` returns: display window and all data windows together.
        display: The display window.
        data: The data window of the first frame (equals `display` for movies).
        first_frame: Number of the first frame, as the file numbers it.
        length: Frames from first to last, gaps counted.
        rate: Frames a second; None where the files do not say.
        sample: How code values are stored: `uint8`, `uint10`, `uint12`, `uint16`, `half`, `float`.
        space: Colour space of the stored pixels, as the OCIO config names it.
        timecode: Start timecode, `HH:MM:SS:FF` or with `;` for drop-frame.
        pixel_aspect: Width over height of one pixel; 2.0 for 2x anamorphic.
        channels: Stored channel names, in file order.
        layers: Names that `data` takes.
        alpha: Whether there is an alpha channel.
        missing: Frame numbers in the range with no file.
        codec: Container codec or file format, as the reader names it.
        metadata: Reel, camera, lens, iso, shutter and the like (see `footage.metadata`),
            then all else the file carries, by its own names.
    """

    path: Path
    raster: Box
    display: Box
    data: Box
    first_frame: int
    length: int
    rate: Fraction | None
    sample: str
    space: str
    timecode: str | None = None
    pixel_aspect: float = 1.0
    channels: tuple[str, ...] = ("R", "G", "B")
    layers: tuple[str, ...] = ()
    alpha: bool = False
    missing: tuple[int, ...] = ()
    codec: str = ""
    metadata: dict[str, object] = field(default_factory=dict)

    @property
    def last_frame(self) -> int:
        """Number of the last frame."""
        return self.first_frame + self.length - 1

    @property
    def width(self) -> int:
        """Width of the raster in stored pixels."""
        return self.raster.width

    @property
    def height(self) -> int:
        """Height of the raster in stored pixels."""
        return self.raster.height

    @property
    def bit_depth(self) -> int:
        """Bits per stored sample."""
        return {"uint8": 8, "uint10": 10, "uint12": 12, "uint16": 16, "half": 16, "float": 32}[
            self.sample
        ]


class Frames(NamedTuple):
    """Pixels of some frames of a clip.

    Attributes:
        rgb_TCHW: Scene-linear ACEScg, float32, premultiplied where there is alpha; may exceed 1
            and may be negative.
        alpha_T1HW: Coverage in 0..1, or None where the clip has none.
        numbers: The frame numbers, in the order asked for.
    """

    rgb_TCHW: Tensor
    alpha_T1HW: Tensor | None
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Native:
    """The stored code values of one frame, for what must stay bit-identical.

    Attributes:
        planes: One (H,W,C) array for pictures; Y, U, V (and A) planes for movies.
        layout: `"interleaved"`, or the movie's pixel format such as `yuv422p10le`.
        channels: Channel names of an interleaved array.
        sample: As in `ClipInfo.sample`.
        data: The frame's own data window (interleaved arrays cover just that).
        attributes: The file's header, by its own names, for passing through.
        others: The other parts of a multi-part file, in file order.
        position: This part's place among all of them.
    """

    planes: tuple[np.ndarray, ...]
    layout: str
    channels: tuple[str, ...]
    sample: str
    data: Box
    attributes: dict[str, object] = field(default_factory=dict)
    others: tuple[Native, ...] = ()
    position: int = 0


@dataclass(frozen=True)
class Light:
    """The light on a subject; None leaves an entry as the plate has it.

    Azimuth is 0 from the camera, +90 from image right, 180 from behind; elevation + is from
    above. `ev` is log2 of scene-linear: at key_ev 0 an 18% card facing the key alone renders
    0.18. Kelvin is the colour of the light, relative to the show's white; tint + is greener.
    `softness_deg` is the source's angular diameter: sun 0.5, overcast 180.
    """

    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    softness_deg: float | None = None
    key_ev: float | None = None
    key_k: float | None = None
    key_tint_duv: float | None = None
    fill_ev: float | None = None
    fill_k: float | None = None
    fill_tint_duv: float | None = None


class Given(NamedTuple):
    """What a model is shown: scene-linear ACEScg pixels and what goes with them."""

    plate: Tensor  # (B,3,H,W) float32, may exceed 1, may be slightly negative
    guide: Tensor  # (B,G,H,W) what the task adds: confidence, lens coordinates, geometry
    mask: Tensor  # (B,1,H,W) 1 where the output counts
    reference: Tensor  # (B,R,3,h,w) frames to sit beside; R may be 0
    vector: Tensor  # (B,D) controls with present flags, signature
    noise: Tensor  # (B,N,H,W) drawn by the caller from (seed, frame, motion); N may be 0


class Pair(NamedTuple):
    """One supervised example: what is given, and what should come out."""

    given: Given
    target: Tensor  # (B,3,H,W) scene-linear ACEScg
    truth: dict[str, Tensor]  # normals, albedo, lights, validity ... where known
    weight: Tensor  # (B,1,H,W) how much each pixel counts

"""The contract of a task, and what it may ask of a window of frames.

What belongs here: `Task`, `TaskSpec`, `Control`, the view of a window that tasks rely on, and
mask discipline. What does not: any one task, any network.

Shapes: T frames, R references, B batch, C channels, H rows, W columns, G guide channels,
D vector entries (each a value and a present flag).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import default_collate

from footagefit.errors import UnknownName, WrongValue
from footagefit.records import Given, Pair

Controls = Mapping[str, float]
INSIDE = "inside"  # of a pair's truth: where it is judged; pairs without it are judged everywhere


class Window(Protocol):
    """What a task sees of the dailies: frames of one shot and what goes with them."""

    @property
    def frames_TCHW(self) -> Tensor:
        """Scene-linear ACEScg frames."""
        ...

    @property
    def gone_T1HW(self) -> Tensor:
        """1 where a frame does not exist."""
        ...

    @property
    def reference_RCHW(self) -> Tensor:
        """Frames to sit beside: of the same set-up or scene; R may be 0."""
        ...

    @property
    def layers(self) -> Mapping[str, Tensor]:
        """Layers (T,C,H,W) by name; `alpha` is the coverage of the element to change."""
        ...

    @property
    def signature(self) -> Mapping[str, object] | None:
        """What was measured of the show's lens, light and grain, if it was."""
        ...


@dataclass(frozen=True)
class PlainWindow:
    """A window in memory: for tests, for notebooks, and for frames that come from no catalogue.

    Attributes:
        frames_TCHW: Scene-linear ACEScg frames.
        reference_RCHW: Frames to sit beside; none by default.
        layers: (T,C,H,W) tensors by name.
        signature: Measured values by name.
    """

    frames_TCHW: Tensor
    reference_RCHW: Tensor = field(default_factory=lambda: torch.zeros(0, 3, 16, 16))
    layers: Mapping[str, Tensor] = field(default_factory=dict)
    signature: Mapping[str, object] | None = None

    @property
    def gone_T1HW(self) -> Tensor:
        """Every frame exists."""
        return torch.zeros_like(self.frames_TCHW[:, :1])


@dataclass(frozen=True)
class Control:
    """One thing a person can ask for by number.

    Attributes:
        unit: `deg`, `ev`, `k`, or empty.
        low: Smallest value that makes sense.
        high: Largest.
        default: None leaves it as the plate has it.
        help: One line.
        choices: Words a person says for 0, 1, ...; none where it is a number.
    """

    unit: str
    low: float
    high: float
    default: float | None
    help: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskSpec:
    """What a task needs of a model, and what it offers a person.

    Attributes:
        name: As in configs and recipes.
        guide: Names of the guide channels, in order.
        vector: Names of the vector's entries, in order; each takes a value and a present flag.
        controls: What a person can set.
        models: Names of the models that can learn it.
        references: How many references an example carries.
        teacher: What of the soundstage bases learn from: `takes`, scenes with `sources` apart, or
            `moving` takes of several frames.
        frames: Of a window that examples are made of.
        stride: Frames from one of them to the next.
        base: Name of the base that several tasks share; each has its own where None.
    """

    name: str
    guide: tuple[str, ...]
    vector: tuple[str, ...]
    controls: Mapping[str, Control]
    models: tuple[str, ...]
    references: int
    teacher: str = "takes"
    frames: int = 1
    stride: int = 1
    base: str | None = None

    @property
    def vector_size(self) -> int:
        """D: values and present flags."""
        return 2 * len(self.vector)

    @property
    def fills(self) -> bool:
        """Whether pixels are made where there are none, from what other frames show there."""
        return "confidence" in self.guide

    def around(self, number: int) -> tuple[int, ...]:
        """Frames of a window whose middle is a frame."""
        return tuple(
            number + (slot - self.frames // 2) * self.stride for slot in range(self.frames)
        )


class Task(ABC):
    """What to learn."""

    spec: TaskSpec

    @abstractmethod
    def pair(self, window: Window, rng: torch.Generator) -> Pair:
        """One supervised example (B is 1); everything random comes from `rng`."""

    @abstractmethod
    def given(self, window: Window, controls: Controls) -> Given:
        """What a model is shown when a shot is rendered; B runs over the window's frames."""

    def composite(self, given: Given, output: Tensor) -> Tensor:
        """The result in place: plate + m (output - plate), untouched to the bit where m is 0."""
        mask = given.mask
        mixed = torch.where(mask >= 1.0, output, given.plate + mask * (output - given.plate))
        return torch.where(mask > 0.0, mixed, given.plate)

    def checked(self, controls: Controls) -> dict[str, float]:
        """Controls with every name known and every value in its range."""
        known = self.spec.controls
        for name, value in controls.items():
            if name not in known:
                raise UnknownName("control", name, known)
            control = known[name]
            if not control.low <= value <= control.high:
                raise WrongValue(
                    f"{name}: {value:g} is outside {control.low:g}..{control.high:g}{control.unit}",
                    hint=f"Say {name}=<{control.low:g} to {control.high:g}>",
                )
        return {name: float(value) for name, value in controls.items()}


def vector_of(names: Sequence[str], values: Mapping[str, object] | None) -> Tensor:
    """Values and present flags (D,) in the order of the names; what is not there is 0, 0."""
    flat: list[float] = []
    for name in names:
        value = (values or {}).get(name)
        there = isinstance(value, int | float)
        flat += [float(value), 1.0] if there else [0.0, 0.0]
    return torch.tensor(flat, dtype=torch.float32)


def lens_coordinates(
    size: tuple[int, int],
    *,
    frame: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    aspect: float = 16 / 9,
    signature: Mapping[str, object] | None = None,
) -> Tensor:
    """Where each pixel lies behind the lens (2,H,W): x right, y up, 1 at the half-diagonal.

    Where the lens was measured, its distortion is taken out and its centre is 0, 0: the way in
    which the pixel looked.

    Args:
        size: Rows and columns wanted; a few are enough, models resample their guides.
        frame: Left, top, right, bottom of the picture as parts of the lens's full frame.
        aspect: Width over height of the full frame, in its own pixels.
        signature: Measured values; of them k1, k2, centre and squeeze count.
    """
    left, top, right, bottom = frame
    measured = {n: v for n, v in (signature or {}).items() if isinstance(v, int | float)}
    aspect *= float(measured.get("signature.squeeze", 1.0))
    half = 0.5 * (1.0 + aspect * aspect) ** 0.5
    y = (torch.arange(size[0]) + 0.5) / size[0] * (bottom - top) + top
    x = (torch.arange(size[1]) + 0.5) / size[1] * (right - left) + left
    columns = ((x - 0.5) * aspect / half).view(1, 1, -1).expand(1, *size)
    rows = ((0.5 - y) / half).view(1, -1, 1).expand(1, *size)
    plain = torch.cat([columns, rows])
    return plain if "signature.k1" not in measured else _behind_lens(plain, measured)


def _behind_lens(plain_2HW: Tensor, measured: Mapping[str, float]) -> Tensor:
    from footagefit.signature.distortion import Distortion

    names = ("k1", "k2", "centre_x", "centre_y")
    k1, k2, x, y = (float(measured.get(f"signature.{name}", 0.0)) for name in names)
    lens = Distortion(k1, k2, x, y)
    across, up = lens.undistorted(*plain_2HW.double().numpy())
    return torch.stack([torch.from_numpy(across - x), torch.from_numpy(up - y)]).float()


def fitted(picture: Tensor, size: tuple[int, int] | None) -> Tensor:
    """A picture of any channels at the training size; shrunk by the mean of its light."""
    if size is None or tuple(picture.shape[1:]) == size:
        return picture.clone()
    import cv2
    import numpy as np

    shrinks = picture.shape[1] >= size[0] and picture.shape[2] >= size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    parts = []
    for channels in picture.split(4):  # as many as OpenCV shrinks at once
        rows_HWC = np.ascontiguousarray(channels.permute(1, 2, 0).numpy())
        part = cv2.resize(rows_HWC, (size[1], size[0]), interpolation=how)
        parts.append(torch.from_numpy(part.reshape(*size, -1)).permute(2, 0, 1))
    return torch.cat(parts).contiguous()


def collated(pairs: Sequence[Pair]) -> Pair:
    """Examples of one size as one batch."""
    if len(pairs) == 1:
        return pairs[0]
    flat = default_collate([_unbatched(pair) for pair in pairs])
    return Pair(Given(*flat[0]), flat[1], flat[2], flat[3])


def _unbatched(pair: Pair) -> tuple[tuple[Tensor, ...], Tensor, dict[str, Tensor], Tensor]:
    given = tuple(part[0] for part in pair.given)
    truth = {name: value[0] for name, value in pair.truth.items()}
    return given, pair.target[0], truth, pair.weight[0]

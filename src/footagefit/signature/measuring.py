"""All effects measured as frames come by: what is kept of a frame is small, frames are not.

Here: what is looked at in which frames, and the records it ends in. Not here: any one effect, or
where frames come from (`commands/measure.py`).

    seen = LensSeen("32 mm", size=(1080, 1920))
    for run in runs:            # a few frames of one shot, each perhaps with the one after it
        seen.add(run)
    lens = seen.lens()
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from footagefit.signature import (
    bloom,
    chromatic,
    coordinates,
    distortion_fit,
    edges,
    grade,
    grain,
    grain_patches,
    overlaps,
    sharpness,
    tracks,
    vignette,
)
from footagefit.signature.light import LightEstimate, estimate, together
from footagefit.signature.record import Lens, MeasuredLight, SetupLook

MOST_LINES = 4000
FINE = ("original", "plate")  # media that hold grain and sharpness as they were recorded
_MOST_PARTS = 400
_MOST_TRACKS = 240  # pairs of frames in which points are followed
_CLOSE = 48  # frames of a lens: from there on ever fewer are looked at for edges
_SURE = 0.75  # expected cosine between the key as found and as it is: about 40 degrees
_MOST_GRAINS = 48  # frames: more hold memory and say no more


def looks_closely(frames: int) -> Iterator[bool]:
    """Which frames of a lens are looked at for edges, in the order they come."""
    closely = 0
    for number in range(frames):
        due = _is_due(number, closely)
        closely += due
        yield due


def _is_due(seen: int, closely: int) -> bool:
    """All of the first, then ever fewer: as many again for each e-fold, 194 of 1,000."""
    return closely < _CLOSE * (1 + math.log(max(1.0, seen / _CLOSE)))


@dataclass(frozen=True)
class Run:
    """Some frames of one shot.

    Attributes:
        frames: (H,W,3) scene-linear ACEScg, spread over the shot.
        after: The frame after each, or None.
    """

    frames: Sequence[np.ndarray]
    after: Sequence[np.ndarray | None] = ()


@dataclass
class LensSeen:
    """What frames through one lens have shown so far.

    Args:
        name: Of the lens.
        size: Rows and columns of its frames; frames of another size are brought to none.
        squeeze: Anamorphic squeeze.
        medium: What the frames are of: `original`, `plate` or `proxy`.
        frames: How many were seen.
        closely: How many of them were looked at for edges, which takes ten times as long.
    """

    name: str
    size: tuple[int, int]
    squeeze: float = 1.0
    medium: str = "original"
    frames: int = 0
    closely: int = 0
    pairs: list[vignette.Pairs] = field(default_factory=list)
    shades: list[vignette.Pairs] = field(default_factory=list)
    lines: list[np.ndarray] = field(default_factory=list)
    line_shots: list[int] = field(default_factory=list)
    followed: list[tracks.Tracks] = field(default_factory=list)
    followed_shots: list[int] = field(default_factory=list)
    shots: int = 0
    shifts: list[chromatic.Shifts] = field(default_factory=list)
    fringe: chromatic.Chromatic | None = None
    spreads: list[sharpness.Spreads] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Look at frames of one shot."""
        for frame in run.frames:
            self._add_frame(frame)
        self._add_pairs(run.frames)
        self.shots += 1

    def _add_pairs(self, frames: Sequence[np.ndarray]) -> None:
        """What moves of the camera say of vignette and distortion."""
        small = [overlaps.small(frame) for frame in frames]
        sharp: dict[int, np.ndarray] = {}
        for i in range(len(small)):
            shade = overlaps.shading(small[i], squeeze=self.squeeze)
            if shade is not None and len(self.shades) < _MOST_PARTS:
                self.shades.append(shade)
            for j in range(i + 1, len(small)):
                follow = len(self.followed) < _MOST_TRACKS
                if not follow and len(self.pairs) >= _MOST_PARTS:
                    continue
                move = overlaps.camera_move(small[i], small[j])
                if move is None:
                    continue
                pair = overlaps.pairs(small[i], small[j], move, squeeze=self.squeeze)
                if pair is not None and len(self.pairs) < _MOST_PARTS:
                    self.pairs.append(pair)
                if follow:
                    for k in {i, j} - set(sharp):
                        sharp[k] = tracks.seen(coordinates.luma(frames[k]))
                    track = tracks.follow(sharp[i], sharp[j], move, squeeze=self.squeeze)
                    if track is not None:
                        self.followed.append(track)
                        self.followed_shots.append(self.shots)

    def _add_frame(self, frame_HWC: np.ndarray) -> None:
        luma = coordinates.luma(frame_HWC)
        share = bloom.seen(luma)
        self.shares += [] if share is None else [share]
        if _is_due(self.frames, self.closely):
            self._add_edges(frame_HWC, luma)
            self.closely += 1
        self.frames += 1

    def _add_edges(self, frame_HWC: np.ndarray, luma_HW: np.ndarray) -> None:
        size = (frame_HWC.shape[0], frame_HWC.shape[1])
        found = edges.find(luma_HW)
        if len(self.lines) < MOST_LINES:
            self.lines += edges.lines(found, size, squeeze=self.squeeze)
            self.line_shots += [self.shots] * (len(self.lines) - len(self.line_shots))
        if len(self.shifts) < _MOST_PARTS:
            shift = chromatic.shifts(frame_HWC, squeeze=self.squeeze, start=self.fringe)
            if shift is not None:
                self.shifts.append(shift)
                self.fringe = chromatic.fit(shift, squeeze=self.squeeze) or self.fringe
        fine = self.medium in FINE and size == self.size
        if fine and len(self.spreads) < _MOST_PARTS:
            spread = sharpness.spreads(luma_HW, found.at_N2, found.way_N2, squeeze=self.squeeze)
            self.spreads += [] if spread is None else [spread]

    def lens(self) -> Lens:
        """What it all comes to; None and a remark where footage does not say."""
        remarks: list[str] = []
        found = distortion_fit.fit(
            self.lines, shots=self.line_shots, tracks=self.followed,
            track_shots=self.followed_shots, squeeze=self.squeeze,
        )  # fmt: skip
        if found is None:
            why = f"{len(self.lines)} straight edges are too few or disagree"
            remarks.append(f"distortion: the camera hardly turns, and {why}")
        shape = vignette.fit_pairs(vignette.Pairs.joined(self.pairs), squeeze=self.squeeze) \
            if self.pairs else None  # fmt: skip
        if shape is None and len(self.shades) >= 6:
            joined = vignette.Pairs.joined(self.shades)
            shape = vignette.fit_pairs(joined, squeeze=self.squeeze, source="shading")
        if shape is None:
            remarks.append("vignette: the camera hardly moves, and surfaces shade otherwise")
        colour = chromatic.fit(chromatic.Shifts.joined(self.shifts), squeeze=self.squeeze) \
            if self.shifts else None  # fmt: skip
        if colour is None:
            remarks.append("lateral colour: too few sharp edges away from the middle")
        sharp = sharpness.fit(sharpness.Spreads.joined(self.spreads)) if self.spreads else None
        if sharp is None:
            why = "too few clean edges" if self.medium in FINE else "only proxies are there"
            remarks.append(f"sharpness: {why}")
        halo = bloom.fit(self.shares)
        if halo is None:
            remarks.append("bloom: no highlights before the dark")
        return Lens(shape, found, colour, sharp, halo, self.medium, self.frames, tuple(remarks),
                    self.closely)  # fmt: skip


@dataclass
class SetupSeen:
    """What frames of one set-up have shown so far; or of the whole show.

    Args:
        lens: Name of its lens.
        medium: As in `LensSeen`.
        light: Of a chart, where one was seen: it is believed before the estimator.
        lights: What the estimator says of each frame.
    """

    lens: str = ""
    medium: str = "original"
    frames: int = 0
    shots: list[str] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    patches: list[grain_patches.Patches] = field(default_factory=list)
    light: MeasuredLight | None = None
    lights: list[LightEstimate] = field(default_factory=list)

    def add(self, run: Run, *, shot: str) -> None:
        """Look at frames of one shot."""
        if shot not in self.shots:
            self.shots.append(shot)
        after = list(run.after) + [None] * (len(run.frames) - len(run.after))
        for frame, follows in zip(run.frames, after, strict=True):
            self.frames += 1
            self.colours.append(grade.sampled(frame))
            self.lights += estimate(torch.from_numpy(frame).permute(2, 0, 1)[None])
            if self.medium in FINE and len(self.patches) < _MOST_GRAINS:
                self.patches.append(grain_patches.patches(frame, follows))

    def look(self) -> SetupLook:
        """What it comes to."""
        remarks = []
        follows = [p for p in self.patches if p.after_NCuv is not None]
        chosen = follows or self.patches
        found = grain.fit(grain_patches.Patches.joined(chosen)) if chosen else None
        if found is None:
            why = "too few flat patches" if self.medium in FINE else "only proxies are there"
            remarks.append(f"grain: {why}")
        light = self.light or self._estimated(remarks)
        return SetupLook(
            self.lens, grade.fit(self.colours), found, light, self.medium, self.frames,
            tuple(self.shots), tuple(remarks),
        )  # fmt: skip

    def _estimated(self, remarks: list[str]) -> MeasuredLight | None:
        """What the estimator says of all frames, where it is sure enough to be of use."""
        if not self.lights:
            return None
        found = together(self.lights)
        if found.confidence < _SURE:
            remarks.append(f"light: the estimator is not sure ({found.confidence:.2f})")
            return None
        return MeasuredLight(found.light, round(found.confidence, 3), "estimate")

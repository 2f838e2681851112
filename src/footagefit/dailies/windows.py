"""A window on a shot: some frames, frames to sit beside, cached layers, and a way to the rest.

Here: what is handed to tasks, and reading it from cache or file. Not here: which window comes when
(`sampling`), batches and workers (`data`), or anything that knows a task.

Frames are scene-linear ACEScg float32, made small to a long side, aspect kept. Shape suffixes:
T frames, R references, C channels, H rows, W columns.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from footagefit.dailies.cache import STRIP, FrameCache, made_small
from footagefit.dailies.entries import Link, Medium, Shot
from footagefit.dailies.looking import rgb_of
from footagefit.dailies.sampling import Draw, Sampling
from footagefit.errors import FootagefitError, UnknownSpace
from footagefit.footage.view import View

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.footage.clip import Clip
    from footagefit.records import Native

Provider = Callable[[Shot, Sequence[int]], "Tensor"]
_MOST_OPEN = 3


@dataclass(frozen=True)
class Window:
    """Frames of one shot and what goes with them.

    Attributes:
        shot: Which shot, with its slate, set-up and media.
        numbers: Its frames, as the shot's primary medium numbers them.
        frames_TCHW: Scene-linear ACEScg.
        gone_T1HW: 1 where a frame does not exist; its pixels are then 0.
        reference_RCHW: Frames to sit beside, cropped and scaled to the same size.
        reference_of: Shot and frame of each reference.
        layers: Cached or provided layers by name (T,C,H,W): flow, normals, truth.
        signature: What the show's lens, light and grain measured as, if measured.
        index: Where in the run it came.
        dailies: The way to the whole shot and to other takes.
    """

    shot: Shot
    numbers: tuple[int, ...]
    frames_TCHW: Tensor
    gone_T1HW: Tensor
    reference_RCHW: Tensor
    reference_of: tuple[tuple[str, int], ...]
    dailies: Reader
    layers: dict[str, Tensor] = field(default_factory=dict)
    signature: dict[str, object] | None = None
    index: int = 0

    def more(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Any other frames of the same shot, and where they do not exist."""
        return self.dailies.frames(self.shot.name, numbers)

    def takes(self) -> list[Shot]:
        """Other takes of the set-up, on the same side."""
        return self.dailies.takes(self.shot)


class Reader:
    """Reads frames of shots, from the cache where they are in it; one per process.

    Args:
        work: The show's work folder, which media paths are told from.
        shots: Those that may be read, all of one side.
        media: The catalogue's media.
        cache: Where small frames lie.
        long_side_px: Frames' long side.
        role: Medium to read: `proxy`, `original`, `plate`; the primary one where there is none.
        trusted: Content hashes of clips that decord was seen to read right.
        space: Colour space of clips that do not say.
    """

    def __init__(
        self,
        work: Path,
        shots: Sequence[Shot],
        media: Sequence[Medium],
        *,
        cache: FrameCache,
        long_side_px: int = 512,
        role: str = "proxy",
        trusted: frozenset[str] = frozenset(),
        space: str | None = None,
    ) -> None:
        self.work, self.cache, self.long_side_px = work, cache, long_side_px
        self.shots = {s.name: s for s in shots}
        wanted = {k.path for s in shots for k in s.links}
        self.media = {m.path: m for m in media if m.path in wanted}
        self.role, self.trusted, self.space = role, trusted, space
        self._clips: dict[tuple[int, str], Clip] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_clips": {}}

    def link(self, shot: Shot) -> Link:
        """The medium of a shot that is read."""
        return shot.medium(self.role) or shot.primary

    def view(self, shot: Shot, view: View) -> View:
        """How a shot's pictures are shown, by a show's view."""
        space = self.media[self.link(shot).path].space or self.space
        return view.on(space=space, shot=shot.name)

    def takes(self, shot: Shot) -> list[Shot]:
        """Other takes of a shot's set-up."""
        return [s for s in self.shots.values() if s.setup == shot.setup and s.name != shot.name]

    def size(self, shot: Shot) -> tuple[int, int]:
        """Rows and columns of a shot's small frames."""
        medium = self.media[self.link(shot).path]
        return small_size(medium.height, medium.width, self.long_side_px)

    def spans(self) -> dict[str, list[int]]:
        """Frames of each medium that shots are read from, as the medium numbers them."""
        found: dict[str, set[int]] = {}
        for shot in self.shots.values():
            link = self.link(shot)
            found.setdefault(link.path, set()).update(range(link.first, link.last + 1))
        return {path: sorted(numbers) for path, numbers in sorted(found.items())}

    def cached_bytes(self, path: str, numbers: Sequence[int]) -> int:
        """What a medium's frames take in the cache, whole strips counted."""
        medium = self.media[path]
        height, width = small_size(medium.height, medium.width, self.long_side_px)
        strips = {(n - medium.first_frame) // STRIP for n in numbers}
        return len(strips) * STRIP * 3 * height * width * 2 + 4096

    def key(self, medium: Medium) -> str:
        """A medium's name in the cache."""
        space = medium.space or self.space or ""
        return FrameCache.key(medium.content, space=space, long_side_px=self.long_side_px)

    def frames(self, name: str, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Frames of a shot (T,3,H,W), and 1 where they do not exist (T,1,H,W)."""
        shot = self.shots[name]
        link = self.link(shot)
        medium = self.media[link.path]
        height, width = self.size(shot)
        pixels = torch.zeros(len(numbers), 3, height, width)
        gone = torch.zeros(len(numbers), 1, height, width)
        missing = set(medium.missing)
        key = self.key(medium)
        for slot, number in enumerate(numbers):
            own = number + link.shift
            if own in missing or not link.first <= own <= link.last:
                gone[slot] = 1.0
                continue
            cached = self.cache.read(key, own)
            if cached is None:
                pixels[slot] = self._decoded(medium, [own])[0]
            else:
                pixels[slot] = torch.from_numpy(cached.astype(np.float32))
        return pixels, gone

    def fill(self, medium: Medium, wanted: Sequence[int], *, keep: Sequence[str] = ()) -> int:
        """Bring some frames of a medium into the cache; returns how many were made."""
        missing = set(medium.missing)
        height, width = small_size(medium.height, medium.width, self.long_side_px)

        def read(numbers: Sequence[int]) -> np.ndarray:
            there = [n for n in numbers if n not in missing]
            out = np.zeros((len(numbers), 3, height, width), np.float32)
            if there:
                pixels = self._decoded(medium, there).numpy()
                out[[list(numbers).index(n) for n in there]] = pixels
            return out

        return self.cache.fill(
            self.key(medium),
            first=medium.first_frame,
            length=medium.length,
            read=read,
            wanted=wanted,
            keep=keep,
        )

    def _decoded(self, medium: Medium, numbers: Sequence[int]) -> Tensor:
        clip = self._clip(medium)
        return torch.cat([small_frame(clip, n, self.long_side_px) for n in numbers])

    def _clip(self, medium: Medium) -> Clip:
        """This process's open clip of a medium; a few are kept."""
        key = (os.getpid(), medium.path)
        if key not in self._clips:
            self._clips = {k: c for k, c in self._clips.items() if k[0] == key[0]}
            while len(self._clips) >= _MOST_OPEN:
                self._clips.pop(next(iter(self._clips))).close()
            self._clips[key] = self._opened(medium)
        self._clips[key] = self._clips.pop(key)  # the one used last is closed last
        return self._clips[key]

    def _opened(self, medium: Medium) -> Clip:
        from footagefit.footage.opening import open_clip

        if not (medium.space or self.space):
            raise UnknownSpace(
                "its colour space is not certain",
                path=self.work / medium.path,
                hint="Set space: in the show, and scan again",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said once, by the scan
            return open_clip(
                self.work / medium.path,
                space=medium.space or self.space or "auto",
                reader="decord" if medium.content in self.trusted else "pyav",
                rate=medium.rate,
                start=medium.first_frame if medium.form == "movie" else None,
                sidecar="none",  # the scan has read them all
            )


class Windows:
    """The windows of one side of a show, by index; can be pickled into workers.

    Args:
        reader: Reads the side's shots.
        sampling: Draws windows from the same shots.
        layers: Names of cached layers to bring along.
        providers: Layers made on the fly, by name, by whoever may import what makes them.
        signature: The show's, if measured.
    """

    def __init__(
        self,
        reader: Reader,
        sampling: Sampling,
        *,
        layers: Sequence[str] = (),
        providers: Mapping[str, Provider] | None = None,
        signature: dict[str, object] | None = None,
    ) -> None:
        self.reader, self.sampling = reader, sampling
        self.layers = tuple(layers)
        self.providers = dict(providers or {})
        self.signature = signature

    def window(self, index: int) -> Window:
        """The window at an index: the same bits whoever asks, whenever."""
        draw = self.sampling.draw(index)
        return self.shown(draw, index=index)

    def size(self, index: int) -> tuple[int, int]:
        """Rows and columns of the window's frames at an index; nothing is read."""
        return self.reader.size(self.reader.shots[self.sampling.draw(index).shot])

    def shown(self, draw: Draw, *, index: int = 0) -> Window:
        """A window with given frames and references."""
        shot = self.reader.shots[draw.shot]
        frames, gone = self.reader.frames(draw.shot, draw.numbers)
        size = frames.shape[-2:]
        beside = [self._reference(name, number, size) for name, number in draw.references]
        return Window(
            shot=shot,
            numbers=draw.numbers,
            frames_TCHW=frames,
            gone_T1HW=gone,
            reference_RCHW=torch.stack(beside) if beside else torch.zeros(0, 3, *size),
            reference_of=draw.references,
            dailies=self.reader,
            layers=self._layers(shot, draw.numbers),
            signature=_of_setup(self.signature, shot.setup),
            index=index,
        )

    def _reference(self, name: str, number: int, size: torch.Size) -> Tensor:
        frame = self.reader.frames(name, [number])[0]
        return framed_as(frame, (size[0], size[1]))[0]

    def _layers(self, shot: Shot, numbers: Sequence[int]) -> dict[str, Tensor]:
        found = {name: make(shot, numbers) for name, make in self.providers.items()}
        link = self.reader.link(shot)
        medium = self.reader.media[link.path]
        for name in self.layers:
            key = FrameCache.key(
                medium.content,
                space="data",
                long_side_px=self.reader.long_side_px,
                layer=name,
            )
            read = [self.reader.cache.read(key, n + link.shift) for n in numbers]
            if any(layer is None for layer in read):
                raise FootagefitError(
                    f"layer {name!r} is not cached",
                    path=self.reader.work / link.path,
                    frame=numbers[0],
                    hint="Run the step that makes it first",
                )
            found[name] = torch.from_numpy(np.stack([r for r in read if r is not None])).float()
        return found


def _of_setup(signature: dict[str, object] | None, setup: str) -> dict[str, object] | None:
    """The show's signature, with what a set-up's own lens and grain measure as."""
    own = (signature or {}).get("setups")
    mine = own.get(setup) if isinstance(own, dict) else None
    return {**(signature or {}), **mine} if isinstance(mine, dict) else signature


def small_frame(clip: Clip, number: int, long_side_px: int) -> Tensor:
    """One frame (1,3,H,W) made small.

    Colour is converted at twice the size or a little over: a few neighbouring code values are
    averaged first, the rest in linear light. (All in light costs several times as much; on 720p
    proxies at 256 px the two lie 38 dB apart, at hard edges.)
    """
    info = clip.info
    shrink = max(info.height, info.width) // (2 * long_side_px)
    if shrink < 2 or info.alpha or "rgb" not in info.layers:
        return made_small(clip.read([number]).rgb_TCHW, long_side_px)
    from footagefit.footage import colour

    pixels = _codes_of_planes(clip.native(number), shrink) if info.sample == "uint8" else None
    if pixels is None:
        tall, wide = info.height // shrink * shrink, info.width // shrink * shrink
        codes = F.avg_pool2d(clip.data([number], "rgb")[..., :tall, :wide], shrink)
        pixels = np.ascontiguousarray(codes[0].permute(1, 2, 0).numpy())
    colour.to_working(pixels, info.space)
    linear = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    size = small_size(info.height, info.width, long_side_px)
    return F.interpolate(linear, size=size, mode="area")


def _codes_of_planes(native: Native, shrink: int) -> np.ndarray | None:
    """RGB code values of 8-bit YUV planes, averaged before they are made RGB."""
    if not native.layout.startswith("yuv") or len(native.planes) != 3:
        return None
    luma = _averaged(native.planes[0], shrink, shrink)
    down = -(-native.planes[0].shape[0] // native.planes[1].shape[0])
    across = -(-native.planes[0].shape[1] // native.planes[1].shape[1])
    if shrink % down or shrink % across:
        return None
    chroma = [_averaged(p, shrink // down, shrink // across) for p in native.planes[1:]]
    tall = min(luma.shape[0], chroma[0].shape[0])
    wide = min(luma.shape[1], chroma[0].shape[1])
    ycc = np.stack([p[:tall, :wide] for p in (luma, *chroma)], -1)
    full = native.attributes.get("levels") == "full"
    return rgb_of(ycc[None], str(native.attributes.get("matrix")), full)[0]


def _averaged(plane_HW: np.ndarray, down: int, across: int) -> np.ndarray:
    """Means of blocks, by adding strided views: the fastest that numpy does."""
    tall, wide = plane_HW.shape[0] // down, plane_HW.shape[1] // across
    rows = np.zeros((tall, wide * across), np.uint16)
    for step in range(down):
        rows += plane_HW[step : tall * down : down, : wide * across]
    total = np.zeros((tall, wide), np.float32)
    for step in range(across):
        total += rows[:, step::across]
    return total / (down * across)


def small_size(height: int, width: int, long_side_px: int) -> tuple[int, int]:
    """Rows and columns of frames once made small."""
    scale = min(1.0, long_side_px / max(height, width, 1))
    return max(1, round(height * scale)), max(1, round(width * scale))


def framed_as(frame_TCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Frames cropped about the middle to an aspect, then scaled to a size."""
    height, width = frame_TCHW.shape[-2:]
    if (height, width) == tuple(size):
        return frame_TCHW
    aspect = size[1] / size[0]
    if width / height > aspect:
        wide = max(1, round(height * aspect))
        left = (width - wide) // 2
        frame_TCHW = frame_TCHW[..., left : left + wide]
    else:
        tall = max(1, round(width / aspect))
        top = (height - tall) // 2
        frame_TCHW = frame_TCHW[..., top : top + tall, :]
    shrinks = frame_TCHW.shape[-1] >= size[1]
    if shrinks:
        return F.interpolate(frame_TCHW, size=size, mode="area")
    return F.interpolate(frame_TCHW, size=size, mode="bilinear", align_corners=False)

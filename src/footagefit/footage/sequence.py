"""Image sequences and single pictures: EXR, DPX, TIFF, PNG, JPEG by frame number."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from footagefit.errors import (
    FootagefitWarning,
    FrameMismatch,
    MissingFrames,
    UnknownName,
    UnreadableClip,
    UnreadableFrame,
)
from footagefit.footage import alpha, channels, colour, picture, tags
from footagefit.footage.clip import Clip
from footagefit.footage.pattern import Pattern, ranges
from footagefit.footage.picture import Part, PictureFile
from footagefit.records import Box, ClipInfo, Frames, Native

if TYPE_CHECKING:
    from torch import Tensor

Missing = Literal["error", "hold", "black"]


class SequenceClip(Clip):
    """Pictures that are frames of one clip.

    Args:
        files: Path of each frame, by number; what `Pattern.on_disk` finds.
        pattern: How they are named; None for one picture without a number.
        space: Colour space of the stored pixels, or `auto` where the header is certain.
        layer: Which layer's R, G, B to read; empty for the picture's own.
        missing: What a gap reads as: `error`, `hold` (the last frame before it) or `black`.
        rate: Frames a second, where the header does not say.
    """

    def __init__(
        self,
        files: dict[int, Path],
        *,
        pattern: Pattern | None = None,
        space: str = "auto",
        layer: str = "",
        missing: Missing = "error",
        rate: Fraction | None = None,
    ) -> None:
        self._files = dict(sorted(files.items()))
        self._missing = missing
        self._layer = layer
        headers = self._headers()
        first = next(iter(headers))
        self._parts = headers[first]
        self._main = channels.main_part(self._parts, layer, self._files[first])
        self._rgb = channels.colour_channels(self._parts[self._main], layer, self._files[first])
        self.info = self._describe(headers, pattern, space, rate)

    def _headers(self) -> dict[int, list[Part]]:
        """Headers of the frames that set the raster: all of an EXR sequence, else the first.

        Broken files are left for `read` to report by number; here one good frame is enough.
        """
        numbers = list(self._files)
        exr = self._files[numbers[0]].suffix.lower() == ".exr"
        found: dict[int, list[Part]] = {}
        broken: UnreadableFrame | None = None
        for number in numbers:
            try:
                found[number] = picture.parts(self._files[number], frame=number)
            except UnreadableFrame as error:
                broken = broken or error
                continue
            if not exr:
                break
        if not found and broken is not None:
            raise UnreadableClip(
                broken.what, path=self._files[numbers[0]], hint=broken.hint
            ) from broken
        return found

    def _describe(
        self,
        headers: dict[int, list[Part]],
        pattern: Pattern | None,
        space: str,
        rate: Fraction | None,
    ) -> ClipInfo:
        numbers = list(self._files)
        part = self._parts[self._main]
        raster = part.display
        for parts in headers.values():
            if len(parts) > self._main and parts[self._main].display == part.display:
                raster = raster.union(parts[self._main].data)
        path = Path(str(pattern)) if pattern is not None else self._files[numbers[0]]
        asked = pattern.frames if pattern is not None and pattern.frames else tuple(numbers)
        expected = range(asked[0], asked[-1] + 1)
        first = next(iter(self._files.values()))
        return ClipInfo(
            path=path,
            raster=raster,
            display=part.display,
            data=part.data,
            first_frame=expected[0],
            length=len(expected),
            rate=rate or tags.rate_of(part),
            sample=channels.sample_of(part, self._rgb),
            space=tags.space_of(first, part) if space == "auto" else colour.resolve(space),
            timecode=tags.timecode_of(part),
            pixel_aspect=float(part.value("PixelAspectRatio", 1.0)) or 1.0,
            channels=tuple(name for p in self._parts for name in p.channels),
            layers=channels.layers(self._parts),
            alpha=self._rgb.alpha is not None,
            missing=tuple(n for n in expected if n not in self._files),
            codec=first.suffix.lower().lstrip("."),
            metadata=tags.common(part),
        )

    def read(self, frames: Sequence[int]) -> Frames:
        """Scene-linear ACEScg pixels, premultiplied; gaps as the `missing` policy says."""
        import torch  # here: a scan looks at stored values and never needs it

        self.require(frames)
        if len(frames) == 1 and (plain := self._read_plain(frames[0])) is not None:
            return plain
        raster = self.info.raster
        rgb = np.zeros((len(frames), raster.height, raster.width, 3), np.float32)
        coverage = (
            np.zeros((len(frames), 1, raster.height, raster.width), np.float32)
            if self.info.alpha
            else None
        )
        for slot, frame in enumerate(frames):
            source = self._source(frame)
            if source is not None:
                self._read_into(source, rgb[slot], None if coverage is None else coverage[slot, 0])
        return Frames(
            torch.from_numpy(rgb).permute(0, 3, 1, 2),
            None if coverage is None else torch.from_numpy(coverage),
            tuple(frames),
        )

    def _read_plain(self, frame: int) -> Frames | None:
        """One frame of three channels that fills the raster, converted where it was decoded."""
        import torch

        whole = self.info.data == self.info.raster and not self.info.alpha
        source = self._source(frame) if whole and self._rgb.indices == [0, 1, 2] else None
        if source is None:
            return None
        part, pixels = self._decoded(source)
        if len(part.stored) != 3 or part.data != self.info.raster:
            return None
        self._count_odd(pixels, source)
        colour.to_working(pixels, self.info.space)
        return Frames(torch.from_numpy(pixels)[None].permute(0, 3, 1, 2), None, (frame,))

    def _read_into(self, frame: int, rgb: np.ndarray, coverage: np.ndarray | None) -> None:
        part, stored = self._decoded(frame)
        rows, columns = part.data.inside(self.info.raster)
        target = rgb[rows, columns]
        low = self._rgb.indices[0]
        in_a_row = self._rgb.indices == [low, low + 1, low + 2]
        picked = stored[..., low : low + 3] if in_a_row else stored[..., self._rgb.indices]
        whole = target.shape == rgb.shape
        pixels = rgb if whole else np.empty(target.shape, np.float32)
        pixels[:] = picked
        self._count_odd(pixels, frame)
        a = None if self._rgb.alpha is None else stored[..., self._rgb.alpha]
        if a is not None and not self._straight:
            alpha.divide(pixels, a)
        colour.to_working(pixels, self.info.space)
        if a is not None and coverage is not None:
            alpha.multiply(pixels, a)
            coverage[rows, columns] = a
        if not whole:
            target[:] = pixels

    def _decoded(self, frame: int) -> tuple[Part, np.ndarray]:
        """The main part's pixels as float: 0..1 for integer codes."""
        with PictureFile(self._files[frame], frame=frame) as opened:
            part = self._checked(opened.parts, frame)
            bits = {"uint10": 10, "uint12": 12}.get(part.formats[0])
            if bits is None:
                return part, opened.pixels(part, dtype="float")
            codes = opened.pixels(part) >> (16 - bits)
        return part, codes.astype(np.float32) / np.float32((1 << bits) - 1)

    def _checked(self, parts: list[Part], frame: int) -> Part:
        """The main part of a frame, unless it is unlike the sequence's."""
        first = self._parts[self._main]
        part = parts[self._main] if len(parts) > self._main else parts[0]
        if part.display[2:] != first.display[2:] or not self.info.raster.holds(part.data):
            size = f"{part.display.width}x{part.display.height}"
            raise FrameMismatch(
                f"{size} in a sequence of {first.display.width}x{first.display.height}",
                path=self._files[frame],
                frame=frame,
                hint="Render it again at that size, or leave it out with frames=",
            )
        if part.stored != first.stored:
            raise FrameMismatch(
                f"channels {', '.join(part.stored)} where the sequence has "
                f"{', '.join(first.stored)}",
                path=self._files[frame],
                frame=frame,
                hint="Render it again with the same channels, or leave it out with frames=",
            )
        return part

    def _source(self, frame: int) -> int | None:
        """The frame that stands for `frame`: itself, one held, or None for black."""
        if frame in self._files:
            return frame
        if self._missing == "black":
            return None
        before = [n for n in self._files if n < frame]
        if self._missing == "hold" and before:
            return before[-1]
        raise MissingFrames(
            f"no such file; missing: {ranges(self.info.missing)}",
            path=self.info.path,
            frame=frame,
            hint="Bring the frames, or say missing=hold or missing=black",
        )

    def _count_odd(self, pixels: np.ndarray, frame: int, *, planar: bool = False) -> None:
        """Report NaN and Inf pixels; they stay where they are."""
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(pixels.sum(dtype=np.float32)):
                return
        axis = 0 if planar else -1
        nan, inf = int(np.isnan(pixels).any(axis).sum()), int(np.isinf(pixels).any(axis).sum())
        if nan or inf:
            warnings.warn(
                FootagefitWarning(
                    f"{self._files[frame]}, frame {frame}: {nan} NaN and {inf} Inf pixels, kept"
                ),
                stacklevel=4,
            )

    def data(self, frames: Sequence[int], layer: str) -> Tensor:
        """Values of a layer or channel (T,C,H,W), never colour-converted; 0 outside its window."""
        import torch

        self.require(frames)
        index, picks = channels.find(self._parts, layer, self.info)
        raster = self.info.raster
        out = np.zeros((len(frames), len(picks), raster.height, raster.width), np.float32)
        for slot, frame in enumerate(frames):
            source = self._source(frame)
            if source is None:
                continue
            path = self._files[source]
            with PictureFile(path, frame=source) as opened:
                if len(opened.parts) <= index or max(picks) >= len(opened.parts[index].stored):
                    raise UnknownName("layer", layer, channels.layers(opened.parts), path=path)
                part = opened.parts[index]
                stored = opened.pixels(part, dtype="float")[..., picks]
            overlap(part.data, raster, stored, out[slot])
        return torch.from_numpy(out)

    def native(self, frame: int) -> Native:
        """The stored code values of one frame, every part."""
        self.require([frame])
        source = self._source(frame)
        if source is None:
            raise MissingFrames("no stored values for a black frame", path=self.info.path)
        path = self._files[source]
        with PictureFile(path, frame=source) as opened:
            natives = [_native(opened, part) for part in opened.parts]
        main = min(self._main, len(natives) - 1)
        others = tuple(n for i, n in enumerate(natives) if i != main)
        picks = [*self._rgb.indices, *([] if self._rgb.alpha is None else [self._rgb.alpha])]
        names = tuple(natives[main].channels[i] for i in picks)
        attributes = {**natives[main].attributes, "colour": names}
        return replace(natives[main], others=others, position=main, attributes=attributes)

    def of_stored(self, native: Native, frame: int) -> Frames:
        """What `read` gives, to the bit, without decoding an EXR frame a second time."""
        import torch

        plane, first = native.planes[0], self._parts[self._main]
        raster, picks = self.info.raster, self._rgb
        alike = native.channels == first.stored and raster.holds(native.data)
        alike = alike and native.attributes.get("display") == first.display
        if not alike or self.info.codec != "exr" or plane.dtype not in (np.float16, np.float32):
            return self.read([frame])
        stored = torch.from_numpy(plane)
        low = picks.indices[0]
        in_a_row = picks.indices == [low, low + 1, low + 2]
        colours = stored[..., low : low + 3] if in_a_row else stored[..., picks.indices]
        plain = native.data == raster and picks.alpha is None
        if plain and colour.same(self.info.space, colour.WORKING):
            planar = torch.contiguous_format
            rgb_CHW = colours.permute(2, 0, 1).to(torch.float32, memory_format=planar)
            self._count_odd(rgb_CHW.numpy(), frame, planar=True)
            return Frames(rgb_CHW[None], None, (frame,))
        # A copy: floats are converted where they lie, and stored values stay what they are.
        pixels = torch.empty(colours.shape).copy_(colours).numpy()
        a = None if picks.alpha is None else stored[..., picks.alpha].float().numpy()
        return self._placed(pixels, a, native.data, frame)

    def _placed(self, pixels: np.ndarray, a: np.ndarray | None, data: Box, frame: int) -> Frames:
        """Stored colour (H,W,3) over a data window as working pixels over the raster."""
        import torch

        raster = self.info.raster
        self._count_odd(pixels, frame)
        if a is not None and not self._straight:
            alpha.divide(pixels, a)
        colour.to_working(pixels, self.info.space)
        if a is not None:
            alpha.multiply(pixels, a)
        if data != raster:
            rows, columns = data.inside(raster)
            whole = np.zeros((raster.height, raster.width, 3), np.float32)
            whole[rows, columns] = pixels
            pixels = whole
            if a is not None:
                covered = np.zeros((raster.height, raster.width), np.float32)
                covered[rows, columns] = a
                a = covered
        rgb = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
        return Frames(rgb, None if a is None else torch.from_numpy(a)[None, None], (frame,))

    def path_of(self, frame: int) -> Path:
        """The file of one frame."""
        return self._files[frame]

    @property
    def _straight(self) -> bool:
        """Whether the files hold straight (not premultiplied) colour."""
        part = self._parts[self._main]
        return part.value("oiio:UnassociatedAlpha", 0) == 1 or self.info.codec == "png"


def _native(opened: PictureFile, part: Part) -> Native:
    return Native(
        planes=(opened.pixels(part),),
        layout="interleaved",
        channels=part.stored,
        sample=part.formats[0] if len(set(part.formats)) == 1 else ",".join(part.formats),
        data=part.data,
        attributes={"display": part.display, "header": part.attributes},
    )


def overlap(window: Box, raster: Box, stored_HWC: np.ndarray, out_CHW: np.ndarray) -> None:
    """Copy the part of `window` that lies in `raster`."""
    x0, y0 = max(window.x, raster.x), max(window.y, raster.y)
    x1 = min(window.x + window.width, raster.x + raster.width)
    y1 = min(window.y + window.height, raster.y + raster.height)
    if x1 <= x0 or y1 <= y0:
        return
    box = Box(x0, y0, x1 - x0, y1 - y0)
    rows, columns = box.inside(raster)
    from_rows, from_columns = box.inside(window)
    out_CHW[:, rows, columns] = stored_HWC[from_rows, from_columns].transpose(2, 0, 1)

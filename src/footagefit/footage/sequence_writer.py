"""Image sequences and single pictures out: EXR, DPX, TIFF, PNG, JPEG, encoded in threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import AlreadyThere, WriteError, WrongValue
from footagefit.footage import alpha as coverage
from footagefit.footage import colour, header, picture
from footagefit.footage.manifest import Manifest, job_of, manifest_path
from footagefit.footage.pattern import Pattern
from footagefit.footage.writing import Entry, Existing, OutputForm, Writer
from footagefit.records import Box, ClipInfo, Native

_MAX_THREADS = 8


class SequenceWriter(Writer):
    """Pictures by frame number; see `open_writer` for the arguments."""

    def __init__(
        self,
        path: Path,
        *,
        pattern: Pattern | None,
        form: OutputForm,
        info: ClipInfo,
        existing: Existing = "resume",
        source: Path | None = None,
        threads: int | None = None,
        job: Mapping[str, object] | None = None,
        part: str = "",
    ) -> None:
        self.form, self._info, self._existing = form, info, existing
        self._path, self._pattern, self._source = path, pattern, source
        self._single: int | None = None
        if not path.parent.is_dir():
            raise WriteError("the folder does not exist", path=path.parent, hint="Make it first")
        whole = job_of(path, form, source or info.path, job)
        self._manifest = Manifest(manifest_path(path), whole, part=part)
        picture.clear_abandoned(path.parent)
        count = threads or min(_MAX_THREADS, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(max_workers=count)
        self._slots = threading.BoundedSemaphore(2 * count)
        self._pending: list[Future[None]] = []

    def file(self, number: int) -> Path:
        """Where a frame goes."""
        if self._pattern is not None:
            return self._pattern.path(number)
        if self._single not in (None, number):
            raise WrongValue(
                "one file for several frames", path=self._path, hint="Put #### into its name"
            )
        self._single = number
        return self._path

    def has(self, number: int) -> bool:
        """Whether the frame is there and stays; raises where that was not asked for."""
        file = self.file(number)
        if not file.exists() or self._existing == "replace":
            return False
        if self._existing == "skip":
            return True
        if self._existing == "resume":
            if self._manifest.done(file):
                return True
            if self._manifest.begun(file):
                return False
        raise AlreadyThere(
            "is there already and is not this job's",
            path=file,
            frame=number,
            hint="Say existing=replace or existing=skip, or choose another out=",
        )

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
        """Store one frame, in a thread of its own; a full queue waits."""
        if self.has(number):
            return
        self._raise_failed()
        self._slots.acquire()
        arrays = (
            None if rgb_CHW is None else rgb_CHW.detach().cpu().permute(1, 2, 0).numpy(),
            None if alpha_1HW is None else alpha_1HW[0].detach().cpu().numpy(),
            None if keep_HW is None else keep_HW.detach().cpu().numpy().astype(bool),
            {k: v.detach().cpu().permute(1, 2, 0).numpy() for k, v in (layers or {}).items()},
        )
        job = self._threads.submit(self._encode, number, arrays, native, dict(entries or {}))
        self._pending.append(job)

    def _encode(
        self,
        number: int,
        arrays: tuple[Any, ...],
        native: Native | None,
        entries: Mapping[str, Entry],
    ) -> None:
        rgb_HWC, alpha_HW, keep_HW, layers = arrays
        try:
            file = self.file(number)
            frame = _Frame(self.form, self._info, number, file)
            if rgb_HWC is None:
                if native is None:
                    raise WriteError("nothing to write", path=file, frame=number)
                planes = frame.through(native)
            else:
                planes = frame.planes(rgb_HWC, alpha_HW, native, keep_HW, layers)
            if frame.exr:
                main = native.position if native is not None and len(planes) > 1 else 0
                for name, value in entries.items():
                    planes[main][0].attribute(name, value)
            self._manifest.begin(file)
            picture.write(file, planes, frame=number)
            self._manifest.finish_file(file, frame=number, source=self._source)
        finally:
            self._slots.release()

    def _raise_failed(self) -> None:
        still = []
        for future in self._pending:
            if future.done():
                future.result()
            else:
                still.append(future)
        self._pending = still

    def close(self) -> None:
        """Wait for every frame, then write the manifest."""
        self._threads.shutdown(wait=True)
        self._raise_failed()
        self._manifest.finish()

    def abort(self) -> None:
        """Let frames under way finish; the journal stays, so that the job can go on."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class _Frame:
    """One frame's pixels and headers, made ready for `picture.write`."""

    def __init__(self, form: OutputForm, info: ClipInfo, number: int, file: Path) -> None:
        self.form, self.info, self.number, self.file = form, info, number, file
        self.exr = file.suffix.lower() == ".exr"
        self.headers = header.Headers(form, info, number, file.suffix)

    def through(self, native: Native) -> list[tuple[Any, np.ndarray]]:
        """The source's stored values as they are, every part."""
        natives = self._ordered(native)
        return [(self.headers.through(part), part.planes[0]) for part in natives]

    def planes(
        self,
        rgb_HWC: np.ndarray,
        alpha_HW: np.ndarray | None,
        native: Native | None,
        keep_HW: np.ndarray | None,
        layers: Mapping[str, np.ndarray],
    ) -> list[tuple[Any, np.ndarray]]:
        """Colour converted and quantised, kept values put back, layers beside it."""
        same_type = native is not None and native.layout == "interleaved" and self.exr
        window = native.data if native is not None and same_type else self.info.raster
        window = window if self.exr else self.info.display
        rows, columns = _cut(window, self.info.raster)
        a = None if alpha_HW is None else alpha_HW[rows, columns]
        straight = self.file.suffix.lower() in header.STRAIGHT
        if colour.same(self.form.space, colour.WORKING) and (a is None or not straight):
            rgb = rgb_HWC[rows, columns]  # as it is stored, and not touched
        else:
            rgb = np.array(rgb_HWC[rows, columns], dtype=np.float32, order="C")
            self._to_stored(rgb, a)
        sources = header.colour_names(native)
        names = header.written_names(native if same_type else None, alpha=a is not None)
        values = [rgb[..., 0], rgb[..., 1], rgb[..., 2], *([] if a is None else [a])]
        for layer, extra in layers.items():
            names += _suffixes(layer, extra.shape[-1])
            values += list(np.moveaxis(extra[rows, columns], -1, 0))
        stored = [self._quantised(v) for v in values]
        if native is not None and keep_HW is not None:
            self._put_back(stored, sources, native, keep_HW[rows, columns])
        main = self._main(names, stored, native if same_type else None, window)
        if native is None or not same_type or not native.others:
            return [main]
        others = [(self.headers.through(part), part.planes[0]) for part in native.others]
        return [*others[: native.position], main, *others[native.position :]]

    def _to_stored(self, rgb: np.ndarray, a: np.ndarray | None) -> None:
        linear = colour.encoding(self.form.space) == "scene-linear"
        straight = self.file.suffix.lower() in header.STRAIGHT
        if a is not None and (straight or not linear):
            coverage.divide(rgb, a)
        colour.from_working(rgb, self.form.space)
        if a is not None and not straight and not linear:
            coverage.multiply(rgb, a)

    def _quantised(self, values: np.ndarray) -> np.ndarray:
        depth = self.form.depth
        if depth == "float":
            return values.astype(np.float32)
        if depth == "half":
            return torch.from_numpy(values).half().numpy()  # as numpy's, several times faster
        bits = int(depth)
        top = (1 << bits) - 1
        codes = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0).clip(0.0, 1.0)
        codes = (codes * np.float32(top) + np.float32(0.5)).astype(np.uint16)
        if bits == 8:
            return codes.astype(np.uint8)
        # 10 and 12 bits travel in 16 by repeating the top bits, which OpenImageIO undoes exactly.
        return codes if bits == 16 else (codes << (16 - bits)) | (codes >> (2 * bits - 16))

    def _put_back(
        self,
        stored: list[np.ndarray],
        sources: tuple[str, ...],
        native: Native,
        keep: np.ndarray,
    ) -> None:
        """Where `keep` is true the source's stored values stand, bit for bit."""
        if not header.exact(native, self.form, self.info, self.file) and not header.comparable(
            native, self.form, self.info
        ):
            return
        plane = native.planes[0]
        if plane.shape[:2] != keep.shape or native.layout != "interleaved":
            return
        for name, values in zip(sources, stored, strict=False):
            source = plane[..., native.channels.index(name)]
            values[keep] = source.astype(values.dtype)[keep]

    def _main(
        self, names: list[str], stored: list[np.ndarray], native: Native | None, window: Box
    ) -> tuple[Any, np.ndarray]:
        if native is not None:  # layers and channels that were not touched pass through
            plane = native.planes[0]
            formats = header.formats_of(native)
            passing = set(native.channels) - set(names) - set(header.colour_names(native))
            for i, name in enumerate(native.channels):
                if name in passing:
                    names.append(name)
                    stored.append(plane[..., i].astype(header.DTYPES[formats[i]]))
        spec = self.headers.made(names, stored, native, window)
        kinds = {array.dtype for array in stored}
        dtype = stored[0].dtype if len(kinds) == 1 else np.dtype(np.float32)
        return spec, np.stack([array.astype(dtype, copy=False) for array in stored], axis=-1)

    def _ordered(self, native: Native) -> list[Native]:
        others = list(native.others)
        return [*others[: native.position], native, *others[native.position :]]


def _cut(window: Box, raster: Box) -> tuple[slice, slice]:
    if not raster.holds(window):
        raise WrongValue(f"window {tuple(window)} outside the raster {tuple(raster)}")
    return window.inside(raster)


def _suffixes(layer: str, count: int) -> list[str]:
    if count == 1:
        return [layer]
    letters = {2: "uv", 3: "RGB", 4: "RGBA"}.get(count)
    if letters is None:
        return [f"{layer}.{i}" for i in range(count)]
    return [f"{layer}.{letter}" for letter in letters]

"""Reading footage: ours beside bare OpenImageIO, PyAV and decord, in one run.

    python benchmarks/footage.py
    python benchmarks/footage.py --quick --json footage.json

Native reads hand over stored code values; converted reads are scene-linear ACEScg float32. The
bare converted baseline decodes to float and runs the same OpenColorIO processor in two bands.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenImageIO as oiio
import PyOpenColorIO as ocio
import torch
from rows import Row, arguments, medians, show

import footagefit
from footagefit.footage import colour, yuv
from footagefit.records import Box, ClipInfo

LIMIT = 1.15
FRAMES = 24


def main() -> None:
    options = arguments(__doc__ or "")
    warnings.simplefilter("ignore")
    size = (180, 320) if options.quick else (1080, 1920)
    rounds = 3 if options.quick else 9
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder), size)
        rows = [
            row for form in ("none", "zip", "piz") for row in pictures(made[form], form, rounds)
        ]
        rows += movies(made["prores"], "ProRes 422 HQ 10-bit", rounds)
        rows += movies(made["h264"], "H.264 8-bit", rounds)
        rows += proxies(made["h264"], rounds)
        (Path(folder) / "small").mkdir()
        rows += memory(make(Path(folder) / "small", (270, 480)), 300 if options.quick else 10_000)
    show(f"Reading, {size[1]}x{size[0]}, median of {rounds} turns", rows, options.json)


def make(folder: Path, size: tuple[int, int]) -> dict[str, Path]:
    """Footage with grain: noise over gradients, so that codecs have work to do."""
    height, width = size
    box = Box(0, 0, width, height)
    info = ClipInfo(
        path=Path("made"), raster=box, display=box, data=box, first_frame=1, length=FRAMES,
        rate=Fraction(24), sample="half", space="ACEScg",
    )  # fmt: skip
    paths = {c: folder / f"{c}.####.exr" for c in ("none", "zip", "piz")}
    paths |= {"prores": folder / "p.mov", "h264": folder / "h.mp4"}
    forms = {c: footagefit.OutputForm(compression=c, depth="half") for c in ("none", "zip", "piz")}
    forms["prores"] = footagefit.OutputForm(codec="prores_hq", space="acescct")
    forms["h264"] = footagefit.OutputForm(codec="h264", space="g24_rec709")
    for name, path in paths.items():
        with footagefit.open_writer(path, info=info, form=forms[name]) as out:
            for number in range(1, FRAMES + 1):
                out.write(number, frame(number, height, width))
    return paths


def frame(number: int, height: int, width: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(number)
    ramp = torch.linspace(0.05, 0.8, width).expand(3, height, width)
    return ramp * torch.exp2(0.15 * torch.randn(3, height, width, generator=rng))


def row(metric: str, seconds: dict[str, float]) -> Row:
    """Ours over the bare library, as a ratio."""
    ratio = seconds["ours"] / seconds["bare"]
    times = {"bare ms": seconds["bare"] * 1e3, "ours ms": seconds["ours"] * 1e3}
    return Row(metric, "x bare", ratio, times, f"<= {LIMIT}", ratio <= LIMIT)


class Bands:
    """The baseline's colour: the same processor, in two bands."""

    def __init__(self, space: str) -> None:
        self.processor = colour._processor(colour.source(), colour.resolve(space), "ACEScg")
        self.pool = ThreadPoolExecutor(2)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        half = pixels.shape[0] // 2

        def band(part: np.ndarray) -> None:
            height, width, _ = part.shape
            self.processor.apply(ocio.PackedImageDesc(part, width, height, 3))

        list(self.pool.map(band, (pixels[:half], pixels[half:])))
        return pixels


def turns(read: Callable[[int], object]) -> Callable[[], object]:
    """Call `read` with the next frame each time, so that nothing is read twice in a row."""
    state = {"at": 0}

    def step() -> object:
        state["at"] = state["at"] % FRAMES + 1
        return read(state["at"])

    return step


def pictures(path: Path, compression: str, rounds: int) -> list[Row]:
    clip = footagefit.open_clip(path, space="arri_logc4")
    bands = Bands("arri_logc4")

    def bare(kind: str, number: int) -> np.ndarray:
        opened = oiio.ImageInput.open(str(path).replace("####", f"{number:04d}"))
        return opened.read_image(0, 0, 0, 3, kind)

    native = medians(
        {"bare": turns(lambda n: bare("half", n)), "ours": turns(clip.native)}, rounds=rounds
    )
    converted = medians(
        {
            "bare": turns(lambda n: bands(bare("float", n))),
            "ours": turns(lambda n: clip.read([n])),
        },
        rounds=rounds,
    )
    return [
        row(f"EXR half {compression}, native", native),
        row(f"EXR half {compression}, converted", converted),
    ]


def movies(path: Path, what: str, rounds: int) -> list[Row]:
    bands = Bands("arri_logc4")

    def decode(each: Callable[[av.VideoFrame], object]) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for picture in container.decode(stream):
                each(picture)

    def planes(picture: av.VideoFrame) -> object:
        form = yuv.plane_format(picture.format.name)
        return picture.to_ndarray() if form is None else yuv.planes_of(picture, form)

    def to_float(picture: av.VideoFrame) -> object:
        codes = picture.to_ndarray(format="rgb48le")
        return bands(codes.astype(np.float32) * np.float32(1 / 65535))

    def ours(how: str) -> None:
        with footagefit.open_clip(path, space="arri_logc4", start=1) as clip:
            for number in clip.numbers:
                clip.native(number) if how == "native" else clip.read([number])

    turns_ = max(3, rounds // 3)
    native = medians(
        {"bare": lambda: decode(planes), "ours": lambda: ours("native")}, rounds=turns_
    )
    converted = medians(
        {"bare": lambda: decode(to_float), "ours": lambda: ours("read")}, rounds=turns_
    )
    return [row(f"{what}, native", native), row(f"{what}, converted", converted)]


def proxies(path: Path, rounds: int) -> list[Row]:
    import decord

    bands = Bands("arri_logc4")

    def bare() -> None:
        reader = decord.VideoReader(str(path), num_threads=0)
        for index in range(len(reader)):
            bands(reader[index].asnumpy().astype(np.float32) * np.float32(1 / 255))

    def ours() -> None:
        with footagefit.open_clip(path, space="arri_logc4", reader="decord", start=1) as clip:
            for number in clip.numbers:
                clip.read([number])

    seconds = medians({"bare": bare, "ours": ours}, rounds=max(3, rounds // 3))
    return [row("H.264 8-bit by decord, converted", seconds)]


def memory(made: dict[str, Path], reads: int) -> list[Row]:
    """Growth of resident memory over many reads of a quarter-HD clip, after warming up."""
    rows = []
    for name in ("zip", "h264"):
        clip = footagefit.open_clip(made[name], space="acescct")
        small = clip.numbers[:8]
        for number in small * 4:
            clip.native(number)
        before = resident_mib()
        for index in range(reads):
            clip.native(small[index % len(small)])
        growth = resident_mib() - before
        what = f"memory after {reads:,} reads, {'EXR' if name == 'zip' else 'movie'}"
        rows.append(Row(what, "MiB grown", growth, {}, "<= 64", growth <= 64))
        clip.close()
    return rows


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()

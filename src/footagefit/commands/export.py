"""`footagefit export`: hand a fit to other people's tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.rendering.fits import Fit

DESTINATIONS = ("nuke", "flame", "onnx", "lut", "cdl", "lora", "comfyui", "merged")
_LEARNT = ("lora", "comfyui", "merged")  # of diffusion fits: weights, for other people's trainers
_REFERENCE_FRAMES = 4  # most frames of a reference clip that are looked at, as when rendering
_PLATE_FRAMES = 5


@dataclass(frozen=True)
class _Frames:
    """Frames of a clip to look at, as the command line names them."""

    path: Path
    frames: str | None
    space: str


def export(
    *,
    fit: Path,
    to: str,
    out: Path,
    bases: Sequence[str],
    reference: Path | None,
    reference_frames: str | None,
    reference_space: str,
    plate: Path | None,
    frames: str | None,
    space: str,
    strength: float,
    primaries: str,
    log_space: str,
    lut_size: int,
    existing: Literal["error", "replace"],
) -> int:
    """Write `out` for `to`; see configs/export.yaml for each key."""
    replace = existing == "replace"
    _refuse_early(to, out, replace, plate, log_space, lut_size)
    place = _place_of(primaries)
    from footagefit.export.baked import field_of, need_reference
    from footagefit.rendering.fits import load_fit

    loaded = load_fit(fit, bases=bases)
    if to in _LEARNT:
        return _learnt(loaded, to, out, replace)
    field_of(loaded, to)
    loaded.task.checked({"strength": strength})
    asked = _Frames(reference, reference_frames, reference_space) if reference else None
    beside, named = _read(asked, _REFERENCE_FRAMES)
    if beside is not None:
        beside = beside.nan_to_num(0.0, 65504.0, -1.0)
    beside = need_reference(loaded, beside, to)
    shot = _Frames(plate, frames, space) if plate else None
    record = _record(loaded, named, strength)
    if to in ("lut", "cdl"):
        record = _map_of_colours(
            loaded, to, out, shot, beside, record, strength, log_space, lut_size, replace
        )
    else:
        record = _model(loaded, to, out, shot, beside, record, strength, place, replace)
    _say(to, out, record)
    return 0


def _refuse_early(
    to: str,
    out: Path,
    replace: bool,
    plate: Path | None,
    log_space: str,
    lut_size: int,
) -> None:
    """What can be said before anything is read."""
    if to not in DESTINATIONS:
        raise UnknownName("destination", to, DESTINATIONS)
    from footagefit.export.placing import check_place

    if to in _LEARNT:
        check_place(out, suffixes=() if to == "merged" else (".safetensors",), replace=replace)
        return
    if to in ("lut", "cdl"):
        from footagefit.export import cdl, lut, matched

        check_place(out, suffixes=lut.SUFFIXES if to == "lut" else cdl.SUFFIXES, replace=replace)
        if plate is None:
            raise UsageError(
                f"to={to} is one map of colours, made for one shot, and no plate was given",
                hint="Say plate=shot.####.exr",
            )
        matched.log_space(log_space)
        if to == "lut":
            lut.check_size(lut_size)
        return
    if to != "nuke":
        from footagefit.export.onnx_file import SUFFIXES, need_onnx

        need_onnx()
        if to == "onnx":
            check_place(out, suffixes=SUFFIXES, replace=replace)
            return
    check_place(out, replace=replace)


def _learnt(fit: Fit, to: str, out: Path, replace: bool) -> int:
    """A diffusion fit's LoRA as a file, or its base with all that was learnt in it."""
    from footagefit.export.lora import export_lora, export_merged

    record = _record(fit, "", 1.0)
    if to == "merged":
        record = export_merged(fit, out, record=record, replace=replace)
    else:
        keys = "diffusers" if to == "lora" else "comfyui"
        record = export_lora(fit, out, keys=keys, record=record, replace=replace)
    _say(to, out, record)
    return 0


def _model(
    fit: Fit,
    to: str,
    out: Path,
    shot: _Frames | None,
    reference_RCHW: Tensor,
    record: dict[str, Any],
    strength: float,
    primaries: int,
    replace: bool,
) -> dict[str, Any]:
    from footagefit.export.baked import baked, shot_look

    bake = baked(fit, to=to, reference_RCHW=reference_RCHW, strength=strength)
    if shot is not None:
        plates, named = _read(shot, _PLATE_FRAMES, straight=True)
        look = shot_look(fit, list(_there(plates)), reference_RCHW, to=to)
        bake, record = bake.locked_to(look), {**record, "plate": named}
    if to == "nuke":
        from footagefit.export.nuke import export_nuke

        return export_nuke(
            fit, bake, out, reference_RCHW=reference_RCHW, record=record, replace=replace
        )
    from footagefit.export.flame import export_flame
    from footagefit.export.onnx_file import export_onnx

    write = export_flame if to == "flame" else export_onnx
    return write(
        fit,
        bake,
        out,
        reference_RCHW=reference_RCHW,
        record=record,
        primaries=primaries,
        replace=replace,
    )


def _map_of_colours(
    fit: Fit,
    to: str,
    out: Path,
    shot: _Frames | None,
    reference_RCHW: Tensor,
    record: dict[str, Any],
    strength: float,
    log_space: str,
    lut_size: int,
    replace: bool,
) -> dict[str, Any]:
    from footagefit.export.cdl import export_cdl
    from footagefit.export.lut import export_lut
    from footagefit.export.matched import matched

    plates, named = _read(shot, _PLATE_FRAMES, straight=True)
    match = matched(fit, list(_there(plates)), reference_RCHW, to=to, strength=strength)
    record = {**record, "plate": named}
    if to == "lut":
        return export_lut(
            match, out, space=log_space, size=lut_size, record=record, replace=replace
        )
    return export_cdl(match, out, space=log_space, record=record, replace=replace)


def _read(
    asked: _Frames | None, count: int, *, straight: bool = False
) -> tuple[Tensor | None, str]:
    """Frames (N,3,H,W) of a clip, evenly over it or as asked, and what they are called."""
    if asked is None:
        return None, ""
    import torch

    from footagefit.footage.opening import open_clip
    from footagefit.footage.pattern import numbers, ranges

    with open_clip(asked.path, space=asked.space) as clip:
        if asked.frames is not None:
            wanted = sorted(set(numbers(asked.frames)))
            clip.require(wanted)
        else:
            there = clip.numbers
            step = max(1.0, len(there) / count)
            wanted = [there[int((i + 0.5) * step)] for i in range(min(count, len(there)))]
        read = clip.read(wanted)
    rgb, alpha = read.rgb_TCHW, read.alpha_T1HW
    if alpha is not None and straight:
        rgb = rgb / torch.where(alpha == 0, 1.0, alpha)
    return rgb, f"{asked.path.name} {ranges(wanted)}"


def _there(plates: Tensor | None) -> Tensor:
    if plates is None:
        raise UsageError("no plate was given", hint="Say plate=shot.####.exr")
    return plates


def _place_of(primaries: str) -> int:
    """The place of a linear space among those that exported models know."""
    from footagefit.export.baked import known_primaries

    known = known_primaries()
    for place, name in enumerate(known):
        if name.lower().removeprefix("linear ") == primaries.lower().removeprefix("linear "):
            return place
    raise UnknownName("primaries", primaries, known)


def _record(fit: Fit, reference: str, strength: float) -> dict[str, Any]:
    from footagefit import __version__

    return {
        "task": fit.task.spec.name,
        "model": fit.recipe.model.name,
        "fit": fit.hash,
        "reference": reference,
        "strength": strength,
        "footagefit": __version__,
    }


def _say(to: str, out: Path, record: Mapping[str, Any]) -> None:
    print(f"{out}: {record['task']} for {to}, beside {record['reference'] or 'no reference'}")
    if "residual" in record:
        left = record["residual"]
        print(
            f"{record['space']}: {left['rms_stops']:.4f} stops rms from the full look, 95% under "
            f"{left['p95_stops']:.4f} (untouched plate: {left['untouched_rms_stops']:.4f} rms)"
        )
        return
    found = ", ".join(f"{value:.2g} in {name}" for name, value in record["parity"].items())
    print(f"checked against the fit: at most {found}")
    if to in ("nuke", "flame"):
        print(f"next: {out}/STEPS.txt")

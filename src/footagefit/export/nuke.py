"""To Nuke: the scripted model, a script that turns it into a .cat and wires it, and the steps.

What belongs here: the files of a Nuke export and what their knobs are. What does not: the model
itself (`scripted.py`), the text of scripts (`nuke_script.py`).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from footagefit.export import nuke_script, parity
from footagefit.export.baked import Baked
from footagefit.export.nuke_script import Knob
from footagefit.export.placing import placed, stem_of, write_record
from footagefit.export.scripted import ScriptedField
from footagefit.models.field import ANCHOR, RELIT
from footagefit.rendering.fits import Fit


def knobs(fit: Fit, bake: Baked) -> tuple[Knob, ...]:
    """What a compositor can turn: the task's controls, then what any exported model has."""
    found = [
        Knob(name, "float", c.low, c.high, bake.strength if name == "strength" else 1.0, c.help)
        for name, c in fit.task.spec.controls.items()
        if name not in (ANCHOR, RELIT)  # a net cannot read those off
    ]
    names = ", ".join(f"{i} {name}" for i, (name, _, _) in enumerate(bake.primaries))
    found.append(
        Knob(
            "primaries", "int", 0, len(bake.primaries) - 1, 0, f"linear space of the comp: {names}"
        )
    )
    found.append(Knob("use_mask", "int", 0, 1, 0, "1: change only where the alpha is, as a matte"))
    if bake.look is not None:
        text = "1: the one look of the shot that was baked in; 0: each frame decides anew"
        found.append(Knob("locked", "int", 0, 1, 1, text))
    return tuple(found)


def scripted(bake: Baked) -> torch.jit.ScriptModule:
    """The model as TorchScript, in evaluation mode, float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch says: script is old
        return torch.jit.script(ScriptedField(bake).eval())


def export_nuke(
    fit: Fit,
    bake: Baked,
    out: Path,
    *,
    reference_RCHW: Tensor,
    record: dict[str, Any],
    replace: bool = False,
) -> dict[str, Any]:
    """Write the folder: .pt, two .nk, STEPS.txt, export.json; returns the record.

    Args:
        fit: What is exported.
        bake: What goes into the model.
        out: The folder.
        reference_RCHW: What `bake` was given, for checking against the fit.
        record: Where all came from; what was found is added.
        replace: Take an earlier export's place.

    Raises:
        Departs: The scripted model does not do what the fit does.
    """
    name = stem_of(out)
    turned = knobs(fit, bake)
    with placed(out, replace=replace) as folder:
        model_path = folder / f"{name}.pt"
        _saved(scripted(bake), model_path)
        found = checked_against(fit, bake, model_path, reference_RCHW)
        record = {
            **record,
            "knobs": {k.name: {"low": k.low, "high": k.high, "default": k.default} for k in turned},
            "primaries": [n for n, _, _ in bake.primaries],
            "parity": found,
        }
        texts = {
            f"{name}.nk": nuke_script.wiring(name, turned),
            f"{name}_from_layers.nk": nuke_script.from_layers(name),
            "STEPS.txt": nuke_script.steps(name, turned, locked=bake.look is not None),
        }
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        write_record(folder, record)
    return record


def checked_against(fit: Fit, bake: Baked, path: Path, reference_RCHW: Tensor) -> dict[str, float]:
    """The saved file, read back, beside the fit: float, half and float through other primaries."""
    model = loaded(path)

    def plain(plate: Tensor) -> Tensor:
        with torch.no_grad():
            return model(plate)

    look, strength = bake.own_look, bake.strength
    worst = {"float": parity.tried(plain, fit, reference_RCHW, strength=strength, look=look)}
    if look is not None:
        model.locked = 0
        unlocked = parity.tried(plain, fit, reference_RCHW, strength=strength)
        worst["float"] = max(worst["float"], unlocked)
        model.locked = 1
    plate = parity.trying_frame(61, 107)
    wanted = parity.expected(fit, plate, reference_RCHW, strength=strength, look=look)
    worst["primaries"] = 0.0
    for place, (_, into, back) in enumerate(bake.primaries):
        model.primaries = place
        made = plain(torch.einsum("ij,bjhw->bihw", back, plate))
        made = torch.einsum("ij,bjhw->bihw", into, made)
        worst["primaries"] = max(worst["primaries"], parity.distance(made, wanted, by_pixel=True))
    half = loaded(path).half()
    with torch.no_grad():
        worst["half"] = parity.distance(half(plate.half()), parity.in_half(wanted))
    bounds = {"float": parity.FLOAT_BOUND, "primaries": parity.FLOAT_BOUND}
    parity.checked(worst, {**bounds, "half": parity.HALF_BOUND}, what="the Nuke model")
    return worst


def loaded(path: Path) -> Any:
    """A .pt as an application loads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path))


def _saved(model: torch.jit.ScriptModule, path: Path) -> None:
    """Through memory: a full disk is then an error of the disk, and the bytes know no name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        path.write_bytes(model.save_to_buffer())

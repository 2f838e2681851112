"""To Flame: the ONNX graph, the JSON of the same name that says how to feed it, and the steps.

What belongs here: what Flame's Inference node reads beside a model. What does not: the graph
(`traced.py`, `onnx_file.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from footagefit.export.baked import Baked
from footagefit.export.onnx_file import INPUT, OUTPUT, need_onnx, write_graph
from footagefit.export.placing import placed, stem_of, write_record
from footagefit.rendering.fits import Fit

OLDEST = "2025.1"  # the first Flame with an Inference node that reads such a JSON


def export_flame(
    fit: Fit,
    bake: Baked,
    out: Path,
    *,
    reference_RCHW: Tensor,
    record: dict[str, Any],
    primaries: int = 0,
    replace: bool = False,
) -> dict[str, Any]:
    """Write the folder: .onnx, .json of the same name, STEPS.txt, export.json."""
    need_onnx()
    name = stem_of(out)
    with placed(out, replace=replace) as folder:
        record = write_graph(
            fit,
            bake,
            folder / f"{name}.onnx",
            reference_RCHW=reference_RCHW,
            record=record,
            primaries=primaries,
        )
        space = bake.primaries[primaries][0]
        text = json.dumps(sidecar(name, fit, space), indent=4, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        (folder / "STEPS.txt").write_text(_steps(name, space), encoding="utf-8")
        write_record(folder, record)
    return record


def sidecar(name: str, fit: Fit, space: str) -> dict[str, Any]:
    """What Flame reads: nothing is scaled on the way, and any size goes as it is."""
    plate = {
        "Name": INPUT,
        "Description": f"The whole frame, scene-linear {space}",
        "Type": "Front",
        "Gain": 1.0,
        "Channels": "RGB",
    }
    result = {
        "Name": OUTPUT,
        "Description": "The frame beside its reference",
        "Type": "Result",
        "InverseGain": 1.0,
        "ScalingFactor": 1.0,
        "Channels": "RGB",
    }
    return {
        "ModelDescription": {
            "MinimumVersion": OLDEST,
            "Name": name,
            "Description": f"footagefit {fit.task.spec.name}, fit {fit.hash[:12]}",
            "SupportsSceneLinear": True,
            "KeepAspectRatio": True,
            "Padding": 1,
            "Inputs": [plate],
            "Outputs": [result],
        }
    }


def _steps(name: str, space: str) -> str:
    return "\n".join(
        [
            f"{name}: a footagefit model for Flame's Inference node ({OLDEST} or newer)",
            "",
            f"  1. Keep {name}.onnx and {name}.json together, where Flame can read them.",
            "  2. In Batch add an Inference node and load the .onnx. Its Front and Result appear.",
            f"  3. Convert the clip to scene-linear {space} before it, and back after.",
            "  4. Front takes the whole frame: the look is decided from it. Any size goes.",
            "     It is the net's alone: footagefit infer also holds it to what stands in plate",
            "     and reference both.",
            "  5. Strength is fixed at export; mix with the source for less (Comp or Blend).",
            "",
            f"To hand it round as one file: inference_builder packs {name}.onnx and {name}.json "
            "into an .inf.",
            "",
        ]
    )

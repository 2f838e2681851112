"""A fit as an ONNX file, checked in onnxruntime before it takes its place.

What belongs here: writing the traced model, what goes into its header, running it. What does
not: the model (`traced.py`), what one application wants beside it (`flame.py`).
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from footagefit.errors import MissingPart
from footagefit.export import parity
from footagefit.export.baked import Baked
from footagefit.export.placing import placed
from footagefit.export.traced import TracedField
from footagefit.rendering.fits import Fit

OPSET = 17
INPUT, OUTPUT = "plate", "result"
SUFFIXES = (".onnx",)


def need_onnx() -> None:
    """Refuse early where the extra is not installed."""
    for name in ("onnx", "onnxruntime"):
        try:
            __import__(name)
        except ImportError as error:
            raise MissingPart(
                f"writing ONNX needs {name}, which is not installed",
                hint='Say pip install "footagefit[onnx]"',
            ) from error


def export_onnx(
    fit: Fit,
    bake: Baked,
    out: Path,
    *,
    reference_RCHW: Tensor,
    record: dict[str, Any],
    primaries: int = 0,
    replace: bool = False,
) -> dict[str, Any]:
    """Write one .onnx; returns the record, which is in its header too."""
    need_onnx()
    with placed(out, suffixes=SUFFIXES, replace=replace) as path:
        return write_graph(
            fit, bake, path, reference_RCHW=reference_RCHW, record=record, primaries=primaries
        )


def write_graph(
    fit: Fit,
    bake: Baked,
    path: Path,
    *,
    reference_RCHW: Tensor,
    record: dict[str, Any],
    primaries: int = 0,
) -> dict[str, Any]:
    """Trace, write, read back and check; returns the record with what was found.

    Raises:
        Departs: onnxruntime does not give what the fit gives.
    """
    _traced(TracedField(bake, primaries=primaries).eval(), path)
    run = _runner(path, bake, primaries)
    worst = parity.tried(
        run,
        fit,
        reference_RCHW,
        strength=bake.strength,
        look=bake.own_look,
        by_pixel=primaries != 0,
    )
    bounds = {"float": parity.FLOAT_BOUND}
    parity.checked({"float": worst}, bounds, what="the model in onnxruntime")
    record = {
        **record,
        "primaries": bake.primaries[primaries][0],
        "strength": bake.strength,
        "parity": {"float": worst},
    }
    _described(path, record)
    return record


def open_graph(path: Path) -> Callable[[Tensor], Tensor]:
    """The file, ready to take frames (1,3,H,W) of any size, by onnxruntime on the CPU."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def run(plate: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: plate.numpy()})[0])

    return run


def run_graph(path: Path, plate: Tensor) -> Tensor:
    """One frame through the file."""
    return open_graph(path)(plate)


def _runner(path: Path, bake: Baked, primaries: int) -> Any:
    """The file as a map of ACEScg light, whatever space it takes."""
    _, into, back = bake.primaries[primaries]

    def run(plate: Tensor) -> Tensor:
        if primaries == 0:
            return run_graph(path, plate)
        told = torch.einsum("ij,bjhw->bihw", back, plate).contiguous()
        return torch.einsum("ij,bjhw->bihw", into, run_graph(path, told))

    return run


def _traced(model: TracedField, path: Path) -> None:
    def exp2(graph: Any, x: Any) -> Any:
        ln2 = graph.op("Constant", value_t=torch.tensor(math.log(2.0)))
        return graph.op("Exp", graph.op("Mul", x, ln2))

    sides = {2: "height", 3: "width"}
    buffer = io.BytesIO()  # a full disk is then an error of the disk
    # ONNX has no 2^x of its own; the newer exporter cannot keep sizes open that are rounded.
    from torch.onnx import (
        register_custom_op_symbolic,  # pyright: ignore[reportPrivateImportUsage]
        unregister_custom_op_symbolic,  # pyright: ignore[reportPrivateImportUsage]
    )

    register_custom_op_symbolic("aten::exp2", exp2, OPSET)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracing exporter is old, and says so
            torch.onnx.export(
                model,
                (torch.rand(1, 3, 120, 200),),
                buffer,  # pyright: ignore[reportArgumentType]
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: sides, OUTPUT: sides},
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        unregister_custom_op_symbolic("aten::exp2", OPSET)
    path.write_bytes(buffer.getvalue())


def _described(path: Path, record: Mapping[str, Any]) -> None:
    """Where it came from, in the file's own header."""
    import onnx  # pyright: ignore[reportMissingImports]

    model = onnx.load(str(path))
    model.doc_string = f"footagefit {record['task']}: scene-linear {record['primaries']} in and out"
    entry = model.metadata_props.add()
    entry.key, entry.value = "footagefit", json.dumps(record, sort_keys=True, ensure_ascii=False)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))

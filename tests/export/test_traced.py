"""The graph of plain operators: the same numbers, and the file in onnxruntime."""

from __future__ import annotations

import json

import pytest
import torch

from footagefit.errors import MissingPart
from footagefit.export import flame, onnx_file
from footagefit.export.baked import shot_look
from footagefit.export.parity import distance, expected, trying_frame
from footagefit.export.placing import RECORD
from footagefit.export.traced import TracedField

SIZES = [(54, 96), (37, 111), (101, 33), (1, 7), (64, 64), (5, 300), (140, 251)]
SAID = {"task": "match", "fit": "0"}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tensor_sizes_give_what_a_render_gives(bake, fit, reference, size):
    plate = trying_frame(*size)
    with torch.no_grad():
        made = TracedField(bake).eval()(plate)
    assert distance(made, expected(fit, plate, reference)) <= 1e-5


def test_several_references_count_alike(fit):
    from footagefit.export import nuke
    from footagefit.export.baked import baked

    references = torch.cat([trying_frame(45, 80, seed=s).abs() for s in (1, 2)])
    plate = trying_frame(37, 111)
    wanted = expected(fit, plate, references)
    bake = baked(fit, to="nuke", reference_RCHW=references)
    with torch.no_grad():
        assert distance(TracedField(bake).eval()(plate), wanted) <= 1e-5
        assert distance(nuke.scripted(bake)(plate), wanted) <= 1e-5


def test_small_pictures_are_made_the_models_way():
    """Whole numbers of pixels or not, shrinking or growing, as `models.base` makes them."""
    from footagefit.export.traced import _smaller
    from footagefit.models.base import resampled

    for length, wanted in [(1080, 144), (1079, 144), (4320, 64), (64, 64), (7, 64), (100, 64)]:
        line = torch.rand(1, 1, length, 1)
        matrix = _smaller(torch.tensor(length), torch.tensor(wanted))
        assert torch.allclose(matrix @ line, resampled(line, (wanted, 1)), atol=2e-6)


def test_onnxruntime_gives_the_same_at_any_size(bake, fit, reference, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    out = tmp_path / "a" / "m.onnx"
    done = onnx_file.export_onnx(fit, bake, out, reference_RCHW=reference, record=SAID)
    assert done["parity"]["float"] <= 1e-5
    for size in SIZES:
        plate = trying_frame(*size)
        assert distance(onnx_file.run_graph(out, plate), expected(fit, plate, reference)) <= 1e-5
    assert [p.name for p in out.parent.iterdir()] == ["m.onnx"]


def test_flame_gets_a_json_of_the_same_name(bake, fit, reference, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    look = shot_look(fit, [trying_frame(54, 96)[0]], reference)
    out = tmp_path / "hero look"
    done = flame.export_flame(
        fit, bake.locked_to(look), out, reference_RCHW=reference, record=SAID, primaries=1
    )
    assert done["primaries"] == "linear Rec.709"
    names = sorted(p.name for p in out.iterdir())
    assert names == ["STEPS.txt", RECORD, "hero_look.json", "hero_look.onnx"]
    told = json.loads((out / "hero_look.json").read_text())["ModelDescription"]
    graph = onnx.load(str(out / "hero_look.onnx")).graph
    assert [i["Name"] for i in told["Inputs"]] == [i.name for i in graph.input]
    assert [o["Name"] for o in told["Outputs"]] == [o.name for o in graph.output]
    assert told["SupportsSceneLinear"] is True
    assert (told["Inputs"][0]["Gain"], told["Padding"]) == (1.0, 1)
    sides = [d.dim_param for d in graph.input[0].type.tensor_type.shape.dim[2:]]
    assert sides == ["height", "width"]


def test_the_json_names_the_space_and_the_fit(fit):
    told = flame.sidecar("hero", fit, "ACEScg")["ModelDescription"]
    assert told["MinimumVersion"] == "2025.1"
    assert "ACEScg" in told["Inputs"][0]["Description"]
    assert fit.hash[:12] in told["Description"]
    assert (told["Inputs"][0]["Type"], told["Outputs"][0]["Type"]) == ("Front", "Result")


def test_without_the_extra_one_line_says_how_to_get_it(bake, fit, reference, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    monkeypatch.setitem(__import__("sys").modules, "onnx", type(pytest)("onnx"))
    with pytest.raises(MissingPart, match=r"needs onnxruntime.*footagefit\[onnx\]"):
        flame.export_flame(fit, bake, tmp_path / "x", reference_RCHW=reference, record=SAID)
    assert list(tmp_path.iterdir()) == []

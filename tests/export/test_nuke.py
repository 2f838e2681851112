"""What lies in a Nuke export: scripts that wire what they say, read by a reader of our own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from footagefit.errors import AlreadyThere
from footagefit.export import nuke, nuke_script, parity
from footagefit.export.parity import trying_frame
from footagefit.tasks.base import PlainWindow

SAID = {"task": "match", "fit": "0"}


@dataclass
class Node:
    kind: str
    knobs: dict[str, str]
    users: list[str]
    inputs: list[Node] = field(default_factory=list)


def nodes(text: str) -> dict[str, Node]:
    """Run a script's stack as Nuke does: the last pushed is a node's first input, B of A and B."""
    found: dict[str, Node] = {}
    stack: list[Node] = []
    kept: dict[str, Node] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(("version", "add_layer")):
            continue
        if said := re.fullmatch(r"set (\w+) \[stack 0\]", line):
            kept[said[1]] = stack[-1]
            continue
        if said := re.fullmatch(r"push \$(\w+)", line):
            stack.append(kept[said[1]])
            continue
        kind = re.fullmatch(r"(\w+) \{", line)
        assert kind, line
        node = Node(kind[1], {}, [])
        for inner in lines:
            if inner == "}":
                break
            key, _, value = inner.strip().partition(" ")
            if key == "addUserKnob":
                node.users.append(value)
            else:
                node.knobs[key] = value
        for _ in range(int(node.knobs.get("inputs", "1"))):
            node.inputs.append(stack.pop())
        if node.kind != "Root":
            stack.append(node)
            found[node.knobs["name"]] = node
    return found


@pytest.fixture(scope="session")
def folder(fit, bake, reference, tmp_path_factory):
    out = tmp_path_factory.mktemp("nuke") / "hero look"
    nuke.export_nuke(fit, bake, out, reference_RCHW=reference, record=SAID)
    return out


def test_the_folder_holds_model_scripts_steps_and_record(folder):
    names = sorted(p.name for p in folder.iterdir())
    assert names == [
        "STEPS.txt", "export.json", "hero_look.nk", "hero_look.pt", "hero_look_from_layers.nk"
    ]  # fmt: skip
    record = json.loads((folder / "export.json").read_text())
    assert record["parity"]["float"] <= 1e-5
    assert record["parity"]["half"] <= 1e-3
    assert record["primaries"][0] == "ACEScg"
    assert record["knobs"]["strength"] == {"low": 0.0, "high": 1.0, "default": 1.0}
    assert sorted(p.name for p in folder.parent.iterdir()) == ["hero look"]


def test_the_script_wires_plate_model_and_alpha(folder):
    found = nodes((folder / "hero_look.nk").read_text())
    inference = found["Inference_hero_look"]
    assert inference.inputs == [found["Plate"]]
    assert found["KeepAlpha"].inputs == [inference, found["Plate"]]  # B the model, A the plate
    maker = found["MakeCat"]
    assert maker.knobs["torchScriptFile"] == "hero_look.pt"
    assert maker.knobs["catFile"] == inference.knobs["modelFile"] == "hero_look.cat"
    offered = [user.split()[1] for user in maker.users[1:]]
    model = nuke.loaded(folder / "hero_look.pt")
    assert offered == ["strength", "local", "tone", "colour", "primaries", "use_mask"]
    for name in offered:
        assert float(maker.knobs[name]) == float(getattr(model, name))
    ins, outs = maker.knobs["channelsIn"], maker.knobs["channelsOut"]
    assert (ins.count("rgba."), outs.count("rgba.")) == (4, 3)
    with torch.no_grad():
        assert model(torch.rand(1, ins.count("rgba."), 40, 64)).shape[1] == outs.count("rgba.")


@pytest.mark.parametrize("name", ["hero_look.nk", "hero_look_from_layers.nk"])
def test_scripts_travel(folder, name):
    text = (folder / name).read_text()
    assert str(folder.parent) not in text
    assert "colorspace" not in text.lower()
    assert text.count("{") == text.count("}")
    assert "script_directory" in text


def test_layers_rebuild_the_render_without_nukex(folder, fit, reference):
    """The stack of nodes, run on arrays: plate x gain + offset is the render."""
    plate = trying_frame(37, 64)
    given = fit.task.given(PlainWindow(plate, reference, signature=fit.signature), {})
    with torch.no_grad():
        look = fit.model.look(fit.model.small(given))
        layers = fit.model.layers(look, given)
        wanted = fit.model.apply(look, given)
    read = {"Plate": {"rgba": plate.numpy()}, "Layers": {n: t.numpy() for n, t in layers.items()}}
    found = nodes((folder / "hero_look_from_layers.nk").read_text())

    def value(node: Node) -> np.ndarray:
        if node.kind == "Read":
            return read[node.knobs["name"]]["rgba"]
        if node.kind == "Shuffle":
            return read[node.inputs[0].knobs["name"]][node.knobs["in"]]
        b, a = (value(n) for n in node.inputs)
        if node.kind == "Dissolve":
            return b + float(node.knobs["which"]) * (a - b)
        return {"multiply": np.multiply, "plus": np.add}[node.knobs["operation"]](a, b)

    made = torch.from_numpy(value(found["Strength"]))
    assert parity.distance(made, wanted) <= 1e-5
    found["Strength"].knobs["which"] = "0"
    assert np.array_equal(value(found["Strength"]), plate.numpy())


def test_a_model_that_departs_is_not_written(fit, bake, reference, tmp_path, monkeypatch):
    out = tmp_path / "there"
    nuke.export_nuke(fit, bake, out, reference_RCHW=reference, record=SAID)
    before = (out / "export.json").read_bytes()
    with pytest.raises(AlreadyThere, match="existing=replace"):
        nuke.export_nuke(fit, bake, out, reference_RCHW=reference, record=SAID)
    other = trying_frame(45, 80, seed=9)[0][None] * 4.0
    for path in (out, tmp_path / "new"):
        with pytest.raises(parity.Departs, match="departs from its fit"):
            nuke.export_nuke(fit, bake, path, reference_RCHW=other, record=SAID, replace=True)
    assert [p.name for p in tmp_path.iterdir()] == ["there"]
    assert (out / "export.json").read_bytes() == before
    nuke.export_nuke(
        fit, bake, out, reference_RCHW=reference, record={**SAID, "n": 2}, replace=True
    )
    assert json.loads((out / "export.json").read_text())["n"] == 2


def test_the_same_export_has_the_same_bytes_and_a_full_disk_leaves_nothing(
    fit, bake, reference, tmp_path, monkeypatch
):
    import errno
    from pathlib import Path

    from footagefit.errors import DiskFull

    for name in ("one", "other"):
        nuke.export_nuke(fit, bake, tmp_path / name, reference_RCHW=reference, record=SAID)
    files = [sorted(p.read_bytes() for p in (tmp_path / n).glob("*.pt")) for n in ("one", "other")]
    assert files[0] == files[1]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull, match="No space left"):
        nuke.export_nuke(fit, bake, tmp_path / "third", reference_RCHW=reference, record=SAID)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "other"]


def test_only_an_earlier_export_is_replaced(fit, bake, reference, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "comp.nk").write_text("years of work")
    with pytest.raises(AlreadyThere, match="no earlier export"):
        nuke.export_nuke(
            fit, bake, tmp_path / "precious", reference_RCHW=reference, record=SAID, replace=True
        )
    assert (tmp_path / "precious" / "comp.nk").read_text() == "years of work"


def test_texts_are_one_tcl_word():
    assert nuke_script.quoted('a "b" [c] $d {e} \\') == r'"a \"b\" \[c\] \$d \{e\} \\"'


def test_distances():
    one = torch.tensor([[[[1.0, 100.0, 0.0]]]])
    assert parity.distance(one + torch.tensor([0.0, 1.0, 0.0]), one) == pytest.approx(0.01)
    assert parity.distance(one + torch.tensor([0.0, 0.0, 0.5]), one) == pytest.approx(0.5)
    assert parity.distance(one * float("nan"), one) == float("inf")

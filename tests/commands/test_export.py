"""`footagefit export` as a person runs it: a fit, a plate and a reference on disk."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from footagefit.export import nuke, parity
from footagefit.footage.opening import open_clip
from footagefit.rendering.fits import load_fit
from small_fit import small_fit


@pytest.fixture(scope="module")
def fit(tmp_path_factory) -> Path:
    return small_fit(tmp_path_factory.mktemp("fits") / "match_v001")


@pytest.fixture
def footage(tmp_path, write_picture) -> Path:
    for number in (1001, 1002, 1003):
        pixels = parity.trying_frame(37, 64, seed=number)[0].permute(1, 2, 0).numpy()
        write_picture(tmp_path / f"shot.{number}.exr", pixels.astype(np.float16))
    hero = parity.trying_frame(30, 50, seed=8)[0].abs().permute(1, 2, 0).numpy()
    write_picture(tmp_path / "hero (1).1001.exr", hero.astype(np.float16))
    return tmp_path


def words(fit: Path, footage: Path, to: str, out: str, *more: str) -> list[str]:
    given = [f"reference={footage / 'hero (1).1001.exr'}", "reference_space=ACEScg"]
    plate = [f"plate={footage / 'shot.####.exr'}", "space=ACEScg"] if to in ("lut", "cdl") else []
    return ["export", f"fit={fit}", f"to={to}", f"out={footage / out}", *given, *plate, *more]


def test_nuke(footagefit, fit, footage):
    code, out, err = footagefit(*words(fit, footage, "nuke", "nuke/hero look"))
    assert code == 0, err
    assert "checked against the fit" in out
    assert "STEPS.txt" in out
    record = json.loads((footage / "nuke" / "hero look" / "export.json").read_text())
    assert record["reference"] == "hero (1).1001.exr 1001"
    assert record["fit"] == load_fit(fit).hash
    again = words(fit, footage, "nuke", "nuke/hero look", "strength=0.5")
    code, _, err = footagefit(*again)
    assert code == 2
    assert "existing=replace" in err
    shot = [f"plate={footage / 'shot.####.exr'}", "space=ACEScg", "frames=1001-1003x2"]
    code, out, err = footagefit(*again, *shot, "existing=replace")
    assert code == 0, err
    record = json.loads((footage / "nuke" / "hero look" / "export.json").read_text())
    assert record["plate"].startswith("shot.####.exr 1001")
    assert record["knobs"]["strength"]["default"] == 0.5
    assert "locked" in record["knobs"]


@pytest.mark.parametrize(("to", "name"), [("lut", "m.cube"), ("cdl", "m.cc")])
def test_maps_of_colours(footagefit, fit, footage, to, name):
    code, out, err = footagefit(*words(fit, footage, to, name))
    assert code == 0, err
    assert "stops rms from the full look" in out
    assert "shot.####.exr 1001-1003" in (footage / name).read_text()


def test_flame_and_onnx(footagefit, fit, footage):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    space = "primaries=linear Rec.709"
    code, _, err = footagefit(*words(fit, footage, "flame", "flame", space))
    assert code == 0, err
    assert (footage / "flame" / "flame.json").is_file()
    code, _, err = footagefit(*words(fit, footage, "onnx", "m.onnx"))
    assert code == 0, err
    assert (footage / "m.onnx").is_file()


def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    footagefit, fit, footage, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (footage / "taken.cube").write_text("mine")
    broken = small_fit(footage / "broken")
    (broken / "recipe.yaml").write_text("format: 1\n")
    before = sorted(p.name for p in footage.iterdir())

    def said(to: str, out: str, *more: str) -> list[str]:
        return words(fit, footage, to, out, *more)

    bare = ["export", f"fit={fit}", f"out={footage / 'x'}"]
    cases = [
        (said("maya", "x"), "unknown destination 'maya'; known: nuke, flame, onnx, lut, cdl"),
        ([*bare, "to=nuke"], "works beside a reference"),
        ([*said("nuke", "x"), "reference=nowhere.exr"], "nowhere.exr: no such file"),
        ([*said("nuke", "x"), "reference_frames=1002"], "the clip has frames 1001-1001"),
        ([*said("nuke", "x"), f"fit={footage}"], "missing or not JSON"),
        ([*said("nuke", "x"), f"fit={broken}"], "recipe.yaml: changed since it was written"),
        (said("nuke", "x", "strength=1.5"), "strength: 1.5 is outside 0..1"),
        (said("nuke", "x", "primaries=rec"), "unknown primaries 'rec'; known: ACEScg"),
        (said("nuke", ".", "existing=replace"), "is no earlier export"),
        (said("flame", "x"), "footagefit[onnx]"),
        (said("onnx", "x.onnx"), "footagefit[onnx]"),
        ([*bare[:2], f"out={footage / 'm.cube'}", "to=lut"], "no plate was given"),
        (said("lut", "m.txt"), "expected a file .cube"),
        (said("lut", "taken.cube"), "there already"),
        (said("lut", "m.cube", "lut_size=32"), "33 or 65"),
        (said("lut", "m.cube", "log_space=ACEScg"), "scene-linear"),
        (said("lut", "m.cube", "log_space=acescctt"), "unknown colour space"),
        (said("cdl", "m.cube"), "expected a file .cdl or .cc or .ccc"),
        (said("lut", "m.cube", "frames=1009"), "the clip has frames 1001-1003"),
    ]
    for line, expected in cases:
        code, out, err = footagefit(*line)
        assert code == 2, (line, out, err)
        assert err.count("\n") == 1, err
        assert expected in err
    assert sorted(p.name for p in footage.iterdir()) == before
    assert (footage / "taken.cube").read_text() == "mine"


@pytest.fixture
def wild(footage, write_picture) -> Path:
    """Odd-sized, 2x anamorphic, many layers, LogC4 codes, overscan."""
    rng = np.random.default_rng(4)
    codes = (0.05 + 0.9 * rng.random((53, 91, 5))).astype(np.float16)
    return write_picture(
        footage / "wild.1001.exr",
        codes,
        channels=["R", "G", "B", "Z", "id.N"],
        attributes={"PixelAspectRatio": 2.0, "FramesPerSecond": ("rational", (24, 1))},
        x=-5, y=-3, full_x=0, full_y=0, full_width=81, full_height=47,
    )  # fmt: skip


def test_a_wild_plate_goes_through_the_model(footagefit, fit, footage, wild):
    code, _, err = footagefit(*words(fit, footage, "nuke", "nuke"))
    assert code == 0, err
    clip = open_clip(wild, space="arri_logc4")
    assert (clip.info.pixel_aspect, clip.info.rate) == (2.0, Fraction(24))
    assert (clip.info.width, clip.info.height) == (91, 53)
    plate = clip.read([1001]).rgb_TCHW
    hero = open_clip(footage / "hero (1).1001.exr", space="ACEScg").read([1001]).rgb_TCHW
    assert float(plate.max()) > 50.0
    wanted = parity.expected(load_fit(fit), plate, hero)
    with torch.no_grad():
        made = nuke.loaded(footage / "nuke" / "nuke.pt")(plate)
        half = nuke.loaded(footage / "nuke" / "nuke.pt").half()(plate.half())
        seen = parity.expected(load_fit(fit), plate.half().float(), hero)
    assert parity.distance(made, wanted) <= 1e-5
    assert parity.distance(half, parity.in_half(seen)) <= 1e-3


def test_a_wild_plate_through_infer_is_the_same(footagefit, fit, footage, wild):
    """What a compositor gets in Nuke is what the render gives, and its layers rebuild it."""
    code, _, err = footagefit(*words(fit, footage, "nuke", "nuke"))
    assert code == 0, err
    given = [f"fit={fit}", f"plate={wild}", f"reference={footage / 'hero (1).1001.exr'}"]
    given += ["space=arri_logc4", "reference_space=ACEScg", "temporal=none"]
    stored = [f"out={footage / 'm.####.exr'}", "output.depth=float", "output.space=ACEScg"]
    code, _, err = footagefit("infer", *given, *stored, "layers=[gain,offset]")
    assert code == 0, err
    plate = open_clip(wild, space="arri_logc4").read([1001]).rgb_TCHW
    rendered = open_clip(footage / "m.1001.exr", space="ACEScg")
    wanted = rendered.read([1001]).rgb_TCHW
    with torch.no_grad():
        made = nuke.loaded(footage / "nuke" / "nuke.pt")(plate)
    assert parity.distance(made, wanted) <= 1e-5
    gain, offset = (rendered.data([1001], name)[:, :3] for name in ("gain", "offset"))
    assert parity.distance(plate * gain + offset, wanted) <= 1e-5

"""`footagefit infer` as a compositor types it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
import xml.etree.ElementTree as Xml
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

import footagefit
from footagefit import cli, open_clip
from footagefit.commands.infer import flattened
from footagefit.errors import FootagefitWarning
from footagefit.rendering import farm
from rendering_helpers import fit, make_fit, picture, reference, shot, stored

__all__ = ["fit", "reference", "shot"]


@pytest.fixture
def words(fit, shot, reference, tmp_path):
    """What every command here says, and where its frames go."""
    out = tmp_path / "o" / "m.####.exr"
    return ["infer", f"fit={fit}", f"plate={shot()}", f"reference={reference}", f"out={out}"]


def test_a_shot_goes_through_a_fit(words, footagefit, tmp_path):
    code, out, err = footagefit(*words, "strength=1001:0.2,1006:1", "layers=gain,offset",
                                "frames=1002-1006x2")  # fmt: skip
    assert code == 0, err
    assert "temporal: 1001-1006: locked (looks drift" in out
    assert "3 frames written to" in out
    assert sorted(p.name for p in (tmp_path / "o").glob("*.exr")) == [
        "m.1002.exr", "m.1004.exr", "m.1006.exr",
    ]  # fmt: skip
    spec = stored(tmp_path / "o" / "m.1002.exr")[1]
    assert {"gain.R", "offset.B"} <= set(spec.channelnames)
    assert 0.2 < json.loads(spec.getattribute("footagefit/controls"))["strength"] < 1.0
    code, out, _ = footagefit(*words, "strength=1001:0.2,1006:1", "layers=gain,offset",
                              "frames=1002-1006x2")  # fmt: skip
    assert "3 frames were there already" in out


def test_a_dry_run_tells_the_plan_and_writes_nothing(words, footagefit, tmp_path):
    code, out, err = footagefit(*words, "dry_run=true")
    assert code == 0, err
    for said in ("frames: 6 to write (1001-1006)", "size: about", "memory: about", "time: about"):
        assert said in out
    assert not (tmp_path / "o").exists()


def test_a_wedge_is_a_labelled_sheet(words, footagefit, tmp_path):
    sheet = tmp_path / "wedge.png"
    words[-1] = f"out={sheet}"
    code, _, err = footagefit(*words, "wedge=strength=0:1:0.5")
    assert code == 0, err
    pixels, _ = stored(sheet)
    assert pixels.shape[1] > 4 * 160
    assert pixels.std() > 10
    code, _, err = footagefit(*words, "wedge=strength=0:1:0.5")
    assert code == 2 and "is there already" in err
    assert not list(tmp_path.glob("o/*"))


def test_a_review_is_a_movie_and_a_sheet(words, footagefit, tmp_path):
    code, _, err = footagefit(*words, "review=true", "frames=1001-1005x2")
    assert code == 0, err
    movie = tmp_path / "o" / "m_review.mov"
    assert len(open_clip(movie, start=1001).numbers) == 5
    assert (tmp_path / "o" / "m_before_after.jpg").stat().st_size > 5000


def test_chunks_are_the_whole(words, footagefit, tmp_path):
    assert footagefit(*words, "strength={1001:0,1006:1}")[0] == 0
    whole = {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()}
    words[-1] = f"out={tmp_path / 'c' / 'm.####.exr'}"
    code, out, err = footagefit(*words, "strength={1001:0,1006:1}", "chunk=4", "at_once=2")
    assert code == 0, err
    assert "6 frames in 2 chunks" in out
    assert {p.name: p.read_bytes() for p in (tmp_path / "c").iterdir()} == whole


def test_a_chunk_that_fails_is_told(words, footagefit, tmp_path, monkeypatch):
    monkeypatch.setattr(farm, "_run", lambda words: (2, "no space left on the device"))
    code, _, err = footagefit(*words, "chunk=3")
    assert code == 2
    assert "chunk 1001-1003 failed: no space left" in err or "chunk 1004-1006" in err


def test_submitit_is_an_extra(words, footagefit, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    code, _, err = footagefit(*words, "chunk=3", "launcher=submitit")
    assert code == 2
    assert "footagefit[farm]" in err


def test_submitit_is_handed_the_chunks(words, footagefit, monkeypatch):
    import types

    given = []

    class Job:
        def __init__(self, value):
            self.value = value

        def result(self):
            return self.value

    class Executor:
        def __init__(self, folder):
            self.folder = folder

        def update_parameters(self, **settings):
            assert settings == {"timeout_min": 60, "slurm_partition": "vfx"}

        def batch(self):
            import contextlib

            return contextlib.nullcontext()

        def submit(self, job, words):
            given.append([w for w in words if w.startswith(("frames=", "only="))])
            return Job(job(words))

    monkeypatch.setitem(sys.modules, "submitit", types.SimpleNamespace(AutoExecutor=Executor))
    monkeypatch.setattr(farm, "_run", lambda words: (cli.main(["infer", *words]), ""))
    code, out, err = footagefit(*words, "chunk=4", "launcher=submitit",
                                "submitit=timeout_min:60,slurm_partition:vfx")  # fmt: skip
    assert code == 0, err
    assert given == [["only=chunk", "frames=1001-1004"], ["only=chunk", "frames=1005-1006"]]
    assert "6 frames in" in out


def test_a_job_file_for_openjd_runs_as_told(words, footagefit, tmp_path):
    code, _, err = footagefit(*words, "job=openjd", "chunk=4", "strength={1001:0,1006:1}")
    assert code == 0, err
    job = json.loads((tmp_path / "o" / "m.openjd.json").read_text())
    assert job["specificationVersion"] == "jobtemplate-2023-09"
    names = [step["name"] for step in job["steps"]]
    assert names == ["fields", "render", "finish"]
    for step in job["steps"]:
        action = step["script"]["actions"]["onRun"]
        assert action["command"] == "footagefit"
        spans = [""]
        if step["name"] == "render":
            spans = step["parameterSpace"]["taskParameterDefinitions"][0]["range"]
            assert spans == ["1001-1004", "1005-1006"]
        for span in spans:
            line = [w.replace("{{Task.Param.Frames}}", span) for w in action["args"]]
            assert not any("{{" in w for w in line)
            assert cli.main(line) == 0
    assert len(list((tmp_path / "o").glob("m.*.exr"))) == 6
    assert (tmp_path / "o" / "m.manifest.json").exists()
    assert not list((tmp_path / "o").glob("*.part-manifest.json"))


def test_a_job_file_for_opencue(words, footagefit, tmp_path):
    assert footagefit(*words, "job=opencue", "chunk=4")[0] == 0
    root = Xml.parse(tmp_path / "o" / "m.opencue.xml").getroot()
    layers = root.findall("job/layers/layer")
    assert [layer.get("name") for layer in layers] == ["fields", "render", "finish"]
    assert [child.tag for child in layers[1]] == ["cmd", "range", "chunk", "services"]
    assert layers[1].findtext("range") == "1001-1006"
    assert layers[1].findtext("chunk") == "4"
    assert "frames=#FRAMESPEC#" in (layers[1].findtext("cmd") or "")
    assert len(root.findall("depends/depend")) == 2


def test_what_is_wrong_is_one_line_and_nothing_is_written(
    words, footagefit, tmp_path, write_picture, fit, shot
):
    import shutil

    tampered = tmp_path / "tampered"
    shutil.copytree(fit, tampered)
    raw = bytearray((tampered / "weights.safetensors").read_bytes())
    raw[-2] ^= 1
    (tampered / "weights.safetensors").write_bytes(bytes(raw))
    short = tmp_path / "short"
    short.mkdir()
    for number in (1001, 1002):
        write_picture(short / f"s.{number}.exr", np.ones((48, 80, 1), np.float16), channels=["A"])
    small = write_picture(tmp_path / "small.exr", np.ones((9, 9, 1), np.float16), channels=["A"])
    gap = shot("gap", frames=[1, 2, 4])
    cases = [
        ([f"fit={tmp_path}"], "missing or not JSON"),
        ([f"fit={tmp_path / 'none'}"], "no fit there"),
        ([f"fit={tampered}"], "weights.safetensors: changed since it was written"),
        ([f"plate={tmp_path / 'no.####.exr'}"], "no files match"),
        (["reference=null"], "reference is not set, and match needs one"),
        ([f"reference={tmp_path / 'no.exr'}"], "no such file"),
        ([f"mask={short / 's.####.exr'}"], "the mask has frames 1001-1002 and lacks 1003-1006"),
        ([f"mask={small}"], "the mask is 9x9, the plate 80x48"),
        (["strength=3"], "3 is outside strength (0..1)"),
        (["strenth=1"], "unknown control of a match fit 'strenth'; known: strength (0..1)"),
        (["tempral=none"], "temporal"),
        (["temporal=often"], "temporal: expected auto|none|smooth|locked"),
        (["layers=normals"], "unknown layer of a match fit 'normals'; known: gain"),
        (["layers=gain", f"out={tmp_path / 'o' / 'm.####.dpx'}"], "holds no layers"),
        ([f"out={tmp_path / 'o' / 'm.exr'}"], "one file for 6 frames"),
        ([f"out={tmp_path / 'o' / 'd'}"], f"Say out={tmp_path / 'o' / 'd' / 'shot.####.exr'}"),
        ([f"out={tmp_path}"], f"Say out={tmp_path / 'shot.####.exr'}"),
        ([f"out={tmp_path / 'o' / 'm.jxl'}"], "unknown output type '.jxl'; known: .exr"),
        (["frames=1001-2000"], "the clip has frames 1001-1006"),
        ([f"plate={gap}"], "1 missing: 3"),
        (["shot=1001-1003"], "lacks frames 1004-1006"),
        (["device=cuda:55"], "no device cuda:55 here"),
        (["keyframes=none.json"], "no such file"),
        (["handles=-1"], "handles: -1 is below 0"),
        (["chunk=0"], "chunk: 0 is below 1"),
        (["only=chunk"], "only=chunk without frames="),
        (
            ["wedge=light.azimuth_deg=0:90:30", f"out={tmp_path / 'w.jpg'}"],
            "unknown control of a match fit",
        ),
        (["wedge=strength", f"out={tmp_path / 'w.jpg'}"], "is not a wedge"),
    ]
    for more, expected in cases:
        code, _, err = footagefit(*words, *more)
        assert code == 2, more
        assert err.count("\n") == 1, err
        assert expected in err, (more, err)
        frames = [p for p in (tmp_path / "o").glob("*") if p.suffix in (".exr", ".dpx")]
        assert not frames, more


def test_the_plate_is_not_written_over(words, footagefit, shot):
    words[-1] = "out=" + words[2].partition("=")[2]
    code, _, err = footagefit(*words)
    assert code == 2
    assert "the output is the input" in err


def test_another_space_than_the_shows_is_warned_of_by_name(words, footagefit, tmp_path):
    other = make_fit(tmp_path / "log_fit", lineage={"show": "film", "spaces": ["ARRI LogC4"]})
    with warnings.catch_warnings():
        warnings.simplefilter("always", FootagefitWarning)
        code, _, err = footagefit(*words, f"fit={other}")
    assert code == 0
    assert "the plate is ACEScg, and the fit learnt film in ARRI LogC4" in err


def test_an_uncertain_plate_is_taken_as_the_fits_show(words, footagefit, tmp_path, write_picture):
    plain = write_picture(tmp_path / "plain.exr", picture(3).astype(np.float16))
    words = [*words, f"plate={plain}", "dry_run=true"]
    code, _, err = footagefit(*words)
    assert code == 2 and "Say space=<name>" in err and "in the show" not in err
    for spaces, expected in ((["ARRI LogC4"], 0), (["ARRI LogC4", "ACEScct"], 2)):
        show = make_fit(
            tmp_path / f"show_{len(spaces)}", lineage={"show": "film", "spaces": spaces}
        )
        with warnings.catch_warnings():
            warnings.simplefilter("always", FootagefitWarning)
            code, out, err = footagefit(*words, f"fit={show}")
        assert code == expected, err
        assert ("taken as ARRI LogC4, which the fit learnt in" in err) == (not expected)
        assert ("ARRI LogC4, frames" in out) == (not expected)


def test_an_uncertain_reference_is_taken_as_the_plate(words, footagefit, tmp_path, write_picture):
    plain = write_picture(tmp_path / "plain.exr", picture(3).astype(np.float16))
    with warnings.catch_warnings():
        warnings.simplefilter("always", FootagefitWarning)
        code, _, err = footagefit(*words, f"reference={plain}")
    assert code == 0
    assert "its colour space is not certain; taken as ACEScg" in err


@pytest.mark.parametrize("suffix", [".dpx", ".tif", ".png", ".mov"])
def test_other_forms_come_out_too(words, footagefit, tmp_path, suffix):
    more = ["output.space=g24_rec709"]
    name = "m.####" if suffix != ".mov" else "m"
    words[-1] = f"out={tmp_path / 'o' / (name + suffix)}"
    code, out, err = footagefit(*words, *more)
    assert code == 0, err
    assert "6 frames written" in out


def test_a_movie_goes_through_too(fit, reference, shot, footagefit, tmp_path):
    movie = tmp_path / "plate.mov"
    assert cli.main(["convert", f"in={shot()}", f"out={movie}", "output.space=g24_rec709"]) == 0
    out = tmp_path / "o" / "m.####.exr"
    code, _, err = footagefit("infer", f"fit={fit}", f"plate={movie}", f"reference={reference}",
                              f"out={out}", "space=g24_rec709")  # fmt: skip
    assert code == 0, err
    assert len(list(out.parent.glob("*.exr"))) == 6


def test_braces_from_bash_are_keyframes(words):
    """Bash makes two words of `strength={1001:0,1006:1}`; both arrive."""
    line = " ".join(["printf", "'%s\\n'", "strength={1001:0,1006:1}"])
    typed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    said = typed.stdout.split()
    assert len(said) == 2
    verb = next(v for v in cli.VERBS if v.name == "infer")
    assert cli._opened(verb, ["fit=a", *said]) == ["fit=a", "+controls.strength=1001:0,1006:1"]


def test_controls_are_told_from_keyframes():
    nested = {"light": {"azimuth_deg": "5", "by": {"key_ev": 1}}, "strength": {1001: 0, 1006: 1}}
    assert flattened(nested) == {
        "light.azimuth_deg": "5",
        "light.by.key_ev": 1,
        "strength": {1001: 0, 1006: 1},
    }


def test_five_lines_of_python(fit, shot, reference, tmp_path):
    clip = footagefit.open_clip(shot())
    loaded = footagefit.load_fit(fit)
    done = footagefit.render(clip.info.path, fit=loaded, reference=reference,
                             out=tmp_path / "p" / "m.####.exr")  # fmt: skip
    assert done.written == 6
    assert oiio.ImageInput.open(str(Path(str(done.out).replace("####", "1001")))) is not None

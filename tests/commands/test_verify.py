"""`footagefit verify`: what made a frame, and whether anything changed since."""

from __future__ import annotations

import json

import pytest

from rendering_helpers import fit, make_fit, reference, shot

__all__ = ["fit", "reference", "shot"]


@pytest.fixture
def words(fit, shot, reference, tmp_path):
    """A render of three frames, its controls moving."""
    out = tmp_path / "o" / "m.####.exr"
    plate = shot(frames=range(1001, 1004))
    return ["infer", f"fit={fit}", f"plate={plate}", f"reference={reference}", f"out={out}",
            "strength=1001:0.5,1003:1"]  # fmt: skip


@pytest.fixture
def house(tmp_path, footagefit):
    code, out, _ = footagefit("verify", f"keygen={tmp_path / 'house.pem'}")
    assert code == 0 and "house.pub.pem" in out
    return tmp_path / "house.pem"


def asked(footagefit, *words):
    code, out, err = footagefit("verify", *words, "as=json")
    assert code in (0, 1), err
    return code, json.loads(out)


def test_what_made_each_frame_is_told(words, footagefit, tmp_path, fit):
    assert footagefit(*words)[0] == 0
    code, told = asked(footagefit, str(tmp_path / "o"))
    assert code == 0 and told["as_made"]
    (row,) = told["manifests"]
    assert row["fit"]["today"] == "there" and row["recipe"] == "match field" and row["seed"] == 0
    assert [f["frame"] for f in row["files"]] == [1001, 1002, 1003]
    assert row["files"][0]["controls"] == {"strength": 0.5}
    assert 0.5 < row["files"][1]["controls"]["strength"] < 1.0
    assert row["files"][2]["source"].endswith("plate.####.exr")
    assert row["signature"]["state"] == "none"
    code, out, _ = footagefit("verify", str(tmp_path / "o"))
    assert code == 0
    for said in ("3 files, frames 1001-1003", "match field, seed 0", "strength={1001:0.5,1003:1}",
                 "signature: none", "nothing changed since"):  # fmt: skip
        assert said in out
    code, out, _ = footagefit("verify", str(tmp_path / "o" / "m.1001.exr"))
    assert code == 0 and "m.1001.exr: as it was made" in out and "with strength=0.5;" in out


def test_changed_missing_and_extra_frames_are_listed(words, footagefit, tmp_path):
    assert footagefit(*words)[0] == 0
    folder = tmp_path / "o"
    stored = (folder / "m.1001.exr").read_bytes()
    (folder / "m.1002.exr").write_bytes(stored)
    (folder / "m.1003.exr").unlink()
    (folder / "m.1007.exr").write_bytes(stored)
    code, out, _ = footagefit("verify", str(tmp_path))
    assert code == 1
    for said in ("changed: m.1002.exr", "missing: m.1003.exr", "extra: m.1007.exr",
                 "not everything is as it was made"):  # fmt: skip
        assert said in out
    states = {
        f["file"]: f["state"] for f in asked(footagefit, str(folder))[1]["manifests"][0]["files"]
    }
    assert states["m.1001.exr"] == "as made"
    assert asked(footagefit, str(folder / "m.1001.exr"))[0] == 0
    assert asked(footagefit, str(folder / "m.1002.exr"))[0] == 1
    assert asked(footagefit, str(folder / "m.1007.exr"))[0] == 1


def test_a_signed_render_holds_until_something_is_touched(words, footagefit, tmp_path, house):
    code, out, err = footagefit(*words, f"sign={house}")
    assert code == 0, err
    assert "signed by ed25519:" in out
    folder, public = tmp_path / "o", tmp_path / "house.pub.pem"
    code, told = asked(footagefit, str(folder), f"key={public}")
    row = told["manifests"][0]
    assert code == 0 and row["signature"]["state"] == "good"
    assert {f["file"] for f in row["files"]} >= {"m.1001.exr", "m.fields.safetensors"}
    code, told = asked(footagefit, str(folder))
    assert code == 0 and told["manifests"][0]["signature"]["state"] == "unknown key"
    footagefit("verify", f"keygen={tmp_path / 'other.pem'}")
    code, told = asked(footagefit, str(folder), f"key={tmp_path / 'other.pub.pem'}")
    assert code == 1 and told["manifests"][0]["signature"]["state"] == "unknown key"
    manifest = folder / "m.manifest.json"
    whole = json.loads(manifest.read_text())
    whole["job"]["controls"]["strength"] = 0.1  # the frames are as they were; what is said is not
    manifest.write_text(json.dumps(whole))
    code, out, _ = footagefit("verify", str(folder), f"key={public}")
    assert code == 1 and "changed: m.manifest.json" in out and "signature: bad" in out
    assert asked(footagefit, str(folder / "m.1001.exr"))[0] == 1, "nor does a single frame hold"
    assert footagefit(*words, f"sign={house}", "existing=replace")[0] == 0
    assert asked(footagefit, str(folder), f"key={public}")[0] == 0
    (folder / "m.signature.json").unlink()
    assert asked(footagefit, str(folder), f"key={public}")[0] == 1
    assert asked(footagefit, str(folder))[0] == 0


def test_chunks_are_signed_as_one(words, footagefit, tmp_path, house):
    code, out, err = footagefit(*words, "chunk=3", f"sign={house}")
    assert code == 0, err
    assert "signed by" in out
    assert asked(footagefit, str(tmp_path / "o"), f"key={house}")[0] == 0
    code, _, err = footagefit(*words, "job=openjd", f"sign={house}")
    assert code == 0, err
    steps = json.loads((tmp_path / "o" / "m.openjd.json").read_text())["steps"]
    signs = [f"sign={house}" in step["script"]["actions"]["onRun"]["args"] for step in steps]
    assert signs == [False, False, True]


def test_a_stopped_render_is_unfinished(words, footagefit, tmp_path):
    assert footagefit(*words)[0] == 0
    (tmp_path / "o" / ".m.manifest.journal").write_text("{}\n")
    code, out, _ = footagefit("verify", str(tmp_path / "o"))
    assert code == 1 and "unfinished" in out


def test_a_fit_that_is_gone_or_another_is_told(words, footagefit, tmp_path, fit):
    import shutil

    mine = shutil.copytree(fit, tmp_path / "mine")
    words[1] = f"fit={mine}"
    assert footagefit(*words)[0] == 0
    shutil.rmtree(mine)
    assert asked(footagefit, str(tmp_path / "o"))[1]["manifests"][0]["fit"]["today"] == "not here"
    make_fit(mine, seed=4)
    told = asked(footagefit, str(tmp_path / "o"))[1]["manifests"][0]
    assert told["fit"]["today"] == "another fit now" and told["as_made"]


@pytest.mark.filterwarnings("ignore::footagefit.errors.FootagefitWarning")
def test_a_base_that_ships_is_there(words, footagefit, tmp_path):
    words[1] = "fit=base/match"
    code, _, err = footagefit(*words)
    assert code == 0, err
    told = asked(footagefit, str(tmp_path / "o"))[1]["manifests"][0]["fit"]
    assert told["path"] == "base/match" and told["today"] == "there"


def test_what_convert_wrote_is_held_too(footagefit, shot, tmp_path):
    plate = shot(frames=range(1001, 1003))
    assert footagefit("convert", f"in={plate}", f"out={tmp_path / 'c' / 'c.####.png'}")[0] == 0
    code, out, _ = footagefit("verify", str(tmp_path / "c"))
    assert code == 0 and "without a fit" in out


def test_errors_are_one_line(footagefit, tmp_path, house):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.manifest.json").write_text(
        '{"frames": [{"file": "../../etc/passwd", "frame": 1, "sha256": "0"}], "job": {}}'
    )
    cases = [
        (["verify"], "verify takes a folder, or makes a key"),
        (["verify", str(tmp_path), f"keygen={tmp_path / 'k.pem'}"], "or makes a key"),
        (["verify", f"keygen={house}"], "a key is there already"),
        (["verify", str(tmp_path / "empty")], "no manifest there"),
        (["verify", str(tmp_path / "bad")], "not a manifest"),
        (["verify", str(tmp_path / "bad"), f"key={tmp_path / 'no.pem'}"], "cannot be read"),
    ]
    for words, expected in cases:
        code, _, err = footagefit(*words)
        assert code == 2 and expected in err and err.count("\n") == 1, words


def test_review_pictures_carry_content_credentials(words, footagefit, tmp_path, house):
    c2pa = pytest.importorskip("c2pa")
    words[4] = f"out={tmp_path / 'o' / 'm.####.png'}"
    code, out, err = footagefit(*words, "review=true", f"sign={house}", "output.space=srgb_texture")
    assert code == 0, err
    assert "content credentials in 5 files" in out
    folder = tmp_path / "o"
    code, told = asked(footagefit, str(folder), f"key={house}")
    row = told["manifests"][0]
    assert code == 0 and set(row["credentials"].values()) == {"valid"}
    assert {"m_review.mov", "m_before_after.jpg", "m.1001.png"} <= set(row["credentials"])
    with c2pa.Reader(str(folder / "m.1002.png")) as reader:
        store = json.loads(reader.json())
    said = store["manifests"][store["active_manifest"]]
    assert said["title"] == "m.1002.png"
    assert "thumbnail" not in said
    assert str(tmp_path) not in json.dumps(store), "no folder of the house goes out"
    before = (folder / "m.1002.png").read_bytes()
    assert footagefit(*words, "review=true", f"sign={house}", "output.space=srgb_texture")[0] == 0
    assert (folder / "m.1002.png").read_bytes() == before, "frames that carry theirs are kept"
    changed = bytearray(before)
    changed[-40] ^= 1
    (folder / "m.1002.png").write_bytes(changed)
    code, told = asked(footagefit, str(folder), f"key={house}")
    assert code == 1 and told["manifests"][0]["credentials"]["m.1002.png"] != "valid"


def test_without_c2pa_the_rest_is_signed(words, footagefit, tmp_path, house, monkeypatch):
    from footagefit.footage import credentials

    monkeypatch.setattr(credentials, "there", lambda: False)
    words[4] = f"out={tmp_path / 'o' / 'm.####.png'}"
    code, out, err = footagefit(*words, f"sign={house}", "output.space=srgb_texture")
    assert code == 0, err
    assert "footagefit[provenance]" in out
    assert asked(footagefit, str(tmp_path / "o"), f"key={house}")[0] == 0

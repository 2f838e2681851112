"""`footagefit ui`: what its page can ask for, without a browser."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from footagefit import cli, config
from footagefit.commands import ui as verb
from footagefit.commands.desk import Desk
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import SHOT, Link, Medium, Part, Shot, Slate
from footagefit.errors import FootagefitError
from footagefit.rendering.ask import Ask
from footagefit.verbs import VERBS
from night_fit import night_fit
from rendering_helpers import fit, reference, shot, stored

__all__ = ["fit", "reference", "shot"]


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    return night_fit(tmp_path_factory.mktemp("fits") / "night")


@pytest.fixture
def desk(night, shot):
    made = Desk(Ask(plate=shot(), fit=night), catalogue=None, long_px=64)
    yield made
    made.close()


def post(desk, name, **given):
    return desk.routes().done[name](json.loads(json.dumps(given)))


def seen(answer) -> np.ndarray:
    assert answer.kind == "image/jpeg"
    with Image.open(io.BytesIO(answer.body)) as opened:
        assert not opened.getexif() and "exif" not in opened.info
        return np.asarray(opened.convert("RGB")).astype(float)


def told(answer):
    return json.loads(answer.body)


def test_every_control_of_the_fit_is_there_with_its_range(desk, fit, shot):
    facts = desk.facts
    spec = desk.fit.task.spec
    assert [c["name"] for c in facts["controls"]] == list(spec.controls)
    found = {c["name"]: c for c in facts["controls"]}
    key = found["light.key_k"]
    assert (key["unit"], key["low"], key["high"]) == ("k", 2000, 15000)
    assert found["light.mode"]["choices"] == ["replace", "add"]
    assert facts["ball"] and facts["plate"]["frames"] == list(range(1001, 1007))
    other = Desk(Ask(plate=shot(), fit=fit), catalogue=None)
    assert not other.facts["ball"]
    assert {c["name"] for c in other.facts["controls"]} == set(other.fit.task.spec.controls)


def test_a_preview_is_small_and_follows_the_controls(desk):
    plate = seen(post(desk, "preview", frame=1002, what="plate"))
    assert plate.shape == (38, 64, 3)
    same = seen(post(desk, "preview", frame=1002, controls={}))
    assert np.abs(plate - same).max() == 0
    lit = seen(post(desk, "preview", frame=1002, controls={"light.by.key_ev": 2.0}))
    assert lit.mean() > plate.mean() + 5
    left = seen(post(desk, "preview", frame=1002, controls={"light.azimuth_deg": -80.0}))
    right = seen(post(desk, "preview", frame=1002, controls={"light.azimuth_deg": 80.0}))
    assert np.abs(left - right).mean() > 0.5
    dark = seen(post(desk, "preview", frame=1002, what="plate", exposure_ev=-3))
    assert dark.mean() < plate.mean() - 20


def test_keys_run_over_time_and_are_told_back(desk):
    keys = {"light.azimuth_deg": {"1001": -40, "1005": 40}}
    answer = told(post(desk, "at", frame=1003, controls=keys))
    assert answer["values"]["light.azimuth_deg"] == pytest.approx(0.0, abs=1e-6)
    assert {"light.azimuth_deg", "light.key_ev", "confidence"} <= set(answer["own"])


def test_what_cannot_be_is_one_line(desk):
    cases = [
        ({"frame": 999}, "the clip has frames 1001-1006"),
        ({"frame": "1001"}, "is not a frame number"),
        ({"frame": 1001, "what": "../plate"}, "known: plate, result, mask"),
        ({"frame": 1001, "controls": {"light.azimut_deg": 3}}, "light.azimuth_deg (-180..180 deg)"),
        ({"frame": 1001, "controls": {"light.azimuth_deg": 400}}, "is outside"),
        ({"frame": 1001, "controls": [1]}, "expected values by name"),
        ({"frame": 1001, "exposure_ev": "bright"}, "is not a number"),
    ]
    for given, expected in cases:
        with pytest.raises(FootagefitError, match=expected.replace("(", r"\(").replace(")", r"\)")):
            post(desk, "preview", **given)


def test_a_mask_is_chosen_seen_and_refused(desk, tmp_path, write_picture):
    half = np.zeros((48, 80, 1), np.float32)
    half[:, :40] = 1.0
    path = write_picture(tmp_path / "roto.exr", half, channels=["A"])
    assert told(post(desk, "mask", path=str(path)))["mask"] == str(path)
    mask = seen(post(desk, "preview", frame=1001, what="mask"))
    assert mask[:, :24].min() > 200 and mask[:, 40:].max() < 50
    made = seen(post(desk, "preview", frame=1001, controls={"light.by.key_ev": 2.0}))
    plate = seen(post(desk, "preview", frame=1001, what="plate"))
    assert np.abs(made - plate)[:, 40:].max() < 12 < np.abs(made - plate)[:, :20].max()
    wrong = write_picture(tmp_path / "small.exr", half[:24], channels=["A"])
    for bad, expected in ((wrong, "the mask is 80x24"), (tmp_path / "none.exr", "no such")):
        with pytest.raises(FootagefitError, match=expected):
            post(desk, "mask", path=str(bad))
    assert desk.state()["mask"] == str(path), "what does not hold changes nothing"
    assert told(post(desk, "mask", path=""))["mask"] is None


def words_of(line):
    """What bash and our command line make of a line."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True)
    words = done.stdout.split("\0")[2:-1]
    infer = {v.name: v for v in VERBS}["infer"]
    return config.compose("infer", cli._opened(infer, words))


def test_the_command_is_what_renders_the_same(desk, tmp_path, footagefit, night, shot):
    controls = {"light.azimuth_deg": {"1001": -40.0, "1005": 40.5}, "light.by.key_ev": 0.5,
                "light.mode": 1}  # fmt: skip
    line = told(post(desk, "command", controls=controls, frames="1001-1003"))["line"]
    assert line.startswith("footagefit infer fit=/")
    assert "light.azimuth_deg=1001:-40,1005:40.5" in line and "light.mode=add" in line
    assert "frames=1001-1003" in line and "temporal" not in line and "device" not in line
    assert words_of(line)["plate"] == str(desk.ask.plate)
    odd = tmp_path / "it's (1) $HOME"
    odd.mkdir()
    mine = Desk(Ask(plate=shot(), fit=night, out=odd / "a b.####.exr"), catalogue=None)
    line = told(post(mine, "command", controls=controls))["line"]
    assert words_of(line)["out"] == str(odd / "a b.####.exr")
    code, _, err = footagefit(*shlex.split(line)[1:])
    assert code == 0, err
    typed = stored(odd / "a b.1002.exr")[0]
    for file in odd.iterdir():
        file.unlink()
    post(mine, "render", controls=controls)
    waited(mine, "done")
    assert np.array_equal(stored(odd / "a b.1002.exr")[0], typed)


def test_a_relight_takes_a_reference_or_none(desk, reference):
    plain = seen(post(desk, "preview", frame=1001))
    assert told(post(desk, "reference", path=str(reference)))["reference"] == str(reference)
    beside = seen(post(desk, "preview", frame=1001))
    assert np.abs(beside - plain).mean() > 0.2
    assert told(post(desk, "reference", path=""))["reference"] is None
    assert np.array_equal(seen(post(desk, "preview", frame=1001)), plain)


def waited(desk, state):
    for _ in range(400):
        if desk.progress.state != "running":
            break
        time.sleep(0.05)
    assert desk.progress.state == state, desk.progress.plain()
    return desk.progress


def test_a_render_is_stopped_and_goes_on(night, shot, tmp_path):
    plate = shot(frames=range(1001, 1041), height=160, width=240)
    out = tmp_path / "o" / "m.####.exr"
    desk = Desk(Ask(plate=plate, fit=night, out=out, threads=1), catalogue=None)
    asked = {"controls": {"light.by.key_ev": 0.5}}
    post(desk, "render", **asked)
    with pytest.raises(FootagefitError, match="a render is under way"):
        post(desk, "render", **asked)
    while len(list((tmp_path / "o").glob("m.*.exr"))) < 2 and desk.progress.state == "running":
        time.sleep(0.01)
    post(desk, "stop")
    waited(desk, "stopped")
    there = len(list((tmp_path / "o").glob("m.*.exr")))
    assert 2 <= there < 40
    post(desk, "render", **asked)
    assert waited(desk, "done").total == 40 - there
    assert len(list((tmp_path / "o").glob("m.*.exr"))) == 40
    with pytest.raises(FootagefitError, match="not a frame range"):
        post(desk, "render", frames="all of them", **asked)
    (tmp_path / "o" / "m.manifest.json").unlink()
    post(desk, "render", **asked)
    assert "is not this job's" in waited(desk, "failed").error


@pytest.fixture
def catalogue(tmp_path, shot):
    """A show of two shots in one clip, with thumbnails."""
    shot("hero", frames=range(1001, 1009), gain=lambda n: 0.25 if n < 1005 else 2.0)
    parts = (Part(SHOT, 1001, 1004), Part(SHOT, 1005, 1008))
    medium = Medium("../hero/hero.####.exr", "sequence", "plate", state="scanned", width=80,
                    height=48, first_frame=1001, length=8, sample="half", space="ACEScg",
                    parts=parts, content="x")  # fmt: skip
    path = tmp_path / "work" / "catalogue.sqlite"
    with Catalogue(path, write=True) as kept, kept.change() as db:
        number = kept.put_medium(db, medium)
        shots = []
        for n, first in enumerate((1001, 1005)):
            link = Link(medium.path, "plate", first, first + 3, 0, number)
            slate = Slate("12A", str(n + 1), "A")
            shots.append(Shot(f"12A_T{n + 1}", slate, "12", "12A", first, first + 3, (link,)))
        kept.replace_shots(db, shots)
        jpeg = io.BytesIO()
        Image.new("RGB", (32, 18), (90, 60, 40)).save(jpeg, "JPEG")
        db.execute(
            "INSERT INTO thumbnails (medium, part, frame, jpeg, hashes, layout) "
            "VALUES (?, 0, 1002, ?, x'', x'')",
            (number, jpeg.getvalue()),
        )
    return path


def test_a_match_waits_for_a_reference_from_the_catalogue(fit, shot, catalogue):
    desk = Desk(Ask(plate=shot(), fit=fit), catalogue=catalogue, long_px=64)
    assert not desk.state()["ready"]
    with pytest.raises(FootagefitError, match="there is no reference yet"):
        post(desk, "preview", frame=1001)
    shots = told(desk.routes().seen["shots"]({}))["shots"]
    assert [s["name"] for s in shots] == ["12A_T1", "12A_T2"] and shots[0]["slate"] == "12A/1/A"
    assert seen(desk.routes().seen["thumbnail"]({"shot": "12A_T1"})).shape == (18, 32, 3)
    for name in ("12A_T9", "../../etc/passwd", ""):
        with pytest.raises(FootagefitError, match="unknown shot"):
            desk.routes().seen["thumbnail"]({"shot": name})
    made = []
    for name, frames in (("12A_T1", "1001-1004"), ("12A_T2", "1005-1008")):
        state = told(post(desk, "reference", shot=name))
        assert state["ready"] and state["reference_frames"] == frames
        made.append(seen(post(desk, "preview", frame=1001)))
        line = told(post(desk, "command"))["line"]
        assert words_of(line)["reference_frames"] == frames
    assert np.abs(made[0] - made[1]).mean() > 1.0, "each shot's own frames are looked at"
    with pytest.raises(FootagefitError, match="match needs a reference"):
        post(desk, "reference", path="")
    with pytest.raises(FootagefitError, match="no such"):
        post(desk, "reference", path="/nowhere/x.mov")
    assert desk.state()["reference"].endswith("hero.####.exr")


def test_the_page_holds_no_markup_of_names(night, shot, monkeypatch):
    desk = Desk(Ask(plate=shot(), fit=night), catalogue=None)
    desk.facts["plate"]["name"] = "</script><img src=x onerror=alert(1)>"
    page = verb.routes_of(desk).seen[""]({}).body.decode()
    assert "<img src=x" not in page and "https://" not in page


def test_it_ends_with_the_terminal(night, shot):
    words = [sys.executable, "-m", "footagefit.cli", "ui", f"fit={night}", f"plate={shot()}",
             "size_px=160"]  # fmt: skip
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's & turns it off
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as running:  # fmt: skip
        try:
            assert running.stdout is not None
            address = running.stdout.readline().strip()
            with urllib.request.urlopen(address) as page:
                assert b'id="ball"' in page.read()
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=90)
        finally:
            running.kill()
    assert running.returncode == 0 and "ended" in out and not err.strip()


def test_errors_are_told_before_a_page_is_served(footagefit, night, shot, tmp_path):
    plate = shot()
    for more, expected in (
        ([f"fit={tmp_path}/none"], "no fit there"),
        ([f"fit={night}", "size_px=9000"], "size_px: 9000 is outside"),
        ([f"fit={night}", "light.azimuth_deg=900"], "is outside"),
        ([f"fit={night}", "strenght=1"], "unknown control"),
        ([f"fit={night}", "port=70000"], "port 70000 cannot be had"),
    ):
        code, _, err = footagefit("ui", f"plate={plate}", *more)
        assert code == 2 and expected in err and err.count("\n") == 1, err

"""Dailies as a production would hand them over, against what is on record of them."""

import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest
import torch

from footagefit.dailies.show import load_show
from footagefit.errors import (
    AlreadyThere,
    DiskFull,
    FootagefitError,
    UnknownName,
    WrongValue,
)
from footagefit.footage.opening import open_clip
from footagefit.footage.timecode import frames_of
from footagefit.footage.timeline import read_timeline
from footagefit.soundstage import crew, delivery, truth
from footagefit.soundstage.filming import Filmed
from footagefit.soundstage.plan import RATE
from footagefit.soundstage.schedule import room_for, schedule
from footagefit.soundstage.script import write_script
from footagefit.soundstage.specs import SetUp

SCRIPT = write_script("small", 0)


class Ramp:
    """Frames that cost nothing."""

    def __init__(self, setup: SetUp, size_px: tuple[int, int]) -> None:
        self.setup, self.size_px = setup, size_px

    def frame(self, time_s: float, *, truth: bool = True) -> Filmed:
        height, width = self.size_px
        y, x = torch.meshgrid(
            torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij"
        )
        image = torch.stack([0.05 + 0.2 * x, 0.05 + 0.2 * y, 0.15 + 0 * x])
        disc = ((x - 0.2 - time_s) ** 2 + (y - 0.5) ** 2 < 0.01).float()
        layers = {"depth": 2.0 - disc[None]} if truth else {}
        return Filmed(image * (1 - disc) + 0.1 * disc, layers, self.setup.light)


def ramp(setup: SetUp, size_px: tuple[int, int]) -> Ramp:
    """The stand-in for `crew.on_stage`."""
    return Ramp(setup, size_px)


def shoot(out, script=SCRIPT):
    return list(crew.shoot(script, out, film=ramp))


def hashes(out):
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in out.rglob("*")
        if p.is_file()
    }


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    out = tmp_path_factory.mktemp("shot") / "show"
    shoot(out)
    return out


def faulty(kind):
    return next(t for t in SCRIPT.takes if t.fault and t.fault.kind == kind)


def test_files_are_named_as_planned_and_nothing_else_is_there(show):
    movies = {p.relative_to(show).as_posix() for p in show.rglob("*.mov")}
    assert movies == {f"{t.roll}/{t.clip}.mov" for t in SCRIPT.takes}
    folders = {p.name for p in (show / "plates").iterdir()}
    assert folders == {t.plate for t in SCRIPT.takes if t.plate}
    assert not list(show.rglob("*.part*")) and not list(show.rglob("*.manifest*"))
    assert (show / "contact.jpg").stat().st_size > 1000


def test_proxies_carry_their_length_timecode_and_tags(show):
    for take in SCRIPT.takes:
        if take.fault and take.fault.kind == "corrupt":
            continue
        with open_clip(delivery.proxy_path(show, take)) as clip:
            assert clip.info.length == take.length
            assert clip.info.timecode == take.timecode
            assert clip.info.rate == RATE and clip.info.sample == "uint8"


def test_the_corrupt_file_does_not_open_and_its_neighbours_do(show):
    with (
        pytest.raises(FootagefitError),
        open_clip(delivery.proxy_path(show, faulty("corrupt"))) as clip,
    ):
        clip.read([clip.info.first_frame])


def test_exposure_on_record_is_in_the_plate(show):
    take = faulty("exposure")
    assert take.fault is not None
    hero = SCRIPT.takes[0]
    level = []
    for one in (hero, take):
        with open_clip(delivery.plate_path(show, one)) as clip:
            level.append(float(clip.read([1002]).rgb_TCHW.mean()))
    assert math.log2(level[1] / level[0]) == pytest.approx(take.fault.size, abs=0.1)


def test_dropped_frames_are_gaps_in_the_plate_and_on_record(show):
    take = faulty("dropped")
    assert take.fault is not None
    with open_clip(delivery.plate_path(show, take), missing="black") as clip:
        assert list(clip.info.missing) == [1001 + m for m in take.fault.frames]
        assert clip.info.metadata["reel"] == take.clip


def test_plate_timecode_is_the_proxys_at_the_first_action_frame(show):
    take = SCRIPT.takes[0]
    with open_clip(delivery.plate_path(show, take)) as clip:
        start = frames_of(clip.info.timecode or "", RATE) - frames_of(take.timecode, RATE)
    assert start == take.first_action


def test_slates_are_where_the_record_says(show):
    take = SCRIPT.takes[0]
    shot = truth.read_json(show / "truth" / take.shot / "shot.json")
    with open_clip(delivery.proxy_path(show, take)) as clip:
        frames = clip.read(clip.numbers).rgb_TCHW
    first = clip.info.first_frame
    paper = [float((f.amin(0) > 0.6).float().mean()) for f in frames]  # the ramp ends at 0.45
    said = {n - 1 for n in shot["frames"]["slate"]}
    assert first + shot["frames"]["action_first"] - 1 == first + take.first_action
    slated = {i for i, share in enumerate(paper) if share > 0.2}
    assert slated == said


def test_logs_and_cut_read_back(show):
    events = read_timeline(show / "A001" / "A001.ale")
    assert [e.name for e in events] == [t.clip for t in SCRIPT.takes]
    for event, take in zip(events, SCRIPT.takes, strict=True):
        assert event.source_in == frames_of(take.timecode, RATE)
        assert (event.scene, event.take) == (take.scene, str(take.number))
        assert event.length == take.length
    for name in ("rough_v001.edl", "rough_v001.otio"):
        cut = read_timeline(show / "cut" / name)
        assert [e.length for e in cut] == [c.frames for c in SCRIPT.cut]
        assert cut[0].cdl is not None and cut[0].record_in == 86400


def test_truth_reads_back_and_the_show_loads(show):
    take = SCRIPT.takes[0]
    number = 1 + take.first_action + take.truth[0]
    known = truth.read(show, take.shot, number)
    assert known.layers["depth"].shape == (1, *SCRIPT.size_px)
    plan = truth.read_json(show / "truth" / "show.json")
    assert [f["kind"] for f in plan["faults"]] == [f.kind for f in SCRIPT.faults]
    loaded = load_show(show / "show.yaml")
    assert loaded.seed == 0 and all(root.is_dir() for root in loaded.roots)


def test_the_same_seed_gives_the_same_bytes(show, tmp_path):
    shoot(tmp_path / "again")
    assert hashes(show) == hashes(tmp_path / "again")


def test_a_killed_stage_goes_on_and_ends_the_same(show, tmp_path):
    out, shots = tmp_path / "killed", []

    def failing(setup, size_px):
        shots.append(setup)
        if len(shots) == 3:
            raise KeyboardInterrupt
        return ramp(setup, size_px)

    with pytest.raises(KeyboardInterrupt):
        list(crew.shoot(SCRIPT, out, film=failing))
    (out / "A001" / f"{SCRIPT.takes[1].clip}.mov").write_bytes(b"half")
    again = []

    def counting(setup, size_px):
        again.append(setup)
        return ramp(setup, size_px)

    list(crew.shoot(SCRIPT, out, film=counting))
    assert len(again) == len(SCRIPT.takes) - 1
    assert hashes(show) == hashes(out)


def test_ctrl_c_is_said_once_and_at_once(tmp_path):
    """As a terminal does: everything in the foreground hears it."""
    words = [sys.executable, "-m", "footagefit.cli", "stage", f"out={tmp_path / 'show'}",
             "preset=demo", "workers=2"]  # fmt: skip
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's & turns it off
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard,
        start_new_session=True,
    ) as running:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "show" / "truth").is_dir() and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(1.0)  # workers are at their imports, or at work
            os.killpg(running.pid, signal.SIGINT)
            _, err = running.communicate(timeout=20)
        finally:
            running.kill()
    assert running.returncode == 130 and "Traceback" not in err, err
    assert err.strip().splitlines()[-1].startswith("stopped; "), err


def test_a_foreign_folder_and_another_show_are_refused(show, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AlreadyThere, match="holds no staged show"):
        shoot(tmp_path)
    with pytest.raises(AlreadyThere, match="another show"):
        shoot(show, write_script("small", 1))
    assert json.loads((show / "truth" / "show.json").read_text())["seed"] == 0


def test_a_soundstage_take_is_delivered_whole(tmp_path):
    tiny = replace(SCRIPT, size_px=(36, 64), takes=SCRIPT.takes[:1], cut=SCRIPT.cut[:1])
    list(crew.shoot(tiny, tmp_path / "real"))
    take = tiny.takes[0]
    known = truth.read(tmp_path / "real", take.shot, 1 + take.first_action + take.truth[0])
    assert {"albedo", "normals", "light.key.direct"} <= set(known.layers)


def test_a_scene_alone_can_be_shot_and_the_rest_later(tmp_path):
    script = replace(write_script("brief", 0), size_px=(72, 128))
    out, shots = tmp_path / "parts", []

    def counting(setup, size_px):
        shots.append(setup)
        return ramp(setup, size_px)

    first = list(crew.shoot(script, out, film=counting, scene="27"))
    assert {t.scene for t in first} == {"27"} and len(shots) == len(first)
    assert {p.stem for p in out.rglob("*.mov")} == {t.clip for t in first}
    events = read_timeline(out / "A001" / "A001.ale")
    assert [e.name for e in events] == [t.clip for t in first if t.roll == "A001"]
    rest = list(crew.shoot(script, out, film=counting))
    assert len(rest) == len(shots) == len(script.takes)
    whole = tmp_path / "whole"
    list(crew.shoot(script, whole, film=ramp))
    assert hashes(whole) == hashes(out)
    with pytest.raises(UnknownName, match="12, 27, 42, 57"):
        list(crew.shoot(script, out, film=ramp, scene="13"))


def test_truth_can_be_asked_for_on_every_frame():
    every = write_script("small", 0, truth_every=1)
    assert all(take.truth == take.moments for take in every.takes)
    with pytest.raises(WrongValue, match="truth_every=0"):
        write_script("small", 0, truth_every=0)
    for take, other in zip(every.takes, SCRIPT.takes, strict=True):
        assert replace(take, truth=()) == replace(other, truth=())


def test_what_a_show_asks_for_grows_with_it_and_must_fit_the_disk(tmp_path, monkeypatch):
    small = schedule(SCRIPT, film=ramp, workers=1)
    every = schedule(write_script("small", 0, truth_every=1), film=ramp, workers=1)
    assert every.truths > small.truths and every.size_bytes > small.size_bytes > 0
    assert "on this machine" in str(small)
    room_for(tmp_path / "new", small)
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(DiskFull, match="truth_every="):
        room_for(tmp_path / "new", small)
    room_for(tmp_path / "new", small, there=small.size_bytes)

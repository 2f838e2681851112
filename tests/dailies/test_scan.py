"""Scanning: what is found, skipped, carried on after, and what a kill leaves behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dailies_footage import examine_or_abort, shot, show_of, write_movie
from footagefit.dailies import database, scan
from footagefit.dailies.database import Catalogue, still_whole
from footagefit.dailies.entries import DROPPED, SHORT, TRUNCATED, Medium
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show
from footagefit.errors import UnreadableClip, UsageError
from footagefit.footage.timeline import Event, write_timeline

SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(scope="module")
def scanned(dailies: Path, tmp_path_factory: pytest.TempPathFactory) -> Show:
    show = show_of(dailies, tmp_path_factory.mktemp("work"))
    scan_show(show, workers=0)
    return show


def test_shots_slates_set_ups_and_bad_clips(scanned: Show) -> None:
    with Catalogue(scanned.catalogue) as catalogue:
        shots = {s.name: s for s in catalogue.shots()}
        media = {Path(m.path).name: m for m in catalogue.media()}
    assert set(shots) == {"42A_T1_A", "42A_T2_A", "42B_T1_A", "43_T1_A", "44_T1_A"}
    first = shots["42A_T1_A"]
    start = 24 * 3600  # the first frame is the timecode's
    assert (first.first, first.last) == (start + 10, start + 39)  # the slate is left out
    assert (first.slate.scene, first.slate.take, first.slate.camera) == ("42A", "1", "A")
    assert first.setup == shots["42A_T2_A"].setup != shots["42B_T1_A"].setup
    assert first.scene == shots["42B_T1_A"].scene == "42"
    assert media["44_T2_A.mov"].state == "bad"
    assert media["44_T2_A.mov"].flags == (TRUNCATED,) or media["44_T2_A.mov"].problem
    difference = (shots["42A_T2_A"].exposure_ev or 0) - (first.exposure_ev or 0)
    assert difference == pytest.approx(2.4 * np.log2(0.7), abs=0.3)  # gain on codes of gamma 2.4


def test_paths_are_relative_and_nothing_is_written_into_dailies(
    scanned: Show, dailies: Path
) -> None:
    with Catalogue(scanned.catalogue) as catalogue:
        assert all(not os.path.isabs(m.path) for m in catalogue.media())
    assert sorted(p.suffix for p in dailies.rglob("*") if p.is_file()) == [".mov"] * 6 + [".txt"]


def test_unchanged_clips_are_skipped_changed_ones_are_not(dailies: Path, tmp_path: Path) -> None:
    root = tmp_path / "roots"
    shutil.copytree(dailies, root)
    show = show_of(root, tmp_path / "work")
    assert scan_show(show, workers=0).looked_at == 6
    assert scan_show(show, workers=0).looked_at == 0
    os.utime(root / "A002/43_T1_A.mov")  # another time, the same content
    assert scan_show(show, workers=0).looked_at == 0
    write_movie(root / "A002/43_T1_A.mov", shot(9, 15))
    (root / "A001/42B_T1_A.mov").rename(root / "A002/42B_T1_A.mov")  # moved, not new
    (root / "A002/44_T1_A.mov").unlink()
    summary = scan_show(show, workers=0)
    assert (summary.looked_at, summary.gone) == (1, 1)
    with Catalogue(show.catalogue) as catalogue:
        shots = {s.name: s for s in catalogue.shots()}
    assert "44_T1_A" not in shots
    assert "42B_T1_A" in shots
    assert shots["43_T1_A"].length == 15


def test_processes_and_one_process_agree(scanned: Show, dailies: Path, tmp_path: Path) -> None:
    other = show_of(dailies, tmp_path / "deep" / "work")
    scan_show(other, workers=2)
    with Catalogue(scanned.catalogue) as one, Catalogue(other.catalogue) as two:
        assert [s.name for s in one.shots()] == [s.name for s in two.shots()]
        assert [m.parts for m in one.media()] == [m.parts for m in two.media()]


def test_proxy_original_and_plate_are_one_shot(tmp_path: Path, write_picture) -> None:
    root = tmp_path / "show"
    frames = shot(5, 24)
    name = "A001C003_241103_R1AB"
    write_movie(root / f"proxy/{name}.mov", frames, timecode="01:00:00:00")
    for index, frame in enumerate(frames[4:20]):
        linear = (frame.astype(np.float32) / 255) ** 2.4
        tc = (1 << 24) | (
            index + 4 if index + 4 < 10 else ((index + 4) // 10 << 4) + (index - 6) % 10
        )
        (root / "plates").mkdir(parents=True, exist_ok=True)
        attributes = {
            "smpte:TimeCode": ("timecode", (tc, 0)),
            "FramesPerSecond": ("rational", (24, 1)),
        }
        path = root / f"plates/{name}.{1001 + index:04d}.exr"
        write_picture(path, linear.astype(np.float16), attributes=attributes)
    write_timeline(
        root / "log.ale",
        [Event(name, "A001", 24 * 3600, 24 * 3600 + 24, scene="42A", take="3", camera="A")],
    )
    show = Show(name="t", roots=(root,), work=tmp_path / "w", space="lin_rec709")
    scan_show(show, workers=0)
    with Catalogue(show.catalogue) as catalogue:
        (found,) = catalogue.shots()
    assert [link.role for link in found.links] == ["proxy", "plate"]
    plate = found.links[1]
    assert (plate.first, plate.last) == (1001, 1016)
    assert plate.first - plate.shift == found.first + 4  # timecode places it
    assert (found.slate.scene, found.slate.take, found.slate.camera) == ("42A", "3", "A")


def test_a_shot_too_short_for_its_cut_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "show"
    write_movie(root / "42_T1_A.mov", shot(5, 24), timecode="01:00:00:00")
    start = 24 * 3600
    write_timeline(
        root / "rough.edl",
        [Event("42_T1_A", "42_T1_A", start + 4, start + 30, record_in=0, record_out=26)],
    )
    show = show_of(root, tmp_path / "w")
    scan_show(show, workers=0)
    with Catalogue(show.catalogue) as catalogue:
        assert catalogue.shots()[0].flags == (SHORT,)
        (problem,) = catalogue.rows("SELECT what FROM problems WHERE kind = 'short'")
    assert "6 at the tail" in problem["what"]


def test_marks_outlive_a_rescan_and_keep_a_clip_from_trainers(
    dailies: Path, tmp_path: Path
) -> None:
    from footagefit.commands.shots import shots as shots_verb
    from footagefit.dailies.data import usable

    show = show_of(dailies, tmp_path / "w")
    scan_show(show, workers=0)
    yaml = tmp_path / "show.yaml"
    yaml.write_text(f"roots: [{dailies}]\nwork: {tmp_path / 'w'}\nspace: g24_rec709\n")
    common = {"scene": None, "side": None, "sheet": None, "frames": 1, "columns": 4, "note": ""}
    shots_verb(show=yaml, clip="42A_T2*", as_="json", train="no", approved_by=None, **common)
    for _ in range(2):
        with Catalogue(show.catalogue) as catalogue:
            withdrawn = [s.name for s in catalogue.shots() if not usable(s)]
        assert withdrawn == ["42A_T2_A"]
        scan_show(show, workers=0, again=True)


def test_a_clip_that_kills_its_decoder_is_listed_and_the_scan_goes_on(
    dailies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "roots"
    shutil.copytree(dailies, root)
    (root / "A002/44_T1_A.mov").rename(root / "A002/deadly_44_T1_A.mov")
    monkeypatch.setattr(scan, "examine", examine_or_abort)
    show = show_of(root, tmp_path / "work")
    summary = scan_show(show, workers=2)
    assert (summary.looked_at, summary.bad) == (6, 2)
    with Catalogue(show.catalogue) as catalogue:
        media = {Path(m.path).name: m for m in catalogue.media()}
        names = {s.name for s in catalogue.shots()}
    assert media["deadly_44_T1_A.mov"].state == "bad"
    assert "crashed" in media["deadly_44_T1_A.mov"].problem
    assert names == {"42A_T1_A", "42A_T2_A", "42B_T1_A", "43_T1_A"}


def test_a_surprise_in_one_clip_is_listed(
    dailies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from footagefit.dailies import leaders

    def surprised(*_: object, **__: object) -> None:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(leaders, "parts_of", surprised)
    show = show_of(dailies, tmp_path / "work")
    assert scan_show(show, workers=0).bad == 6
    with Catalogue(show.catalogue) as catalogue:
        assert any("ZeroDivisionError" in m.problem for m in catalogue.media())


# -- the file -------------------------------------------------------------------------------------


def test_one_writer_many_readers(scanned: Show, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    shutil.copy(scanned.catalogue, path)

    def read(_: int) -> int:
        with Catalogue(path) as reader:
            return len(reader.media())

    with Catalogue(path, write=True) as writer:
        with pytest.raises(UsageError, match="another scan is writing"):
            Catalogue(path, write=True)
        with ThreadPoolExecutor(6) as pool:
            counts = [pool.submit(read, n) for n in range(24)]
            for n in range(40):
                with writer.change() as db:
                    writer.put_medium(db, Medium(path=f"new/{n}.mov"))
            assert all(6 <= c.result() <= 46 for c in counts)
        with Catalogue(path) as reader, pytest.raises(UsageError, match="reading only"):
            reader.change().__enter__()
    with Catalogue(path, write=True):
        pass  # the lock was let go


def test_a_change_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.sqlite", write=True) as catalogue:
        with pytest.raises(RuntimeError), catalogue.change() as db:
            catalogue.put_medium(db, Medium(path="a.mov"))
            raise RuntimeError
        assert catalogue.media() == []


def test_migration_keeps_rows_and_versions_are_told_apart(
    scanned: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.sqlite"
    shutil.copy(scanned.catalogue, path)
    with Catalogue(path) as before:
        names = [s.name for s in before.shots()]
    newer = [*database.MIGRATIONS, ["ALTER TABLE media ADD COLUMN lens TEXT NOT NULL DEFAULT ''"]]
    broken = [*database.MIGRATIONS, [newer[-1][0], "ALTER TABLE nowhere ADD COLUMN x"]]
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(Exception, match="nowhere"):
        Catalogue(path, write=True)
    monkeypatch.setattr(database, "MIGRATIONS", newer)
    with pytest.raises(UsageError, match="older version"):
        Catalogue(path)
    with Catalogue(path, write=True) as after:
        assert [s.name for s in after.shots()] == names
        assert after.rows("SELECT lens FROM media")[0]["lens"] == ""
    monkeypatch.undo()
    with pytest.raises(UsageError, match="Update footagefit"):
        Catalogue(path)


def test_a_file_that_is_no_catalogue_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"not a database, whatever its name says" * 30)
    with pytest.raises(UnreadableClip, match="not a readable catalogue"):
        Catalogue(tmp_path / "c.sqlite")
    with pytest.raises(UsageError, match="no catalogue yet"):
        Catalogue(tmp_path / "none.sqlite")


# -- kills ----------------------------------------------------------------------------------------

_SCAN = """
import sys
from pathlib import Path
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show
if __name__ == "__main__":
    root, work = map(Path, sys.argv[1:3])
    show = Show(name="t", roots=(root,), work=work, space="g24_rec709")
    scan_show(show, workers=int(sys.argv[3]))
"""


def test_a_killed_scan_ends_where_an_undisturbed_one_does(dailies: Path, tmp_path: Path) -> None:
    script = tmp_path / "scan.py"
    script.write_text(_SCAN)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    calm = show_of(dailies, tmp_path / "calm")
    began = time.monotonic()
    subprocess.run([sys.executable, script, dailies, calm.work, "0"], env=environment, check=True)
    whole_s = time.monotonic() - began
    show = show_of(dailies, tmp_path / "hurt")
    rng = random.Random(4)
    for _ in range(5):
        command = [sys.executable, script, dailies, show.work, "0"]
        child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            child.wait(rng.uniform(0.4, 0.9) * whole_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        if show.catalogue.exists():
            assert still_whole(show.catalogue)
    scan_show(show, workers=0)
    with Catalogue(calm.catalogue) as one, Catalogue(show.catalogue) as two:
        assert one.dump() == two.dump()


def test_a_file_with_fewer_frames_than_its_log_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "show"
    name = "A001C003_241103_R1AB"
    write_movie(root / f"{name}.mov", shot(5, 20), timecode="01:00:00:00")
    start = 24 * 3600
    write_timeline(root / "day.ale", [Event(name, "A001", start, start + 24, scene="7", take="2")])
    show = show_of(root, tmp_path / "w")
    scan_show(show, workers=0)
    with Catalogue(show.catalogue) as catalogue:
        (found,) = catalogue.shots()
        assert found.flags == (DROPPED,)
        (problem,) = catalogue.rows("SELECT what FROM problems")
    assert problem["what"] == "the log counts 24 frames, it holds 20"
    assert (found.slate.scene, found.slate.take) == ("7", "2")


def test_a_plate_named_by_its_scene_does_not_contradict_its_set_up(tmp_path: Path) -> None:
    root = tmp_path / "show"
    write_movie(root / "sc042_t01_a.mov", shot(5, 20), timecode="01:00:00:00")
    start = 24 * 3600
    logged = Event("sc042_t01_a", "A001", start, start + 20, scene="42A", take="1")
    write_timeline(root / "day.ale", [logged])
    show = show_of(root, tmp_path / "w")
    scan_show(show, workers=0)
    with Catalogue(show.catalogue) as catalogue:
        (found,) = catalogue.shots()
        assert (found.slate.scene, found.scene) == ("42A", "42")
        assert catalogue.rows("SELECT * FROM problems") == []

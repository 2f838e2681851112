"""Logs and cuts: read as others write them, and back as they were."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from footagefit.errors import AlreadyThere, UnreadableClip, WrongValue
from footagefit.footage.timeline import CDL, Event, read_timeline, write_timeline

EDL = """TITLE: rough cut
FCM: NON-DROP FRAME

001  A001C003 V     C        01:00:00:00 01:00:02:00 10:00:00:00 10:00:02:00
* FROM CLIP NAME: 42A_T3_A
* ASC_SOP (1.1 1.0 0.9)(0.01 0.0 -0.01)(1.0 1.0 1.2)
* ASC_SAT 0.9
* SOURCE FILE: A001C003_241103_R1AB.mov
* SCENE: 42A
002  A001C004 V     C        01:10:00:00 01:10:03:00 10:00:03:00 10:00:06:00
* FROM CLIP NAME: 42B_T1_A
"""
ALE = """Heading
FIELD_DELIM\tTABS
VIDEO_FORMAT\t1080
FPS\t23.976

Column
Name\tTape\tStart\tEnd\tScene\tTake\tCamera\tLens\tASC_SOP\tASC_SAT

Data
A001C003\tA001\t01:00:00:00\t01:00:02:00\t42A\t3\tA\t35mm\t(1 1 1)(0 0 0)(1 1 1)\t0.8\t
"""


def test_an_edl_gives_reel_ranges_slate_and_grade(tmp_path: Path) -> None:
    (tmp_path / "rough.edl").write_text(EDL, encoding="utf-8")
    first, second = read_timeline(tmp_path / "rough.edl")
    assert (first.reel, first.name, first.scene) == ("A001C003", "42A_T3_A", "42A")
    assert (first.source_in, first.source_out) == (86400, 86448)  # outs are exclusive
    assert (first.record_in, first.record_out) == (864000, 864048)
    assert first.source_file == "A001C003_241103_R1AB.mov"
    assert first.cdl == CDL((1.1, 1.0, 0.9), (0.01, 0.0, -0.01), (1.0, 1.0, 1.2), 0.9)
    assert (second.record_in, second.length, second.cdl) == (864072, 72, None)


def test_an_ale_gives_slate_rate_and_other_columns(tmp_path: Path) -> None:
    (tmp_path / "log.ale").write_bytes(ALE.replace("\n", "\r\n").encode("cp1252"))
    (event,) = read_timeline(tmp_path / "log.ale")
    assert (event.scene, event.take, event.camera, event.reel) == ("42A", "3", "A", "A001")
    assert event.rate == Fraction(24000, 1001)
    assert (event.source_in, event.length) == (86400, 48)
    assert event.fields["Lens"] == "35mm"
    assert event.cdl == CDL(saturation=0.8)


@pytest.mark.parametrize("suffix", [".edl", ".otio", ".ale"])
@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(24000, 1001)])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    events = [
        Event("42A_T3_A", "A001C003_241103_R1AB", 86400, 86448, 1000, 1048, rate, "42A", "3", "A",
              "a.mov", CDL((1.1, 1.0, 0.9), (0.01, 0.0, -0.01), (1.0, 1.0, 1.2), 0.9)),
        Event("12_3_T1_B", "B001C001_241103_R1AB", 90000, 90010, 1060, 1070, rate, "12_3", "1",
              "B"),
    ]  # fmt: skip
    path = write_timeline(tmp_path / f"cut{suffix}", events)
    back = read_timeline(path, rate=rate)
    for was, now in zip(events, back, strict=True):
        same = ("name", "reel", "source_in", "source_out", "scene", "take", "camera", "cdl", "rate")
        assert [getattr(was, n) for n in same] == [getattr(now, n) for n in same]
        if suffix != ".ale":
            assert (was.record_in, was.record_out) == (now.record_in, now.record_out)


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    event = Event("a", "A001", 0, 10)
    write_timeline(tmp_path / "a.otio", [event])
    with pytest.raises(AlreadyThere):
        write_timeline(tmp_path / "a.otio", [event])
    with pytest.raises(WrongValue, match="overlaps"):
        late = Event("b", "A001", 0, 10, record_in=5, record_out=15)
        first = Event("a", "A001", 0, 10, record_in=0, record_out=10)
        write_timeline(tmp_path / "b.otio", [first, late])
    with pytest.raises(UnreadableClip, match="no such timeline"):
        read_timeline(tmp_path / "none.edl")
    (tmp_path / "bad.edl").write_text("001  AX V C 01:00 junk\n")
    with pytest.raises(UnreadableClip, match="not a readable timeline"):
        read_timeline(tmp_path / "bad.edl")

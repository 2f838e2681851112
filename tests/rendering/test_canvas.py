"""How large an extended picture gets, what of the plate lies where, and when."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from footagefit.errors import FootagefitError
from footagefit.records import Box, ClipInfo
from footagefit.rendering.canvas import Canvas, Extend, Timeline

PLATE = Box(0, 0, 1920, 1080)


def info(display: Box = PLATE, raster: Box | None = None, **more) -> ClipInfo:
    about = {"first_frame": 1001, "length": 10, "rate": Fraction(24), "sample": "half"} | more
    return ClipInfo(Path("p.####.exr"), raster or display, display, raster or display,
                    space="ACEScg", **about)  # fmt: skip


def test_sides_grow_the_display_window_and_keep_its_corner():
    canvas = Canvas(info(), Extend(left=256, bottom=10))
    assert canvas.display == canvas.raster == Box(0, 0, 2176, 1090)
    assert canvas.placing(1001) == (-256, 0, 1.0)
    assert canvas.placing(1001).whole


def test_an_aspect_adds_what_lacks_evenly():
    wide = Canvas(info(), Extend(aspect=2.39))
    assert wide.display.width == 2582 and wide.display.height == 1080
    assert wide.placing(1001).x == -331
    tall = Canvas(info(), Extend(aspect=1.5))
    assert tall.display[2:] == (1920, 1280)
    squeezed = Canvas(info(Box(0, 0, 1000, 1000), pixel_aspect=2.0), Extend(aspect=2.4))
    assert squeezed.display[2:] == (1200, 1000)


def test_overscan_leaves_the_display_window():
    canvas = Canvas(info(), Extend(overscan=64))
    assert canvas.display == PLATE
    assert canvas.raster == Box(-64, -64, 2048, 1208)
    assert canvas.info([1001]).data == canvas.raster


def test_overscan_of_the_plate_is_used_before_any_is_made():
    canvas = Canvas(info(raster=Box(-100, 0, 2020, 1080)), Extend(left=64))
    assert canvas.display == Box(0, 0, 1984, 1080)
    assert canvas.raster == Box(-36, 0, 2020, 1080)
    assert canvas.placing(1001) == (0, 0, 1.0)


def test_a_box_is_followed_by_frame():
    canvas = Canvas(info(), Extend(reframe="1001:0,0,1920,1080,1011:96,54,960,540", overscan=10))
    assert canvas.display == PLATE and canvas.raster.width == 1940
    assert canvas.placing(1001) == (-10, -10, 1.0)
    assert canvas.placing(1011) == (91, 49, 0.5)
    still = Canvas(info(), Extend(reframe="12.5,-3"))
    assert still.placing(1005) == (12.5, -3, 1.0) and not still.placing(1005).whole


def test_a_box_comes_from_a_tracker_s_file(tmp_path):
    (tmp_path / "track.csv").write_text("frame,x,y\n1001,0,0\n1003,8,-4\n")
    canvas = Canvas(info(), Extend(reframe=str(tmp_path / "track.csv")))
    assert canvas.placing(1003)[:2] == (8, -4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"left": -1}, "extend.left: -1 is below 0"),
        ({"aspect": 0.01}, "extend.aspect: 0.01 is outside"),
        ({"retime": 0}, "extend.retime: 0 is outside"),
        ({"reframe": "1001:1,2,3"}, "is no box"),
        ({"reframe": "1001:a,b"}, "is no box"),
        ({"reframe": "0,0,1000,1000"}, "another shape than the plate"),
        ({"reframe": "0,0", "left": 3}, "extend.reframe says what is shown"),
        ({"left": 9000}, "the picture would be 10920 pixels wide"),
    ],
)
def test_what_cannot_be_is_said(asked, said):
    with pytest.raises(FootagefitError, match=said):
        Canvas(info(), Extend(**asked))


def test_frames_go_on_before_and_after():
    line = Timeline(1001, 1004, Extend(head=2, tail=1))
    assert line.numbers == list(range(999, 1006))
    assert line.shown([1001, 1002, 1004]) == [1001, 1002, 1004]
    assert line.frame_of(1003) == 1003


def test_a_retime_keeps_the_first_number():
    line = Timeline(1001, 1004, Extend(retime=2))
    assert line.numbers == list(range(1001, 1008))
    assert line.shown([1001, 1002, 1003, 1004]) == [1001, 1003, 1005, 1007]
    assert line.at(1002) == Fraction(2003, 2) and line.frame_of(1002) is None
    fast = Timeline(1001, 1009, Extend(retime=0.5))
    assert [fast.frame_of(n) for n in fast.numbers] == [1001, 1003, 1005, 1007, 1009]


def test_timecode_counts_the_frames_that_come_out():
    canvas = Canvas(info(timecode="01:00:00:05"), Extend(head=8))
    assert canvas.info(list(range(993, 1011))).timecode == "00:59:59:21"

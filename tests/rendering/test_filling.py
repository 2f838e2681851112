"""Shots through fits that make pixels, judged by OpenImageIO and by what the camera saw."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from safetensors import safe_open

import footagefit
from fill_helpers import (
    HEIGHT,
    STEP_PX,
    WIDTH,
    cleanup_fit,
    extend_fit,
    make_fill,
    mattes,
    pan,
    seen,
)
from footagefit.errors import FootagefitError, FootagefitWarning, WrongValue
from footagefit.footage.picture import PictureFile
from footagefit.motion.propagation import Propagation
from footagefit.rendering import fits
from footagefit.rendering.ask import Ask
from footagefit.rendering.canvas import Extend
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.plan import Plan
from rendering_helpers import stored

__all__ = ["cleanup_fit", "extend_fit", "mattes", "pan"]
pytestmark = pytest.mark.filterwarnings("ignore:grain cannot be told")  # the wall has none


def block(number: int) -> np.ndarray:
    """A hole that stands still in the frame while the camera pans."""
    made = np.zeros((HEIGHT, WIDTH))
    made[20:34, 50:64] = 1.0
    return made


def psnr(made: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((made.astype(float) - truth.astype(float)) ** 2)))


def frame(out: Path, number: int) -> tuple[np.ndarray, oiio.ImageSpec]:
    return stored(Path(str(out).replace("####", f"{number:04d}")))


def test_a_hole_is_filled_from_other_frames_and_the_rest_keeps_its_bits(
    cleanup_fit, pan, mattes, tmp_path
):
    plate = pan(layers=True)
    done = footagefit.render(
        plate, fit=cleanup_fit, mask=mattes(block), layers=["confidence", "mask"],
        out=tmp_path / "o" / "c.####.exr",
    )  # fmt: skip
    assert done.written == 8
    for number in done.frames:
        before, was = frame(plate, number)
        after, now = frame(done.out, number)
        assert now.getattribute("smpte:TimeCode") == was.getattribute("smpte:TimeCode")
        assert now.getattribute("reelName") == "A007"
        assert now.getattribute("footagefit/seed") == 0
        assert set(now.channelnames) == {*was.channelnames, "confidence", "mask"}
        outside = block(number) == 0
        order = [now.channelnames.index(name) for name in was.channelnames]
        assert (after[..., order].view(np.uint16) == before.view(np.uint16))[outside].all()
        truth = seen(number)[~outside]
        rgb = after[..., [now.channelnames.index(c) for c in "RGB"]][~outside]
        assert psnr(rgb, truth) > 30.0
        sure = after[..., now.channelnames.index("confidence")]
        assert (sure[outside] == 1.0).all() and (sure[~outside] < 1.0).all()


def test_memory_decides_how_often_frames_are_decoded_and_no_bit(
    cleanup_fit, pan, mattes, tmp_path, monkeypatch
):
    plate, mask, read = pan(layers=True), mattes(block), list[str]()
    decode = PictureFile.pixels

    def counted(self, part, **named):
        read.append(self.path.name)
        return decode(self, part, **named)

    monkeypatch.setattr(PictureFile, "pixels", counted)
    made = {}
    for name, gigabytes in (("roomy", 2.0), ("tight", 1e-6)):
        read.clear()
        out = tmp_path / name / "c.####.exr"
        done = footagefit.render(
            plate, fit=cleanup_fit, mask=mask, out=out, memory_gb=gigabytes
        )  # fmt: skip
        made[name] = [frame(done.out, n)[0] for n in done.frames], Counter(read)
    for one, other in zip(made["roomy"][0], made["tight"][0], strict=True):
        assert (one.view(np.uint16) == other.view(np.uint16)).all()
    roomy, tight = (counts for _, counts in made.values())
    assert all(count == 1 for file, count in roomy.items() if file.startswith("pan"))
    assert max(roomy.values()) == 2  # mattes: first alone, for frames that are holes all over
    assert max(tight.values()) > 4


def test_an_empty_mask_gives_the_plate_to_the_bit(cleanup_fit, pan, mattes, tmp_path):
    plate = pan()
    empty = mattes(lambda _: np.zeros((HEIGHT, WIDTH)))
    done = footagefit.render(plate, fit=cleanup_fit, mask=empty, out=tmp_path / "o" / "c.####.exr",
                             space="arri_logc4")  # fmt: skip
    for number in done.frames:
        assert (frame(plate, number)[0] == frame(done.out, number)[0]).all()


def test_a_whole_frame_is_filled_from_its_neighbours_and_not_all_may_be_holes(
    cleanup_fit, pan, mattes, tmp_path
):
    plate = pan()
    whole = mattes(lambda number: np.full((HEIGHT, WIDTH), float(number in (1001, 1004))))
    done = footagefit.render(plate, fit=cleanup_fit, mask=whole, out=tmp_path / "o" / "c.####.exr")
    assert any("holes all over, filled from their neighbours: 1001, 1004" in n for n in done.notes)
    made, spec = frame(done.out, 1004)
    inner = (slice(None), slice(2 * STEP_PX, -2 * STEP_PX))
    assert psnr(made[inner], seen(1004)[inner]) > 28.0
    assert spec.getattribute("footagefit/made") == 1.0
    assert psnr(frame(done.out, 1001)[0][inner], seen(1001)[inner]) > 24.0
    assert (frame(plate, 1003)[0] == frame(done.out, 1003)[0]).all()
    every = mattes(lambda _: np.ones((HEIGHT, WIDTH)), name="every")
    with pytest.raises(FootagefitError, match="every frame of the shot is a hole"):
        footagefit.render(plate, fit=cleanup_fit, mask=every, out=tmp_path / "p" / "c.####.exr")


def test_one_frame_alone_is_filled_too(cleanup_fit, pan, mattes, tmp_path):
    plate = pan(frames=[1001])
    done = footagefit.render(plate, fit=cleanup_fit, mask=mattes(block, frames=[1001]),
                             out=tmp_path / "o" / "c.####.exr")  # fmt: skip
    before, after = frame(plate, 1001)[0], frame(done.out, 1001)[0]
    hole = block(1001) > 0
    assert (before[~hole] == after[~hole]).all()
    assert psnr(after[hole], before[hole]) > 18.0


def test_tasks_that_share_a_base_each_name_it(tmp_path, monkeypatch):
    make_fill(tmp_path / "fill", "cleanup")
    monkeypatch.setattr(fits, "_BASES", tmp_path)
    for name in ("cleanup", "extend"):
        with pytest.warns(FootagefitWarning, match=f"fit=base/{name}: the base that ships"):
            fit = fits.load_fit(f"base/{name}")
        assert (fit.task.spec.name, fit.recipe.task.name, str(fit.path)) == (
            name, name, f"base/{name}",
        )  # fmt: skip
    with pytest.raises(FootagefitError, match="no match base is shipped"):
        fits.load_fit("base/match")


def test_previews_leave_such_fits_to_renders(cleanup_fit, pan):
    with pytest.raises(FootagefitError, match="fits of cleanup make pixels"):
        Plan(Ask(pan(), cleanup_fit))


def test_a_mask_may_touch_every_border(cleanup_fit, pan, mattes, tmp_path):
    def rim(_: int) -> np.ndarray:
        made = np.ones((HEIGHT, WIDTH))
        made[6:-6, 6:-6] = 0.0
        return made

    done = footagefit.render(pan(), fit=cleanup_fit, mask=mattes(rim), frames="1004",
                             out=tmp_path / "o" / "c.####.exr")  # fmt: skip
    made, _ = frame(done.out, 1004)
    assert np.isfinite(made).all()
    assert psnr(made, seen(1004)) > 24.0


def test_a_wider_picture_shows_what_the_camera_saw_elsewhere(extend_fit, pan, tmp_path):
    plate = pan(layers=True)
    asked = Filling(extend=Extend(left=8, right=6, top=2))
    done = footagefit.render(plate, fit=extend_fit, fill=asked, out=tmp_path / "o" / "e.####.exr")
    for number in done.frames:
        before, was = frame(plate, number)
        after, now = frame(done.out, number)
        size = (now.full_x, now.full_y, now.full_width, now.full_height)
        assert size == (0, 0, WIDTH + 14, HEIGHT + 2)
        assert (now.x, now.y, now.width, now.height) == size
        inner = after[2:, 8:-6]
        order = [now.channelnames.index(name) for name in was.channelnames]
        assert (inner[..., order].view(np.uint16) == before.view(np.uint16)).all()
        sure = after[..., now.channelnames.index("confidence")]
        assert (sure[2:, 8:-6] == 1.0).all() and sure[:, :8].max() < 1.0
    made, now = frame(done.out, 1005)
    rgb = made[..., [now.channelnames.index(c) for c in "RGB"]]
    truth = seen(1005, left=8, right=6, top=2)
    assert psnr(rgb[4:-4, :8], truth[4:-4, :8]) > 26.0


def test_a_shot_gets_longer_and_its_numbers_and_timecode_go_on(extend_fit, pan, tmp_path):
    plate = pan(frames=[n for n in range(1001, 1009) if n != 1005])
    asked = Filling(extend=Extend(head=2, tail=2))
    done = footagefit.render(plate, fit=extend_fit, fill=asked, out=tmp_path / "o" / "e.####.exr",
                             frames="999-1010")  # fmt: skip
    assert set(done.frames) <= set(range(999, 1011)) and {1000, 1005, 1009} <= set(done.frames)
    codes = [frame(done.out, n)[1].getattribute("smpte:TimeCode")[0] for n in done.frames]
    frames = [(code & 0xF) + 10 * (code >> 4 & 0x3) for code in codes]
    assert frames == [n % 24 for n in done.frames]
    middle = (slice(4, -4), slice(2 * STEP_PX, -2 * STEP_PX))
    order = [frame(done.out, 1005)[1].channelnames.index(c) for c in "RGB"]
    assert psnr(frame(done.out, 1005)[0][..., order][middle], seen(1005)[middle]) > 28.0
    assert psnr(frame(done.out, 1009)[0][..., order][middle], seen(1009)[middle]) > 24.0
    made = [frame(done.out, n)[1].getattribute("footagefit/made") for n in done.frames]
    assert [m == 1.0 for m in made] == [not 1001 <= n <= 1008 or n == 1005 for n in done.frames]
    assert any("made: " in note for note in done.notes)


def test_a_handle_ends_where_confidence_does(extend_fit, pan, tmp_path):
    done = footagefit.render(pan(), fit=extend_fit, fill=Filling(extend=Extend(tail=40)),
                             frames="1008-1048x5", out=tmp_path / "o" / "e.####.exr")  # fmt: skip
    assert 1013 in done.frames and 1048 not in done.frames
    cut = next(note for note in done.notes if note.startswith("not made: "))
    assert "-1048: confidence ends there" in cut
    assert not (tmp_path / "o" / "e.1048.exr").exists()


def test_ends_are_worked_out_as_far_as_frames_are_wanted(extend_fit, pan, tmp_path):
    looked: list[int] = []

    def told(items, *, total, label):
        for number in items:
            yield number
            looked.extend([number] * (label == "ends"))

    def made(frames, name="e", progress=told):
        looked.clear()
        out = tmp_path / name / "e.####.exr"
        asked = Filling(extend=Extend(head=30, tail=400))
        return footagefit.render(plate, fit=extend_fit, fill=asked, frames=frames, out=out,
                                 progress=progress)  # fmt: skip

    plate = pan()
    assert made("1003").frames == (1003,) and not looked
    assert made("999,1010-1011").frames and looked == [1000, 999, 1009, 1010, 1011]
    far, stored = made("1008-1408"), read_ends(tmp_path / "e")
    known = [n for n in stored if n > 1008]
    assert known == list(range(1009, known[-1] + 1)) and known[-1] < 1060  # it stops where it ends
    cut = next(note for note in far.notes if note.startswith("not made: "))
    assert f"{known[-1]}-1408: confidence ends there" in cut
    assert far.frames[-1] == known[-1] - 1


def test_ends_that_were_stopped_go_on(extend_fit, pan, tmp_path, monkeypatch):
    asked, plate = Filling(extend=Extend(tail=4)), pan()
    out = tmp_path / "o" / "e.####.exr"

    def stopped(items, *, total, label):
        for number in items:
            yield number
            if label == "ends" and number == 1010:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        footagefit.render(plate, fit=extend_fit, fill=asked, out=out, progress=stopped)
    assert sorted(read_ends(out.parent)) == [1009, 1010]
    worked, real = [], Propagation.at

    def at(self, number):
        worked.append(number)
        return real(self, number)

    monkeypatch.setattr(Propagation, "at", at)
    footagefit.render(plate, fit=extend_fit, fill=asked, out=out)
    assert worked[:2] == [1011, 1012]
    assert sorted(read_ends(out.parent)) == [1009, 1010, 1011, 1012]


def read_ends(folder):
    """Confidence beyond the ends as it is kept beside the frames."""
    with safe_open(folder / "e.fields.safetensors", framework="pt") as opened:
        ends = json.loads(opened.metadata()["footagefit"])["ends"]
    return {int(number): ends[number] for number in sorted(ends, key=int)}


def test_lengths_beyond_reason_are_refused():
    for name in ("head", "tail"):
        with pytest.raises(WrongValue, match=f"extend.{name}: 5000 is over 1000 frames"):
            Extend(**{name: 5000})


def test_a_slower_shot_has_a_frame_between_each_two(extend_fit, pan, tmp_path):
    plate = pan(frames=range(1001, 1005))
    done = footagefit.render(plate, fit=extend_fit, fill=Filling(extend=Extend(retime=2)),
                             out=tmp_path / "o" / "e.####.exr")  # fmt: skip
    assert done.frames == tuple(range(1001, 1008))
    for number in (1001, 1003, 1007):
        was = frame(plate, 1001 + (number - 1001) // 2)[0]
        after, spec = frame(done.out, number)
        order = [spec.channelnames.index(c) for c in "RGB"]
        assert (after[..., order].view(np.uint16) == was.view(np.uint16)).all()
        code = spec.getattribute("smpte:TimeCode")[0]
        assert (code & 0xF) + 10 * (code >> 4 & 0x3) == number % 24


def test_a_shot_on_twos_gets_its_other_frames(extend_fit, pan, tmp_path):
    twos = pan().parent / "pan.1001-1007x2#.exr"
    done = footagefit.render(twos, fit=extend_fit, out=tmp_path / "o" / "e.####.exr")
    assert done.frames == tuple(range(1001, 1008))
    made, spec = frame(done.out, 1004)
    order = [spec.channelnames.index(c) for c in "RGB"]
    middle = (slice(4, -4), slice(2 * STEP_PX, -2 * STEP_PX))
    assert psnr(made[..., order][middle], seen(1004)[middle]) > 28.0


def test_a_box_that_follows_the_wall_holds_it_still(extend_fit, pan, tmp_path):
    """The camera pans by 3 px a frame; a box that goes back as far shows one piece of wall."""
    plate = pan(layers=True)
    asked = Filling(extend=Extend(reframe="1001:0,0,1008:-21,0"))
    done = footagefit.render(plate, fit=extend_fit, fill=asked, out=tmp_path / "o" / "s.####.exr")
    truth = seen(1001)
    for number in (1001, 1004, 1008):
        made, spec = frame(done.out, number)
        order = [spec.channelnames.index(c) for c in "RGB"]
        away = STEP_PX * (number - 1001)
        there = made[:, away:][..., order]
        was = frame(plate, number)[0][:, : WIDTH - away]
        names = frame(plate, number)[1].channelnames
        same = was[..., [names.index(c) for c in "RGB"]]
        assert (there.view(np.uint16) == same.view(np.uint16)).all()
        depth = made[..., spec.channelnames.index("depth.Z")]
        assert (depth[:, away:] == number - 1000).all() and (depth[:, :away] == 0).all()
        assert away == 0 or psnr(made[4:-4, :away][..., order], truth[4:-4, :away]) > 28.0


def test_a_box_between_pixels_is_read_there(extend_fit, pan, tmp_path):
    done = footagefit.render(pan(), fit=extend_fit, fill=Filling(extend=Extend(reframe="0.5,0")),
                             frames="1004", out=tmp_path / "o" / "s.####.exr")  # fmt: skip
    made, spec = frame(done.out, 1004)
    order = [spec.channelnames.index(c) for c in "RGB"]
    wide = seen(1004, right=1)
    truth = (wide[:, :-1] + wide[:, 1:]) / 2
    assert psnr(made[..., order], truth) > 34.0


def test_overscan_lies_outside_the_display_window(extend_fit, pan, tmp_path):
    done = footagefit.render(pan(), fit=extend_fit, fill=Filling(extend=Extend(overscan=6)),
                             frames="1004", out=tmp_path / "o" / "s.####.exr")  # fmt: skip
    _, spec = frame(done.out, 1004)
    assert (spec.x, spec.y, spec.width, spec.height) == (-6, -6, WIDTH + 12, HEIGHT + 12)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (0, 0, WIDTH, HEIGHT)


def test_chunks_and_resumed_renders_are_the_whole(extend_fit, pan, tmp_path):
    plate = pan()
    asked = Filling(extend=Extend(left=8, tail=1), seed=3)
    whole = footagefit.render(plate, fit=extend_fit, fill=asked, out=tmp_path / "w" / "e.####.exr")
    for frames in ("1004-1006", "1001-1003", "1007-1009"):
        footagefit.render(plate, fit=extend_fit, fill=asked, out=tmp_path / "c" / "e.####.exr",
                          frames=frames)  # fmt: skip
    for number in whole.frames:
        name = f"e.{number}.exr"
        assert (tmp_path / "w" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()
    again = footagefit.render(plate, fit=extend_fit, fill=asked, out=tmp_path / "w" / "e.####.exr")
    assert again.written == 0
    job = json.loads((tmp_path / "w" / "e.manifest.json").read_text())["job"]
    assert job["seed"] == 3 and job["fill"] == {"extend.left": "8", "extend.tail": "1", "seed": "3"}
    assert not list((tmp_path / "w").glob(".*.motion"))

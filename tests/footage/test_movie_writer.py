import dataclasses
import errno
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from footage.movies_made import GAMMA, make_movie, quiet
from footagefit.errors import (
    AlreadyThere,
    DiskFull,
    FootagefitWarning,
    WriteError,
    WrongValue,
)
from footagefit.footage import colour
from footagefit.footage.burn_in import burn_in
from footagefit.footage.movie import MovieClip
from footagefit.footage.movie_writer import MovieWriter
from footagefit.footage.opening import open_clip
from footagefit.footage.writing import OutputForm
from footagefit.records import Box, ClipInfo

SRGB = "sRGB Encoded Rec.709 (sRGB)"
SIZE = (96, 64)


def info(**changes) -> ClipInfo:
    box = Box(0, 0, *SIZE)
    plain = ClipInfo(
        path=Path("in.####.exr"), raster=box, display=box, data=box, first_frame=1001, length=4,
        rate=Fraction(24000, 1001), sample="half", space="ACEScg", metadata={"reel": "A001C002"},
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def ramp(space=GAMMA):
    """Code values in steps finer than 8 bits, and the ACEScg pixels they stand for."""
    codes = np.empty((SIZE[1], SIZE[0], 3), np.float32)
    codes[:] = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE[1], SIZE[0], 1)
    linear = codes.copy()
    colour.to_working(linear, space)
    return codes, torch.from_numpy(linear).permute(2, 0, 1)


def written(path, form, *, alpha=None, frames=3, **changes):
    codes, linear = ramp(form.space)
    if alpha is not None:
        linear = linear * alpha
    with MovieWriter(path, form=form, info=info(**changes)) as out:
        for number in range(1001, 1001 + frames):
            out.write(number, linear, alpha)
    return codes


@pytest.mark.parametrize("depth", ["8", "10", "12", "16"])
@pytest.mark.parametrize("alpha", [False, True])
def test_ffv1_keeps_a_ramp_to_half_a_code(tmp_path, depth, alpha):
    path = tmp_path / "lossless.mkv"
    form = OutputForm(space=SRGB, codec="ffv1", depth=depth)
    coverage = torch.full((1, SIZE[1], SIZE[0]), 0.5) if alpha else None
    written(path, form, alpha=coverage)
    codes = ramp(SRGB)[1].permute(1, 2, 0).numpy().copy()
    colour.from_working(codes, SRGB)
    with MovieClip(path, space="auto") as clip:
        assert clip.info.space == SRGB
        got = clip.data([clip.info.first_frame + 1], "rgb")[0].permute(1, 2, 0).numpy()
        top = (1 << int(depth)) - 1
        assert (
            np.abs(got - codes.clip(0, 1)).max() * top <= 0.51
        )  # float32 conversion there and back
        assert clip.info.bit_depth == int(depth)
        if alpha:
            assert float((clip.data([clip.info.first_frame], "A") - 0.5).abs().max()) * top <= 0.51


@pytest.mark.parametrize(
    ("name", "codec", "space", "expected", "within"),
    [
        ("a.mp4", "h264", GAMMA, (1, 1, 1, 1), 3.0),
        ("a.mov", "h264", SRGB, (1, 13, 1, 1), 3.0),
        ("b.mov", "prores_hq", GAMMA, (1, 1, 1, 1), 1.0),
        ("c.mov", "prores_4444", "Rec.2100-PQ - Display", (9, 16, 9, 1), 1.0),
        ("d.mov", "prores_4444", "ARRI LogC4", (2, 2, 1, 1), 1.0),
    ],
)
def test_review_movies_say_what_they_are(tmp_path, name, codec, space, expected, within):
    path = tmp_path / name
    codes = written(path, OutputForm(space=space, codec=codec))
    with av.open(str(path)) as container:
        found = container.streams.video[0].codec_context
        tags = (found.color_primaries, found.color_trc, found.colorspace, found.color_range)
        assert tuple(int(t) for t in tags) == expected
        assert container.streams.video[0].average_rate == Fraction(24000, 1001)
    with quiet(path, space=space) as clip:
        assert len(clip) == 3
        got = clip.data([clip.info.first_frame + 2], "rgb")[0].permute(1, 2, 0).numpy()
        assert np.abs(got - codes).mean() * 255 < within
        if codec.startswith("prores"):
            assert clip.info.metadata["reel"] == "A001C002"


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize(
    ("said", "first"), [("01:00:00:00", 86400), (None, 1001), ("23:59:59:23", 2073599)]
)
def test_timecode_reads_back(tmp_path, name, said, first):
    written(tmp_path / name, OutputForm(space=GAMMA, codec="h264"), timecode=said)
    with MovieClip(tmp_path / name, space="auto") as clip:
        assert clip.info.first_frame == first
        assert clip.info.rate == Fraction(24000, 1001)


def test_prores_4444_keeps_alpha_and_straight_colour(tmp_path):
    coverage = torch.full((1, SIZE[1], SIZE[0]), 0.25)
    path = tmp_path / "alpha.mov"
    codes = written(path, OutputForm(space=GAMMA, codec="prores_4444"), alpha=coverage)
    with MovieClip(path, space="auto") as clip:
        first = clip.info.first_frame
        got = clip.read([first])
        assert got.alpha_T1HW is not None
        assert float((got.alpha_T1HW - 0.25).abs().max()) < 1e-3
        straight = clip.data([first], "rgb")[0].permute(1, 2, 0).numpy()
        assert np.abs(straight - codes).mean() < 2e-3


def test_stored_planes_pass_through_into_ffv1_bit_for_bit(tmp_path):
    source = make_movie(tmp_path / "in.mkv", encoder="ffv1", layout="yuv422p10le", frames=3)
    with quiet(source) as clip:
        form = OutputForm(space=GAMMA, codec="ffv1")
        with MovieWriter(tmp_path / "out.mkv", form=form, info=clip.info) as out:
            for number in clip.numbers:
                out.write(number, None, native=clip.native(number))
        with quiet(tmp_path / "out.mkv") as copy:
            for number in clip.numbers:
                pairs = zip(clip.native(number).planes, copy.native(number).planes, strict=True)
                assert all(np.array_equal(one, other) for one, other in pairs)
        with pytest.raises(WriteError, match="do not pass"):
            writer = MovieWriter(
                tmp_path / "no.mov", form=OutputForm(codec="prores_hq"), info=clip.info
            )
            writer.write(1, None, native=clip.native(1))


def test_kept_pixels_in_a_lossy_movie_are_warned_about(tmp_path):
    _, linear = ramp()
    source = make_movie(tmp_path / "in.mkv", encoder="ffv1", layout="yuv422p10le", frames=1)
    keep = torch.ones(SIZE[1], SIZE[0], dtype=torch.bool)
    with quiet(source) as clip, pytest.warns(FootagefitWarning, match="does not keep"):
        out = MovieWriter(tmp_path / "o.mp4", form=OutputForm(), info=clip.info)
        out.write(1, linear, native=clip.native(1), keep_HW=keep)
        out.close()


def test_burn_in_draws_in_the_corners_only(tmp_path):
    clean = np.full((108, 192, 3), 0.2, np.float32)
    drawn = clean.copy()
    burn_in(drawn, "1001", right="01:00:00:00")
    changed = np.abs(drawn - clean).max(-1) > 0
    assert drawn.max() > 0.8
    assert not changed[:90].any()
    assert changed[:, :40].any()
    assert changed[:, 130:].any()
    burn_in(np.zeros((4, 6, 3), np.float32), "1001", right="01:00:00:00")  # too small: no matter
    path = tmp_path / "burnt.mkv"
    form = OutputForm(space=GAMMA, codec="ffv1", burn_in=True)
    codes = written(path, form)
    with MovieClip(path, space="auto") as clip:
        got = clip.data([clip.info.first_frame], "rgb")[0].permute(1, 2, 0).numpy()
    difference = np.abs(got - codes).max(-1)
    assert difference[:40].max() < 1e-3
    assert difference[48:].max() > 0.1


def test_odd_sizes_are_padded_not_refused(tmp_path):
    box = Box(0, 0, 95, 63)
    with MovieWriter(
        tmp_path / "odd.mp4", form=OutputForm(space=GAMMA), info=info(raster=box, display=box)
    ) as out:
        out.write(1001, torch.full((3, 63, 95), 0.18))
    with MovieClip(tmp_path / "odd.mp4", space="auto") as clip:
        assert (clip.info.width, clip.info.height) == (96, 64)


def test_nothing_half_written_stays(tmp_path):
    path = tmp_path / "out.mov"
    _, linear = ramp()
    writer = MovieWriter(path, form=OutputForm(space=GAMMA), info=info())
    with pytest.raises(RuntimeError, match="stop"), writer as out:
        out.write(1001, linear)
        assert not path.exists()
        raise RuntimeError("stop")
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".journal")] == []


def test_a_full_disk_is_one_clear_error(tmp_path, monkeypatch):
    _, linear = ramp()
    out = MovieWriter(tmp_path / "out.mov", form=OutputForm(space=GAMMA), info=info())
    out.write(1001, linear)

    class Full:
        def __init__(self, container):
            self.container = container

        def mux(self, packets):
            raise av.error.OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            self.container.close()

    monkeypatch.setattr(out, "_container", Full(out._container))
    with pytest.raises(DiskFull, match="frame 1002"):
        out.write(1002, linear)
    assert not list(tmp_path.glob("*.mov")) + list(tmp_path.glob(".*.mov"))


def test_frames_come_in_order(tmp_path):
    _, linear = ramp()
    writer = MovieWriter(tmp_path / "o.mov", form=OutputForm(space=GAMMA), info=info())
    with pytest.raises(WriteError, match="1002 is next"), writer as out:
        out.write(1001, linear)
        out.write(1003, linear)


def test_what_is_there_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "out.mp4"
    form = OutputForm(space=GAMMA, codec="h264")
    written(path, form)
    before = path.read_bytes()
    again = MovieWriter(path, form=form, info=info())  # the same job goes on: all there
    assert all(again.has(n) for n in (1001, 1002, 1003))
    with pytest.raises(AlreadyThere, match="1001-1003"):
        again.has(1004)
    with pytest.raises(AlreadyThere):
        MovieWriter(path, form=OutputForm(space=SRGB), info=info())
    with pytest.raises(AlreadyThere):
        MovieWriter(path, form=form, info=info(), existing="error")
    assert path.read_bytes() == before
    with MovieWriter(path, form=form, info=info(), existing="replace") as out:
        out.write(1001, ramp()[1])
    assert path.read_bytes() != before


def test_a_movie_of_other_frames_is_not_taken_for_this_one(tmp_path, write_picture, footagefit):
    pixels = np.full((16, 32, 3), 0.18, np.float32)
    for number in range(1001, 1007):
        write_picture(tmp_path / f"a.{number}.exr", pixels)
    movie = tmp_path / "r.mov"
    words = ["convert", f"in={tmp_path}/a.####.exr", f"out={movie}", "space=acescg", "rate=24",
             "output.space=srgb_display"]  # fmt: skip
    assert footagefit(*words)[0] == 0
    before = movie.read_bytes()
    code, said, _ = footagefit(*words)
    assert code == 0 and "6 frames were there already" in said
    code, _, err = footagefit(*words, "frames=1001-1004")
    assert code == 2 and "with frames 1001-1006, and 1001-1004 are asked for" in err
    assert "existing=replace" in err and movie.read_bytes() == before
    assert footagefit(*words, "frames=1001-1004", "existing=replace")[0] == 0
    assert open_clip(movie).info.length == 4


def test_what_cannot_be_is_refused_at_once(tmp_path):
    with pytest.raises(WrongValue, match="takes 10"):
        MovieWriter(
            tmp_path / "o.mov", form=OutputForm(codec="prores_4444", depth="12"), info=info()
        )
    with pytest.raises(WrongValue, match="does not hold"):
        MovieWriter(tmp_path / "o.mp4", form=OutputForm(codec="prores_hq"), info=info())
    with pytest.raises(WriteError, match="folder"):
        MovieWriter(tmp_path / "gone" / "o.mp4", form=OutputForm(), info=info())
    with pytest.warns(FootagefitWarning, match="24 frames"):
        MovieWriter(tmp_path / "o.mp4", form=OutputForm(), info=info(rate=None))

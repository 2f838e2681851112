"""What a sidecar says of a clip, where the clip itself is silent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import OpenImageIO as oiio
import pytest

from footage.movies_made import GAMMA, make_movie
from footagefit.errors import FootagefitWarning, UnreadableClip, WrongValue
from footagefit.footage.opening import open_clip
from footagefit.footage.timeline import Event, write_timeline
from footagefit.footage.writing import OutputForm, open_writer

START = 36_000 * 24  # ten hours


def event(name: str, **more) -> Event:
    given = dict(source_in=START, source_out=START + 30, rate=Fraction(24), scene="42A", take="3")
    return Event(name=name, reel="A001R1AB", camera="A", **{**given, **more})


@pytest.mark.parametrize("sidecar", ["shot.ale", "shot.otio", "A001.ale", "../A001.ALE"])
def test_a_silent_movie_takes_its_log_s_word(tmp_path, sidecar):
    (tmp_path / "roll").mkdir()
    movie = make_movie(tmp_path / "roll" / "shot.mov")
    log = event("shot", fields={"Lens": "35mm"})
    write_timeline(tmp_path / "roll" / sidecar, [event("other", scene="1"), log])
    with open_clip(movie, space=GAMMA) as clip:
        assert (clip.info.timecode, clip.info.first_frame) == ("10:00:00:00", START)
        said = clip.info.metadata
        assert [said[k] for k in ("reel", "scene", "take")] == ["A001R1AB", "42A", "3"]
        shown = clip.read([START + 29]).rgb_TCHW
    with open_clip(movie, space=GAMMA, sidecar="none") as clip:
        assert (clip.info.timecode, clip.info.first_frame) == (None, 1)
        assert "reel" not in clip.info.metadata
        assert bool((clip.read([30]).rgb_TCHW == shown).all())


def test_the_file_s_own_word_is_kept(tmp_path):
    movie = make_movie(tmp_path / "shot.mov", timecode="01:00:00:00")
    write_timeline(tmp_path / "shot.ale", [event("shot")])
    with open_clip(movie, space=GAMMA) as clip:
        assert clip.info.timecode == "01:00:00:00"
        assert clip.info.metadata["scene"] == "42A"


def test_a_cut_that_takes_part_of_a_clip_gives_no_timecode(tmp_path):
    movie = make_movie(tmp_path / "shot.mov")
    write_timeline(tmp_path / "cut.edl", [event("shot", source_out=START + 5)])
    with open_clip(movie, space=GAMMA, sidecar=tmp_path / "cut.edl") as clip:
        assert (clip.info.timecode, clip.info.first_frame) == (None, 1)
        assert clip.info.metadata["reel"]


def test_the_word_reaches_what_is_written(tmp_path):
    movie = make_movie(tmp_path / "shot.mov", frames=3)
    write_timeline(tmp_path / "shot.ale", [event("shot", fields={"Lens": "35mm"})])
    out = tmp_path / "out" / "b.####.exr"
    out.parent.mkdir()
    clip = open_clip(movie, space=GAMMA)
    with open_writer(out, info=clip.info, form=OutputForm(space="ACEScg")) as writer:
        for number in clip.numbers:
            writer.write(number, clip.read([number]).rgb_TCHW[0])
    clip.close()
    header = oiio.ImageInput.open(str(tmp_path / "out" / f"b.{START + 1}.exr")).spec()
    assert header.getattribute("reelName") == "A001R1AB"
    assert header.getattribute("lensModel") == "35mm"
    with open_clip(out) as back:
        assert back.info.timecode == "10:00:00:00"
        assert (back.info.metadata["scene"], back.info.metadata["take"]) == ("42A", "3")


def test_a_sequence_s_header_is_not_overruled(tmp_path, write_picture):
    black = np.zeros((8, 8, 3), np.float32)
    for number in (1001, 1002):
        write_picture(tmp_path / f"a.{number}.exr", black, attributes={"reelName": "OWN"})
    write_timeline(tmp_path / "a.ale", [event("a")])
    with open_clip(tmp_path / "a.####.exr", space="ACEScg") as clip:
        assert (clip.info.metadata["reel"], clip.info.metadata["take"]) == ("OWN", "3")
        assert clip.info.rate == 24


def test_wrong_sidecars_are_told(tmp_path):
    movie = make_movie(tmp_path / "shot.mov")
    with pytest.raises(UnreadableClip, match="no such timeline"):
        open_clip(movie, space=GAMMA, sidecar=tmp_path / "gone.ale")
    write_timeline(tmp_path / "log.edl", [event("someone")])
    with pytest.raises(WrongValue, match=r"does not name shot\.mov.*It names someone"):
        open_clip(movie, space=GAMMA, sidecar=tmp_path / "log.edl")
    (tmp_path / "shot.otio").write_text("not a cut")
    with pytest.warns(FootagefitWarning, match=r"shot\.otio.*left out.*sidecar=none"):
        assert open_clip(movie, space=GAMMA).info.first_frame == 1

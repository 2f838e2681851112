"""Extend and clean-up as people type them, and what is said where they cannot be."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from fill_helpers import HEIGHT, WIDTH, cleanup_fit, extend_fit, mattes, pan, seen
from footagefit import cli
from footagefit.errors import FootagefitWarning
from footagefit.rendering import found
from rendering_helpers import ACESCG, fit, reference, stored

__all__ = ["cleanup_fit", "extend_fit", "fit", "mattes", "pan", "reference"]
pytestmark = pytest.mark.filterwarnings("ignore:grain cannot be told")  # the wall has none


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "o" / "e.####.exr"


def test_a_shot_is_extended_as_typed(extend_fit, pan, out, footagefit, tmp_path):
    words = ["infer", f"fit={extend_fit}", f"plate={pan()}", f"out={out}", "extend.left=8",
             "extend.tail=1", "seed=4"]  # fmt: skip
    code, said, err = footagefit(*words, "dry_run=true")
    assert code == 0, err
    assert "frames: 9 to write (1001-1009), 8 to look at" in said and not out.parent.exists()
    code, said, err = footagefit(*words, "review=true")
    assert code == 0, err
    assert "9 frames written" in said
    assert "frames that the plate does not have, made: 1009" in said
    pixels, spec = stored(out.parent / "e.1009.exr")
    assert pixels.shape == (HEIGHT, WIDTH + 8, 4)
    assert spec.getattribute("footagefit/seed") == 4
    assert not spec.getattribute("footagefit/source")
    assert (out.parent / "e_before_after.jpg").exists() and (out.parent / "e_review.mov").exists()


def test_a_box_and_overscan_are_followed_as_typed(extend_fit, pan, out, footagefit):
    box = "extend.reframe=1001:0,0,112,64,1008:21,0,112,64"
    code, _, err = footagefit("infer", f"fit={extend_fit}", f"plate={pan()}", f"out={out}", box,
                              "extend.overscan=4")  # fmt: skip
    assert code == 0, err
    one, spec = stored(out.parent / "e.1001.exr")
    assert (spec.full_width, spec.full_height, spec.x, spec.width) == (WIDTH, HEIGHT, -4, WIDTH + 8)
    last, _ = stored(out.parent / "e.1008.exr")
    # The box goes with the camera: what is shown of the wall moves twice as fast.
    assert np.isfinite(last).all() and one.shape == last.shape


def test_chunks_are_the_whole_and_a_job_can_be_split(
    cleanup_fit, pan, mattes, footagefit, tmp_path
):
    def hole(number: int) -> np.ndarray:
        made = np.zeros((HEIGHT, WIDTH))
        made[20:30, 40:52] = 1.0
        return made + float(number == 1005)

    words = ["infer", f"fit={cleanup_fit}", f"plate={pan()}", f"mask={mattes(hole).parent}"]
    assert footagefit(*words, f"out={tmp_path / 'w' / 'c.####.exr'}")[0] == 0
    parted = [*words, f"out={tmp_path / 'c' / 'c.####.exr'}"]
    code, _, err = footagefit(*parted, "job=openjd", "chunk=5")
    assert code == 0, err
    job = json.loads((tmp_path / "c" / "c.openjd.json").read_text())
    for step in job["steps"]:
        spans = [""]
        if step["name"] == "render":
            spans = step["parameterSpace"]["taskParameterDefinitions"][0]["range"]
        for span in spans:
            line = step["script"]["actions"]["onRun"]["args"]
            assert cli.main([w.replace("{{Task.Param.Frames}}", span) for w in line]) == 0
    (tmp_path / "c" / "c.openjd.json").unlink()
    whole = {p.name: p.read_bytes() for p in (tmp_path / "w").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "c").iterdir()} == whole


def test_codes_and_movies_are_extended_too(extend_fit, pan, footagefit, tmp_path):
    dpx = tmp_path / "dpx" / "p.####.dpx"
    log = ["output.space=arri_logc4", "output.depth=10"]
    plate = pan(frames=range(1001, 1005))
    assert cli.main(["convert", f"in={plate}", f"out={dpx}", *log]) == 0
    wider = tmp_path / "w" / "e.####.dpx"
    code, _, err = footagefit("infer", f"fit={extend_fit}", f"plate={dpx}", "space=arri_logc4",
                              "extend.left=8", f"out={wider}")  # fmt: skip
    assert code == 0, err
    before, after = (stored(p.with_name(p.name.replace("####", "1002")))[0] for p in (dpx, wider))
    assert after.shape == (HEIGHT, WIDTH + 8, 3) and (after[:, 8:] == before).all()
    movie = tmp_path / "p.mov"
    assert cli.main(["convert", f"in={plate}", f"out={movie}", "output.space=g24_rec709"]) == 0
    longer = tmp_path / "l" / "e.####.exr"
    code, said, err = footagefit("infer", f"fit={extend_fit}", f"plate={movie}", f"out={longer}",
                                 "space=g24_rec709", "extend.tail=1")  # fmt: skip
    assert code == 0, err
    assert "5 frames written" in said


def test_a_held_frame_is_found_and_made_anew(cleanup_fit, pan, out, footagefit):
    plate = pan(frames=range(1001, 1011))
    held = stored(plate.parent / "pan.1004.exr")[0].tobytes()
    (plate.parent / "pan.1005.exr").write_bytes((plate.parent / "pan.1004.exr").read_bytes())
    words = ["infer", f"fit={cleanup_fit}", f"plate={plate}", "cleanup.find=drop"]
    code, said, err = footagefit(*words, f"out={out}")
    assert code == 0, err
    assert "filled from their neighbours: 1005" in said
    masks = out.parent / "e.found_drop.####.exr"
    assert f"correct them and say mask={masks}" in said
    made = stored(out.parent / "e.1005.exr")[0]
    assert made.tobytes() != held
    middle = (slice(4, -4), slice(8, -8))
    assert np.abs(made.astype(float) - seen(1005))[middle].mean() < 0.02
    again = out.parent.parent / "again" / "e.####.exr"
    words = ["infer", f"fit={cleanup_fit}", f"plate={plate}", f"mask={masks}", f"out={again}"]
    assert footagefit(*words)[0] == 0
    same = stored(again.parent / "e.1005.exr")[0]
    assert (same.view(np.uint16) == made.view(np.uint16)).all()


def test_another_take_shows_what_the_shot_does_not(extend_fit, pan, footagefit, tmp_path):
    """A shot of two frames cannot know what lies at its right; a longer take does."""
    words = ["infer", f"fit={extend_fit}", f"plate={pan(frames=(1001, 1002))}", "extend.right=12"]
    take = pan("take", frames=range(1003, 1008))
    alone, both = tmp_path / "a" / "e.####.exr", tmp_path / "b" / "e.####.exr"
    assert footagefit(*words, f"out={alone}")[0] == 0
    code, _, err = footagefit(*words, f"out={both}", f"reference=[{take}]")
    assert code == 0, err
    sure = []
    for path in (alone, both):
        pixels, spec = stored(Path(str(path).replace("####", "1001")))
        sure.append(pixels[..., spec.channelnames.index("confidence")][:, -12:].mean())
    assert sure[1] > sure[0] + 0.2


def test_what_is_wrong_is_one_line_and_nothing_is_written(
    cleanup_fit, extend_fit, fit, pan, mattes, reference, out, footagefit, tmp_path, write_picture
):
    plate, hole = pan(), mattes(lambda _: np.zeros((HEIGHT, WIDTH)))
    about = {"chromaticities": ("float[8]", ACESCG)}
    small = write_picture(tmp_path / "small.exr", np.ones((9, 9, 3), np.float16), attributes=about)
    gap = pan("gap", frames=(1001, 1002, 1004))
    clean, wide = f"fit={cleanup_fit}", f"fit={extend_fit}"
    cases = [
        ([clean], "mask is not set, and cleanup replaces what it marks"),
        ([wide], "nothing to extend by"),
        ([clean, f"mask={hole}", "extend.left=8"], "extend.left is for extend fits"),
        ([wide, "cleanup.find=wire"], "cleanup.find is for cleanup fits"),
        ([f"fit={fit}", f"reference={reference}", "seed=3"], "seed is for fits that make pixels"),
        ([clean, f"mask={hole}", "cleanup.find=wire"], "mask and cleanup.find each say"),
        ([clean, "cleanup.find=boat"], "find: expected wire|boom|dust|flash|drop"),
        ([clean, f"background={plate}"], "alpha is not set"),
        ([clean, f"mask={hole}", f"match={fit}"], "match= lights a foreground for background="),
        ([clean, f"background={small}", f"alpha={hole}"], "the background is 9x9, the plate"),
        ([clean, f"background={plate}", f"alpha={small}"], "the alpha is 9x9, the plate"),
        ([clean, f"background={plate}", f"alpha={hole}", f"match={extend_fit}"],
         "match= takes a match fit, and this one is extend"),
        ([clean, f"mask={small}"], "the mask is 9x9, the plate 112x64"),
        ([clean, f"mask={hole}", f"reference={small}"], "the take is 9x9, the plate 112x64"),
        ([clean, f"mask={hole}", f"plate={gap}"], "1 missing: 1003"),
        ([clean, f"mask={hole}", "grain=match"], "grain= is for fits that change light"),
        ([clean, f"mask={hole}", "temporal=smooth"], "temporal= is for fits that change light"),
        ([clean, f"mask={hole}", "layers=gain"], "unknown layer of a cleanup fit 'gain'"),
        ([clean, f"mask={hole}", "wedge=strength=0:1:0.5", f"out={tmp_path / 'w.jpg'}"],
         "fits of cleanup make pixels"),
        ([wide, "extend.left=-3"], "extend.left: -3 is below 0"),
        ([wide, "extend.lef=3"], "extend.lef"),
        ([wide, "extend.reframe=track.csv"], "no such file"),
        ([wide, "extend.tail=2", "frames=1001-1030"], "the result has frames 1001-1010"),
        ([wide, "extend.overscan=4", f"out={tmp_path / 'o' / 'e.####.dpx'}"], "overscan lies"),
        (["fit=base/mach"], "unknown base 'base/mach'; known: base/match"),
    ]  # fmt: skip
    for more, expected in cases:
        code, _, err = footagefit("infer", f"plate={plate}", f"out={out}", *more)
        assert code == 2, more
        assert err.count("\n") == 1, err
        assert expected in err, (more, err)
        assert not list(tmp_path.glob("o/e.*")), more


def test_a_fit_that_makes_pixels_is_not_exported(cleanup_fit, footagefit, tmp_path):
    code, _, err = footagefit("export", f"fit={cleanup_fit}", "to=nuke", f"out={tmp_path / 'n'}")
    assert code == 2 and err.count("\n") == 1
    assert "this fit's model is fill" in err and "footagefit infer" in err


def test_a_base_is_named_and_warned_of(pan, reference, out, footagefit):
    with warnings.catch_warnings():
        warnings.simplefilter("always", FootagefitWarning)
        code, said, err = footagefit("infer", "fit=base/match", f"plate={pan(frames=(1001, 1002))}",
                                     f"reference={reference}", f"out={out}")  # fmt: skip
    assert code == 0, err
    assert "fit=base/match: the base that ships; nothing of this show is in it" in err
    assert "2 frames written" in said


def test_nothing_found_and_a_mask_that_marks_nothing_are_told(
    cleanup_fit, pan, mattes, footagefit, tmp_path, monkeypatch
):
    def none(kind, read, numbers):
        for number in numbers:
            yield number, torch.zeros_like(read(number)[:1])

    monkeypatch.setattr(found, "find", none)
    words = ["infer", f"fit={cleanup_fit}", f"plate={pan()}"]
    for kind, name in (("boom", "boom"), ("drop", "dropped frame")):
        out = f"out={tmp_path / kind / 'c.####.exr'}"
        code, said, err = footagefit(*words, out, f"cleanup.find={kind}")
        assert code == 0, err
        assert f"no {name} found, and nothing was changed" in said
        assert f"say mask={tmp_path / kind}" in said and "masks in" not in said
    mask = mattes(lambda number: np.zeros((HEIGHT, WIDTH)))
    code, said, err = footagefit(*words, f"mask={mask}", f"out={tmp_path / 'o' / 'c.####.exr'}")
    assert code == 0 and f"{mask}: the mask marks nothing" in said, err

"""What people see: footage as it was made, or through a show's CDLs and LUT; pixels stay."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from footagefit.dailies.show import load_show
from footagefit.errors import UsageError
from footagefit.footage import colour
from footagefit.footage.view import View

CODES = np.array([[[237, 40, 128], [16, 200, 90]]], np.uint8)


def light_of(space: str) -> np.ndarray:
    pixels = CODES.astype(np.float32) / 255.0
    colour.to_working(pixels, space)
    return pixels


def a_cdl(path: Path, slope: float) -> Path:
    path.write_text(
        f'<ColorCorrection id="{path.stem}"><SOPNode><Slope>{slope} {slope} {slope}</Slope>'
        "<Offset>0 0 0</Offset><Power>1 1 1</Power></SOPNode>"
        "<SatNode><Saturation>1</Saturation></SatNode></ColorCorrection>"
    )
    return path


@pytest.mark.parametrize("space", ["g24_rec709", "srgb_texture"])
def test_footage_made_for_a_display_is_shown_as_it_was_made(space):
    light = light_of(space)
    shown = colour.preview(light, View(space=space)).astype(int)
    assert np.abs(shown - CODES).max() <= 1
    through_aces = colour.preview(light).astype(int)
    assert through_aces[0, 0, 0] < shown[0, 0, 0] - 30


def test_scene_linear_and_log_footage_goes_through_the_aces_view():
    light = light_of("arri_logc3_ei800")
    plain = colour.preview(light)
    assert np.array_equal(colour.preview(light, View(space="arri_logc3_ei800")), plain)
    assert np.array_equal(colour.preview(light, View(space="lin_ap1")), plain)


def test_a_lut_takes_code_values_of_the_show(tmp_path):
    lut = tmp_path / "negative.cube"
    lut.write_text(
        "LUT_3D_SIZE 2\n"
        + "".join(f"{1 - r} {1 - g} {1 - b}\n" for b in (0, 1) for g in (0, 1) for r in (0, 1))
    )
    light = light_of("arri_logc3_ei800")
    shown = colour.preview(light, View(lut=lut, space="arri_logc3_ei800"))
    assert np.abs(shown.astype(int) - (255 - CODES.astype(int))).max() <= 1


def test_each_shot_has_its_own_cdl_and_one_without_has_none(tmp_path):
    a_cdl(tmp_path / "12A_T1.cc", 0.5)
    view, light = View(cdl=tmp_path, space="arri_logc3_ei800"), light_of("arri_logc3_ei800")
    graded = colour.preview(light, view.on(shot="12A_T1")).astype(int)
    assert np.abs(graded - CODES / 2).max() <= 1
    assert view.on(shot="12A_T2").files == ()
    assert view.on(space="g24_rec709", shot="12A_T1").space == "arri_logc3_ei800"


def test_a_changed_file_is_read_again(tmp_path):
    path, light = a_cdl(tmp_path / "show.cc", 0.5), light_of("g24_rec709")
    view = View(cdl=path, space="g24_rec709")
    before = colour.preview(light, view)
    a_cdl(path, 0.25)
    os.utime(path, ns=(1, 1))
    assert colour.preview(light, view)[0, 0, 0] < before[0, 0, 0] - 40


def test_a_show_says_how_it_is_looked_at(tmp_path):
    a_cdl(tmp_path / "look.cc", 0.5)
    yaml = tmp_path / "film.yaml"
    text = "roots: [.]\nspace: arri_logc4\nview: {exposure_ev: 0.5, cdl: look.cc}\n"
    yaml.write_text(text)
    view = load_show(yaml).view.on(space="g24_rec709", shot="1A_T1")
    assert view.exposure_ev == 0.5
    assert view.files == (tmp_path / "look.cc",)
    assert view.space == "arri_logc4"
    yaml.write_text(text.replace("look.cc", "gone.cc"))
    with pytest.raises(UsageError, match=r"view\.cdl: there is no gone\.cc"):
        load_show(yaml)

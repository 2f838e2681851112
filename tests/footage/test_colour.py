"""Colour against published numbers and against colour-science."""

from __future__ import annotations

import colour as science
import numpy as np
import pytest

from footagefit.errors import MissingPart, UnknownName
from footagefit.footage import colour
from footagefit.footage.view import View

LIN = np.array([0.001, 0.01, 0.18, 0.9, 4.0], np.float32)


def decoded(codes, space, target="ACEScg"):
    pixels = np.repeat(np.asarray(codes, np.float32)[None, :, None], 3, 2)
    colour.convert(pixels, space, target=target)
    return pixels[0, :, 1]


@pytest.mark.parametrize(
    ("space", "linear", "encode"),
    [
        ("arri_logc3_ei800", "lin_arri_wide_gamut_3", science.models.log_encoding_ARRILogC3),
        ("arri_logc4", "lin_awg4", science.models.log_encoding_ARRILogC4),
        ("slog3_sgamut3", "lin_sgamut3", science.models.log_encoding_SLog3),
        ("vlog_vgamut", "lin_vgamut", science.models.log_encoding_VLog),
        ("log3g10_redwidegamutrgb", "lin_redwidegamutrgb", science.models.log_encoding_Log3G10),
        ("acescct", "ACEScg", science.models.log_encoding_ACEScct),
    ],
)
def test_camera_logs_match_their_published_curves(space, linear, encode):
    assert np.allclose(decoded(encode(LIN), space, linear), LIN, atol=2e-4)


def test_middle_grey_of_logc3_is_code_400():
    assert decoded([400.0 / 1023.0], "arri_logc3_ei800")[0] == pytest.approx(0.18, rel=0.005)


def test_srgb_and_gamma_decode():
    assert decoded([0.5], "srgb_texture")[0] == pytest.approx(0.21404, abs=1e-4)
    assert decoded([0.5], "g24_rec709")[0] == pytest.approx(0.5**2.4, abs=1e-4)


def test_a_red_camera_green_goes_negative_and_survives():
    pixels = np.array([[[0.0, 3.0, 0.0]]], np.float32)
    colour.convert(pixels, "lin_redwidegamutrgb", target="ACEScg")
    assert pixels.min() < -0.1
    colour.from_working(pixels, "lin_redwidegamutrgb")
    assert np.allclose(pixels, [[[0.0, 3.0, 0.0]]], atol=1e-5)


def test_bands_do_not_show():
    rng = np.random.default_rng(0)
    tall = rng.random((400, 32, 3), np.float32)
    whole = tall.copy()
    colour.to_working(whole, "arri_logc4")
    rows = np.stack([tall[i : i + 1].copy() for i in range(400)])
    for row in rows:
        colour.to_working(row, "arri_logc4")
    assert np.array_equal(whole, rows[:, 0])


@pytest.mark.parametrize("name", ["ACEScg", "acescg", "lin_ap1", "ACES - ACEScg", "aces cg"])
def test_names_are_found_in_any_dress(name):
    assert colour.resolve(name) == "ACEScg"


def test_unknown_spaces_list_near_ones():
    with pytest.raises(UnknownName, match="arri_logc3_ei800"):
        colour.resolve("arri_logc3")


def test_ocio_variable_is_honoured_and_a_broken_one_is_said(tmp_path, monkeypatch):
    import PyOpenColorIO as ocio

    config = ocio.Config.CreateFromFile("ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3")
    path = tmp_path / "house.ocio"
    path.write_text(config.serialize())
    monkeypatch.setenv("OCIO", str(path))
    assert colour.source() == str(path)
    with pytest.raises(UnknownName):
        colour.resolve("arri_logc4")  # the cg config has no cameras
    monkeypatch.setenv("OCIO", str(tmp_path / "gone.ocio"))
    with pytest.raises(MissingPart, match="unset"):
        colour.resolve("ACEScg")


def test_previews_are_8_bit_and_leave_pixels_alone():
    pixels = np.array([[[0.18] * 3, [1000.0] * 3, [-1.0] * 3, [np.nan] * 3]], np.float32)
    before = pixels.copy()
    shown = colour.preview(pixels)
    assert shown.dtype == np.uint8
    assert np.array_equal(before, pixels, equal_nan=True)
    assert 80 < shown[0, 0, 0] < 130  # ACES SDR puts 18% grey near 10 nits of 100
    assert shown[0, 1].min() > 240
    assert colour.preview(pixels, View(2.0))[0, 0, 0] > shown[0, 0, 0] + 40

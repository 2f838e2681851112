"""Light of a black body, against an independent library."""

import colour as science
import numpy as np
import pytest

from footagefit.footage.white import light_rgb


@pytest.mark.parametrize("kelvin", [2000, 3200, 4300, 6500, 10000, 15000])
@pytest.mark.parametrize("white_k", [3200.0, 5600.0])
def test_light_colours_match_colour_science(kelvin, white_k):
    xyz = [
        science.xy_to_XYZ(science.UCS_uv_to_xy(science.CCT_to_uv(np.array([k, 0.0]))))
        for k in (kelvin, white_k)
    ]
    aces = science.RGB_COLOURSPACES["ACEScg"]
    adapted = science.adaptation.chromatic_adaptation_VonKries(
        *xyz, science.xy_to_XYZ(aces.whitepoint), transform="Bradford"
    )
    expected = aces.matrix_XYZ_to_RGB @ adapted
    got = np.array(light_rgb(float(kelvin), 0.0, white_k))
    assert np.allclose(got / got[1], expected / expected[1], rtol=0.02, atol=0.01)


def test_the_shows_white_is_even_and_green_is_greener():
    assert np.allclose(light_rgb(3200.0, 0.0, 3200.0), 1.0, atol=1e-3)
    assert light_rgb(5600.0, 0.02)[1] > light_rgb(5600.0)[1]

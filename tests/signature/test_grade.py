from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.footage.white import light_rgb
from footagefit.signature import grade
from signature_made import NO_SHRINK, array, smooth


def graded(frame: np.ndarray) -> grade.Grade:
    found = grade.fit([grade.sampled(frame)])
    assert found is not None
    return found


@settings(max_examples=12, phases=NO_SHRINK)
@given(kelvin=st.floats(2500, 12000), duv=st.floats(-0.01, 0.01))
def test_a_lights_colour_and_its_name(kelvin, duv):
    mired, tint = grade.mired_of(np.array(light_rgb(kelvin, duv)) * 3.0)
    assert mired == pytest.approx(1e6 / kelvin, abs=0.5)
    assert tint == pytest.approx(duv, abs=3e-4)


@settings(max_examples=8, phases=NO_SHRINK)
@given(ev=st.floats(-1.5, 1.5), kelvin=st.floats(3500, 9000))
def test_how_far_apart_in_photographic_units(ev, kelvin):
    frame = array(smooth(2))
    light = np.array(light_rgb(kelvin), np.float32)
    light = light / light[1] * 2.0**ev
    found = grade.apart(graded(frame * light), graded(frame))
    assert found.exposure_ev == pytest.approx(ev, abs=0.03)
    assert found.white_mired == pytest.approx(1e6 / kelvin - 1e6 / 5600, abs=4)
    assert found.contrast == pytest.approx(1, abs=0.03)
    assert found.tone_ev < 0.1  # a white point moves tones of coloured things


def test_contrast_is_a_ratio():
    frame = array(smooth(3))
    harder = 0.18 * (frame / 0.18) ** 1.3
    assert grade.apart(graded(harder), graded(frame)).contrast == pytest.approx(1.3, abs=0.03)


def test_one_grade_brought_onto_another():
    frame, other = smooth(4), smooth(5) * 0.4
    own, onto = graded(array(frame)), graded(array(other))
    made = graded(array(grade.apply(frame, onto=onto, own=own)))
    assert made.mean == pytest.approx(onto.mean, abs=0.05)
    assert np.allclose(made.covariance, onto.covariance, atol=0.1)


def test_nothing_seen_is_no_grade():
    assert grade.fit([]) is None

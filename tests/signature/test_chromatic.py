from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.signature import chromatic, grain_synthesis
from footagefit.signature.chromatic import Chromatic, Shifts
from footagefit.signature.sharpness import blurred
from signature_made import NO_SHRINK, array, smooth, tiles
from signature_made import grain as a_grain

FILM = grain_synthesis.Synthesis(a_grain(strength=0.02))


@settings(max_examples=3, phases=NO_SHRINK)
@given(red=st.floats(-2.5, 2.5), blue=st.floats(-2.5, 2.5))
def test_edges_tell_the_shift_at_the_corner(red, blue):
    lens = Chromatic(red_px=red, blue_px=blue)
    size = (540, 960)
    frame = chromatic.apply(blurred(tiles(size, cell_px=60.0), 0.9), lens)
    frame = FILM.apply(frame, number=1)
    seen = chromatic.shifts(array(frame))
    assert seen is not None
    found = chromatic.fit(Shifts.joined([seen]))
    assert found is not None
    assert abs(found.red_px - red) < 0.1 and abs(found.blue_px - blue) < 0.1


@settings(max_examples=5, phases=NO_SHRINK)
@given(red=st.floats(-3, 3), blue=st.floats(-3, 3), centre=st.floats(-0.02, 0.02))
def test_taking_off_what_was_put_on_gives_a_smooth_frame_back(red, blue, centre):
    lens = Chromatic(red_px=red, blue_px=blue, centre_x=centre)
    frame = smooth(6)
    back = chromatic.remove(chromatic.apply(frame, lens), lens)
    assert (back - frame)[:, 8:-8, 8:-8].abs().max() < 1e-3


def test_green_keeps_its_bits():
    frame = smooth(7)
    assert (chromatic.apply(frame, Chromatic(red_px=1.0))[1] == frame[1]).all()


def test_a_smooth_scene_tells_nothing():
    seen = chromatic.shifts(array(smooth(8)))
    assert seen is None or chromatic.fit(seen) is None


def test_colours_of_things_are_no_shift():
    frame = array(tiles((540, 960), cell_px=60.0)) * np.array([1.4, 1.0, 0.6], np.float32)
    seen = chromatic.shifts(frame)
    assert seen is not None
    found = chromatic.fit(seen)
    assert found is not None and abs(found.red_px) < 0.05 and abs(found.blue_px) < 0.05

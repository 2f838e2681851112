from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.signature import distortion
from footagefit.signature.distortion import Distortion
from signature_made import NO_SHRINK, bent_lenses, smooth


@settings(max_examples=20, phases=NO_SHRINK)
@given(lens=bent_lenses, x=st.floats(-0.8, 0.8), y=st.floats(-0.5, 0.5))
def test_there_and_back_is_the_same_place(lens, x, y):
    there = lens.distorted(np.array([x]), np.array([y]))
    back = lens.undistorted(*there)
    assert np.allclose([back[0][0], back[1][0]], [x, y], atol=1e-6)


@settings(max_examples=5, phases=NO_SHRINK)
@given(lens=bent_lenses)
def test_straightening_what_was_bent_gives_a_smooth_frame_back(lens):
    frame = smooth(3)
    back = distortion.remove(distortion.apply(frame, lens), lens)
    inner = (slice(None), slice(40, -40), slice(60, -60))
    assert (back - frame)[inner].abs().max() < 1e-3


def test_squeeze_counts_desqueezed():
    lens = Distortion(k1=-0.05, squeeze=2.0)
    frame = smooth(2, (200, 200))
    wide = torch.nn.functional.interpolate(
        frame[None], size=(200, 400), mode="bilinear", align_corners=False
    )[0]
    narrow = distortion.apply(frame, lens)
    plain = distortion.apply(wide, Distortion(k1=-0.05))
    plain = torch.nn.functional.interpolate(plain[None], size=(200, 200), mode="area")[0]
    assert (narrow - plain)[:, 10:-10, 10:-10].abs().max() < 6e-3

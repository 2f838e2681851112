from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.signature import bloom, coordinates, edges, sharpness
from footagefit.signature.bloom import Bloom
from footagefit.signature.sharpness import Sharpness
from signature_made import NO_SHRINK, array, smooth, tiles

SIZE = (540, 960)


def measured(frame: torch.Tensor) -> Sharpness | None:
    luma = coordinates.luma(array(frame))
    found = edges.find(luma)
    seen = sharpness.spreads(luma, found.at_N2, found.way_N2)
    return None if seen is None else sharpness.fit(seen)


@settings(max_examples=4, phases=NO_SHRINK)
@given(centre=st.floats(1.6, 2.4), more=st.floats(0.0, 1.6))
def test_what_is_put_on_is_what_edges_measure(centre, more):
    lens = Sharpness(centre_px=centre, radial_px=centre + more, around_px=centre + more)
    found = measured(sharpness.apply(tiles(SIZE, cell_px=60.0), lens))
    assert found is not None
    assert found.centre_px == pytest.approx(centre, rel=0.15)
    assert 0.5 * (found.radial_px + found.around_px) == pytest.approx(centre + more, rel=0.2)


def test_mtf50_of_a_gaussian():
    angle = np.linspace(0, 0.5, 20001)
    curve = np.exp(-2 * (np.pi * angle * 1.3) ** 2)
    assert pytest.approx(angle[np.argmin(abs(curve - 0.5))], rel=1e-3) == sharpness.MTF50 / 1.3


def test_a_smooth_scene_tells_nothing():
    assert measured(smooth(1, SIZE)) is None


@settings(max_examples=4, phases=NO_SHRINK)
@given(share=st.floats(0.0, 0.08))
def test_bloom_comes_off(share):
    lens = Bloom(share=share)
    frame = smooth(4, (108, 192))
    frame[:, 40:44, 60:66] = 20.0
    back = bloom.remove(bloom.apply(frame, lens), lens)
    assert (back - frame).abs().max() < 1e-3


@settings(max_examples=4, phases=NO_SHRINK)
@given(share=st.floats(0.01, 0.06))
def test_bloom_is_read_off_the_dark_round_a_lamp(share):
    shares = []
    for x in (60, 120, 240, 300):
        frame = torch.full((3, 216, 384), 1e-4)
        frame[:, 90:104, x : x + 14] = 30.0
        seen = bloom.seen(coordinates.luma(array(bloom.apply(frame, Bloom(share=share)))))
        assert seen is not None
        shares.append(seen)
    found = bloom.fit(shares)
    assert found is not None and found.share == pytest.approx(share, rel=0.35)
    assert bloom.seen(coordinates.luma(array(smooth(5)))) is None

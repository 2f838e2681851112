from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.signature import overlaps, vignette
from footagefit.signature.vignette import Pairs, Vignette
from signature_made import NO_SHRINK, array, smooth

shapes = st.builds(
    Vignette,
    a2=st.floats(-1.2, -0.2), a4=st.floats(-0.4, 0.08), a6=st.floats(-0.2, 0.03),
    red=st.floats(-0.05, 0.05), blue=st.floats(-0.05, 0.05),
    centre_x=st.floats(-0.03, 0.03), centre_y=st.floats(-0.03, 0.03),
)  # fmt: skip


def rms(one: Vignette, other: Vignette) -> float:
    """Of the gain over the frame, exposure apart."""
    ratio = one.gain((54, 96)) / other.gain((54, 96))
    return float((ratio / ratio.mean((0, 1))).std())


@settings(max_examples=8, phases=NO_SHRINK)
@given(lens=shapes)
def test_taking_off_what_was_put_on_gives_the_frame_back(lens):
    frame = smooth(1, (60, 96))
    back = vignette.remove(vignette.apply(frame, lens), lens)
    assert torch.allclose(back, frame, rtol=1e-5, atol=1e-6)


@settings(max_examples=8, phases=NO_SHRINK)
@given(lens=shapes)
def test_a_flat_frame_tells_its_vignette(lens):
    flat = vignette.apply(torch.full((3, 216, 384), 0.4), lens)
    assert rms(vignette.fit_flat(array(flat)), lens) < 0.01


@settings(max_examples=5, phases=NO_SHRINK)
@given(lens=shapes)
def test_the_same_light_seen_at_two_places_tells_it(lens):
    rng = np.random.default_rng(3)
    one, other = rng.uniform(-0.8, 0.8, (2, 6000, 2)) * [1, 0.56]
    stops = lens.stops(*other.T) - lens.stops(*one.T) + rng.normal(0, 0.03, (6000, 3))
    stops[:600] += rng.normal(0, 1.0, (600, 1))  # what moved
    group = rng.integers(0, 6, 6000)
    stops += 0.2 * group[:, None]  # exposures
    found = vignette.fit_pairs(Pairs(one, other, stops, group))
    assert found is not None and rms(found, lens) < 0.01
    assert found.error_rms is not None and found.error_rms < 0.02


def test_a_pan_over_a_scene_tells_it():
    lens = Vignette(a2=-0.5, a4=-0.1)
    world = smooth(2, (270, 640), (12, 26)) * (1 + 0.3 * smooth(5, (270, 640), (40, 90)))
    frames = [vignette.apply(world[:, :, x : x + 480], lens) for x in (0, 50, 100, 160)]
    small = [overlaps.small(array(f)) for f in frames]
    pairs = []
    for one, other in itertools.combinations(small, 2):
        move = overlaps.camera_move(one, other)
        pair = None if move is None else overlaps.pairs(one, other, move)
        pairs += [] if pair is None else [pair]
    found = vignette.fit_pairs(Pairs.joined(pairs))
    assert found is not None and rms(found, lens) < 0.02


@pytest.mark.parametrize(
    "light",
    [Vignette(a2=0.3, a4=-0.2), Vignette(a2=-0.6, centre_x=0.25), Vignette(a2=-1.0, a4=1.4)],
)
def test_what_no_glass_does_is_no_vignette(light):
    rng = np.random.default_rng(3)
    one, other = rng.uniform(-0.8, 0.8, (2, 6000, 2)) * [1, 0.56]
    stops = light.stops(*other.T) - light.stops(*one.T) + rng.normal(0, 0.03, (6000, 3))
    assert vignette.fit_pairs(Pairs(one, other, stops, rng.integers(0, 6, 6000))) is None


def test_a_camera_that_stands_tells_nothing():
    picture = array(smooth(4))
    assert overlaps.camera_move(picture, picture * 1.01) is None


def test_too_few_patches_tell_nothing():
    few = Pairs(np.zeros((10, 2)), np.ones((10, 2)), np.zeros((10, 3)), np.zeros(10, int))
    assert vignette.fit_pairs(few) is None


def test_the_corner_is_where_r_is_one():
    lens = Vignette(a2=-0.5)
    gain = lens.gain((1080, 1920))
    assert gain[0, 0, 1] == pytest.approx(2**-0.5, rel=2e-3)
    assert lens.corner_ev == -0.5

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.signature import coordinates, distortion, edges
from footagefit.signature.distortion import Distortion
from footagefit.signature.sharpness import blurred
from signature_made import NO_SHRINK, array, smooth, tiles

lenses = st.builds(
    Distortion,
    k1=st.floats(-0.09, 0.06), k2=st.floats(-0.01, 0.015),
    centre_x=st.floats(-0.004, 0.004), centre_y=st.floats(-0.004, 0.004),
)  # fmt: skip


def corner_px(lens: Distortion) -> float:
    return (lens.k1 + lens.k2) * coordinates.HD_HALF_PX


@settings(max_examples=20, phases=NO_SHRINK)
@given(lens=lenses, x=st.floats(-0.8, 0.8), y=st.floats(-0.5, 0.5))
def test_there_and_back_is_the_same_place(lens, x, y):
    there = lens.distorted(np.array([x]), np.array([y]))
    back = lens.undistorted(*there)
    assert np.allclose([back[0][0], back[1][0]], [x, y], atol=1e-6)


@settings(max_examples=5, phases=NO_SHRINK)
@given(lens=lenses)
def test_straightening_what_was_bent_gives_a_smooth_frame_back(lens):
    frame = smooth(3)
    back = distortion.remove(distortion.apply(frame, lens), lens)
    inner = (slice(None), slice(40, -40), slice(60, -60))
    assert (back - frame)[inner].abs().max() < 1e-3


@settings(max_examples=3, phases=NO_SHRINK)
@given(lens=lenses)
def test_bent_tiles_tell_the_lens_to_half_a_pixel_of_hd(lens):
    size = (540, 960)
    bent = array(distortion.apply(blurred(tiles(size, cell_px=75.0), 0.8), lens))
    found = edges.find(coordinates.luma(bent))
    fitted = distortion.fit_lines(edges.lines(found, size))
    assert fitted is not None
    assert abs(corner_px(fitted) - corner_px(lens)) < 0.7
    assert fitted.error_px is not None and fitted.error_px < 3


def test_curved_things_among_the_lines_do_not_bend_the_answer():
    lens = Distortion(k1=-0.05)
    rng = np.random.default_rng(5)
    run = np.linspace(0, 1, 60)[:, None]
    lines = []
    for k in range(60):
        ends = rng.uniform(-0.85, 0.85, (2, 2)) * [1, 0.56]
        line = ends[0] + run * (ends[1] - ends[0])
        if k % 3 == 0:  # a third of the edges are arcs
            line = line + np.array([0.0, 1.0]) * 0.02 * rng.uniform(-1, 1) * np.sin(np.pi * run)
        bent = np.stack(lens.distorted(*line.T), 1) + rng.normal(0, 1e-4, line.shape)
        lines.append(bent)
    found = distortion.fit_lines(lines)
    assert found is not None and abs(corner_px(found) - corner_px(lens)) < 0.7


def test_shots_that_err_together_widen_the_error():
    """Edges that are bent alike all through a shot: how far shots are apart is the error."""
    rng = np.random.default_rng(2)
    run = np.linspace(0, 1, 60)[:, None]
    lines, shots = [], []
    for shot in range(8):
        lens = Distortion(k1=-0.05 + 0.004 * rng.normal())
        for _ in range(30):
            ends = rng.uniform(-0.85, 0.85, (2, 2)) * [1, 0.56]
            line = ends[0] + run * (ends[1] - ends[0])
            bent = np.stack(lens.distorted(*line.T), 1) + rng.normal(0, 1e-4, line.shape)
            lines.append(bent)
            shots.append(shot)
    alone, told = distortion.fit_lines(lines), distortion.fit_lines(lines, shots=shots)
    assert alone is not None and told is not None
    assert alone.error_px is not None and told.error_px is not None
    expected = 0.004 / 8**0.5 * coordinates.HD_HALF_PX
    assert 0.4 * expected < told.error_px < 2.5 * expected
    assert told.error_px > 1.5 * alone.error_px


def test_few_edges_of_one_shot_are_not_taken_at_their_word():
    """What six edges agree on by themselves may be how all six things are bent."""
    rng = np.random.default_rng(4)
    run, lens = np.linspace(0, 1, 60)[:, None], Distortion(k1=-0.05)
    lines = []
    for _ in range(60):
        ends = rng.uniform(-0.85, 0.85, (2, 2)) * [1, 0.56]
        line = ends[0] + run * (ends[1] - ends[0])
        line += np.array([0.0, 1.0]) * 4e-4 * rng.normal() * np.sin(np.pi * run)
        lines.append(np.stack(lens.distorted(*line.T), 1))
    chart, one = distortion.fit_lines(lines), distortion.fit_lines(lines, shots=[0] * 60)
    assert chart is not None and one is not None and chart.error_px and one.error_px
    assert 2 < one.error_px / chart.error_px < 2.5  # a chart is straight
    few = distortion.fit_lines(lines[:8], shots=[0] * 8)
    assert few is None or (few.error_px or 0) > 1.3 * one.error_px


def test_no_lines_no_answer():
    assert distortion.fit_lines([]) is None
    arcs = [np.stack([np.cos(t), np.sin(t)], 1) * r for r, t in
            ((r, np.linspace(0, 1, 50)) for r in (0.05, 0.06, 0.07, 0.08, 0.05, 0.06))]  # fmt: skip
    assert distortion.fit_lines(arcs) is None


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

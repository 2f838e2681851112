from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from numpy.testing import assert_allclose

from footagefit.signature import coordinates, distortion, distortion_fit, edges
from footagefit.signature.distortion import Distortion
from footagefit.signature.sharpness import blurred
from footagefit.signature.tracks import Tracks
from signature_made import NO_SHRINK, array, bent_lenses, corner_px, tiles, turned


@settings(max_examples=3, phases=NO_SHRINK)
@given(lens=bent_lenses)
def test_bent_tiles_tell_the_lens_to_half_a_pixel_of_hd(lens):
    size = (540, 960)
    bent = array(distortion.apply(blurred(tiles(size, cell_px=75.0), 0.8), lens))
    found = edges.find(coordinates.luma(bent))
    fitted = distortion_fit.fit(edges.lines(found, size))
    assert fitted is not None
    assert fitted.error_px is not None and fitted.error_px < 1
    assert abs(corner_px(fitted) - corner_px(lens)) < 0.5


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
    found = distortion_fit.fit(lines)
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
    alone, told = distortion_fit.fit(lines), distortion_fit.fit(lines, shots=shots)
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
    chart, one = distortion_fit.fit(lines), distortion_fit.fit(lines, shots=[0] * 60)
    assert chart is not None and one is not None and chart.error_px and one.error_px
    assert 2 < one.error_px / chart.error_px < 2.5  # a chart is straight
    few = distortion_fit.fit(lines[:8], shots=[0] * 8)
    assert few is None or (few.error_px or 0) > 1.3 * one.error_px


def test_no_lines_no_answer():
    assert distortion_fit.fit([]) is None
    arcs = [np.stack([np.cos(t), np.sin(t)], 1) * r for r, t in
            ((r, np.linspace(0, 1, 50)) for r in (0.05, 0.06, 0.07, 0.08, 0.05, 0.06))]  # fmt: skip
    assert distortion_fit.fit(arcs) is None


@settings(max_examples=6, phases=NO_SHRINK)
@given(lens=bent_lenses)
def test_a_camera_that_turns_tells_the_lens_without_any_edge(lens):
    pairs, shots = turned(lens, seed=3)
    found = distortion_fit.fit([], shots=[], tracks=pairs, track_shots=shots)
    assert found is not None and abs(corner_px(found) - corner_px(lens)) < 0.7
    assert found.lines == 0 and found.points > 1000
    assert found.error_px is not None and 0.1 < found.error_px < 1.0


def test_edges_of_bent_things_do_not_outvote_what_turns_say():
    lens = Distortion(k1=-0.05)
    rng = np.random.default_rng(5)
    run = np.linspace(0, 1, 60)[:, None]
    lines = []
    for _ in range(60):  # all bent the same way, as a row of curtains is
        ends = rng.uniform(-0.85, 0.85, (2, 2)) * [1, 0.56]
        line = ends[0] + run * (ends[1] - ends[0])
        lines.append(np.stack(Distortion(k1=-0.08).distorted(*line.T), 1))
    pairs, shots = turned(lens, seed=4)
    alone = distortion_fit.fit(lines, shots=[0] * 60)
    both = distortion_fit.fit(lines, shots=[0] * 60, tracks=pairs, track_shots=shots)
    assert alone is not None and abs(corner_px(alone) - corner_px(lens)) > 20
    assert both is not None and abs(corner_px(both) - corner_px(lens)) < 1.5


def test_a_camera_that_hardly_turns_is_less_certain():
    lens = Distortion(k1=-0.05)
    wide, little = (
        distortion_fit.fit([], shots=[], tracks=pairs, track_shots=shots)
        for pairs, shots in (turned(lens, seed=3), turned(lens, seed=3, by=0.03))
    )
    assert wide is not None and little is not None and wide.error_px and little.error_px
    assert little.error_px > 2 * wide.error_px


def test_things_at_all_depths_that_a_camera_moves_past_say_nothing():
    """No homography brings the two pictures over each other, behind whatever lens."""
    rng = np.random.default_rng(6)
    pairs = []
    for _ in range(6):
        one = rng.uniform(-0.8, 0.8, (300, 2)) * [1, 0.56]
        near = rng.uniform(0.2, 1.0, (300, 1))
        pairs.append(Tracks(one, one + near * [0.2, 0.0]))
    assert distortion_fit.fit([], shots=[], tracks=pairs, track_shots=list(range(6))) is None


def test_a_lens_that_does_not_bend_is_told_so():
    pairs, shots = turned(Distortion(), seed=8)
    found = distortion_fit.fit([], shots=[], tracks=pairs, track_shots=shots)
    assert found is not None and found.error_px is not None
    assert_allclose(corner_px(found), 0.0, atol=3 * found.error_px)

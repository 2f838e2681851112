"""Reading between pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.motion import warps
from motion_made import Scene, grid, shifted, view


def places(dx: float, dy: float) -> torch.Tensor:
    x, y = grid()
    return torch.from_numpy(np.stack([x + dx, y + dy], -1).astype(np.float32))[None]


def test_whole_pixels_come_back_to_the_bit_and_the_border_is_told():
    picture = view(Scene(1), np.eye(3))[None]
    values, valid = warps.sampled(picture, places(3, -2))
    assert torch.equal(values[..., 2:, :-3], picture[..., :-2, 3:])
    assert valid[..., 2:, :-3].min() == 1.0
    assert valid[..., :2, :].max() == 0.0
    assert valid[..., -3:].max() == 0.0


@pytest.mark.parametrize(("dx", "dy"), [(0.5, 0.25), (-3.3, 1.7)])
def test_between_pixels_it_reads_what_a_moved_camera_sees(dx, dy):
    scene = Scene(2, shortest_px=12.0)
    picture, truth = view(scene, np.eye(3)), view(scene, shifted(dx, dy))
    values, valid = warps.sampled(picture[None], places(dx, dy))
    other, _ = warps.sampled(picture[None].double(), places(dx, dy).double())  # not by OpenCV
    inner = (slice(None), slice(6, -6), slice(6, -6))
    assert valid[0][inner].min() == 1.0
    assert float((values[0] - truth)[inner].abs().mean() / truth.mean()) < 0.02
    assert torch.allclose(other[0].float()[inner], values[0][inner], atol=0.03)


def test_more_channels_than_opencv_takes_and_more_places_than_a_picture():
    picture = np.random.default_rng(0).standard_normal((8, 9, 7)).astype(np.float32)
    at = np.broadcast_to(np.array([3.0, 5.0], np.float32), (5_000_001, 2))
    read = warps.at_places(picture, at)
    assert read.shape == (5_000_001, 7)
    assert np.array_equal(read[-1], picture[5, 3])


def test_a_flow_after_another_is_both():
    one, two = np.full((20, 30, 2), 1.5, np.float32), np.full((20, 30, 2), -0.5, np.float32)
    assert np.allclose(warps.after(one, two), 1.0)


def test_what_a_homography_takes_behind_the_camera_is_in_no_picture():
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.1, 0.0, 1.0]])
    at = warps.moved(np.array([[5.0, 5.0], [50.0, 5.0]]), matrix)
    assert warps.within(at, (200, 200)).tolist() == [True, False]

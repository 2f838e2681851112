"""Global motion, to a fraction of a pixel, whatever else moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.motion import homography, warps
from footagefit.motion.homography import Chain, Motion
from motion_made import SIZE, Scene, disc, shifted, view

TURN = np.array([[1.012, 0.021, 3.4], [-0.018, 0.99, -2.2], [4e-5, -3e-5, 1.0]])


def off(found: np.ndarray, truth: np.ndarray) -> float:
    """Worst error at the corners, px."""
    at = homography.corners(SIZE)
    return float(np.abs(warps.moved(at, found) - warps.moved(at, truth)).max())


def test_a_homography_is_found_to_a_tenth_of_a_pixel():
    scene = Scene(3)
    one, other = view(scene, TURN), view(scene, np.eye(3))
    found = homography.between(one, other)
    assert off(found.matrix, TURN) < 0.12
    assert found.sure > 0.7
    assert not found.still


def test_another_exposure_and_a_thing_that_moves_do_not_disturb_it():
    scene, actor = Scene(4), Scene(5)
    one, other = view(scene, TURN), view(scene, np.eye(3))
    here, there = disc(40, 40, 16), disc(54, 36, 16)
    one = torch.where(here > 0, view(actor, np.eye(3)), one)
    other = torch.where(there > 0, view(actor, shifted(-14, 4)), other) * 2.0**0.6
    assert off(homography.between(one, other).matrix, TURN) < 0.25


def test_a_camera_on_its_stand_gives_the_identity_to_the_bit():
    scene, actor = Scene(6), Scene(7)
    noise = torch.Generator().manual_seed(1)
    frames = []
    for place in (30, 37):
        frame = torch.where(
            disc(place, 40, 15) > 0, view(actor, shifted(-place)), view(scene, np.eye(3))
        )
        frames.append(frame * (1 + 0.02 * torch.randn(frame.shape, generator=noise)))
    found = homography.between(*frames)
    assert found.still
    assert np.array_equal(found.matrix, np.eye(3))


def test_holes_are_not_looked_at():
    scene, wall = Scene(8), view(Scene(9), np.eye(3))
    hole = torch.zeros(1, *SIZE)
    hole[..., :50] = 1.0  # stands still, and is nearly half of the frame
    one = torch.where(hole > 0, wall, view(scene, shifted(4.5, 1.25)))
    other = torch.where(hole > 0, wall, view(scene, np.eye(3)))
    found = homography.between(one, other, hole_1HW=hole, other_hole_1HW=hole)
    assert off(found.matrix, shifted(4.5, 1.25)) < 0.3


@pytest.mark.parametrize("light", [0.0, 0.18])
def test_a_frame_without_anything_in_it_says_so(light):
    flat = torch.full((3, *SIZE), light)
    found = homography.between(flat, flat)
    assert found.sure == 0.0
    assert np.array_equal(found.matrix, np.eye(3))


def test_a_chain_goes_both_ways_and_knows_where_the_camera_stood():
    steps = [Motion(shifted(2), 0.9), Motion(np.eye(3), 0.8, True), Motion(shifted(0, 3), 0.5)]
    chain = Chain(steps, [1001, 1002, 1003, 1004], size=SIZE)
    assert np.allclose(chain.to(1001, 1004), shifted(2, 3))
    assert np.allclose(chain.to(1004, 1001), shifted(-2, -3))
    assert chain.still(1002, 1003)
    assert not chain.still(1001, 1003)
    assert chain.sure(1001, 1003) == 0.8


def test_part_of_a_motion():
    assert off(homography.part_of(shifted(8, -4), 0.25, SIZE), shifted(2, -1)) < 1e-4
    assert off(homography.part_of(TURN, 1.0, SIZE), TURN) < 1e-3

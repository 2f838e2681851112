from __future__ import annotations

import numpy as np
import pytest

from footagefit.signature import coordinates, overlaps, tracks
from footagefit.signature.vignette import Vignette
from footagefit.signature.vignette import apply as shaded
from signature_made import array, smooth, tiles

SIZE = (270, 480)


@pytest.fixture(scope="module")
def pan() -> list[np.ndarray]:
    """Two frames of a pan by 60 pixels, behind a lens that darkens its corners."""
    world = smooth(2, (270, 640), (40, 90)) * (0.4 + tiles((270, 640), cell_px=31.0))
    lens = Vignette(a2=-0.5, a4=-0.1)
    return [array(shaded(world[:, :, x : x + 480].contiguous(), lens)) for x in (10, 70)]


def followed(pair: list[np.ndarray]) -> tracks.Tracks | None:
    one, other = pair
    move = overlaps.camera_move(overlaps.small(one), overlaps.small(other))
    assert move is not None
    one, other = (tracks.seen(coordinates.luma(frame)) for frame in pair)
    return tracks.follow(one, other, move)


def test_points_are_followed_to_a_few_hundredths_of_a_pixel(pan):
    found = followed(pan)
    assert found is not None and len(found.one_N2) > 100
    off = coordinates.of_lens(found.other_N2, SIZE) - coordinates.of_lens(found.one_N2, SIZE)
    apart = np.linalg.norm(off - [-60.0, 0.0], axis=1)
    assert np.median(apart) < 0.05 and np.quantile(apart, 0.9) < 0.3
    assert abs(np.median(off[:, 0]) + 60) < 0.02  # the vignette, which stands still, holds nothing


def test_what_is_not_there_is_not_followed(pan):
    blank = np.full_like(tracks.seen(coordinates.luma(pan[0])), 128)
    assert tracks.follow(tracks.seen(coordinates.luma(pan[0])), blank, np.eye(3)) is None
    assert tracks.follow(blank, blank, np.eye(3)) is None


def test_a_pan_across_half_the_frame_is_still_found():
    world = smooth(7, (270, 800), (40, 90)) * (0.4 + tiles((270, 800), cell_px=31.0))
    one, other = (array(world[:, :, x : x + 480].contiguous()) for x in (20, 220))
    move = overlaps.camera_move(one, other)
    assert move is not None
    assert np.allclose((move / move[2, 2])[:2, 2], [-200.0, 0.0], atol=2.0)


def test_larger_frames_are_looked_at_smaller():
    assert tracks.seen(np.full((1080, 1920), 0.2, np.float32)).shape == (540, 960)

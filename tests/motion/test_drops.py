"""Flashes and held frames by measurement: what is one, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.errors import FootagefitWarning
from footagefit.motion.drops import copied, jumped
from footagefit.motion.finders import find

HEIGHT, WIDTH = 81, 144


def shot(number: int, *, pan_px: float = 3.0, grain: float = 0.02) -> torch.Tensor:
    rng = torch.Generator().manual_seed(5)
    wide = torch.rand(1, 3, 12, 40, generator=rng)
    wide = torch.nn.functional.interpolate(wide, (HEIGHT, 320), mode="bicubic")[0].clamp(0.05, 1)
    left = round(pan_px * number)
    own = torch.Generator().manual_seed(number)
    noise = 1 + grain * torch.randn(3, HEIGHT, WIDTH, generator=own)
    return 0.3 * wide[..., left : left + WIDTH] * noise


def holes(kind: str, read, numbers=range(24)) -> dict[int, float]:
    """Share of each frame that is a hole, where there is any."""
    return {n: float(m.mean()) for n, m in find(kind, read, numbers) if m.any()}


@pytest.mark.parametrize("stops", [1.0, -1.0])
def test_a_flash_is_a_hole_of_whole_frames(stops):
    found = holes("flash", lambda n: shot(n) * (2.0**stops if n in (9, 10) else 1.0))
    assert found == {9: 1.0, 10: 1.0}


def test_a_flash_on_half_the_frame_is_a_hole_there():
    def read(number):
        frame = shot(number)
        if number == 9:
            frame[..., : WIDTH // 2] *= 2.0
        return frame

    [(number, mask)] = [(n, m) for n, m in find("flash", read, range(24)) if m.any()]
    assert number == 9
    assert float(mask[..., : WIDTH // 2 - 4].mean()) > 0.9
    assert float(mask[..., WIDTH // 2 + 12 :].mean()) < 0.05


def test_a_light_switched_on_is_no_flash():
    assert holes("flash", lambda n: shot(n) * (2.0 if n >= 9 else 1.0)) == {}
    assert holes("flash", lambda n: shot(n) * (2.0 if 9 <= n < 18 else 1.0)) == {}


def test_motion_is_no_flash():
    assert holes("flash", lambda n: shot(n, pan_px=7.0)) == {}


def test_what_passes_by_is_no_flash():
    cells = np.zeros((20, 27, 48))
    for t in range(20):
        cells[t, 8:18, 2 * t : 2 * t + 6] = 2.0
    assert not jumped(cells).any()


def test_a_held_frame_is_found_in_motion():
    assert holes("drop", lambda n: shot(12 if n == 13 else n)) == {13: 1.0}


def test_a_held_frame_through_a_codec_is_found():
    def read(number):
        again = shot(12) + 0.0005 * torch.randn(3, HEIGHT, WIDTH)
        return again if number == 13 else shot(number)

    assert holes("drop", read) == {13: 1.0}


def test_frozen_grain_gives_a_copy_away_where_nothing_moves():
    assert holes("drop", lambda n: shot(12 if n == 13 else n, pan_px=0.0)) == {13: 1.0}
    assert copied(np.array([0.0, *[0.02] * 8, 0.0, *[0.02] * 8])) == [9]


def test_a_still_without_grain_has_no_drops():
    assert holes("drop", lambda n: shot(0, grain=0.0)) == {}


def test_footage_on_twos_is_a_cadence_and_said_so():
    with pytest.warns(FootagefitWarning, match="cadence"):
        assert holes("drop", lambda n: shot(n // 2 * 2)) == {}


def test_numbers_that_lack_are_holes_of_whole_frames():
    numbers = [n for n in range(1001, 1013) if n not in (1005, 1006)]
    found = list(find("drop", lambda n: shot(n - 1001), numbers))
    assert [n for n, _ in found] == list(range(1001, 1013))
    assert [n for n, m in found if m.any()] == [1005, 1006]
    assert all(m.shape == (1, HEIGHT, WIDTH) for _, m in found)


def test_no_frames_no_holes():
    assert list(find("drop", shot, [])) == [] and list(find("flash", shot, [])) == []

"""The slate: there where it is said, lit by the scene, upside down at the tail."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from footagefit.records import Light
from footagefit.soundstage import slate
from footagefit.soundstage.script import write_script

TAKE = replace(write_script("demo", 0).takes[0], tail_slate=False)
SIZE = (180, 320)
LIGHT = Light(0.0, 0.0, 10.0, 0.0, 5600.0, 0.0, -10.0, 5600.0, 0.0)


def test_the_board_covers_the_middle_and_leaves_the_corners():
    cover = slate.board(TAKE, SIZE)[..., 1]
    assert cover[110, 160] == 1.0 and cover[2, 2] == 0.0
    assert 0.45 < cover.mean() < 0.8


def test_another_take_reads_otherwise_and_the_ink_is_dark():
    one = slate.board(TAKE, SIZE)
    other = slate.board(replace(TAKE, number=TAKE.number + 3), SIZE)
    assert np.abs(one - other).max() > 0.5
    inside = one[60:165, 45:275, 0]
    assert 0.03 < (inside < 0.3).mean() < 0.5


def test_a_tail_slate_is_the_board_upside_down():
    tail = slate.board(replace(TAKE, tail_slate=True), SIZE)
    assert np.allclose(tail, slate.board(TAKE, SIZE)[::-1, ::-1], atol=1 / 255)


def test_a_stop_more_light_is_a_stop_on_the_board():
    dark = torch.zeros(3, *SIZE)
    one = slate.held(dark, TAKE, light=LIGHT, place=4)
    two = slate.held(dark, TAKE, light=replace(LIGHT, key_ev=1.0, fill_ev=-9.0), place=4)
    seen = one > 1e-3
    assert torch.allclose(torch.log2(two[seen] / one[seen]), torch.ones(()), atol=1e-4)


def test_the_clapper_closes():
    start, end = (slate.held(torch.zeros(3, *SIZE), TAKE, light=LIGHT, place=p) for p in (0, 4))
    assert (start - end).abs().max() > 0.1


def test_words_say_scene_take_roll_camera_date():
    assert dict(slate.words(TAKE)) == {
        "SCENE": "12", "TAKE": "01", "ROLL": "A001", "CAM": "A", "DATE": "2024-11-03"
    }  # fmt: skip
    with pytest.raises(KeyError):
        dict(slate.words(TAKE))["TIME"]

"""Keyframes: an artist's frames come in as they are, and halves that do not fit are named."""

import numpy as np
import pytest
import torch

from footagefit.errors import FrameMismatch, MissingFrames, UnreadableClip
from footagefit.tasks.base import PlainWindow
from footagefit.tasks.draws import generator
from footagefit.tasks.keyframes import Keyframes, Mixed, read_keyframes
from footagefit.tasks.match import Match


@pytest.fixture
def folder(tmp_path, write_picture):
    rng = np.random.default_rng(0)
    for number in (1001, 1007):
        before = rng.random((24, 40, 3)).astype(np.float32)
        write_picture(tmp_path / f"before.{number}.exr", before)
        write_picture(tmp_path / f"after.{number}.exr", before * 2 + 3)
    return tmp_path


def test_pairs_are_the_artists_own(folder):
    keyframes = read_keyframes(folder, space="ACEScg")
    assert keyframes.numbers == (1001, 1007)
    for index in range(12):
        task = Match(size=((24, 40), (16, 24))[index % 2])  # as they are, and made small
        pair = task.pair(keyframes.window(index), generator(index))
        assert torch.allclose(pair.target, pair.given.plate * 2 + 3, atol=1e-4)
        assert float(pair.given.mask.min()) == 1.0


def test_keyframes_come_every_so_often(folder):
    class Plain:
        def window(self, index):
            return PlainWindow(torch.zeros(1, 3, 8, 8))

    mixed = Mixed(Plain(), read_keyframes(folder, space="ACEScg"), every=3)
    taught = ["after" in mixed.window(i).layers for i in range(7)]
    assert taught == [True, False, False, True, False, False, True]
    first, second = mixed.window(0), mixed.window(3)
    assert not torch.equal(first.frames_TCHW, second.frames_TCHW)


def test_what_they_are_among_comes_in_its_own_order_mixed_or_not():
    class Numbered:
        def __init__(self, first):
            self.first = first

        def window(self, index):
            return PlainWindow(torch.full((1, 3, 1, 1), float(self.first + index)))

    mixed = Mixed(Mixed(Numbered(0), Numbered(100), every=4), Numbered(200), every=4)
    seen = [int(mixed.window(i).frames_TCHW[0, 0, 0, 0]) for i in range(16)]
    assert [n for n in seen if n < 100] == list(range(9))
    assert [n for n in seen if 100 <= n < 200] == [100, 101, 102]
    assert [n for n in seen if n >= 200] == [200, 201, 202, 203]


def test_what_does_not_fit_is_named(folder, tmp_path, write_picture):
    with pytest.raises(UnreadableClip, match="no before there"):
        read_keyframes(tmp_path / "nowhere")
    write_picture(folder / "after.1009.exr", np.zeros((24, 40, 3), np.float32))
    with pytest.raises(MissingFrames, match="frame 1009: a keyframe has no other half"):
        read_keyframes(folder, space="ACEScg")
    write_picture(folder / "before.1009.exr", np.zeros((24, 40, 3), np.float32))
    for number in (1001, 1007, 1009):
        write_picture(folder / f"after.{number}.exr", np.zeros((20, 40, 3), np.float32))
    with pytest.raises(FrameMismatch, match="before is 40x24, after 40x20"):
        read_keyframes(folder, space="ACEScg")


def test_keyframes_pickle():
    import pickle

    one = Keyframes(torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), (7,))
    assert pickle.loads(pickle.dumps(one)).numbers == (7,)

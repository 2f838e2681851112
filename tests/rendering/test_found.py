"""Found masks as a clip: written by number, corrected by hand, never written over."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.footage.opening import open_clip
from footagefit.rendering import found
from footagefit.rendering.found import write_found


def halves(kind, read, numbers):
    """Finds the left half of each frame."""
    assert kind == "wire"
    for number in numbers:
        mask = torch.zeros_like(read(number)[:1])
        mask[..., : mask.shape[2] // 2] = 1.0
        yield number, mask


def masks_of(path):
    clip = open_clip(path, space="ACEScg")
    return clip.numbers, clip.data(clip.numbers, "mask")


def test_masks_are_a_clip_beside_the_plates_own_numbers(monkeypatch, shot, tmp_path):
    monkeypatch.setattr(found, "find", halves)
    clip = open_clip(shot())
    out = tmp_path / "masks" / "plate.found_wire.####.exr"
    assert list(write_found("wire", clip, out)) == clip.numbers
    numbers, masks = masks_of(out)
    assert numbers == clip.numbers and masks.shape[1:] == (1, 48, 80)
    assert bool((masks[..., :40] == 1).all()) and bool((masks[..., 40:] == 0).all())


def test_corrected_masks_stay(monkeypatch, shot, tmp_path, write_picture):
    monkeypatch.setattr(found, "find", halves)
    clip = open_clip(shot())
    out = tmp_path / "plate.found_wire.####.exr"
    mine = np.zeros((48, 80, 4), np.float16)
    mine[5:9] = 1.0
    write_picture(tmp_path / "plate.found_wire.1003.exr", mine)
    assert list(write_found("wire", clip, out, frames=range(1002, 1005))) == [1002, 1003, 1004]
    numbers, masks = masks_of(out)
    assert numbers == [1002, 1003, 1004]
    assert float(masks[1].mean()) == pytest.approx(4 / 48) and float(masks[0].mean()) == 0.5


def test_what_is_all_there_is_not_looked_for_again(monkeypatch, shot, tmp_path):
    monkeypatch.setattr(found, "find", halves)
    clip = open_clip(shot())
    out = tmp_path / "plate.found_wire.####.exr"
    list(write_found("wire", clip, out))
    monkeypatch.setattr(found, "find", None)
    assert list(write_found("wire", clip, out)) == clip.numbers

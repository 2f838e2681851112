"""LPIPS: real weights or none at all, and nothing but arrays out of a pickle."""

import io
import pickle

import pytest
import torch

from footagefit.errors import MissingPart, WrongValue
from footagefit.evaluation import perceptual
from footagefit.evaluation.perceptual import Lpips, _Arrays
from footagefit.tasks.draws import generator

ALEX = [(64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3)]


@pytest.fixture
def backbone(tmp_path):
    """A file of the right form; its numbers mean nothing and none is reported."""
    state = {}
    for index, (out, into, size) in zip((0, 3, 6, 8, 10), ALEX, strict=True):
        rng = generator(index)
        kernel = torch.randn(out, into, size, size, generator=rng) / (into * size * size) ** 0.5
        state[f"features.{index}.weight"] = kernel
        state[f"features.{index}.bias"] = torch.zeros(out)
    path = tmp_path / "alexnet.pth"
    torch.save(state, path)
    return path


def test_the_same_picture_is_at_zero_and_others_are_not(backbone):
    metric = Lpips(path=backbone)
    picture = torch.rand(2, 3, 64, 64, generator=generator(1))
    assert metric(picture, picture).abs().max() < 1e-6
    assert metric(picture, picture.flip(3)).min() > 1e-3
    assert metric.source == backbone


def test_without_a_real_backbone_there_is_no_number(monkeypatch, tmp_path):
    monkeypatch.setattr(perceptual, "find_backbone", lambda: None)
    with pytest.raises(MissingPart, match="no backbone for LPIPS"):
        Lpips()
    with pytest.raises(MissingPart, match="no such backbone file"):
        Lpips(path=tmp_path / "none.pth")


def test_a_file_that_is_something_else_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WrongValue, match="not a torchvision AlexNet"):
        Lpips(path=path)
    changed = tmp_path / "alexnet.ckpt"
    changed.write_bytes(b"changed")
    monkeypatch.setattr(perceptual, "find_backbone", lambda: changed)
    with pytest.raises(WrongValue, match="sha256"):
        Lpips()


def test_a_pickle_may_hold_arrays_and_nothing_else():
    import numpy as np

    tree = {"Conv_0": {"bias": np.arange(3.0)}}
    read = _Arrays(io.BytesIO(pickle.dumps(tree))).load()
    assert read["Conv_0"]["bias"].tolist() == [0.0, 1.0, 2.0]

    class Attack:
        def __reduce__(self):
            return print, ("run",)

    with pytest.raises(pickle.UnpicklingError, match="print is not an array"):
        _Arrays(io.BytesIO(pickle.dumps(Attack()))).load()

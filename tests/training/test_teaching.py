"""The loop that small nets are taught by: what was said, going on, the average of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from footagefit.errors import UnknownName, WrongValue
from footagefit.training import estimator, finder, perception, teaching
from footagefit.training.teaching import Course, Lesson, taught


def lesson(folder, steps: int = 6) -> Lesson:
    folder.mkdir(exist_ok=True)
    return Lesson(str(folder), scenes=1, steps=steps, batch=2, width=4, rate=0.1)


def net_and_course(save_every: int = 2) -> tuple[nn.Module, Course]:
    """A line with a counter, taught numbers that follow from the step."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def loss(step: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(step)
        x = torch.randn(8, 3, generator=rng)
        return (net(x) - x.sum(1, keepdim=True)).square().mean()

    return net, Course("line", loss, decay=0.9, save_every=save_every)


def test_what_is_said_is_taken_and_the_rest_stays():
    said = finder.LESSON.said(["steps=7", "rate=0.5", "out=here"])
    assert (said.steps, said.rate, said.out) == (7, 0.5, "here")
    assert said.scenes == finder.LESSON.scenes and "out" not in said.plain
    assert estimator.LESSON.plain["width"] == 24
    with pytest.raises(UnknownName, match="steps"):
        finder.LESSON.said(["step=7"])
    with pytest.raises(WrongValue, match="steps: expected int, got 'many'"):
        finder.LESSON.said(["steps=many"])


def test_what_is_wrong_with_the_line_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["perception", "begin=/nowhere", f"out={tmp_path}"])
    with pytest.raises(SystemExit, match=r"^footagefit: /nowhere: no fit there[^\n]*$"):
        teaching.asked(perception.teach, perception.LESSON)


def test_a_lesson_that_was_stopped_ends_as_if_it_had_not_been(monkeypatch, tmp_path):
    whole, course = net_and_course()
    taught(whole, lesson(tmp_path / "whole"), course)

    kept = teaching.keep

    def stopping(state, values):
        kept(state, values)
        raise KeyboardInterrupt

    net, course = net_and_course()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(teaching, "keep", stopping)
        taught(net, lesson(tmp_path / "parts"), course)
    net, course = net_and_course()
    taught(net, lesson(tmp_path / "parts"), course)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, net.state_dict()[name]), name


def test_the_net_ends_as_the_average_of_its_weights(tmp_path):
    net, course = net_and_course()
    taught(net, lesson(tmp_path / "one"), course)
    last = torch.load(tmp_path / "one" / "line_state.pt", weights_only=True)
    assert torch.equal(net.state_dict()["0.weight"], last["average"]["0.weight"])
    assert not torch.equal(net.state_dict()["0.weight"], last["net"]["0.weight"])
    assert int(net.state_dict()["1.num_batches_tracked"]) == 6

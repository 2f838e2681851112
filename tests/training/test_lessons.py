"""Lessons: worked out once, the same again, and no other examples than without them."""

import pickle

import pytest
import torch

from footagefit.tasks.base import PlainWindow
from footagefit.tasks.cleanup import Cleanup
from footagefit.tasks.draws import generator
from footagefit.tasks.match import Match
from footagefit.training.lessons import COUNT, FOLDER, Lessons, forget, with_lessons
from footagefit.training.run import Sides


class Panned:
    """Windows of three frames of one wide picture."""

    asked = 0

    def window(self, index: int) -> PlainWindow:
        self.asked += 1
        wide = torch.nn.functional.interpolate(
            torch.rand(1, 3, 9, 15, generator=generator(index)), size=(40, 64), mode="bicubic"
        ).clamp_min(0.01)
        frames = torch.cat([wide[..., n : n + 56] for n in range(3)])
        signature = {"signature.grain": 0.02}
        return PlainWindow(frames, frames[:1], signature=signature)


@pytest.fixture
def lessons(tmp_path) -> Lessons:
    return Lessons(Panned(), Cleanup(size=(32, 48), frames=3), tmp_path, count=4, seed=7)


def test_a_lesson_is_worked_out_once_and_gives_the_pair_it_would_have_given(lessons):
    one = lessons.window(3)
    worked_out = lessons.source.asked
    again = lessons.window(3)
    assert lessons.source.asked == worked_out == 1
    assert torch.equal(one.frames_TCHW, again.frames_TCHW)
    pair = lessons.task.pair(one, generator(1))
    assert pair.given.plate.shape == (1, 3, 32, 48)
    assert pair.given.vector[0, :2].tolist() == pytest.approx([0.02, 1.0], abs=1e-3)
    hole = pair.given.mask > 0
    assert float((pair.given.plate * hole).abs().max()) == 0.0
    kept = ~hole.expand_as(pair.target)
    assert torch.equal(pair.given.plate[kept], pair.target[kept])
    other = lessons.task.pair(one, generator(2))
    assert not torch.equal(pair.given.noise, other.given.noise), "noise is new every time"


def test_all_lessons_come_and_then_come_again(lessons):
    seen = {float(lessons.window(index).frames_TCHW.sum()) for index in range(40)}
    assert len(seen) == 4
    assert len(list(lessons.folder.glob("*.safetensors"))) == 4
    assert isinstance(pickle.loads(pickle.dumps(lessons)), Lessons)


def test_only_tasks_that_fill_have_lessons_and_they_go_with_the_run(tmp_path):
    sides = Sides(Panned(), Panned())
    assert with_lessons(sides, tmp_path, task=Match(), seed=0) is sides
    made = with_lessons(sides, tmp_path, task=Cleanup(size=(32, 48)), seed=0)
    assert isinstance(made.train, Lessons)
    assert made.train.count == COUNT
    assert made.held_out is sides.held_out
    made.train.window(0)
    assert any((tmp_path / FOLDER).iterdir())
    forget(tmp_path)
    assert not (tmp_path / FOLDER).exists()
    forget(tmp_path)

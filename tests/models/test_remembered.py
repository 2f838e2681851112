"""Answers are given again where the same is asked, and only there."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from footagefit.models.remembered import Remembered


class Counted:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *asked):
        self.times += 1
        return (sum(tensor.sum() for tensor in asked),)


@pytest.fixture
def made():
    return Counted()


def test_the_same_question_is_answered_once(made):
    memory, one, other = Remembered(2), torch.ones(3), torch.ones(4)
    with torch.no_grad():
        answers = [float(memory(made, picture)[0]) for picture in (one, other, one.clone(), other)]
    assert answers == [3.0, 4.0, 3.0, 4.0] and made.times == 2


def test_what_changed_in_place_is_asked_anew(made):
    memory, picture = Remembered(2), torch.ones(3)
    with torch.no_grad():
        memory(made, picture)
        picture += 1
        assert float(memory(made, picture)[0]) == 6.0


def test_the_oldest_is_forgotten(made):
    memory = Remembered(1)
    with torch.no_grad():
        for size in (1, 2, 1):
            memory(made, torch.ones(size))
    assert made.times == 3


def test_nothing_is_kept_where_gradients_are_wanted(made):
    memory, picture = Remembered(2), torch.ones(3, requires_grad=True)
    for _ in range(2):
        memory(made, picture)[0].backward()
    assert made.times == 2 and picture.grad is not None


def test_copies_begin_with_nothing(made):
    memory, picture = Remembered(2), torch.ones(3)
    with torch.no_grad():
        memory(made, picture)
        for other in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
            other(made, picture)
    assert made.times == 3

"""Real pairs: one take is asked to sit with the other, each way, judged on what stands still."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
import torch

from footagefit.dailies.entries import TRAIN
from footagefit.dailies.pairs import mismatches
from footagefit.tasks.draws import generator
from footagefit.tasks.keyframes import Mixed
from footagefit.tasks.match import OTHER, Match
from footagefit.training.real_pairs import real_pairs
from footagefit.training.settings import Settings
from footagefit.training.shows import dailies_of, sides_of, with_real_pairs
from small_film import small_film


@pytest.fixture(scope="module")
def dailies(tmp_path_factory):
    show = small_film(tmp_path_factory.mktemp("film"))
    return dailies_of(show, Settings(max_steps=1, workers=0), spec=Match().spec)


@pytest.fixture(scope="module")
def found(dailies):
    reader = dailies.windows(TRAIN).reader
    return real_pairs(reader, mismatches(list(reader.shots.values())))


def test_takes_come_each_way_by_turns(found):
    """Takes are 0.8 and 1.1 of the same blocks: from one to the other is 0.46 stops."""
    count = len(found.laid)
    assert count >= 3
    there, back = found.window(0), found.window(count)
    assert torch.equal(there.frames_TCHW, back.layers[OTHER])
    assert torch.equal(back.frames_TCHW, there.layers[OTHER])
    window = pickle.loads(pickle.dumps(found)).window(0)
    rise = (window.reference_RCHW.median() / window.layers[OTHER].median()).log2()
    assert abs(float(rise)) == pytest.approx(0.46, abs=0.15)


def test_an_example_asks_for_the_other_take_where_both_stand_still(found):
    for index in range(6):
        pair = Match(size=(24, 40), worlds=0, codecs=[], families=[]).pair(
            found.window(index), generator(index)
        )
        assert pair.target.shape == pair.given.plate.shape == (1, 3, 24, 40)
        lit = (pair.target > 0.05) & (pair.given.plate > 0.05)
        still = (pair.weight.expand_as(pair.target) > 0.5) & lit
        assert float(still.float().mean()) > 0.1
        rise = (pair.target[still] / pair.given.plate[still]).log2().median()
        assert 0.2 < abs(float(rise)) < 0.9
        sits = (pair.given.reference.median() / pair.target.median()).log2()
        assert abs(float(sits)) < abs(float(rise))


def test_a_world_changes_both_takes_alike(found):
    task = Match(size=(24, 40), worlds=1.0, mirror=0.0, least=1.0)
    plain = Match(size=(24, 40), worlds=0.0, mirror=0.0, least=1.0)
    graded, as_shot = (t.pair(found.window(0), generator(3)) for t in (task, plain))
    assert not torch.allclose(graded.target, as_shot.target, atol=1e-2)
    pictures = [(p.target, p.given.plate) for p in (graded, as_shot)]
    lit = torch.stack([torch.stack(both) for both in pictures]).amin((0, 1)) > 0.05
    moved, plate = ((a[lit] / b[lit]).log2().median() for a, b in zip(*pictures, strict=True))
    assert abs(float(moved)) > 0.1
    assert float(moved) == pytest.approx(float(plate), abs=0.2)


def test_a_match_learns_from_them_as_often_as_asked(dailies):
    sides = sides_of(dailies)
    settings = Settings(max_steps=1, workers=0)
    mixed = with_real_pairs(sides, dailies, task=Match(pairs=0.2), settings=settings).train
    assert isinstance(mixed, Mixed)
    real = [OTHER in mixed.window(index).layers for index in range(10)]
    assert real == [index % 5 == 0 for index in range(10)]
    for none in (Match(pairs=0.0), SimpleNamespace(pairs=0.2)):
        assert with_real_pairs(sides, dailies, task=none, settings=settings) is sides
    by_shape = Settings(max_steps=1, workers=0, buckets=True)
    assert with_real_pairs(sides, dailies, task=Match(), settings=by_shape) is sides


def test_takes_that_sit_together_give_none(dailies):
    assert real_pairs(dailies.windows(TRAIN).reader, []) is None

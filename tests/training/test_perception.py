"""What relighting begins from: shape is learnt, changes are not touched, and training goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from footagefit.models.relight import RelightModel
from footagefit.rendering.fits import load_fit
from footagefit.soundstage.apart import Apart
from footagefit.training import estimator
from footagefit.training.perception import Seeing, SeeingLesson, examples, judged, teach, terms


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesson")
    return SeeingLesson(str(folder), scenes=4, steps=30, batch=8, width=8, rate=4e-3)


@pytest.fixture(scope="module")
def fit(lesson):
    return teach(lesson)


def blank(fit) -> Seeing:
    torch.manual_seed(1)
    recipe = load_fit(fit).recipe
    model = recipe.build_model(recipe.build_task().spec)
    assert isinstance(model, RelightModel)
    return Seeing(model, width=8)


def test_examples_are_a_function_of_the_step(lesson, fit):
    scenes = Apart(Path(lesson.out) / "cache", 0, 4)
    one, again, other = (examples(scenes, step, lesson) for step in (3, 3, 4))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["plate"], other["plate"])
    assert one["plate"].shape == (8, 3, 48, 48) and one["own"].shape == (8, 5)
    assert bool(torch.isfinite(one["plate"]).all())


def test_shape_is_seen_better_than_before_the_lesson(lesson, fit):
    scenes = Apart(Path(lesson.out) / "cache", 0, 4)
    model = load_fit(fit).model
    assert isinstance(model, RelightModel)
    taught = Seeing(model, width=8)
    assert judged(taught, scenes, lesson, steps=2) < 0.8 * judged(
        blank(fit), scenes, lesson, steps=2
    )


def test_what_is_done_to_a_plate_is_not_taught_yet(fit):
    net = load_fit(fit).model.net
    assert not bool(net.decided.weight.any())  # pyright: ignore
    assert load_fit(fit).card["lineage"]["stage"]["scenes"] == 4


def test_a_lesson_that_is_over_is_not_given_again(lesson, fit, capsys):
    before = load_fit(fit).hash
    assert load_fit(teach(lesson)).hash == before
    assert "steps, loss" not in capsys.readouterr().out


def test_every_helper_teaches(lesson, fit):
    scenes = Apart(Path(lesson.out) / "cache", 0, 4)
    batch, seeing = examples(scenes, 0, lesson), blank(fit)
    for name, term in terms(seeing, batch).items():
        seeing.zero_grad()
        term.backward(retain_graph=True)
        assert any(p.grad is not None and bool(p.grad.any()) for p in seeing.parameters()), name


def test_lights_are_taught_before_black_and_alone_too(lesson, fit):
    scenes = Apart(Path(lesson.out) / "cache", 0, 4)
    of_light = replace(estimator.LESSON, out=lesson.out, scenes=4, batch=64)
    black = []
    for hard in (True, False):
        plate = estimator.examples(scenes, 0, of_light, hard=hard)["plate"]
        black.append(float((plate.amax(1) < 2.0**-9).float().mean()))
    assert black[0] > black[1] + 0.05


def test_a_lesson_goes_on_from_a_fit(lesson, fit, tmp_path):
    (tmp_path / "cache").symlink_to(Path(lesson.out) / "cache")
    further = teach(replace(lesson, out=str(tmp_path), steps=1, rate=1e-6, begin=str(fit)))
    before, after = load_fit(fit), load_fit(further)
    assert after.card["parent"] == {"fit": fit.name, "hash": before.hash}
    same = zip(before.model.net.parameters(), after.model.net.parameters(), strict=True)  # pyright: ignore
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in same)

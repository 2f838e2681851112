"""Which methods a fit is set beside, and what each goes by."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from footagefit.errors import UnknownName
from footagefit.evaluation import ways
from footagefit.evaluation.examples import Drawn
from footagefit.records import Given, Pair
from footagefit.rendering.fits import Part, Recipe, load_fit
from small_fit import small_fit

SIZE = (36, 52)


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    return load_fit(small_fit(tmp_path_factory.mktemp("fits") / "match_v001", zero=True))


@pytest.fixture
def filling(fit):
    """A fit of a task that makes pixels: only its name matters to what it stands beside."""
    return replace(fit, recipe=Recipe(Part("cleanup"), fit.recipe.model))


def drawn(frame: int, light: float, mask: torch.Tensor) -> Drawn:
    target = torch.full((1, 3, *SIZE), light)
    nothing = torch.zeros(1, 0, *SIZE)
    given = Given(
        torch.where(mask > 0, 9.0, target), nothing, mask, torch.zeros(1, 0, 3, 16, 16),
        torch.zeros(1, 0), nothing,
    )  # fmt: skip
    return Drawn(0, frame, None, Pair(given, target, {}, torch.ones(1, 1, *SIZE)))


def hole() -> torch.Tensor:
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 10:20, 20:30] = 1.0
    return mask


def made(found: list[ways.Way], name: str, run: ways.Run) -> list[torch.Tensor] | None:
    way = next(w for w in found if w.method.name == name)
    method = way.ready(run)
    return None if method is None else [method(d) for d in run.frames]


def test_methods_follow_from_what_a_task_does(fit, filling):
    names = [w.method.name for w in ways.ways_of(fit, against=fit, unet_steps=1)]
    assert names[0] == "untouched"
    assert names[-2:] == ["against", "this fit"]
    assert {"reinhard-log", "keyframe grid", "oracle gain", "per-shot U-Net"} <= set(names)
    assert not {"telea", "navier-stokes", "hold", "blend"} & set(names)
    filled = [w.method.name for w in ways.ways_of(filling, against=None, unet_steps=0)]
    assert filled == ["untouched", "telea", "navier-stokes", "hold", "blend", "this fit"]


def test_methods_can_be_asked_for_by_name(fit):
    asked = ways.ways_of(fit, against=None, unet_steps=0, names=["oracle gain", "histogram"])
    names = [w.method.name for w in asked]
    assert names == ["untouched", "oracle gain", "histogram", "this fit"]
    with pytest.raises(UnknownName, match=r"method beside a match fit 'hold'; known: .*histogram"):
        ways.ways_of(fit, against=None, unet_steps=0, names=["hold"])


def test_a_hole_is_filled_from_around_it_and_from_whole_frames(filling):
    found = ways.ways_of(filling, against=None, unet_steps=0)
    none = torch.zeros(1, 1, *SIZE)
    frames = [drawn(2, 0.25, hole()), drawn(3, 0.25, none), drawn(4, 0.5, hole())]
    run = ways.Run(drawn(1, 0.125, hole()), frames)
    inside = (hole() > 0).expand(1, 3, *SIZE)
    expected = {"telea": (0.25, 0.5), "navier-stokes": (0.25, 0.5), "hold": (0.125, 0.25),
                "blend": (0.1875, 0.25)}  # fmt: skip
    for name, lights in expected.items():
        pictures = made(found, name, run)
        assert pictures is not None
        for picture, one, light in zip(pictures[::2], frames[::2], lights, strict=True):
            assert torch.equal(picture[~inside], one.pair.given.plate[~inside]), name
            assert float(picture[inside].mean()) == pytest.approx(light, rel=0.02), name
        assert torch.equal(pictures[1], frames[1].pair.given.plate)


def test_where_whole_frames_are_missing_there_is_nothing_to_inpaint_from(filling):
    found = ways.ways_of(filling, against=None, unet_steps=0)
    all_of_it = torch.ones(1, 1, *SIZE)
    run = ways.Run(drawn(1, 0.125, all_of_it), [drawn(2, 0.25, all_of_it)])
    assert made(found, "telea", run) is None
    pictures = made(found, "hold", run)
    assert pictures is not None
    assert torch.equal(pictures[0], run.key.pair.target)


def test_the_unet_learns_a_solved_keyframe_of_any_size(fit):
    found = ways.ways_of(fit, against=None, unet_steps=2, names=["per-shot U-Net"])
    none = torch.ones(1, 1, *SIZE)
    pictures = made(found, "per-shot U-Net", ways.Run(drawn(1, 0.2, none), [drawn(2, 0.3, none)]))
    assert pictures is not None
    assert pictures[0].shape == (1, 3, *SIZE)
    assert bool(torch.isfinite(pictures[0]).all())

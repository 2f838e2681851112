"""One suite over every packaged task with every packaged model that learns it: new ones join it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from footagefit import config
from footagefit.models.base import scaled
from footagefit.rendering.fits import Part, Recipe
from footagefit.tasks.base import PlainWindow, collated
from footagefit.tasks.draws import generator
from footagefit.tasks.relight import APART

SIZE = (48, 64)


def packaged(group: str) -> list[str]:
    paths = sorted((config.config_dir() / group).glob("*.yaml"))
    return [p.stem for p in paths if "_target_" in yaml.safe_load(p.read_text(encoding="utf-8"))]


def taught() -> list[tuple[str, str]]:
    models = packaged("model")
    return [
        (task, model)
        for task in packaged("task")
        for model in Recipe(Part(task), Part("")).build_task().spec.models
        if model in models
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[Path]:
    """A tiny random base for models that stand on one; without their extra, those are skipped."""
    from tiny_bases import tiny_base

    root = tmp_path_factory.mktemp("bases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTAGEFIT_CACHE", str(root / "cache"))
        yield tiny_base(root / "sd15", "sd15", towers=True)


@pytest.fixture(params=taught(), ids="-".join)
def recipe(request) -> Recipe:
    task, model = request.param
    small: dict[str, Any] = {"width": 16}
    if model == "diffusion":
        folder = request.getfixturevalue("base")
        small = {"base": str(folder), "side_px": 32, "rank": 4, "lpips_weight": 0.0}
    return Recipe(Part(task, {"size": list(SIZE)}), Part(model, small))


@pytest.fixture
def built(recipe):
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        task = recipe.build_task()
        return task, recipe.build_model(task.spec).eval()


def window(task, seed: int = 1) -> PlainWindow:
    rng = generator(seed)
    size = (SIZE[0] + 8, SIZE[1] + 8)
    coarse = torch.rand(task.spec.frames + 1, 3, 7, 9, generator=rng) + 0.02
    frames = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp_min(0.0)
    frames[:, :, 3, 3] = torch.tensor([30.0, -0.1, 2.0])
    return PlainWindow(frames[:-1], frames[-1:])


def an_example(task, seed: int = 1):
    if task.spec.teacher != "sources":
        return task.pair(window(task, seed), generator(seed, 5))
    scene = {
        "keys": (4, 3), "shadow": (4, 1), "fill": (3,), "around": (3,), "albedo": (3,),
        "normals": (3,), "depth": (1,),
    }  # fmt: skip
    rng = generator(seed)
    layers = {n: torch.rand(1, *s, *SIZE, generator=rng) + 0.05 for n, s in scene.items()}
    ways = torch.nn.functional.normalize(torch.randn(1, 4, 3, generator=rng), dim=-1)
    layers |= {"ways": ways, "softness": torch.full((1, 4), 20.0)}
    named = {f"{APART}{name}": layer for name, layer in layers.items()}
    return task.pair(PlainWindow(layers["fill"], layers=named), generator(seed, 5))


def test_a_pair_is_what_the_spec_says_and_repeats_to_the_bit(built):
    task, _ = built
    pair, again = an_example(task), an_example(task)
    given = pair.given
    assert given.plate.shape == pair.target.shape == (1, 3, *SIZE)
    assert given.guide.shape[1] == len(task.spec.guide)
    assert given.vector.shape == (1, task.spec.vector_size)
    assert given.mask.shape == pair.weight.shape == (1, 1, *SIZE)
    for one, other in zip((*given, pair.target), (*again.given, again.target), strict=True):
        assert torch.equal(one, other)
        assert bool(torch.isfinite(one).all())


def test_a_model_learns_from_a_batch_of_pairs(built):
    task, model = built
    batch = collated([an_example(task, seed) for seed in (1, 2)])
    terms = model.loss(batch, rng=generator(3))
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    assert bool(torch.isfinite(total))
    grown = [p.grad for p in model.parameters() if p.grad is not None]
    assert any(float(g.abs().max()) > 0 for g in grown)
    model.zero_grad(set_to_none=True)
    again = torch.stack(list(model.loss(batch, rng=generator(3)).values())).sum()
    assert torch.equal(total, again)


def test_a_look_at_zero_leaves_the_plate_and_outside_the_mask_nothing_changes(built):
    task, model = built
    given = an_example(task).given
    with torch.no_grad():
        look = model.look(model.small(given))
        assert torch.equal(model.apply(scaled(look, 0.0), given), given.plate)
        out = task.composite(given, model.predict(given))
    assert out.shape == given.plate.shape
    outside = given.mask.expand_as(out) == 0
    assert torch.equal(out[outside], given.plate[outside])


def test_layers_give_the_result(built):
    task, model = built
    given = an_example(task).given
    with torch.no_grad():
        look = model.look(model.small(given))
        layers = model.layers(look, given)
        out = model.apply(look, given)
    assert torch.allclose(given.plate * layers["gain"] + layers["offset"], out, atol=1e-4)


def test_a_shot_is_shown_as_examples_are(built):
    task, _ = built
    shot = window(task)
    given = task.given(shot, {})
    assert len(given.plate) == len(shot.frames_TCHW)
    assert given.guide.shape[1] == len(task.spec.guide)
    assert given.vector.shape == (len(given.plate), task.spec.vector_size)

"""Relight's examples: sums of light, controls that say what was done, and real frames unharmed."""

import math

import pytest
import torch

from footagefit.errors import WrongValue
from footagefit.signature.light_vector import VECTOR
from footagefit.soundstage.apart import draw_apart
from footagefit.tasks import lit
from footagefit.tasks.base import PlainWindow, collated
from footagefit.tasks.draws import generator
from footagefit.tasks.light_controls import values_of
from footagefit.tasks.relight import APART, Relight


@pytest.fixture(scope="module")
def scene():
    made = draw_apart(seed=1, index=0, count=1, size_px=(32, 32))
    return {name: tensor[0] for name, tensor in made.items()}


@pytest.fixture(scope="module")
def window(scene):
    layers = {f"{APART}{name}": tensor[None] for name, tensor in scene.items()}
    return PlainWindow(scene["fill"][None], layers=layers)


def test_light_adds(scene):
    lamps = lit.drawn_lamps(generator(1), 2)
    rest = scene["around"]
    whole = lit.picture(scene, lamps, rest)
    twice = lit.picture(scene, lamps.exposed(1.0), rest * 2)
    assert torch.allclose(twice, whole * 2, rtol=1e-4)


def test_a_mirrored_scene_has_mirrored_light(scene):
    for seed in range(20):
        made = lit.framed(scene, generator(seed), (32, 32))
        if torch.equal(made["ways"][:, 0], -scene["ways"][:, 0]):
            break
    else:
        pytest.fail("never mirrored")
    assert torch.allclose(made["ways"][:, 1:], scene["ways"][:, 1:])
    assert made["normals"].shape == (3, 32, 32)


def test_examples_are_functions_of_their_draws_and_collate(window):
    task = Relight(size=(32, 32))
    one, other = task.pair(window, generator(5)), task.pair(window, generator(5))
    assert torch.equal(one.given.plate, other.given.plate)
    assert torch.equal(one.target, other.target)
    batch = collated([task.pair(window, generator(n)) for n in range(4)])
    assert batch.given.vector.shape == (4, task.spec.vector_size)
    assert batch.truth["normals"].shape == (4, 3, 32, 32)
    assert bool(torch.isfinite(batch.target).all())


def test_added_light_only_brightens(window):
    task = Relight(size=(32, 32), add=1.0, degraded=0.0)
    for seed in range(6):
        pair = task.pair(window, generator(seed))
        assert float((pair.target - pair.given.plate).amin()) > -0.05
        assert pair.given.vector[0, -2:].tolist() == [1.0, 1.0]


def test_the_share_is_the_keys_part_of_the_plate(scene, window):
    task = Relight(size=(32, 32), degraded=0.0)
    shares = [task.pair(window, generator(seed)).truth["share"] for seed in range(6)]
    assert all(0.0 <= float(s.min()) <= float(s.max()) <= 1.0 for s in shares)
    assert max(float(s.max()) for s in shares) > 0.8
    dark = {f"{APART}{n}": t[None] * float(n != "keys") for n, t in scene.items()}
    unlit = task.pair(PlainWindow(scene["fill"][None], layers=dark), generator(1))
    bright = unlit.given.plate > 0.05
    assert float(unlit.truth["share"][bright].max()) < 0.1


def test_real_frames_have_no_target():
    pair = Relight(size=(32, 32)).pair(PlainWindow(torch.rand(1, 3, 40, 60) + 0.05), generator(1))
    assert float(pair.truth["real"]) == 1.0
    assert float(pair.weight.max()) == 0.0


def test_controls_become_unit_vectors_stops_and_flags():
    made = values_of({"light.azimuth_deg": 90.0, "light.by.elevation_deg": 30.0,
                      "light.key_k": 3200.0, "light.mode": 1.0})  # fmt: skip
    assert made["light.azimuth_x"] == pytest.approx(1.0)
    assert "light.elevation_y" not in made
    assert made["light.by.elevation"] == pytest.approx(math.pi / 6)
    assert made["light.key_r"] > 0 > made["light.key_b"]
    assert made["light.add"] == 1.0
    assert values_of({}) == {}
    assert set(made) <= set(VECTOR)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(WrongValue, match="azimuth_deg"):
        Relight().given(PlainWindow(torch.rand(1, 3, 16, 16)), {"light.azimuth_deg": 400.0})
    with pytest.raises(WrongValue, match="size"):
        Relight(size=(8, 8))

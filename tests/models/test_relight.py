"""The relight model: nothing asked is nothing done, light keeps its sums, and it learns."""

import copy
import math
import warnings

import pytest
import torch

from footagefit.models.base import scaled
from footagefit.models.nets.light_code import asked, lamp_of, movement
from footagefit.models.nets.relight_net import marched
from footagefit.models.relight import RelightModel, _along, _change_at
from footagefit.records import Given, Pair
from footagefit.signature.light_vector import VECTOR
from footagefit.tasks.draws import generator


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(2)
        made = RelightModel(width=8, long_px=64).eval()
        torch.nn.init.normal_(made.net.decided.weight, std=0.2)
    return made


def vector(**values: float) -> torch.Tensor:
    out = torch.zeros(1, 2 * len(VECTOR))
    for name, value in values.items():
        at = VECTOR.index("light." + name.replace("__", "."))
        out[0, 2 * at : 2 * at + 2] = torch.tensor([value, 1.0])
    return out


def towards(azimuth_deg: float, elevation_deg: float) -> dict[str, float]:
    a, e = math.radians(azimuth_deg), math.radians(elevation_deg)
    return {"azimuth_x": math.sin(a), "azimuth_z": math.cos(a), "elevation_y": math.sin(e)}


def a_given(ask: torch.Tensor, *, size=(48, 80), seed: int = 1) -> Given:
    coarse = torch.rand(1, 3, 6, 8, generator=generator(seed)) + 0.02
    plate = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp_min(0.0)
    return Given(plate, plate[:, :0], torch.ones(1, 1, *size), torch.zeros(1, 0, 3, 16, 16), ask,
                 plate[:, :0])  # fmt: skip


@pytest.mark.parametrize("size", [(48, 80), (33, 70), (90, 40)])
def test_nothing_asked_returns_the_plate_to_the_bit(model, size):
    given = a_given(vector(), size=size)
    given.plate[0, :, 3, 3] = torch.tensor([469.8, -0.17, 3.93])
    with torch.no_grad():
        assert torch.equal(model.predict(given), given.plate)
        look = model.look(model.small(a_given(vector(**towards(60, 10)), size=size)))
        assert torch.equal(model.apply(scaled(look, 0.0), given), given.plate)


def test_layers_give_the_result(model):
    given = a_given(vector(**towards(-70, 20)))
    with torch.no_grad():
        look = model.look(model.small(given))
        layers = model.layers(look, given)
        out = model.apply(look, given)
    assert torch.allclose(given.plate * layers["gain"] + layers["offset"], out, atol=1e-5)
    assert {"normals", "confidence", "height", "shadow", "shading"} <= layers.keys()
    assert not torch.allclose(out, given.plate, atol=1e-3)


def test_exposure_by_number_is_exposure(model):
    given = a_given(vector(by__key_ev=1.0, by__fill_ev=1.0))
    with torch.no_grad():
        assert torch.allclose(model.predict(given), 2.0 * given.plate, rtol=1e-3, atol=1e-5)


def test_light_adds(model):
    def lit(key_ev: float, fill_ev: float) -> torch.Tensor:
        ask = vector(**towards(50, 30), by__key_ev=key_ev, by__fill_ev=fill_ev)
        with torch.no_grad():
            return model.predict(a_given(ask))

    assert torch.allclose(lit(1, 0) + lit(0, -2), lit(1, -2) + lit(0, 0), rtol=1e-3, atol=1e-5)
    assert not torch.allclose(lit(1, 0), lit(0, 0), rtol=1e-2)


def test_an_added_light_only_brightens(model):
    given = a_given(vector(**towards(50, 30), add=1.0))
    with torch.no_grad():
        assert float((model.predict(given) - given.plate).min()) > 0.0


def test_the_plates_own_light_changes_nothing(model):
    own = model.own_light(model.small(a_given(vector()))).way[0].tolist()
    flat = math.hypot(own[0], own[2])
    ask = vector(azimuth_x=own[0] / flat, azimuth_z=own[2] / flat, elevation_y=own[1])
    given = a_given(ask)
    with torch.no_grad():
        assert torch.allclose(model.predict(given), given.plate, atol=1e-4)


def test_a_mirrored_plate_is_relit_as_the_plate_is(model):
    one, other = (a_given(vector(**towards(a, 15)), size=(48, 64)) for a in (70, -70))
    other = other._replace(plate=other.plate.flip(3))
    with torch.no_grad():
        assert torch.allclose(model.predict(one), model.predict(other).flip(3), atol=1e-3)


def test_a_larger_plate_gets_the_same_change(model):
    small = a_given(vector(**towards(-60, 20)), size=(48, 64))
    large = small._replace(**{
        n: torch.nn.functional.interpolate(getattr(small, n), scale_factor=4.0)
        for n in ("plate", "mask")
    })  # fmt: skip
    with torch.no_grad():
        change = model.predict(large) / large.plate.clamp_min(0.01)
        wanted = model.predict(small) / small.plate.clamp_min(0.01)
    change = torch.nn.functional.avg_pool2d(change, 4)
    assert float((change - wanted).abs().mean()) < 0.05 * float(wanted.abs().mean())


def test_a_reference_lends_its_light(model):
    given = a_given(vector())
    other = a_given(vector(), seed=7).plate
    with torch.no_grad():
        look = model.look(model.small(given._replace(reference=other[:, None])))
    assert float(look["level"].abs().max()) > 0.0


def test_asking_by_degrees_turns_the_light():
    own = lamp_of(torch.tensor([[0.0, 0.0, 1.0, 0.0, 3.0, *[0.5] * 3, *[-2.0] * 3]]))
    old, new, add = asked(vector(by__azimuth=math.pi / 2), own)
    assert torch.allclose(new.way, torch.tensor([[1.0, 0.0, 0.0]]), atol=1e-5)
    assert torch.equal(old.way, own.way) and float(add) == 0.0
    assert float(movement(old, new)) > 0.8
    assert float(movement(own._replace(sure=own.sure + 4.0), new)) > float(movement(old, new))
    assert float(movement(old, old)) == 0.0
    told, _, _ = asked(vector(**{f"plate__{k}": v for k, v in towards(-90, 0).items()}), own)
    assert torch.allclose(told.way, torch.tensor([[-1.0, 0.0, 0.0]]), atol=1e-5)


def test_a_post_hides_the_light_on_its_far_side():
    height = torch.zeros(1, 1, 16, 16)
    height[..., 7:9] = 0.3
    hidden = marched(height, torch.tensor([[0.9, 0.0, 0.436]]))[0, 0, 8]
    assert float(hidden[5]) > 0.7 > 0.3 > float(hidden[11])


def test_it_learns():
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(4)
        made = RelightModel(width=8, long_px=48)
    given = a_given(vector(**towards(80, 0)), size=(48, 48))
    ramp = torch.linspace(0.3, 2.0, 48).view(1, 1, 1, 48)
    pair = Pair(given, given.plate * ramp, {}, torch.ones(1, 1, 48, 48))
    optimizer = torch.optim.Adam([p for p in made.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for step in range(25):
        loss = torch.stack(list(made.loss(pair, rng=generator(step)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_a_look_is_decided_at_two_sizes_and_taught_at_one():
    made = {}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for long_px in (48, 96):
            torch.manual_seed(4)
            made[long_px] = RelightModel(width=8, long_px=long_px)
            torch.nn.init.normal_(made[long_px].net.decided.weight, std=0.2)
    given = a_given(vector(**towards(80, 0)), size=(96, 96))
    pair = Pair(given, given.plate, {}, torch.ones(1, 1, 96, 96))
    losses = [m.loss(pair, rng=generator(0))["light"] for m in made.values()]
    assert torch.equal(*losses)

    one = made[96]
    small = one.small(given)
    old, new, _ = asked(small.vector, one.own_light(small))
    with torch.no_grad():
        share = one._decided(small.plate, small.mask, old, new)["share"]
        large = one._both(small.plate, small.mask, old, new)["share"]
        tiny = made[48].small(given)
        assert one.look(small)["level"].shape[-2:] == (96, 96)
        assert made[48].look(tiny)["level"].shape[-2:] == (48, 48)
    assert share.shape == large.shape == (1, 3, 96, 96)
    assert float((share - large).abs().mean()) > 1e-4


def test_a_light_that_turns_does_not_ask_what_the_plate_shows_again(model, monkeypatch):
    model = copy.deepcopy(model)
    seen = []
    perceive = model.net.perceive
    monkeypatch.setattr(model.net, "perceive", lambda *a: seen.append(1) or perceive(*a))
    with torch.no_grad():
        looks = [model.look(model.small(a_given(vector(**towards(a, 10)))))["level"]
                 for a in (20, 80, 20)]  # fmt: skip
    assert len(seen) == 2  # once at each size
    assert torch.equal(looks[0], looks[2]) and not torch.equal(looks[0], looks[1])


def test_weights_that_learnt_see_anew(model):
    model = copy.deepcopy(model)
    given = model.small(a_given(vector(**towards(60, 10))))
    with torch.no_grad():
        before = model.look(given)["normals"]
        model.net.perception.stem.weight.mul_(0.5)
        after = model.look(given)["normals"]
        fresh = copy.deepcopy(model).look(given)["normals"]
    assert torch.equal(after, fresh) and not torch.equal(before, after)


def test_a_change_ends_where_colours_end():
    stops = torch.zeros(1, 3, 24, 48)
    stops[..., :24] = torch.tensor([1.0, 0.3, -1.3]).view(1, 3, 1, 1)  # as bright as the rest
    plate = torch.exp2(stops) * 0.18
    step = (stops[:, :1] > 0.5).float().expand(-1, 3, -1, -1)
    decided = torch.nn.functional.avg_pool2d(step, 5, stride=1, padding=2, count_include_pad=False)
    slope, level = _along(plate, decided)
    large = torch.nn.functional.interpolate(plate, scale_factor=4.0)
    made = _change_at({"slope": slope, "level": level}, large)
    wanted = torch.nn.functional.interpolate(step, scale_factor=4.0)
    spread = torch.nn.functional.interpolate(decided, scale_factor=4.0, mode="bilinear")
    near = (..., slice(16, -16), slice(92, 100))  # within a small picture's pixel of the edge
    off, before = (float((x - wanted)[near].abs().mean()) for x in (made, spread))
    assert off < 0.6 * before
    jump = (made[..., 48, 96] - made[..., 48, 95]).abs().mean()
    assert float(jump) > 0.5 and float(made[..., 48, 96:].diff().abs().max()) < 0.06

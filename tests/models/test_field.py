"""The field model: what it must never do to a plate, and that it can learn."""

import warnings

import pytest
import torch

from footagefit.models.base import Amounts, blended, scaled, small_size
from footagefit.models.field import FieldModel
from footagefit.models.nets.light import relit, stops
from footagefit.records import Given, Pair
from footagefit.tasks.draws import generator


def a_model(*, trained: bool = False, long_px: int = 64, **settings) -> FieldModel:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = FieldModel(width=8, vector_size=4, points=512, long_px=long_px, **settings).eval()
        if trained:
            for layer in (model.net.global_head, model.net.local_head, model.net.statistics_head):
                torch.nn.init.normal_(layer.weight, std=0.004)
            torch.nn.init.normal_(model.net.carry_gate.weight, std=0.0005)  # weighed eightfold
            torch.nn.init.normal_(model.guide.outer, std=0.3)
    return model


def a_given(height: int, width: int, *, batch: int = 1, references: int = 1) -> Given:
    rng = generator(height, width, batch)
    return Given(
        plate=torch.randn(batch, 3, height, width, generator=rng) * 0.3 + 0.25,
        guide=torch.randn(batch, 2, 9, 16, generator=rng),
        mask=torch.ones(batch, 1, height, width),
        reference=torch.rand(batch, references, 3, 45, 80, generator=rng) * 3.0,
        vector=torch.zeros(batch, 4),
        noise=torch.zeros(batch, 0, height, width),
    )


@pytest.mark.parametrize("size", [(64, 64), (37, 111), (120, 33), (1, 7)])
@pytest.mark.parametrize("references", [0, 1, 3])
def test_untrained_returns_the_plate_to_the_bit(size, references):
    given = a_given(*size, references=references)
    given.plate[0, 0, 0, 0] = 469.8
    with torch.no_grad():
        assert torch.equal(a_model().predict(given), given.plate)


def test_values_above_one_and_below_zero_survive():
    model, given = a_model(trained=True), a_given(64, 96)
    given.plate[0, :, 5, 5] = torch.tensor([469.8, -0.17, 3.93])
    with torch.no_grad():
        out = model.predict(given)
    assert out[0, 0, 5, 5] > 100.0
    assert out[0, 1, 5, 5] < 0.0
    assert not torch.equal(out, given.plate)


def test_one_gain_for_positive_and_negative_light():
    light = torch.tensor([-0.5, 0.0, 0.18, 12.0])
    double = relit(light, torch.ones(4))
    assert torch.allclose(double - double[1], 2.0 * light)
    assert torch.equal(relit(light, torch.zeros(4)), light)
    assert torch.isfinite(stops(torch.tensor([-3.0, 0.0, 1e8]))).all()


def test_strength_zero_is_the_plate_and_looks_average():
    model, given = a_model(trained=True), a_given(48, 64)
    with torch.no_grad():
        look = model.look(model.small(given))
        assert torch.equal(model.apply(scaled(look, 0.0), given), given.plate)
        same = blended([look, look], [0.25, 0.75])
        assert torch.allclose(model.apply(same, given), model.apply(look, given), atol=1e-6)


def test_a_change_is_followed_in_parts():
    model, given = a_model(trained=True), a_given(48, 64)
    with torch.no_grad():
        look = model.look(model.small(given))
        whole = model.apply(look, given)

        def made(**amounts):
            return model.apply(model.followed(look, Amounts(**amounts)), given)

        assert torch.equal(made(), whole)
        assert torch.equal(made(strength=0.0), given.plate)
        assert torch.equal(made(tone=0.0, colour=0.0), given.plate)
        flat = model.followed(look, Amounts(local=0.0))
        assert float(flat["cells"].std((3, 4)).max()) < 1e-6
        assert torch.allclose(flat["cells"].mean((3, 4)), look["cells"].mean((3, 4)), atol=1e-5)
        grey = model.followed(look, Amounts(colour=0.0))["everywhere"].unflatten(1, (3, 4))
        assert torch.allclose(grey[:, 0], grey[:, 1], atol=1e-6)
        hue = model.followed(look, Amounts(tone=0.0))["everywhere"].unflatten(1, (3, 4))
        weight = torch.tensor([0.27, 0.67, 0.06])
        assert float((weight @ hue[0]).abs().max()) < 1e-5
        assert torch.allclose((grey + hue).flatten(1), look["everywhere"], atol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (37, 111)])
def test_a_mirrored_shot_gets_the_mirrored_result(size):
    model, given = a_model(trained=True), a_given(*size, batch=2)
    turned = given._replace(
        plate=given.plate.flip(3), guide=given.guide.flip(3), mask=given.mask.flip(3),
        reference=given.reference.flip(4), noise=given.noise.flip(3),
    )  # fmt: skip
    with torch.no_grad():
        one, other = model.predict(given), model.predict(turned).flip(3)
        alone = [
            model.net(small.plate, small.mask, small.guide, small.reference, small.vector)[1]
            for small in (model.small(given), model.small(turned))
        ]
    assert torch.allclose(one, other, atol=1e-4)
    assert not torch.allclose(alone[0], alone[1].flip(4), atol=1e-3)  # asked once it would not
    assert not torch.allclose(one, given.plate, atol=1e-2)


def test_layers_rebuild_the_result():
    model, given = a_model(trained=True), a_given(48, 64)
    with torch.no_grad():
        look = model.look(model.small(given))
        layers = model.layers(look, given)
        out = model.apply(look, given)
    assert torch.allclose(given.plate * layers["gain"] + layers["offset"], out, atol=1e-5)


def test_a_proxy_gives_the_same_look():
    model, given = a_model(trained=True), a_given(512, 768)
    coarse = torch.rand(1, 3, 8, 12, generator=generator(2))
    plate = torch.nn.functional.interpolate(coarse, size=(512, 768), mode="bicubic")
    given = given._replace(plate=plate)
    half = given._replace(
        plate=torch.nn.functional.avg_pool2d(given.plate, 2),
        mask=torch.ones(1, 1, 256, 384),
    )
    with torch.no_grad():
        one, other = model.look(model.small(given)), model.look(model.small(half))
    for name in one:
        assert torch.allclose(one[name], other[name], atol=1e-3), name


@pytest.mark.parametrize(
    ("size", "small"), [((1080, 1920), (144, 256)), ((64, 64), (256, 256)), ((4320, 90), (256, 16))]
)
def test_small_size_keeps_whole_cells(size, small):
    assert small_size(*size, long_px=256, cell_px=16) == small


def test_the_reference_and_the_controls_matter_once_trained():
    model, given = a_model(trained=True), a_given(48, 64)
    torch.nn.init.normal_(model.net.modulate.weight, std=0.3)
    with torch.no_grad():
        plain = model.predict(given)
        other = model.predict(given._replace(reference=given.reference * 0.2))
        asked = model.predict(given._replace(vector=torch.ones(1, 4)))
    assert (plain - other).abs().max() > 1e-3
    assert (plain - asked).abs().max() > 1e-3


def test_the_net_scripts_and_gives_the_same():
    model, given = a_model(trained=True), a_given(48, 64)
    small = model.small(given)
    asked = (small.plate, small.mask, small.guide, small.reference, small.vector)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch says: script is old
        scripted = torch.jit.script(model.net)
    with torch.no_grad():
        for one, other in zip(model.net(*asked), scripted(*asked), strict=True):
            assert torch.allclose(one, other, atol=1e-6)


def test_learns_an_exposure_in_a_few_steps():
    model = a_model()
    given = a_given(32, 64, batch=2)
    given = given._replace(plate=given.plate.abs())
    pair = Pair(given, given.plate * 2.0, {}, torch.ones(2, 1, 32, 64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(16):
        loss = torch.stack(list(model.loss(pair, rng=generator(0, step)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        off = (stops(model.predict(given)) - stops(pair.target)).abs().mean()
    assert float(off) < 0.5  # of one stop


def test_the_loss_is_repeatable_and_ignores_what_the_mask_hides():
    model, given = a_model(trained=True), a_given(32, 64)
    target = given.plate * 1.5
    mask = torch.zeros(1, 1, 32, 64)
    mask[..., :32] = 1.0
    spoiled = target.clone()
    spoiled[..., 40:] = 7.0
    weight = torch.ones_like(mask)
    values = []
    for wanted in (target, target, spoiled):
        pair = Pair(given._replace(mask=mask), wanted, {}, weight)
        values.append(float(model.loss(pair, rng=generator(1))["light"].detach()))
    assert values[0] == values[1] == values[2]

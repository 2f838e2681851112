"""The fill model: carried pixels where they are sure, nothing outside the hole, and it learns."""

import pytest
import torch

from footagefit.errors import WrongValue
from footagefit.models.boxes import boxes_of, feather, hull, reach_of
from footagefit.models.fill import GUIDE, FillModel
from footagefit.models.infill import smooth
from footagefit.models.nets.fill_net import SEEN, FillNet
from footagefit.models.objectives import Edges
from footagefit.records import Given, Pair
from footagefit.tasks import filling
from footagefit.tasks.draws import generator


def a_model(*, untrained: bool = False, **settings) -> FillModel:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = FillModel(**{"width": 16, **settings}).eval()
        if not untrained:
            torch.nn.init.normal_(made.net.out.weight, std=0.05)
            torch.nn.init.constant_(made.net.trust.bias, 5.0)
    return made


def a_given(confidence: float, *, size=(64, 96), noise: bool = True, seed: int = 1) -> Given:
    """A frame with a square hole, and other pixels carried into it."""
    rng = generator(seed)
    coarse = torch.rand(2, 3, 6, 9, generator=rng) + 0.02
    both = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp_min(0.01)
    hole = torch.zeros(1, 1, *size)
    hole[..., 20:44, 30:60] = 1.0
    sure = confidence * hole
    guide = torch.cat([both[1:] * (sure > 0), sure, torch.zeros(1, 2, *size)], 1)
    drawn = torch.randn(1, 3, *size, generator=rng) if noise else both[:1, :0]
    return Given(both[:1], guide, hole, both[None, 1:], torch.zeros(1, 8), drawn)


def test_the_task_and_the_model_mean_the_same_guide():
    assert GUIDE == filling.GUIDE
    with pytest.raises(WrongValue, match="guide"):
        FillModel(guide_channels=2)
    with pytest.raises(WrongValue, match="multiple of 8"):
        FillModel(width=20)
    with pytest.raises(WrongValue, match="unsure"):
        FillModel(sure=0.4)
    with pytest.raises(WrongValue, match="steps"):
        FillModel(steps=0)


@torch.no_grad()
def test_sure_pixels_are_kept_to_the_bit_whatever_was_learnt():
    given = a_given(1.0)
    given.guide[..., :3, 30, 40] = torch.tensor([469.8, -0.17, 3.93])
    made = a_model().predict(given)
    hole = given.mask > 0
    assert torch.equal(made[hole.expand_as(made)], given.guide[:, :3][hole.expand_as(made)])


@torch.no_grad()
def test_outside_the_hole_it_is_the_plate_and_what_lies_under_it_is_not_looked_at():
    given, other = a_given(0.3), a_given(0.3)
    other.plate[given.mask.expand_as(given.plate) > 0] = float("nan")
    model = a_model()
    made, again = model.predict(given), model.predict(other)
    outside = given.mask.expand_as(made) == 0
    assert torch.equal(made[outside], given.plate[outside])
    assert torch.equal(made, again)
    assert not torch.allclose(made, a_model(untrained=True).predict(given), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("sure", [0.3, 0.6, 0.95])
def test_what_it_says_of_carried_grain_is_what_is_left_of_it(sure):
    given = a_given(sure, noise=False)
    draw = torch.randn(1, 3, 64, 96, generator=generator(5))
    flat = given.mask * 0.18
    hole = (given.mask[0, 0] > 0)[24:40, 34:56]
    model, detail = a_model(untrained=True), []
    for carried in (flat, flat * 2.0 ** (0.1 * draw)):
        guide = torch.cat([carried.expand(1, 3, 64, 96), given.guide[:, 3:]], 1)
        made = model.predict(given._replace(guide=guide)).log2()[..., 24:40, 34:56]
        detail.append(made[..., hole])
    left = float((detail[1] - detail[0]).std()) / 0.1
    assert left == pytest.approx(float(model.share(torch.tensor(sure))), rel=0.06)


@torch.no_grad()
def test_untrained_it_gives_carried_pixels_or_a_smooth_surface():
    model = a_model(untrained=True)
    sure = model.predict(a_given(1.0))
    assert torch.equal(sure[..., 20:44, 30:60], a_given(1.0).guide[:, :3, 20:44, 30:60])
    given = a_given(0.0)
    given = given._replace(plate=torch.linspace(0.1, 1.0, 96).expand(1, 3, 64, 96).clone())
    made = model.predict(given)
    assert float((made - given.plate).abs().max()) < 0.1, "a ramp goes on through the hole"
    assert float(made.diff(dim=3).abs().max()) < 0.06


@torch.no_grad()
def test_where_doubtful_carried_pixels_end_there_is_no_step():
    """A bright wall, carried half sure into the left of a hole in something dark."""
    given = a_given(0.0, noise=False)
    hole = given.mask
    left = hole * (torch.arange(96) < 45)
    guide = torch.cat([0.4 * left.expand(-1, 3, -1, -1), 0.25 * left, given.guide[:, 4:]], 1)
    plate = torch.full_like(given.plate, 0.1)
    made = a_model(untrained=True).predict(given._replace(plate=plate, guide=guide)).log2()
    row = made[0, 1, 32, 30:60]
    assert float(row.diff()[8:].abs().max()) < 0.3, "stops from a pixel to the next"


@torch.no_grad()
def test_thin_holes_are_left_to_the_smooth_surface():
    given = a_given(0.0)
    wire = torch.zeros_like(given.mask)
    wire[..., 30:32, :] = 1.0
    given = given._replace(mask=wire, guide=given.guide * 0.0)
    assert torch.equal(a_model().predict(given), a_model(untrained=True).predict(given))


@torch.no_grad()
def test_the_same_noise_gives_the_same_pixels_and_other_noise_others():
    model = a_model()
    one, again, other = (model.predict(a_given(0.0, seed=s)) for s in (1, 1, 1))
    assert torch.equal(one, again)
    assert torch.equal(one, other)
    given = a_given(0.0)
    assert not torch.equal(model.predict(given._replace(noise=given.noise.flip(2))), one)
    assert bool(torch.isfinite(model.predict(a_given(0.0, noise=False))).all())


@torch.no_grad()
@pytest.mark.parametrize("size", [(65, 97), (64, 400), (200, 72)])
def test_any_size_and_any_mask(size):
    model = a_model(most_px=128)
    given = a_given(0.2, size=size)
    for mask in (torch.ones(1, 1, *size), torch.zeros(1, 1, *size)):
        made = model.predict(given._replace(mask=mask))
        assert made.shape == given.plate.shape
        assert bool(torch.isfinite(made).all())
    assert torch.equal(made, given.plate)


@torch.no_grad()
def test_batches_are_frames_one_by_one():
    model = a_model()
    one, other = a_given(0.2, seed=1), a_given(0.6, seed=2)
    both = Given(*(torch.cat(parts) for parts in zip(one, other, strict=True)))
    apart = torch.cat([model.predict(one), model.predict(other)])
    assert torch.allclose(model.predict(both), apart, atol=1e-6)


def test_a_hole_is_made_smaller_until_its_middle_is_near():
    hole = torch.zeros(1, 1, 256, 256)
    assert reach_of(hole, reach_px=24) == 0
    hole[..., 100:140, 60:220] = 1.0
    assert reach_of(hole, reach_px=24) == 0
    hole[..., 80:180, 60:220] = 1.0
    assert reach_of(hole, reach_px=24) == 2
    strip = torch.zeros(1, 1, 256, 256)
    strip[..., :40] = 1.0
    assert reach_of(strip, reach_px=24) == 1, "beyond the frame nothing is known"


def test_boxes_hold_what_is_wanted_and_blend_to_one():
    need = torch.zeros(1, 1, 300, 500)
    need[..., 20:60, 30:480] = 1.0
    need[..., 250:260, 100:110] = 1.0
    boxes = boxes_of(need, most_px=192, margin_px=32)
    covered = torch.zeros_like(need)
    for box in boxes:
        assert max(box.bottom - box.top, box.right - box.left) <= 192
        box.cut(covered).add_(feather(box, (300, 500)))
    assert bool((covered[need > 0] > 0.5).all())
    assert float(covered[..., 150:200, :].max()) == 0.0
    assert boxes_of(torch.zeros_like(need), most_px=192, margin_px=32) == []


def test_a_rectangle_holds_all_that_is_wanted_as_far_as_there_is_picture():
    wanted = torch.zeros(2, 1, 9, 12, dtype=torch.bool)
    wanted[0, 0, 2, 10] = wanted[1, 0, 5, 7] = True
    part = hull(wanted)
    assert (part.top, part.left, part.bottom, part.right) == (2, 7, 6, 11)
    part = hull(wanted, margin_px=3)
    assert (part.top, part.left, part.bottom, part.right) == (0, 4, 9, 12)


def test_how_deep_a_hole_is_does_not_depend_on_what_is_far_from_it():
    """Judged in the rectangle that holds it, and there a border is one of the frame alone."""
    hole = torch.zeros(1, 1, 120, 160)
    hole[..., 40:60, 50:90] = 1.0
    assert reach_of(hole, reach_px=10) == 0
    assert reach_of(hole, reach_px=9) == 1
    hole[..., :60, 50:90] = 1.0  # to the border: beyond it nothing is known
    assert reach_of(hole, reach_px=19) == 1
    assert reach_of(hole, reach_px=20) == 0


def test_a_smooth_surface_keeps_what_is_known():
    values = torch.rand(1, 2, 33, 47, generator=generator(1))
    weight = (torch.rand(1, 1, 33, 47, generator=generator(2)) > 0.5).float()
    made = smooth(values, weight)
    kept = weight.expand_as(values) > 0
    assert torch.allclose(made[kept], values[kept], atol=1e-6)
    assert float(made.max()) <= 1.0
    assert float(made.min()) >= 0.0
    assert torch.equal(smooth(values, torch.ones_like(weight)), values)


def test_the_net_scripts_and_asks_its_references():
    net = FillNet(width=16, vector_size=4).eval()
    torch.nn.init.normal_(net.out.weight, std=0.1)
    torch.nn.init.normal_(net.stages.inside.inside.inside.take.weight, std=0.1)
    seen = torch.rand(1, SEEN, 32, 48, generator=generator(1))
    rest = (torch.zeros(1), torch.zeros(1), torch.zeros(1, 4))
    beside = torch.rand(1, 2, 3, 32, 48, generator=generator(2))
    with torch.no_grad():
        alone, odds = net(seen, *rest, net.tokens(beside[:, :0]))
        told, _ = net(seen, *rest, net.tokens(beside))
    assert odds.shape == (1, 1, 32, 48)
    assert alone.shape == (1, 3, 32, 48)
    assert not torch.allclose(alone, told, atol=1e-6)


def test_soft_edges_cost():
    sharp = torch.zeros(1, 3, 16, 16)
    sharp[..., 8:] = 1.0
    soft = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    ones = torch.ones(1, 1, 16, 16)
    edges = Edges()
    assert float(edges(sharp, sharp, ones)) == 0.0
    assert float(edges(soft, sharp, ones)) > 0.05
    assert float(edges(soft, sharp, ones * 0.0)) == 0.0


def test_it_learns_what_was_carried_wrong():
    model = a_model(untrained=True)
    given = a_given(0.3)
    target = torch.where(given.mask > 0, 1.5 * model.predict(given).detach(), given.plate)
    pair = Pair(given, target, {}, torch.ones_like(given.mask))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = last = 0.0
    for step in range(25):
        optimizer.zero_grad()
        total = torch.stack(list(model.loss(pair, rng=generator(step)).values())).sum()
        total.backward()
        optimizer.step()
        last = float(total.detach())
        first = first or last
    assert last < 0.7 * first, "it counts as decibels do"
    with torch.no_grad():
        off = (model.predict(given) - target)[..., 28:36, 40:50].abs().mean()
        was = (a_model(untrained=True).predict(given) - target)[..., 28:36, 40:50].abs().mean()
    assert float(off) < 0.6 * float(was)

"""Ways between latents: what they teach and where they lead, against closed forms of Gaussians."""

from __future__ import annotations

import itertools

import pytest
import torch

from footagefit.errors import WrongValue
from footagefit.models.bridges import Bridge, Flow, draws_of
from footagefit.tasks.draws import generator

A, B, C = 0.6, 0.8, 0.5  # target = A source + B + C n, with n normal
SHAPE = (1, 4, 160, 160)


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(seed)
    source = torch.randn(SHAPE, generator=rng)
    return source, A * source + B + C * torch.randn(SHAPE, generator=rng)


def bridge_line(s: float, k: float) -> tuple[float, float, float]:
    """E[v | z] = offset + slope (z - mean), and the variance it leaves: joint Gaussians."""
    along, across = s + (1 - s) * A, (1 - s) * C
    covariance = (1 - A) * along - C * across
    variance = along**2 + across**2 + k**2 * s * (1 - s)
    return covariance / variance, (1 - s) * B, (1 - A) ** 2 + C**2 - covariance**2 / variance


def of_bridge(k: float):
    def velocity(z, s):
        slope, mean, _ = bridge_line(float(s[0]), k)
        return -B + slope * (z - mean)

    return velocity


@pytest.mark.parametrize("k", [0.005, 0.5])
def test_a_bridge_teaches_what_the_closed_form_says(k):
    bridge = Bridge(noise=k)
    source, target = pair()
    seen = set()
    for step in range(12):
        drawn = bridge.drawn(source, target, draws_of(generator(1, step), target))
        s = float(drawn.s)
        seen.add(s)
        best = of_bridge(k)(drawn.z, drawn.s)
        left = bridge_line(s, k)[2]
        off = float((best - drawn.velocity).square().mean())
        assert off == pytest.approx(left, rel=0.02)
        for other in (0.9, 1.1):
            assert float((other * best - drawn.velocity).square().mean()) > off
    assert seen == {0.25, 0.5, 0.75, 1.0}


def test_one_step_of_a_bridge_gives_the_mean_to_expect():
    source, _ = pair()
    made = Bridge(steps=1).sample(of_bridge(0.005), source, torch.randn(SHAPE))
    assert torch.allclose(made, A * source + B, atol=1e-5)


@pytest.mark.parametrize("steps", [2, 4])
def test_a_few_steps_of_a_bridge_go_where_the_closed_form_goes(steps):
    k = 0.2
    source, noise = pair()[0], torch.randn(SHAPE, generator=generator(5))
    made = Bridge(steps=steps, noise=k).sample(of_bridge(k), source, noise)
    gain, level, stirred = 1.0, 0.0, torch.zeros(SHAPE)
    for step in range(steps):
        now, then = 1 - step / steps, 1 - (step + 1) / steps
        slope, mean, _ = bridge_line(now, k)
        keep = 1 - slope / steps
        gain, stirred = gain * keep, stirred * keep
        level = level * keep + (B + slope * mean) / steps
        stirred = stirred + k * (then * (1 - then)) ** 0.5 * noise.roll(step, -1)
    assert torch.allclose(made, gain * source + level + stirred, atol=1e-4)


def test_many_steps_of_a_bridge_have_the_targets_spread():
    made = Bridge(steps=300, noise=0.0).sample(of_bridge(1e-6), pair()[0], torch.zeros(SHAPE))
    assert float(made.mean()) == pytest.approx(B, abs=0.02)
    assert float(made.var()) == pytest.approx(A**2 + C**2, rel=0.03)


def flow_line(s: float) -> tuple[float, float]:
    variance = (1 - s) ** 2 * C**2 + s**2
    covariance = s - (1 - s) * C**2
    return covariance / variance, 1 + C**2 - covariance**2 / variance


def of_flow(z, s):
    return -B + flow_line(float(s[0]))[0] * (z - (1 - float(s[0])) * B)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_flow_teaches_and_leads_where_the_closed_form_says(shift):
    flow = Flow(steps=200, shift=shift)
    target = B + C * torch.randn(SHAPE, generator=generator(3))
    times = []
    for step in range(8):
        drawn = flow.drawn(target, target, draws_of(generator(2, step), target))
        times.append(float(drawn.s))
        off = float((of_flow(drawn.z, drawn.s) - drawn.velocity).square().mean())
        assert off == pytest.approx(flow_line(times[-1])[1], rel=0.02)
        assert torch.allclose(flow.end(drawn, drawn.velocity), target, atol=1e-5)
    made = flow.sample(of_flow, target, torch.randn(SHAPE, generator=generator(4)))
    assert float(made.mean()) == pytest.approx(B, abs=0.02)
    assert float(made.var()) == pytest.approx(C**2, rel=0.03)
    assert (sum(times) / len(times) > 0.6) == (shift > 1.0)


def test_ends_of_a_flow_stay_whatever_its_shift():
    assert Flow(shift=4.0).shifted(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx(
        [0.0, 0.8, 1.0]
    )


def test_a_picture_is_drawn_for_alike_in_any_batch():
    pictures = torch.rand(4, 3, 8, 8)
    together = draws_of(generator(7), pictures)
    apart = list(itertools.chain(*(draws_of(generator(7), part) for part in pictures.split(2))))
    values = [[float(torch.rand((), generator=d)) for d in draws] for draws in (together, apart)]
    assert values[0] == values[1]
    assert len(set(values[0])) == 4
    other = draws_of(generator(8), pictures)
    assert float(torch.rand((), generator=other[0])) != values[0][0]


def test_wrong_ways_are_one_line():
    for wrong in ({"times": (0.0, 1.0)}, {"times": ()}, {"steps": 0}):
        with pytest.raises(WrongValue):
            Bridge(**wrong)
    with pytest.raises(WrongValue):
        Flow(spread=0.0)

"""Looks over time: no lag, no jump, no flash spread, and an `auto` that says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.rendering.temporal import Smoothing, Stretch, choose

T = 60


def tiny(levels, seed: int = 0) -> np.ndarray:
    """A still scene under changing light (T,3,27,48)."""
    scene = np.random.default_rng(seed).random((3, 27, 48)).astype(np.float32) * 0.6 + 0.05
    return scene[None] * np.asarray(levels, np.float32)[:, None, None, None]


def filtered(plan: Smoothing, numbers, signal):
    place = {n: i for i, n in enumerate(numbers)}
    return np.array(
        [sum(w * signal[place[k]] for k, w in plan.weights(n, numbers)) for n in numbers]
    )


def smooth(first=1, last=T, radius=12, flashes=()):
    return Smoothing((Stretch(first, last, "smooth", radius, "asked"),), tuple(flashes))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=60, unique=True).map(sorted),
    st.integers(1, 20),
    st.sampled_from(["smooth", "locked", "none"]),
)
def test_weights_sum_to_one(numbers, radius, mode):
    plan = Smoothing((Stretch(numbers[0], numbers[-1], mode, radius, ""),))
    for number in numbers:
        weights = plan.weights(number, numbers)
        assert sum(w for _, w in weights) == pytest.approx(1.0)
        assert {n for n, _ in weights} <= set(numbers)
        if mode == "smooth":
            assert (
                all(abs(n - number) <= radius for n, _ in weights if n != number)
                or len(weights) <= 2
            )


def test_a_steady_drift_is_followed_without_lag_up_to_the_ends():
    numbers = list(range(1, T + 1))
    line = np.linspace(-1.0, 2.0, T)
    assert np.allclose(filtered(smooth(), numbers, line), line, atol=1e-9)


def test_a_light_that_swings_lags_on_neither_side():
    numbers = list(range(1, T + 1))
    swing = np.sin(np.arange(T) * 2 * np.pi / 60)
    out = filtered(smooth(), numbers, swing)
    inner = slice(15, 45)
    shift = np.argmax(np.correlate(out[inner], swing[inner], "same")) - 15
    assert shift == 0
    assert np.abs(out - swing).max() < 0.12


def test_jitter_goes():
    numbers = list(range(1, T + 1))
    noise = np.random.default_rng(0).standard_normal(T)
    out = filtered(smooth(), numbers, noise)
    assert np.abs(np.diff(out)).mean() < 0.12 * np.abs(np.diff(noise)).mean()


def test_filters_are_finite():
    numbers = list(range(1, T + 1))
    spike = np.zeros(T)
    spike[30] = 1.0
    out = filtered(smooth(radius=5), numbers, spike)
    assert (out[:25] == 0).all() and (out[36:] == 0).all()


def test_a_flash_neither_spreads_nor_goes():
    levels = np.ones(T)
    levels[20:22] = 6.0
    signal = np.zeros(T)
    signal[20:22] = -3.0
    numbers = list(range(1, T + 1))
    plan = choose("smooth", numbers, tiny_TCHW=tiny(levels), still_TK=signal[:, None])
    assert plan.flashes == (21, 22)
    assert np.allclose(filtered(plan, numbers, signal), 0.0)


def test_a_cut_is_not_crossed():
    levels = np.ones(T)
    frames = np.concatenate([tiny(levels[:30], seed=0), tiny(levels[30:], seed=5)[:, :, ::-1]])
    signal = np.where(np.arange(T) < 30, -1.0, 2.0)
    numbers = list(range(101, 101 + T))
    for mode in ("smooth", "locked", "auto"):
        plan = choose(mode, numbers, tiny_TCHW=frames, still_TK=signal[:, None])
        assert [(s.first, s.last) for s in plan.stretches] == [(101, 130), (131, 160)]
        assert np.allclose(filtered(plan, numbers, signal), signal)


def test_auto_locks_what_only_jitters_and_says_so():
    noise = 0.03 * np.random.default_rng(0).standard_normal((T, 8))
    plan = choose("auto", list(range(1, T + 1)), tiny_TCHW=tiny(np.ones(T)), still_TK=noise)
    assert plan.stretches[0].mode == "locked"
    assert "the light is locked" in plan.lines()[0]


def test_auto_follows_a_light_that_moves_and_says_so():
    rng = np.random.default_rng(0)
    move = np.linspace(0, 1.5, T)[:, None] + 0.02 * rng.standard_normal((T, 8))
    plan = choose("auto", list(range(1, T + 1)), tiny_TCHW=tiny(np.ones(T)), still_TK=move)
    stretch = plan.stretches[0]
    assert stretch.mode == "smooth"
    assert "the light moves" in plan.lines()[0]
    assert f"over {2 * stretch.radius + 1} frames" in plan.lines()[0]


def test_auto_reaches_less_far_where_the_light_moves_fast():
    rng = np.random.default_rng(0)
    radii = []
    for period in (12, 400):
        swing = np.sin(np.arange(T) * 2 * np.pi / period)[:, None]
        still = swing + 0.03 * rng.standard_normal((T, 8))
        plan = choose("auto", list(range(1, T + 1)), tiny_TCHW=tiny(np.ones(T)), still_TK=still)
        radii.append(plan.stretches[0].radius)
    assert radii[0] < radii[1]


def test_animated_controls_are_not_locked():
    still = np.zeros((T, 4))
    plan = choose("auto", list(range(1, T + 1)), tiny_TCHW=tiny(np.ones(T)), still_TK=still,
                  controls_move=True)  # fmt: skip
    assert plan.stretches[0].mode == "smooth"


def test_plans_come_back_as_they_were_stored():
    plan = smooth(flashes=(3, 4))
    assert Smoothing.of_plain(plan.plain()) == plan


def test_smooth_on_a_light_that_stands_is_nearly_a_straight_line():
    rng = np.random.default_rng(3)
    slow = np.linspace(0.0, 0.1, T)
    looks = slow + 0.02 * rng.standard_normal(T)
    numbers = list(range(1, T + 1))
    plan = choose("smooth", numbers, tiny_TCHW=tiny(np.ones(T)), still_TK=looks[:, None])
    made = filtered(plan, numbers, looks)
    assert np.abs(np.diff(made)).max() < 0.004  # each look alone moves by 0.03 a frame
    assert np.abs(made - slow).max() < 0.02  # and still it follows, where locked would not

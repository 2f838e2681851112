"""The benchmark's measures of flicker: none where nothing flickers, some where something does."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def flicker(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return pytest.importorskip("flicker")


def panned(count: int = 5, gain=lambda t: 1.0) -> list[np.ndarray]:
    """A texture that moves by a pixel a frame."""
    rng = np.random.default_rng(0)
    wide = np.kron(rng.random((18, 40)), np.ones((4, 4))).astype(np.float32) * 0.5 + 0.1
    return [wide[:, t : t + 120] * np.float32(gain(t)) for t in range(count)]


def test_motion_is_not_flicker_and_a_wavering_light_is(flicker):
    source = panned()
    flows = [(flicker.flow(b, a), flicker.flow(a, b)) for a, b in pairwise(source)]
    own = flicker.flicker(source, flows)
    wavers = flicker.flicker(panned(gain=lambda t: 1.0 + 0.3 * (t % 2)), flows)
    assert wavers > own + 0.2
    assert flicker.warping(panned(gain=lambda t: 1.0 + 0.3 * (t % 2)), flows, source) > (
        2 * flicker.warping(source, flows, source)
    )


def test_lag_is_the_distance_from_looks_of_each_frame(flicker):
    source = panned(count=9)
    assert flicker.lag_stops(source, source) == 0.0
    assert flicker.lag_stops([2 * f for f in source], source) == pytest.approx(1.0, abs=0.1)


def test_tiles_of_the_unet(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    render = pytest.importorskip("render")
    assert render.tiles((512, 512)) == 1
    assert render.tiles((1080, 1920)) == 4 * 7
    assert "footagefit" in sys.modules

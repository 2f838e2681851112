"""Motion is not flicker; a wavering light is; a frame that does not move warps onto itself."""

import numpy as np
import pytest

from footagefit.evaluation import steadiness


def panned(count: int = 4, gain=lambda t: 1.0) -> list[np.ndarray]:
    """A texture that moves by a pixel a frame."""
    rng = np.random.default_rng(0)
    wide = np.kron(rng.random((18, 40)), np.ones((4, 4))).astype(np.float32) * 0.5 + 0.1
    return [wide[:, t : t + 120] * np.float32(gain(t)) for t in range(count)]


def wavering(t: int) -> float:
    return 2.0 ** (0.5 * (t % 2))


def test_flicker_is_what_the_whole_picture_pumps_by():
    still = panned()
    assert steadiness.flicker_stops(still, still) == 0.0
    pumped = [(f + steadiness.TOE) * wavering(t) - steadiness.TOE for t, f in enumerate(still)]
    assert steadiness.flicker_stops(pumped, still) == pytest.approx(0.5, abs=1e-5)


def test_warping_error_by_lai_et_al():
    """A known shift, an error added by hand: the mean square of it comes out."""
    first, second = panned(2)
    flows = [(np.dstack([np.ones_like(first), np.zeros_like(first)]),) * 2]
    back, forward = flows[0]
    exact = [(back.astype(np.float32), -forward.astype(np.float32))]
    assert steadiness.visible(*exact[0]).mean() > 0.95
    inner = slice(2, -2)
    off = second - steadiness.warped(first, exact[0][0])
    assert float(np.abs(off[:, inner]).max()) < 1e-6
    worse = second + np.float32(0.1)
    got = steadiness.warping_error([first, worse], exact, [first, worse])
    seen = steadiness.visible(*exact[0])
    wanted = ((worse - steadiness.warped(first, exact[0][0])) ** 2)[seen].mean()
    assert got == pytest.approx(wanted, rel=1e-5)
    assert got == pytest.approx(0.01, rel=0.2)


def test_ratio_is_one_for_the_source_and_more_where_light_wavers():
    source = panned()
    flows = steadiness.flows_of(source)
    assert steadiness.warping_ratio(source, flows, source) == 1.0
    assert steadiness.warping_ratio(panned(gain=wavering), flows, source) > 2.0


def test_luminance_is_of_ap1():
    frame = np.zeros((3, 2, 2), np.float32)
    frame[1] = 1.0
    assert steadiness.luminance(frame) == pytest.approx(0.6741)

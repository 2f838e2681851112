"""Lens and grain on flat, ramp and line charts are what was asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from footagefit.soundstage import lens, sensor
from footagefit.soundstage.specs import LensSpec, SensorSpec

SIZE = (270, 480)


def test_a_flat_chart_shows_the_vignette():
    spec = LensSpec(vignette=0.4)
    flat = lens.through(torch.ones(3, *SIZE), spec)
    assert float(flat[1, 0, 0]) == pytest.approx(0.6, abs=0.01)
    assert float(flat[1, 135, 240]) == pytest.approx(1.0, abs=1e-3)
    assert torch.equal(flat[0], flat[2])


@pytest.mark.parametrize(("k1", "k2"), [(-0.08, 0.01), (0.05, 0.0)])
def test_a_line_chart_bends_as_asked(k1, k2):
    """A vertical line at x_u lands at x_u (1 + k1 r^2 + k2 r^4)."""
    spec = LensSpec(k1=k1, k2=k2)
    margin = lens.margin_px(SIZE, spec)
    height, width = SIZE
    half = math.hypot(*SIZE) / 2
    chart = torch.zeros(3, height + 2 * margin, width + 2 * margin)
    column = width // 2 + 150
    chart[:, :, margin + column - 1 : margin + column + 2] = 1
    bent = lens.through(chart, spec, margin=margin)[1]
    assert bent.shape == SIZE
    for row in (30, 135, 240):
        got = float((bent[row] * torch.arange(width)).sum() / bent[row].sum()) + 0.5
        x, y = (column + 0.5 - width / 2) / half, -(row + 0.5 - height / 2) / half
        r = _undistorted(x, y, k1, k2)
        factor = 1 + k1 * r**2 + k2 * r**4
        assert got - width / 2 == pytest.approx(x * factor * half, abs=0.35)


def _undistorted(x, y, k1, k2):
    """Radius before the lens of the line's point that lands on row y."""
    yu = y
    for _ in range(50):
        r2 = x * x + yu * yu
        yu = y / (1 + k1 * r2 + k2 * r2 * r2)
    return math.hypot(x, yu)


def test_undistortion_inverts_the_polynomial():
    r = torch.linspace(0, 1.1, 200)
    for k1, k2 in ((-0.1, 0.02), (0.08, -0.01)):
        distorted = r * (1 + k1 * r**2 + k2 * r**4)
        assert torch.allclose(lens.undistorted_radius(distorted, k1, k2), r, atol=1e-5)


def test_fringing_moves_red_out_and_blue_in():
    spec = LensSpec(fringe_px=8.0)  # 8 px at the corner of HD: 2 px at the corner of a quarter
    chart = torch.zeros(3, *SIZE)
    chart[:, :, 440:443] = 1
    shown = lens.through(chart, spec)
    at = [float((c[135] * torch.arange(480.0)).sum() / c[135].sum()) for c in shown]
    share = (441.5 - 240) / (math.hypot(*SIZE) / 2)
    assert at[0] - at[1] == pytest.approx(2.0 * share, abs=0.15)
    assert at[1] - at[2] == pytest.approx(2.0 * share, abs=0.15)


@pytest.mark.parametrize("place", ["centre", "corner"])
def test_points_blur_as_asked(place):
    spec = LensSpec(blur_centre_px=4.0, blur_corner_px=12.0)
    chart = torch.zeros(3, *SIZE)
    row, column = (135, 240) if place == "centre" else (8, 14)
    chart[:, row, column] = 1.0
    shown = lens.through(torch.nn.functional.pad(chart, (0, 0, 0, 0)), spec)[1]
    rows = torch.arange(SIZE[0], dtype=torch.float32)[:, None]
    columns = torch.arange(SIZE[1], dtype=torch.float32)[None]
    near = ((rows - row).abs() < 14) & ((columns - column).abs() < 14)
    if place == "corner":  # the picture's edge cuts the far side; the near one tells
        near = near & (rows >= row) & (columns >= column)
    weight = shown * near
    spread = float((weight * (columns - column) ** 2).sum() / weight.sum())
    r2 = ((row + 0.5 - 135) ** 2 + (column + 0.5 - 240) ** 2) / (math.hypot(*SIZE) / 2) ** 2
    asked = (4.0 + (12.0 - 4.0) * r2) / 4  # sigma grows with r squared; a quarter of HD
    assert math.sqrt(spread) == pytest.approx(asked, rel=0.12, abs=0.1)


def test_glass_is_linear_and_bloom_keeps_the_light():
    spec = LensSpec(k1=-0.05, vignette=0.3, fringe_px=2, blur_corner_px=4, bloom=0.05, defocus_px=6)
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.rand(3, 60, 100, generator=rng) for _ in range(2))
    together = lens.through(a + 2 * b, spec)
    assert torch.allclose(together, lens.through(a, spec) + 2 * lens.through(b, spec), atol=1e-4)
    glow = lens.through(torch.nn.functional.pad(torch.full((3, 2, 2), 50.0), (49, 49, 29, 29)),
                        LensSpec(bloom=0.2))  # fmt: skip
    assert float(glow.sum()) == pytest.approx(600.0, rel=0.05)


@pytest.mark.parametrize("level", [0.02, 0.18, 1.5])
def test_grain_has_the_variance_and_correlation_asked_for(level):
    spec = SensorSpec(grain=0.05, read_noise=0.002, grain_size_px=0.8, grain_chroma=0.5)
    flat = torch.full((3, 256, 256), level)
    noise = sensor.expose(flat, spec, seed=3, frame=7) - flat
    asked = math.sqrt(0.05**2 * 0.18 * level + 0.002**2)
    assert float(noise.std()) == pytest.approx(asked, rel=0.03)
    lag1 = float((noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.var())
    assert lag1 == pytest.approx(_kernel_lag1(0.8), abs=0.03)
    across = float((noise[0] * noise[1]).mean() / noise.var())
    assert across == pytest.approx(0.5, abs=0.04)


def _kernel_lag1(sigma):
    x = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    k = np.exp(-(x**2) / (2 * sigma**2))
    return (k[1:] * k[:-1]).sum() / (k**2).sum()


def test_grain_is_its_seeds_and_frames_own():
    flat = torch.full((3, 32, 32), 0.18)
    spec = SensorSpec()
    one = sensor.expose(flat, spec, seed=1, frame=5)
    assert torch.equal(one, sensor.expose(flat, spec, seed=1, frame=5))
    next_ = sensor.expose(flat, spec, seed=1, frame=6)
    assert not torch.equal(one, next_)
    a, b = (one - 0.18).flatten(), (next_ - 0.18).flatten()
    assert abs(float((a * b).mean() / (a.std() * b.std()))) < 0.06


def test_exposure_white_and_contrast_do_what_they_say():
    grey = torch.full((3, 4, 4), 0.18)
    quiet = {"grain": 0.0, "read_noise": 0.0}
    up = sensor.expose(grey, SensorSpec(exposure_ev=1.0, **quiet), seed=0, frame=0)
    assert torch.allclose(up, torch.full_like(up, 0.36), atol=1e-4)
    cold = sensor.expose(grey, SensorSpec(white_k=4300.0, **quiet), seed=0, frame=0)
    assert cold[2, 0, 0] > cold[0, 0, 0]  # daylight through a camera set to tungsten is blue
    flat = sensor.expose(grey * 4, SensorSpec(contrast=0.5, **quiet), seed=0, frame=0)
    assert torch.allclose(flat, torch.full_like(flat, 0.36), atol=1e-3)
    clipped = sensor.expose(grey * 10, SensorSpec(clip=1.0, **quiet), seed=0, frame=0)
    assert float(clipped.max()) == 1.0


def test_an_anamorphic_lens_vignettes_by_what_the_picture_shows():
    """Half-way to the side of a 2x picture lies as far off as its desqueezed place does."""
    spec = LensSpec(vignette=0.4, squeeze=2.0)
    squeezed = lens.vignette_gain(SIZE, spec)
    whole = lens.vignette_gain((SIZE[0], 2 * SIZE[1]), LensSpec(vignette=0.4))
    assert torch.allclose(squeezed, (whole[:, ::2] + whole[:, 1::2]) / 2, atol=1e-4)


def test_anamorphic_defocus_stands_upright_once_desqueezed():
    chart = torch.zeros(3, *SIZE)
    chart[:, 135, 240] = 1.0
    disc = lens.through(chart, LensSpec(defocus_px=80.0, squeeze=2.0))[1] > 1e-6
    tall, wide = int(disc.any(1).sum()), int(disc.any(0).sum())
    assert tall == pytest.approx(41, abs=2)
    assert wide * 2.0 / tall == pytest.approx(0.5, abs=0.1)

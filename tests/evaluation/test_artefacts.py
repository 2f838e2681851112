"""What a change does wrong to pixels, measured on pictures where the answer is known."""

import numpy as np
import pytest
import torch

from footagefit.evaluation import artefacts
from footagefit.tasks.draws import generator


def textured(size: int = 48, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, size, size, generator=generator(seed)) * 0.5 + 0.1


def grained(sigma_stops: float, seed: int) -> torch.Tensor:
    grain = torch.randn(1, 1, 96, 96, generator=generator(seed)) * sigma_stops
    level = torch.linspace(-4, 0, 96).view(1, 1, 1, 96)
    return torch.exp2(level + grain).expand(-1, 3, -1, -1) - artefacts.LOG_TOE


def test_a_gain_keeps_detail_and_a_blur_does_not():
    plate = textured()
    assert float(artefacts.detail_kept(plate, plate)) == 1.0
    assert float(artefacts.detail_kept(plate * 2.0, plate)) > 0.998
    blurred = torch.nn.functional.avg_pool2d(plate, 5, stride=1, padding=2)
    assert float(artefacts.detail_kept(blurred, plate)) < 0.5


def test_detail_kept_by_its_formula():
    made, plate = textured(seed=1), textured(seed=2)
    stops = [
        np.log2(np.tensordot(artefacts._LUMA, p[0].double().numpy(), 1) + artefacts.LOG_TOE)
        for p in (made, plate)
    ]

    def energy(x):
        return (np.diff(x, axis=0) ** 2).mean() + (np.diff(x, axis=1) ** 2).mean()

    wanted = 1 - energy(stops[0] - stops[1]) / energy(stops[1])
    assert float(artefacts.detail_kept(made, plate)) == pytest.approx(wanted, abs=1e-4)


def test_grain_twice_as_strong_is_one_stop_away():
    plain, twice = grained(0.05, 1), grained(0.1, 2)
    assert float(artefacts.grain_distance(plain, plain)) == 0.0
    assert float(artefacts.grain_distance(twice, plain)) == pytest.approx(1.0, abs=0.12)
    assert float(artefacts.grain_distance(grained(0.05, 3), plain)) < 0.15


def test_a_seam_of_one_stop_and_none():
    target = torch.full((1, 3, 16, 16), 0.5)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1.0
    made = target.clone()
    made[..., 8:] = 2 * (0.5 + artefacts.LOG_TOE) - artefacts.LOG_TOE
    assert float(artefacts.seam_step(made, target, mask=mask)) == pytest.approx(1.0, abs=1e-5)
    assert float(artefacts.seam_step(target, target, mask=mask)) == 0.0
    assert float(artefacts.seam_step(made, target, mask=torch.ones_like(mask))) == 0.0


def test_eight_bits_band_on_a_ten_bit_ramp():
    codes = torch.linspace(0, 1, 4096).view(1, 1, 1, -1)

    def light(c):
        return torch.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).expand(
            1, 3, 1, -1
        )

    eight = (codes * 255).round() / 255
    assert float(artefacts.distinct_codes(light(codes))) > 0.99
    assert float(artefacts.distinct_codes(light(eight))) == pytest.approx(0.25, abs=0.01)


def test_clipping_is_counted_against_the_target():
    target = torch.full((1, 3, 10, 10), 0.5)
    made = target.clone()
    made[..., :3] = 4.0
    assert float(artefacts.clipped_delta(made, target)) == pytest.approx(0.3)
    assert float(artefacts.clipped_delta(target, made)) == pytest.approx(-0.3)


def test_one_pixel_outside_the_mask_is_seen():
    plate, mask = textured(16), torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1.0
    made = plate.clone()
    made[..., :8] += 1.0
    assert float(artefacts.outside_mask_max(made, plate, mask=mask)) == 0.0
    made[0, 1, 3, 12] += 0.25
    assert float(artefacts.outside_mask_max(made, plate, mask=mask)) == pytest.approx(
        0.25, abs=1e-6
    )

"""The light estimator: honest records, a fallback that says so, and stage light read right."""

import math

import pytest
import torch

from footagefit.errors import FootagefitWarning
from footagefit.footage.white import light_rgb
from footagefit.signature import light as estimator
from footagefit.signature.light import (
    LightEstimate,
    angles,
    direction,
    estimate,
    named,
    of_stops,
    plain,
    together,
)
from footagefit.signature.light_net import OUTPUTS, LightNet


def a_ball(way: tuple[float, float, float], size: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(1, -1, size), torch.linspace(-1, 1, size), indexing="ij")
    z = (1 - x * x - y * y).clamp_min(0).sqrt()
    normals = torch.stack([x, y, z])
    lit = (normals * torch.tensor(way)[:, None, None]).sum(0).clamp_min(0) + 0.1
    return (lit * (z > 0) * 0.4 + 0.01).expand(1, 3, size, size).contiguous()


def numbers(way, sure: float) -> torch.Tensor:
    return torch.tensor([*way, sure, 3.0, 0.5, 0.5, 0.5, -2.0, -2.0, -2.0])


@pytest.mark.parametrize("azimuth", [-60.0, -20.0, 35.0, 70.0])
def test_the_plain_way_reads_a_ball(azimuth):
    way = direction(azimuth, 20.0)
    found = plain(a_ball(way), torch.ones(1, 1, 64, 64))[0, :3]
    assert math.degrees(math.acos(min(1.0, float((found * torch.tensor(way)).sum())))) < 30


def test_angles_and_directions_are_inverse():
    for azimuth, elevation in ((0, 0), (90, 10), (-135, -40), (20, 89)):
        assert angles(direction(azimuth, elevation)) == pytest.approx(
            (azimuth, elevation), abs=1e-6
        )
    assert direction(90, 0) == pytest.approx((1, 0, 0), abs=1e-9)


@pytest.mark.parametrize(("kelvin", "duv"), [(3200, 0.0), (5600, 0.004), (7500, -0.006)])
def test_colours_come_back_as_kelvin_and_tint(kelvin, duv):
    stops = [math.log2(c) + 1.5 for c in light_rgb(kelvin, duv)]
    ev, found_k, found_duv = of_stops(stops)
    assert ev == pytest.approx(1.5, abs=0.02)
    assert 1e6 / found_k == pytest.approx(1e6 / kelvin, abs=3)
    assert found_duv == pytest.approx(duv, abs=0.0021)


def test_surer_frames_weigh_more_and_more_frames_are_no_surer():
    left, right = named(numbers(direction(-60, 0), 3.0)), named(numbers(direction(60, 0), -2.0))
    shot = together([left, right, right])
    assert shot.light.azimuth_deg is not None and shot.light.azimuth_deg < -45
    assert together([left] * 9).confidence == pytest.approx(left.confidence, abs=0.02)
    assert isinstance(shot, LightEstimate) and left.spread_deg < 20 < right.spread_deg


def test_without_weights_it_says_so_once(monkeypatch, tmp_path):
    monkeypatch.setattr(estimator, "WEIGHTS", tmp_path / "none.safetensors")
    estimator.shipped.cache_clear()
    with pytest.warns(FootagefitWarning, match="as if the subject were a ball"):
        found = estimate(a_ball(direction(50, 10)))
    estimator.shipped.cache_clear()
    assert found[0].confidence < 0.4


def test_the_net_gives_unit_directions_for_any_frame():
    net = LightNet(width=8).eval()
    plate = torch.rand(2, 3, 64, 64) * torch.tensor([1e-4, 300.0]).view(2, 1, 1, 1)
    with torch.no_grad():
        out, normals = net(plate, torch.ones(2, 1, 64, 64))
    assert out.shape == (2, OUTPUTS) and bool(torch.isfinite(out).all())
    assert torch.allclose(out[:, :3].norm(dim=1), torch.ones(2), atol=1e-4)
    assert torch.allclose(normals.norm(dim=1), torch.ones(2, 16, 16), atol=1e-3)


def test_a_mirrored_frame_has_mirrored_light():
    frame = a_ball(direction(40, 15)) + torch.linspace(0, 0.1, 64)
    one, other = estimate(torch.cat([frame, frame.flip(3)]))
    assert one.way == pytest.approx((-other.way[0], *other.way[1:]), abs=1e-3)
    assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_the_shipped_net_is_small_and_follows_a_key_round_a_ball():
    assert estimator.WEIGHTS.stat().st_size <= 2_000_000
    cosines = []
    for azimuth in (-70, -35, 35, 70):
        way = direction(azimuth, 25)
        found = estimate(a_ball(way))[0].way
        cosines.append(sum(a * b for a, b in zip(found, way, strict=True)))
    assert math.degrees(math.acos(sum(cosines) / 4)) < 35

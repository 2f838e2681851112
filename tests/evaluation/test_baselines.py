"""Baselines do what their papers promise."""

import numpy as np
import pytest
import torch

from footagefit.errors import WrongValue
from footagefit.evaluation import baselines, fills, grid_fit, metrics
from footagefit.tasks.draws import generator


def a_picture(seed: int = 0, size: int = 24) -> torch.Tensor:
    return torch.rand(3, size, size, generator=generator(seed)) * 0.8 + 0.05


def smooth(seed: int, rows: int = 36, columns: int = 64) -> torch.Tensor:
    coarse = torch.rand(1, 3, 5, 8, generator=generator(seed)) + 0.05
    return torch.nn.functional.interpolate(coarse, size=(rows, columns), mode="bilinear")[0]


def test_histogram_takes_the_references_values():
    plate, reference = a_picture(1), a_picture(2) ** 2
    made = baselines.histogram(plate, reference)
    for channel in range(3):
        wanted = np.sort(reference[channel].numpy().ravel())
        assert np.sort(made[channel].numpy().ravel()) == pytest.approx(wanted, abs=1e-4)
        order = plate[channel].flatten().argsort()
        assert bool((made[channel].flatten()[order].diff() >= -1e-5).all())


def test_iterative_distribution_carries_what_covariance_cannot():
    """Two lumps of colour along a skewed line: a linear map cannot make them, this can."""
    rng = generator(3)
    plate = torch.exp2(torch.randn(3, 48, 48, generator=rng) * 0.5)
    lumps = torch.where(torch.rand(1, 48, 48, generator=rng) > 0.5, 1.5, -1.5)
    skew = torch.tensor([1.0, -0.7, 0.4]).view(3, 1, 1)
    reference = torch.exp2(lumps * skew + 0.1 * torch.randn(3, 48, 48, generator=rng))

    def distance(made: torch.Tensor) -> float:
        """Sliced Wasserstein over directions that the transfer did not use."""
        ways = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator(99)), dim=1)
        x, y = (torch.log2(p.clamp_min(0) + metrics.LOG_TOE).flatten(1) for p in (made, reference))
        return float(((ways @ x).sort(1).values - (ways @ y).sort(1).values).abs().mean())

    linear = distance(baselines.monge_kantorovich(plate, reference))
    moved = distance(baselines.iterative_distribution(plate, reference, rounds=20))
    assert moved < 0.35 * linear
    again = baselines.iterative_distribution(plate, reference, rounds=20)
    assert torch.equal(again, baselines.iterative_distribution(plate, reference, rounds=20))


def test_a_grid_fits_a_smooth_light_and_holds_for_the_next_frame():
    light = torch.exp2(torch.linspace(-1, 1, 64)).view(1, 1, 64)
    solved, later = smooth(4), smooth(5)
    grid = grid_fit.fit_grid(solved * light, solved)
    for target in (solved, later):
        made = grid_fit.apply_grid(grid, target * light)
        before = float(metrics.psnr_log((target * light)[None], target[None]))
        assert float(metrics.psnr_log(made[None], target[None])) > before + 10
    assert (
        float(metrics.psnr_log(grid_fit.apply_grid(grid, solved * light)[None], solved[None])) > 40
    )


def test_a_grid_looks_only_where_the_target_is_known():
    plate = smooth(6)
    target, mask = plate * 2.0, torch.zeros(1, 36, 64)
    mask[..., :32] = 1.0
    target[..., 32:] = 50.0
    made = grid_fit.apply_grid(grid_fit.fit_grid(plate, target, mask=mask), plate)
    assert torch.allclose(made[..., :24], 2 * plate[..., :24], rtol=0.1)


@pytest.mark.parametrize("way", ["telea", "navier-stokes"])
def test_inpainting_fills_a_hole_and_nothing_else(way):
    plate = smooth(7) * 4.0
    mask = torch.zeros(1, 36, 64)
    mask[:, 12:20, 20:30] = 1.0
    spoilt = torch.where(mask > 0, torch.full_like(plate, 100.0), plate)
    made = fills.inpainted(spoilt, mask, way=way)
    assert torch.equal(made[:, mask[0] == 0], plate[:, mask[0] == 0])
    hole = mask[0] > 0
    assert float((made - plate)[:, hole].abs().mean()) < 0.15 * float(plate[:, hole].mean())
    with pytest.raises(WrongValue, match="telea or navier-stokes"):
        fills.inpainted(plate, mask, way="magic")  # pyright: ignore


def test_hold_and_blend():
    frames = {10: torch.zeros(3, 2, 2), 14: torch.ones(3, 2, 2)}
    assert float(fills.held(frames, 11).mean()) == 0.0
    assert float(fills.held(frames, 12).mean()) == 0.0
    assert float(fills.held(frames, 13).mean()) == 1.0
    assert float(fills.blended(frames, 11).mean()) == 0.25
    assert float(fills.blended(frames, 20).mean()) == 1.0
    assert float(fills.blended(frames, 14).mean()) == 1.0
    with pytest.raises(WrongValue):
        fills.held({}, 3)

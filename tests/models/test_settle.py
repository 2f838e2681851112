"""Fields that are nearly one change become it; light that differs from place to place stays."""

from __future__ import annotations

import torch

from footagefit.models.nets.settle import LIGHT, UNREST, settled, solved
from footagefit.tasks.draws import generator, normal

DEPTHS, ROWS, COLUMNS = 4, 3, 5


def a_picture() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Stops, mask and depth of a small picture."""
    coarse = 1.5 * normal(generator(1), 1, 3, 4 * ROWS, 4 * COLUMNS)
    view = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    depth = torch.sigmoid(view.mean(1))
    return view, torch.ones_like(view[:, :1]), depth


def one_change() -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix and an offset for each depth, the same in every place."""
    everywhere = 0.2 * normal(generator(2), 1, 12)
    cells = torch.zeros(1, 3, 4, DEPTHS, ROWS, COLUMNS)
    cells[:, :, 3] = 0.1 * normal(generator(3), 1, 3, DEPTHS)[..., None, None]
    return everywhere, cells.flatten(1, 2)


def unrest(stops: float) -> torch.Tensor:
    """Offsets that differ from cell to cell, of that rms."""
    noise = torch.zeros(1, 3, 4, DEPTHS, ROWS, COLUMNS)
    noise[:, :, 3] = stops * normal(generator(4), 1, 3, 1, ROWS, COLUMNS)
    return noise.flatten(1, 2)


def falling_off(stops: float) -> torch.Tensor:
    """Light that falls off across the frame, of that rms."""
    light = torch.zeros(1, 3, 4, DEPTHS, ROWS, COLUMNS)
    ramp = torch.linspace(-1.0, 1.0, COLUMNS)
    light[:, :, 3] = stops * ramp / ramp.square().mean().sqrt()
    return light.flatten(1, 2)


def changes(
    everywhere: torch.Tensor, cells: torch.Tensor, view: torch.Tensor, depth: torch.Tensor
) -> torch.Tensor:
    """Stops by which a field that is the same in every place changes each pixel."""
    levels = (cells + everywhere[:, :, None, None, None])[0, :, :, 0, 0].unflatten(0, (3, 4))
    near = 1.0 - (depth * (DEPTHS - 1) - torch.arange(DEPTHS)[:, None, None, None]).abs()
    affine = torch.einsum("oiz,zbhw->boihw", levels, near.clamp_min(0.0))
    return (affine[:, :, :3] * view[:, None]).sum(2) + affine[:, :, 3]


def spread(cells: torch.Tensor) -> float:
    return float(cells.std((3, 4)).amax())


def test_small_unrest_is_let_go_and_the_one_change_found():
    everywhere, cells = one_change()
    one, rest = settled(everywhere, cells + unrest(0.4 * UNREST), *a_picture())
    assert spread(rest) == 0.0
    view, _, depth = a_picture()
    wanted, found = changes(everywhere, cells, view, depth), changes(one, rest, view, depth)
    assert float((wanted - found).abs().mean()) < 0.4 * UNREST


def test_light_that_differs_from_place_to_place_stays_to_the_bit():
    everywhere, cells = one_change()
    cells = cells + falling_off(2.0 * LIGHT)
    one, rest = settled(everywhere, cells, *a_picture())
    assert torch.equal(one, everywhere)
    assert torch.equal(rest, cells)


def test_between_both_a_part_stays():
    everywhere, cells = one_change()
    noise = falling_off(0.6 * (UNREST + LIGHT))
    _, rest = settled(everywhere, cells + noise, *a_picture())
    assert 0.2 * spread(noise) < spread(rest) < 0.8 * spread(noise)


def test_no_change_stays_none_to_the_bit():
    view, mask, depth = a_picture()
    nothing = torch.zeros(1, 12), torch.zeros(1, 12, DEPTHS, ROWS, COLUMNS)
    for tensor in settled(*nothing, view, mask, depth):
        assert torch.equal(tensor, torch.zeros_like(tensor))


def test_what_the_mask_leaves_out_does_not_count():
    everywhere, cells = one_change()
    view, mask, depth = a_picture()
    noise = falling_off(3.0 * LIGHT)
    noise[..., 1:] = 0.0
    mask[..., :16] = 0.0  # only there is the light another
    _, rest = settled(everywhere, cells + noise, view, mask, depth)
    assert spread(rest) < 1e-4


def test_an_empty_mask_breaks_nothing():
    everywhere, cells = one_change()
    view, mask, depth = a_picture()
    for tensor in settled(everywhere, cells, view, 0.0 * mask, depth):
        assert bool(torch.isfinite(tensor).all())


def test_it_can_be_learnt_through():
    everywhere, cells = one_change()
    cells = (cells + falling_off(0.08)).requires_grad_()
    one, rest = settled(everywhere, cells, *a_picture())
    (one.sum() + rest.square().sum()).backward()
    assert cells.grad is not None
    assert bool(torch.isfinite(cells.grad).all())
    assert float(cells.grad.abs().amax()) > 0.0


def test_equations_are_solved():
    half = normal(generator(5), 2, 7, 20)
    squares, aims = torch.matmul(half, half.transpose(1, 2)), normal(generator(6), 2, 7, 3)
    assert torch.allclose(solved(squares, aims), torch.linalg.solve(squares, aims), atol=1e-5)

"""Slice and apply: three ways, one result, at every size."""

import pytest
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from footagefit.errors import WrongValue
from footagefit.models.nets.field_net import Guide
from footagefit.models.slicing import _gathered, _guide_weights, slice_and_apply, slice_points
from footagefit.tasks.draws import generator


def a_guide() -> Guide:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        guide = Guide()
        torch.nn.init.normal_(guide.outer, std=0.3)
    return guide


def a_field(height: int, width: int, *, cells=(8, 9, 16)) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(height, width)
    plate = torch.randn(1, 3, height, width, generator=rng) * 0.5 + 0.4
    return plate, torch.randn(1, 12, *cells, generator=rng) * 0.1


@settings(max_examples=15, deadline=None)
@examples(
    height=st.integers(1, 90),
    width=st.integers(1, 140),
    cells=st.tuples(st.integers(1, 8), st.integers(1, 9), st.integers(1, 16)),
)
def test_numba_and_gathers_equal_plain(height, width, cells):
    plate, grid = a_field(height, width, cells=cells)
    plate[0, 0, 0, 0] = 469.8
    guide = a_guide()
    with torch.no_grad():
        plain = slice_and_apply(plate, grid, guide, way="plain")
        fused = slice_and_apply(plate, grid, guide, way="numba")
        gathered = _gathered(plate, grid, _guide_weights(guide))
    bound = 1e-5 * (1.0 + plain.abs())
    assert bool(((plain - fused).abs() <= bound).all())
    assert bool(((plain - gathered).abs() <= bound).all())


@pytest.mark.parametrize("way", ["plain", "numba"])
def test_no_field_is_the_plate_to_the_bit(way):
    plate, grid = a_field(33, 70)
    plate[0, 1, 3, 3] = -0.92
    with torch.no_grad():
        assert torch.equal(slice_and_apply(plate, grid * 0.0, a_guide(), way=way), plate)


def test_points_equal_the_whole_frame():
    plate, grid = a_field(40, 52)
    index = torch.randint(40 * 52, (1, 300), generator=generator(5))
    with torch.no_grad():
        whole = slice_and_apply(plate, grid, a_guide(), way="plain")
        some = slice_points(plate, grid, a_guide(), index=index)
    wanted = whole.flatten(2).gather(2, index[:, None].expand(-1, 3, -1))
    assert torch.allclose(some, wanted, atol=1e-5)


def test_bands_do_not_show(monkeypatch):
    plate, grid = a_field(64, 48)
    with torch.no_grad():
        whole = slice_and_apply(plate, grid, a_guide(), way="plain")
        monkeypatch.setattr("footagefit.models.slicing._BAND_PX", 48 * 5)
        assert torch.allclose(
            slice_and_apply(plate, grid, a_guide(), way="plain"), whole, atol=1e-6
        )


def test_plain_differentiates_to_plate_grid_and_guide():
    plate, grid = a_field(4, 5, cells=(3, 2, 2))
    plate, grid = plate.abs().double() + 0.2, grid.double().requires_grad_()
    guide = a_guide().double()

    def total(cells: torch.Tensor) -> torch.Tensor:
        return slice_and_apply(plate, cells, guide, way="plain")

    assert torch.autograd.gradcheck(total, (grid,), eps=1e-6, atol=1e-4)
    total(grid).sum().backward()
    assert float(guide.luma.grad.abs().sum()) > 0


def test_an_edge_keeps_its_side():
    """A field that differs in depth alone does not bleed over a hard edge of luminance."""
    plate = torch.full((1, 3, 16, 64), 0.02)
    plate[..., 32:] = 1.0
    grid = torch.zeros(1, 12, 8, 2, 4)
    grid[:, 3, 6:], grid[:, 7, 6:], grid[:, 11, 6:] = 1.0, 1.0, 1.0
    with torch.no_grad():
        out = slice_and_apply(plate, grid, Guide(), way="plain")
    ratio = out / plate
    assert torch.allclose(ratio[..., 31], ratio[..., 0], atol=1e-5)
    assert torch.allclose(ratio[..., 32], ratio[..., 63], atol=1e-5)
    assert float(ratio[0, 0, 8, 32]) > 1.3 * float(ratio[0, 0, 8, 31])


def test_the_kernel_leaves_torchs_threads_alone():
    plate, grid = a_field(8, 8)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.no_grad():
            slice_and_apply(plate, grid, a_guide(), way="numba")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_unknown_way_is_refused():
    plate, grid = a_field(8, 8)
    with pytest.raises(WrongValue, match="expected auto, plain, compiled or numba"):
        slice_and_apply(plate, grid, a_guide(), way="fast")


def test_a_wild_field_teaches_in_numbers():
    """Trained on, one example whose field ran away must not end the run."""
    plate = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    grid = torch.full((1, 12, 2, 2, 2), 200.0, requires_grad=True)
    made = slice_points(plate, grid, a_guide(), index=torch.arange(64)[None])
    made.log2().abs().mean().backward()
    assert torch.isfinite(made).all() and grid.grad is not None
    assert torch.isfinite(grid.grad).all()

"""What every task relies on: masks, controls, vectors, batches."""

import pytest
import torch

from footagefit.errors import UnknownName, WrongValue
from footagefit.records import Given
from footagefit.tasks.base import PlainWindow, collated, lens_coordinates, vector_of
from footagefit.tasks.draws import chance, generator, uniform
from footagefit.tasks.match import Match


def a_given(mask: torch.Tensor) -> Given:
    plate = torch.randn(1, 3, *mask.shape[-2:], generator=generator(1)) * 20.0
    none = torch.zeros(1, 0)
    return Given(plate, none, mask, none, none, none)


def test_outside_the_mask_nothing_changes_to_the_bit():
    mask = torch.zeros(1, 1, 8, 9)
    mask[..., 3:6] = 0.3
    mask[..., 6:] = 1.0
    given = a_given(mask)
    output = given.plate * 1.1 + 1e-7
    output[..., 0] = float("nan")
    out = Match().composite(given, output)
    assert torch.equal(out[..., :3], given.plate[..., :3])
    assert torch.equal(out[..., 6:], output[..., 6:])
    assert torch.allclose(out[..., 3:6], 0.7 * given.plate[..., 3:6] + 0.3 * output[..., 3:6])


def test_composite_keeps_bits_in_half_float():
    given = a_given(torch.zeros(1, 1, 4, 4))
    given = Given(*(part.half() for part in given))
    assert torch.equal(Match().composite(given, given.plate * 3), given.plate)


def test_controls_are_checked_by_name_and_range():
    task = Match()
    assert task.checked({"strength": 0.5}) == {"strength": 0.5}
    with pytest.raises(UnknownName, match="known: strength"):
        task.checked({"stregth": 1.0})
    with pytest.raises(WrongValue, match=r"outside 0\.\.1"):
        task.checked({"strength": 1.5})


def test_vector_tells_what_is_not_there_from_zero():
    vector = vector_of(("a", "b", "c"), {"a": 0.0, "c": 2})
    assert vector.tolist() == [0.0, 1.0, 0.0, 0.0, 2.0, 1.0]
    assert vector_of(("a",), None).tolist() == [0.0, 0.0]


def test_lens_coordinates_reach_one_in_the_corners_and_follow_crops():
    whole = lens_coordinates((100, 200), aspect=2.0)
    assert float(whole.square().sum(0).sqrt().max()) == pytest.approx(1.0, abs=0.01)
    assert whole[1, 0, 0] > 0 > whole[1, -1, 0]
    crop = lens_coordinates((50, 100), frame=(0.0, 0.0, 0.5, 0.5), aspect=2.0)
    assert torch.allclose(crop, whole[:, :50, :100], atol=1e-6)
    mirrored = lens_coordinates((50, 100), frame=(0.5, 0.0, 0.0, 0.5), aspect=2.0)
    assert torch.allclose(mirrored, crop.flip(2), atol=1e-6)


def test_draws_are_functions_of_their_numbers():
    assert uniform(generator(1, 2, 3), 0, 1) == uniform(generator(1, 2, 3), 0, 1)
    assert uniform(generator(1, 2, 3), 0, 1) != uniform(generator(1, 3, 2), 0, 1)
    assert sum(chance(generator(7, n), 0.25) for n in range(400)) == pytest.approx(100, abs=30)


def test_pairs_collate():
    task = Match(size=(32, 64), families=["exposure"], codecs=[])
    window = PlainWindow(torch.rand(2, 3, 40, 80))
    pairs = [task.pair(window, generator(n)) for n in range(3)]
    batch = collated(pairs)
    assert batch.given.plate.shape == (3, 3, 32, 64)
    assert batch.given.reference.shape == (3, 1, 3, 32, 64)
    assert batch.given.vector.shape == (3, task.spec.vector_size)
    assert torch.equal(batch.target[1], pairs[1].target[0])

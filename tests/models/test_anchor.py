"""Looks held to what stands in plate and reference both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.models.base import Amounts
from footagefit.models.field import ANCHOR, FieldModel
from footagefit.records import Given
from standing_set import somebody, wall

_SKIN = (0.35, 0.25, 0.18)


def picture(light: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(light.astype(np.float32)).permute(2, 0, 1)[None]


def given(plate: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> Given:
    height, width = plate.shape[:2]
    where = torch.ones(1, 1, height, width) if mask is None else torch.from_numpy(mask)[None, None]
    return Given(
        picture(plate), torch.zeros(1, 2, 9, 16), where, picture(reference)[None],
        torch.zeros(1, 0), torch.zeros(1, 0, height, width),
    )  # fmt: skip


def off_ev(one: torch.Tensor, other: torch.Tensor, where: np.ndarray) -> float:
    """Stops between two pictures somewhere, in the middle."""
    apart = torch.log2((one + 1e-3) / (other + 1e-3)).abs().mean(1)[0].numpy()
    return float(np.median(apart[where]))


@pytest.fixture
def untaught() -> FieldModel:
    """A field whose net says nothing: all that it does is what sets say."""
    torch.manual_seed(2)
    return FieldModel(width=8).eval()


def changed(light: np.ndarray) -> np.ndarray:
    """A stop darker, cold, and darker to the left."""
    across = np.linspace(-0.8, 0.8, light.shape[1], dtype=np.float32)[None, :, None]
    return light * 2.0 ** (across - 1.0) * np.array([0.85, 1.0, 1.25], np.float32)


def test_a_plate_is_matched_by_its_set_alone(untaught):
    light = wall(11)
    plate = changed(somebody(light, at=(80, 90), colour=_SKIN))
    wanted = picture(somebody(light, at=(80, 90), colour=_SKIN))
    reference = somebody(light, at=(80, 190), colour=(0.6, 0.2, 0.02))
    with torch.no_grad():
        made = untaught.predict(given(plate, reference))
    all_over = np.ones(light.shape[:2], bool)
    assert off_ev(picture(plate), wanted, all_over) > 0.9
    assert off_ev(made, wanted, all_over) < 0.06


def test_who_is_in_frame_takes_no_colour_from_whom_the_reference_shows(untaught):
    """Somebody in orange stood there; whoever stands there now keeps the hue they have."""
    light = wall(11)
    at = (80, 120)
    plate = changed(somebody(light, at=at, colour=_SKIN))
    reference = somebody(light, at=at, colour=(0.6, 0.2, 0.02))
    who = somebody(np.zeros_like(light), at=at, colour=(1.0, 1.0, 1.0))[..., 0] > 0
    with torch.no_grad():
        made = untaught.predict(given(plate, reference))
    assert off_ev(made, picture(somebody(light, at=at, colour=_SKIN)), who) < 0.15


def test_where_no_reference_shows_the_set_nothing_is_added(untaught):
    with torch.no_grad():
        seen = given(changed(wall(11)), wall(99))
        look = untaught.look(untaught.small(seen))
    assert not look[ANCHOR].any()
    assert torch.equal(untaught.predict(seen), seen.plate)


def test_an_inserted_element_is_not_held_to_what_stands_around_it(untaught):
    """The set around it sits already, and of the element the reference shows nothing."""
    light = wall(11)
    at = (80, 120)
    plate = somebody(light, at=at, colour=(0.05, 0.05, 0.3))
    mask = somebody(np.zeros_like(light), at=at, colour=(1.0, 1.0, 1.0))[..., 0]
    with torch.no_grad():
        seen = given(plate, light, mask)
        assert not untaught.look(untaught.small(seen))[ANCHOR].any()


def test_beside_an_element_the_net_has_its_way(untaught):
    """Only the left half may change; what the set says of it is not carried far to the right."""
    light = wall(11)
    mask = np.zeros(light.shape[:2], np.float32)
    mask[:, :100] = 1.0
    with torch.no_grad():
        made = untaught.predict(given(changed(light), light, mask))
    right = np.zeros(light.shape[:2], bool)
    right[:, 170:] = True
    assert off_ev(made, picture(light), mask > 0) < 0.1
    assert off_ev(made, picture(changed(light)), right) < 0.25


def test_a_person_may_follow_the_set_in_part_or_not_at_all(untaught):
    light = wall(11)
    seen = given(changed(light), light)
    with torch.no_grad():
        look = untaught.look(untaught.small(seen))
        none = untaught.apply(untaught.followed(look, Amounts(anchor=0.0)), seen)
        half = untaught.apply(untaught.followed(look, Amounts(anchor=0.5)), seen)
    assert torch.equal(none, seen.plate)
    all_over = np.ones(light.shape[:2], bool)
    assert off_ev(half, picture(light), all_over) == pytest.approx(
        0.5 * off_ev(seen.plate, picture(light), all_over), abs=0.06
    )
    with torch.no_grad():
        untaught.anchors = False
        assert torch.equal(untaught.predict(seen), seen.plate)


def test_a_frame_does_not_depend_on_those_beside_it(untaught):
    light = wall(11)
    one, two = given(changed(light), light), given(0.5 * light, wall(12))
    both = Given(*(torch.cat(pair) for pair in zip(one, two, strict=True)))
    with torch.no_grad():
        alone = untaught.look(untaught.small(one))[ANCHOR]
        beside = untaught.look(untaught.small(both))[ANCHOR]
    assert torch.allclose(alone[0], beside[0], atol=1e-5) and not beside[1].any()


def test_pixels_that_are_no_numbers_say_nothing(untaught):
    light = wall(11)
    plate = changed(light)
    plate[10, 10] = np.nan
    with torch.no_grad():
        look = untaught.look(untaught.small(given(plate, light)))
    assert torch.isfinite(look[ANCHOR]).all()


def test_a_key_that_moved_is_followed_place_by_place_where_asked(untaught):
    """A window's light on the left third came from the right in the plate; half the set stood."""
    light = wall(11)
    lit, unlit = np.ones_like(light), np.ones_like(light)
    lit[:, :80], unlit[:, 180:] = 4.0, 3.0
    wanted, plate = picture(light * lit), light * unlit
    seen = given(plate, light * lit)
    sides = np.zeros(light.shape[:2], bool)
    sides[:, :70] = sides[:, 190:] = True
    with torch.no_grad():
        look = untaught.look(untaught.small(seen))
        firm, relit = (
            untaught.apply(untaught.followed(look, Amounts(relit=r)), seen) for r in (0.0, 1.0)
        )
        assert torch.equal(firm, untaught.predict(seen))
    assert off_ev(relit, wanted, sides) < 0.4 * off_ev(firm, wanted, sides)
    assert off_ev(relit, wanted, sides) < 0.25 * off_ev(picture(plate), wanted, sides)


def test_who_wears_another_hue_keeps_it_where_a_key_moved(untaught):
    light = wall(11)
    at = (80, 120)
    plate = changed(somebody(light, at=at, colour=_SKIN))
    reference = somebody(light, at=at, colour=(0.6, 0.2, 0.02))
    who = somebody(np.zeros_like(light), at=at, colour=(1.0, 1.0, 1.0))[..., 0] > 0
    seen = given(plate, reference)
    with torch.no_grad():
        look = untaught.look(untaught.small(seen))
        made = untaught.apply(untaught.followed(look, Amounts(relit=1.0)), seen)
    assert off_ev(made, picture(somebody(light, at=at, colour=_SKIN)), who) < 0.3

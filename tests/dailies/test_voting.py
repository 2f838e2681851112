"""Maps that parts of a picture agree on."""

from __future__ import annotations

import numpy as np
import pytest

from dailies_footage import scenery
from footagefit.dailies.pairs import detail
from footagefit.dailies.voting import voted

HEIGHT, WIDTH = 135, 240


def test_parts_vote_for_the_set_and_for_the_actor_in_front_of_it():
    world = scenery(5, HEIGHT + 60, WIDTH + 120) ** 2.2 * 0.6 + 0.01
    actor = scenery(6, 110, 90) ** 2.2 * 0.6 + 0.01

    def frame(y: int, x: int) -> np.ndarray:
        made = world[y : y + HEIGHT, x : x + WIDTH].astype(np.float32).copy()
        made[25:, 75:165] = actor
        return made

    one, other = (detail(f) for f in (frame(30, 60), frame(36, 85)))
    set_first, _, actor_second, *_ = voted(one, other)
    assert set_first == pytest.approx(np.array([[1, 0, -25], [0, 1, -6]]), abs=0.6)
    assert actor_second == pytest.approx(np.eye(2, 3), abs=0.6)

"""Things in frame, told on the stage: what is planted, and nothing where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from footagefit.catalogue.comparing import fitted
from footagefit.catalogue.laying import Laid, laid
from footagefit.catalogue.things import things
from footagefit.soundstage.filming import FRAME_S, film
from footagefit.soundstage.script import write_script
from footagefit.soundstage.sensor import expose
from footagefit.soundstage.specs import Obstacle

SIZE = (180, 320)


def filmed(asked, sensor, seed: int) -> np.ndarray:
    """Three moments of a take, as its sensor records them (K,H,W,C)."""
    camera = film(asked, size_px=SIZE)
    frames = [camera.frame(m * FRAME_S, truth=False).image_CHW for m in (1, 6, 10)]
    shown = [expose(f, sensor, seed=seed, frame=n) for n, f in enumerate(frames)]
    return np.stack([np.clip(f.permute(1, 2, 0).numpy(), 0.0, 1.0) for f in shown])


@pytest.fixture(scope="module", params=["12", "57A"])
def takes(request):
    """A set-up's first take and another performance: wide in a kitchen, nearer in a studio."""
    first, other = (
        t for t in write_script("demo", 4).takes
        if t.scene + t.setup == request.param and t.camera == "A" and t.number < 3
    )  # fmt: skip
    clean = replace(first.asked, performance_seed=other.asked.performance_seed)
    return filmed(first.asked, first.sensor, 1), clean, first.sensor


def kinds(hero_KHWC: np.ndarray, take_KHWC: np.ndarray) -> list[str]:
    middle = hero_KHWC[1]
    over: list[Laid | None] = [laid(middle, frames) for frames in (hero_KHWC, take_KHWC)]
    assert over[0] is not None and over[1] is not None
    fit = fitted(over[0], over[1])
    assert fit is not None
    return [t.kind for t in things(over[0], over[1], fit)]


@pytest.mark.parametrize("fault", ["none", "prop", "boom", "wardrobe"])
def test_what_is_planted_is_told_and_nothing_else(takes, fault):
    hero, asked, sensor = takes
    changed = {
        "none": {}, "prop": {"prop_shift_m": 0.22}, "wardrobe": {"wardrobe_hue": 120.0},
        "boom": {"obstacle": Obstacle("boom", 5)},
    }[fault]  # fmt: skip
    told = kinds(hero, filmed(replace(asked, **changed), sensor, 2))
    assert told == ([] if fault == "none" else [fault])

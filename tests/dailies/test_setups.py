"""Set-ups by picture: names are believed further, pictures where there are none."""

import numpy as np

from footagefit.dailies import cuts
from footagefit.dailies.entries import Link, Shot, Slate
from footagefit.dailies.setups import Looks, framing_unlike, grouped


def a_layout(*, seed: int, pan_px: int = 0) -> np.ndarray:
    """Three moments of a set: blocks of furniture, a little noise (3,27,48)."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(40, 210, (4, 16)), np.ones((7, 9)))[: cuts.HEIGHT]
    moments = [wide[:, 20 + pan_px : 20 + pan_px + cuts.WIDTH] for _ in range(3)]
    noisy = [m + np.random.default_rng(i).normal(0, 2, m.shape) for i, m in enumerate(moments)]
    return np.stack(noisy).clip(0, 255).astype(np.uint8)


def grouping(layouts: list[np.ndarray], scene: str) -> list[str]:
    shots = [
        Shot(f"s{i}", Slate(scene=scene), "42", "", 1, 9, (Link("a.mov", "proxy", 1, 9, 0, i),))
        for i in range(len(layouts))
    ]
    keys = [(i, -1) for i in range(len(layouts))]
    looks = Looks(dict(zip(keys, layouts, strict=True)), {}, {}, {}, {})
    return [shot.setup for shot in grouped(shots, looks)]


def test_one_camera_position_is_one_set_up_and_another_set_is_another():
    here = a_layout(seed=1)
    others = [a_layout(seed=seed) for seed in range(2, 12)]
    there = max(others, key=lambda other: framing_unlike(here, other))
    assert framing_unlike(here, a_layout(seed=1)) < 0.1
    assert framing_unlike(here, there) == framing_unlike(there, here) > 0.35
    assert grouping([here, there, here], "") == ["42", "42-2", "42"]
    assert grouping([here, there, here], "42A") == ["42A", "42A-2", "42A"]


def test_a_slate_is_believed_where_a_picture_alone_would_not_be():
    pans = {px: framing_unlike(a_layout(seed=1), a_layout(seed=1, pan_px=px)) for px in range(12)}
    px = next(px for px, unlike in pans.items() if 0.27 < unlike < 0.35)
    pair = [a_layout(seed=1), a_layout(seed=1, pan_px=px)]
    assert grouping(pair, "42A") == ["42A", "42A"]
    assert grouping(pair, "") == ["42", "42-2"]

"""Noise for made pixels: of seed and frame alone, and fixed to what the camera looks at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.models.noise import latent_noise
from footagefit.rendering.noise import Noise

SIZE = (64, 96)
STEP_PX = 8


def panned(frame: int, to: int) -> np.ndarray:
    """A camera that goes right: what lies at x in a frame lay further right in those before."""
    made = np.eye(3)
    made[0, 2] = STEP_PX * (frame - to)
    return made


def noise(*, seed: int = 0, anchor: int = 1001) -> Noise:
    return Noise(SIZE, seed=seed, anchor=anchor, way=panned)


def test_a_frames_noise_is_of_the_seed_and_the_frame_alone():
    one, other = noise(), noise()
    for number in (1009, 1002, 1005):  # whichever were asked for before
        one.field(number)
    assert torch.equal(one.field(1003), other.field(1003))
    assert not torch.equal(one.field(1003), one.field(1004))
    assert not torch.equal(one.field(1003), noise(seed=1).field(1003))


@pytest.mark.parametrize("number", [998, 1004, 1009])
def test_noise_goes_with_what_is_seen(number):
    moved = STEP_PX * (number - 1001)
    first, later = noise().field(1001), noise().field(number)
    there = (slice(max(0, moved), SIZE[1] + min(0, moved)),
             slice(max(0, -moved), SIZE[1] - max(0, moved)))  # fmt: skip
    assert torch.equal(later[..., there[1]], first[..., there[0]])
    latents = [latent_noise(f[None], (8, 12), channels=4, factor=8)[0] for f in (first, later)]
    cells = [slice(s.start // 8, s.stop // 8) for s in there]
    assert torch.equal(latents[1][..., cells[1]], latents[0][..., cells[0]])


def test_noise_is_white_under_a_camera_that_turns():
    turn = np.deg2rad(7.0)
    way = np.array([[np.cos(turn), -np.sin(turn), 3.3], [np.sin(turn), np.cos(turn), -1.7],
                    [0.0, 0.0, 1.0]])  # fmt: skip
    field = Noise((256, 256), seed=3, anchor=1001, way=lambda *_: way).field(1002)
    assert float(field.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(field.std()) == pytest.approx(1.0, abs=0.01)
    for dim in (1, 2):
        beside = (field.diff(dim=dim).square().mean() / 2.0).item()  # 1 where neighbours are apart
        assert beside == pytest.approx(1.0, abs=0.25)

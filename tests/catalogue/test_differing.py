"""What the net is shown of two takes, and what is made of its answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from footagefit.catalogue import differing
from footagefit.catalogue.comparing import Fitted
from footagefit.catalogue.differing import evidence
from footagefit.catalogue.differing_net import CHANNELS, KINDS, DifferingNet
from footagefit.catalogue.laying import Laid
from footagefit.catalogue.outside import Beside, beside
from footagefit.errors import MissingPart

HEIGHT, WIDTH = 90, 160


def take(*, ball_at: int | None = None, margin: int = 0) -> Laid:
    """Three moments of a grey ramp, with a red ball, that reach all but a margin at the left."""
    rng = np.random.default_rng(ball_at or 0)
    ramp = np.linspace(0.05, 0.4, WIDTH, dtype=np.float32)[None, None, :, None]
    frames = ramp * (1 + rng.normal(0, 0.01, (3, HEIGHT, WIDTH, 3)).astype(np.float32))
    if ball_at is not None:
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        frames[:, (x - ball_at) ** 2 + (y - 50) ** 2 < 64] = (0.5, 0.06, 0.04)
    inside = np.ones((3, HEIGHT, WIDTH), bool)
    inside[:, :, :margin] = False
    return Laid(frames, inside, np.eye(2, 3))


def held(one: Laid, other: Laid) -> Beside:
    still = np.ones((HEIGHT, WIDTH), bool)
    return beside(one, other, Fitted(np.zeros(3, np.float32), 1.0, 0.0, 0.0, still, still * 0.0))


def test_evidence_is_of_what_differs():
    seen = evidence(held(take(ball_at=40), take(ball_at=110)))
    assert seen.shape == (CHANNELS, 180, 320) and np.abs(seen).max() <= differing.MOST
    added, missing = seen[6:8].sum(0), seen[8:10].sum(0)
    assert seen[1, 100, 220] > 1 and seen[1, 100, 80] < -1  # redder now, and no longer
    assert added[100, 220] > 1 and missing[100, 80] > 1
    assert added[40, 160] == missing[40, 160] == 0 and np.abs(seen[:3, 40, 160]).max() < 0.2


def test_takes_exchanged_are_evidence_exchanged():
    one, other = take(ball_at=40), take(ball_at=110)
    there, back = evidence(held(one, other)), evidence(held(other, one))
    assert np.allclose(there[:3], -back[:3], atol=1e-4)
    assert np.allclose(there[6:8], back[8:10], atol=1e-4)
    assert np.allclose(there[10], back[11], atol=1e-4)


def test_where_a_take_does_not_reach_there_is_no_evidence():
    seen = evidence(held(take(), take(ball_at=20, margin=40)))
    assert not seen[:, :, :79].any() and seen[-1, :, 81:].all()


class Says(nn.Module):
    """A net that sees a prop in cells 20 to 29 across and 10 to 14 down, and nothing else."""

    def forward(self, evidence_BCHW: torch.Tensor) -> torch.Tensor:
        logits = torch.full((1, len(KINDS), 90, 160), -5.0)
        logits[0, 0, 10:15, 20:30] = 4.0
        return logits


def test_boxes_are_in_pixels_of_the_picture():
    seen = held(take(), take())
    (found,) = differing.differing(seen, {"prop": 0.0, "boom": 0.0}, net=Says())
    assert (found.kind, found.sure) == ("prop", 4.0)
    assert found.box == (20, 10, 10, 5)
    assert found.share == pytest.approx(50 / (90 * 160))
    assert differing.differing(seen, {"prop": 4.5}, net=Says()) == []
    assert differing.differing(seen, {"boom": 0.0}, net=Says()) == []


@pytest.mark.parametrize("size", [(180, 320), (101, 57), (134, 320)])
def test_the_net_takes_pictures_of_any_size(size):
    made = DifferingNet(width=8)(torch.zeros(1, CHANNELS, *size))
    assert made.shape == (1, len(KINDS), -(-size[0] // 2), -(-size[1] // 2))


def test_missing_weights_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(differing, "WEIGHTS", tmp_path / "none.safetensors")
    differing.shipped.cache_clear()
    with pytest.raises(MissingPart, match="Install footagefit again"):
        differing.shipped()
    differing.shipped.cache_clear()

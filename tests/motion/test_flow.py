"""Dense flow, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.errors import UsageError
from footagefit.motion import flow
from motion_made import Scene, disc, shifted, view


def test_flow_follows_what_moves_and_is_not_sure_where_something_is_hidden():
    scene, actor = Scene(10), Scene(11)
    one = torch.where(disc(40, 36, 18) > 0, view(actor, shifted(0)), view(scene, shifted(0)))
    other = torch.where(disc(46, 36, 18) > 0, view(actor, shifted(-6)), view(scene, shifted(-1)))
    found, sure = flow.dense(one, other)
    on, around = disc(40, 36, 13)[0] > 0, disc(40, 36, 26)[0] == 0
    around[:4] = around[-4:] = around[:, :4] = around[:, -4:] = False
    assert float((found[0][on] - 6).abs().median()) < 0.15
    assert float((found[0][around] - 1).abs().median()) < 0.1
    assert float(found[1][around].abs().median()) < 0.1
    hidden = (disc(46, 36, 17)[0] > 0) & (disc(40, 36, 20)[0] == 0)  # behind the actor, a frame on
    assert float(sure[0][hidden].mean()) < 0.5 * float(sure[0][around].mean())


def test_flow_of_a_large_frame_is_in_its_own_pixels():
    scene = Scene(12, shortest_px=20.0)
    big = (144, 224)
    one, other = view(scene, shifted(5.0, -3.0), big), view(scene, shifted(0.0), big)
    found, _ = flow.dense(one, other, long_px=112)
    inner = found[:, 20:-20, 20:-20]
    assert inner.mean((1, 2)).tolist() == pytest.approx([5.0, -3.0], abs=0.25)


def test_holes_are_never_sure():
    scene = Scene(13)
    hole = disc(60, 30, 10)
    _, sure = flow.dense(view(scene, shifted(2)), view(scene, shifted(0)), hole_1HW=hole)
    assert float(sure[hole > 0].max()) == 0.0


class Constant(torch.nn.Module):
    """A net that says the same of every pixel."""

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return torch.stack([one[:, 0] * 0 + 2.0, other[:, 0] * 0 - 1.0], 1)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_learned_flow_comes_by_path(tmp_path):
    path = tmp_path / "flow.pt"
    torch.jit.script(Constant()).save(str(path))
    codes = np.zeros((32, 40), np.uint8)
    assert np.allclose(flow.tracker(path)(codes, codes), [2.0, -1.0])
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no net")
    with pytest.raises(UsageError, match=r"bad\.pt.*torch\.jit\.script"):
        flow.learned(bad)


def test_too_small_to_be_tracked_stands_still():
    assert not flow.dis()(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)).any()

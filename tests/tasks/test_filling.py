"""Clean-up and extension: whole footage becomes examples whose truth is the footage."""

import pytest
import torch

from footagefit.errors import UnknownName, WrongValue
from footagefit.tasks.base import INSIDE, PlainWindow
from footagefit.tasks.cleanup import Cleanup
from footagefit.tasks.draws import generator
from footagefit.tasks.extend import Extend
from footagefit.tasks.filling import CLEAN, GUIDE, NEAREST


def moving(frames: int = 5, size=(64, 96), step_px: int = 2) -> torch.Tensor:
    """A textured set that a camera pans over."""
    rng = generator(4)
    wide = torch.zeros(1, 3, size[0], size[1] + frames * step_px)
    for cells in (6, 14, 30):
        coarse = torch.rand(1, 3, cells, 2 * cells, generator=rng)
        wide += torch.nn.functional.interpolate(coarse, size=wide.shape[2:], mode="bicubic")
    wide = (0.3 * wide).clamp_min(0.01)
    return torch.cat([wide[..., n * step_px : n * step_px + size[1]] for n in range(frames)])


@pytest.fixture
def window() -> PlainWindow:
    frames = moving()
    return PlainWindow(frames, frames[:1])


@pytest.mark.parametrize("task", [Cleanup(size=(48, 64)), Extend(size=(48, 64))])
def test_nothing_of_the_truth_is_shown_in_the_hole(task, window):
    for seed in range(6):
        pair = task.pair(window, generator(seed))
        hole = pair.given.mask > 0
        assert float((pair.given.plate * hole).abs().max()) == 0.0
        kept = ~hole.expand_as(pair.target)
        assert torch.equal(pair.given.plate[kept], pair.target[kept])
        assert torch.equal(pair.truth[INSIDE], pair.given.mask)
        outside = pair.given.guide[:, 3:4] * ~hole
        assert float(outside.abs().max()) == 0.0, "confidence is said of the hole alone"


def test_what_is_carried_is_nearer_the_truth_the_surer_it_is(window):
    task = Cleanup(size=(48, 64), kinds=["tubes"])
    off = {True: [], False: []}
    for seed in range(8):
        pair = task.pair(window, generator(seed))
        carried, confidence = pair.given.guide[:, :3], pair.given.guide[:, 3:4]
        error = (carried - pair.target).abs().mean(1, keepdim=True)
        for sure in (True, False):
            at = (pair.given.mask > 0) & (confidence > 0) & ((confidence > 0.8) == sure)
            off[sure] += error[at].tolist()
    assert len(off[True]) > 100
    assert sum(off[True]) / len(off[True]) < 0.02
    if off[False]:
        assert sum(off[False]) / len(off[False]) > sum(off[True]) / len(off[True])


def test_a_dropped_frame_is_filled_from_its_neighbours(window):
    task = Extend(size=(48, 64), kinds=["dropped"])
    pair = task.pair(window, generator(1))
    assert float(pair.given.mask.min()) == 1.0
    assert float(pair.given.guide[:, 3:4].mean()) > 0.0
    assert float(pair.truth[NEAREST].mean()) > 0.0


def test_frames_that_do_not_exist_are_holes_and_never_the_truth(window):
    class Gone(PlainWindow):
        @property
        def gone_T1HW(self):
            gone = torch.zeros_like(self.frames_TCHW[:, :1])
            gone[2:] = 1.0
            return gone

    frames = window.frames_TCHW.clone()
    frames[2:] = 0.0
    for seed in range(4):
        pair = Cleanup(size=(48, 64)).pair(Gone(frames, frames[:1]), generator(seed))
        assert float(pair.target.mean()) > 0.05
    single = PlainWindow(frames[:1])
    assert Cleanup(size=(48, 64)).pair(single, generator(0)).given.plate.shape == (1, 3, 48, 64)


def test_the_truth_of_a_staged_window_has_no_grain(window):
    grainy = window.frames_TCHW + 0.05 * torch.randn(
        window.frames_TCHW.shape, generator=generator(8)
    )
    staged = PlainWindow(grainy, window.reference_RCHW, {CLEAN: window.frames_TCHW})
    task = Cleanup(size=None, mirror=0.0)
    pair = task.pair(staged, generator(2))
    assert torch.equal(pair.target[0], window.frames_TCHW[2])
    kept = ~(pair.given.mask > 0).expand_as(pair.target)
    assert torch.equal(pair.given.plate[kept], grainy[2][None][kept])


def test_rendering_hands_in_layers(window):
    frames = window.frames_TCHW
    layers = {
        "mask": torch.zeros(5, 1, 64, 96), "carried": frames.flip(0),
        "confidence": torch.full((5, 1, 64, 96), 0.5), "noise": torch.ones(5, 3, 64, 96),
    }  # fmt: skip
    layers["mask"][:, :, 10:20] = 1.0
    given = Cleanup().given(PlainWindow(frames, layers=layers), {"strength": 1.0})
    assert torch.equal(given.mask, layers["mask"])
    assert torch.equal(given.guide[:, :3], frames.flip(0))
    assert given.guide.shape == (5, len(GUIDE), 64, 96)
    assert torch.equal(given.noise, layers["noise"])
    bare = Extend().given(window, {})
    assert float(bare.mask.max()) == 0.0
    assert bare.noise.shape[1] == 0


def test_wrong_settings_are_said():
    with pytest.raises(UnknownName, match="known: tubes"):
        Cleanup(kinds=["tube"])
    with pytest.raises(WrongValue, match="size"):
        Extend(size=(8, 8))
    with pytest.raises(WrongValue, match="frames"):
        Extend(frames=0)

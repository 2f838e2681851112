"""Windows of the soundstage: the same again from the same seed, and framed as takes are."""

from dataclasses import replace

import pytest
import torch

from footagefit.rendering.fits import Part, Recipe
from footagefit.soundstage.moving import FRAMES, TAKE_PX, Moving, draw_take
from footagefit.tasks.base import PlainWindow
from footagefit.tasks.draws import generator
from footagefit.tasks.filling import CLEAN
from footagefit.tasks.match import Match
from footagefit.training import stage
from footagefit.training.run import Plan, Sides
from footagefit.training.settings import Settings
from footagefit.training.stage import StageWindows, sides_of_stage
from footagefit.training.stage_takes import TakeWindows


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> StageWindows:
    folder = tmp_path_factory.mktemp("stage")
    return StageWindows(folder, seed=3, scenes=2, size_px=(32, 64))


def test_an_index_is_a_window(windows):
    for index in range(3):
        one, again = windows.window(index), windows.window(index)
        assert torch.equal(one.frames_TCHW, again.frames_TCHW)
        assert torch.equal(one.reference_RCHW, again.reference_RCHW)
        assert one.frames_TCHW.shape == one.reference_RCHW.shape == (1, 3, 32, 64)
        assert bool(torch.isfinite(one.reference_RCHW).all())
    assert not torch.equal(windows.window(0).frames_TCHW, windows.window(1).frames_TCHW)


def test_plate_and_reference_lie_under_one_light(windows):
    apart = []
    for index in range(24):
        window = windows.window(index)
        means = [torch.log2(p.mean() + 1e-3) for p in (window.frames_TCHW, window.reference_RCHW)]
        apart.append(abs(float(means[0] - means[1])))
    assert sorted(apart)[12] < 0.4, "half a stop would be another light"


def test_what_moves_moves_and_the_rest_stands_still():
    ramp = torch.linspace(0, 1, 64).expand(3, 32, 64).clone()
    still = moved = 0
    for index in range(40):
        made = stage._moved(ramp, generator(5, index))
        assert made.shape == ramp.shape
        share = float((made - ramp).abs().gt(0.004).float().mean())
        still += share < 0.02
        moved += share > 0.05
    assert still >= 4
    assert moved >= 10


def test_a_framing_stays_inside_and_a_nudge_is_small():
    for index in range(200):
        rng = generator(9, index)
        framing = stage._framing(rng)
        for scale, left, top in (framing, stage._nudged(framing, rng)):
            assert 0.49 <= scale <= 1.0
            assert 0.0 <= left <= 1.0 - scale + 1e-9
            assert 0.0 <= top <= 1.0 - scale + 1e-9
        nudged = stage._nudged(framing, rng)
        assert max(abs(a - b) for a, b in zip(framing, nudged, strict=True)) <= 0.0401


def test_judged_scenes_are_others(tmp_path):
    sides = sides_of_stage(tmp_path, scenes=40, size_px=(32, 64), seed=0)
    assert sides.train.seed != sides.held_out.seed
    assert sides.held_out.scenes == 8


def test_a_match_from_a_base_is_reminded_of_the_stage(tmp_path):
    class Numbered:
        def window(self, index):
            return PlainWindow(torch.full((1, 3, 2, 2), float(index)))

    recipe = Recipe(Part("match", {}), Part("field", {}))
    plan = Plan(recipe, Settings(max_steps=10, batch_size=4), init_from="a base")
    sides, task = Sides(Numbered(), Numbered()), Match(replay=0.25)
    assert stage.replay_of(task, plan)["scenes"] == 4  # 10 windows, of which few come often
    reminded = stage.with_replay(sides, tmp_path, task=task, plan=plan)
    shapes = [reminded.train.window(i).frames_TCHW.shape[-2:] for i in range(8)]
    assert [shape != (2, 2) for shape in shapes] == [i % 4 == 0 for i in range(8)]
    assert float(reminded.train.window(5).frames_TCHW.mean()) == 3.0  # none of the show's left out
    assert reminded.held_out is sides.held_out
    long = replace(plan, settings=Settings(max_minutes=5.0, max_steps=None))
    assert stage.replay_of(task, long)["scenes"] == 120
    for other, by in (
        (task, replace(plan, init_from=None)),
        (Match(replay=0.0), plan),
        (task, replace(plan, recipe=Recipe(Part("match", {}), Part("diffusion", {})))),
    ):
        assert stage.replay_of(other, by) == {}
        assert stage.with_replay(sides, tmp_path, task=other, plan=by) is sides


def test_a_moving_take_is_footage_with_its_truth(tmp_path):
    windows = TakeWindows(Moving(tmp_path, seed=2, takes=2, size_px=(24, 32)))
    one, again = windows.window(1), windows.window(1 + windows.count)
    assert one.frames_TCHW.shape == (FRAMES, 3, 24, 32)
    assert torch.equal(one.frames_TCHW, again.frames_TCHW)
    others = [windows.window(index) for index in range(9)]
    grainy = [not torch.equal(w.frames_TCHW[2], w.layers[CLEAN][2]) for w in others]
    assert any(grainy)
    assert not all(grainy)
    off = (one.frames_TCHW - one.layers[CLEAN]).mean((1, 2, 3)) / one.layers[CLEAN].mean()
    assert float(off.abs().max()) < 0.2


def test_things_and_cameras_of_takes_move(tmp_path):
    moved = []
    for number in range(6):
        take = draw_take(seed=5, index=number, size_px=(24, 32), frames=3)
        assert torch.equal(take, draw_take(seed=5, index=number, size_px=(24, 32), frames=3))
        moved.append(float((take[0] - take[2]).abs().mean() / take.mean()))
    assert max(moved) > 0.02
    assert Moving(tmp_path, seed=5, takes=1).size_px == TAKE_PX

"""Teaching the finder: examples by number, honest overlap, a run that goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from footagefit.motion.evidence import SWAPPED, evidence
from footagefit.motion.finder_net import KINDS, FinderNet
from footagefit.motion.finders import load
from footagefit.tasks.draws import generator
from footagefit.training import finder, teaching
from footagefit.training.finder import LESSON, Pool, Scenes, example, loss_of, overlap
from footagefit.training.finder_things import boom, dust, stroke, wires
from footagefit.training.teaching import keep

SIZE = (96, 128)


class Noise(Scenes):
    """Scenes of smooth noise: what is drawn in front is what is tested."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def scene(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        coarse = torch.from_numpy(rng.random((1, 4, 8, 10)).astype(np.float32))
        fine = torch.nn.functional.interpolate(coarse, (256, 336), mode="bicubic")[0].clamp(0.02)
        return {"light": fine[:3].permute(1, 2, 0).contiguous().numpy() * 0.4,
                "near": fine[3].numpy()}  # fmt: skip


@pytest.fixture(autouse=True)
def small_pool(monkeypatch):
    monkeypatch.setattr(finder, "_POOL", 3)


def test_a_batch_is_a_function_of_its_step():
    lesson = replace(LESSON, batch=3)
    running = Pool(Noise(), lesson)
    for step in (5, 6):
        running.batch(step)
    one, other = running.batch(7), Pool(Noise(), lesson).batch(7)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["seen"], running.batch(8)["seen"])
    assert set(one["truth"].unique().tolist()) <= {0.0, 1.0}
    assert bool(torch.isfinite(one["seen"]).all())


def test_neighbours_exchanged_are_evidence_exchanged():
    frames = torch.rand(3, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    there, back = evidence(*frames), evidence(*frames.flip(0))
    assert torch.equal(there[list(SWAPPED)], back) and not torch.equal(there, back)


def test_every_kind_and_clean_frames_are_drawn():
    drawn = []
    for number in range(24):
        rng = np.random.default_rng(number)
        made = example(Noise(), rng, generator(number))
        drawn.append(made["truth"].amax((1, 2)))
    drawn = torch.stack(drawn)
    assert bool((drawn.amax(0) == 1).all()) and bool((drawn.sum(1) == 0).any())
    assert float(drawn.sum(1).max()) == 1.0


@pytest.mark.parametrize("draw", [boom, dust, lambda *a: wires(*a)[0]])
def test_things_cover_between_nothing_and_all(draw):
    for seed in range(6):
        thing = draw(np.random.default_rng(seed), SIZE, 0.18)
        assert thing.cover_THW.shape == (3, *SIZE) and thing.kind in KINDS
        assert thing.cover_THW.min() >= 0 and thing.cover_THW.max() <= 1
        assert np.isfinite(thing.light_THWC).all() and thing.light_THWC.min() >= 0


@pytest.mark.parametrize("width", [0.5, 1.0, 2.3, 6.0])
def test_a_stroke_covers_as_much_as_it_is_wide(width):
    cover = stroke(np.array([(64.0, -20.0), (64.0, 120.0)]), SIZE, width)
    assert cover.sum(1).mean() == pytest.approx(width + 0.36, abs=0.26)  # its soft edges


def test_overlap_takes_what_is_near_as_the_same():
    truth, found = np.zeros((2, 40, 60), bool)
    truth[:, 20:22] = True
    found[:, 22:23] = True
    assert overlap(found, truth, near_px=2) == 1.0
    assert overlap(found, truth, near_px=0) == 0.0
    found[:, 40:44] = True
    assert overlap(found, truth, near_px=2) == pytest.approx(1 / 5)
    assert overlap(np.zeros_like(truth), truth, near_px=2) == 0.0


def test_what_does_not_count_teaches_nothing():
    torch.manual_seed(0)
    logits, truth = torch.randn(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    counts = torch.ones_like(truth)
    counts[..., :8] = 0.0
    other = logits.clone()
    other[..., :8] += 3.0
    batch = {"truth": truth, "counts": counts}
    assert float(loss_of(logits, batch)) == pytest.approx(float(loss_of(other, batch)))


def test_a_run_goes_on_where_it_stopped(monkeypatch, tmp_path):
    monkeypatch.setattr(finder, "Scenes", Noise)
    monkeypatch.setattr(finder, "_SAVE_EVERY", 1)
    monkeypatch.setattr(finder, "numbers_of", lambda *_: {})
    lesson = replace(LESSON, steps=2, batch=2, width=4)
    whole = finder.teach(replace(lesson, out=str(tmp_path / "whole")))

    class Stopped(Exception):
        pass

    def stop(_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(teaching, "keep", lambda path, kept: (keep(path, kept), stop(path)))
        with pytest.raises(Stopped):
            finder.teach(replace(lesson, out=str(tmp_path / "parts")))
    parts = finder.teach(replace(lesson, out=str(tmp_path / "parts")))
    assert whole.read_bytes() == parts.read_bytes()
    card = json.loads(parts.with_suffix(".json").read_text())
    assert card["lesson"]["steps"] == 2 and "out" not in card["lesson"]
    assert isinstance(load(parts), FinderNet)

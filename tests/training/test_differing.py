"""Teaching what differs between takes: staged pairs whose truth is known, batches by number."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from footagefit.catalogue import differing as told
from footagefit.catalogue.differing_net import CHANNELS, KINDS, DifferingNet
from footagefit.soundstage.script import write_script
from footagefit.training import differing, differing_takes, teaching
from footagefit.training.differing import LESSON, Takes, batch_of, loss_of
from footagefit.training.differing_takes import Examples, kept

SMALL = (72, 128)


@pytest.fixture
def small(monkeypatch):
    for module in (differing, differing_takes):
        monkeypatch.setattr(module, "SIZE_PX", SMALL)
    monkeypatch.setattr(told, "LONG_PX", SMALL[1])


def drawn(count: int, seed: int = 0) -> Examples:
    """Noise, in which what is there is 40 steps brighter in the first channel."""
    rng = np.random.default_rng(seed)
    evidence = rng.integers(-30, 30, (count, CHANNELS, *SMALL)).astype(np.int8)
    truth, kinds = np.zeros((count, *SMALL), bool), np.full(count, -1, np.int8)
    for n in range(0, count, 2):
        y, x = int(rng.integers(0, 50)), int(rng.integers(0, 100))
        truth[n, y : y + 20, x : x + 20] = True
        evidence[n, 0][truth[n]] += 90
        kinds[n] = 0
    return Examples(evidence, truth, kinds)


def test_a_staged_pair_knows_where_its_fault_is(small, tmp_path, monkeypatch):
    takes = [t for t in write_script("demo", 3).takes if t.camera == "A"][:2]
    monkeypatch.setattr(differing_takes, "_kinds", lambda *_: ["boom"])
    made = list(differing_takes._of_setup(takes, random.Random(1)))
    assert [kind for _, _, kind in made] == [-1, KINDS.index("boom")]
    clean, boom = (truth for _, truth, _ in made)
    assert not clean.any() and 0.001 < boom.mean() < 0.1
    rows = np.flatnonzero(boom.any(1))
    assert rows[0] < 4  # it hangs in from the upper edge
    evidence = made[1][0].astype(np.float32)
    assert evidence.shape == (CHANNELS, *SMALL)
    change = np.abs(evidence[0])
    assert change[boom].mean() > 4 * change[~boom].mean()


def test_shows_are_filmed_once_and_kept(tmp_path, monkeypatch):
    one = (np.ones((CHANNELS, 4, 6), np.int8), np.ones((4, 6), bool), 2)
    monkeypatch.setattr(differing_takes, "examples", lambda seed: iter([one]))
    first = kept(tmp_path, 5)
    monkeypatch.setattr(differing_takes, "examples", lambda seed: iter(()))
    again = kept(tmp_path, 5)
    assert first.kinds_N.tolist() == again.kinds_N.tolist() == [2]
    assert again.shown(0).max() == pytest.approx(4 / 127)
    assert [p.name for p in tmp_path.iterdir()] == ["takes_00005.npz"]


def test_a_batch_is_a_function_of_its_step(small):
    takes, lesson = Takes([drawn(4), drawn(3, 1)]), replace(LESSON, batch=6)
    one, other = batch_of(takes, 5, lesson), batch_of(takes, 5, lesson)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0], batch_of(takes, 6, lesson)[0])
    assert one[0].shape == (6, CHANNELS, *SMALL) and one[1].shape == (6, len(KINDS), 36, 64)
    assert set(one[1].unique().tolist()) == {0.0, 1.0}


def test_what_is_there_is_learnt(small):
    torch.manual_seed(0)
    takes, lesson = Takes([drawn(12)]), replace(LESSON, batch=4, rate=4e-3)
    net = DifferingNet(width=8)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3)
    for step in range(40):
        evidence, truth = batch_of(takes, step, lesson)
        optimizer.zero_grad()
        loss_of(net(evidence), truth).backward()
        optimizer.step()
    fresh = Takes([drawn(12, 7)])
    right, of = differing.numbers_of(net.eval(), fresh)["prop"].split(" (")[0].split(" of ")
    assert int(right) >= 5 and int(of) == 6


def test_a_lesson_writes_weights_that_load_and_a_card(small, tmp_path, monkeypatch):
    monkeypatch.setattr(differing, "kept", lambda folder, number: drawn(3, number))
    monkeypatch.setattr(differing, "HELD_OUT", 2)
    lesson = replace(LESSON, out=str(tmp_path), scenes=2, steps=2, batch=2, width=8)
    path = differing.teach(lesson)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["lesson"]["steps"] == 2 and "prop" in card["held_out"]
    net = told.load(path)
    assert net.stem.weight.shape[0] == 8 and not net.stem.weight.requires_grad
    assert (tmp_path / "differing_state.pt").is_file()
    monkeypatch.setattr(teaching, "keep", lambda *_: pytest.fail("taught again"))
    differing.teach(lesson)

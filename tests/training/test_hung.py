"""Teaching what a wire looks like: staged moments, wires drawn onto them, batches by number."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from footagefit.catalogue.hung import likely, load
from footagefit.catalogue.hung_net import CHANNELS, KEPT, HungNet, shown
from footagefit.soundstage.script import write_script
from footagefit.training import differing_takes, hung_takes, teaching
from footagefit.training import hung as lesson_of
from footagefit.training.hung import LESSON, batch_of, example, loss_of, numbers_of
from footagefit.training.hung_takes import kept, stops_of

SMALL = (48, 80)


def drawn(count: int) -> np.ndarray:
    """Moments that differ from their hero by grain alone."""
    rng = np.random.default_rng(count)
    out = np.zeros((count, KEPT, *SMALL), np.int8)
    out[:, :3] = rng.integers(-40, 40, (count, 3, *SMALL))
    out[:, 3:6] = out[:, :3] + rng.integers(-2, 3, (count, 3, *SMALL))
    out[:, 6] = 24
    return out


def test_a_staged_take_is_kept_moment_by_moment_beside_its_hero(tmp_path, monkeypatch):
    monkeypatch.setattr(differing_takes, "SIZE_PX", (72, 128))
    takes = [t for t in write_script("demo", 3).takes if t.camera == "A"][:2]
    made = list(hung_takes._of_setup(takes, random.Random(1)))
    assert len(made) == 6 and made[0].shape == (KEPT, 72, 128)
    stops = stops_of(made[0])
    assert set(np.unique(stops[6])) <= {0.0, 1.0} and stops[6].mean() > 0.8
    inside = stops[6] > 0
    apart, level = np.abs(stops[0] - stops[3])[inside], stops[0][inside].std()
    assert np.median(apart) < 0.2 * level  # the same set, brought onto it

    monkeypatch.setattr(hung_takes, "moments", lambda seed: iter(made))
    first = kept(tmp_path, 5)
    monkeypatch.setattr(hung_takes, "moments", lambda seed: iter(()))
    assert np.array_equal(kept(tmp_path, 5), first)
    assert [p.name for p in tmp_path.iterdir()] == ["hung_00005.npy"]


def test_a_wire_is_drawn_onto_the_take_and_not_onto_its_hero():
    stops = stops_of(drawn(1)[0])
    plain, nothing = example(stops.copy(), np.random.default_rng(4), wired=False)
    wired, cover = example(stops.copy(), np.random.default_rng(4), wired=True)
    there = cover[0].numpy() > 0.5
    assert nothing.sum() == 0 and 0.002 < there.mean() < 0.2
    assert torch.equal(plain[3:6], wired[3:6])
    apart = (plain[0] - wired[0]).abs().numpy()
    assert apart[there].mean() > 20 * apart[cover[0].numpy() == 0].mean()
    assert wired.shape == (CHANNELS, *SMALL)


def test_a_batch_is_a_function_of_its_step():
    moments, lesson = drawn(5), replace(LESSON, batch=6)
    one, other = batch_of(moments, 5, lesson), batch_of(moments, 5, lesson)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0], batch_of(moments, 6, lesson)[0])
    assert one[1].shape == (6, 1, SMALL[0] // 2, SMALL[1] // 2)
    assert set(one[1].unique().tolist()) == {0.0, 1.0}


def test_wires_are_learnt_and_the_net_is_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_of, "kept", lambda folder, number: drawn(6 + number))
    monkeypatch.setattr(lesson_of, "_ASTRAY", 0.0)  # of noise nothing can be brought back
    lesson = replace(LESSON, out=str(tmp_path), scenes=1, steps=100, batch=4, width=8)
    batches = [batch_of(drawn(6), 1_000 + step, lesson) for step in range(6)]

    def judged(net):
        with torch.no_grad():
            return float(np.mean([float(loss_of(net(shown), truth)) for shown, truth in batches]))

    torch.manual_seed(0)
    before = judged(HungNet(width=8))
    path = lesson_of.teach(lesson)
    net = load(path)
    assert judged(net) < 0.7 * before
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["lesson"]["steps"] == 100 and set(card["held_out"]) == {"precision", "recall"}
    assert numbers_of(net, drawn(4), lesson, steps=2)["recall"] >= 0.0
    told = likely(stops_of(drawn(1)[0]), net=net)
    assert told.shape == (SMALL[0] // 2, SMALL[1] // 2) and told.min() >= 0.0


def test_an_unknown_setting_is_one_line(monkeypatch):
    monkeypatch.setattr("sys.argv", ["hung", "stepps=3"])
    with pytest.raises(SystemExit, match=r"footagefit: .*stepps"):
        teaching.asked(lesson_of.teach, LESSON)


def test_where_nothing_is_compared_nothing_is_shown():
    seen = stops_of(drawn(1)[0])
    seen[6, :, :10] = 0.0
    assert not shown(seen)[:, :, :10].any()

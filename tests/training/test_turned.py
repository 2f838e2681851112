"""Teaching how far a key turned: set-ups under several keys, pairs of takes by number."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from footagefit.catalogue.turned import load
from footagefit.catalogue.turned_net import CHANNELS, SIZE_PX, TurnedNet
from footagefit.soundstage.script import write_script
from footagefit.training import turned as lesson_of
from footagefit.training import turned_takes
from footagefit.training.turned import LESSON, Setups, batch_of, loss_of
from footagefit.training.turned_takes import LIGHTS, Turned, kept


def lit(count: int, seed: int = 0) -> Turned:
    """Balls and cloth of many normals, under keys from several sides."""
    rng = np.random.default_rng(seed)
    rows, columns = SIZE_PX
    light = np.zeros((count, 2, LIGHTS, 3, rows, columns), np.float16)
    ways = np.zeros((count, 2, LIGHTS, 3), np.float32)
    for n in range(count):
        for k in range(LIGHTS):
            way = rng.normal(size=3)
            way[2] = abs(way[2]) + 0.5
            way /= np.linalg.norm(way)
            ways[n, :, k] = way
            for p in range(2):
                y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
                z = np.sqrt(np.maximum(1 - 0.4 * (x * x + y * y), 0.05))
                normal = np.stack([0.63 * x, -0.63 * y, z])
                shade = np.maximum((normal * way[:, None, None]).sum(0), 0) + 0.05
                light[n, p, k] = 0.3 * shade
    return Turned(light, ways)


def test_a_set_up_is_filmed_under_keys_from_several_sides_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(turned_takes, "SIZE_PX", (36, 64))
    takes = [t for t in write_script("demo", 3).takes if t.camera == "A"][:2]
    light, ways = turned_takes._of_setup(takes, random.Random(1))
    assert light.shape == (2, LIGHTS, 3, 36, 64) and ways.shape == (2, LIGHTS, 3)
    assert np.linalg.norm(ways, axis=-1) == pytest.approx(np.ones((2, LIGHTS)), abs=1e-5)
    turn = np.degrees(np.arccos(np.clip((ways[0, :1] * ways[0]).sum(-1), -1, 1)))
    assert turn[0] < 0.1 and (turn[1:] > 4).all()
    apart = [np.abs(light[0, 0] - light[0, k]).mean() for k in range(LIGHTS)]
    assert apart[0] == 0 and min(apart[1:]) > 0.002

    made = Turned(light[None], ways[None])
    monkeypatch.setattr(turned_takes, "filmed", lambda seed: made)
    first = kept(tmp_path, 3)
    monkeypatch.setattr(turned_takes, "filmed", lambda seed: None)
    assert np.array_equal(kept(tmp_path, 3).light_NPLCHW, first.light_NPLCHW)
    assert [p.name for p in tmp_path.iterdir()] == ["turned_00003.npz"]


def test_a_batch_is_a_function_of_its_step_and_knows_its_turns():
    setups, lesson = Setups([lit(3), lit(2, 1)]), replace(LESSON, batch=12)
    one, other = batch_of(setups, 5, lesson), batch_of(setups, 5, lesson)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["evidence"].shape == (12, CHANNELS, *SIZE_PX)
    cosine = (one["one"] * one["other"]).sum(1).clamp(-1, 1)
    assert torch.allclose(torch.rad2deg(torch.acos(cosine)), one["degrees"], atol=0.1)
    assert (one["degrees"] < 1).any() and (one["degrees"] > 20).any()


def test_turns_are_learnt_and_the_net_is_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_of, "kept", lambda folder, number: lit(4, number))
    lesson = replace(LESSON, out=str(tmp_path), scenes=1, steps=50, batch=8, width=8)
    torch.manual_seed(0)
    batch = batch_of(Setups([lit(4)]), 1_000, lesson)
    with torch.no_grad():
        before = float(loss_of(TurnedNet(width=8)(batch["evidence"]), batch))
    path = lesson_of.teach(lesson)
    net = load(path)
    with torch.no_grad():
        assert float(loss_of(net(batch["evidence"]), batch)) < 0.8 * before
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["lesson"]["steps"] == 50 and "median_error_deg" in card["held_out"]

"""Pictures keep their frames' shape, and a step's are all of one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
import torch

from footagefit.errors import UsageError, WrongValue
from footagefit.models import diffusion_hashes as hashes
from footagefit.rendering.fits import Part
from footagefit.tasks.base import PlainWindow, collated
from footagefit.tasks.draws import generator
from footagefit.training import preflight
from footagefit.training.buckets import Bucketed, examples_of
from footagefit.training.run import Sides, execute
from footagefit.training.settings import Settings
from tiny_bases import tiny_base
from training.conftest import Waves, a_plan, diffused

SHAPES = ((36, 64), (54, 64), (64, 36))


@dataclass(frozen=True)
class Mixed:
    """Windows of three shapes, a third of each; can be pickled."""

    seed: int = 0

    def size(self, index: int) -> tuple[int, int]:
        rng = generator(self.seed, index, 5)
        return SHAPES[int(torch.randint(3, (), generator=rng))]

    def window(self, index: int) -> PlainWindow:
        window, size = Waves(self.seed).window(index), self.size(index)
        frames, beside = (
            torch.nn.functional.interpolate(part, size)
            for part in (window.frames_TCHW, window.reference_RCHW)
        )
        return PlainWindow(frames, beside)


def examples(**said) -> Bucketed:
    made = examples_of(Mixed(), a_plan().recipe, Settings(buckets=True, **said), task=None)
    assert isinstance(made, Bucketed)
    return made


def test_a_step_has_one_shape_and_a_run_has_all():
    made, shapes = examples(batch_size=4), []
    for step in range(12):
        batch = collated([made[4 * step + i] for i in range(4)])
        assert batch.target.shape[0] == 4  # else they would not stack
        shapes.append(tuple(batch.target.shape[2:]))
    assert len(set(shapes)) == 3
    for rows, columns in set(shapes):
        assert rows % 16 == columns % 16 == 0
        assert 0.7 * 32 * 64 < rows * columns < 1.4 * 32 * 64  # as many pixels as task.size
    assert sum(rows > columns for rows, columns in shapes) >= 1
    again = examples(batch_size=4)
    assert torch.equal(again[13].target, made[13].target)
    pixels = made.largest()[0].target[0, 0].numel()
    assert pixels == max(rows * columns for rows, columns in shapes)


def test_shots_come_as_often_as_without():
    made = examples(batch_size=2)
    counts = dict.fromkeys(SHAPES, 0)
    for index in range(0, 600, 2):
        shape = made.shape(index)
        counts[next(s for s in SHAPES if made.shape_of(s) == shape)] += 1
    assert all(70 < n < 130 for n in counts.values()), counts


def test_what_has_no_shape_of_its_own_is_refused_in_one_line():
    settings = Settings(buckets=True)
    with pytest.raises(UsageError, match=r"learns from Waves.*trainer\.buckets=false"):
        examples_of(Waves(), a_plan().recipe, settings, task=None)
    with pytest.raises(UsageError, match=r"whole steps are kept.*trainer\.variants=16"):
        Settings(buckets=True, batch_size=8, variants=10)
    recipe = replace(a_plan().recipe, task=Part("match", {"size": None}))
    with pytest.raises(WrongValue, match=r"task\.size"):
        examples_of(Mixed(), recipe, settings, task=None)


@pytest.mark.filterwarnings("ignore:.*no text towers there")
def test_a_base_learns_in_buckets_from_kept_latents_too(tmp_path, monkeypatch):
    monkeypatch.setenv(hashes.CACHE, str(tmp_path / "cache"))
    base = tiny_base(tmp_path / "flux", "flux")
    seen = []
    taken = preflight.collated

    def noted(pairs):
        seen.append(max(p.target[0, 0].numel() for p in pairs))
        return taken(pairs)

    monkeypatch.setattr(preflight, "collated", noted)
    asked = {"buckets": True, "batch_size": 2, "review_every": 0, "max_steps": 10, "val_windows": 1}
    losses = []
    for variants in (0, 20):
        plan = diffused(base, variants=variants, **asked)
        folder = tmp_path / "runs" / f"v{variants}"
        plan.write(folder)
        execute(folder, Sides(train=Mixed(), held_out=Mixed(seed=9)))
        rows = map(json.loads, (folder / "record.jsonl").read_text().splitlines())
        made = Bucketed(Mixed(), plan.recipe, seed=0, group=2)
        assert seen.pop() == made.largest()[0].target[0, 0].numel()
        losses.append([row["train/loss"] for row in rows if "train/loss" in row])
    assert len(losses[0]) == 1
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)

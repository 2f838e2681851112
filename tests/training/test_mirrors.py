"""W&B offline: all that was logged is read back from the files, wherever the folder is taken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from footagefit.errors import FootagefitWarning
from footagefit.footage.colour import preview
from footagefit.footage.view import View
from footagefit.tasks.draws import generator
from footagefit.training import mirrors
from footagefit.training.run import Sides, execute

BEGIN = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from training.conftest import a_plan, sides
from footagefit.footage.view import View
from footagefit.training.run import execute
folder = Path({folder!r})
plan = replace(a_plan(), trackers=("wandb",), group="sweep-7", lineage={{"show": "waves"}})
plan.write(folder)
waves = sides()
review = {{"12A_T1/1004": waves.held_out.window(3), "12A_T2/1010": waves.held_out.window(4)}}
execute(folder, replace(waves, review=review, views={{name: View(1.0) for name in review}}))
"""


@pytest.fixture(scope="module")
def carried(tmp_path_factory) -> Path:
    """A run that was logged offline, then carried to another folder; the first is gone."""
    made = tmp_path_factory.mktemp("wandb") / "run"
    env = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    code = BEGIN.format(tests=str(Path(__file__).parents[1]), folder=str(made))
    home = made.parent / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300,
        env={**env, "HOME": str(home), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    left = [p for p in home.rglob("*") if p.is_file() and "wandb" in p.as_posix()]
    assert not [p for p in left if "artifact" in p.as_posix()], left
    there = made.parent / "elsewhere" / "run"
    there.parent.mkdir()
    shutil.move(made, there)
    return there


@pytest.fixture(scope="module")
def records(carried) -> list[dict]:
    """The log as wandb's own tool prints it."""
    (log,) = carried.rglob("*.wandb")
    wandb = Path(sys.executable).with_name("wandb")
    done = subprocess.run(
        [str(wandb), "leet", "inspect", "--json", str(log)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def test_config_group_curves_and_system_figures_are_in_it(records):
    text = json.dumps(records)
    assert "sweep-7" in text
    for word in ("val/psnr", "val/psnr_log", "trainer/global_step", "tables/shots", "max_steps"):
        assert word in text, word
    kinds = {str(r.get("type")) for r in records}
    assert {"history", "stats"} <= kinds, kinds


def test_every_review_picture_is_there_8_bit_right_shot_and_exposure(carried, records):
    media = sorted((carried / "wandb").rglob("media/images/**/*.png"))
    assert len(media) == 2 * 3  # two shots at steps 0, 3, 6
    for shot in ("12A_T1/1004", "12A_T2/1010"):
        ours = sorted((carried / "review" / shot).glob("*.png"))
        theirs = [p for p in media if shot.split("/")[0] in p.as_posix()]
        assert len(ours) == len(theirs) == 3
        pixels = {np.asarray(Image.open(p)).tobytes() for p in theirs}
        for path in ours:
            with Image.open(path) as picture:
                assert picture.mode == "RGB"
                assert np.asarray(picture).dtype == np.uint8
                assert np.asarray(picture).tobytes() in pixels


def test_the_fit_is_an_artifact_with_card_and_aliases(carried, records):
    text = json.dumps(records)
    assert "weights.safetensors" in text
    assert "CARD.md" in text
    assert "latest" in text
    assert "step-" in text
    staged = [p for p in (carried / "wandb_data").rglob("*") if p.is_file()]
    sizes = {p.stat().st_size for p in staged}
    fit = carried / "checkpoints" / "best.safetensors"
    assert any(abs(size - fit.stat().st_size) < 2000 for size in sizes), staged


def test_the_table_of_shots_is_in_record_and_mirror(carried):
    ours = json.loads((carried / "tables" / "shots.json").read_text())
    assert ours["columns"][:3] == ["shot", "scene", "frame"]
    assert len(ours["rows"]) == 2
    tables = list((carried / "wandb").rglob("*.table.json"))
    assert any(json.loads(t.read_text())["data"] == ours["rows"] for t in tables)


def test_review_pictures_are_at_the_shows_exposure(tmp_path, plan, waves):
    plan(max_steps=1, review_every=0).write(tmp_path / "run")
    known = waves()
    window = known.held_out.window(3)
    sides = Sides(known.train, known.held_out, {"a/1": window}, views={"a/1": View(-1.0)})
    execute(tmp_path / "run", sides)
    task = plan().recipe.build_task()
    target = task.pair(window, generator(0, 0, 2)).target[0]
    with Image.open(tmp_path / "run" / "review" / "a" / "1" / "step_000000.png") as picture:
        shown = np.asarray(picture)
    wide = target.shape[2]
    pane = shown[:, 3 * (wide + 4) : 3 * (wide + 4) + wide]
    wanted = preview(target.permute(1, 2, 0).contiguous().numpy(), View(-1.0))
    assert np.array_equal(pane, wanted)


def test_words_for_mirrors(monkeypatch):
    assert mirrors.mirrors_of("jsonl") == ()
    assert mirrors.mirrors_of("wandb") == ("wandb",)
    monkeypatch.setattr(mirrors, "find_spec", lambda name: object() if name == "wandb" else None)
    with pytest.warns(FootagefitWarning, match="tensorboard is not installed and is left out"):
        assert mirrors.mirrors_of("all") == ("wandb",)


def test_tensorboard_holds_curves_pictures_and_table(tmp_path):
    pytest.importorskip("tensorboard")
    tracker = mirrors.TensorBoard(tmp_path)
    tracker.numbers(3, {"val/psnr": 21.5})
    tracker.picture(3, "12A/1004", Image.new("RGB", (8, 4), (200, 10, 10)))
    tracker.table("shots", ["shot", "dB"], [["12A", 21.5]])
    tracker.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert read.Scalars("val/psnr")[0].value == 21.5
    assert read.Images("review/12A/1004")[0].width == 8

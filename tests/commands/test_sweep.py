"""`footagefit train -m`: many runs in one group, here and over processes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from footagefit import config
from footagefit.rendering.fits import read_card
from footagefit.training.run import Plan
from small_training import SMALL as TINY

SMALL = [*TINY, "init_from=none", "trainer.max_steps=2"]


@pytest.fixture
def show(tmp_path, write_picture) -> Path:
    rng = np.random.default_rng(0)
    for scene in (1, 2, 3):
        folder = tmp_path / "it's a dailies, folder" / f"S{scene:02d}_T01"
        folder.mkdir(parents=True)
        for frame in range(1001, 1007):
            pixels = rng.random((4, 8, 3)).repeat(9, 0).repeat(8, 1)
            write_picture(folder / f"{folder.name}.{frame}.exr", pixels.astype(np.float16))
    path = tmp_path / "a film, é.yaml"
    path.write_text(
        'roots: ["it\'s a dailies, folder"]\nspace: ACEScg\n'
        "names: ['S(?P<scene>\\d+)_T(?P<take>\\d+)']\nwork: work\n"
    )
    return path


def test_a_sweep_is_runs_of_one_group_and_goes_on(show, footagefit):
    words = ["train", "-m", f"show={show}", *SMALL]
    code, out, err = footagefit(*words, "trainer.rate=0.001,0.01")
    assert code == 0, err
    work = show.parent / "work"
    names = ["sweep_v001_000", "sweep_v001_001"]
    plans = [Plan.read(work / "runs" / name) for name in names]
    assert [(p.group, p.settings.rate) for p in plans] == [
        ("sweep_v001", 0.001), ("sweep_v001", 0.01),
    ]  # fmt: skip
    scores = [read_card(work / "fits" / name)["metrics"]["val/psnr"] for name in names]
    best = names[int(np.argmax(scores))]
    assert f"best fit: {work / 'fits' / best}" in out
    assert "group=sweep_v001 goes on with it" in out

    shutil.rmtree(work / "fits" / names[1])
    code, out, err = footagefit(*words, "trainer.rate=0.001,0.01", "group=sweep_v001")
    assert code == 0, err
    assert f"{names[0]} is there already" in out
    assert read_card(work / "fits" / names[1])["metrics"]["val/psnr"] == scores[1]

    code, _, err = footagefit(*words, "trainer.rate=0.002,0.01", "group=sweep_v001")
    assert code == 2
    assert "was another one" in err
    code, out, err = footagefit(*words, "trainer.batch_size=2,3", "trainer.accumulate=2")
    assert code == 2
    assert "sweep_v002_001: trainer.batch_size: 3 pictures do not divide" in err
    assert "sweep_v002_001 did not end in a fit (trainer.batch_size" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert "best fit: " in out
    code, out, _ = footagefit("track", f"show={show}", "as=json")
    groups = [row["group"] for row in json.loads(out)]
    assert groups == ["sweep_v001", "sweep_v001", "sweep_v002"]


def test_what_cannot_be_swept_is_one_line(show, footagefit, monkeypatch):
    from hydra.core.config_store import ConfigStore

    config.compose("doctor", [])  # Hydra finds its plugins on first use
    store = ConfigStore.instance().repo["hydra"]
    for group, name in (("sweeper", "optuna.yaml"), ("launcher", "submitit_slurm.yaml")):
        monkeypatch.delitem(store[group], name, raising=False)
    cases = [
        (["train", "-m", "trainer.rate=1,2"], "show is not set"),
        (["train", "-m", f"show={show}", "name=x"], "a sweep takes no name="),
        (["train", "-m", f"show={show}", "resume=x"], "a sweep takes no resume="),
        (["train", "-m", f"show={show}", "trainer.rat=1,2"], "trainer.rat"),
        (["train", "-m", f"show={show}", "trainer.rate=interval(0,1)"], "Say sweep=optuna"),
        (["train", "-m", f"show={show}", "sweep=optuna"], 'pip install "footagefit[sweep]"'),
        (["train", "-m", f"show={show}", "cluster=slurm"], 'pip install "footagefit[farm]"'),
        (["train", "-m", f"show={show}", "sweep=magic"], "unknown sweep 'magic'; known: optuna"),
        (["train", f"show={show}", "sweep=optuna"], "Say footagefit train -m"),
        (["convert", "-m", "in=x"], "Verbs that take -m: train"),
    ]
    for words, expected in cases:
        code, _, err = footagefit(*words)
        assert code == 2, (words, err)
        assert err.count("\n") == 1, err
        assert expected in err
    assert not (show.parent / "work").exists() or not list((show.parent / "work").rglob("runs"))


def test_a_dry_sweep_tells_every_run_and_writes_nothing(show, footagefit):
    code, out, err = footagefit(
        "train", "--multirun", f"show={show}", "dry_run=true", "trainer.max_steps=7,8,9"
    )
    assert code == 0, err
    assert [f"match with field, {n} steps" in out for n in (7, 8, 9)] == [True] * 3
    assert not (show.parent / "work").exists()


@pytest.mark.filterwarnings("ignore")  # the optuna that the sweeper pins is of another time
def test_a_search_makes_the_score_large_and_repeats(tmp_path):
    tried: list[list[float]] = [[], []]
    for number, rates in enumerate(tried):

        def job(composed, _, rates=rates) -> float:
            rates.append(composed["trainer"]["rate"])
            return -(np.log(rates[-1] / 0.002) ** 2)

        words = ["sweep=optuna", "hydra.sweeper.n_trials=16"]
        config.sweep("train", words, job, folder=tmp_path / str(number))
    assert tried[0] == tried[1]
    assert len(set(tried[0])) == 16
    assert min(tried[0]) >= 0.0003
    off = np.abs(np.log(np.array(tried[0]) / 0.002))
    assert off[8:].mean() < off[:8].mean()


def test_a_sweep_of_processes_keeps_to_its_group(show, footagefit):
    words = ["train", "-m", f"show={show}", *SMALL, "group=farmed", "cluster=local"]
    code, _, err = footagefit(*words, "trainer.rate=0.001,0.01")
    assert code == 0, err
    fits = sorted((show.parent / "work" / "fits").iterdir())
    assert [f.name for f in fits] == ["farmed_000", "farmed_001"]

"""`footagefit train` as a person runs it, on a show of a few small sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import footagefit
from footagefit import cli
from small_training import SMALL

BASES = Path(footagefit.__file__).parent / "models" / "weights"


@pytest.fixture
def show(tmp_path, write_picture) -> Path:
    rng = np.random.default_rng(0)
    for scene in (1, 2, 3, 4):
        base = rng.random((4, 8, 3)).repeat(9, 0).repeat(8, 1)
        for take in (1, 2):
            folder = tmp_path / "dailies" / f"S{scene:02d}_T{take:02d}"
            folder.mkdir(parents=True)
            for frame in range(1001, 1013):
                pixels = base * (0.5 + 0.3 * take) + 0.01 * rng.random((36, 64, 3))
                name = f"S{scene:02d}_T{take:02d}.{frame}.exr"
                write_picture(folder / name, pixels.astype(np.float16))
    path = tmp_path / "film.yaml"
    path.write_text(
        "roots: [dailies]\nspace: ACEScg\nnames: ['S(?P<scene>\\d+)_T(?P<take>\\d+)']\n"
    )
    return path


def test_a_show_becomes_a_fit_and_a_run_goes_on(show, capsys):
    words = ["train", f"show={show}", "task=match", "trainer.max_steps=3", "init_from=none", *SMALL]
    assert cli.main(words) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "was never scanned: scanning first" in out
    assert "was never measured: measuring first" in out
    assert "from nothing" in out
    fits = show.parent / "film_work" / "fits"
    fit = footagefit.load_fit(fits / "match_v001")
    assert fit.card["steps"] == 3
    assert fit.recipe.model.settings == {"width": 8, "long_px": 64, "points": 64}
    assert len(fit.card["lineage"]["clips"]) >= 2
    assert fit.card["lineage"]["spaces"] == ["ACEScg"]
    assert all(clip["content"] for clip in fit.card["lineage"]["clips"])

    run = show.parent / "film_work" / "runs" / "match_v001"
    assert cli.main(["train", f"resume={run}", "trainer.rate=0.5"]) == 2
    assert "trainer.rate changed" in capsys.readouterr().err
    name = fit.card["lineage"]["clips"][0]["shot"]
    marked = ["shots", str(show), f"clip={name}", "approved_by=legal", "note=release 7"]
    assert cli.main(marked) == 0
    again = ["train", f"show={show}", "init_from=" + str(fits / "match_v001")]
    assert cli.main([*again, "trainer.max_steps=1", *SMALL]) == 0, capsys.readouterr().err
    assert "measuring first" not in capsys.readouterr().out
    child = footagefit.load_fit(fits / "match_v002")
    assert child.card["parent"]["hash"] == fit.hash
    clip = next(c for c in child.card["lineage"]["clips"] if c["shot"] == name)
    assert (clip["approved_by"], clip["reference"]) == ("legal", "release 7")
    card = (child.path / "CARD.md").read_text(encoding="utf-8")
    assert "| legal (release 7) |" in card
    assert "4 scenes of the procedural soundstage among them, seed 0." in card
    assert cli.main(["lineage", str(child.path)]) == 0
    assert "approved by legal (release 7)" in capsys.readouterr().out


def test_what_is_wrong_is_said_in_one_line(show, tmp_path, capsys):
    cases = [
        ([], "show is not set"),
        ([f"show={tmp_path / 'no.yaml'}"], "no such show"),
        ([f"show={show}", "task=mach"], "mach"),
        ([f"show={show}", "task.familys=[exposure]"], "familys"),
        ([f"show={show}", "trainer.max_steps=ten"], "Say trainer.max_steps=<a whole number>"),
        ([f"show={show}", "trainer.max_minutes=soon"], "Say trainer.max_minutes=<a number>"),
        ([f"show={show}", "trainer.rate=abc"], "trainer.rate: expected a number, got 'abc'"),
        ([f"show={show}", "trainer.max_minutes=-1"], "trainer.max_minutes: a run takes more than"),
        ([f"show={show}", "trainer.max_minutes=0"], "Say trainer.max_minutes=5"),
        ([f"show={show}", "trainer.max_steps=0"], "trainer.max_steps: a run takes more than"),
        ([f"show={show}", "tracking=wandbb"], "tracking: expected jsonl|wandb|tensorboard|all"),
        ([f"resume={tmp_path}"], "no run there"),
        ([f"show={show}", f"init_from={tmp_path}"], "missing or not JSON"),
        (
            [f"show={show}", f"init_from={BASES / 'relight_relight'}"],
            "task match is learnt by field",
        ),
        ([f"show={show}", f"keyframes={tmp_path / 'none'}"], "no before there"),
        ([f"show={show}", "trainer.max_minutes=3", "trainer.max_steps=9"], "one of them"),
        ([f"show={show}", "trainer.max_minutes=3", "trainer.max_steps=9"], "trainer=minutes"),
    ]
    for words, expected in cases:
        assert cli.main(["train", *words]) == 2, words
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert expected in err


@pytest.mark.parametrize(
    ("words", "length"),
    [
        (["trainer.max_minutes=3"], "3 minutes"),
        (["trainer=minutes"], "5 minutes"),
        (["trainer=minutes", "trainer.max_minutes=3"], "3 minutes"),
        (["trainer=minutes", "trainer.max_steps=9"], "9 steps"),
        (["trainer.max_minutes=null"], "1500 steps"),
        (["trainer.max_steps=null", "trainer.max_minutes=3"], "3 minutes"),
    ],
)
def test_a_length_that_is_said_puts_out_the_one_that_is_not(show, capsys, words, length):
    assert cli.main(["train", f"show={show}", "dry_run=true", *words]) == 0, capsys.readouterr().err
    assert f"match with field, {length}, from" in capsys.readouterr().out


def test_dry_run_writes_nothing(show, capsys):
    assert cli.main(["train", f"show={show}", "dry_run=true"]) == 0
    assert "match with field, 1500 steps" in capsys.readouterr().out
    assert not (show.parent / "film_work").exists()

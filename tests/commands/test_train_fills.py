"""`footagefit train` of clean-up and extension: on a show, and bases on the stage."""

from __future__ import annotations

import json

import pytest

import footagefit
from footagefit import cli
from small_film import small_film

TINY = (
    "task.size=[32,32]", "model.width=8", "model.steps=1", "trainer.max_steps=2",
    "trainer.batch_size=2", "trainer.workers=0", "trainer.val_windows=2", "trainer.threads=1",
    "trainer.accelerator=cpu", "trainer.warmup_steps=1", "init_from=none", "model=fill",
)  # fmt: skip


@pytest.mark.parametrize("task", ["cleanup", "extend"])
def test_a_show_becomes_a_fit_that_stands_among_fills(task, tmp_path, capsys):
    show = small_film(tmp_path)
    words = ["train", f"show={show}", f"task={task}", *TINY]
    assert cli.main(words) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "in held-out holes, dB" in out
    for way in ("telea", "navier-stokes", "nearest frame", "carried alone", "this fit"):
        assert f"  {way}" in out, way
    fit = footagefit.load_fit(tmp_path / "film_work" / "fits" / f"{task}_v001")
    assert fit.task.spec.name == task
    assert fit.card["standing"]["carried alone"]["psnr_db"] > 0
    assert (tmp_path / "film_work" / "runs" / f"{task}_v001" / "standing.png").is_file()


def test_a_base_is_taught_on_moving_takes(tmp_path, capsys):
    words = ["train", "experiment=base/fill", "stage_scenes=2", f"work={tmp_path / 'w'}", *TINY]
    assert cli.main(words) == 0, capsys.readouterr().err
    fit = footagefit.load_fit(tmp_path / "w" / "fits" / "fill")
    assert fit.card["lineage"]["stage"] == {
        "scenes": 2, "frames": 5, "size_px": [144, 216], "seed": 0,
    }  # fmt: skip
    assert "borders" in fit.recipe.task.settings["kinds"]
    card = json.loads((fit.path / "card.json").read_text(encoding="utf-8"))
    assert card["standing"]["this fit"].keys() == {"psnr_db", "psnr_log_db", "worst_gain_db"}

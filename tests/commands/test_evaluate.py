"""`evaluate`, `track`, `lineage`, `approve`, `who-used` as a person runs them, on a small show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from footagefit.cli import main
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import TRAIN, VAL
from footagefit.evaluation import results
from small_film import unscanned_film

SMALL = ["trainer.workers=0", "trainer.batch_size=2", "trainer.val_windows=2", "trainer.threads=1"]
SMALL += ["task.size=[32,64]", "task.codecs=[grain]", "model.width=8", "model.long_px=64"]
SMALL += ["model.points=64", "trainer.accelerator=cpu", "init_from=none", "trainer.max_steps=2"]


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A show with two fits: the second began from the first."""
    folder = tmp_path_factory.mktemp("film")
    show = unscanned_film(folder)
    first = ["train", f"show={show}", *SMALL, "group=sweep-1"]
    assert main(first) == 0
    again = [w for w in SMALL if not w.startswith("init_from")]
    assert main(["train", f"show={show}", *again,
                 f"init_from={folder}/film_work/fits/match_v001"]) == 0  # fmt: skip
    return show


@pytest.fixture
def fits(film) -> Path:
    return film.parent / "film_work" / "fits"


def shots(film: Path, side: str) -> list[str]:
    with Catalogue(film.parent / "film_work" / "catalogue.sqlite") as catalogue:
        return [s.name for s in catalogue.shots() if s.side == side]


def test_held_out_shots_are_judged_in_full_and_a_stopped_job_goes_on(film, fits, footagefit):
    words = ["evaluate", f"fit={fits}/match_v002", f"show={film}", "frames=2", "draws=1",
             f"against={fits}/match_v001"]  # fmt: skip
    code, out, err = footagefit(*words, "dry_run=true")
    assert code == 0, err
    assert "leak check: none of" in out
    reports = film.parent / "film_work" / "reports"
    assert not reports.exists()
    code, out, err = footagefit(*words)
    assert code == 0, err
    assert "gain of this fit" in out
    found = results.read(reports / "match_v002")
    assert [s.shot for s in found.shots] == shots(film, VAL)
    names = [m.name for m in found.methods]
    assert names[0] == "untouched"
    assert names[-2:] == ["against", "this fit"]
    assert {"histogram", "iterative-distribution", "keyframe grid", "oracle gain"} <= set(names)
    for shot in found.shots:
        assert shot.keyframe not in shot.frames
        assert len(shot.examples) == 2
        for name in names:
            assert {"psnr", "delta_e_itp", "flicker_stops", "warping_ratio"} <= set(
                shot.metrics[name]
            )
        assert shot.metrics["untouched"]["detail_kept"] == pytest.approx(1.0)
        for picture in shot.pictures:
            assert (reports / "match_v002" / picture.path).is_file()
    assert found.groups[0].metrics["this fit"]["psnr"].shots == len(found.shots)
    assert found.fit.curves["val/psnr"]
    before = (reports / "match_v002" / "evaluation.json").read_bytes()
    first = next((reports / "match_v002" / "shots").iterdir())
    first.unlink()
    code, out, _ = footagefit(*words)
    assert code == 0
    assert f"{len(found.shots) - 1} shots were judged already" in out
    after = json.loads((reports / "match_v002" / "evaluation.json").read_bytes())
    assert after["shots"] == json.loads(before)["shots"]


def test_the_card_tells_numbers_failures_and_what_it_was_trained_on(film, fits, footagefit):
    code, _, err = footagefit("evaluate", f"fit={fits}/match_v001", f"show={film}", "frames=1",
                              "draws=1")  # fmt: skip
    assert code == 0, err
    card = json.loads((fits / "match_v001" / "card.json").read_text())
    assert card["evaluation"]["shots"] == shots(film, VAL)
    mean, low, high = card["evaluation"]["metrics"]["this fit"]["psnr"]
    assert low <= mean <= high
    text = (fits / "match_v001" / "CARD.md").read_text()
    for heading in ("Intended use", "What it was trained on, and what not", "What it began from",
                    "Numbers", "Where it fails", "Consent and approvals"):  # fmt: skip
        assert f"## {heading}" in text
    for name in shots(film, TRAIN):
        assert name in text
    for failure in card["evaluation"]["failures"]:
        assert (fits / "match_v001" / failure["picture"]).is_file()
        assert failure["picture"] in text
    import footagefit as package

    package.load_fit(fits / "match_v001")


def test_a_fit_is_not_judged_on_what_it_was_trained_on(film, fits, footagefit):
    trained = shots(film, TRAIN)
    for fit in ("match_v001", "match_v002"):
        code, out, err = footagefit("evaluate", f"fit={fits}/{fit}", f"show={film}",
                                    f"shots={trained[0]}")  # fmt: skip
        assert code == 2
        assert not out
        assert f"shots to judge: {trained[0]}" in err
        assert err.count("\n") == 1
    code, _, err = footagefit("evaluate", f"fit={fits}/match_v001", f"show={film}", "shots=nope")
    assert code == 2
    assert "unknown shot 'nope'" in err


def test_track_lists_runs_and_fits(film, footagefit):
    code, out, _ = footagefit("track", str(film), "as=json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["match_v001"]["group"] == "sweep-1"
    assert rows["match_v002"]["from"] == "match_v001"
    assert rows["match_v001"]["steps"] == 2
    code, out, _ = footagefit("track", str(film), "by=psnr")
    assert code == 0
    assert "match_v002" in out


def test_lineage_and_who_used_answer_from_the_cards(film, fits, footagefit):
    name = shots(film, TRAIN)[0]
    code, out, _ = footagefit("lineage", f"{fits}/match_v002")
    assert code == 0
    assert "from match_v001" in out
    assert name in out
    code, out, _ = footagefit("who-used", f"clip={name}", f"show={film}")
    assert code == 0
    assert f"match_v001 learnt from {name}" in out
    assert "through match_v001, which it began from" in out
    code, out, _ = footagefit("who-used", f"clip={shots(film, VAL)[0]}", f"show={film}")
    assert "no fit in" in out
    code, _, err = footagefit("who-used", "clip=nothing", f"show={film}")
    assert code == 2
    assert "unknown clip" in err


def test_approvals_are_in_card_and_catalogue(film, fits, footagefit, tmp_path):
    code, _, err = footagefit("approve", f"fit={fits}/match_v001", "by=Kim", "note=reel 3")
    assert code == 0, err
    name = shots(film, TRAIN)[0]
    code, _, err = footagefit("approve", f"clip={name}", "by=legal", "note=release 112",
                              f"show={film}")  # fmt: skip
    assert code == 0, err
    plate = film.parent / "dailies" / "S01_T01" / "S01_T01.####.exr"
    rendered = tmp_path / "m.####.exr"
    code, _, err = footagefit("infer", f"fit={fits}/match_v001", f"plate={plate}",
                              f"reference={plate}", f"out={rendered}", "frames=1001",
                              "space=ACEScg", "reference_space=ACEScg")  # fmt: skip
    assert code == 0, err
    frame = tmp_path / "m.1001.exr"
    code, _, err = footagefit("approve", f"frame={frame}", "by=Kim")
    assert code == 0, err
    card = json.loads((fits / "match_v001" / "card.json").read_text())
    assert [(a["what"], a["by"]) for a in card["approvals"]] == [
        ("fit", "Kim"), ("clip", "legal"), ("frame", "Kim"),
    ]  # fmt: skip
    assert "release 112" in (fits / "match_v001" / "CARD.md").read_text()
    with Catalogue(film.parent / "film_work" / "catalogue.sqlite") as catalogue:
        rows = [tuple(r) for r in catalogue.rows("SELECT what, approved_by, note FROM approvals")]
        assert next(s for s in catalogue.shots() if s.name == name).approved_by == "legal"
    assert rows == [
        ("fit", "Kim", "reel 3"),
        ("clip", "legal", "release 112"),
        ("frame", "Kim", ""),
    ]
    shutil.copy(film.parent / "dailies" / "S01_T01" / "S01_T01.1002.exr", frame)
    code, _, err = footagefit("approve", f"frame={frame}", "by=Kim")
    assert code == 2
    assert "changed since it was rendered" in err
    code, _, err = footagefit("approve", "by=Kim")
    assert code == 2
    assert "one of them" in err

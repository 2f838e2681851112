"""`footagefit compare`, and decisions back into cards and catalogue, as a person runs them."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import pytest
from PIL import Image

from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import TRAIN, VAL
from footagefit.report.pictures import read
from small_film import small_film
from small_fit import small_fit


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A scanned show with two fits, that say what they learnt from."""
    show = small_film(tmp_path_factory.mktemp("film"))
    trained = shots(show, TRAIN)
    for number, zero in ((1, True), (2, False)):
        path = show.parent / "film_work" / "fits" / f"match_v{number:03d}"
        small_fit(path, zero=zero)
        card = json.loads((path / "card.json").read_text())
        clip = {"shot": trained[0], "clip": "../dailies/x", "frames": "1001-1010", "content": "e"}
        card["lineage"] = {"show": "film", "clips": [clip]}
        card["run"] = path.name
        (path / "card.json").write_text(json.dumps(card))
    return show


def shots(show: Path, side: str) -> list[str]:
    with Catalogue(show.parent / "film_work" / "catalogue.sqlite") as catalogue:
        return [s.name for s in catalogue.shots() if s.side == side]


def words(show: Path, out: Path, *names: str) -> list[str]:
    fits = show.parent / "film_work" / "fits"
    listed = ",".join(str(fits / n) for n in names or ("match_v001", "match_v002"))
    return ["compare", f"fits=[{listed}]", f"show={show}", f"out={out}", "frames=2",
            "long_side_px=64"]  # fmt: skip


@pytest.fixture(scope="module")
def report(film, tmp_path_factory) -> Path:
    """A report of both fits, made with sockets blocked."""
    from footagefit.cli import main

    out = tmp_path_factory.mktemp("out") / "report"

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "connect", refuse)
        patched.setattr(socket, "getaddrinfo", refuse)
        assert main(words(film, out)) == 0
    return out


def data_of(report: Path) -> dict:
    text = (report / "page" / "data.js").read_text()
    return json.loads(text.removeprefix("window.footagefit = { data: ").removesuffix(" };\n"))


def test_every_fit_is_seen_on_the_same_frames(film, report):
    data = data_of(report)
    assert [s["name"] for s in data["shots"]] == shots(film, VAL)
    assert [c["label"] for c in data["columns"]] == [
        "reference", "plate", "target", "match_v001", "match_v002",
    ]  # fmt: skip
    nothing, something = (c["key"] for c in data["columns"] if c["fit"])
    psnr = [m["name"] for m in data["metrics"]].index("psnr")
    for shot in data["shots"]:
        values = shot["values"]
        assert values[nothing][psnr] == pytest.approx(values["plate"][psnr], abs=0.02)
        assert values[something][psnr] != pytest.approx(values["plate"][psnr], abs=0.02)
        folder = report / shot["folder"]
        for key in shot["has"]:
            path = folder / f"{key}.{shot['still']}{shot['suffix']}"
            with Image.open(path) as picture:
                assert list(picture.size) == shot["size"] == [64, 36]
                assert not picture.getexif()
        for key in ("plate", "target", nothing, something):
            for frame in shot["frames"]:
                assert (folder / "loop" / f"{key}.{frame}.jpg").is_file()
    shot = data["shots"][0]
    stills = [read(report / shot["folder"] / f"{k}.{shot['still']}.jpg").astype(int)
              for k in ("plate", nothing, something)]  # fmt: skip
    assert abs(stills[0] - stills[1]).max() <= 2
    assert abs(stills[0] - stills[2]).max() > 2
    for path in report.rglob("*"):
        if path.is_file() and path.suffix in (".js", ".json", ".html"):
            assert str(film.parent) not in path.read_text(), path


def test_a_stopped_or_wider_report_judges_only_what_is_new(film, report, footagefit):
    before = {p: p.read_bytes() for p in report.rglob("*") if p.is_file()}
    gone = next((report / "judged").glob("fit_*/shots/*.json"))
    gone.unlink()
    code, out, err = footagefit(*words(film, report))
    assert code == 0, err
    total = 3 * len(shots(film, VAL))
    assert f"{total - 1} of {total} were judged already" in out
    assert "MB for the first view" in out
    assert {p: p.read_bytes() for p in report.rglob("*") if p.is_file()} == before


def test_a_narrower_report_keeps_what_was_judged_unless_told_otherwise(
    film, report, footagefit, tmp_path
):
    out = tmp_path / "report"
    shutil.copytree(report, out)
    code, said, err = footagefit(*words(film, out, "match_v001"))
    assert code == 0 and "prune=true removes them" in said, err
    code, said, err = footagefit(*words(film, out))
    assert code == 0 and "kept" not in said, err
    everything = int(re.search(r"(\d+) of (\d+) were judged already", said + err)[2])
    assert f"{everything} of {everything} were judged already" in said + err
    code, said, err = footagefit(*words(film, out, "match_v001"), "prune=true")
    assert code == 0 and "were removed" in said, err
    assert len(list((out / "judged").iterdir())) < len(list((report / "judged").iterdir()))


def test_what_cannot_be_compared_is_said_in_one_line(film, footagefit, tmp_path):
    fits = film.parent / "film_work" / "fits"

    def refused(*changed: str) -> str:
        code, _, err = footagefit(*changed)
        assert code == 2
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    out = tmp_path / "new"
    assert "no fit there" in refused(*words(film, out, "match_v009"))
    assert "the same weights" in refused(*words(film, out, "match_v001", "match_v001"))
    assert "fits is empty" in refused("compare", "fits=[]", f"show={film}")
    assert "fits is not set" in refused("compare", f"show={film}")
    assert "unknown shot 'nope'" in refused(*words(film, out), "shots=nope")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert "no report" in refused(*words(film, tmp_path / "mine"))
    trained = shots(film, TRAIN)[0]
    content = _content(film, trained)
    card = json.loads((fits / "match_v001" / "card.json").read_text())
    leaked = tmp_path / "leaked"
    small_fit(leaked)
    card["lineage"]["clips"][0]["content"] = content
    card["files"] = json.loads((leaked / "card.json").read_text())["files"]
    (leaked / "card.json").write_text(json.dumps(card))
    lines = refused("compare", f"fits=[{leaked}]", f"show={film}", f"shots={trained}", f"out={out}")
    assert "was trained on 1 of the shots to judge" in lines
    assert not out.exists()


def _content(film: Path, name: str) -> str:
    with Catalogue(film.parent / "film_work" / "catalogue.sqlite") as catalogue:
        shot = next(s for s in catalogue.shots() if s.name == name)
        return next(m.content for m in catalogue.media() if m.path == shot.primary.path)


def test_decisions_come_back_into_card_and_catalogue_once(film, report, footagefit, tmp_path):
    data = data_of(report)
    shot = data["shots"][0]
    fit = data["columns"][-1]
    day = {"at": "2026-01-02"}
    about = {"shot": shot["name"], "frame": shot["still"], "fit": fit["label"], **day}
    said = {
        "format": 1, "kind": "footagefit decisions", "report": data["id"], "show": data["show"],
        "by": "", "fits": {fit["label"]: fit["hash"]}, "picks": [about],
        "notes": [{**about, "text": "too warm | here"}, {**about, "fit": "", "text": "lovely"}],
        "approvals": [{"fit": fit["label"], "text": "reel 3", **day}],
    }  # fmt: skip
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps(said))
    run = ["approve", f"from={path}", f"show={film}"]
    code, _, err = footagefit(*run)
    assert code == 2
    assert "does not say who" in err
    for turn in range(2):
        code, out, err = footagefit(*run, "by=Kim")
        assert code == 0, err
        assert "1 pick, 2 notes, 1 approval by Kim" in out
        assert ("4 known already" in out) == bool(turn)
    folder = film.parent / "film_work" / "fits" / fit["label"]
    card = json.loads((folder / "card.json").read_text())
    assert [(a["what"], a["by"], a["note"]) for a in card["approvals"]] == [
        ("fit", "Kim", "reel 3")
    ]
    assert [(r["what"], r["shot"], r["note"]) for r in card["remarks"]] == [
        ("pick", shot["name"], ""),
        ("note", shot["name"], "too warm | here"),
    ]
    assert "too warm \\| here" in (folder / "CARD.md").read_text()
    with Catalogue(film.parent / "film_work" / "catalogue.sqlite") as catalogue:
        rows = catalogue.rows("SELECT what, shot, frame, fit, said_by, note FROM remarks")
        given = catalogue.rows("SELECT what, name, approved_by, note, at FROM approvals")
    first = shot["name"], shot["still"]
    assert [tuple(r) for r in rows] == [
        ("pick", *first, fit["label"], "Kim", ""),
        ("note", *first, fit["label"], "Kim", "too warm | here"),
        ("note", *first, "", "Kim", "lovely"),
    ]
    assert [tuple(r) for r in given] == [("fit", fit["label"], "Kim", "reel 3", "2026-01-02")]
    code, out, _ = footagefit("lineage", str(folder))
    assert "pick: " in out
    assert "too warm | here" in out
    strange = {**said, "fits": {fit["label"]: "0" * 64}}
    path.write_text(json.dumps(strange))
    code, _, err = footagefit(*run, "by=Kim")
    assert code == 2
    assert "is not among the fits" in err
    path.write_text(json.dumps({**said, "show": "another"}))
    code, _, err = footagefit(*run, "by=Kim")
    assert code == 2
    assert "is of the show 'another'" in err

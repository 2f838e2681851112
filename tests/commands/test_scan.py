"""`footagefit scan`: what it refuses, and what it says is missing."""

from __future__ import annotations

import pytest

from dailies_footage import shot, write_movie


@pytest.fixture
def show(tmp_path):
    """A show of one clip that does not say its colour space."""
    write_movie(tmp_path / "A001" / "12_T1_A.mov", shot(5, 8), tagged=False)

    def write(space: str):
        path = tmp_path / "show.yaml"
        path.write_text(f"name: test\nroots: [A001]\nwork: work\nspace: {space}\n")
        return path

    return write


def test_a_space_that_is_none_is_told_before_a_clip_is_read(footagefit, show, tmp_path):
    code, out, err = footagefit("scan", f"show={show('rec709')}", "workers=0")
    assert code == 2 and err.count("\n") == 1 and "g24_rec709" in err, err
    assert not (tmp_path / "work").exists() and not out


@pytest.mark.filterwarnings("always::footagefit.errors.FootagefitWarning")
def test_clips_that_do_not_say_their_space_are_counted(footagefit, show):
    code, _, err = footagefit("scan", f"show={show('null')}", "workers=0")
    assert code == 0 and "1 clips do not say their colour space" in err
    code, _, err = footagefit("scan", f"show={show('g24_rec709')}", "workers=0")
    assert code == 0 and not err, err


def test_workers_are_counted_from_none(footagefit, show):
    code, _, err = footagefit("scan", f"show={show('g24_rec709')}", "workers=-3")
    assert code == 2 and "workers=-3" in err


def test_what_is_written_of_an_unknown_space_is_what_scan_does(footagefit, show, tmp_path):
    show("null")
    code, out, err = footagefit("init", str(tmp_path / "A001"), f"out={tmp_path / 'guess.yaml'}")
    assert code == 0 and "g24_rec709" in out, err
    text = (tmp_path / "guess.yaml").read_text()
    assert "space: null" in text and "nothing is learnt of clips" in text and "refused" not in text


def test_a_folder_without_footage_is_refused_and_left_alone(footagefit, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    code, out, err = footagefit("scan", "show=empty")
    assert code == 2 and "empty: no footage below the roots" in err and not out
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_dailies_that_are_all_gone_are_said_to_be(footagefit, show, tmp_path):
    path = show("g24_rec709")
    assert footagefit("scan", f"show={path}", "workers=0")[0] == 0
    (tmp_path / "A001" / "12_T1_A.mov").unlink()
    code, out, err = footagefit("scan", f"show={path}", "workers=0")
    assert code == 0 and "1 gone" in out, err

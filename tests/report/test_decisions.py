"""Decisions as a report exports them: read whole, or refused in one line."""

from __future__ import annotations

import json

import pytest

from footagefit.report import decisions

SOUND = {
    "format": 1, "kind": "footagefit decisions", "report": "r", "show": "s", "by": " Kim ",
    "fits": {"match_v001": "abc"},
    "picks": [{"shot": "A", "frame": 1003, "fit": "match_v001", "at": "2026-01-02"}],
    "notes": [{"shot": "A", "frame": 1003, "fit": "", "text": "too\n  warm", "at": "2026-01-02"}],
    "approvals": [{"fit": "match_v001", "text": "reel 3", "at": "2026-01-02"}],
}  # fmt: skip


def test_everything_is_read(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps(SOUND))
    found = decisions.read(path)
    assert (found.show, found.by) == ("s", "Kim")
    pick, note, approval = found.items
    assert (pick.what, pick.shot, pick.frame, pick.content) == ("pick", "A", 1003, "abc")
    assert (note.text, note.content) == ("too warm", "")
    assert (approval.what, approval.frame, approval.text) == ("approval", None, "reel 3")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "else"}, "not a report's decisions"),
        ({"format": 9}, "format 9"),
        ({"fits": []}, "lists no fits"),
        ({"picks": {}}, "picks: expected a list"),
        ({"picks": [{"shot": "A", "frame": "x", "fit": "match_v001"}]}, "names no shot and frame"),
        ({"picks": [{"shot": "A", "frame": 1, "fit": "", "at": "2026-01-02"}]}, "names no fit"),
        ({"approvals": [{"fit": "other", "at": "2026-01-02"}]}, "'other', which is not listed"),
        ({"approvals": [{"fit": "match_v001", "at": "today"}]}, "says no day"),
        ({"notes": [{"shot": "A", "frame": 1, "text": "x" * 5000}]}, "not a text of a note's"),
        ({"notes": [3]}, "a note is no object"),
    ],
)
def test_what_is_not_sound_is_refused(tmp_path, change, said):
    path = tmp_path / "d.json"
    path.write_text(json.dumps({**SOUND, **change}))
    with pytest.raises(decisions.BrokenDecisions, match=said) as error:
        decisions.read(path)
    assert str(path) in str(error.value)


def test_a_missing_file_and_other_files_are_told(tmp_path):
    with pytest.raises(decisions.BrokenDecisions, match="no such file"):
        decisions.read(tmp_path / "none.json")
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(decisions.BrokenDecisions, match="not JSON"):
        decisions.read(tmp_path / "x")

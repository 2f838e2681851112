"""A scan shared out: every clip is of one share, and gathered it is what one scan would find."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dailies_footage import shot as made_shot
from dailies_footage import show_of, write_movie
from footagefit.commands.scan import scan as scan_verb
from footagefit.dailies.database import Catalogue
from footagefit.dailies.scan import scan_show
from footagefit.dailies.sharing import Share
from footagefit.dailies.show import Show
from footagefit.errors import FootagefitWarning, WrongValue


def dumped(show: Show) -> str:
    with Catalogue(show.catalogue) as catalogue:
        return catalogue.dump()


def test_a_clip_is_of_one_share_whatever_else_is_there() -> None:
    clips = [SimpleNamespace(path=f"../dailies/A{n:03d}.mov") for n in range(600)]
    whose = [[n for n in range(1, 6) if Share(n, 5).has(c)] for c in clips]  # pyright: ignore
    assert all(len(w) == 1 for w in whose)
    counts = [whose.count([n]) for n in range(1, 6)]
    assert min(counts) > 80


@pytest.mark.parametrize("said", ["0/3", "4/3", "3", "a/b", "1/0", "1/2/3", "-1/2"])
def test_what_is_no_share_is_told(said: str) -> None:
    with pytest.raises(WrongValue, match="3/20"):
        Share.said(said)
    assert Share.said(" 3/20 ") == Share(3, 20)


def test_shares_gathered_are_what_one_scan_finds(dailies: Path, tmp_path: Path) -> None:
    calm, shared = show_of(dailies, tmp_path / "calm"), show_of(dailies, tmp_path / "shared")
    scan_show(calm, workers=0)
    looked_at = 0
    for number in (1, 2, 3):
        done = scan_show(shared, workers=0, share=Share(number, 3))
        assert not shared.catalogue.exists()
        assert scan_show(shared, workers=0, share=Share(number, 3)).looked_at == 0
        looked_at += done.looked_at
    assert looked_at == 6
    done = scan_show(shared, workers=0)
    assert (done.looked_at, done.gathered, done.kept, done.bad) == (0, 6, 0, 1)
    assert dumped(shared) == dumped(calm)
    assert list((shared.work / "shares").iterdir()) == []
    done = scan_show(shared, workers=0, share=Share(1, 1))
    assert (done.looked_at, done.kept) == (0, 0)  # the show's own catalogue has them


def test_what_no_share_has_is_looked_at_by_the_last(dailies: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "roots"
    shutil.copytree(dailies, root)
    calm, shared = show_of(root, tmp_path / "calm"), show_of(root, tmp_path / "shared")
    share = next(s for s in (Share(1, 2), Share(2, 2)) if s.has(_found(root, shared)))
    others = scan_show(shared, workers=0, share=share).looked_at - 1
    write_movie(root / "A002/43_T1_A.mov", made_shot(9, 15))
    os.utime(root / "A002/43_T1_A.mov", (1, 1))
    done = scan_show(shared, workers=0)
    assert (done.looked_at, done.gathered) == (6 - others, others)
    scan_show(calm, workers=0)
    assert dumped(shared) == dumped(calm)


def _found(root: Path, show: Show) -> object:
    from footagefit.dailies.finding import find

    return next(i for i in find((root,), show.work) if i.file.name == "43_T1_A.mov")


def test_findings_made_otherwise_are_not_taken(dailies: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    show = show_of(dailies, tmp_path / "w")
    scan_show(show, workers=0, share=Share(1, 1))
    done = scan_show(replace(show, white_k=3200.0), workers=0)
    assert (done.looked_at, done.gathered) == (6, 0)


def test_a_share_that_is_still_written_is_kept(dailies: Path, tmp_path: Path) -> None:
    show = show_of(dailies, tmp_path / "w")
    share = Share(1, 1)
    scan_show(show, workers=0, share=share)
    with (
        Catalogue(share.file(show), write=True),
        pytest.warns(FootagefitWarning, match="another scan is writing"),
    ):
        assert scan_show(show, workers=0).gathered == 6
    assert share.file(show).exists()


def test_by_the_command(dailies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml = tmp_path / "show.yaml"
    yaml.write_text(f"roots: [{dailies}]\nwork: {tmp_path / 'w'}\nspace: g24_rec709\n")
    common = {"show": yaml, "workers": 0, "again": False, "detector": "builtin", "slates": "names"}
    for share in ("1/2", "2/2"):
        assert scan_verb(share=share, **common) == 0
    said = capsys.readouterr().out
    assert "next, when all 2 are done: footagefit scan" in said
    assert " slates=names" in said
    assert scan_verb(share=None, **common) == 0
    assert "0 clips looked at, 6 gathered from shares, 0 unchanged" in capsys.readouterr().out

"""`footagefit validate` as a person runs it: what would stop or spoil a run is told before it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dailies_footage import shot, write_movie
from footagefit import cli
from footagefit.commands import validate as verb
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import load_show
from footagefit.training import dry_step

SMALL = ["trainer.workers=1", "trainer.batch_size=2", "trainer.val_windows=3", "trainer.threads=1"]
SMALL += ["task.size=[32,64]", "task.codecs=[grain]", "model.width=8", "model.long_px=64"]
SMALL += ["model.points=64", "trainer.accelerator=cpu", "init_from=none"]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A show of four scenes, two takes each, scanned."""
    folder = tmp_path_factory.mktemp("validate")
    for scene in (1, 2, 3, 4):
        for take in (1, 2):
            name = f"{40 + scene}_T{take}_A"
            write_movie(folder / f"dailies/{name}.mov", shot(scene, 10, take=take))
    (folder / "film.yaml").write_text("roots: [dailies]\nspace: g24_rec709\nreview: [41_T1_A]\n")
    scan_show(load_show(folder / "film.yaml"), workers=0, detector="builtin")
    return folder


@pytest.fixture
def show(scanned: Path, tmp_path: Path) -> Path:
    """A copy of it, to spoil."""
    shutil.copytree(scanned, tmp_path / "show")
    return tmp_path / "show" / "film.yaml"


def validated(show: Path, *words: str) -> int:
    return cli.main(["validate", f"show={show}", *SMALL, *words])


def test_a_show_in_order_passes_and_a_step_is_weighed(show: Path, capsys) -> None:
    assert validated(show) == 0, capsys.readouterr()
    out = capsys.readouterr().out
    assert "no scene, take, file or duplicate is on both sides" in out
    assert "8 clips open and read" in out
    assert "1 review shots are there and read" in out
    assert "FAULT" not in out
    found = re.search(
        r"a step peaks at (\d+) MB in the trainer: ([\d.]+) MB .* beside ([\d.]+) MB of weights "
        r"\(([\d.]+) MB kept",
        out,
    )
    assert found, out
    peak, step, weights, kept = map(float, found.groups())
    assert 0 <= step < peak  # so small a model may find room in what was freed
    assert kept == pytest.approx(3 * weights, rel=0.1, abs=0.15)  # two moments and the average
    assert not (show.parent / "film_work" / "runs").exists()


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (-9, "", "a step does not fit into memory. Say trainer.accumulate=2"),
        (1, "torch.OutOfMemoryError: CUDA out of memory", "does not fit into memory"),
        (2, "no device of that kind.", "a step fails (no device of that kind)"),
    ],
)
def test_a_step_that_fails_is_a_fault(
    show: Path, monkeypatch: pytest.MonkeyPatch, capsys, code: int, said: str, expected: str
) -> None:
    def fails(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], code, stdout="", stderr=said)

    monkeypatch.setattr(dry_step.subprocess, "run", fails)
    assert validated(show, "read=false") == 2
    assert expected in capsys.readouterr().err


def test_every_fault_is_listed(
    show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    root = show.parent / "dailies"
    (root / "42_T1_A.mov").unlink()
    write_movie(root / "43_T1_A.mov", shot(9, 12))
    monkeypatch.setattr(verb, "find_spec", lambda name: None)
    none = tmp_path / "none"
    words = [f"init_from={none}", f"keyframes={none}", "tracking=tensorboard", "dry_steps=false"]
    assert validated(show, *words) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "5 faults would stop or spoil the run" in err
    for expected in (
        "42_T1_A.mov: the clip has vanished",
        "43_T1_A.mov: changed since the scan",
        "tensorboard is not installed",
        "no fit there",
        "no before there",
    ):
        assert expected in out, out


def test_a_review_shot_that_was_withdrawn_is_a_fault(show: Path, capsys) -> None:
    assert cli.main(["shots", f"show={show}", "clip=41_T1_A", "train=no"]) == 0
    assert validated(show, "read=false", "dry_steps=false") == 2
    assert "unknown review shot '41_T1_A'" in capsys.readouterr().err


def test_a_show_never_scanned_is_told_so(tmp_path: Path, capsys) -> None:
    write_movie(tmp_path / "dailies/41_T1_A.mov", shot(1, 8))
    (tmp_path / "film.yaml").write_text("roots: [dailies]\nspace: g24_rec709\n")
    assert validated(tmp_path / "film.yaml", "dry_steps=false") == 2
    assert "no catalogue yet" in capsys.readouterr().err

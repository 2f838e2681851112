"""The wheel, installed away from the checkout, does what the checkout does."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    place = folder / "place"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(place), str(wheel)], check=True, capture_output=True)
    return place


def run(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    place = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, str(installed / "bin" / "footagefit"), *words]
    return subprocess.run(
        command, cwd=cwd, env=place, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_wheel_is_whole_and_small(installed: Path) -> None:
    (wheel,) = installed.parent.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert any(n.endswith("configs/train.yaml") for n in names)
    assert any(n.endswith(".safetensors") for n in names)
    there = {n.rpartition("/")[2] for n in names if n.startswith("footagefit/report/assets/")}
    assert there == {p.name for p in (ROOT / "src/footagefit/report/assets").iterdir()}
    assert not any(n.startswith(("tests/", "benchmarks/")) for n in names)
    assert wheel.stat().st_size < 40 * 2**20


def test_doctor_works_from_another_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout


def test_a_verb_runs_on_the_wheels_own_configs(
    installed: Path, tmp_path: Path, write_picture, noise
) -> None:
    (tmp_path / "in").mkdir()
    for number in (1001, 1002):
        write_picture(tmp_path / "in" / f"a.{number}.exr", noise(20, 30, seed=number))
    words = ("convert", "in=in/a.####.exr", "out=out/b.####.exr", "space=ACEScg")
    done = run(installed, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").glob("*.exr")) == ["b.1001.exr", "b.1002.exr"]
    listed = run(installed, "convert", *words[1:], "outputs=x", cwd=tmp_path)
    assert listed.returncode == 2 and "output" in listed.stderr

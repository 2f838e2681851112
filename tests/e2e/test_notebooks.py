"""The notebooks run from top to bottom on a small staged show, and hold no outputs as they lie."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
PICTURES = {"01_signature": 2, "02_relight_and_match": 7, "03_compare_checkpoints": 3}  # at least


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """One show for all of them: the first stages it, the others go on with it."""
    return tmp_path_factory.mktemp("demo")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_stored_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    told = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert len(told) >= len(code) // 2, "it is narrated"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_from_top_to_bottom(path, demo, tmp_path):
    mine = Path(shutil.copy(path, tmp_path))
    small = {"FOOTAGEFIT_DEMO": str(demo), "FOOTAGEFIT_DEMO_PRESET": "brief",
             "FOOTAGEFIT_NOTEBOOK_STEPS": "6"}  # fmt: skip
    run = "from nbclient.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", run, "--inplace", "--kernel_name=python3", str(mine)],
        env={**os.environ, **small}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    outputs = [
        output
        for cell in json.loads(mine.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    ]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    shown = [kind for kind in kinds if kind in ("image/png", "image/jpeg")]
    assert len(shown) >= PICTURES[path.stem]
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == list(PICTURES)

"""The benchmarks run: a smoke run of each that is quick enough, and what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {"metric", "unit", "ours", "baselines", "target", "holds"}


@pytest.mark.parametrize(
    "name",
    [
        "footage",
        "soundstage",
        "train",
        "export",
        "compare",
        "signature",
        "report",
        "ball",
        "catalogue",
        "diffusion",
        "fill",
    ],
)
def test_a_smoke_run_writes_rows(name: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--quick", "--json"]
    done = subprocess.run(
        [*command, str(rows)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(rows.read_text(encoding="utf-8"))
    assert written and all(set(row) == KEYS for row in written)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.json"]

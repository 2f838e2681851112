"""The house's rule: imports run downward only, and none between folders of one line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "footagefit"
LINES = [
    {"commands", "cli"},
    {"training", "export"},
    {"evaluation"},
    {"rendering"},
    {"tasks", "models", "catalogue"},
    {"dailies", "soundstage"},
    {"motion"},
    {"signature"},
    {"footage", "report"},
    {"records", "errors", "config", "torchvision_ops", "small_nets", "verbs"},
]
RANK = {room: rank for rank, rooms in enumerate(reversed(LINES)) for room in rooms}
FREE_AMONG_THEMSELVES = {
    "records", "errors", "config", "torchvision_ops", "small_nets", "commands", "cli",
}  # fmt: skip


def imports(path: Path) -> list[str]:
    """Rooms that a module imports, anywhere in it."""
    rooms = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        rooms += [n.split(".")[1] for n in names if n.startswith("footagefit.")]
    return rooms


def breaches(room: str, used: list[str]) -> list[str]:
    """Imports that run up or sideways."""
    wrong = []
    for other in used:
        if other == room or other not in RANK:
            continue
        sideways = RANK[other] == RANK[room] and not {room, other} <= FREE_AMONG_THEMSELVES
        if RANK[other] > RANK[room] or sideways:
            wrong.append(other)
    return wrong


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(SOURCE.rglob("*.py")) if p != SOURCE / "__init__.py"],
    ids=lambda p: str(p.relative_to(SOURCE)),
)
def test_imports_run_downward(path):
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert room in RANK, f"{room} has no place in the house; see CONTRIBUTING.md"
    assert not breaches(room, imports(path))


def test_the_rule_can_fail():
    assert breaches("footage", ["commands"]) == ["commands"]
    assert breaches("tasks", ["models"]) == ["models"]
    assert not breaches("commands", ["footage", "errors"])


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from footagefit.cli import main;"
        "main(['--help']); main(['convert', '--help']);"
        "heavy = {'torch', 'numpy', 'hydra', 'omegaconf', 'av', 'OpenImageIO', 'rich', 'cv2'};"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

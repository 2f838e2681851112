"""A show on disk, once for all tests of the room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dailies_footage import card, shot, write_movie


@pytest.fixture(scope="session")
def dailies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of dailies: three scenes, two set-ups of one, takes, a slate, a cut-off file."""
    root = tmp_path_factory.mktemp("dailies")
    slated = np.concatenate([card(10), shot(1, 30, take=1)])
    write_movie(root / "A001/42A_T1_A.mov", slated, timecode="01:00:00:00")
    write_movie(root / "A001/42A_T2_A.mov", shot(1, 26, take=2, gain=0.7), timecode="01:01:00:00")
    write_movie(root / "A001/42B_T1_A.mov", shot(2, 20), timecode="01:02:00:00")
    write_movie(root / "A002/43_T1_A.mov", shot(3, 24), timecode="02:00:00:00")
    write_movie(root / "A002/44_T1_A.mov", shot(4, 24), timecode="03:00:00:00")
    whole = (root / "A002/44_T1_A.mov").read_bytes()
    (root / "A002/44_T2_A.mov").write_bytes(whole[: len(whole) // 2])
    (root / "A002/notes.txt").write_text("not footage")
    return root

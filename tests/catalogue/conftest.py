"""A small scanned show, once for all tests of the room: takes of one set-up, some of them off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dailies_footage import shot, show_of, write_movie
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show

GREY = 0.18


def graded(
    frames_THWC: np.ndarray,
    *,
    ev: float = 0.0,
    contrast: float = 1.0,
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Frames as a camera set otherwise would have recorded them: in light, then back to codes."""
    light = (frames_THWC.astype(np.float64) / 255.0) ** 2.4 * np.array(gains) * 2.0**ev
    light = GREY * (light / GREY) ** contrast
    return (light.clip(0, 1) ** (1 / 2.4) * 255.0 + 0.5).astype(np.uint8)


@pytest.fixture(scope="session")
def made_show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    """Scene 12: a circled take, a clean one, one stop under, one contrasty; scene 13 alone."""
    root = tmp_path_factory.mktemp("continuity")
    takes = {
        "12_T1_A": shot(5, 16, take=1, gain=0.7, actor=0.6),
        "12_T2_A": shot(5, 16, take=2, gain=0.7, actor=0.6),
        "12_T3_A": graded(shot(5, 16, take=3, gain=0.7, actor=0.6), ev=-0.8),
        "12_T4_A": graded(shot(5, 16, take=4, gain=0.7, actor=0.6), contrast=1.3),
        "13_T1_A": graded(shot(9, 16), ev=-1.0),
    }
    for name, frames in takes.items():
        write_movie(root / "A001" / f"{name}.mov", frames, crf=6)
    show = show_of(root / "A001", root / "work")
    scan_show(show, workers=0)
    return show


@pytest.fixture
def show_yaml(made_show: Show, tmp_path: Path) -> Callable[[], Path]:
    """The same show as a person names it."""

    def write() -> Path:
        path = tmp_path / "show.yaml"
        path.write_text(
            f"name: test\nroots: ['{made_show.roots[0]}']\nwork: '{made_show.work}'\n"
            "space: g24_rec709\n"
        )
        return path

    return write

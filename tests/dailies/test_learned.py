"""The learned detector's word as changes, ours beside it, and what is said where it is missing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dailies_footage import shot, show_of, write_movie
from footagefit.dailies import learned
from footagefit.dailies.cuts import Change
from footagefit.dailies.entries import DISSOLVE, SHOT
from footagefit.dailies.examine import Settings, examine
from footagefit.dailies.finding import find
from footagefit.dailies.scan import scan_show
from footagefit.errors import MissingPart


class Network:
    """Says what it was told to say of each frame."""

    def __init__(self, last: dict[int, float], part: dict[int, float]) -> None:
        self.last, self.part = last, part

    def predict_frames(
        self, frames: torch.Tensor, *, quiet: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        assert quiet and frames.dtype == torch.uint8 and frames.shape[1:] == (27, 48, 3)
        told = torch.zeros(2, len(frames))
        for row, said in zip(told, (self.last, self.part), strict=True):
            for frame, value in said.items():
                row[frame] = value
        return told[0], told[1]


def test_single_frames_are_cuts_and_longer_runs_dissolves(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = dict.fromkeys(range(40, 52), 0.9)
    network = Network({19: 0.8, 45: 0.7, 70: 0.3}, {19: 0.6, 80: 0.9, **parts})
    monkeypatch.setattr(learned, "_network", lambda: network)
    found = learned.find_changes(np.zeros((100, 27, 48, 3), np.uint8))
    assert [(c.kind, c.start, c.at) for c in found] == [("cut", 20, 20), (DISSOLVE, 41, 52)]
    assert [c.score for c in found] == pytest.approx([0.8, 0.7])
    assert learned.find_changes(np.zeros((2, 27, 48, 3), np.uint8)) == []


def test_what_it_misses_is_found_and_nothing_is_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = np.concatenate([shot(1, 20), shot(2, 16), shot(3, 20)])
    write_movie(tmp_path / "rough.mov", film)
    (item,) = find((tmp_path,), tmp_path / "work")
    settings = Settings("g24_rec709", Fraction(24), learned=True)
    for told in (
        [Change("cut", 20, 20, 0.9)],
        [Change("cut", 20, 20, 0.9), Change("cut", 36, 36, 0.9)],
    ):
        network = Network({c.at - 1: c.score for c in told}, {})
        monkeypatch.setattr(learned, "_network", lambda network=network: network)
        parts = examine(item, "", settings, threads=1).medium.parts
        assert [(p.kind, p.first, p.last) for p in parts] == [
            (SHOT, 1, 20),
            (SHOT, 21, 36),
            (SHOT, 37, 56),
        ]


def test_asked_for_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "installed", lambda: False)
    with pytest.raises(MissingPart, match="not installed"):
        scan_show(show_of(tmp_path, tmp_path / "work"), detector="learned")

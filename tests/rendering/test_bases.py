"""Bases that ship: small, whole, with a card, and better than doing nothing."""

from pathlib import Path

import pytest
import torch

import footagefit
from footagefit.evaluation.metrics import psnr_log
from footagefit.rendering.fits import load_fit
from footagefit.tasks.base import PlainWindow
from footagefit.tasks.draws import generator

FOLDER = Path(footagefit.__file__).parent / "models" / "weights"
BASES = sorted(path.parent for path in FOLDER.glob("*/card.json"))
LARGEST_BYTES = 12_000_000


@pytest.mark.parametrize("path", BASES, ids=lambda p: p.name)
def test_a_base_is_small_and_says_what_it_was_taught_on(path):
    fit = load_fit(path)
    assert sum(p.stat().st_size for p in path.iterdir()) <= LARGEST_BYTES
    assert fit.card["lineage"]["stage"]["scenes"] > 0
    assert fit.card["steps"] > 0
    assert fit.card["metrics"]["val/psnr"] > fit.card["metrics"]["val/psnr_plate"]


def test_the_match_base_undoes_an_exposure_and_a_balance():
    fit = load_fit(FOLDER / "match_field")
    gains = []
    for seed in range(6):
        rng = generator(seed)
        coarse = torch.rand(1, 3, 9, 16, generator=rng) ** 2 + 0.02
        frame = torch.nn.functional.interpolate(coarse, size=(108, 192), mode="bicubic")
        frame = frame.clamp_min(0.01)
        gain = 2.0 ** (torch.rand(1, 3, 1, 1, generator=rng) - 1.4)
        given = fit.task.given(PlainWindow(frame * gain, frame.flip(3)), {})
        with torch.no_grad():
            made = fit.model.predict(given)
        gains.append(float(psnr_log(made, frame)) - float(psnr_log(frame * gain, frame)))
    assert sum(gains) / len(gains) > 3.0

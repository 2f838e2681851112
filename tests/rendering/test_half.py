"""Looks decided in half precision: as good as the same picture, and told where they are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import footagefit
from footagefit.errors import FootagefitWarning
from footagefit.models.field import FieldModel
from footagefit.rendering import fields
from rendering_helpers import stored


@pytest.fixture
def rendered(tmp_path, shot, fit, monkeypatch):
    plate, hero = shot(), shot("hero", range(1, 3), seed=5)
    seen: list[bool] = []
    look = FieldModel.look

    def spied(self, given_small):
        seen.append(torch.is_autocast_enabled("cpu"))
        return look(self, given_small)

    monkeypatch.setattr(FieldModel, "look", spied)

    def make(name: str, **asked) -> list[np.ndarray]:
        seen.clear()
        out = tmp_path / name / "m.####.exr"
        footagefit.render(plate, fit=fit, reference=hero, out=out, **asked)
        return [stored(path)[0] for path in sorted(out.parent.glob("m.*.exr"))]

    return make, seen


def test_half_precision_is_used_and_not_seen(rendered):
    make, seen = rendered
    whole = make("whole")
    assert not any(seen)
    half = make("half", half=True)
    assert seen[-1] and any(seen[:-1])
    off = [np.abs(np.log2(np.maximum(a, 0) + 2**-8) - np.log2(np.maximum(b, 0) + 2**-8)).max()
           for a, b in zip(whole, half, strict=True)]  # fmt: skip
    assert 0.0 < max(off) < 2 * fields._HALF_EV


def test_where_it_would_be_seen_float32_goes_on_and_says_so(rendered, monkeypatch):
    make, _ = rendered
    whole = make("whole")
    monkeypatch.setattr(fields, "_HALF_EV", 0.0)
    with pytest.warns(
        FootagefitWarning, match=r"half precision would change the picture by .* stops"
    ):
        half = make("half", half=True)
    assert all(np.array_equal(a, b) for a, b in zip(whole, half, strict=True))

"""What a set-up's light is taken from: a chart first, then the estimator, where it is sure."""

import numpy as np
import pytest

from footagefit.records import Light
from footagefit.signature import measuring
from footagefit.signature.light import LightEstimate
from footagefit.signature.measuring import Run, SetupSeen
from footagefit.signature.record import MeasuredLight

LIGHT = Light(
    azimuth_deg=40.0, elevation_deg=20.0, softness_deg=9.0, key_ev=1.0, key_k=4300.0,
    key_tint_duv=0.0, fill_ev=-1.0, fill_k=5600.0, fill_tint_duv=0.0,
)  # fmt: skip
WAY = (0.604, 0.342, 0.72)


@pytest.fixture
def frames() -> Run:
    rng = np.random.default_rng(0)
    return Run([rng.random((48, 64, 3), dtype=np.float32) for _ in range(2)], [None, None])


@pytest.mark.parametrize(("sure", "told"), [(0.97, True), (0.4, False)])
def test_the_estimator_speaks_where_it_is_sure(frames, monkeypatch, sure, told):
    asked = []

    def estimate(frames_TCHW):
        asked.append(tuple(frames_TCHW.shape))
        return [LightEstimate(LIGHT, sure, 10.0, WAY)]

    monkeypatch.setattr(measuring, "estimate", estimate)
    seen = SetupSeen("32 mm", "proxy")
    seen.add(frames, shot="12A_T1")
    look = seen.look()
    assert asked == [(1, 3, 48, 64)] * 2
    assert (look.light is not None) == told
    if look.light is not None:
        assert look.light.source == "estimate"
        assert look.light.light.key_k == 4300.0
        assert 0.75 <= look.light.confidence <= 1.0
    else:
        assert any("not sure" in remark for remark in look.remarks)


def test_a_chart_is_believed_first(frames, monkeypatch):
    sure = LightEstimate(LIGHT, 0.99, 5.0, WAY)
    monkeypatch.setattr(measuring, "estimate", lambda frames_TCHW: [sure])
    seen = SetupSeen("32 mm", "proxy")
    seen.add(frames, shot="12A_T1")
    seen.light = MeasuredLight(Light(key_k=3200.0), 1.0, "chart")
    found = seen.look().light
    assert found is not None and found.source == "chart"


def test_the_more_frames_of_a_lens_the_fewer_are_looked_at_for_edges(monkeypatch):
    looked = list(measuring.looks_closely(1000))
    assert all(looked[:48])
    assert sum(looked) == 194
    assert sum(looked[:500]) > 2 * sum(looked[500:])
    assert any(looked[-100:])  # what comes late is heard, too
    seen, asked = measuring.LensSeen("32 mm", (32, 48)), []
    monkeypatch.setattr(seen, "_add_edges", lambda frame, luma: asked.append(len(asked)))
    frame = np.full((32, 48, 3), 0.2, np.float32)
    for _ in range(60):
        seen.add(Run([frame]))
    lens = seen.lens()
    assert (lens.frames, lens.closely) == (60, len(asked)) == (60, sum(looked[:60]))

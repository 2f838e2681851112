"""Intervals, regressions, leaks: small made-up shots where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dailies_footage import shot_of
from footagefit.dailies.entries import Medium
from footagefit.evaluation import intervals, leaks
from footagefit.evaluation.measured import METRICS
from footagefit.evaluation.results import Example, Picture, ShotResult, from_plain, write

PSNR = METRICS[0]
FLICKER = next(m for m in METRICS if m.name == "flicker_stops")


def judged(name: str, fit: float, other: float, flicker: float = 0.1) -> ShotResult:
    metrics = {
        "this fit": {"psnr": fit, "flicker_stops": flicker},
        "against": {"psnr": other, "flicker_stops": 0.1},
    }
    example = Example(0, 1001, ("mate", 7), metrics)
    picture = Picture("plate", 1001, 0, "middle", "pictures/a.png")
    return ShotResult(name, name[:2], name, "1", f"{name}.mov", "h", (1001, 1002), 1000, metrics,
                      (example,), (picture,))  # fmt: skip


def test_interval_agrees_with_the_normal_one_where_that_holds():
    values = np.random.default_rng(3).normal(30.0, 2.0, 400)
    found = intervals.interval(values.tolist())
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert intervals.interval([3.0]).low == 3.0
    assert found == intervals.interval(values.tolist())


def test_gains_are_paired_and_point_the_right_way():
    shots = [judged(f"{i:02d}A", 20.0 + i, 19.0 + i, flicker=0.05) for i in range(8)]
    found = {g.metric: g.gain for g in intervals.gains(shots, fit="this fit",
                                                       metrics=[PSNR, FLICKER])}  # fmt: skip
    assert (found["psnr"].low, found["psnr"].high) == (1.0, 1.0)  # though shots differ by 7 dB
    assert found["flicker_stops"].mean == pytest.approx(0.05)


def test_regressions_come_worst_first():
    shots = [judged("01A", 20, 21), judged("02A", 25, 20), judged("03A", 18, 22, flicker=0.3)]
    found = intervals.regressions(shots, fit="this fit", against="against",
                                  metrics=[PSNR, FLICKER])  # fmt: skip
    assert [(r.shot, r.metric) for r in found] == [
        ("03A", "psnr"), ("01A", "psnr"), ("03A", "flicker_stops"),
    ]  # fmt: skip
    assert found[0].worse_by == 4.0


def test_groups_by_scene_and_setup():
    found = intervals.groups([judged("01A", 20, 21), judged("01B", 22, 20), judged("02A", 30, 1)])
    assert [(g.kind, g.name, len(g.shots)) for g in found][:3] == [
        ("all", "all", 3), ("scene", "01", 2), ("scene", "02", 1),
    ]  # fmt: skip
    assert found[1].metrics["this fit"]["psnr"].mean == 21.0


def test_records_survive_json(tmp_path):
    import json

    one = judged("01A", 20, 21)
    raw = json.loads(write(one, tmp_path / "one.json").read_text())
    assert from_plain(ShotResult, raw) == one


def lineage(*clips: tuple[str, str, str]) -> dict:
    return {"show": "film", "clips": [
        {"shot": s, "clip": f"{s}.mov", "frames": f, "content": c} for s, f, c in clips
    ]}  # fmt: skip


def test_leaks_are_found_by_content_frames_and_duplicates():
    shots = [shot_of("1A"), shot_of("1B"), shot_of("2A", family="1A_T1"), shot_of("3A")]
    media = [Medium(path=s.primary.path, content=f"hash {s.name}") for s in shots]
    known = {"everything": shots, "media": media}
    assert leaks.trained_on(lineage(("x", "1-20", "other")), shots, **known) == []
    found = leaks.trained_on(lineage(("renamed", "1-20", "hash 1A_T1")), shots, **known)
    assert found == ["1A_T1", "2A_T1"]  # the shot itself, and its near-duplicate
    apart = leaks.trained_on(lineage(("other part", "50-90", "hash 1B_T1")), shots, **known)
    assert apart == []


def test_a_leak_is_refused_naming_the_shots(tmp_path):
    shots = [shot_of("1A"), shot_of("1B")]
    media = [Medium(path=s.primary.path, content=f"hash {s.name}") for s in shots]
    card = {"lineage": lineage(("1B_T1", "1-20", "hash 1B_T1")), "parent": None}
    with pytest.raises(leaks.LeakedFit, match=r"trained on 1 of the shots to judge: 1B_T1"):
        leaks.check(tmp_path, card, shots, everything=shots, media=media, fits=None)
    clean = [replace(shots[0])]
    line = leaks.check(tmp_path, card, clean, everything=shots, media=media, fits=None)
    assert line == "none of 1 judged shots is among 1 clips trained on"
    line = leaks.check(tmp_path, {"lineage": {}, "parent": {"fit": "gone", "hash": "x"}}, clean,
                       everything=shots, media=media, fits=None)  # fmt: skip
    assert "lineage not known of: the fit itself, gone" in line

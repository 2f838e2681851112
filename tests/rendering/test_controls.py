"""Controls as people give them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from footagefit.errors import UnknownName, UsageError, WrongValue
from footagefit.rendering.controls import Track, animation, wedge_values
from footagefit.tasks.base import Control, TaskSpec

SPEC = TaskSpec(
    name="relight",
    guide=(),
    vector=(),
    controls={
        "strength": Control("", 0.0, 1.0, 1.0, "how much"),
        "light.azimuth_deg": Control("deg", -180.0, 180.0, None, "where from"),
    },
    models=("field",),
    references=0,
)


@pytest.mark.parametrize(
    "asked",
    ["{1001:10,1050:40}", "1001:10,1050:40", {1001: 10, 1050: 40}, {"1001": "10", 1050: 40.0}],
)
def test_keyframes_in_every_spelling(asked):
    made = animation(SPEC, {"light.azimuth_deg": asked})
    assert made.at(1001) == {"light.azimuth_deg": 10.0}
    assert made.at(900) == {"light.azimuth_deg": 10.0}
    assert made.at(1050) == made.at(2000) == {"light.azimuth_deg": 40.0}
    assert 10 < made.at(1020)["light.azimuth_deg"] < 40
    assert made.moves


def test_how_much_to_follow_is_no_reason_to_look_again():
    made = animation(SPEC, {"strength": "1:0,9:1", "light.azimuth_deg": "5"})
    assert not made.moves
    assert made.amounts_at(1).strength == 0.0
    assert made.amounts_at(9).strength == 1.0
    assert made.at(3) == {"light.azimuth_deg": 5.0}
    assert made.plain(amounts=False) == {"light.azimuth_deg": 5.0}
    assert animation(SPEC, {}).amounts_at(4).strength == 1.0


@given(st.dictionaries(st.integers(1, 60), st.floats(-180, 180), min_size=2, max_size=6))
@example({1: 0.0, 2: 0.0, 4: 2.2250738585072014e-308})  # the inverse of its slope is past a float
def test_between_keys_nothing_overshoots(keys):
    track = Track(tuple(sorted(keys.items())))
    for (a, low), (b, high) in zip(track.keys[:-1], track.keys[1:], strict=True):
        for frame in range(a, b + 1):
            assert min(low, high) - 1e-6 <= track.at(frame) <= max(low, high) + 1e-6


def test_files_of_keyframes(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"strength": {"1": 0, "5": 1}, "light.azimuth_deg": 20}))
    made = animation(SPEC, {"light.azimuth_deg": 30}, keyframes=path)
    assert made.amounts_at(5).strength == 1.0
    assert made.at(1) == {"light.azimuth_deg": 30.0}, "the command line wins"
    table = tmp_path / "keys.csv"
    table.write_text("frame, strength, light.azimuth_deg\n1, 0, \n5, 1, 40\n")
    made = animation(SPEC, {}, keyframes=table)
    assert made.amounts_at(1).strength == 0.0
    assert made.at(1) == {"light.azimuth_deg": 40.0}


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ({"light.azimut_deg": 3}, UnknownName, r"light.azimuth_deg \(-180..180 deg\)"),
        ({"strength": 3}, WrongValue, r"3 is outside strength \(0..1\)"),
        ({"strength": "1:0.5,7:1.5"}, WrongValue, "1.5 at frame 7"),
        ({"strength": "lots"}, WrongValue, "'lots' is not a number"),
        ({"strength": "nan"}, WrongValue, "not a number"),
        ({"strength": "{1:2:3}"}, WrongValue, "no keyframe"),
        ({"strength": {}}, WrongValue, "no keyframes"),
    ],
)
def test_what_is_wrong_is_said(asked, error, text):
    with pytest.raises(error, match=text):
        animation(SPEC, asked)


def test_files_that_are_not_keyframes(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        animation(SPEC, {}, keyframes=tmp_path / "none.json")
    for name, text in (("a.json", "[1, 2]"), ("b.json", "{"), ("c.csv", "strength\n1\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match="not keyframes"):
            animation(SPEC, {}, keyframes=tmp_path / name)


def test_wedges():
    assert wedge_values("light.azimuth_deg=-60:60:30") == (
        "light.azimuth_deg",
        [-60, -30, 0, 30, 60],
    )
    assert wedge_values("strength=0:1:0.25")[1] == [0, 0.25, 0.5, 0.75, 1]
    for text in ("strength", "strength=1", "strength=0:1:0", "=0:1:1", "strength=0:1:0.001"):
        with pytest.raises(WrongValue, match="wedge"):
            wedge_values(text)


def test_a_word_that_is_none_of_the_choices_names_them():
    mode = Control("", 0, 1, 0, "replace the key, or add one", choices=("replace", "add"))
    spec = replace(SPEC, controls={**SPEC.controls, "light.mode": mode})
    assert animation(spec, {"light.mode": "add"}).at(1) == {"light.mode": 1.0}
    with pytest.raises(UnknownName, match=r"'ad'; known: add, replace\. Say light\.mode=replace"):
        animation(spec, {"light.mode": "ad"})


def test_a_name_that_is_not_known_is_told_the_nearest_and_the_controls_alone():
    others = ["extend.right", "temporal", "local", "output.depth"]
    with pytest.raises(UnknownName, match=r"known: strength \(0\.\.1\), light") as told:
        animation(SPEC, {"strenght": 1}, also_known=others)
    assert not any(name in str(told.value) for name in others)
    with pytest.raises(UnknownName, match="known: temporal, strength"):
        animation(SPEC, {"tempral": 1}, also_known=others)

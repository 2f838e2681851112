"""Queries as people type them, and what shots are called."""

from __future__ import annotations

import pytest

from dailies_footage import shot_of
from footagefit.catalogue.logged import of_fields
from footagefit.catalogue.measures import Measures
from footagefit.catalogue.words import parsed, tags_of, text_of
from footagefit.errors import UnknownName, UsageError


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("sc 42 close-up night key left", ("sc42", "closeup", "night", "key_left")),
        ("Scene 042A Take 03", ("sc42a", "tk3")),
        ("cam b EXT soft-focus", ("camb", "ext", "soft_focus")),
        ("café rain rain", ("café", "rain")),
    ],
)
def test_words_of_a_query(typed, words):
    assert parsed(typed).words == words


def test_bounds_of_a_query():
    query = parsed("night ev>1 kelvin<=4000.5 azimuth<-20")
    assert query.words == ("night",)
    assert query.bounds == (
        ("exposure_ev", ">", 1.0),
        ("white_k", "<=", 4000.5),
        ("key_azimuth_deg", "<", -20.0),
    )


def test_what_cannot_be_asked_is_answered():
    with pytest.raises(UnknownName, match="exposure"):
        parsed("exposur>1")
    with pytest.raises(UsageError, match="empty query"):
        parsed("  ")


def test_quotes_of_a_query_do_not_reach_the_index():
    assert parsed('say "NOT" near*').match() == '"say"* AND "not"* AND "near"*'


def test_scenes_and_takes_are_whole_words():
    assert parsed("sc 4 take 1 kitch").match() == '"sc4" AND "tk1" AND "kitch"*'
    assert parsed("sc 4 rain").match(every=False) == '"sc4" OR "rain"*'


def test_tags_say_what_was_measured_and_where_the_key_stands():
    made = Measures(
        {"exposure_ev": -4.0, "key_azimuth_deg": -50.0, "key_elevation_deg": 30.0,
         "light_sure": 0.8, "key_fill_ev": 4.2, "key_softness_deg": 2.0}
    )  # fmt: skip
    assert tags_of(made) == ["dark", "low_key", "key_left", "hard_light"]
    unsure = Measures({**made.figures, "light_sure": 0.3})
    assert "key_left" not in tags_of(unsure)


def test_a_shot_is_found_by_slate_clip_and_hero():
    text = text_of(shot_of("42A", "3"), None, hero=True).split()
    for word in ("sc42a", "tk3", "cama", "42a_t3", "hero", "train"):
        assert word in text


def test_what_logs_say():
    said = of_fields(
        {"Circled": "Y", "Lens": "65 mm", "Description": "INT. KITCHEN - NIGHT"}, "A001/x.mov"
    )
    assert said.lens == "65 mm" and said.circled
    assert said.words[:3] == ("int", "night", "circled")
    assert "kitchen" in said.words
    assert not {"int", "circled"} & set(of_fields({"Circled": "N", "Notes": "interior"}).words)

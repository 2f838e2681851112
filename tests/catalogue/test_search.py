"""The index, and what it answers."""

from __future__ import annotations

import numpy as np
import pytest

from footagefit.catalogue import measures, search
from footagefit.catalogue.measuring import measure_show, of_picture
from footagefit.catalogue.words import parsed
from footagefit.dailies.database import Catalogue
from footagefit.errors import UsageError, WrongValue


@pytest.fixture(scope="module")
def indexed(made_show):
    measure_show(made_show)
    with Catalogue(made_show.catalogue, write=True) as catalogue:
        search.index(catalogue)
    return made_show


def names(show, query=None, **keys):
    with Catalogue(show.catalogue) as catalogue:
        asked = None if query is None else parsed(query)
        return [hit.shot for hit in search.search(catalogue, asked, **keys)]


def test_words_find_scene_and_take(indexed):
    assert names(indexed, "sc 12 take 3") == ["12_T3_A"]
    assert sorted(names(indexed, "scene 12")) == [f"12_T{n}_A" for n in range(1, 5)]
    assert names(indexed, "13_T") == ["13_T1_A"]


def test_bounds_find_by_measure(indexed):
    with Catalogue(indexed.catalogue) as catalogue:
        ev = {s.name: s.exposure_ev for s in catalogue.shots()}
    middle = sorted(v for v in ev.values() if v is not None)[2] + 1e-3
    under = {n for n, v in ev.items() if v is not None and v < middle}
    assert set(names(indexed, f"ev<{middle:.4f}")) == under
    assert 0 < len(under) < len(ev)


def test_words_no_shot_has_all_of_are_said_to_be_loose(indexed):
    with Catalogue(indexed.catalogue) as catalogue:
        hits = search.search(catalogue, parsed("13_T1_A elephant"))
        assert [(h.shot, h.loose) for h in hits] == [("13_T1_A", True)]
        assert not search.search(catalogue, parsed("elephant"))
    with Catalogue(indexed.catalogue) as catalogue, pytest.raises(UsageError, match="nothing"):
        search.search(catalogue)


def test_a_frame_finds_its_own_shot_first(indexed):
    from footagefit.catalogue.measuring import reader_of
    from footagefit.signature.coordinates import channels_last

    with Catalogue(indexed.catalogue) as catalogue:
        shots, media = catalogue.shots(), catalogue.media()
    reader = reader_of(indexed, shots, media)
    frame = channels_last(reader.frames("13_T1_A", [9])[0][0])
    seen = of_picture(frame * 1.7, white_k=5600.0)  # a third of a stop and more does not matter
    assert names(indexed, like=seen.look)[0] == "13_T1_A"
    assert names(indexed, "sc 12", like=seen.look)[0].startswith("12_")
    assert len(names(indexed, light=search.light_vector(seen), limit=3)) == 3


def test_a_light_is_nearest_to_itself(indexed):
    with Catalogue(indexed.catalogue) as catalogue:
        known = measures.kept(catalogue, catalogue.shots())
        for name, made in known.items():
            hits = search.search(catalogue, light=search.light_vector(made))
            assert hits[0].away == pytest.approx(0.0, abs=1e-4)
            assert name in [h.shot for h in hits if h.away == pytest.approx(0.0, abs=1e-4)]


def test_unmeasured_shots_are_never_alike(indexed):
    assert np.isnan(search.light_vector(measures.Measures({}))).all()


@pytest.mark.parametrize("query", ["ev>>0.8", "ev=1", "ev>", "ev<x"])
def test_a_bound_that_is_none_is_an_error(query):
    with pytest.raises(WrongValue, match="is no bound"):
        parsed(query)


@pytest.mark.filterwarnings("always::footagefit.errors.FootagefitWarning")
def test_what_is_not_measured_is_said_every_time(footagefit, indexed, show_yaml, monkeypatch):
    monkeypatch.setattr(measures, "version", lambda: "another")
    for asked in ("query=ev<-20", "query=ev<20", "query=elephant"):
        for _ in range(2):
            code, _, err = footagefit("search", f"show={show_yaml()}", asked)
            assert code == 0 and "are not measured" in err, asked
    _, _, err = footagefit("search", f"show={show_yaml()}", "query=sc 12")
    assert "are not measured" not in err


def test_measures_of_another_version_are_stale(indexed, monkeypatch):
    with Catalogue(indexed.catalogue) as catalogue:
        shots = catalogue.shots()
        assert not measures.stale(catalogue, shots)
        monkeypatch.setattr(measures, "version", lambda: "newer")
        assert len(measures.stale(catalogue, shots)) == len(shots)


def test_measures_outlive_a_rescan_and_the_index_notices(indexed):
    from footagefit.dailies.scan import scan_show

    with Catalogue(indexed.catalogue) as catalogue:
        assert search.fresh(catalogue)
    scan_show(indexed, workers=0)
    with Catalogue(indexed.catalogue, write=True) as catalogue:
        assert not search.fresh(catalogue)
        assert not measures.stale(catalogue, catalogue.shots())
        search.index(catalogue)
        assert search.fresh(catalogue)


def test_the_command_answers_in_json(footagefit, indexed, show_yaml, tmp_path):
    import json

    sheet = tmp_path / "found.jpg"
    code, out, err = footagefit(
        "search", f"show={show_yaml()}", "query=sc 12 take 2", "as=json", f"sheet={sheet}"
    )
    assert code == 0, err
    found = json.loads(out[: out.rindex("}") + 1])["shots"]
    assert [f["shot"] for f in found] == ["12_T2_A"]
    assert found[0]["measures"]["contrast_ev"] > 0
    assert sheet.stat().st_size > 1000

"""Faces as measures and words; people grouped, named and forgotten."""

from __future__ import annotations

import numpy as np
import pytest

from footagefit.catalogue import faces, heard, measures, people
from footagefit.catalogue.faces import Face
from footagefit.catalogue.measures import Measures
from footagefit.catalogue.measuring import measure_show
from footagefit.catalogue.words import parsed, tags_of
from footagefit.dailies.database import Catalogue
from footagefit.errors import UnknownName, UsageError


def face(high: float) -> Face:
    return Face((0.4, 0.2, high * 0.6, high), 1.0)


def test_a_shot_has_the_faces_of_its_usual_frame():
    count, high = faces.of_shot([[face(0.3), face(0.1)], [face(0.32)], [face(0.34), face(0.1)]])
    assert (count, high) == (2.0, pytest.approx(0.32))
    assert faces.of_shot([[], [], [face(0.3)]]) == (0.0, None)


@pytest.mark.parametrize(
    ("count", "high", "said"),
    [(1, 0.5, ["face", "single", "closeup"]), (2, 0.2, ["face", "two_shot", "medium"]),
     (5, 0.05, ["face", "group", "wide"]), (0, None, [])],
)  # fmt: skip
def test_sizes_of_shot_are_words(count, high, said):
    assert tags_of(Measures({"faces": count, "face_high": high})) == said
    assert not said or set(parsed("two shot close-up").words) == {"two_shot", "closeup"}


def some_people(spread: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of three people, as far apart and as alike as dlib's are."""
    rng = np.random.default_rng(3)
    who = np.array([0] * 9 + [1] * 5 + [2] * 2)
    middles = rng.normal(0, 0.08, (3, faces.VECTOR))
    return middles[who] + rng.normal(0, spread / 5, (16, faces.VECTOR)), who


def test_people_are_grouped_in_whatever_order_they_come():
    vectors, who = some_people()
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(who))
        assert (people.grouped(vectors[order].astype(np.float32)) == who[order]).all()
    assert people.grouped(np.zeros((0, faces.VECTOR))).shape == (0,)


@pytest.fixture
def cast(made_show):
    """A catalogue in which people were looked for: three of them in five shots."""
    vectors, who = some_people()
    with Catalogue(made_show.catalogue, write=True) as catalogue:
        shots = catalogue.shots()
        at = measures.keys(catalogue, shots)
        with catalogue.change() as db:
            for place, vector in enumerate(vectors.astype(np.float32)):
                key = at[shots[(place + who[place]) % 2 + 2 * (who[place] > 1)].name]
                db.execute("INSERT INTO faces VALUES (?, ?, 1, 0.1, 0.1, 0.2, 0.3, ?, 0)",
                           (*key, vector.tobytes()))  # fmt: skip
        people._group(catalogue)
        yield catalogue, shots
        people.forget(catalogue, None)


def test_people_are_named_joined_and_kept(cast):
    catalogue, shots = cast
    found = people.people(catalogue, shots)
    assert [p.id for p in found] == [1, 2, 3]
    people.name(catalogue, 2, "Anna Berg")
    people._group(catalogue)
    assert {p.id: p.name for p in people.people(catalogue, shots)}[2] == "Anna Berg"
    first = people.words_of(catalogue, shots)[found[0].shots[0]]
    assert {"person2", "Anna", "Berg"} <= set(first)
    people.name(catalogue, 1, "Anna Berg")
    assert len(people.people(catalogue, shots)) == 2
    with pytest.raises(UnknownName):
        people.name(catalogue, 77, "Nobody")


def test_who_is_forgotten_is_out_of_the_file(cast, made_show):
    catalogue, shots = cast
    vector = catalogue.rows("SELECT vector FROM faces WHERE person = 3")[0]["vector"]
    assert vector in made_show.catalogue.read_bytes()
    people.forget(catalogue, 3)
    assert vector not in made_show.catalogue.read_bytes()
    assert [p.id for p in people.people(catalogue, shots)] == [1, 2]
    people.forget(catalogue, None)
    assert people.people(catalogue, shots) == []


def test_nobody_is_kept_unless_asked(footagefit, made_show, show_yaml):
    code, out, _ = footagefit("people", f"show={show_yaml()}")
    assert code == 0 and "nobody is kept" in out
    if not faces.installed():
        code, _, err = footagefit("people", f"show={show_yaml()}", "find=true")
        assert code == 2 and "make extras" in err


def test_installing_a_part_makes_measures_stale(monkeypatch):
    kept = {}
    for there in (False, True):
        monkeypatch.setattr(faces, "installed", lambda there=there: there)
        kept[there] = measures.version.__wrapped__()
    assert kept[False] != kept[True] and faces.PART in kept[True]


@pytest.mark.skipif(not faces.installed(), reason="dlib is not installed")
def test_no_face_is_no_face():
    assert faces.find(np.full((180, 320, 3), 0.18, np.float32)) == []


def test_what_was_heard_is_found(footagefit, made_show, show_yaml):
    measure_show(made_show)
    with Catalogue(made_show.catalogue, write=True) as catalogue:
        shots = catalogue.shots()
        key = measures.keys(catalogue, shots)[shots[1].name]
        with catalogue.change() as db:
            db.execute("INSERT INTO heard VALUES (?, ?, 'x', 'scene forty two take one')", key)
            measures.outdate(db)
        assert heard.kept(catalogue, shots) == {shots[1].name: "scene forty two take one"}
    code, out, _ = footagefit("search", f"show={show_yaml()}", "query=forty two", "as=json")
    assert code == 0 and shots[1].name in out and shots[0].name not in out


def test_a_model_is_told_by_its_folder(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        heard.model_of(tmp_path / "none")
    with pytest.raises(UsageError, match="neither"):
        heard.model_of(tmp_path)


def test_sound_is_cut_to_the_shot(tmp_path):
    import av

    path = tmp_path / "tone.mov"
    rate = 48_000
    tone = np.concatenate([np.zeros(rate), 0.5 * np.sin(np.arange(rate) * 0.2)]).astype(np.float32)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((tone[None] * 32767).astype("<i2"), "s16", "mono")
        frame.rate = rate
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    quiet, loud = heard.samples(path, 0.0, 0.9), heard.samples(path, 1.05, 0.5)
    assert np.abs(quiet).max() < 0.02 and np.abs(loud).max() > 0.4
    assert len(loud) == pytest.approx(0.5 * heard.RATE_HZ, abs=40)
    assert len(heard.samples(path, 5.0, 1.0)) == 0

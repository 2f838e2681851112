"""Sides: the same for a name whatever arrives, and loud when something leaks."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailies_footage import shot_of
from footagefit.dailies import splits
from footagefit.dailies.entries import OUT, TRAIN, VAL, Link, Medium, Shot
from footagefit.dailies.setups import Looks


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE sides (unit TEXT PRIMARY KEY, side TEXT, by_take INTEGER)")
    connection.execute("CREATE TABLE shots (name TEXT, side TEXT)")
    return connection


def fresh() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE sides (unit TEXT PRIMARY KEY, side TEXT, by_take INTEGER)")
    connection.execute("CREATE TABLE shots (name TEXT, side TEXT)")
    return connection


def settle(db: sqlite3.Connection, shots: list[Shot], seed: int) -> dict[str, str]:
    done = splits.sided(db, shots, seed=seed)
    db.execute("DELETE FROM shots")
    db.executemany("INSERT INTO shots VALUES (?, ?)", [(s.name, s.side) for s in done])
    return {s.name: s.side for s in done}


scenes = st.lists(
    st.text("ABC0123456789_", min_size=1, max_size=5), min_size=3, max_size=12, unique=True
)


@given(scenes, st.integers(0, 2**32), st.data())
@settings(max_examples=60, deadline=None)
def test_a_side_never_changes_as_clips_arrive(
    names: list[str], seed: int, data: st.DataObject
) -> None:
    db = fresh()
    shots = [shot_of(name, str(t)) for name in names for t in (1, 2)]
    before: dict[str, str] = {}
    for count in sorted(data.draw(st.lists(st.integers(1, len(shots)), min_size=1, max_size=4))):
        now = settle(db, shots[:count], seed)
        assert {name: now[name] for name in before} == before
        before = now


@given(scenes, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_sides_depend_on_seed_and_scene_alone(names: list[str], seed: int) -> None:
    shots = [shot_of(name, str(t)) for name in names for t in (1, 2)]
    one, two = settle(fresh(), shots, seed), settle(fresh(), shots[::-1], seed)
    assert one == two
    assert VAL in one.values()
    pure = {name: splits.side_of(seed, name) for name in names}
    if VAL in pure.values():
        assert all(one[s.name] == pure[s.scene] for s in shots)
    splits.check([replace(s, side=one[s.name]) for s in shots])


def test_about_one_in_five_is_held_out() -> None:
    sides = [splits.side_of(7, f"scene {n}") for n in range(4000)]
    assert sides.count(VAL) / 4000 == pytest.approx(splits.HELD_OUT, abs=0.02)


def test_a_show_of_one_scene_is_split_by_take(db: sqlite3.Connection) -> None:
    shots = [shot_of("42", str(t)) for t in range(1, 9)]
    sides = settle(db, shots, 3)
    assert set(sides.values()) == {TRAIN, VAL}
    more = [*shots, *[shot_of(s, "1") for s in ("43", "44", "45", "46")]]
    later = settle(db, more, 3)
    assert {n: later[n] for n in sides} == sides  # and stays so when scenes arrive
    marked = [replace(s, side=later[s.name]) for s in more]
    splits.check(marked, by_take={"42"})
    with pytest.raises(splits.LeakedSplit, match="one scene"):
        splits.check(marked)


def test_duplicates_go_to_one_side_and_newcomers_step_back(db: sqlite3.Connection) -> None:
    names = [f"{n}" for n in range(1, 30)]
    train = next(n for n in names if splits.side_of(5, n) == TRAIN)
    val = next(n for n in names if splits.side_of(5, n) == VAL)
    old = [shot_of(n) for n in names if n != val]
    before = settle(db, old, 5)
    twin = shot_of(val, "9", family=f"{train}_T1")
    after = settle(db, [*old, shot_of(val), twin], 5)
    assert {n: after[n] for n in before} == before
    sides = {after[twin.name], after[f"{train}_T1"]}
    assert len(sides - {OUT}) == 1


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (shot_of("1", "1"), shot_of("2", "1", family="1_T1"), "duplicate"),
        (shot_of("1", "1"), shot_of("1", "2"), "one scene"),
        (
            shot_of("1", "1"),
            replace(shot_of("1", "2"), links=(Link("1_T1.mov", "proxy", 30, 50),)),
            "scene",
        ),
    ],
)
def test_a_leak_is_loud(one: Shot, other: Shot, what: str) -> None:
    splits.check([one, other])
    with pytest.raises(splits.LeakedSplit, match=f"{what}.*on both sides"):
        splits.check([one, replace(other, side=VAL)])
    splits.check([one, replace(other, side=OUT)])


def test_near_duplicates_share_rhythm_other_takes_do_not() -> None:
    from dailies_footage import shot, tiny
    from footagefit.dailies import cuts, measures

    def seen(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = tiny(frames)
        return measures.hashes_of(small), cuts.jumps(small).astype(np.float16)

    first = shot(61, 40, take=1)
    again = np.clip(first.astype(np.float32) * 0.8 + 6, 0, 255).astype(np.uint8)  # regraded
    other = shot(61, 40, take=2)
    films = [seen(first), seen(again), seen(first[5:35]), seen(other)]
    shots = [
        replace(shot_of("1", str(n)), last=len(f[1]), links=(Link(f"{n}.mov", "proxy", 1,
                len(f[1]), 0, n),))
        for n, f in enumerate(films)
    ]  # fmt: skip
    looks = Looks(
        layout={},
        hashes={(n, 0): f[0] for n, f in enumerate(films)},
        jump={n: f[1] for n, f in enumerate(films)},
        part_at={(n, 1): 0 for n in range(4)},
        first=dict.fromkeys(range(4), 1),
    )
    media = [Medium(path=f"{n}.mov", content=str(n)) for n in range(4)]
    family = [s.family for s in splits.families(shots, looks, media)]
    assert family[1] == family[0]
    assert family[2] == family[0]
    assert family[3] != family[0]

"""The plan of a show: the same from the same seed, and every fault in it, in range."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.errors import UnknownName
from footagefit.footage.timecode import frames_of
from footagefit.soundstage.lights import direction
from footagefit.soundstage.plan import FAULTS, RATE
from footagefit.soundstage.script import PRESETS, write_script

SEEDS = st.integers(0, 2**31)
RANGES = {
    "exposure": (0.4, 1.2),
    "white_balance": (25, 60),
    "contrast": (0.7, 1.4),
    "key_moved": (35, 80),
    "wardrobe": (60, 160),
    "prop": (0.12, 0.3),
    "dropped": (1, 2),
    "short": (3, 8),
    "soft": (8, 14),
    "clipped": (2, 2.8),
    "corrupt": (0.4, 0.7),
}


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_every_seed_has_every_fault_once_and_in_range(seed):
    script = write_script("demo", seed)
    assert script == write_script("demo", seed)
    assert sorted(f.kind for f in script.faults) == sorted(FAULTS)
    assert len(script.takes) >= 24 and len(script.scenes) >= 4
    assert len({t.asked.lens.name for t in script.takes}) >= 2
    for fault in script.faults:
        low, high = RANGES.get(fault.kind, (0, 100))
        assert low <= abs(fault.size) <= high, fault
        assert fault.unit == FAULTS[fault.kind]


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_key_moves_by_what_is_on_record(seed):
    script = write_script("demo", seed)
    take = next(t for t in script.takes if t.fault and t.fault.kind == "key_moved")
    scene = next(s for s in script.scenes if s.number == take.scene)
    assert take.fault is not None
    pairs = zip(direction(scene.light), direction(take.asked.light), strict=True)
    angle = math.degrees(math.acos(sum(a * b for a, b in pairs)))
    assert angle == pytest.approx(abs(take.fault.size), abs=0.1)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(sorted(PRESETS)))
def test_names_are_unique_and_timecode_of_a_roll_never_overlaps(seed, preset):
    script = write_script(preset, seed)
    assert len({t.clip for t in script.takes}) == len({t.shot for t in script.takes})
    assert len({t.clip for t in script.takes}) == len(script.takes)
    plates = [t.plate for t in script.takes if t.plate]
    assert len(plates) == len(set(plates))
    for roll in {t.roll for t in script.takes}:
        end = 0
        for take in (t for t in script.takes if t.roll == roll):
            start = frames_of(take.timecode, RATE)
            assert start >= end
            end = start + take.length


def test_another_seed_is_another_show():
    assert write_script("demo", 1) != write_script("demo", 2)


def test_the_cut_asks_the_short_take_for_more_than_it_has():
    script = write_script("demo", 3)
    takes = {t.shot: t for t in script.takes}
    over = [c for c in script.cut if c.frames > len(takes[c.shot].moments)]
    assert len(over) == 1
    take = takes[over[0].shot]
    assert take.fault is not None and take.fault.kind == "short"
    assert over[0].frames - len(take.moments) == take.fault.size


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UnknownName, match="demo"):
        write_script("dmeo", 0)

"""Names of sequences and frame ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footagefit.errors import WrongValue
from footagefit.footage import pattern


@given(st.lists(st.integers(0, 99999), min_size=1, max_size=30, unique=True))
def test_ranges_read_back(frames):
    assert pattern.numbers(pattern.ranges(frames)) == sorted(frames)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1001", [1001]), ("1001-1003", [1001, 1002, 1003]), ("1-9x4", [1, 5, 9]),
     ("1-2, 7", [1, 2, 7])],
)  # fmt: skip
def test_ranges_as_people_write_them(text, expected):
    assert pattern.numbers(text) == expected


@pytest.mark.parametrize("text", ["ten", "1001-", "1001..1005", ""])
def test_wrong_ranges_say_what_a_range_is(text):
    with pytest.raises(WrongValue, match="1001-1010"):
        pattern.numbers(text)


@given(
    before=st.text("ab0 _.()%=,~é", max_size=8).filter(lambda t: not t.rstrip().endswith("%")),
    number=st.integers(0, 123456),
)
def test_a_file_is_found_by_the_pattern_that_names_it(tmp_path_factory, before, number):
    folder = tmp_path_factory.mktemp("n")
    made = pattern.Pattern(folder, before.lstrip(". ") + "_", ".exr", 4)
    made.path(number).touch()
    again = pattern.parse(str(made))
    assert again is not None
    assert again.on_disk() == {number: made.path(number)}


def test_padding_is_kept(tmp_path):
    for name in ("a.0099.exr", "a.0100.exr", "a.10000.exr", "a.00001.exr", "a.5.exr"):
        (tmp_path / name).touch()
    found = pattern.parse(tmp_path / "a.####.exr")
    assert found is not None
    assert list(found.on_disk()) == [99, 100, 10000]


def test_a_folder_tells_its_sequences(tmp_path):
    for name in ("a.0001.exr", "a.0002.exr", "b_12.dpx", "c.png", "notes.txt", ".hidden.1.exr"):
        (tmp_path / name).touch()
    assert [p.name for p in pattern.in_folder(tmp_path)] == ["a.####.exr", "b_##.dpx"]

"""Frames held in memory: what stays is what is worked at next."""

from footagefit.footage.holding import Holding


def test_what_is_nearest_to_the_work_stays():
    held = Holding[str](30)
    held.turn_to(1010)
    for number in (1001, 1009, 1012, 1030, 1011):
        held.put(number, f"frame {number}", 10)
    assert [n for n in range(1001, 1031) if held.get(n)] == [1009, 1011, 1012]
    held.turn_to(1030)
    held.put(1029, "frame 1029", 10)
    assert held.get(1009) is None and held.get(1012) == "frame 1012"


def test_work_round_a_frame_finds_most_of_what_it_needs_however_little_room_there_is():
    """Eleven frames wanted in turn, room for nine: the last nine used would hold none of them."""
    held, read = Holding[int](9), 0
    for at in range(1006, 1030):
        held.turn_to(at)
        for number in sorted(range(at - 5, at + 6), key=lambda n: abs(n - at)):
            if held.get(number) is None:
                read += 1
                held.put(number, number, 1)
    assert read < 24 * 4


def test_the_bound_holds_but_for_the_least_and_a_frame_counts_once():
    held = Holding[int](25, least=2)
    for number in range(5):
        held.put(number, number, 100)
    assert [n for n in range(5) if held.get(n) is not None] == [3, 4]
    one = Holding[int](25)
    for size in (20, 10, 20):
        one.put(7, size, size)
    one.put(8, 5, 5)
    assert (one.get(7), one.get(8)) == (20, 5)
    one.put(9, 26, 26)
    assert one.get(9) is None

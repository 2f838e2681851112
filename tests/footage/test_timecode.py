from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footagefit.errors import WrongValue
from footagefit.footage import timecode

NTSC = Fraction(30000, 1001)
DOUBLE = Fraction(60000, 1001)
RATES = [
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    NTSC,
    Fraction(30),
    Fraction(48),
    DOUBLE,
]


@given(st.integers(0, 24 * 3600 * 23), st.sampled_from(RATES), st.booleans())
def test_count_survives_timecode(count, rate, drop):
    text = timecode.timecode_of(count, rate, drop_frame=drop)
    assert timecode.frames_of(text, rate) == count
    assert timecode.is_drop_frame(text) == (drop and rate in (NTSC, DOUBLE))


@given(st.integers(0, 2_000_000), st.sampled_from([NTSC, DOUBLE]))
def test_drop_frame_stays_with_the_clock(count, rate):
    text = timecode.timecode_of(count, rate, drop_frame=True)
    hours, minutes, seconds, frames = (int(n) for n in text.replace(";", ":").split(":"))
    shown = hours * 3600 + minutes * 60 + seconds + Fraction(frames, round(rate))
    # Two frames within a minute's count, and the 86 ms a day that drop-frame leaves uncorrected.
    assert abs(shown - count / rate) < Fraction(16, 100)


@pytest.mark.parametrize(
    ("text", "rate", "count"),
    [
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),
        ("00:10:00;00", NTSC, 17982),
        ("01:00:00;00", NTSC, 107892),
        ("01:00:00:00", NTSC, 108000),
        ("01:00:00:00", Fraction(24000, 1001), 86400),
        ("00:01:00;04", DOUBLE, 3600),
    ],
)
def test_published_counts(text, rate, count):
    assert timecode.frames_of(text, rate) == count
    assert timecode.timecode_of(count, rate, drop_frame=";" in text) == text


@pytest.mark.parametrize("text", ["00:01:00;00", "1:2:3", "00:00:00:30", "00:60:00:00", "x"])
def test_what_is_no_timecode_is_refused(text):
    with pytest.raises(WrongValue):
        timecode.frames_of(text, NTSC)


def test_midnight_starts_again():
    day = 24 * 3600 * 25
    assert timecode.timecode_of(day + 3, Fraction(25)) == "00:00:00:03"
    assert timecode.shifted("00:00:59;29", 1, NTSC) == "00:01:00;02"


@pytest.mark.parametrize(
    ("said", "meant"),
    [(23.976, Fraction(24000, 1001)), (Fraction(2997, 125), Fraction(24000, 1001)),
     (29.97, NTSC), (25.0, Fraction(25)), (12.5, Fraction(25, 2))],
)  # fmt: skip
def test_film_rates(said, meant):
    assert timecode.film_rate(said) == meant

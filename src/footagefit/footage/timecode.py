"""Timecode and frame numbers, drop-frame counted: the one place that knows both.

A timecode counts frames at the rate's nominal whole number (24 for 23.976); drop-frame, at 29.97
and its multiples only, skips numbers (never frames) so that the count stays with the clock.
Nothing here reads a file.
"""

from __future__ import annotations

import re
from fractions import Fraction

from footagefit.errors import WrongValue

_TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})")


def film_rate(rate: Fraction | float) -> Fraction:
    """The rate film people mean: 23.976 and 2997/125 are 24000/1001."""
    value = float(rate)
    nominal = round(value)
    if nominal and abs(value - nominal) < 5e-4:
        return Fraction(nominal)
    if nominal and abs(value - nominal * 1000 / 1001) < 2e-3:
        return Fraction(nominal * 1000, 1001)
    return Fraction(rate).limit_denominator(100_000)


def nominal_rate(rate: Fraction) -> int:
    """Frames that a timecode counts in one of its seconds: 24 for 23.976."""
    nominal = round(rate)
    if nominal < 1:
        raise WrongValue(f"a rate of {rate} frames a second has no timecode", hint="Set rate=")
    return nominal


def can_drop(rate: Fraction) -> bool:
    """Whether drop-frame is defined at this rate: 29.97, 59.94 and so on."""
    return nominal_rate(rate) % 30 == 0 and rate.denominator == 1001


def _dropped_a_minute(rate: Fraction) -> int:
    return nominal_rate(rate) // 15


def is_drop_frame(timecode: str) -> bool:
    """Whether a timecode is written as drop-frame: `;` before the frames."""
    return ";" in timecode or "," in timecode


def frames_of(timecode: str, rate: Fraction) -> int:
    """Count of frames from 00:00:00:00 to a timecode.

    Args:
        timecode: `HH:MM:SS:FF`, with `;` before the frames for drop-frame.
        rate: Frames a second.

    Raises:
        WrongValue: It is no timecode at that rate, or a number that drop-frame leaves out.
    """
    match = _TIMECODE.fullmatch(timecode.strip())
    if match is None:
        raise WrongValue(f"{timecode!r} is no timecode", hint="Write HH:MM:SS:FF")
    hours, minutes, seconds, frames = (int(match[i]) for i in (1, 2, 3, 5))
    nominal = nominal_rate(rate)
    if minutes > 59 or seconds > 59 or frames >= nominal:
        raise WrongValue(
            f"{timecode!r} is no timecode at {float(rate):g} frames a second",
            hint="Check the rate",
        )
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if not (is_drop_frame(timecode) and can_drop(rate)):
        return count
    skipped = _dropped_a_minute(rate)
    if seconds == 0 and frames < skipped and minutes % 10:
        raise WrongValue(f"{timecode!r} does not exist in drop-frame", hint="Write : for ;")
    total = hours * 60 + minutes
    return count - skipped * (total - total // 10)


def timecode_of(frames: int, rate: Fraction, *, drop_frame: bool = False) -> str:
    """Timecode of a count of frames; after 24 hours it starts again.

    Args:
        frames: Count from 00:00:00:00.
        rate: Frames a second.
        drop_frame: Count as drop-frame, where the rate has it.
    """
    nominal = nominal_rate(rate)
    drop = drop_frame and can_drop(rate)
    if drop:
        skipped = _dropped_a_minute(rate)
        minute = nominal * 60 - skipped
        ten = minute * 10 + skipped
        frames %= ten * 144
        tens, rest = divmod(frames, ten)
        frames += skipped * 9 * tens
        if rest >= nominal * 60:
            frames += skipped * (1 + (rest - nominal * 60) // minute)
    frames %= nominal * 86_400
    seconds, frame = divmod(frames, nominal)
    minutes, second = divmod(seconds, 60)
    separator = ";" if drop else ":"
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}{separator}{frame:02d}"


def shifted(timecode: str, by: int, rate: Fraction) -> str:
    """The timecode `by` frames later."""
    drop = is_drop_frame(timecode)
    return timecode_of(frames_of(timecode, rate) + by, rate, drop_frame=drop)

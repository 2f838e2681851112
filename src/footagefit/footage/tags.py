"""Colour spaces and common metadata from a picture's header, where they are certain."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from footagefit.errors import UnknownSpace, WrongValue
from footagefit.footage import colour
from footagefit.footage.picture import Part
from footagefit.footage.timecode import film_rate

# Our name for a thing, and the header entries it goes by, surest first.
COMMON = {
    "reel": ("reelName", "interim.clip.reelName", "dpx:InputDevice", "com.apple.quicktime.reel"),
    "camera": ("cameraLabel", "cameraModel", "Model", "dpx:InputDeviceSerialNumber"),
    "lens": ("lensModel", "Exif:LensModel", "lens"),
    "iso": ("isoSpeed", "Exif:ISOSpeed", "Exif:ISOSpeedRatings", "ISOSpeed"),
    "exposure_s": ("ExposureTime",),
    "shutter_deg": ("shutterAngle", "dpx:ShutterAngle"),
    "f_number": ("FNumber", "aperture", "tStop"),
    "focal_length_mm": ("effectiveFocalLength", "nominalFocalLength", "Exif:FocalLength"),
    "scene": ("scene", "interim.clip.scene"),
    "take": ("take", "interim.clip.take"),
}
_LIKELY = ("ACEScg", "lin_rec709", "arri_logc4", "arri_logc3_ei800", "slog3_sgamut3cine", "acescct")


def space_of(path: Path, part: Part) -> str:
    """The colour space a picture's header is sure of.

    Raises:
        UnknownSpace: It is not certain; the message names likely choices.
    """
    named = part.value("colorInteropID") or part.value("nuke/input/colorspace")
    if named and (space := colour.known(str(named))):
        return space
    if part.value("acesImageContainerFlag") == 1 and (space := colour.known("lin_ap0")):
        return space
    white = part.value("chromaticities")
    if white is not None:
        for alias, values in colour.CHROMATICITIES.items():
            if np.allclose(white, values, atol=2e-4) and (space := colour.known(alias)):
                return space
    suffix = path.suffix.lower()
    if suffix in (".png", ".jpg", ".jpeg") and part.formats[0] == "uint8":
        return colour.resolve("srgb_texture")
    raise UnknownSpace(
        "its colour space is not certain from the header",
        path=path,
        hint=f"Say space=<name>, for example {', '.join(_LIKELY)}; or set space: in the show",
    )


def common(part: Part) -> dict[str, object]:
    """Reel, camera, lens and the like under our own names, then every other header entry."""
    found: dict[str, object] = {}
    for ours, theirs in COMMON.items():
        for name in theirs:
            value = part.value(name)
            if value not in (None, ""):
                found[ours] = value
                break
    found.update({name: value for name, (_, value) in part.attributes.items()})
    return found


def rate_of(part: Part) -> Fraction | None:
    """Frames a second, where the header says."""
    value = part.value("FramesPerSecond") or part.value("dpx:FrameRate")
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return Fraction(int(value[0]), int(value[1]))
    if isinstance(value, int | float) and 0 < value < 1000:
        return film_rate(float(value))
    return None


def parse_rate(text: str) -> Fraction:
    """`24`, `23.976` or `24000/1001` as the rate film people mean."""
    try:
        value = Fraction(text) if "/" in text else film_rate(float(text))
    except (ValueError, ZeroDivisionError) as error:
        raise WrongValue(f"rate: {text!r} is not a rate", hint="Say rate=23.976") from error
    if value <= 0:
        raise WrongValue(f"rate: {text!r} is not above 0", hint="Say rate=24")
    return value


def timecode_of(part: Part) -> str | None:
    """`HH:MM:SS:FF` of the frame the header belongs to; `;` before the frames for drop-frame."""
    value = part.value("smpte:TimeCode")
    if isinstance(value, tuple):
        return unpack_timecode(int(value[0]))
    return str(value) if value else None


def unpack_timecode(packed: int) -> str:
    """SMPTE 12M's packed binary-coded decimals, as EXR and DPX store them, as text."""

    def two(shift: int, mask: int) -> int:
        byte = (packed >> shift) & mask
        return (byte >> 4) * 10 + (byte & 0x0F)

    frames, seconds = two(0, 0x3F), two(8, 0x7F)
    minutes, hours = two(16, 0x7F), two(24, 0x3F)
    separator = ";" if packed & 0x40 else ":"
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{frames:02d}"


def pack_timecode(text: str) -> int:
    """The inverse of `unpack_timecode`."""
    hours, minutes, seconds, frames = (int(n) for n in text.replace(";", ":").split(":"))
    packed = 0x40 if ";" in text else 0
    for shift, number in ((0, frames), (8, seconds), (16, minutes), (24, hours)):
        packed |= ((number // 10) << 4 | number % 10) << shift
    return packed

"""What a movie's tags say: colour space, matrix, range, timecode, and the names on set.

Codes are those of ITU-T H.273, which FFmpeg uses. A tag that could mean two things means nothing
here: the caller is then asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# (primaries, transfer) by H.273 to the colour space's name in the studio config.
_SPACES = {
    (1, 1): "Gamma 2.4 Encoded Rec.709",
    (1, 6): "Gamma 2.4 Encoded Rec.709",
    (1, 14): "Gamma 2.4 Encoded Rec.709",
    (1, 15): "Gamma 2.4 Encoded Rec.709",
    (1, 4): "Gamma 2.2 Encoded Rec.709",
    (1, 8): "Linear Rec.709 (sRGB)",
    (1, 13): "sRGB Encoded Rec.709 (sRGB)",
    (9, 8): "Linear Rec.2020",
    (9, 16): "Rec.2100-PQ - Display",
    (9, 18): "Rec.2100-HLG - Display",
    (12, 8): "Linear P3-D65",
    (12, 13): "sRGB Encoded P3-D65",
    (12, 16): "ST2084-P3-D65 - Display",
}
LIKELY = (
    "Gamma 2.4 Encoded Rec.709",
    "sRGB Encoded Rec.709 (sRGB)",
    "ARRI LogC4",
    "ARRI LogC3 (EI800)",
    "S-Log3 S-Gamut3.Cine",
)
_MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
UNSAID = 2

# Our name for a thing, and the tags it goes by, surest first.
_COMMON = {
    "reel": ("reel_name", "com.apple.quicktime.reel", "com.apple.proapps.reel", "reel", "tape"),
    "camera": (
        "com.apple.quicktime.camera.identifier", "com.arri.camera.cameraid",
        "com.apple.quicktime.model", "com.android.model", "model", "camera",
    ),
    "lens": ("com.arri.camera.lenstype", "com.apple.quicktime.camera.lens_model", "lens"),
    "iso": ("com.arri.camera.exposureindexasa", "com.apple.quicktime.camera.iso", "iso"),
    "shutter_deg": ("com.arri.camera.shutterangle", "shutter_angle", "shutter"),
    "scene": ("com.apple.proapps.scene", "scene"),
    "take": ("com.apple.proapps.shot", "take"),
}  # fmt: skip
_LOG_SIGNS = ("log-c", "logc", "s-log", "slog", "v-log", "vlog", "log3g10", "canon log", "clog")


class ColourTags(NamedTuple):
    """H.273 codes of a movie: primaries, transfer, matrix; 2 where it does not say."""

    primaries: int
    transfer: int
    matrix: int


# What a review movie is tagged with, by the space its pixels are in.
_TAGS = {
    "Gamma 2.4 Encoded Rec.709": ColourTags(1, 1, 1),
    "Rec.1886 Rec.709 - Display": ColourTags(1, 1, 1),
    "Camera Rec.709": ColourTags(1, 1, 1),
    "Gamma 2.2 Encoded Rec.709": ColourTags(1, 4, 1),
    "Gamma 2.2 Rec.709 - Display": ColourTags(1, 4, 1),
    "sRGB Encoded Rec.709 (sRGB)": ColourTags(1, 13, 1),
    "sRGB - Display": ColourTags(1, 13, 1),
    "Linear Rec.709 (sRGB)": ColourTags(1, 8, 1),
    "Linear Rec.2020": ColourTags(9, 8, 9),
    "Rec.2100-PQ - Display": ColourTags(9, 16, 9),
    "Rec.2100-HLG - Display": ColourTags(9, 18, 9),
    "Linear P3-D65": ColourTags(12, 8, 1),
    "sRGB Encoded P3-D65": ColourTags(12, 13, 1),
    "Display P3 - Display": ColourTags(12, 13, 1),
    "ST2084-P3-D65 - Display": ColourTags(12, 16, 1),
}


def space_from_tags(
    primaries: int, transfer: int, *, metadata: Mapping[str, Any] | None = None
) -> str | None:
    """The studio config's colour space that a movie's tags mean, or None where they do not say.

    Args:
        primaries: Of H.273, table 2.
        transfer: Of H.273, table 3.
        metadata: The container's own tags: a camera that names its log there overrules the codes,
            which cameras set to Rec.709 on log pictures too.
    """
    for name, value in (metadata or {}).items():
        text = str(value).lower()
        if ("gamma" in name.lower() or "log" in text) and any(s in text for s in _LOG_SIGNS):
            return None
    return _SPACES.get((int(primaries), int(transfer)))


def tags_of_space(space: str) -> ColourTags:
    """What to tag pixels of a colour space with; a camera log has a matrix only."""
    return _TAGS.get(space, ColourTags(UNSAID, UNSAID, 1))


def matrix_from_tags(matrix: int, primaries: int) -> str | None:
    """`bt709`, `bt601` or `bt2020`, or None where the movie does not say."""
    if int(matrix) in _MATRICES:
        return _MATRICES[int(matrix)]
    if int(matrix) != UNSAID:
        return None
    return {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}.get(int(primaries))


def assumed_matrix(width: int, height: int) -> str:
    """What an untagged movie most likely has: Rec.709 from HD on, Rec.601 below."""
    return "bt709" if width >= 1280 or height > 576 else "bt601"


def container_tags(container: Any, stream: Any) -> dict[str, object]:
    """Every tag of a movie: the container's, its picture's, then its other tracks'."""
    found: dict[str, object] = {}
    others = [s for s in container.streams if s.index != stream.index and s.type == "data"]
    for holder in (container, stream, *others):
        for name, value in holder.metadata.items():
            found.setdefault(name, value)
    return found


def timecode_from_tags(tags: Mapping[str, object]) -> str | None:
    """The start timecode, wherever the container keeps it."""
    for name, value in tags.items():
        if name.lower() == "timecode" and value:
            return str(value)
    return None


def common(tags: Mapping[str, object]) -> dict[str, object]:
    """Reel, camera, lens, iso and the like under our own names, then all tags by theirs."""
    lower = {name.lower(): value for name, value in reversed(list(tags.items()))}
    found: dict[str, object] = {}
    for ours, theirs in _COMMON.items():
        for name in theirs:
            if lower.get(name) not in (None, ""):
                found[ours] = lower[name]
                break
    return {**found, **tags}

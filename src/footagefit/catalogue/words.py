"""Words of shots, and words of a query: what a person calls a shot, by slate, log and measures.

Here: tags out of measures, a shot's text, a query taken apart. Not here: the index and its answers
(`search`).

Tags say what was measured and no more: a picture is `dark`, it is `night` only where somebody
wrote that down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from footagefit.catalogue.measures import FIGURES, Measures
from footagefit.dailies.entries import Shot
from footagefit.errors import UnknownName, UsageError, WrongValue

SURE = 0.6  # expected cosine from which the estimator's direction is worth a word
_CLOSE, _MEDIUM = 0.28, 0.12  # of the picture's height, brow to chin: a close-up, a medium shot
_COLUMNS = {
    "ev": "exposure_ev", "exposure": "exposure_ev", "kelvin": "white_k", "white": "white_k",
    "tint": "tint_duv", "azimuth": "key_azimuth_deg", "elevation": "key_elevation_deg",
    "softness": "key_softness_deg", "ratio": "key_fill_ev", "contrast": "contrast_ev",
    "motion": "motion_px", "shake": "shake_px", "flicker": "flicker_ev", "frames": "length",
    "face": "face_high",
}  # fmt: skip
COLUMNS = {
    **{name: name for name in FIGURES if name != "light_sure"},
    "length": "length",
    **_COLUMNS,
}
# What is typed in two words, or otherwise than it is kept.
_JOINED = {
    ("key", "left"): "key_left", ("key", "right"): "key_right", ("key", "front"): "key_front",
    ("front", "lit"): "key_front", ("back", "lit"): "backlit", ("top", "lit"): "toplight",
    ("high", "key"): "high_key", ("low", "key"): "low_key", ("soft", "focus"): "soft_focus",
    ("soft", "light"): "soft_light", ("hard", "light"): "hard_light", ("close", "up"): "closeup",
    ("dropped", "frames"): "dropped_frames", ("two", "shot"): "two_shot",
    ("wide", "shot"): "wide", ("medium", "shot"): "medium",
}  # fmt: skip
_SAME = {"frontal": "key_front", "interior": "int", "exterior": "ext", "cu": "closeup",
         "highkey": "high_key", "lowkey": "low_key"}  # fmt: skip
_NUMBERED = {"sc": "sc", "scene": "sc", "tk": "tk", "take": "tk", "cam": "cam", "camera": "cam"}
_BOUND = re.compile(r"^([a-z_]+)(<=|>=|<|>)([-+]?\d+(?:\.\d+)?)$")
_BOUNDED = re.compile(r"[<>=]")
_WHOLE = re.compile(r"^(sc\d+[a-z]*|tk\d+|cam[a-z])$")
_WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)*", re.UNICODE)


@dataclass(frozen=True)
class Query:
    """A query taken apart.

    Attributes:
        words: Words as they are kept, all to be found; the start of a word will do, but for
            scenes, takes and cameras.
        bounds: Measure, comparison and number: `("exposure_ev", ">", 1.0)`.
    """

    words: tuple[str, ...] = ()
    bounds: tuple[tuple[str, str, float], ...] = ()

    def match(self, *, every: bool = True) -> str:
        """The query in the index's grammar: every word, or any."""
        terms = [f'"{w}"' if _WHOLE.match(w) else f'"{w}"*' for w in self.words]
        return (" AND " if every else " OR ").join(terms)


def parsed(text: str) -> Query:
    """What a person typed: `sc 42 close-up key left ev>1`."""
    said = text.lower().strip()
    parts: list[str] = []
    bounds: list[tuple[str, str, float]] = []
    for piece in said.split():
        bound = _BOUND.match(piece)
        if bound is None and _BOUNDED.search(piece):
            raise WrongValue(
                f"query: {piece!r} is no bound", hint="Say query='ev>1', with <, >, <= or >="
            )
        if bound is None:
            parts += _WORD.findall(piece)
            continue
        if bound[1] not in COLUMNS:
            raise UnknownName("measure", bound[1], sorted(COLUMNS))
        bounds.append((COLUMNS[bound[1]], bound[2], float(bound[3])))
    words: list[str] = []
    while parts:
        first, second = parts.pop(0), parts[0] if parts else ""
        if (first, second) in _JOINED:
            words.append(_JOINED[first, second])
            parts.pop(0)
        elif first in _NUMBERED and second:
            words.append(_NUMBERED[first] + (second.lstrip("0") or "0"))
            parts.pop(0)
        else:
            words.append(_SAME.get(first, first))
    if not words and not bounds:
        raise UsageError("an empty query", hint="Say query='sc 42 key left ev>1'")
    return Query(tuple(dict.fromkeys(words)), tuple(bounds))


def text_of(
    shot: Shot, made: Measures | None, *, hero: bool = False, more: Sequence[str] = ()
) -> str:
    """All that a shot can be found by.

    Args:
        shot: The shot.
        made: Its measures.
        hero: Whether others are matched to it.
        more: Who is in it, and what is said.
    """
    slate = shot.slate
    words = [shot.name, shot.setup, slate.roll, slate.clip, slate.scene, shot.scene]
    words += [f"sc{s.lower().lstrip('0')}" for s in {slate.scene, shot.scene} if s]
    words += [f"tk{slate.take.lower().lstrip('0')}"] if slate.take else []
    words += [f"cam{slate.camera.lower()}"] if slate.camera else []
    words += [PurePosixPath(link.path).stem for link in shot.links] + [k.role for k in shot.links]
    words += [flag.replace(" ", "_") for flag in shot.flags] + [shot.side]
    words += ["hero"] if hero else []
    words += more
    if made is not None:
        words += [made.lens, *made.words, *tags_of(made)]
    return " ".join(dict.fromkeys(" ".join(words).lower().replace("/", " ").split()))


def tags_of(made: Measures) -> list[str]:
    """What measures come to in words."""
    tags = []
    for name, low, below, high, above in _LEVELS:
        value = made[name]
        if value is not None and value < low and below:
            tags.append(below)
        if value is not None and value > high and above:
            tags.append(above)
    return tags + _face_tags(made) + _light_tags(made)


# A measure; under which it is called what; over which it is called what.
_LEVELS = (
    ("exposure_ev", -3.5, "dark", -0.5, "bright"),
    ("contrast_ev", 2.5, "flat", 6.0, "contrasty"),
    ("white_k", 4300.0, "warm", 7500.0, "cool"),
    ("clipped", 0.0, "", 0.05, "clipped"),
    ("focus", 0.08, "soft_focus", 1.0, ""),
    ("motion_px", 0.5, "still", 6.0, "moving"),
    ("shake_px", 0.0, "", 2.0, "shaky"),
    ("flicker_ev", 0.0, "", 0.03, "flicker"),
    ("grain", 0.0, "", 0.08, "grainy"),
)


def _face_tags(made: Measures) -> list[str]:
    """How many faces, and the size of shot that the largest comes to."""
    count, high = made["faces"], made["face_high"]
    if not count or high is None:
        return []
    people = "single" if count < 2 else "two_shot" if count < 3 else "group"
    return ["face", people, "closeup" if high > _CLOSE else "medium" if high > _MEDIUM else "wide"]


def _light_tags(made: Measures) -> list[str]:
    azimuth, elevation, sure = (
        made[n] for n in ("key_azimuth_deg", "key_elevation_deg", "light_sure")
    )
    tags = []
    ratio, softness = made["key_fill_ev"], made["key_softness_deg"]
    if ratio is not None:
        tags += ["high_key"] if ratio < 1.5 else ["low_key"] if ratio > 3.5 else []
    if azimuth is None or elevation is None or sure is None or sure < SURE:
        return tags
    if abs(azimuth) > 110:
        tags.append("backlit")
    elif abs(azimuth) < 20:
        tags.append("key_front")
    if 15 <= abs(azimuth) <= 165:
        tags.append("key_right" if azimuth > 0 else "key_left")
    tags += ["toplight"] if elevation > 60 else []
    if softness is not None:
        tags += ["hard_light"] if softness < 8 else ["soft_light"] if softness > 30 else []
    return tags

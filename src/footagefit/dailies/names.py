r"""Scene, take, camera and roll from the names of files and folders.

Here: the defaults that camera rolls and slates go by, and a show's own patterns over them. Not
here: what sidecar logs say (`linking` puts both together).

A show's pattern is a regular expression with named groups out of `GROUPS`, searched in the path
below the show's folder, with forward slashes: `(?P<scene>\w+)/take(?P<take>\d+)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from footagefit.dailies.entries import Slate
from footagefit.errors import WrongValue

GROUPS = ("scene", "take", "camera", "roll", "clip", "reel")

# ARRI A001C003_241103_R1AB, Sony A001C003_2411031X, RED A001_C003_1103AB(_001),
# Blackmagic A001_11031234_C003, Canon A001C003_241103AB_CANON: camera letter, roll and clip.
_CAMERA_ROLL = [
    re.compile(
        r"(?<![A-Za-z0-9])(?P<roll>(?P<camera>[A-Z])\d{3,4})_?(?P<clip>C\d{3,4})"
        r"(?P<tail>_\d{4,8}[A-Z0-9]{0,3}(?:_R[A-Z0-9]{3})?)?(?![A-Za-z0-9])"
    ),
    re.compile(
        r"(?<![A-Za-z0-9])(?P<roll>(?P<camera>[A-Z])\d{3})_(?P<tail>\d{8})_(?P<clip>C\d{3})"
        r"(?![A-Za-z0-9])"
    ),
]
_SCENE = r"(?P<scene>[A-Z]{0,2}\d{1,4}[A-Za-z]{0,3}(?:[_-]\d{1,3})?)"
_START = r"(?:^|(?<=[/_\-. ]))"
_CAMERA = (
    r"(?:[_\-. ]*(?:cam(?:era)?[_\-. ]?)?(?P<camera>[A-Za-z])(?:[_\-. ]?cam)?(?![A-Za-z0-9]))?"
)
_SLATES = [
    # 42A_T3_A, sc042_tk03_camA, Scene 42A Take 3, 12_3_T2_B
    re.compile(
        _START + r"(?:sc(?:ene)?|s)?[_\-. ]?" + _SCENE + r"[_\-. ]+(?:take|tk|t)[_\-. ]?"
        r"(?P<take>\d{1,3})" + _CAMERA,
        re.IGNORECASE,
    ),
    # 42A-3A, 42A_3: a set-up letter must be there, or any pair of numbers would do
    re.compile(r"^(?P<scene>\d{1,4}[A-Z]{1,2})[-_](?P<take>\d{1,2})[-_]?(?P<camera>[A-Z])?$"),
]
_FOLDERS = [
    re.compile(r"^(?:sc|scene)[_\-. ]?(?P<scene>\d{1,4}[A-Za-z]{0,2}(?:_\d{1,3})?)$", re.I),
    re.compile(r"^(?:tk|take)[_\-. ]?(?P<take>\d{1,3})$", re.I),
    re.compile(r"^cam(?:era)?[_\-. ]?(?P<camera>[A-Za-z])$", re.I),
    re.compile(r"^(?P<camera>[A-Za-z])[_\-. ]?cam(?:era)?$", re.I),
    re.compile(r"^(?P<roll>(?P<camera>[A-Z])\d{3})(?:[A-Z0-9]{0,4})?$"),
]
_LOOSE = [
    re.compile(
        _START + r"(?:sc|scene)[_\-. ]?(?P<scene>\d{1,4}[A-Za-z]{0,2})(?![A-Za-z0-9])", re.I
    ),
    re.compile(_START + r"(?:tk|take)[_\-. ]?(?P<take>\d{1,3})(?![0-9])", re.I),
    re.compile(_START + r"cam(?:era)?[_\-. ]?(?P<camera>[A-Za-z])(?![A-Za-z0-9])", re.I),
    re.compile(_START + r"(?P<camera>[A-Za-z])[_\-. ]?cam(?![A-Za-z0-9])", re.I),
]
_SCRIPT_SCENE = re.compile(r"^0*(\d+)[A-Z]{0,3}$")


def slate_of(path: str, patterns: Sequence[str] = ()) -> Slate:
    """The slate that a path below the show's folder tells, by the show's patterns, then ours.

    Args:
        path: Relative, with forward slashes.
        patterns: The show's own regular expressions with named groups; what they find wins.
    """
    found: dict[str, str] = {}
    for pattern in _compiled(tuple(patterns)):
        match = pattern.search(path)
        if match:
            _take(found, match)
    stem = stem_of(path)
    for pattern in (*_CAMERA_ROLL, *_SLATES, *_LOOSE):
        for match in [pattern.search(stem)]:
            if match:
                _take(found, match)
    for folder in reversed(PurePosixPath(path).parts[:-1]):
        for pattern in _FOLDERS:
            match = pattern.match(folder)
            if match:
                _take(found, match)
    return tidy(
        Slate(
            found.get("scene", ""),
            found.get("take", ""),
            found.get("camera", ""),
            found.get("roll", ""),
            found.get("clip", ""),
        )
    )


def reel_of(path: str, patterns: Sequence[str] = ()) -> str:
    """The reel a path tells: the whole camera file name, which is what edits go by."""
    for pattern in _compiled(tuple(patterns)):
        match = pattern.search(path)
        if match and match.groupdict().get("reel"):
            return match["reel"]
    stem = stem_of(path)
    for pattern in _CAMERA_ROLL:
        match = pattern.search(stem)
        if match and match["tail"]:
            return match[0].lstrip("_")
    return ""


def stem_of(path: str) -> str:
    """File name without extension, frame pattern and RED's segment number."""
    name = PurePosixPath(path).name
    stem = name.rsplit(".", 1)[0] if "." in name else name
    stem = re.sub(r"[._]?(#+|@+|%0?\d*d|\$F\d?)$", "", stem)
    return re.sub(r"(?<=^.{14}[A-Z0-9]{2})_\d{3}$", "", stem)


def tidy(slate: Slate) -> Slate:
    """One spelling for each thing: 042a is 42A, take 03 is 3, camera a is A."""
    scene = slate.scene.strip().upper()
    scene = re.sub(r"^0+(?=\d)", "", scene)
    take = slate.take.strip()
    take = str(int(take)) if take.isdecimal() else take
    return Slate(scene, take, slate.camera.strip().upper(), slate.roll.strip(), slate.clip.strip())


def script_scene(scene: str) -> str:
    """The script's scene behind a slated one: 42 of 42A; A42 and 12_3 are their own."""
    match = _SCRIPT_SCENE.match(scene.upper())
    return match[1] if match else scene


def _take(found: dict[str, str], match: re.Match[str]) -> None:
    for name, value in match.groupdict().items():
        if value and name in GROUPS:
            found.setdefault(name, value)


@lru_cache(maxsize=32)
def _compiled(patterns: tuple[str, ...]) -> list[re.Pattern[str]]:
    ready = []
    for text in patterns:
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise WrongValue(f"name pattern {text!r} is no regular expression: {error}") from None
        unknown = sorted(set(pattern.groupindex) - set(GROUPS))
        if unknown or not pattern.groupindex:
            raise WrongValue(
                f"name pattern {text!r} has the groups {unknown or 'none'}",
                hint=f"Name groups out of {', '.join(GROUPS)}, as in (?P<scene>...)",
            )
        ready.append(pattern)
    return ready

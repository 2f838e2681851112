"""The signature: what a show's lenses, set-ups and grain measure as, as plain JSON.

Here: the record, to and from JSON, and the few numbers of it that models see. Not here: measuring
(`measuring.py`), the light estimator (`light.py`).

Everything is optional: None is 'not measurable from this footage'.
"""

from __future__ import annotations

import json
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from footagefit.errors import UnknownName, UsageError
from footagefit.records import Light
from footagefit.signature.bloom import Bloom
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.distortion import Distortion
from footagefit.signature.grade import Grade
from footagefit.signature.grain import Grain
from footagefit.signature.sharpness import Sharpness
from footagefit.signature.vignette import Vignette

FORMAT = 1
FILE = "signature.json"
GRADED = (
    "signature.exposure_ev",
    "signature.white_mired",
    "signature.tint_duv",
    "signature.contrast",
)


@dataclass(frozen=True)
class Lens:
    """A lens, by what it does to pictures.

    Attributes:
        medium: What it was measured from: `original`, `plate` or `proxy`.
        frames: How many frames were looked at.
        remarks: Why what is None could not be measured.
        closely: How many of the frames were looked at for edges.
    """

    vignette: Vignette | None = None
    distortion: Distortion | None = None
    chromatic: Chromatic | None = None
    sharpness: Sharpness | None = None
    bloom: Bloom | None = None
    medium: str = ""
    frames: int = 0
    remarks: tuple[str, ...] = ()
    closely: int = 0


@dataclass(frozen=True)
class MeasuredLight:
    """The light of a set-up, with how sure that is.

    Attributes:
        light: In DESIGN.md's convention, in the camera's axes.
        confidence: 0 (a guess) to 1.
        source: `estimate`, `chart`, `grey ball`, `chrome ball` or `lat-long`.
    """

    light: Light = field(default_factory=Light)
    confidence: float = 0.0
    source: str = "estimate"


@dataclass(frozen=True)
class SetupLook:
    """A set-up: its lens by name, its grade, grain and light."""

    lens: str = ""
    grade: Grade | None = None
    grain: Grain | None = None
    light: MeasuredLight | None = None
    medium: str = ""
    frames: int = 0
    shots: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signature:
    """A show.

    Attributes:
        show: Its name.
        white_k: Colour of light that is R=G=B in it.
        lenses: By name, as metadata or slates have it.
        setups: By the catalogue's name.
        grain: Of the show's originals together.
        grade: Of all set-ups together.
        version: Of footagefit, when it was measured.
    """

    show: str = ""
    white_k: float = 5600.0
    lenses: Mapping[str, Lens] = field(default_factory=dict)
    setups: Mapping[str, SetupLook] = field(default_factory=dict)
    grain: Grain | None = None
    grade: Grade | None = None
    version: str = ""

    def lens(self, name: str | None = None) -> Lens:
        """A lens by name; without one, the only lens, or the one seen most.

        Raises:
            UnknownName: There is no such lens; the message lists those there are.
        """
        if name is None:
            seen = sorted(self.lenses.values(), key=lambda lens: -lens.frames)
            return seen[0] if seen else Lens()
        if name not in self.lenses:
            raise UnknownName("lens", name, self.lenses)
        return self.lenses[name]

    def setup(self, name: str) -> SetupLook:
        """A set-up by name."""
        if name not in self.setups:
            raise UnknownName("set-up", name, self.setups)
        return self.setups[name]

    def numbers(self, *, setup: str | None = None, lens: str | None = None) -> dict[str, float]:
        """What models see, by name; what was not measured is not there.

        Args:
            setup: Of this set-up and its lens; of the show by default.
            lens: Of this lens.
        """
        look = self.setups.get(setup) if setup is not None else None
        named = lens if lens is not None else (look.lens if look else None)
        glass = self.lenses.get(named) if named else None
        glass = glass or self.lens()
        grade = look.grade if look and look.grade else self.grade
        grain = look.grain if look and look.grain else self.grain
        return {**_of_grade(grade, self.white_k), **_of_grain(grain), **_of_lens(glass)}


def _of_grade(grade: Grade | None, white_k: float) -> dict[str, float]:
    if grade is None:
        return {}
    mired, duv = grade.white(white_k=white_k)
    return {
        "signature.exposure_ev": grade.exposure_ev,
        "signature.white_mired": (mired - 1e6 / white_k) / 100.0,
        "signature.tint_duv": duv * 50.0,
        "signature.contrast": grade.contrast_ev / 6.0,
    }


def _of_grain(grain: Grain | None) -> dict[str, float]:
    return {} if grain is None else {"signature.grain": grain.share * 10.0}


def _of_lens(lens: Lens) -> dict[str, float]:
    out: dict[str, float] = {}
    if lens.sharpness is not None:
        out["signature.sharpness"] = 2.0 * lens.sharpness.centre_mtf50
    if lens.vignette is not None:
        out["signature.vignette_ev"] = lens.vignette.corner_ev
    if lens.distortion is not None:
        bent = lens.distortion
        out |= {"signature.k1": bent.k1, "signature.k2": bent.k2,
                "signature.centre_x": bent.centre_x, "signature.centre_y": bent.centre_y,
                "signature.squeeze": bent.squeeze}  # fmt: skip
    return out


def write(path: Path, signature: Signature) -> Path:
    """Write as JSON, whole or not at all; the same signature gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = {"format": FORMAT, **_rounded(asdict(signature))}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(
        json.dumps(raw, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n",
        encoding="utf-8",
    )
    os.replace(part, path)
    return path


def read(path: Path) -> Signature:
    """Read one back.

    Raises:
        UsageError: Not there, or not a signature; the message says what to do.
    """
    path = path.expanduser()
    path = path / FILE if path.is_dir() else path
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            "no signature there", path=path, hint="Measure one: footagefit measure show=<show>"
        ) from None
    except (OSError, ValueError) as error:
        line = " ".join(str(error).split())
        raise UsageError(f"not a signature ({line})", path=path) from error
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise UsageError(
            f"not a signature of format {FORMAT}", path=path, hint="Measure the show again"
        )
    try:
        return typing.cast(Signature, _built(Signature, raw))
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"not a signature ({error})", path=path) from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value


def _built(kind: Any, raw: Any) -> Any:
    """Plain data as the records that annotations name."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if raw is None else _built(next(k for k in inside if k is not type(None)), raw)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        known = {f.name for f in fields(kind)}
        extra = set(raw) - known
        if extra:
            raise KeyError(f"unknown key {sorted(extra)[0]}")
        return kind(**{name: _built(hints[name], value) for name, value in raw.items()})
    if origin is tuple:
        return tuple(_built(inside[0], v) for v in raw)
    if origin is not None and issubclass(origin, Mapping):
        return {str(k): _built(inside[1], v) for k, v in raw.items()}
    return float(raw) if kind is float else raw


def plain(signature: Signature) -> dict[str, Any]:
    """As a fit or a run carries it: the numbers that models see, and the whole record.

    `setups` holds what differs by set-up behind the lens: its glass and its grain. How it is
    graded is left to pictures: a plate's own set-up is not known when a fit is used.
    """
    whole = _rounded(asdict(signature))
    numbers = signature.numbers()
    own = {
        name: {k: v for k, v in signature.numbers(setup=name).items() if k not in GRADED}
        for name in signature.setups
    }
    return {**_rounded(numbers), "setups": _rounded(own), "record": whole}


def of_plain(values: Mapping[str, Any] | None) -> Signature | None:
    """The record in what `plain` made; None where there is none."""
    raw = (values or {}).get("record")
    return typing.cast(Signature, _built(Signature, raw)) if isinstance(raw, Mapping) else None

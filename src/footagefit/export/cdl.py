"""A match as an ASC CDL: slope, offset, power and saturation in a log space.

What belongs here: fitting those ten numbers to the full look over the plate's own colours, and
their file. What does not: the match (`matched.py`).

ASC CDL 1.2: out = clamp(in x slope + offset)^power, then saturation by Rec.709 luma.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from footagefit.export.matched import Match, coded, decoded, log_space, residual, rows_of
from footagefit.export.placing import check_place, placed
from footagefit.footage import colour

SUFFIXES = (".cdl", ".cc", ".ccc")
_LUMA = np.array([0.2126, 0.7152, 0.0722])  # what ASC CDL weighs saturation by, in any space
_MOST = 4_000  # pixels to fit on
_LEAST = 100


@dataclass(frozen=True)
class Cdl:
    """The ten numbers."""

    slope: tuple[float, float, float]
    offset: tuple[float, float, float]
    power: tuple[float, float, float]
    saturation: float


def export_cdl(
    match: Match, out: Path, *, space: str, record: dict[str, Any], replace: bool = False
) -> dict[str, Any]:
    """Fit, write, read back through OpenColorIO; returns the record with numbers and residual."""
    space = log_space(space)
    check_place(out, suffixes=SUFFIXES, replace=replace)
    before = np.concatenate([coded(rows_of(p), space) for p in match.plates])
    after = np.concatenate([coded(rows_of(p), space) for p in match.full])
    held = ((before >= 0.0) & (before <= 1.0) & (after >= 0.0) & (after <= 1.0)).all(1)
    if held.sum() >= _LEAST:  # a CDL clamps: what lies outside has no say in its numbers
        before, after = before[held], after[held]
    step = max(1, -(-before.shape[0] // _MOST))
    found = fitted(before[::step].astype(np.float64), after[::step].astype(np.float64))
    with placed(out, suffixes=SUFFIXES, replace=replace) as path:
        path.write_text(_text(found, path.suffix, space, record, ""), encoding="utf-8")

        def through(light: np.ndarray) -> np.ndarray:
            return decoded(colour.through_file(path, coded(light, space)), space)

        left = residual(match, through)
        text = _text(found, path.suffix, space, record, left.line())
        path.write_text(text, encoding="utf-8")
        colour.through_file(path, np.zeros((1, 3), np.float32))
    numbers = {"slope": found.slope, "offset": found.offset, "power": found.power}
    return {
        **record,
        "space": space,
        "cdl": {**numbers, "saturation": found.saturation},
        "residual": {
            "rms_stops": left.rms_stops,
            "p95_stops": left.p95_stops,
            "untouched_rms_stops": left.untouched_rms_stops,
        },
    }


def fitted(before: np.ndarray, after: np.ndarray) -> Cdl:
    """The CDL that takes code values (N,3) nearest to others, outliers counting less."""
    from scipy.optimize import least_squares

    start = [*_lines(before, after), 1.0, 1.0, 1.0, 1.0]
    low = [0.05] * 3 + [-2.0] * 3 + [0.2] * 3 + [0.0]
    high = [20.0] * 3 + [2.0] * 3 + [5.0] * 3 + [4.0]

    def off(numbers: np.ndarray) -> np.ndarray:
        return (made(_cdl(numbers), before) - after).ravel()

    start = np.clip(start, np.array(low) + 1e-6, np.array(high) - 1e-6)
    found = least_squares(off, start, bounds=(low, high), loss="soft_l1", f_scale=0.02, max_nfev=60)
    return _cdl(np.round(found.x, 6))


def made(cdl: Cdl, codes: np.ndarray) -> np.ndarray:
    """Code values (N,3) through a CDL, as the standard says."""
    held = np.clip(codes * np.array(cdl.slope) + np.array(cdl.offset), 0.0, 1.0)
    out = held ** np.array(cdl.power)
    luma = out @ _LUMA[:, None]
    return np.clip(luma + cdl.saturation * (out - luma), 0.0, 1.0)


def _lines(before: np.ndarray, after: np.ndarray) -> list[float]:
    """Slopes and offsets of straight lines, to begin from."""
    fits = [np.polyfit(before[:, c], after[:, c], 1) for c in range(3)]
    return [float(f[0]) for f in fits] + [float(f[1]) for f in fits]


def _cdl(numbers: np.ndarray) -> Cdl:
    n = [float(value) for value in numbers]
    return Cdl((n[0], n[1], n[2]), (n[3], n[4], n[5]), (n[6], n[7], n[8]), n[9])


def _text(cdl: Cdl, suffix: str, space: str, record: dict[str, Any], left: str) -> str:
    said = [f"{name}: {value}" for name, value in record.items() if value not in (None, "")]
    notes = [f"{space} code values in and out", *said, *([left] if left else [])]
    body = [
        '<ColorCorrection id="footagefit">',
        *(f"  <Description>{escape(note)}</Description>" for note in notes),
        "  <SOPNode>",
        f"    <Slope>{_three(cdl.slope)}</Slope>",
        f"    <Offset>{_three(cdl.offset)}</Offset>",
        f"    <Power>{_three(cdl.power)}</Power>",
        "  </SOPNode>",
        "  <SatNode>",
        f"    <Saturation>{cdl.saturation:.6f}</Saturation>",
        "  </SatNode>",
        "</ColorCorrection>",
    ]
    name = "urn:ASC:CDL:v1.2"
    wrapped = {
        ".cc": [body[0].replace(" id=", f' xmlns="{name}" id='), *body[1:]],
        ".ccc": [f'<ColorCorrectionCollection xmlns="{name}">', *body,
                 "</ColorCorrectionCollection>"],
        ".cdl": [f'<ColorDecisionList xmlns="{name}">', "<ColorDecision>", *body,
                 "</ColorDecision>", "</ColorDecisionList>"],
    }  # fmt: skip
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', *wrapped[suffix.lower()]]
    return "\n".join(lines) + "\n"


def _three(values: tuple[float, float, float]) -> str:
    return " ".join(f"{value:.6f}" for value in values)

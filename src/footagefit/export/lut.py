"""A match as a .cube: its map of colours on a lattice of a log space's code values.

What belongs here: the lattice, the file, reading it back as other applications would. What does
not: taking the map from a look (`matched.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from footagefit.errors import WrongValue
from footagefit.export.matched import Match, coded, decoded, log_space, residual
from footagefit.export.placing import placed
from footagefit.footage import colour

SUFFIXES = (".cube",)
SIZES = (33, 65)


def export_lut(
    match: Match, out: Path, *, space: str, size: int, record: dict[str, Any], replace: bool = False
) -> dict[str, Any]:
    """Write a .cube, read it back through OpenColorIO, say what it leaves over.

    Args:
        match: Of a plate and its reference.
        out: The file.
        space: The log space that goes in and comes out.
        size: Lattice points a side, 33 or 65.
        record: Where it came from; goes into the file's comments.
        replace: Take an earlier file's place.
    """
    check_size(size)
    space = log_space(space)
    codes = lattice(size)
    colours = torch.from_numpy(decoded(codes, space)).T[None, :, None].contiguous()
    made = match.everywhere(colours)[0, :, 0].T.numpy()
    table = coded(made, space)
    with placed(out, suffixes=SUFFIXES, replace=replace) as path:
        path.write_text(_text(table, size, space, record, ""), encoding="utf-8")

        def through(light: np.ndarray) -> np.ndarray:
            return decoded(colour.through_file(path, coded(light, space)), space)

        left = residual(match, through)
        path.write_text(_text(table, size, space, record, left.line()), encoding="utf-8")
        back = colour.through_file(path, codes)
    found = {"rms_stops": left.rms_stops, "p95_stops": left.p95_stops}
    found["untouched_rms_stops"] = left.untouched_rms_stops
    read = float(np.abs(back - table).max())
    return {**record, "space": space, "size": size, "residual": found, "lattice_error": read}


def check_size(size: int) -> None:
    """Refuse a lattice that not every application reads."""
    if size not in SIZES:
        raise WrongValue(f"lut_size: expected 33 or 65, got {size}", hint="Say lut_size=33")


def lattice(size: int) -> np.ndarray:
    """Code values (size^3,3) from 0 to 1, red running fastest, as .cube files order them."""
    steps = np.linspace(0.0, 1.0, size, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red, green, blue], -1).reshape(-1, 3)


def _text(table: np.ndarray, size: int, space: str, record: dict[str, Any], left: str) -> str:
    lines = [
        f"# {space} code values in, {space} code values out",
        *(f"# {name}: {value}" for name, value in record.items() if value not in (None, "")),
    ]
    if left:
        lines.append(f"# {left}")
    lines += [
        f'TITLE "footagefit {record.get("task", "match")} in {space}"',
        f"LUT_3D_SIZE {size}",
        "DOMAIN_MIN 0.0 0.0 0.0",
        "DOMAIN_MAX 1.0 1.0 1.0",
    ]
    lines += [f"{r:.7g} {g:.7g} {b:.7g}" for r, g, b in table.tolist()]
    return "\n".join(lines) + "\n"

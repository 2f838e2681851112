"""What is measured of a shot, as a record, and how it is kept: by content, with its version.

Here: the record, rows in and out, which shots have to be measured. Not here: measuring
(`measuring`), searching (`search`).

A row is keyed by the content of the shot's primary medium and its first frame, so that it outlives
moves, rescans and new names. It names the version that measured it: code, the light estimator's
weights, and which optional parts were installed; a row of another version is stale and is measured
again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import Shot

CODE = 3  # raise it when anything measured here changes
FIGURES = (
    "exposure_ev", "clipped", "contrast_ev", "white_k", "tint_duv", "key_azimuth_deg",
    "key_elevation_deg", "key_softness_deg", "key_fill_ev", "light_sure", "focus", "motion_px",
    "shake_px", "flicker_ev", "grain", "faces", "face_high",
)  # fmt: skip
Key = tuple[str, int]
_FEW = 400  # shots that are asked for one by one: the answers of a search, not all of a film


@dataclass(frozen=True)
class Measures:
    """A shot's measures; None is 'not measurable from this footage'.

    Attributes:
        figures: By the names of `FIGURES`. Stops about 18% grey; shares of the picture; kelvin and
            Duv against the show's white; degrees in camera axes; stops of key over fill; stored
            pixels a frame; `grain` as its deviation at grey over grey; how many faces, and how high
            the largest is as a share of the picture's height.
        curves: Figures at the frames that were looked at: `frames` and, in step, the others.
        look: What the picture looks like, for searching by likeness (int8).
        role: The medium measured: `proxy`, `original` or `plate`. Grain is of the finest there is.
        lens: By metadata or the camera's log; empty where neither says.
        words: What logs and metadata say of it: circled, INT, NIGHT ...
        version: Of what measured it.
    """

    figures: Mapping[str, float | None]
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    look: bytes = b""
    role: str = ""
    lens: str = ""
    words: tuple[str, ...] = ()
    version: str = ""

    def __getitem__(self, name: str) -> float | None:
        return self.figures.get(name)


@lru_cache(maxsize=1)
def version() -> str:
    """Of what measures now: our code, the light estimator's weights, and optional parts."""
    from footagefit.catalogue import faces, seen
    from footagefit.dailies.measures import VERSION
    from footagefit.signature.light import WEIGHTS

    weights = WEIGHTS.read_bytes() if WEIGHTS.is_file() else b""
    parts = "".join(f".{part.PART}" for part in (faces, seen) if part.installed())
    return f"{CODE}.{VERSION}.{hashlib.sha256(weights).hexdigest()[:8]}{parts}"


def keys(catalogue: Catalogue, shots: Sequence[Shot]) -> dict[str, Key]:
    """What each shot's measures are kept under, by the shot's name."""
    ids = {s.primary.medium_id for s in shots}
    few = len(ids) <= _FEW
    where = f"WHERE id IN ({', '.join('?' * len(ids))})" if few else ""
    rows = catalogue.rows(f"SELECT id, content FROM media {where}", sorted(ids) if few else ())
    content = {row["id"]: row["content"] for row in rows}
    return {s.name: (content.get(s.primary.medium_id, ""), s.first) for s in shots}


def kept(catalogue: Catalogue, shots: Sequence[Shot]) -> dict[str, Measures]:
    """Measures there are, by shot, stale ones too."""
    named = {key: name for name, key in keys(catalogue, shots).items()}
    if len(named) <= _FEW:
        sql = "SELECT * FROM measures WHERE content = ? AND first = ?"
        rows = [row for key in named for row in catalogue.rows(sql, key)]
    else:
        rows = catalogue.rows("SELECT * FROM measures")
    found = {}
    for row in rows:
        name = named.get((row["content"], row["first"]))
        if name is not None:
            found[name] = _measures(row)
    return found


def stale(catalogue: Catalogue, shots: Sequence[Shot]) -> list[Shot]:
    """Shots without measures, or with those of another version."""
    now = {
        (row["content"], row["first"])
        for row in catalogue.rows(
            "SELECT content, first FROM measures WHERE version = ?", [version()]
        )
    }
    at = keys(catalogue, shots)
    return [s for s in shots if at[s.name] not in now]


def missing(catalogue: Catalogue) -> int:
    """How many shots have no measures of this version; soon told where none is."""
    shots, made = (
        catalogue.rows(f"SELECT COUNT(*) AS n FROM {table}", values)[0]["n"]
        for table, values in (("shots", []), ("measures WHERE version = ?", [version()]))
    )
    return len(stale(catalogue, catalogue.shots())) if made < shots else 0


def keep(db: sqlite3.Connection, key: Key, made: Measures) -> None:
    """Put a shot's measures in place of what was there."""
    plain: dict[str, object] = {"content": key[0], "first": key[1], "version": made.version}
    plain |= {name: made[name] for name in FIGURES}
    plain |= {"role": made.role, "lens": made.lens, "words": " ".join(made.words)}
    plain |= {"curves": json.dumps(made.curves), "look": made.look}
    names, marks = ", ".join(plain), ", ".join("?" * len(plain))
    db.execute(f"INSERT OR REPLACE INTO measures ({names}) VALUES ({marks})", tuple(plain.values()))


def _measures(row: sqlite3.Row) -> Measures:
    return Measures(
        figures={name: row[name] for name in FIGURES},
        curves=json.loads(row["curves"]),
        look=row["look"],
        role=row["role"],
        lens=row["lens"],
        words=tuple(row["words"].split()),
        version=row["version"],
    )


def heroes(catalogue: Catalogue, shots: Sequence[Shot]) -> set[str]:
    """Shots that a person named as the take to match to."""
    rows = {(r["content"], r["first"]) for r in catalogue.rows("SELECT * FROM heroes")}
    return {name for name, key in keys(catalogue, shots).items() if key in rows}


def name_hero(catalogue: Catalogue, takes: Sequence[Shot], hero: Shot) -> None:
    """Make one of a set-up's takes the one that the others are matched to, from now on."""
    at = keys(catalogue, takes)
    with catalogue.change() as db:
        for shot in takes:
            db.execute("DELETE FROM heroes WHERE content = ? AND first = ?", at[shot.name])
        db.execute("INSERT INTO heroes VALUES (?, ?)", at[hero.name])
        outdate(db)


def outdate(db: sqlite3.Connection) -> None:
    """Note that measures or heroes changed: the index is made anew before the next search."""
    db.execute("DELETE FROM settings WHERE name = 'search'")


def plain(values: np.ndarray) -> list[float]:
    """Numbers for a row: four decimals are more than any of them is good for."""
    return [round(float(v), 4) for v in values]

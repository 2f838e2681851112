"""Finding shots by words, by picture and by light.

Here: the index, made anew from shots and measures whenever they changed, and its answers. Not
here: what a query means (`words`), contact sheets (`dailies.sheet`).

Words and bounds are SQLite's (FTS5); likeness is one pass over one block of small vectors, which
is quicker than any tree at the sizes of a film.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.catalogue import heard, measures, people
from footagefit.catalogue.measures import FIGURES, Measures
from footagefit.catalogue.words import Query, text_of
from footagefit.dailies.database import Catalogue
from footagefit.errors import UsageError
from footagefit.signature.light import direction

_LIGHT_SIZE = 7
_COLUMNS = (*(n for n in FIGURES if n != "light_sure"), "length")
# What one step of a light's vector stands for: half a radian, a stop, 30 mired, a doubling.
_PER_WAY, _PER_STOP, _PER_MIRED = 2.0, 1.0, 1 / 30.0
_LOOK_SCALE = 127.0


@dataclass(frozen=True)
class Hit:
    """A shot that was found.

    Attributes:
        shot: Its name.
        away: How unlike in picture or light it is, 0 for the same; 0 where neither was asked.
        loose: True where not all words were found in it.
    """

    shot: str
    away: float
    loose: bool = False


def search(
    catalogue: Catalogue,
    query: Query | None = None,
    *,
    like: bytes | None = None,
    light: np.ndarray | None = None,
    limit: int = 24,
) -> list[Hit]:
    """The shots that fit best, best first.

    Args:
        catalogue: With an index; see `indexed`.
        query: Words and bounds that all hold; where no shot has all the words, those with any.
        like: A picture's look (`measuring.look_of`): the nearest pictures first.
        light: A light's vector (`light_vector`): the nearest lights first.
        limit: The most shots.
    """
    if like is None and light is None:
        if query is None:
            raise UsageError("nothing to search for", hint="Say query=, like= or light=")
        return _by_words(catalogue, query, limit)
    ids, loose = (None, False) if query is None else _ids(catalogue, query)
    away = None
    for kind, wanted in (("look", like), ("light", light)):
        if wanted is not None:
            found = _distances(catalogue, kind, wanted)
            away = found if away is None else away + found
    if away is None or not len(away):
        return []
    rows = np.arange(len(away)) if ids is None else ids - 1
    rows = rows[np.isfinite(away[rows])]
    if len(rows) > limit:  # all that are as near as the last one asked for, then those in order
        rows = rows[away[rows] <= np.partition(away[rows], limit)[limit]]
    best = rows[np.argsort(away[rows], kind="stable")[:limit]]
    names = _names(catalogue, best + 1)
    return [Hit(names[int(row) + 1], round(float(away[row]), 4), loose) for row in best]


def light_vector(made: Measures) -> np.ndarray:
    """A light as numbers whose distance is how much another light it is; NaN where none is known.

    Direction as sure as it is, key over fill, colour, softness, contrast of the picture.
    """
    azimuth, elevation, sure = (
        made[n] for n in ("key_azimuth_deg", "key_elevation_deg", "light_sure")
    )
    if azimuth is None or elevation is None or sure is None:
        return np.full(_LIGHT_SIZE, np.nan, np.float32)
    way = np.array(direction(azimuth, elevation)) * _PER_WAY * min(1.0, max(0.0, sure))
    kelvin = made["white_k"] or 5600.0
    rest = [
        (made["key_fill_ev"] or 0.0) * _PER_STOP,
        1e6 / kelvin * _PER_MIRED,
        np.log2(max(made["key_softness_deg"] or 10.0, 0.5)) * 0.5,
        (made["contrast_ev"] or 0.0) * 0.5 * _PER_STOP,
    ]
    return np.concatenate([way, rest]).astype(np.float32)


# -- the index ------------------------------------------------------------------------------------


def fresh(catalogue: Catalogue) -> bool:
    """Whether the index is of the shots and measures that there are."""
    rows = catalogue.rows("SELECT value FROM settings WHERE name = 'search'")
    return bool(rows) and rows[0]["value"] == _state(catalogue)


def index(catalogue: Catalogue) -> int:
    """Make the index anew; returns how many shots are in it."""
    shots = catalogue.shots()
    made = measures.kept(catalogue, shots)
    chosen = measures.heroes(catalogue, shots)
    more = people.words_of(catalogue, shots)
    for name, said in heard.kept(catalogue, shots).items():
        more.setdefault(name, []).append(said)
    looks, lights, rows, texts = [], [], [], []
    size = next((len(m.look) for m in made.values() if m.look), 1)
    for place, shot in enumerate(shots, start=1):
        own = made.get(shot.name)
        looks.append(own.look if own is not None and len(own.look) == size else b"\x80" * size)
        none = np.full(_LIGHT_SIZE, np.nan, np.float32)
        lights.append(none if own is None else light_vector(own))
        figures = [None if own is None else own[n] for n in _COLUMNS[:-1]]
        rows.append((place, shot.name, *figures, shot.length))
        texts.append(
            (place, text_of(shot, own, hero=shot.name in chosen, more=more.get(shot.name, ())))
        )
    with catalogue.change() as db:
        db.execute("DELETE FROM found")
        db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        names = ", ".join(("id", "shot", *_COLUMNS))
        marks = ", ".join("?" * (2 + len(_COLUMNS)))
        db.executemany(f"INSERT INTO found ({names}) VALUES ({marks})", rows)
        db.executemany("INSERT INTO words (rowid, said) VALUES (?, ?)", texts)
        db.execute("INSERT INTO words (words) VALUES ('optimize')")
        block = {"look": b"".join(looks), "light": np.array(lights, np.float32).tobytes()}
        db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", block.items())
        db.execute("INSERT OR REPLACE INTO settings VALUES ('search', ?)", [_state(catalogue)])
    return len(shots)


def _state(catalogue: Catalogue) -> str:
    """Changes with every scan and every mark; `measures.outdate` takes the rest away."""
    row = catalogue.rows(
        "SELECT (SELECT count(*) FROM log) || ' ' || (SELECT count(*) FROM shots) AS state"
    )[0]
    return str(row["state"])


# -- answers --------------------------------------------------------------------------------------


def _where(query: Query) -> tuple[str, list[object]]:
    bounds = [f"found.{name} {sign} ?" for name, sign, _ in query.bounds]
    return " AND ".join(bounds), [value for *_, value in query.bounds]


def _by_words(catalogue: Catalogue, query: Query, limit: int) -> list[Hit]:
    where, values = _where(query)
    if not query.words:
        rows = catalogue.rows(
            f"SELECT shot FROM found WHERE {where} ORDER BY shot LIMIT ?", [*values, limit]
        )
        return [Hit(row["shot"], 0.0) for row in rows]
    more = f"AND {where}" if where else ""
    for every in (True, False):
        # Where all words are there, by name, which is the index's own order; else by rank (BM25).
        by = "words.rowid" if every else "words.rank, words.rowid"
        rows = catalogue.rows(
            f"SELECT found.shot FROM words JOIN found ON found.id = words.rowid "
            f"WHERE words MATCH ? {more} ORDER BY {by} LIMIT ?",
            [query.match(every=every), *values, limit],
        )
        if rows or len(query.words) == 1:
            return [Hit(row["shot"], 0.0, not every) for row in rows]
    return []


def _ids(catalogue: Catalogue, query: Query) -> tuple[np.ndarray, bool]:
    """Rows that fit the words and bounds, and whether loosely."""
    where, values = _where(query)
    for every in (True, False):
        if query.words:
            joined = "JOIN found ON found.id = words.rowid" if where else ""
            sql = f"SELECT group_concat(words.rowid) FROM words {joined} WHERE words MATCH ?"
            sql += f" AND {where}" if where else ""
            rows = catalogue.rows(sql, [query.match(every=every), *values])
        else:
            rows = catalogue.rows(f"SELECT group_concat(id) FROM found WHERE {where}", values)
        if rows[0][0] or len(query.words) <= 1:  # one text: rows by the ten thousand take longer
            return np.array(rows[0][0].split(",") if rows[0][0] else [], int), not every
    return np.zeros(0, np.int64), True


def _distances(catalogue: Catalogue, kind: str, wanted: bytes | np.ndarray) -> np.ndarray:
    """How far each shot is from what is wanted (N,); NaN where it was not measured."""
    rows = catalogue.rows("SELECT rows FROM vectors WHERE kind = ?", [kind])
    if not rows:
        return np.zeros(0)
    if isinstance(wanted, bytes):
        return _unlike(rows[0]["rows"], wanted)
    table = np.frombuffer(rows[0]["rows"], np.float32).reshape(-1, _LIGHT_SIZE)
    return np.sqrt(((table - wanted) ** 2).sum(1))


def _unlike(looks: bytes, wanted: bytes) -> np.ndarray:
    """Mean difference of each look from one (N,), 0 to 2; NaN where there is none."""
    import cv2

    goal = np.frombuffer(wanted, np.uint8) ^ 0x80  # signed bytes as OpenCV's unsigned ones
    if len(looks) % len(goal):
        return np.zeros(0)
    table = (np.frombuffer(looks, np.uint8) ^ 0x80).reshape(-1, len(goal))
    apart = cv2.absdiff(table, np.broadcast_to(goal, table.shape))
    away = cv2.reduce(apart, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[:, 0] / len(goal)
    away[table[:, 0] == 0] = np.nan
    return away / _LOOK_SCALE


def _names(catalogue: Catalogue, ids: Sequence[int] | np.ndarray) -> dict[int, str]:
    marks = ", ".join("?" * len(ids))
    rows = catalogue.rows(
        f"SELECT id, shot FROM found WHERE id IN ({marks})", [int(i) for i in ids]
    )
    return {row["id"]: row["shot"] for row in rows}

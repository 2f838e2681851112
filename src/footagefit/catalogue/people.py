"""Who is the same person across shots: opt-in, by faces, named and forgotten by the user.

Here: vectors of faces kept, grouped, named, deleted. Not here: faces themselves (`faces`). Nothing
is kept before somebody asks for it, and `forget` takes it out of the file, not only out of sight.

Shapes: N faces, D numbers of a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.catalogue import faces, measures
from footagefit.catalogue.measuring import RUNS, reader_of
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import Shot
from footagefit.dailies.show import Show
from footagefit.dailies.windows import Reader
from footagefit.errors import FootagefitError, UnknownName

SAME = 0.43  # distance within which the means of two groups of faces are one person
_ROUNDS = 10
Progress = Callable[[Iterable[object], int, str], Iterable[object]]


@dataclass(frozen=True)
class Person:
    """Somebody.

    Attributes:
        id: Stays when faces are looked for again.
        name: As the user named them; empty until then.
        shots: The shots they are in, by name.
    """

    id: int
    name: str
    shots: tuple[str, ...]


def look_for(
    show: Show, shots: Sequence[Shot], *, again: bool = False, progress: Progress | None = None
) -> int:
    """Keep vectors of the faces in shots that were not looked at yet; returns how many were."""
    faces.check()
    with Catalogue(show.catalogue, write=True) as catalogue:
        at = measures.keys(catalogue, shots)
        seen = {(r["content"], r["first"]) for r in catalogue.rows("SELECT * FROM looked_at")}
        todo = [s for s in shots if again or at[s.name] not in seen]
        reader = reader_of(show, shots, catalogue.media(), long_side_px=faces.LONG_SIDE_PX)
        items: Iterable[object] = todo
        if progress is not None:
            items = progress(items, len(todo), "people")
        for shot in items:
            if not isinstance(shot, Shot):
                continue
            rows = _rows(reader, shot)
            key = at[shot.name]
            with catalogue.change() as db:
                db.execute("DELETE FROM faces WHERE content = ? AND first = ?", key)
                db.executemany("INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                               [(*key, *row) for row in rows])  # fmt: skip
                db.execute("INSERT OR REPLACE INTO looked_at VALUES (?, ?)", key)
        _group(catalogue)
    return len(todo)


def _rows(reader: Reader, shot: Shot) -> list[tuple[object, ...]]:
    """A shot's faces: frame, box and vector of each."""
    rows = []
    for number in dict.fromkeys(shot.first + round(s * (shot.length - 1)) for s in RUNS):
        try:
            pixels, gone = reader.frames(shot.name, [number])
        except FootagefitError:
            continue
        if bool(gone.any()):
            continue
        picture = pixels[0].permute(1, 2, 0).contiguous().numpy()
        for face in faces.find(picture):
            rows.append((number, *face.box, faces.identity(picture, face).tobytes()))
    return rows


def grouped(vectors_ND: np.ndarray, *, same: float = SAME) -> np.ndarray:
    """A number of a group for each vector (N,), the largest group 0.

    Groups grow about their means, in the order of the vectors, and means within reach of each
    other become one, until nothing changes.
    """
    if not len(vectors_ND):
        return np.zeros(0, int)
    means: list[np.ndarray] = []
    for vector in vectors_ND:
        away = [float(np.linalg.norm(vector - m)) for m in means]
        if not away or min(away) > same:
            means.append(vector.astype(np.float64))
    middles = np.array(means)
    label = np.zeros(len(vectors_ND), int)
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(vectors_ND[:, None] - middles[None], axis=-1)
        label = apart.argmin(1)
        kept = np.unique(label)
        middles = np.array([vectors_ND[label == k].mean(0) for k in kept])
        label = np.searchsorted(kept, label)
        between = np.linalg.norm(middles[:, None] - middles[None], axis=-1)
        between[np.tril_indices(len(middles))] = np.inf
        if not np.isfinite(between).any() or between.min() > same:
            break
        other = int(between.argmin()) % len(middles)
        middles = np.delete(middles, other, axis=0)
    order = [k for k, _ in Counter(label.tolist()).most_common()]
    return np.array([order.index(k) for k in label])


def _group(catalogue: Catalogue) -> None:
    """Give every face its person; a group keeps the number that most of its faces had."""
    rows = catalogue.rows("SELECT rowid, vector, person FROM faces ORDER BY content, first, rowid")
    if not rows:
        return
    label = grouped(np.stack([np.frombuffer(r["vector"], np.float32) for r in rows]))
    had = np.array([r["person"] for r in rows])
    free = max(1, int(had.max(initial=0)) + 1)
    taken: set[int] = set()
    with catalogue.change() as db:
        for group in range(int(label.max()) + 1):
            votes = Counter(int(p) for p in had[label == group] if p and p not in taken)
            person = votes.most_common(1)[0][0] if votes else free
            free = max(free, person + 1)
            taken.add(person)
            places = [(person, rows[i]["rowid"]) for i in np.flatnonzero(label == group)]
            db.executemany("UPDATE faces SET person = ? WHERE rowid = ?", places)
        measures.outdate(db)


def people(catalogue: Catalogue, shots: Sequence[Shot]) -> list[Person]:
    """Everybody who was found, in most shots first."""
    named = {r["id"]: r["name"] for r in catalogue.rows("SELECT * FROM people")}
    at = {key: name for name, key in measures.keys(catalogue, shots).items()}
    seen: dict[int, dict[str, None]] = {}
    for row in catalogue.rows("SELECT DISTINCT content, first, person FROM faces"):
        shot = at.get((row["content"], row["first"]))
        if shot is not None:
            seen.setdefault(row["person"], {})[shot] = None
    found = [Person(i, named.get(i, ""), tuple(sorted(names))) for i, names in seen.items()]
    return sorted(found, key=lambda p: (-len(p.shots), p.id))


def words_of(catalogue: Catalogue, shots: Sequence[Shot]) -> dict[str, list[str]]:
    """What each shot is found by: the names of who is in it, and `person3`."""
    words: dict[str, list[str]] = {}
    for person in people(catalogue, shots):
        for name in person.shots:
            words.setdefault(name, []).extend([f"person{person.id}", *person.name.split()])
    return words


def name(catalogue: Catalogue, person: int, called: str) -> None:
    """Name somebody; two of one name become one person."""
    _known(catalogue, person)
    same = [r["id"] for r in catalogue.rows("SELECT id FROM people WHERE name = ?", [called])]
    with catalogue.change() as db:
        keep = min([*same, person])
        for other in {*same, person} - {keep}:
            db.execute("UPDATE faces SET person = ? WHERE person = ?", (keep, other))
            db.execute("DELETE FROM people WHERE id = ?", (other,))
        db.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (keep, called))
        measures.outdate(db)


def forget(catalogue: Catalogue, person: int | None) -> None:
    """Delete what is kept of somebody, or of everybody, out of the file too."""
    if person is not None:
        _known(catalogue, person)
    where, values = ("", ()) if person is None else ("WHERE person = ?", (person,))
    catalogue.rows("PRAGMA secure_delete = ON")
    with catalogue.change() as db:
        db.execute(f"DELETE FROM faces {where}", values)
        if person is None:
            db.execute("DELETE FROM people")
            db.execute("DELETE FROM looked_at")
        else:
            db.execute("DELETE FROM people WHERE id = ?", values)
        measures.outdate(db)


def _known(catalogue: Catalogue, person: int) -> None:
    known = [r["person"] for r in catalogue.rows("SELECT DISTINCT person FROM faces")]
    if person not in known:
        raise UnknownName("person", str(person), [str(p) for p in sorted(known)])

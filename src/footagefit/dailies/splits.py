"""Which side a shot is on: what is trained on, and what is held out to be judged by.

Here: sides by scene, then take; duplicates on one side; the check that nothing leaks. Not here:
which windows are drawn (`sampling`).

A scene's side is a pure function of the show's seed and the scene's name, so it never changes as
clips arrive. Three things stand over that, and what they decided is kept in the catalogue, where
no later scan alters it: a show with fewer than three scenes is split by take; of three or more
scenes at least one is held out; and scenes tied together by duplicates go together. A newcomer
that would tie two sides together is left out instead.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import OUT, TRAIN, VAL, Medium, Shot
from footagefit.dailies.setups import Looks
from footagefit.errors import FootagefitError

HELD_OUT = 0.2
_FEW_SCENES = 3
_SAME_BITS = 12  # of 64 that hashes of one frame, encoded twice, may differ in
_SAME_RHYTHM = 0.9


class LeakedSplit(FootagefitError):
    """Something is on both sides: what is judged by it would be worth nothing."""


def draw(seed: int, name: str) -> float:
    """A number in [0, 1) that depends on the show's seed and a name alone."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def side_of(seed: int, scene: str, *, held_out: float = HELD_OUT) -> str:
    """The side that a scene's name alone gives it."""
    return VAL if draw(seed, scene) < held_out else TRAIN


# -- duplicates -----------------------------------------------------------------------------------


def families(shots: list[Shot], looks: Looks, media: Sequence[Medium]) -> list[Shot]:
    """The shots, each with the name of the first of those that show the same frames.

    Exact copies share content; near ones are encodings or regrades of one performance: like
    pictures at like moments, and the same rhythm of change. Other takes of a set-up have like
    pictures, but another rhythm.
    """
    content = {m.path: m.content for m in media}
    tree = _Union(len(shots))
    first_with: dict[tuple[str, int], int] = {}
    for index, shot in enumerate(shots):
        key = (content[shot.primary.path], shot.first - looks.first[shot.primary.medium_id])
        tree.join(index, first_with.setdefault(key, index))
    for one, other in _suspects(shots, looks):
        if tree.root(one) != tree.root(other) and _near(shots[one], shots[other], looks):
            tree.join(one, other)
    head = {r: shots[min(m)].name for r, m in tree.groups().items()}
    return [replace(s, family=head[tree.root(i)]) for i, s in enumerate(shots)]


class _Union:
    """Which of many belong together, by pairs."""

    def __init__(self, count: int) -> None:
        self.up = list(range(count))

    def root(self, index: int) -> int:
        while self.up[index] != index:
            self.up[index] = self.up[self.up[index]]
            index = self.up[index]
        return index

    def join(self, one: int, other: int) -> None:
        a, b = self.root(one), self.root(other)
        self.up[max(a, b)] = min(a, b)

    def groups(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self.up)):
            found[self.root(index)].append(index)
        return found


def _suspects(shots: list[Shot], looks: Looks) -> set[tuple[int, int]]:
    """Pairs with a stretch of hash bits in common; the rest need not be compared."""
    buckets: dict[tuple[int, int], set[int]] = defaultdict(set)
    for index, shot in enumerate(shots):
        for value in looks.hashes.get(looks.key(shot), np.zeros(0, np.uint64)):
            for band in range(8):
                buckets[(band, (int(value) >> (8 * band)) & 0xFF)].add(index)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for members in buckets.values():
        ordered = sorted(members)
        if len(ordered) > 400:  # a bit pattern of flat walls; it tells nothing
            continue
        for a, one in enumerate(ordered):
            for other in ordered[a + 1 :]:
                shared[one, other] += 1
    return {pair for pair, count in shared.items() if count >= 6}


def _near(one: Shot, other: Shot, looks: Looks) -> bool:
    a, b = looks.hashes[looks.key(one)], looks.hashes[looks.key(other)]
    bits = np.array([[(int(x) ^ int(y)).bit_count() for y in b] for x in a])
    same_length = abs(one.length - other.length) <= 2
    if same_length and float(np.median(np.diagonal(bits))) > _SAME_BITS:
        return False
    if not same_length and float(np.median(bits.min(1 if len(a) <= len(b) else 0))) > _SAME_BITS:
        return False
    rhythm, moving = _rhythm(_jumps(one, looks), _jumps(other, looks))
    if moving:
        return rhythm > _SAME_RHYTHM
    return same_length and bool((np.diagonal(bits) <= 3).all())


def _jumps(shot: Shot, looks: Looks) -> np.ndarray:
    medium = shot.primary.medium_id
    curve = looks.jump.get(medium, np.zeros(0, np.float16)).astype(np.float32)
    at = shot.first - looks.first[medium]
    return np.nan_to_num(curve[at + 1 : at + shot.length])


def _rhythm(one: np.ndarray, other: np.ndarray) -> tuple[float, bool]:
    """Best correlation of two curves of change, the shorter slid along the longer."""
    short, long = sorted((one, other), key=len)
    if len(short) < 8:
        return 0.0, True
    if min(short.std(), long.std()) < 0.05:
        return 0.0, False
    windows = np.lib.stride_tricks.sliding_window_view(long, len(short))
    flat = windows - windows.mean(1, keepdims=True)
    mine = short - short.mean()
    norm = np.linalg.norm(flat, axis=1) * np.linalg.norm(mine)
    return float(((flat * mine).sum(1) / np.maximum(norm, 1e-6)).max()), True


# -- sides ----------------------------------------------------------------------------------------


def sided(db: sqlite3.Connection, shots: list[Shot], *, seed: int) -> list[Shot]:
    """The shots on their sides; sides given before stay as they are."""
    kept = {r[0]: (r[1], bool(r[2])) for r in db.execute("SELECT unit, side, by_take FROM sides")}
    before = {r[0] for r in db.execute("SELECT name FROM shots WHERE side != ?", (OUT,))}
    fresh = _fresh_sides(shots, kept, seed)
    for unit, (side, by_take) in sorted(fresh.items()):
        db.execute("INSERT INTO sides VALUES (?, ?, ?)", (unit, side, int(by_take)))
    kept.update(fresh)
    out = [replace(s, side=kept[_unit(s, kept)][0], because="") for s in shots]
    return _one_side_each(out, before)


def _unit(shot: Shot, kept: dict[str, tuple[str, bool]]) -> str:
    """What a shot is split by: its scene, or its take where the scene is split by take."""
    whole = kept.get(shot.scene)
    return f"{shot.scene} take {_take(shot)}" if whole is not None and whole[1] else shot.scene


def _take(shot: Shot) -> str:
    """Takes go by number, whichever camera shot them; unslated shots by file."""
    slate = shot.slate
    return f"{slate.scene} {slate.take}" if slate.take else shot.primary.path


def _fresh_sides(
    shots: Sequence[Shot], kept: dict[str, tuple[str, bool]], seed: int
) -> dict[str, tuple[str, bool]]:
    scenes = sorted({s.scene for s in shots} - set(kept))
    known = [unit for unit in kept if " take " not in unit]
    fresh: dict[str, tuple[str, bool]] = {}
    by_take = len(scenes) + len(known) < _FEW_SCENES
    ties = _tied(shots)
    for scene in scenes:
        before = {kept[t][0] for t in ties[scene] if t in kept and not kept[t][1]}
        side = before.pop() if len(before) == 1 else side_of(seed, min(ties[scene]))
        fresh[scene] = (side, by_take)
    whole = {**kept, **fresh}
    if not by_take and not any(s == VAL and not t for s, t in whole.values()) and fresh:
        lowest = min(fresh, key=lambda scene: draw(seed, min(ties[scene])))
        for scene in ties[lowest] & set(fresh):
            fresh[scene] = (VAL, False)
    takes: dict[str, str] = {}
    for shot in shots:
        unit = _unit(shot, whole)
        if unit != shot.scene and unit not in kept:
            takes[unit] = side_of(seed, unit)
    if takes and VAL not in {*takes.values(), *(s for u, (s, _) in kept.items() if " take " in u)}:
        takes[min(takes, key=lambda unit: draw(seed, unit))] = VAL
    fresh.update({unit: (side, True) for unit, side in takes.items()})
    return fresh


def _tied(shots: Sequence[Shot]) -> dict[str, set[str]]:
    """For each scene, the scenes that duplicates tie it to, itself among them."""
    scenes = sorted({s.scene for s in shots})
    tree = _Union(len(scenes))
    where: dict[str, int] = {}
    for shot in shots:
        index = scenes.index(shot.scene)
        tree.join(index, where.setdefault(shot.family, index))
    groups = tree.groups()
    return {scene: {scenes[i] for i in groups[tree.root(n)]} for n, scene in enumerate(scenes)}


def _one_side_each(shots: list[Shot], before: set[str]) -> list[Shot]:
    """Leave out what has a duplicate on the other side: newcomers first, else what would train."""
    members: dict[str, list[Shot]] = defaultdict(list)
    for shot in shots:
        members[shot.family].append(shot)
    out = []
    for shot in shots:
        family = members[shot.family]
        sides = {m.side for m in family}
        settled = {m.side for m in family if m.name in before}
        stays = settled.pop() if len(settled) == 1 else VAL
        if len(sides) > 1 and shot.side != stays:
            shot = replace(shot, side=OUT, because=f"shows the frames of {family[0].name}, {stays}")
        out.append(shot)
    return out


def by_take(catalogue: Catalogue) -> set[str]:
    """Scenes whose takes are on different sides, since the show had too few scenes."""
    return {r["unit"] for r in catalogue.rows("SELECT unit FROM sides WHERE by_take = 1")}


def check(shots: Sequence[Shot], *, by_take: Collection[str] = ()) -> None:
    """Raise `LeakedSplit` if a scene, a take, a file or a picture is on both sides.

    Args:
        shots: As a trainer would use them.
        by_take: Scenes that are split by take.
    """
    for kind, key in (
        ("duplicate pictures are", lambda s: s.family or s.name),
        ("one scene is", lambda s: ("by take", s.name) if s.scene in by_take else s.scene),
        ("one take is", lambda s: (s.scene, _take(s))),
        ("frames of one file are", lambda s: (s.primary.path, s.scene)),
    ):
        seen: dict[object, Shot] = {}
        for shot in (s for s in shots if s.side != OUT):
            other = seen.setdefault(key(shot), shot)
            if other.side != shot.side:
                raise LeakedSplit(
                    f"{kind} on both sides: {other.name} in {other.side}, {shot.name} in "
                    f"{shot.side}",
                    hint="Leave one out with: footagefit shots show=... clip=<name> train=no",
                )

"""Takes that share a camera position: by scene and camera, then by picture.

Here: grouping shots into set-ups. Not here: what to do with takes that don't sit together
(`pairs`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from footagefit.dailies import cuts
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import Shot

# Unlikeness under which two takes are one framing: where names and slates say that they belong to
# one scene and camera, and where nothing but the picture tells.
_SAME_SLATED, _SAME = 0.35, 0.27
_MOST_COMPARED = 6


@dataclass(frozen=True)
class Looks:
    """What shots are told apart by: tiny luma pictures, hashes and change over time."""

    layout: dict[tuple[int, int], np.ndarray]  # (3, 27, 48) uint8
    hashes: dict[tuple[int, int], np.ndarray]  # (9,) uint64
    jump: dict[int, np.ndarray]  # (T,) float16, by medium
    part_at: dict[tuple[int, int], int]  # part index by (medium, first frame)
    first: dict[int, int]

    def key(self, shot: Shot) -> tuple[int, int]:
        """Where a shot's own pictures are found."""
        medium = shot.primary.medium_id
        return medium, self.part_at.get((medium, shot.first), -1)


def looks_of(catalogue: Catalogue) -> Looks:
    """All shots' looks out of the catalogue."""
    layout, hashes = {}, {}
    for row in catalogue.rows("SELECT medium, part, hashes, layout FROM thumbnails"):
        key = (row["medium"], row["part"])
        layout[key] = np.frombuffer(row["layout"], np.uint8).reshape(3, cuts.HEIGHT, cuts.WIDTH)
        hashes[key] = np.frombuffer(row["hashes"], np.uint64)
    jump = {
        row["medium"]: np.frombuffer(row["curve"], np.float16)
        for row in catalogue.rows("SELECT medium, curve FROM curves WHERE name = 'jump'")
    }
    part_at = {
        (row["medium"], row["first"]): row["n"]
        for row in catalogue.rows("SELECT medium, n, first FROM parts WHERE kind = 'shot'")
    }
    first = {r["id"]: r["first_frame"] for r in catalogue.rows("SELECT id, first_frame FROM media")}
    return Looks(layout, hashes, jump, part_at, first)


def grouped(shots: list[Shot], looks: Looks) -> list[Shot]:
    """The shots with their set-ups named: scene as slated and camera, `-2` for another framing."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, shot in enumerate(shots):
        places[(shot.slate.scene or shot.scene, shot.slate.camera)].append(index)
    out = list(shots)
    for (scene, camera), members in sorted(places.items()):
        base = f"{scene or 'unslated'}/{camera}" if camera else scene or "unslated"
        clusters: list[list[int]] = []
        for index in members:
            at = next((c for c in clusters if _fits(shots, c, index, looks)), None)
            clusters.append([index]) if at is None else at.append(index)
        for number, cluster in enumerate(clusters, start=1):
            setup = base if number == 1 else f"{base}-{number}"
            for index in cluster:
                out[index] = replace(out[index], setup=setup)
    return out


def _fits(shots: list[Shot], cluster: list[int], index: int, looks: Looks) -> bool:
    mine = looks.layout.get(looks.key(shots[index]))
    if mine is None:
        return True
    same = _SAME_SLATED if shots[index].slate.scene else _SAME
    for other in cluster[:_MOST_COMPARED]:
        theirs = looks.layout.get(looks.key(shots[other]))
        if theirs is None or framing_unlike(mine, theirs) < same:
            return True
    return False


def framing_unlike(one_3HW: np.ndarray, other_3HW: np.ndarray) -> float:
    """The middle one of how unlike three moments of one take are to three of another, both ways."""
    pairs = [
        (cuts.unlike(a[..., None], b[..., None]) + cuts.unlike(b[..., None], a[..., None])) / 2
        for a in one_3HW
        for b in other_3HW
    ]
    return float(np.median(pairs))

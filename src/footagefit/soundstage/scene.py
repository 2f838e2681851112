"""From sets to tensors: a batch of scenes at one moment, ready to be traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from footagefit.soundstage import geometry as g
from footagefit.soundstage.figures import BUMPS, pose
from footagefit.soundstage.materials import Materials
from footagefit.soundstage.sets import Set, Thing

_AWAY = np.array([0.0, -900.0, 0.0])


@dataclass
class Scene:
    """A batch of scenes as tensors."""

    planes: g.Planes
    boxes: g.Boxes
    blobs: g.Blobs
    heads: g.Heads
    materials: Materials
    stand: g.Occluders
    tint: Tensor  # (B,1,3) mean reflectance of the set: what a bounce takes with it


def scene(sets: Sequence[Set], time_s: float | Sequence[float] = 0.0, *,
          device: str | torch.device = "cpu") -> Scene:  # fmt: skip
    """Tensors of several sets at a moment each, padded to the same counts."""
    times = [time_s] * len(sets) if isinstance(time_s, int | float) else list(time_s)
    moments = [made.at(t) for made, t in zip(sets, times, strict=True)]
    where = torch.device(device)
    heads = g.moved(_heads(sets, times), where)
    blobs = g.moved(_blobs([[t for t in moment if t.shape == "blob"] for moment in moments]), where)
    boxes = g.moved(_boxes([[t for t in moment if t.shape == "box"] for moment in moments]), where)
    planes = g.moved(_planes(sets), where)
    tint = [
        np.mean([np.asarray(r["base"], np.float32) for r in made.table], axis=0) for made in sets
    ]
    return Scene(
        planes, boxes, blobs, heads, _materials(sets, where),
        g.occluders(boxes, blobs, heads),
        torch.tensor(np.asarray(tint, np.float32))[:, None].to(where),
    )  # fmt: skip


def _stack(rows: list[list[np.ndarray]], count: int, filler: np.ndarray) -> Tensor:
    full = [list(row) + [filler] * (count - len(row)) for row in rows]
    return torch.from_numpy(np.asarray(full, dtype=np.float32))


def _whole(rows: list[list[int]], count: int, filler: int) -> Tensor:
    return torch.tensor([list(row) + [filler] * (count - len(row)) for row in rows])


def _blobs(moments: list[list[Thing]]) -> g.Blobs:
    count = max(1, *(len(m) for m in moments)) if moments else 1
    return g.Blobs(
        _stack([[t.centre for t in m] for m in moments], count, _AWAY),
        _stack([[t.turn for t in m] for m in moments], count, np.eye(3)),
        _stack([[t.size for t in m] for m in moments], count, np.full(3, 0.01)),
        _whole([[t.material for t in m] for m in moments], count, 0),
        _whole([[t.group for t in m] for m in moments], count, -1),
    )


def _boxes(moments: list[list[Thing]]) -> g.Boxes:
    count = max(1, *(len(m) for m in moments)) if moments else 1
    return g.Boxes(
        _stack([[t.centre for t in m] for m in moments], count, _AWAY),
        _stack([[t.turn for t in m] for m in moments], count, np.eye(3)),
        _stack([[t.size for t in m] for m in moments], count, np.full(3, 0.01)),
        _whole([[t.material for t in m] for m in moments], count, 0),
    )


def _planes(sets: Sequence[Set]) -> g.Planes:
    count = max(1, *(len(s.planes) for s in sets))
    away = np.array([0.0, 1.0, 0.0])
    offsets = [
        [np.float32(p[1]) for p in s.planes] + [-1.0e9] * (count - len(s.planes)) for s in sets
    ]
    return g.Planes(
        _stack([[p[0] for p in s.planes] for s in sets], count, away),
        torch.tensor(np.asarray(offsets, dtype=np.float32)),
        _stack([[p[2] for p in s.planes] for s in sets], count, np.eye(3)),
        _whole([[p[3] for p in s.planes] for s in sets], count, 0),
    )


def _heads(sets: Sequence[Set], times: Sequence[float]) -> g.Heads:
    count = max(1, *(len(s.actors) for s in sets))
    rows: dict[str, list[list[np.ndarray]]] = {
        k: [] for k in ("at", "turn", "radii", "bump", "hair")
    }
    for made, time_s in zip(sets, times, strict=True):
        posed = [pose(a.figure, a.pose(time_s)).head for a in made.actors]
        rows["at"].append([p[0] for p in posed])
        rows["turn"].append([p[1] for p in posed])
        rows["radii"].append([p[2] for p in posed])
        rows["bump"].append([a.figure.bump for a in made.actors])
        rows["hair"].append([np.array(a.figure.hair) for a in made.actors])
    flat = np.zeros((BUMPS, 5))
    flat[:, 2], flat[:, 4] = 1.0, 0.1
    return g.Heads(
        _stack(rows["at"], count, _AWAY),
        _stack(rows["turn"], count, np.eye(3)),
        _stack(rows["radii"], count, np.full(3, 0.01)),
        _stack(rows["bump"], count, flat),
        _stack(rows["hair"], count, np.array([0.0, 0.5, 0.5, 0.05])),
        _whole([[2 * i for i in range(len(s.actors))] for s in sets], count, 0),
    )


def _materials(sets: Sequence[Set], device: torch.device) -> Materials:
    count = max(len(s.table) for s in sets)

    def column(name: str) -> Tensor:
        rows = [[np.asarray(r[name], np.float32) for r in s.table] for s in sets]
        full = [row + [row[0]] * (count - len(row)) for row in rows]
        return torch.from_numpy(np.asarray(full)).to(device)

    return Materials(
        kind=column("kind").long(), base=column("base"), second=column("second"),
        scale=column("scale"), contrast=column("contrast"), rough=column("rough"),
        shine=column("shine"), bump=column("bump"), glow=column("glow"),
    )  # fmt: skip

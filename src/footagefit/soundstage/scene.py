"""From sets to tensors: a batch of scenes at one moment, ready to be traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from footagefit.soundstage import shapes
from footagefit.soundstage.face import Face
from footagefit.soundstage.figures import head
from footagefit.soundstage.heads import CHANNELS, chart
from footagefit.soundstage.materials import Materials
from footagefit.soundstage.sets import ROWS, Set, Thing
from footagefit.soundstage.shadows import Occluders
from footagefit.soundstage.surfaces import Parts

_AWAY = np.array([0.0, -900.0, 0.0])
_TINY = np.full(3, 0.01)
CHART_PX = 160


@dataclass
class Scene:
    """A batch of scenes as tensors."""

    parts: Parts
    materials: Materials
    stand: Occluders
    tint: Tensor  # (B,1,3) mean reflectance of the set: what a bounce takes with it


def scene(sets: Sequence[Set], time_s: float | Sequence[float] = 0.0, *, chart_px: int = CHART_PX,
          device: str | torch.device = "cpu") -> Scene:  # fmt: skip
    """Tensors of several sets at a moment each, padded to the same counts.

    Args:
        sets: What stands there.
        time_s: One moment for all, or one each.
        chart_px: Fineness of faces: directions across a head.
        device: Where the tensors go.
    """
    times = [time_s] * len(sets) if isinstance(time_s, int | float) else list(time_s)
    moments = [made.at(t) for made, t in zip(sets, times, strict=True)]
    where = torch.device(device)

    def of(shape: str) -> list[list[Thing]]:
        return [[t for t in moment if t.shape == shape] for moment in moments]

    heads = _heads(sets, times, chart_px)
    parts = Parts(
        shapes.moved(_planes(sets), where), shapes.moved(_boxes(of("box")), where),
        shapes.moved(_blobs(of("blob")), where), shapes.moved(heads, where),
        shapes.moved(_bushes(of("bush")), where),
    )  # fmt: skip
    stand = _stand(moments, heads)
    tint = [
        np.mean([np.asarray(r["base"], np.float32) for r in made.table], axis=0) for made in sets
    ]
    return Scene(
        parts, _materials(sets, where),
        Occluders(stand.centre.to(where), stand.turn.to(where), stand.radii.to(where)),
        torch.tensor(np.asarray(tint, np.float32))[:, None].to(where),
    )  # fmt: skip


def _stack(rows: list[list[np.ndarray]], count: int, filler: np.ndarray) -> Tensor:
    full = [list(row) + [filler] * (count - len(row)) for row in rows]
    return torch.from_numpy(np.asarray(full, dtype=np.float32))


def _numbers(rows: list[list[float]], count: int, filler: float) -> Tensor:
    full = [list(row) + [filler] * (count - len(row)) for row in rows]
    return torch.tensor(full, dtype=torch.float32)


def _whole(rows: list[list[int]], count: int, filler: int) -> Tensor:
    return torch.tensor([list(row) + [filler] * (count - len(row)) for row in rows])


def _placed(moments: list[list[Thing]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centres, turns, sizes and materials."""
    count = max(1, *(len(m) for m in moments)) if moments else 1
    return (
        _stack([[t.centre for t in m] for m in moments], count, _AWAY),
        _stack([[t.turn for t in m] for m in moments], count, np.eye(3)),
        _stack([[t.size for t in m] for m in moments], count, _TINY),
        _whole([[t.material for t in m] for m in moments], count, 0),
    )


def _blobs(moments: list[list[Thing]]) -> shapes.Blobs:
    centre, turn, size, material = _placed(moments)
    count = centre.shape[1]
    return shapes.Blobs(
        centre, turn, size, material,
        _whole([[t.group for t in m] for m in moments], count, -1),
        _numbers([[t.melt for t in m] for m in moments], count, 0.01),
        _stack([[t.rest for t in m] for m in moments], count, np.zeros(3)),
    )  # fmt: skip


def _boxes(moments: list[list[Thing]]) -> shapes.Boxes:
    return shapes.Boxes(*_placed(moments))


def _bushes(moments: list[list[Thing]]) -> shapes.Bushes:
    centre, turn, size, material = _placed(moments)
    count = centre.shape[1]
    return shapes.Bushes(
        centre, turn, size,
        _numbers([[t.cell for t in m] for m in moments], count, 0.1),
        _numbers([[t.density for t in m] for m in moments], count, 0.0), material,
    )  # fmt: skip


def _planes(sets: Sequence[Set]) -> shapes.Planes:
    count = max(1, *(len(s.planes) for s in sets))
    return shapes.Planes(
        _stack([[p.normal for p in s.planes] for s in sets], count, np.array([0.0, 1.0, 0.0])),
        _numbers([[float(p.offset) for p in s.planes] for s in sets], count, -1.0e9),
        _stack([[p.turn for p in s.planes] for s in sets], count, np.eye(3)),
        _stack([[np.array(p.hole) for p in s.planes] for s in sets], count, np.full(4, -1.0)),
        _whole([[p.material for p in s.planes] for s in sets], count, 0),
    )


def _heads(sets: Sequence[Set], times: Sequence[float], chart_px: int) -> shapes.Heads:
    count = max(1, *(len(s.actors) for s in sets))
    rows: dict[str, list[list[np.ndarray]]] = {k: [] for k in ("at", "turn", "radii")}
    flat = torch.zeros(CHANNELS, chart_px, chart_px)
    flat[0] = 1.0
    charts, faces = [], []
    for made, time_s in zip(sets, times, strict=True):
        posed = [head(a.figure, a.pose(time_s)) for a in made.actors]
        rows["at"].append([p[0] for p in posed])
        rows["turn"].append([p[1] for p in posed])
        rows["radii"].append([p[2] for p in posed])
        own = [chart(a.figure.face, a.figure.hair, chart_px) for a in made.actors]
        faces.append([np.array(a.figure.face) for a in made.actors])
        charts.append(torch.stack(own + [flat] * (count - len(own))))
    return shapes.Heads(
        _stack(rows["at"], count, _AWAY),
        _stack(rows["turn"], count, np.eye(3)),
        _stack(rows["radii"], count, _TINY),
        torch.stack(charts),
        _stack(faces, count, np.zeros(len(Face._fields))),
        _whole([[ROWS * i for i in range(len(s.actors))] for s in sets], count, 0),
    )


def _stand(moments: list[list[Thing]], heads: shapes.Heads) -> Occluders:
    """What throws shadows: boxes become ellipsoids of about their volume."""
    grown = {"box": 1.15, "blob": 0.98}
    throwing = [[t for t in moment if t.shape in grown and t.shadow] for moment in moments]
    centre, turn, _, _ = _placed(throwing)
    size = _stack([[t.size * grown[t.shape] for t in m] for m in throwing], centre.shape[1], _TINY)
    return Occluders(
        torch.cat([centre, heads.centre], 1), torch.cat([turn, heads.turn], 1),
        torch.cat([size, heads.radii * 0.98], 1),
    )  # fmt: skip


def _materials(sets: Sequence[Set], device: torch.device) -> Materials:
    count = max(len(s.table) for s in sets)

    def column(name: str) -> Tensor:
        rows = [[np.asarray(r[name], np.float32) for r in s.table] for s in sets]
        full = [row + [row[0]] * (count - len(row)) for row in rows]
        return torch.from_numpy(np.asarray(full)).to(device)

    return Materials(
        kind=column("kind").long(), base=column("base"), second=column("second"),
        tint=column("tint"), scale=column("scale"), contrast=column("contrast"),
        rough=column("rough"), shine=column("shine"), bump=column("bump"), glow=column("glow"),
    )  # fmt: skip

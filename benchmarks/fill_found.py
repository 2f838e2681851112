"""Found without being told: wires hung by other code, the stage's own, dust, flashes, held frames.

Not a benchmark by itself; see `fill.py`. Overlap is intersection over union with pixels within
2 px taken as the same, over all frames of a shot. Alarms are frames in which anything is found
where nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from fill_holes import Wire
from fill_shots import Shot
from rows import Row
from torch import Tensor

from footagefit.motion.finders import find
from footagefit.training.finder import overlap

NEAR_PX = 2
WIRE_OVERLAP, ALARMS = 0.7, 1 / 50


def rows(shots: Sequence[Shot], real: Sequence[Shot], hung: Sequence[Shot], *,
         seeds: int) -> list[Row]:  # fmt: skip
    """All that is asked of finding.

    Args:
        shots: Clean staged shots.
        real: Real shots that have nothing to find.
        hung: Staged shots with an obstacle that was there.
        seeds: Wires hung in each clean shot.
    """
    made = []
    for name, some in (("staged", shots), ("real", real)):
        if some:
            made += [_wires(name, some, seeds), *_alarms(name, some)]
    made += [_there(shot) for shot in hung]
    return [*made, _dust(shots), *_times(shots)]


def found(kind: str, frames: Sequence[Tensor]) -> list[Tensor]:
    """The masks of a run of frames."""
    return [mask for _, mask in find(kind, lambda n: frames[n], range(len(frames)))]


def _wires(name: str, shots: Sequence[Shot], seeds: int) -> Row:
    """Wires of all widths, dark and bright, still and swaying."""
    scores, table = [], {}
    for at, shot in enumerate(shots):
        mine = []
        for seed in range(seeds):
            wire = Wire(shot.size, seed=1000 * at + seed)
            frames = [wire.hung(plate, n) for n, plate in enumerate(shot.plates)]
            masks = found("wire", frames)
            truth = [wire.cover(n) >= 0.35 for n in range(len(frames))]
            mine.append(_overlap(masks, truth))
        table[shot.name] = float(np.mean(mine))
        scores += mine
    share = float(np.mean([s >= WIRE_OVERLAP for s in scores]))
    mean = float(np.mean(scores))
    beside = {**table, "least": min(scores), "share of wires at 0.7": share}
    return Row(f"{name}: wires found, overlap", "IoU, 2 px", mean, beside, f">= {WIRE_OVERLAP}",
               mean >= WIRE_OVERLAP)  # fmt: skip


def _overlap(masks: Sequence[Tensor], truth: Sequence[Tensor]) -> float:
    """Of a whole shot: frames side by side, far enough apart."""
    gap = np.zeros((masks[0].shape[1], 4 * NEAR_PX), bool)
    both = [np.concatenate([part for m in kind for part in (m[0].numpy() > 0.5, gap)], 1)
            for kind in (masks, [t.float() for t in truth])]  # fmt: skip
    return overlap(both[0], both[1], near_px=NEAR_PX)


def _alarms(name: str, shots: Sequence[Shot]) -> list[Row]:
    made = []
    for kind in ("wire", "boom", "dust", "flash", "drop"):
        frames, wrong, table = 0, 0, {}
        for shot in shots:
            mine = sum(bool(mask.any()) for mask in found(kind, shot.plates))
            table[shot.name] = float(mine)
            frames, wrong = frames + len(shot.plates), wrong + mine
        target = "< 1 in 50" if kind == "wire" else ""
        holds = wrong < ALARMS * frames if kind == "wire" else None
        beside = {"frames": float(frames), **{k: v for k, v in table.items() if v}}
        made.append(Row(f"{name}: frames with a false {kind}", "frames", float(wrong), beside,
                        target, holds))  # fmt: skip
    return made


def _there(shot: Shot) -> Row:
    """A wire or boom that hung on the stage."""
    kind = shot.name.split(",")[0]
    masks = found(kind, shot.plates)
    score = _overlap(masks, [t >= 0.5 for t in shot.things])
    target = f">= {WIRE_OVERLAP}" if kind == "wire" else ""
    holds = score >= WIRE_OVERLAP if target else None
    return Row(f"stage's own {shot.name}: found, overlap", "IoU, 2 px", score, {}, target, holds)


def _dust(shots: Sequence[Shot]) -> Row:
    """Specks of one frame each: how many are found, and how much else is."""
    hits = specks = extra = 0
    for at, shot in enumerate(shots):
        rng = torch.Generator().manual_seed(at)
        truth, frames = [], []
        for plate in shot.plates:
            mask, dirty = _specks(plate, rng)
            truth.append(mask)
            frames.append(dirty)
        for mask, true in zip(found("dust", frames), truth, strict=True):
            there = {int(v) for v in true.unique() if v > 0}
            seen = {int(v) for v in true[mask > 0.5].unique() if v > 0}
            specks, hits = specks + len(there), hits + len(seen)
            extra += int((mask.bool() & (_wide(true) == 0)).any())
    beside = {"specks": float(specks), "frames with more than those": float(extra)}
    return Row("staged: specks of dust found", "share", hits / max(1, specks), beside)


def _specks(plate: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three round specks, light or dark: labels (1,H,W), and the plate with them."""
    height, width = plate.shape[1:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    labels, dirty = torch.zeros(1, height, width), plate.clone()
    level = float(plate.clamp_min(0).median()) + 0.01
    for number in range(1, 4):
        place = torch.rand(4, generator=rng)
        radius = 1.0 + 2.5 * float(place[2])
        off = torch.hypot(x - float(place[0]) * width, y - float(place[1]) * height)
        cover = (radius + 0.5 - off).clamp(0, 1)
        light = level * (8.0 if place[3] > 0.5 else 0.05)
        dirty = dirty * (1 - cover) + light * cover
        labels[0][cover > 0.5] = number
    return labels, dirty


def _wide(labels: Tensor) -> Tensor:
    return torch.nn.functional.max_pool2d(labels[None], 9, 1, 4)[0]


def _times(shots: Sequence[Shot]) -> list[Row]:
    """Flashes and held frames put into each shot."""
    made = []
    ways: dict[str, Callable[[Shot, int], Tensor]] = {
        "flash": lambda shot, n: shot.plates[n] * (1.8 if n == 7 else 1.0),
        "drop": lambda shot, n: shot.plates[6 if n == 7 else n],
    }
    for kind, way in ways.items():
        right = wrong = 0
        for shot in shots:
            frames = [way(shot, n) for n in range(len(shot.plates))]
            holes = [n for n, mask in enumerate(found(kind, frames)) if mask.any()]
            right, wrong = right + (7 in holes), wrong + sum(n != 7 for n in holes)
        name = "flashes" if kind == "flash" else "held frames"
        beside = {"shots": float(len(shots)), "false": float(wrong)}
        made.append(Row(f"staged: {name} found", "share", right / max(1, len(shots)), beside))
    return made

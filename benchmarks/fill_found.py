"""Found without being told: wires hung by other code, the stage's own, dust, flashes, held frames.

Not a benchmark by itself; see `fill.py`. Overlap is intersection over union with pixels within
2 px taken as the same, over all frames of a shot. Alarms are frames in which anything is found
where nothing is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from fill_holes import Wire
from fill_shots import Shot, kept
from rows import Row
from torch import Tensor

from footagefit.motion.finders import KINDS, WEIGHTS, find
from footagefit.training.finder import overlap

NEAR_PX = 2
_AT = 7  # the frame that flashes, or is held
WIRE_OVERLAP, ALARMS = 0.7, 1 / 50


def rows(shots: Sequence[Shot], real: Sequence[Shot], hung: Sequence[Shot], *, seeds: int,
         work: Path) -> list[Row]:  # fmt: skip
    """All that is asked of finding.

    Args:
        shots: Clean staged shots.
        real: Real shots that have nothing to find.
        hung: Staged shots with an obstacle that was there.
        seeds: Wires hung in each clean shot.
        work: Where what was worked out is kept, by the finder's weights.
    """
    work = work / hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:12]
    made = []
    for name, some in (("staged", shots), ("real", real)):
        if some:
            made += [_wires(name, some, seeds, work), *_alarms(name, some, work)]
    for shot in hung:
        made.append(_there(shot, work))
    return [*made, _dust(shots, work), *_times(shots, work)]


def found(kind: str, frames: Sequence[Tensor]) -> list[Tensor]:
    """The masks of a run of frames."""
    return [mask for _, mask in find(kind, lambda n: frames[n], range(len(frames)))]


def _wires(name: str, shots: Sequence[Shot], seeds: int, work: Path) -> Row:
    """Wires of all widths, dark and bright, still and swaying."""
    scores: list[float] = []
    table = {}
    for at, shot in enumerate(shots):
        mine = []
        for seed in range(1000 * at, 1000 * at + seeds):
            job = partial(_hung, shot, seed)
            mine.append(float(kept(work / f"wire_{shot.key}_{seed}.json", job)))
        table[shot.name] = float(np.mean(mine))
        scores += mine
    share = float(np.mean([s >= WIRE_OVERLAP for s in scores]))
    mean = float(np.mean(scores))
    beside = {**table, "least": min(scores), "share of wires at 0.7": share}
    return Row(f"{name}: wires found, overlap", "IoU, 2 px", mean, beside, f">= {WIRE_OVERLAP}",
               mean >= WIRE_OVERLAP)  # fmt: skip


def _hung(shot: Shot, seed: int) -> float:
    """A shot's frames with one wire: how well that is found."""
    wire = Wire(shot.size, seed=seed)
    frames = [wire.hung(plate, n) for n, plate in enumerate(shot.plates)]
    return _overlap(found("wire", frames), [wire.cover(n) >= 0.35 for n in range(len(frames))])


def _overlap(masks: Sequence[Tensor], truth: Sequence[Tensor]) -> float:
    """Of a whole shot: frames side by side, far enough apart."""
    gap = np.zeros((masks[0].shape[1], 4 * NEAR_PX), bool)
    both = [np.concatenate([part for m in kind for part in (m[0].numpy() > 0.5, gap)], 1)
            for kind in (masks, [t.float() for t in truth])]  # fmt: skip
    return overlap(both[0], both[1], near_px=NEAR_PX)


def _alarms(name: str, shots: Sequence[Shot], work: Path) -> list[Row]:
    made = []
    for kind in KINDS:
        table = {shot.name: int(kept(work / f"alarms_{kind}_{shot.key}.json",
                                     partial(_alarmed, shot, kind))) for shot in shots}  # fmt: skip
        frames, wrong = sum(len(shot.plates) for shot in shots), sum(table.values())
        target = "< 1 in 50" if kind == "wire" else ""
        holds = wrong < ALARMS * frames if kind == "wire" else None
        beside = {"frames": float(frames), **{k: float(v) for k, v in table.items() if v}}
        made.append(Row(f"{name}: frames with a false {kind}", "frames", float(wrong), beside,
                        target, holds))  # fmt: skip
    return made


def _alarmed(shot: Shot, kind: str) -> int:
    return sum(bool(mask.any()) for mask in found(kind, shot.plates))


def _there(shot: Shot, work: Path) -> Row:
    """A wire or boom that hung on the stage."""
    kind = shot.name.split(",")[0]
    truth = [t >= 0.5 for t in shot.things]
    score = float(kept(work / f"there_{shot.key}.json",
                       lambda: _overlap(found(kind, shot.plates), truth)))  # fmt: skip
    target = f">= {WIRE_OVERLAP}" if kind == "wire" else ""
    holds = score >= WIRE_OVERLAP if target else None
    return Row(f"stage's own {shot.name}: found, overlap", "IoU, 2 px", score, {}, target, holds)


def _dust(shots: Sequence[Shot], work: Path) -> Row:
    """Specks of one frame each: how many are found, and how much else is."""
    told = [kept(work / f"dust_{shot.key}.json", partial(_dusty, shot)) for shot in shots]
    hits, specks, extra = (sum(row[i] for row in told) for i in range(3))
    beside = {"specks": float(specks), "frames with more than those": float(extra)}
    return Row("staged: specks of dust found", "share", hits / max(1, specks), beside)


def _dusty(shot: Shot) -> list[int]:
    """Specks found, specks there, and frames in which more was found."""
    rng = torch.Generator().manual_seed(len(shot.plates))
    drawn = [_specks(plate, rng) for plate in shot.plates]
    hits = specks = extra = 0
    for mask, (true, _) in zip(found("dust", [d for _, d in drawn]), drawn, strict=True):
        there = {int(v) for v in true.unique() if v > 0}
        seen = {int(v) for v in true[mask > 0.5].unique() if v > 0}
        specks, hits = specks + len(there), hits + len(seen)
        extra += int((mask.bool() & (_wide(true) == 0)).any())
    return [hits, specks, extra]


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


def _times(shots: Sequence[Shot], work: Path) -> list[Row]:
    """Flashes and held frames put into each shot."""
    made = []
    for kind, name in (("flash", "flashes"), ("drop", "held frames")):
        told = [kept(work / f"{kind}_{shot.key}.json", partial(_timed, shot, kind))
                for shot in shots]  # fmt: skip
        right, wrong = (sum(row[i] for row in told) for i in range(2))
        beside = {"shots": float(len(shots)), "false": float(wrong)}
        made.append(Row(f"staged: {name} found", "share", right / max(1, len(shots)), beside))
    return made


def _timed(shot: Shot, kind: str) -> list[int]:
    """Whether the frame that flashes, or is held, is found, and how many others are."""
    frames = list(shot.plates)
    frames[_AT] = frames[_AT] * 1.8 if kind == "flash" else frames[_AT - 1]
    holes = [n for n, mask in enumerate(found(kind, frames)) if mask.any()]
    return [int(_AT in holes), sum(n != _AT for n in holes)]

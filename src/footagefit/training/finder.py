"""Teach the finder of wires, booms and dust on the soundstage: how its shipped weights are made.

    python -m footagefit.training.finder out=<folder> scenes=240 steps=2000

Goes on where it stopped; writes `finder.safetensors` (half precision) and `finder.json`, its card.
What belongs here: its examples and its numbers. What does not: the net (`motion/finder_net.py`),
what it is shown (`motion/evidence.py`), the loop (`teaching.py`), footage and things drawn for it
(`finder_footage.py`, `finder_things.py`).

Shapes: B batch, T frames, C channels, H rows, W columns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.motion.evidence import SWAPPED, evidence
from footagefit.motion.finder_net import KINDS, FinderNet
from footagefit.motion.finders import judged, seen_as
from footagefit.soundstage.training import Cache
from footagefit.tasks.draws import chance, choice, generator, normal
from footagefit.training.finder_footage import footage, recorded
from footagefit.training.finder_things import Thing, boom, dust, wires
from footagefit.training.teaching import Course, Lesson, asked, taught, written

HELD_OUT_SEED = 1_000_003
SIZE_PX = (192, 256)
_SCENE_PX = (256, 336)
_TOGETHER, _LIGHTS = 8, 2
_POOL, _FRESH = 256, 2  # examples at hand, and how many of them are new with each step
_SAVE_EVERY = 150
_LEAST_EV = 0.1  # what differs less from what is behind it nobody can see
_SHOWN = 0.35  # coverage from which a pixel is to be found
_ODDS = {"wire": 0.42, "boom": 0.2, "dust": 0.16}  # else a clean frame


LESSON = Lesson(
    out="base_work/finder", scenes=480, steps=4600, batch=8, width=16, rate=2e-3
)  # the one that the shipped weights were taught by


class Scenes:
    """Lit stage scenes with how near each pixel is, from a cache.

    Args:
        folder: Where they are kept.
        seed: Of the scenes.
        count: How many.
    """

    def __init__(self, folder: Path, *, seed: int, count: int) -> None:
        self._cache = Cache(folder, seed=seed, count=_TOGETHER, size_px=_SCENE_PX, lights=_LIGHTS)
        self._count = count
        self._held: dict[int, dict[str, Tensor]] = {}

    def scene(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One of them at a usual exposure: `light` (h,w,3), `near` (h,w) in 0..1."""
        number = int(rng.integers(self._count))
        index, at = divmod(number, _TOGETHER)
        if index not in self._held:
            kept = self._cache.batch(index)
            self._held[index] = {n: kept[n] for n in ("images", "depth")}
        kept = self._held[index]
        light = kept["images"][at, int(rng.integers(_LIGHTS))].float().clamp(0.0, 100.0)
        light = light * (0.18 / float(light.mean().clamp_min(1e-3))) * 2.0 ** rng.normal()
        depth = kept["depth"][at, 0].float()
        near = torch.where(depth > 0, 1.0 / depth.clamp_min(0.1), torch.zeros_like(depth))
        near = (near - near.amin()) / (near.amax() - near.amin()).clamp_min(1e-6)
        return {"light": light.permute(1, 2, 0).contiguous().numpy(), "near": near.numpy()}


def example(scenes: Scenes, rng: np.random.Generator, draws: torch.Generator) -> dict[str, Tensor]:
    """What is seen of a frame (C,H,W), what is to be found (3,H,W), and what counts (3,H,W)."""
    frames, doubt = footage(rng, scenes.scene(rng), scenes.scene(rng), SIZE_PX)
    things = _things(rng, float(np.median(frames)) + 0.01)
    truth = np.zeros((len(KINDS), *SIZE_PX), np.float32)
    without = frames[1]
    for thing in things:
        share = thing.cover_THW[..., None]
        frames = frames * (1 - share) + thing.light_THWC * share
        at = KINDS.index(thing.kind)
        truth[at] = np.maximum(truth[at], thing.cover_THW[1])
    shot = recorded(rng, frames, draws)
    counts = np.ones_like(truth)
    change = np.abs(np.log2(frames[1] + 0.01) - np.log2(without + 0.01)).max(-1)
    counts[(truth >= _SHOWN) & (change < _LEAST_EV)[None]] = 0.0
    counts[0][(doubt[1] > 0.05) & (truth[0] < _SHOWN)] = 0.0
    counts[(truth > 0.08) & (truth < _SHOWN)] = 0.2  # edges may fall either way
    order = (0, 1, 2) if rng.random() < 0.5 else (2, 1, 0)
    if rng.random() < 0.06:  # a shot's head or end
        order = (2, 1, 2)
    seen = evidence(*(shot[t] for t in order))
    wanted = torch.from_numpy((truth >= _SHOWN).astype(np.float32))
    return {"seen": seen, "truth": wanted, "counts": torch.from_numpy(counts)}


def _things(rng: np.random.Generator, level: float) -> list[Thing]:
    odds = [*_ODDS.values(), 1.0 - sum(_ODDS.values())]
    kind = int(rng.choice(4, p=odds))
    if kind == 0:
        return wires(rng, SIZE_PX, level)
    if kind == 3:
        return []
    return [(boom, dust)[kind - 1](rng, SIZE_PX, level)]


class Pool:
    """Examples at hand, a few of them new with each step; what it holds follows from the step.

    An example costs as much as a third of a step, and bears being seen again, mirrored and with its
    neighbours exchanged.

    Args:
        scenes: Behind them.
        lesson: Its seed and batch.
    """

    def __init__(self, scenes: Scenes, lesson: Lesson) -> None:
        self._scenes, self._lesson = scenes, lesson
        self._held: dict[int, dict[str, Tensor]] = {}

    def batch(self, step: int) -> dict[str, Tensor]:
        """A step's batch: its new examples and others, as a function of the step alone."""
        first = _FRESH * step
        self._held = {n: e for n, e in self._held.items() if n >= first}
        draws = generator(self._lesson.seed, step, 45)
        fresh = range(first + _POOL - _FRESH, first + _POOL)
        rest = [first + choice(draws, _POOL) for _ in range(self._lesson.batch - _FRESH)]
        chosen = [_varied(self._example(n), draws) for n in (*fresh, *rest)]
        return {name: torch.stack([each[name] for each in chosen]) for name in chosen[0]}

    def _example(self, number: int) -> dict[str, Tensor]:
        if number not in self._held:
            rng = np.random.default_rng([self._lesson.seed, number, 43])
            made = example(self._scenes, rng, generator(self._lesson.seed, number, 44))
            self._held[number] = {name: tensor.half() for name, tensor in made.items()}
        return self._held[number]


def _varied(kept: dict[str, Tensor], draws: torch.Generator) -> dict[str, Tensor]:
    """An example mirrored, its neighbours exchanged, its evidence a little stronger or weaker."""
    made = {name: tensor.float() for name, tensor in kept.items()}
    if chance(draws, 0.5):
        made = {name: tensor.flip(2) for name, tensor in made.items()}
    seen = made["seen"]
    if chance(draws, 0.5):
        seen = seen[list(SWAPPED)]
    strength = 1.0 + 0.12 * normal(draws, seen.shape[0], 1, 1)
    strength[-1] = 1.0  # the border is where it is
    return {**made, "seen": seen * strength}


def loss_of(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross entropy in which what is to be found weighs more, and overlap where there is any."""
    truth, counts = batch["truth"], batch["counts"]
    weight = counts * (1.0 + 3.0 * truth)
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    hard = (torch.sigmoid(logits.detach()) - truth).abs()
    entropy = (each * weight * (0.1 + hard)).sum((0, 2, 3)) / weight.sum((0, 2, 3))
    found = torch.sigmoid(logits) * counts
    both = (found * truth).sum((2, 3))
    overlap = 1.0 - (2 * both + 20.0) / (found.sum((2, 3)) + truth.sum((2, 3)) + 20.0)
    there = (truth.sum((2, 3)) > 0).float()
    return 20.0 * entropy.sum() + (overlap * there).sum() / there.sum().clamp_min(1.0)


def teach(lesson: Lesson) -> Path:
    """Train, or go on training; returns the file of weights."""
    folder = Path(lesson.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(lesson.seed)
    net = FinderNet(width=lesson.width)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    pool = Pool(Scenes(folder, seed=lesson.seed, count=lesson.scenes), lesson)

    def loss(step: int) -> Tensor:
        batch = pool.batch(step)
        return loss_of(net(batch["seen"].to(memory_format=torch.channels_last)), batch)

    course = Course("finder", loss, decay=0.995, save_every=_SAVE_EVERY, orthogonal=True)
    minutes = taught(net, lesson, course)
    return _written(net.eval(), lesson, folder, minutes)


def numbers_of(net: FinderNet, scenes: Scenes, lesson: Lesson, *, count: int = 120) -> dict:
    """Overlap with the truth by kind, and false alarms, on scenes that were not learnt from."""
    overlaps: dict[str, list[float]] = {kind: [] for kind in KINDS}
    missed = dict.fromkeys(KINDS, 0)
    clean, alarms = 0, dict.fromkeys(KINDS, 0)
    for number in range(count):
        rng = np.random.default_rng([lesson.seed, 1_000_000, number, 43])
        made = example(scenes, rng, generator(lesson.seed, 1_000_000, number, 44))
        with torch.no_grad():
            likely = torch.sigmoid(net(made["seen"][None]))[0]
        there = [kind for at, kind in enumerate(KINDS) if made["truth"][at].any()]
        clean += not there
        for at, kind in enumerate(KINDS):
            mask = judged(kind, seen_as(likely[at], made["seen"]))
            if kind in there:
                overlaps[kind].append(overlap(mask, made["truth"][at].numpy() > 0.5, near_px=2))
                missed[kind] += not mask.any()
            elif not there and (mask & (made["counts"][at].numpy() > 0)).any():
                alarms[kind] += 1
    return {
        "overlap": {k: round(float(np.mean(v)), 3) for k, v in overlaps.items() if v},
        "overlap_median": {k: round(float(np.median(v)), 3) for k, v in overlaps.items() if v},
        "missed": {k: f"{missed[k]} of {len(overlaps[k])}" for k in KINDS},
        "false_alarms": {k: f"{alarms[k]} of {clean}" for k in KINDS},
    }


def overlap(found_HW: np.ndarray, truth_HW: np.ndarray, *, near_px: int) -> float:
    """Intersection over union, pixels within `near_px` of each other taken as the same."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * near_px + 1, 2 * near_px + 1))
    wide_found, wide_truth = (cv2.dilate(m.astype(np.uint8), disc) > 0
                              for m in (found_HW, truth_HW))  # fmt: skip
    hits = int((found_HW & wide_truth).sum())
    rest = int((found_HW & ~wide_truth).sum()) + int((truth_HW & ~wide_found).sum())
    return hits / max(1, hits + rest)


def _written(net: FinderNet, lesson: Lesson, folder: Path, minutes: float) -> Path:
    scenes = Scenes(folder, seed=lesson.seed + HELD_OUT_SEED, count=40)
    card = {
        "what": "the finder of wires, booms and dust",
        "taught_on": "the soundstage's wild scenes in motion, things and set dressing drawn on",
        "lesson": lesson.plain, "processor_minutes": round(minutes, 1),
        "held_out": numbers_of(net, scenes, lesson),
        "overlap": "of masks as found, pixels within 2 px taken as the same",
    }  # fmt: skip
    return written(net, folder / "finder.safetensors", card)


if __name__ == "__main__":
    asked(teach, LESSON)

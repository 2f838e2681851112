"""Teach the net that tells what differs between takes: how its shipped weights are made.

    python -m footagefit.training.differing out=<folder> scenes=72 steps=2400

Films what it needs first (ten minutes and more on two cores for each ten shows), goes on where it
stopped; writes `differing.safetensors` (half precision) and `differing.json`, its card.
What belongs here: the lesson and its numbers. What does not: the net and what it is shown
(`catalogue/differing_net.py`, `differing.py`), the takes (`differing_takes.py`), the loop
(`teaching.py`).

Shapes: B batch, N examples, C channels, H rows, W columns, h and w cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.catalogue.differing_net import CELL_PX, KINDS, DifferingNet, present
from footagefit.training.differing_takes import SIZE_PX, Examples, kept
from footagefit.training.teaching import Course, Lesson, asked, gathered, taught, written

HELD_OUT = 8  # shows after those that are learnt from
_SAVE_EVERY = 100
_FALSE = 0.01  # of clean pairs that a limit may take for faulty, for the card
_ZOOM = (0.8, 1.25)
_RARE_WEIGHT, _CELLS_WEIGHT = 4.0, 10.0

LESSON = Lesson(
    out="base_work/differing", scenes=72, steps=2400, batch=8, width=16, rate=2e-3
)  # the one that the shipped weights were taught by


class Takes:
    """Examples of several shows, in memory.

    Args:
        shows: Theirs.
    """

    def __init__(self, shows: Sequence[Examples]) -> None:
        self._shows = shows
        self._at = [(i, n) for i, show in enumerate(shows) for n in range(len(show.kinds_N))]
        self.kinds = np.concatenate([show.kinds_N for show in shows])

    def __len__(self) -> int:
        return len(self._at)

    def example(self, number: int) -> tuple[Tensor, Tensor]:
        """Evidence (C,H,W) and truth by kind (4,H,W) of one."""
        show, at = self._at[number]
        truth = torch.zeros(len(KINDS), *SIZE_PX)
        if self.kinds[number] >= 0:
            truth[self.kinds[number]] = torch.from_numpy(self._shows[show].truth_NHW[at]).float()
        return torch.from_numpy(self._shows[show].shown(at)), truth


def filmed(folder: Path, numbers: Sequence[int]) -> Takes:
    """The takes of some shows, filmed where they are not kept yet."""
    return Takes(gathered(kept, folder, numbers))


def batch_of(takes: Takes, step: int, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """Evidence (B,C,H,W) and truth by kind (B,4,h,w): a function of the step alone."""
    rng = np.random.default_rng([lesson.seed, step, 51])
    chosen = []
    for number in rng.integers(0, len(takes), lesson.batch):
        example = takes.example(int(number))
        mirrored = rng.random() < 0.5
        turned = [t.flip(2) if mirrored else t for t in example]
        chosen.append(_nearer(turned[0], turned[1], rng))
    evidence, truth = (torch.stack(parts) for parts in zip(*chosen, strict=True))
    return evidence, F.max_pool2d(truth, CELL_PX)


def _nearer(evidence: Tensor, truth: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The same seen from nearer, a part of it, or from further off, with nothing about it."""
    zoom = rng.uniform(*_ZOOM)
    height, width = SIZE_PX
    if zoom > 1:
        size = (int(height / zoom), int(width / zoom))
        y, x = (
            int(rng.integers(0, full - part + 1)) for full, part in zip(SIZE_PX, size, strict=True)
        )
        evidence, truth = (t[:, y : y + size[0], x : x + size[1]] for t in (evidence, truth))
        near = F.interpolate(evidence[None], SIZE_PX, mode="bilinear", align_corners=False)[0]
        return near, F.interpolate(truth[None], SIZE_PX)[0]
    size = (int(height * zoom), int(width * zoom))
    about = (0, width - size[1], 0, height - size[0])
    far = F.interpolate(evidence[None], size, mode="area")[0]
    return F.pad(far, about), F.pad(F.interpolate(truth[None], size)[0], about)


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy of cells, in which what is there weighs more, and of whole pictures."""
    rare = torch.full((1, 1, 1), _RARE_WEIGHT)
    cells = F.binary_cross_entropy_with_logits(logits, truth, pos_weight=rare)
    there = truth.amax((2, 3))
    return _CELLS_WEIGHT * cells + F.binary_cross_entropy_with_logits(present(logits), there)


def teach(lesson: Lesson) -> Path:
    """Train, or go on training; returns the file of weights."""
    folder = Path(lesson.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(lesson.seed)
    net = DifferingNet(width=lesson.width)
    takes = filmed(folder, range(lesson.scenes))

    def loss(step: int) -> Tensor:
        evidence, truth = batch_of(takes, step, lesson)
        return loss_of(net(evidence), truth)

    course = Course("differing", loss, decay=0.998, save_every=_SAVE_EVERY, orthogonal=True)
    minutes = taught(net, lesson, course)
    return _written(net.eval(), lesson, folder, minutes)


def numbers_of(net: DifferingNet, takes: Takes) -> dict[str, str]:
    """By kind, how many are told where one in a hundred others is taken for it."""
    sure = []
    with torch.no_grad():
        for number in range(len(takes)):
            evidence, _ = takes.example(number)
            sure.append(present(net(evidence[None]))[0].numpy())
    sure_NK = np.stack(sure)
    told = {}
    for at, kind in enumerate(KINDS):
        there, others = takes.kinds == at, (takes.kinds != at) & (takes.kinds > -2)
        if there.any():
            limit = np.quantile(sure_NK[others, at], 1 - _FALSE)
            right = int((sure_NK[there, at] > limit).sum())
            told[kind] = f"{right} of {int(there.sum())} (limit {limit:.2f})"
    return told


def _written(net: DifferingNet, lesson: Lesson, folder: Path, minutes: float) -> Path:
    takes = filmed(folder, range(lesson.scenes, lesson.scenes + HELD_OUT))
    card = {
        "what": "tells props, booms, wardrobe and wires that differ between aligned takes",
        "taught_on": "takes of the soundstage's demo shows, filmed with and without each",
        "lesson": lesson.plain, "processor_minutes": round(minutes, 1),
        "held_out": numbers_of(net, takes),
        "held_out_is": f"pairs of shows not learnt from; a limit that {_FALSE:.0%} of others pass",
    }  # fmt: skip
    return written(net, folder / "differing.safetensors", card)


if __name__ == "__main__":
    asked(teach, LESSON)

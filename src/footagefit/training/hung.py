"""Teach the net that finds wires which only one of two aligned takes has.

    python -m footagefit.training.hung out=<folder> scenes=38 steps=3600

Films what it needs first (a minute a show), goes on where it stopped; writes `hung.safetensors`
(half precision) and `hung.json`, its card.
What belongs here: wires drawn onto takes, the lesson, its numbers. What does not: the net and what
it is shown (`catalogue/hung_net.py`, `hung_evidence.py`), the takes (`hung_takes.py`), the loop
(`teaching.py`).

Shapes: B batch, N moments, C channels, H rows, W columns, h and w cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.catalogue.differing_net import CELL_PX
from footagefit.catalogue.hung_net import HungNet, shown
from footagefit.training.finder_things import hanging_curve, stroke
from footagefit.training.hung_takes import kept, stops_of
from footagefit.training.teaching import Course, Lesson, asked, gathered, taught, written

HELD_OUT = 4  # shows after those that are learnt from
_SAVE_EVERY = 100
_WIRED = 0.75  # how often a wire is drawn
_ZOOM = (1.0, 1.6)  # seen from so much nearer
_SEEN = 0.2  # of a cell that a wire must cover, at its thickest
_RARE_WEIGHT = 6.0
_ASTRAY, _ASTRAY_PX, _ASTRAY_EV = 0.3, 1.5, 0.4  # how often a hero lies wrong, and how much
_COLOURLESS = 0.35  # of wires; of as many more colours are blurred
_UPRIGHT = 0.6  # how often a wire hangs more or less down

LESSON = Lesson(
    out="base_work/hung", scenes=38, steps=3600, batch=4, width=16, rate=2e-3
)  # the one that the shipped weights were taught by


def filmed(folder: Path, numbers: Sequence[int]) -> np.ndarray:
    """The moments of some shows (N,7,H,W), filmed where they are not kept yet."""
    return np.concatenate(gathered(kept, folder, numbers))


def batch_of(moments: np.ndarray, step: int, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """Evidence (B,10,H,W) and where wires are (B,1,h,w): a function of the step alone."""
    rng = np.random.default_rng([lesson.seed, step, 53])
    made = [
        example(stops_of(moments[int(rng.integers(len(moments)))]), rng)
        for _ in range(lesson.batch)
    ]
    evidence, cover = (torch.stack(parts) for parts in zip(*made, strict=True))
    return evidence, (F.max_pool2d(cover, CELL_PX) > _SEEN).float()


def example(
    stops_CHW: np.ndarray, rng: np.random.Generator, *, wired: bool | None = None
) -> tuple[Tensor, Tensor]:
    """A moment, mirrored and seen from nearer by chance, and what a wire covers of it (1,H,W)."""
    if rng.random() < 0.5:
        stops_CHW = stops_CHW[:, :, ::-1]
    if rng.random() < 0.3:  # the take for the hero: what is missing is no wire either
        stops_CHW = stops_CHW[[3, 4, 5, 0, 1, 2, 6]]
    stops_CHW = _nearer(stops_CHW, rng)
    if rng.random() < _ASTRAY:
        stops_CHW[3:6] = _astray(stops_CHW[3:6], rng)
    cover = np.zeros(stops_CHW.shape[1:], np.float32)
    if rng.random() < _WIRED if wired is None else wired:
        cover = _drawn(stops_CHW, rng)
    evidence = shown(stops_CHW)
    return torch.from_numpy(evidence), torch.from_numpy(cover * stops_CHW[6])[None]


def _nearer(stops_CHW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    import cv2

    zoom = float(rng.uniform(*_ZOOM)) if rng.random() < 0.5 else 1.0
    height, width = stops_CHW.shape[1:]
    rows, columns = int(height / zoom), int(width / zoom)
    y, x = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    part = stops_CHW[:, y : y + rows, x : x + columns]
    return np.stack([cv2.resize(np.ascontiguousarray(p), (width, height)) for p in part])


def _astray(hero_CHW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A hero brought onto its take a few pixels wrong here and there, lit a little otherwise."""
    import cv2

    height, width = hero_CHW.shape[1:]

    def smooth(most: float) -> np.ndarray:
        coarse = rng.normal(0, 1, (int(rng.integers(2, 6)), int(rng.integers(3, 9))))
        field = cv2.resize(
            coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        return field * np.float32(most * rng.random())

    y, x = np.mgrid[:height, :width].astype(np.float32)
    across, down = x + smooth(_ASTRAY_PX), y + smooth(_ASTRAY_PX)
    wrong = [cv2.remap(p, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
             for p in hero_CHW]  # fmt: skip
    wrong[0] = wrong[0] + smooth(_ASTRAY_EV)
    return np.stack(wrong)


def _drawn(stops_CHW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hang a wire before a take, in place; what it covers (H,W).

    Codecs halve the size of colours, and what is out of focus lets the set shine through: of some
    wires no colour is left, of others a trace beside them.
    """
    import cv2

    size = stops_CHW.shape[1:]
    width = 0.55 * 6 ** rng.random()
    curve = hanging_curve(rng, size) if rng.random() > _UPRIGHT else _upright(rng, size)
    cover = np.clip(stroke(curve, size, width), 0.0, 1.0) * rng.uniform(0.5, 1.0)
    level = float(np.median(stops_CHW[0]))
    bright = rng.random() < 0.25
    wire = level + (rng.uniform(0.5, 2.5) if bright else rng.uniform(-3.5, -0.3))
    tint = rng.normal(0, 0.15, 2)
    behind, before = 2.0 ** stops_CHW[0] * (1 - cover), 2.0**wire * cover
    share = before / (behind + before)
    stops_CHW[0] = np.log2(behind + before)
    kept = rng.random()
    if kept < _COLOURLESS:
        return cover
    if kept < 2 * _COLOURLESS:
        share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.2)
    for plane, colour in zip(stops_CHW[1:3], tint, strict=True):
        plane += share * (colour - plane)
    return cover


def _upright(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Points (N,2) of a wire from above the frame to below it."""
    height, width = size
    top = rng.uniform(0, width)
    lean = np.tan(np.radians(rng.uniform(-30, 30))) * height
    t = np.linspace(-0.05, 1.05, 33)[:, None]
    bend = float(rng.normal() * 0.02) * width * 4 * t * (1 - t)
    return np.concatenate([top + lean * t + bend, height * t], 1)


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy of cells, in which what is there weighs more."""
    rare = torch.full((1, 1, 1), _RARE_WEIGHT)
    return F.binary_cross_entropy_with_logits(logits, truth, pos_weight=rare)


def teach(lesson: Lesson) -> Path:
    """Train, or go on training; returns the file of weights."""
    folder = Path(lesson.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(lesson.seed)
    net = HungNet(width=lesson.width)
    moments = filmed(folder, range(lesson.scenes))

    def loss(step: int) -> Tensor:
        evidence, truth = batch_of(moments, step, lesson)
        return loss_of(net(evidence), truth)

    course = Course("hung", loss, decay=0.998, save_every=_SAVE_EVERY, orthogonal=True)
    minutes = taught(net, lesson, course)
    return _written(net.eval(), lesson, folder, minutes)


def numbers_of(
    net: HungNet, moments: np.ndarray, lesson: Lesson, *, steps: int = 20
) -> dict[str, float]:
    """Of cells, on moments not learnt from: precision and recall at even odds."""
    hits = told = there = 0.0
    with torch.no_grad():
        for step in range(steps):
            evidence, truth = batch_of(moments, 1_000_000 + step, lesson)
            said = (net(evidence) > 0).float()
            hits += float((said * truth).sum())
            told += float(said.sum())
            there += float(truth.sum())
    return {"precision": round(hits / max(told, 1), 3), "recall": round(hits / max(there, 1), 3)}


def _written(net: HungNet, lesson: Lesson, folder: Path, minutes: float) -> Path:
    moments = filmed(folder, range(lesson.scenes, lesson.scenes + HELD_OUT))
    card = {
        "what": "finds wires that a take has and its hero has not, moment by moment",
        "taught_on": "takes of the soundstage's demo shows, wires drawn onto them",
        "lesson": lesson.plain, "processor_minutes": round(minutes, 1),
        "held_out": numbers_of(net, moments, lesson),
        "held_out_is": "cells of 2 x 2 pixels, shows not learnt from",
    }  # fmt: skip
    return written(net, folder / "hung.safetensors", card)


if __name__ == "__main__":
    asked(teach, LESSON)

"""Teach the net that tells how far a key turned between takes: how its weights are made.

    python -m footagefit.training.turned out=<folder> scenes=250 steps=9000

Films what it needs first (a quarter of a minute a show), goes on where it stopped; writes
`turned.safetensors` (half precision) and `turned.json`, its card.
What belongs here: what cameras make of the takes, the lesson, its numbers. What does not: the net
and what it is shown (`catalogue/turned_net.py`, `turned.py`), the takes (`turned_takes.py`), the
loop (`teaching.py`).

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.catalogue.turned import evidence
from footagefit.catalogue.turned_net import SIZE_PX, TurnedNet
from footagefit.soundstage.sensor import GREY
from footagefit.training.teaching import Course, Lesson, asked, gathered, taught, written
from footagefit.training.turned_takes import LIGHTS, Turned, kept

HELD_OUT = 12  # shows after those that are learnt from
_SAVE_EVERY = 250
_AS_IT_STOOD = 0.4  # how often the key did not move
_SAME_TAKE = 0.1  # how often the very frames are held beside each other
_TURNED_DEG, _STOOD_DEG = 30.0, 12.0  # from which a key turned, up to which it stood

LESSON = Lesson(
    out="base_work/turned", scenes=250, steps=9000, batch=16, width=24, rate=2e-3
)  # the one that the shipped weights were taught by


class Setups:
    """Set-ups of several shows, in memory.

    Args:
        shows: Theirs.
    """

    def __init__(self, shows: Sequence[Turned]) -> None:
        self.light = np.concatenate([s.light_NPLCHW for s in shows])
        self.ways = np.concatenate([s.ways_NPL3 for s in shows])

    def __len__(self) -> int:
        return len(self.light)


def filmed(folder: Path, numbers: Sequence[int]) -> Setups:
    """The set-ups of some shows, filmed where they are not kept yet."""
    return Setups(gathered(kept, folder, numbers))


def batch_of(setups: Setups, step: int, lesson: Lesson) -> dict[str, Tensor]:
    """Evidence (B,8,H,W), both ways (B,3) and degrees between (B): a function of the step alone."""
    rng = np.random.default_rng([lesson.seed, step, 52])
    made = [_example(setups, int(rng.integers(len(setups))), rng) for _ in range(lesson.batch)]
    return {name: torch.stack([m[name] for m in made]) for name in made[0]}


def _example(setups: Setups, number: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """A pair of takes, as their cameras recorded them, laid over each other nearly."""
    one_of, other_of = (0, 0) if rng.random() < _SAME_TAKE else rng.permutation(2)
    here = int(rng.integers(LIGHTS)) if rng.random() < 0.5 else 0
    there = here if rng.random() < _AS_IT_STOOD else int(rng.integers(LIGHTS))
    shown = [
        torch.from_numpy(setups.light[number, p, k].astype(np.float32))
        for p, k in ((one_of, here), (other_of, there))
    ]
    ways = [
        torch.from_numpy(setups.ways[number, p, k]) for p, k in ((one_of, here), (other_of, there))
    ]
    level = float(shown[0].mean(0).median().clamp_min(1e-4))
    exposed = 2.0 ** rng.uniform(-1.5, 1.3) * GREY / level
    clip = rng.choice((1.0, 1.25, 4.0))
    otherwise = _otherwise(rng)
    one = _recorded(shown[0] * exposed, rng, clip)
    other = _recorded(otherwise(shown[1] * exposed), rng, clip)
    other, inside = _off(other, rng)
    if rng.random() < 0.5:
        one, other, inside = (t.flip(-1) for t in (one, other, inside))
        ways = [way * way.new_tensor([-1.0, 1.0, 1.0]) for way in ways]
    cosine = float((ways[0] @ ways[1]).clamp(-1, 1))
    return {
        "evidence": evidence(one[None], other[None], inside[None])[0],
        "one": ways[0], "other": ways[1],
        "degrees": torch.tensor(float(np.degrees(np.arccos(cosine)))),
    }  # fmt: skip


def _otherwise(rng: np.random.Generator) -> Callable[[Tensor], Tensor]:
    """What else differs between takes: exposure, white, contrast; most often nothing."""
    gain = torch.ones(3, 1, 1)
    if rng.random() < 0.35:
        gain *= 2.0 ** rng.uniform(-1.3, 1.3)
    if rng.random() < 0.06:
        gain *= 2.0 ** rng.uniform(1.0, 2.0)
    if rng.random() < 0.2:
        warm = float(rng.uniform(-0.4, 0.4))
        gain *= 2.0 ** torch.tensor([warm, 0.0, -warm]).view(3, 1, 1)
    contrast = 2.0 ** rng.uniform(-0.55, 0.5) if rng.random() < 0.3 else 1.0
    return lambda light: GREY * ((light * gain).clamp_min(0) / GREY) ** contrast


def _recorded(light: Tensor, rng: np.random.Generator, clip: float) -> Tensor:
    """Grain, a ceiling, steps of 8 bits."""
    noise = torch.from_numpy(rng.standard_normal(light.shape).astype(np.float32))
    amount = float(rng.choice((0.0, 0.01, 0.02, 0.04)))
    light = (light + amount * noise * (GREY * light.clamp_min(0)).sqrt()).clamp(0, clip)
    codes = ((light / clip) ** (1 / 2.4) * 255).round() / 255
    return clip * codes**2.4


def _off(picture: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A take laid a little off, and where it reaches (1,H,W); now and then cropped."""
    turn, zoom = rng.normal(0, 0.004), 1.0 + rng.normal(0, 0.006)
    far = 0.004 if rng.random() < 0.9 else 0.03
    x, y = rng.normal(0, far, 2)
    theta = torch.tensor([[zoom, -turn, x], [turn, zoom, y]], dtype=torch.float32)
    grid = F.affine_grid(theta[None], [1, 3, *SIZE_PX], align_corners=False)
    moved = F.grid_sample(picture[None], grid, padding_mode="border", align_corners=False)[0]
    inside = (grid[0].abs() <= 1.0).all(-1).float()[None]
    if rng.random() < 0.3:
        cut = int(rng.integers(1, SIZE_PX[0] // 4))
        inside[:, SIZE_PX[0] - cut :] = 0.0
    return moved, inside


def loss_of(said_B8: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Ways by the cosine, degrees by how far they err, and whether it turned at all."""
    one, other = said_B8[:, :3], said_B8[:, 3:6]
    ways = 2.0 - (one * batch["one"]).sum(1) - (other * batch["other"]).sum(1)
    far = F.smooth_l1_loss(said_B8[:, 7] / 20.0, batch["degrees"] / 20.0, beta=0.5)
    stood, turned = batch["degrees"] < _STOOD_DEG, batch["degrees"] > _TURNED_DEG
    known = (stood | turned).float()
    told = F.binary_cross_entropy_with_logits(said_B8[:, 6], turned.float(), weight=known)
    return 0.25 * ways.mean() + far + told


def teach(lesson: Lesson) -> Path:
    """Train, or go on training; returns the file of weights."""
    folder = Path(lesson.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(lesson.seed)
    net = TurnedNet(width=lesson.width)
    setups = filmed(folder, range(lesson.scenes))

    def loss(step: int) -> Tensor:
        batch = batch_of(setups, step, lesson)
        return loss_of(net(batch["evidence"]), batch)

    course = Course("turned", loss, decay=0.998, save_every=_SAVE_EVERY, orthogonal=True)
    minutes = taught(net, lesson, course)
    return _written(net.eval(), lesson, folder, minutes)


def numbers_of(
    net: TurnedNet, setups: Setups, lesson: Lesson, *, steps: int = 60
) -> dict[str, float]:
    """How far it errs, and how well it knows that a key turned, on pairs not learnt from."""
    said, true = [], []
    with torch.no_grad():
        for step in range(steps):
            batch = batch_of(setups, 1_000_000 + step, lesson)
            said.append(net(batch["evidence"])[:, 6:8])
            true.append(batch["degrees"])
    (sure, far), degrees = torch.cat(said).unbind(1), torch.cat(true)
    turned, stood = degrees > _TURNED_DEG, degrees < _STOOD_DEG
    limit = sure[stood].quantile(0.99)
    apart = (far - degrees).abs()[turned & (degrees < 90)]
    return {
        "median_error_deg": round(float(apart.median()), 1),
        "error_of_19_in_20_deg": round(float(apart.quantile(0.95)), 1),
        "told_where_1_in_100_is_false": round(float((sure[turned] > limit).float().mean()), 3),
        "limit": round(float(limit), 2),
    }


def _written(net: TurnedNet, lesson: Lesson, folder: Path, minutes: float) -> Path:
    setups = filmed(folder, range(lesson.scenes, lesson.scenes + HELD_OUT))
    card = {
        "what": "tells how far the key turned between aligned takes",
        "taught_on": "set-ups of the soundstage's demo shows, two performances, four keys each",
        "lesson": lesson.plain, "processor_minutes": round(minutes, 1),
        "held_out": numbers_of(net, setups, lesson),
        "held_out_is": "pairs of shows not learnt from; sizes of keys that turned by 30 to 90",
    }  # fmt: skip
    return written(net, folder / "turned.safetensors", card)


if __name__ == "__main__":
    asked(teach, LESSON)

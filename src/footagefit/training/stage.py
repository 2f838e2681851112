"""The soundstage as a source of windows: what shipped bases are taught on.

What belongs here: takes of procedural scenes, drawn from seeds and cached, framed as windows. What
does not: rendering (`soundstage`), what is done to a window (`tasks`).

For tasks that learn from sources apart, scenes come as they are rendered, each source a layer. For
those that learn from motion, takes of several frames come through a lens and a sensor
(`stage_takes.py`).

Plate and reference are two framings of one scene under the same light, as two takes of a set-up
are: often the same framing, as a camera on its stand has it, and in the reference everything has
moved a little and something may stand elsewhere. Light adds: each window weighs its scene's lights
anew. Held-out windows come from scenes of another seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from footagefit.soundstage.apart import Apart, told
from footagefit.soundstage.moving import FRAMES, TAKE_PX, Moving
from footagefit.tasks.base import PlainWindow, Task, Window
from footagefit.tasks.draws import chance, choice, generator, uniform
from footagefit.tasks.filling import Filling
from footagefit.tasks.keyframes import Mixed
from footagefit.tasks.match import Match
from footagefit.tasks.relight import APART
from footagefit.training.examples import Source
from footagefit.training.lessons import Lessons
from footagefit.training.run import Plan, Sides
from footagefit.training.stage_takes import Stills, TakeWindows

_BATCH = 4
_LIGHTS = 3
_HELD_OUT_SEED = 1_000_003
_MIDDLE_EV = -3.2  # log2 of the mean light of an exposed frame
_LOCKED_OFF = 0.5  # how often plate and reference are framed alike
_REPLAYED = 240  # scenes beside a show's, of tasks that learn from sources apart
_REPLAYED_PX = (96, 96)
_REMINDED = 120  # scenes at most that a match is reminded with
_FRAMED_PX = (112, 192)
_STEPS_A_MINUTE = 350  # about, where minutes are asked for
_LESSONS = 1100  # at most, in which motion carries pixels
_SMALLEST = 0.55  # part of the frame that a framing shows at least

Framing = tuple[float, float, float]  # how much of the picture, from where across, from where down


@dataclass(frozen=True)
class StageWindows:
    """Windows of soundstage scenes; can be pickled.

    Attributes:
        folder: Where scenes are cached.
        seed: Of the scenes.
        scenes: How many there are.
        size_px: Rows and columns they are rendered at.
        stream: Of the framings.
    """

    folder: Path
    seed: int
    scenes: int
    size_px: tuple[int, int]
    stream: int = 0

    def window(self, index: int) -> PlainWindow:
        """One framing of a scene, and another to sit beside."""
        rng = generator(self.seed, self.stream, index)
        images = self.scene(choice(rng, self.scenes))
        picture = _under(images, rng)
        picture = picture * _exposed(picture, rng)
        framing = _framing(rng)
        beside = _nudged(framing, rng) if chance(rng, _LOCKED_OFF) else _framing(rng)
        plate = _framed(picture, framing, self.size_px)
        reference = _moved(_framed(picture, beside, self.size_px), rng)
        return PlainWindow(plate[None], reference[None])

    def scene(self, number: int) -> Tensor:
        """A scene under its lights (L,3,H,W), rendered when first asked for."""
        from footagefit.soundstage.training import Cache

        cache = Cache(
            self.folder, seed=self.seed, count=_BATCH, size_px=self.size_px, lights=_LIGHTS
        )
        batch = cache.batch(number // _BATCH)
        return batch["images"][number % _BATCH].float()

    def render(self) -> None:
        """Render every scene that is not in the cache, saying how far it is."""
        for batch in told(range(-(-self.scenes // _BATCH)), each=_BATCH):
            self.scene(batch * _BATCH)


@dataclass(frozen=True)
class SourceWindows:
    """Windows of scenes whose sources are apart; can be pickled.

    Attributes:
        scenes: Where they are.
        stream: Of the draws.
    """

    scenes: Apart
    stream: int = 0

    def window(self, index: int) -> PlainWindow:
        """One scene, every source a layer."""
        rng = generator(self.scenes.seed, self.stream, index)
        scene = self.scenes.scene(choice(rng, self.scenes.scenes))
        layers = {f"{APART}{name}": tensor[None] for name, tensor in scene.items()}
        return PlainWindow(scene["fill"][None], layers=layers)

    def render(self) -> None:
        """Render every scene that is not in the cache."""
        self.scenes.render()


@dataclass(frozen=True)
class ByTurns:
    """Two sources by turns: so that what one taught stays true on the other.

    Attributes:
        first: Comes at even numbers.
        second: At odd ones.
    """

    first: Source
    second: Source

    def window(self, index: int) -> Window:
        """The first's or the second's."""
        return (self.second if index % 2 else self.first).window(index // 2)


Rendered = StageWindows | SourceWindows  # beforehand; lessons are worked out as they come


def sides_of_stage(
    folder: Path, *, scenes: int, size_px: tuple[int, int], seed: int, task: Task | None = None
) -> Sides:
    """Scenes to learn from, and others to be judged on; single takes where no task says else."""
    few, apart = max(8, scenes // 20), seed + _HELD_OUT_SEED
    teacher = "takes" if task is None else task.spec.teacher
    if teacher == "sources":
        learnt = SourceWindows(Apart(folder, seed, scenes, size_px))
        return Sides(learnt, SourceWindows(Apart(folder, apart, few, size_px), stream=1))
    if isinstance(task, Filling):
        taught, judged = Moving(folder, seed, scenes, size_px), Moving(folder, apart, few, size_px)
        learnt = ByTurns(_lessons(folder, task, taught, 0), Stills(taught))
        return Sides(learnt, _lessons(folder, task, judged, 1))
    held_out = StageWindows(folder, apart, few, size_px, stream=1)
    return Sides(StageWindows(folder, seed, scenes, size_px), held_out)


def _lessons(folder: Path, task: Filling, moving: Moving, stream: int) -> Lessons:
    """Holes cut into takes, kept beside them."""
    said = f"{task.kinds} {task.size} {moving.seed} {moving.size_px} {moving.takes}"
    name = f"lessons_s{moving.seed}_{hashlib.sha256(said.encode()).hexdigest()[:12]}"
    takes = TakeWindows(moving)
    count = min(takes.count, _LESSONS)
    return Lessons(takes, task, folder / name, count, moving.seed, stream)


def with_replay(sides: Sides, folder: Path, *, task: Task, plan: Plan) -> Sides:
    """A show's sides, with stage scenes beside them where the task says so.

    Tasks that need truth which dailies lack learn from both by turns, and are judged on the stage:
    real frames have no other light to compare with. A match is reminded of what the weights it
    began from were taught on, lest what a few set-ups teach wears that away.
    """
    replayed = replay_of(task, plan)
    if not replayed:
        return sides
    scenes, size_px, seed = (replayed[name] for name in ("scenes", "size_px", "seed"))
    if isinstance(task, Match):
        stage = StageWindows(folder, seed, scenes, tuple(size_px))
        stage.render()
        return replace(sides, train=Mixed(sides.train, stage, round(1.0 / task.replay)))
    sources = sides_of_stage(folder, scenes=scenes, size_px=tuple(size_px), seed=seed, task=task)
    for side in (sources.train, sources.held_out):
        if isinstance(side, SourceWindows):
            side.render()
    return Sides(ByTurns(sides.train, sources.train), sources.held_out, {})


def replay_of(task: Task, plan: Plan) -> dict[str, Any]:
    """Which stage scenes a show's fit is taught with, for its card; {} of none."""
    scenes, size = _REPLAYED, _REPLAYED_PX
    if task.spec.teacher != "sources":
        field = isinstance(task, Match) and plan.recipe.model.name == "field"
        if not field or task.replay <= 0.0 or plan.init_from is None:
            return {}
        steps = plan.settings.max_steps or (plan.settings.max_minutes or 1.0) * _STEPS_A_MINUTE
        windows = task.replay * steps * plan.settings.batch_size
        # few of them come more than four times
        scenes = min(_REMINDED, max(1, round(windows / (4 * _BATCH))) * _BATCH)
        size = _FRAMED_PX
    return lineage_of_stage(scenes=scenes, size_px=size, seed=plan.settings.seed)["stage"]


def lineage_of_stage(
    *, scenes: int, size_px: tuple[int, int], seed: int, teacher: str = "takes"
) -> dict[str, Any]:
    """What rebuilds the teaching material: it is a function of seeds."""
    if teacher == "moving":
        said = {"scenes": scenes, "frames": FRAMES, "size_px": list(TAKE_PX), "seed": seed}
        return {"stage": said}
    return {"stage": {"scenes": scenes, "lights": _LIGHTS, "size_px": list(size_px), "seed": seed}}


def _under(images: Tensor, rng: torch.Generator) -> Tensor:
    """A scene under one of its lights, or under some of each (3,H,W)."""
    if chance(rng, 0.5):
        return images[choice(rng, _LIGHTS)]
    weights = torch.rand(_LIGHTS, generator=rng).square()
    return (images * (weights / weights.sum())[:, None, None, None]).sum(0)


def _framing(rng: torch.Generator) -> Framing:
    """A part of the picture."""
    scale = uniform(rng, _SMALLEST, 1.0)
    return scale, uniform(rng, 0.0, 1.0 - scale), uniform(rng, 0.0, 1.0 - scale)


def _nudged(framing: Framing, rng: torch.Generator) -> Framing:
    """The same framing, give or take an operator's breath."""
    scale = min(1.0, max(0.5, framing[0] + uniform(rng, -0.02, 0.02)))
    left, top = (at + uniform(rng, -0.02, 0.02) for at in framing[1:])
    return scale, min(max(left, 0.0), 1.0 - scale), min(max(top, 0.0), 1.0 - scale)


def _framed(picture: Tensor, framing: Framing, size: tuple[int, int]) -> Tensor:
    """A part of the picture at the full size (3,H,W)."""
    scale, left, top = framing
    height, width = picture.shape[1:]
    tall, wide = max(8, int(scale * height)), max(8, int(scale * width))
    row, column = min(int(top * height), height - tall), min(int(left * width), width - wide)
    part = picture[None, :, row : row + tall, column : column + wide]
    return functional.interpolate(part, size=size, mode="bilinear")[0]


def _moved(picture: Tensor, rng: torch.Generator) -> Tensor:
    """What stands in the frame a moment later: bent a little, some of it elsewhere (3,H,W)."""
    if chance(rng, 0.2):
        return picture
    height, width = picture.shape[1:]
    coarse = torch.randn(1, 3, 4, 6, generator=rng)
    drift = functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    moves = torch.sigmoid(6.0 * (drift[2] - uniform(rng, -0.5, 1.5)))  # the rest stands still
    reach = uniform(rng, 0.0, 0.12)
    near = drift[:2] * reach * moves
    away = torch.sigmoid(12.0 * (drift[2] - uniform(rng, 1.2, 2.4)))  # somewhere else entirely
    far = torch.tensor([uniform(rng, -0.8, 0.8), uniform(rng, -0.8, 0.8)])
    y = (torch.arange(height) + 0.5) * (2.0 / height) - 1.0
    x = (torch.arange(width) + 0.5) * (2.0 / width) - 1.0
    at = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    at = at + near + away * far[:, None, None]
    return functional.grid_sample(
        picture[None], at.permute(1, 2, 0)[None], padding_mode="reflection", align_corners=False
    )[0]


def _exposed(picture: Tensor, rng: torch.Generator) -> float:
    """As a cinematographer would expose it, give or take."""
    middle = float(torch.log2(picture.mean(0).clamp_min(1e-3)).mean())
    return 2.0 ** (0.8 * (_MIDDLE_EV - middle) + uniform(rng, -1.0, 1.0))

"""The soundstage as a source of windows: what shipped bases are taught on.

What belongs here: takes of procedural scenes, drawn from seeds and cached, framed as windows. What
does not: rendering (`soundstage`), what is done to a window (`tasks`).

For tasks that learn from sources apart, scenes come as they are rendered, each source a layer.

Plate and reference are two framings of one scene under the same light, as two takes of a set-up
are. Held-out windows come from scenes of another seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from footagefit.soundstage.apart import Apart
from footagefit.tasks.base import PlainWindow, TaskSpec, Window
from footagefit.tasks.draws import chance, choice, generator, uniform
from footagefit.tasks.relight import APART
from footagefit.training.examples import Source
from footagefit.training.run import Sides

_BATCH = 4
_LIGHTS = 3
_HELD_OUT_SEED = 1_000_003
_MIDDLE_EV = -3.2  # log2 of the mean light of an exposed frame
_REPLAYED = 240  # scenes that a show's fit is reminded with
_REPLAYED_PX = (96, 96)
_SMALLEST = 0.55  # part of the frame that a framing shows at least


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
        picture = images[choice(rng, _LIGHTS)]
        gain = _exposed(picture, rng)
        return PlainWindow(
            _framed(picture, rng, self.size_px)[None] * gain,
            _framed(picture, rng, self.size_px)[None] * gain,
        )

    def scene(self, number: int) -> Tensor:
        """A scene under its lights (L,3,H,W), rendered when first asked for."""
        from footagefit.soundstage.training import Cache

        cache = Cache(
            self.folder, seed=self.seed, count=_BATCH, size_px=self.size_px, lights=_LIGHTS
        )
        batch = cache.batch(number // _BATCH)
        return batch["images"][number % _BATCH].float()

    def render(self) -> None:
        """Render every scene that is not in the cache."""
        for number in range(0, self.scenes, _BATCH):
            self.scene(number)


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
class Replayed:
    """Two sources by turns: so that what the stage taught stays true on a show.

    Attributes:
        dailies: The show's own windows.
        stage: Scenes of the soundstage.
    """

    dailies: Source
    stage: Source

    def window(self, index: int) -> Window:
        """The show's at even numbers, the stage's at odd ones."""
        return (self.stage if index % 2 else self.dailies).window(index // 2)


def sides_of_stage(
    folder: Path, *, scenes: int, size_px: tuple[int, int], seed: int, teacher: str = "takes"
) -> Sides:
    """Scenes to learn from, and others to be judged on."""
    few, apart = max(8, scenes // 20), seed + _HELD_OUT_SEED
    if teacher == "sources":
        learnt = SourceWindows(Apart(folder, seed, scenes, size_px))
        return Sides(learnt, SourceWindows(Apart(folder, apart, few, size_px), stream=1))
    held_out = StageWindows(folder, apart, few, size_px, stream=1)
    return Sides(StageWindows(folder, seed, scenes, size_px), held_out)


def with_replay(sides: Sides, folder: Path, *, spec: TaskSpec, seed: int) -> Sides:
    """A show's sides, with stage scenes beside them where the task needs truth that dailies lack.

    What such a fit is judged on is the stage's: real frames have no other light to compare with.
    """
    if spec.teacher != "sources":
        return sides
    stage = sides_of_stage(
        folder, scenes=_REPLAYED, size_px=_REPLAYED_PX, seed=seed, teacher=spec.teacher
    )
    for side in (stage.train, stage.held_out):
        if isinstance(side, SourceWindows):
            side.render()
    return Sides(Replayed(sides.train, stage.train), stage.held_out, {})


def lineage_of_stage(*, scenes: int, size_px: tuple[int, int], seed: int) -> dict[str, Any]:
    """What rebuilds the teaching material: it is a function of seeds."""
    return {"stage": {"scenes": scenes, "lights": _LIGHTS, "size_px": list(size_px), "seed": seed}}


def _framed(picture: Tensor, rng: torch.Generator, size: tuple[int, int]) -> Tensor:
    """A part of the picture, perhaps mirrored, at the full size."""
    scale = uniform(rng, _SMALLEST, 1.0)
    height, width = picture.shape[1:]
    tall, wide = max(8, int(scale * height)), max(8, int(scale * width))
    top, left = choice(rng, height - tall + 1), choice(rng, width - wide + 1)
    part = picture[None, :, top : top + tall, left : left + wide]
    part = torch.nn.functional.interpolate(part, size=size, mode="bilinear")[0]
    return part.flip(2) if chance(rng, 0.5) else part


def _exposed(picture: Tensor, rng: torch.Generator) -> float:
    """As a cinematographer would expose it, give or take."""
    middle = float(torch.log2(picture.mean(0).clamp_min(1e-3)).mean())
    return 2.0 ** (0.8 * (_MIDDLE_EV - middle) + uniform(rng, -1.0, 1.0))

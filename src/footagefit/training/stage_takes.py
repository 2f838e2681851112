"""Moving takes of the soundstage as windows: through a lens and a sensor, as dailies come.

What belongs here: how a rendered take becomes footage: exposed, softened, with grain; the take
without grain goes along as a layer. What does not: rendering (`soundstage/moving.py`), what is done
to a window (`tasks`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.soundstage.moving import Moving
from footagefit.soundstage.sensor import grain
from footagefit.soundstage.specs import SensorSpec
from footagefit.tasks import lit
from footagefit.tasks.base import PlainWindow
from footagefit.tasks.draws import chance, choice, generator, uniform
from footagefit.tasks.filling import CLEAN

_GRAINY = 0.6  # how often there is grain
_BREATH_EV = 0.04  # how much exposure may wander over a take
_SEEDS = 1 << 30
_STREAM, _STILLS = 5, 6
EACH = 5  # windows of a take


@dataclass(frozen=True)
class TakeWindows:
    """Windows of moving takes; can be pickled.

    Attributes:
        takes: Where they are.
    """

    takes: Moving

    @property
    def count(self) -> int:
        """How many there are; then they come again."""
        return EACH * self.takes.takes

    def window(self, index: int) -> PlainWindow:
        """A whole take under drawn conditions, and one of its frames to sit beside."""
        index %= self.count
        rng = generator(self.takes.seed, _STREAM, index)
        frames, clean = _filmed(self.takes.take(index // EACH), rng)
        beside = clean[1 + 2 * choice(rng, 2)]  # hardly ever the one to fill
        return PlainWindow(frames, beside[None], {CLEAN: clean})


@dataclass(frozen=True)
class Stills:
    """Single frames of takes, another every time; can be pickled.

    Nothing is carried into their holes: so they cost little, and teach what no frame has seen.

    Attributes:
        takes: Where they are.
    """

    takes: Moving

    def window(self, index: int) -> PlainWindow:
        """One frame under drawn conditions, and another to sit beside."""
        rng = generator(self.takes.seed, _STILLS, index)
        take = self.takes.take(choice(rng, self.takes.takes))
        two = torch.randperm(len(take), generator=rng)[:2]
        frames, clean = _filmed(take[two], rng)
        return PlainWindow(frames[:1], clean[1:], {CLEAN: clean[:1]})


def _filmed(clean: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frames of a take through a lens and a sensor, and the same without grain."""
    clean = clean * 2.0 ** lit.exposure_of(clean[len(clean) // 2], rng)
    clean = _through_lens(clean, uniform(rng, 0.0, 0.5))
    if chance(rng, 0.5):  # the other way round
        clean = clean.flip(0)
    frames = _breathing(clean, rng)
    return (_grainy(frames, rng) if chance(rng, _GRAINY) else frames), clean


def _through_lens(frames: Tensor, softness: float) -> Tensor:
    """What a lens leaves of the stage's hard edges: as soft as film, a little more or less."""
    side = 0.15 + 0.2 * softness
    kernel = torch.tensor([side, 1.0 - 2.0 * side, side]).expand(3, 1, 1, 3)
    padded = F.pad(frames, (1, 1, 1, 1), mode="replicate")
    across = F.conv2d(padded, kernel, groups=3)
    return F.conv2d(across, kernel.transpose(2, 3), groups=3)


def _breathing(frames: Tensor, rng: torch.Generator) -> Tensor:
    """Exposure that wanders, frame by frame, about the middle one's; often it does not."""
    if chance(rng, 0.6):
        return frames
    stops = _BREATH_EV * torch.randn(len(frames), generator=rng)
    stops[len(frames) // 2] = 0.0
    return frames * torch.exp2(stops)[:, None, None, None]


def _grainy(frames: Tensor, rng: torch.Generator) -> Tensor:
    """Grain of one stock on every frame."""
    spec = SensorSpec(
        grain=uniform(rng, 0.005, 0.05),
        grain_size_px=uniform(rng, 0.0, 1.0),
        grain_chroma=uniform(rng, 0.3, 0.8),
    )
    seed = choice(rng, _SEEDS)
    return torch.stack([f + grain(f, spec, seed=seed, frame=n) for n, f in enumerate(frames)])

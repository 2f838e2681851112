"""Ways from one picture's latents to another's: what a net is taught, and how it is followed.

What belongs here: latent bridges, rectified flow, their draws and their samplers as plain loops.
What does not: networks, latents of pictures (`diffusion.py`). Both ways speak of a velocity v that
points from the end to the beginning: wherever z lies at time s, z - s v is where it goes.

Shapes: B batch, C channels, h rows and w columns of latents.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from footagefit.errors import WrongValue

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Latents (B,C,h,w) at times (B,) to their velocity."""


class Drawn(NamedTuple):
    """What a step is taught on: latents on the way, when, and the velocity there."""

    z: Tensor
    s: Tensor
    velocity: Tensor


class Way(ABC):
    """Teaches and follows a velocity; `s` runs from 1, the beginning, to 0, the end."""

    steps: int

    @abstractmethod
    def drawn(self, source: Tensor, target: Tensor, draws: Sequence[torch.Generator]) -> Drawn:
        """A place on the way for each picture, from its own generator."""

    @abstractmethod
    def sample(self, velocity: Velocity, source: Tensor, noise: Tensor) -> Tensor:
        """From the beginning to the end; the same bits for the same noise."""

    @staticmethod
    def end(drawn: Drawn, velocity: Tensor) -> Tensor:
        """Where a velocity says that the way ends."""
        return drawn.z - _over(drawn.s) * velocity


class Bridge(Way):
    """Latent bridge matching: from the plate's latents to the target's, in one step or a few.

    z = s source + (1 - s) target + k sqrt(s (1 - s)) noise, and v = source - target (Chadebec et
    al. 2025, LBM, eq. 4 and 5, with time turned round).

    Args:
        steps: Of the sampler; one needs no noise.
        times: What s is drawn from in training, with equal odds.
        noise: k.
    """

    def __init__(
        self,
        *,
        steps: int = 1,
        times: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
        noise: float = 0.005,
    ) -> None:
        if not times or not all(0.0 < t <= 1.0 for t in times):
            raise WrongValue(f"times: expected numbers above 0 and up to 1, got {list(times)}")
        self.steps = _checked(steps)
        self.times = tuple(float(t) for t in times)
        self.noise = noise

    def drawn(self, source: Tensor, target: Tensor, draws: Sequence[torch.Generator]) -> Drawn:
        """A time of `times` and the bridge's noise there."""
        at = [self.times[int(torch.randint(len(self.times), (), generator=d))] for d in draws]
        s = source.new_tensor(at)
        noise = _normal(source, draws)
        spread = self.noise * (s * (1.0 - s)).sqrt()
        z = _over(s) * source + _over(1.0 - s) * target + _over(spread) * noise
        return Drawn(z, s, source - target)

    def sample(self, velocity: Velocity, source: Tensor, noise: Tensor) -> Tensor:
        """Euler steps, with the bridge's own noise between them (LBM, algorithm 2)."""
        z = source
        for step in range(self.steps):
            now, then = 1.0 - step / self.steps, 1.0 - (step + 1) / self.steps
            z = z - (now - then) * velocity(z, source.new_full((len(z),), now))
            if then > 0.0:  # the noise of each step is the same one, moved along
                z = z + self.noise * (then * (1.0 - then)) ** 0.5 * noise.roll(step, -1)
        return z


class Flow(Way):
    """Rectified flow from noise, for pixels that have no source: z = (1 - s) target + s noise.

    v = noise - target (Liu et al. 2023, eq. 1); s is logit-normal and shifted towards noise for
    larger pictures (Esser et al. 2024, eq. 19 and 23).

    Args:
        steps: Of the sampler.
        mean: Of the logit of s in training.
        spread: Its deviation.
        shift: How much longer than at 1 the way stays in noise, in training and sampling.
    """

    def __init__(
        self, *, steps: int = 12, mean: float = 0.0, spread: float = 1.0, shift: float = 1.0
    ) -> None:
        if spread <= 0.0 or shift <= 0.0:
            raise WrongValue("the logit's spread and the shift are above 0")
        self.steps, self.mean, self.spread, self.shift = _checked(steps), mean, spread, shift

    def drawn(self, source: Tensor, target: Tensor, draws: Sequence[torch.Generator]) -> Drawn:
        """A time, and noise."""
        at = [torch.randn((), generator=d) for d in draws]
        s = torch.sigmoid(self.mean + self.spread * torch.stack(at)).to(target)
        s = self.shifted(s)
        noise = _normal(target, draws)
        return Drawn(_over(1.0 - s) * target + _over(s) * noise, s, noise - target)

    def sample(self, velocity: Velocity, source: Tensor, noise: Tensor) -> Tensor:
        """Euler steps from the noise."""
        even = torch.linspace(1.0, 0.0, self.steps + 1, dtype=torch.float64)
        times = self.shifted(even).tolist()
        z = noise
        for now, then in pairwise(times):
            z = z - (now - then) * velocity(z, noise.new_full((len(z),), now))
        return z

    def shifted(self, s: Tensor) -> Tensor:
        """Times as they come at this shift; 0 and 1 stay."""
        return self.shift * s / (1.0 + (self.shift - 1.0) * s)


def draws_of(rng: torch.Generator, pictures: Tensor) -> list[torch.Generator]:
    """A generator for each picture: a function of `rng` and of the picture itself.

    So a picture is taught the same whichever rank or part of a batch it comes in.
    """
    base = int(torch.randint(1 << 62, (), generator=rng))
    flat = pictures.detach().flatten(1)
    some = flat[:, :: max(1, flat.shape[1] // 256)].float().cpu().contiguous()
    return [keyed(base, row) for row in some]


def keyed(base: int, values: Tensor) -> torch.Generator:
    """A CPU generator that is a function of a number and of some values."""
    digest = hashlib.sha256(base.to_bytes(8, "little") + values.numpy().tobytes()).digest()
    made = torch.Generator()
    made.manual_seed(int.from_bytes(digest[:8], "little") & 0x7FFF_FFFF_FFFF_FFFF)
    return made


def _normal(like: Tensor, draws: Sequence[torch.Generator]) -> Tensor:
    return torch.stack([torch.randn(like.shape[1:], generator=d) for d in draws]).to(like)


def _over(s: Tensor) -> Tensor:
    return s[:, None, None, None]


def _checked(steps: int) -> int:
    if steps < 1:
        raise WrongValue(f"steps: expected 1 or more, got {steps}")
    return steps

"""The contract of a model: what it decides on (a look), and how that is applied.

What belongs here: `Model`, `Look` and how a plate is made small. What does not: networks
(`nets/`), slicing (`slicing.py`), any knowledge of shows, clips or masks' discipline (`tasks/`).

A `Look` is a dict of named tensors of low resolution, batch first. It can be averaged over
frames, smoothed, locked to a shot, cached, scaled by a strength and exported: averages and
multiples of looks are looks, and all zeros leave the plate as it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.records import Given, Pair

Look = dict[str, Tensor]
Sizes = Callable[[int, int], tuple[int, int]]  # rows and columns to rows and columns


@dataclass(frozen=True)
class Amounts:
    """How much of a look to follow: 0 none of it, 1 all.

    Attributes:
        strength: Of the whole change.
        local: Of what differs from place to place in the frame.
        tone: Of what makes it lighter or darker.
        colour: Of what changes its hues.
        anchor: Of what the set itself says, where plate and reference both show it.
        relit: Of what the set shows lit otherwise from place to place, as where a key moved.
    """

    strength: float = 1.0
    local: float = 1.0
    tone: float = 1.0
    colour: float = 1.0
    anchor: float = 1.0
    relit: float = 0.0

    @property
    def none(self) -> bool:
        """Whether nothing is left of the look."""
        return self.strength == 0.0 or self.tone == self.colour == 0.0


class Model(nn.Module, ABC):
    """How to learn it. `predict` is `apply(look(small(given)), given)`."""

    @abstractmethod
    def loss(self, pair: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """Named terms that training adds up; `rng` is a CPU generator, the only randomness."""

    @abstractmethod
    def small(self, given: Given) -> Given:
        """The given at the size at which looks are decided; same for a frame and its proxies."""

    @abstractmethod
    def look(self, given_small: Given) -> Look:
        """What to change, decided from the small picture."""

    @abstractmethod
    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate at its full size with the look on it (B,3,H,W)."""

    @abstractmethod
    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """What was done, as layers for the comp; `plate x gain + offset` is the result."""

    def about(self) -> dict[str, str]:
        """What its weights go with that is not in them; kept with every file of weights."""
        return {}

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """As much of a look as is asked for; of a model that tells no parts apart, its strength."""
        return scaled(look, amounts.strength)

    def predict(self, given: Given) -> Tensor:
        """Decide and apply."""
        return self.apply(self.look(self.small(given)), given)


def small_size(height: int, width: int, *, long_px: int, cell_px: int) -> tuple[int, int]:
    """Rows and columns of the small picture: long side `long_px`, both in whole cells."""
    scale = long_px / max(height, width)
    rows = max(1, round(height * scale / cell_px)) * cell_px
    columns = max(1, round(width * scale / cell_px)) * cell_px
    return rows, columns


def bucket(height: int, width: int, *, side_px: int, cell_px: int) -> tuple[int, int]:
    """Rows and columns of about this shape with as many pixels as a square, in whole cells."""
    shape = (height / width) ** 0.5
    rows = max(1, round(side_px * shape / cell_px)) * cell_px
    columns = max(1, round(side_px / shape / cell_px)) * cell_px
    return rows, columns


def shrunk(given: Given, *, long_px: int, cell_px: int) -> Given:
    """Every picture at `long_px`, light averaged; one way for frames and their proxies."""
    size_of = partial(small_size, long_px=long_px, cell_px=cell_px)
    return shrunk_to(given, size_of, size_of)._replace(noise=given.noise[:, :0])


def shrunk_to(given: Given, size_of: Sizes, reference_size_of: Sizes) -> Given:
    """Every picture at a size that its own gives; noise stays as it is, to stay white."""
    size = size_of(*given.plate.shape[-2:])
    reference = given.reference
    if reference.shape[1]:
        wanted = reference_size_of(*reference.shape[-2:])
        flat = resampled(reference.flatten(0, 1), wanted)
        reference = flat.unflatten(0, reference.shape[:2])
    return Given(
        plate=resampled(given.plate, size),
        guide=resampled(given.guide, size),
        mask=resampled(given.mask, size),
        reference=reference,
        vector=given.vector,
        noise=given.noise,
    )


def resampled(picture_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture at another size; where it shrinks, the exact mean of the light it covers.

    So a frame and its half-size proxy are one and the same picture when both are made small.
    """
    if picture_BCHW.shape[1] == 0:
        return picture_BCHW.new_zeros(picture_BCHW.shape[0], 0, *size)
    height, width = picture_BCHW.shape[-2:]
    if (height, width) == tuple(size):
        return picture_BCHW
    # Whole blocks first, which costs one pass over the frame; the rest is two small products.
    block = (max(1, height // (2 * size[0])), max(1, width // (2 * size[1])))
    if block != (1, 1):
        picture_BCHW = F.avg_pool2d(picture_BCHW, block, ceil_mode=True, count_include_pad=False)
    rows = _weights(height, block[0], size[0]).to(picture_BCHW)
    columns = _weights(width, block[1], size[1]).to(picture_BCHW)
    return rows @ (picture_BCHW @ columns.T)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept may be trained through later
def _weights(length: int, block: int, wanted: int) -> Tensor:
    """How much of each block of pixels each wanted pixel holds (wanted, blocks)."""
    edges = torch.arange(0, length + block, block, dtype=torch.float64).clamp_max(length)
    if wanted <= length:
        bounds = torch.arange(wanted + 1, dtype=torch.float64) * (length / wanted)
        low = torch.maximum(edges[None, :-1], bounds[:-1, None])
        high = torch.minimum(edges[None, 1:], bounds[1:, None])
        cover = (high - low).clamp_min(0.0)
    else:  # growing: straight lines between pixel centres
        place = (torch.arange(wanted, dtype=torch.float64) + 0.5) * (length / wanted) - 0.5
        place = place.clamp(0.0, length - 1.0)
        cover = (1.0 - (place[:, None] - torch.arange(length)[None]).abs()).clamp_min(0.0)
    return (cover / cover.sum(1, keepdim=True)).float()


def blended(looks: Sequence[Look], weights: Sequence[float]) -> Look:
    """A weighted sum of looks: a locked shot is the mean of its frames' looks."""
    names = looks[0].keys()
    return {n: sum(w * k[n] for w, k in zip(weights, looks, strict=True)) for n in names}  # pyright: ignore[reportReturnType]


def scaled(look: Look, strength: float) -> Look:
    """A look at some strength: 0 leaves the plate, 1 is the look itself."""
    return {name: strength * tensor for name, tensor in look.items()}

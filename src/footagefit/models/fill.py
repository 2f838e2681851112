"""The fill model: makes what no frame of the shot has seen, and leaves alone what one has.

What belongs here: how carried pixels and a smooth surface become a guess, how the guess is led to
a picture, at which sizes, and the loss that teaches it. What does not: the network
(`nets/fill_net.py`), carrying pixels along a shot (`motion`), lens and grain of what is made
(`rendering`).

A flow runs from the guess, roughened by noise where nothing is known, to the truth along straight
lines; the network is shown a point on the line and says where the line ends (Lipman et al. 2023,
eq. 22, with its end instead of its velocity). Untrained it says the guess. How far it may depart
from the guess falls to nothing where the carried pixels are sure, and where the network itself
does not expect to better it.

Shapes: B batch, C channels, H rows, W columns; pictures are scene-linear ACEScg.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.models.base import Look, Model, resampled, small_size
from footagefit.models.boxes import Box, boxes_of, feather, hull, reach_of
from footagefit.models.infill import halved, smooth
from footagefit.models.nets.fill_net import CELL_PX, FillNet
from footagefit.models.nets.light import relit, stops
from footagefit.models.objectives import Edges, LightError
from footagefit.records import Given, Pair

GUIDE = ("carried_r", "carried_g", "carried_b", "confidence", "lens_x", "lens_y")
_DOUBT = 0.15  # confidence at which a carried pixel counts a little over half in the guess
_AT_START = 0.6  # how often training looks at the flow's very beginning
_COARSE = 0.5  # where on the line a finer size goes on from what a coarser one made
_REFERENCE_PX = 96
_SPREAD = 0.4  # stops to numbers of about one
_CLAMP = 6.0
_EVEN, _BETTER = 0.7, 0.95  # odds at which the network is not followed, and is
_NEAR_PX = 9  # side of what counts as near
_THIN, _DEEP = (
    0.75,
    0.25,
)  # shares of it that are known: of a thin hole, and well inside a large one


class Seen(NamedTuple):
    """What the network goes by.

    Attributes:
        guess: (B,3,H,W) light: the plate outside the hole, the guess in it.
        stops: (B,3,H,W) the same as the network sees it.
        hole: (B,1,H,W) 1 where a pixel is to be made.
        known: (B,1,H,W) how sure the guess is, 1 outside the hole.
        free: (B,1,H,W) how far the network may depart from the guess, 0 to 1.
        lens: (B,2,H,W).
        noise: (B,3,H,W).
        mean: (B,1,1,1) stops of the picture's mean.
        vector: (B,D).
        tokens: (B,N,C) of the references.
    """

    guess: Tensor
    stops: Tensor
    hole: Tensor
    known: Tensor
    free: Tensor
    lens: Tensor
    noise: Tensor
    mean: Tensor
    vector: Tensor
    tokens: Tensor


class FillModel(Model):
    """Fills holes: carried pixels where they are sure, made ones elsewhere.

    Args:
        guide_channels: Those of `GUIDE`; a task that gives others is refused.
        vector_size: Numbers that say what was measured of the show, with present flags.
        width: Channels of the net's first stage, in eights.
        steps: In which the flow is followed.
        sure: Confidence from which carried pixels are kept as they are.
        unsure: Confidence below which the network is free.
        noise_stops: Deviation of the noise that the flow begins with where nothing is known.
        reach_px: From what is known to the middle of a hole; larger holes are made smaller first.
        most_px: Long side of a region that is made in one go.
    """

    def __init__(
        self,
        *,
        guide_channels: int = len(GUIDE),
        vector_size: int = 8,
        width: int = 32,
        steps: int = 2,
        sure: float = 0.9,
        unsure: float = 0.5,
        noise_stops: float = 0.5,
        reach_px: int = 24,
        most_px: int = 448,
    ) -> None:
        super().__init__()
        if guide_channels != len(GUIDE):
            raise WrongValue(f"the fill model takes a guide of {', '.join(GUIDE)}")
        if width % 8:
            raise WrongValue(f"width: expected a multiple of 8, got {width}")
        if not 0.0 <= unsure < sure <= 1.0:
            raise WrongValue(f"expected 0 <= unsure < sure <= 1, got {unsure:g} and {sure:g}")
        if steps < 1:
            raise WrongValue(f"steps: expected 1 or more, got {steps}")
        self.net = FillNet(width=width, vector_size=vector_size)
        self.net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.light_error, self.edges = LightError(knee=0.01, ease=0.02), Edges()
        self.steps, self.sure, self.unsure = steps, sure, unsure
        self.noise_stops, self.reach_px, self.most_px = noise_stops, reach_px, most_px

    def small(self, given: Given) -> Given:
        """As it is: pixels are made at the size they are wanted at."""
        return given

    def look(self, given_small: Given) -> Look:
        """What is made, weighed by how much of it is to be seen.

        Returns:
            `made` (B,3,H,W) light times `there`, and `there` (B,1,H,W), the mask: all zeros leave
            the plate, and half of it is half the change.
        """
        there = given_small.mask
        rows = [
            self.filled(Given(*(part[at : at + 1] for part in given_small)))
            for at in range(len(there))
        ]
        return {"made": there * torch.cat(rows), "there": there}

    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate with what was made in it; outside the mask to the bit the plate."""
        made, there = look["made"], look["there"]
        mixed = torch.where(there >= 1.0, made, given.plate * (1.0 - there) + made)
        return torch.where(there > 0.0, mixed, given.plate)

    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """`gain` and `offset` (plate x gain + offset is the result), and `confidence`.

        Confidence is 1 outside the mask, that of the carried pixels where they are kept, and less
        the more was made.
        """
        there = look["there"]
        gain = (1.0 - there).expand_as(given.plate)
        return {
            "gain": gain,
            "offset": look["made"],
            "confidence": 1.0 - there * (1.0 - self.kept(given.guide[:, 3:4])),
        }

    def predict(self, given: Given) -> Tensor:
        """The plate filled."""
        return self.apply(self.look(given), given)

    def kept(self, confidence: Tensor) -> Tensor:
        """How much of a carried pixel stands as it is, 0 to 1; the rest is made."""
        return 1.0 - doubted(confidence, sure=self.sure, unsure=self.unsure)

    def share(self, confidence: Tensor) -> Tensor:
        """How much of a carried pixel's light, its grain with it, is in what comes out, 0 to 1.

        More than is kept: it is in the guess that the net leads away from, and in the surface
        that the guess lays it over.
        """
        laid = _laid(confidence)
        return laid + (1.0 - laid) * laid * (laid + (1.0 - laid) / 9.0) ** 2

    def filled(self, given: Given) -> Tensor:
        """The holes of one frame (B is 1), from the size at which they are small to their own."""
        hole = (given.mask > 0.0).to(given.plate)
        need = torch.zeros_like(hole)
        if bool(hole.any()):
            part = hull(hole > 0.0, margin_px=_NEAR_PX // 2)
            part.cut(need).copy_(part.cut(hole) * (self._free(part.cut(_known(given))) > 0.0))
        if not bool(need.any()):
            return self._guess(given, None)[0]
        levels = [_Level(given, need)]
        unknown = need * (given.guide[:, 3:4] < self.unsure)
        for _ in range(reach_of(unknown, reach_px=self.reach_px)):
            levels.append(_smaller(levels[-1]))
        made = self._made(levels.pop(), None)
        for level in reversed(levels):
            made = self._made(level, made)
        return made

    def _made(self, level: _Level, coarse: Tensor | None) -> Tensor:
        """One size of a frame: regions round what is to be made, laid over the guess."""
        given = level.given
        if coarse is not None:
            coarse = resampled(coarse, _size(given.plate))
        light, known = self._guess(given, coarse)
        tokens = self._tokens(given)
        total, weight = torch.zeros_like(light), torch.zeros_like(known)
        for box in boxes_of(level.need, most_px=self.most_px, margin_px=3 * CELL_PX):
            seen = self._seen(given, light, known, tokens, box)
            start = self._start(seen)
            first = 0.0
            if coarse is not None:
                first = _COARSE
                start = start + first * seen.hole * (stops(box.cut(coarse)) - start)
            made = self._follow(seen, start, first=first)
            soft = feather(box, _size(light)).to(light)
            box.cut(total).add_(soft * made)
            box.cut(weight).add_(soft)
        mixed = total / weight.clamp_min(1e-6)
        return torch.where((weight > 0.0) & (level.need > 0.0), mixed, light)

    def _follow(self, seen: Seen, state: Tensor, *, first: float) -> Tensor:
        """Along the flow by Euler's rule; the last step ends where the network says."""
        change = torch.zeros_like(state)
        for step in range(self.steps):
            t = first + (1.0 - first) * step / self.steps
            left = (1.0 - first) * (self.steps - step) / self.steps
            change, odds = self._change(seen, state, state.new_full((len(state),), t))
            change = change * ((torch.sigmoid(odds) - _EVEN) / (_BETTER - _EVEN)).clamp(0.0, 1.0)
            end = seen.stops + change
            state = state + (end - state) * ((1.0 - first) / self.steps / left)
        return relit(seen.guess, change)

    def loss(self, pair: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """`light` where the line ends, `edges` of it, and `odds` of bettering the guess."""
        given = pair.given
        light, known = self._guess(given, None)
        seen = self._seen(given, light, known, self._tokens(given), None)
        count = len(light)
        t = torch.rand(count, generator=rng)
        t = t * (torch.rand(count, generator=rng) >= _AT_START)
        t = t.to(light)
        start, goal = self._start(seen), stops(pair.target)
        state = start + t[:, None, None, None] * seen.hole * (goal - start)
        change, odds = self._change(seen, state, t)
        made = relit(light, change)
        weight = pair.weight * seen.hole * (0.02 + seen.free)
        flat = (made.flatten(2), pair.target.flatten(2), weight.flatten(2))
        return {
            "light": self.light_error(*flat),
            "edges": 0.1 * self.edges(made, pair.target, weight),
            "odds": 0.05 * _odds_error(odds, (light, made.detach(), pair.target), weight),
        }

    def _change(self, seen: Seen, state: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The network's answer in stops, as far as it is free, and its odds."""
        size = _size(state)
        shown = [_about(state, seen.mean), _about(seen.stops, seen.mean)]
        shown += [seen.known, seen.hole, seen.lens]
        picture = _celled(torch.cat(shown, 1).contiguous(memory_format=torch.channels_last))
        level = seen.mean.flatten()
        out, odds = self.net(picture, t, level, seen.vector, seen.tokens)
        out, odds = out[:, :, : size[0], : size[1]], odds[:, :, : size[0], : size[1]]
        return out / _SPREAD * seen.free * seen.hole, odds

    def _guess(self, given: Given, coarse: Tensor | None) -> tuple[Tensor, Tensor]:
        """Light to begin from, and how sure it is: the plate and carried pixels.

        Between them lies what was made at a coarser size, or nothing, lifted smoothly to meet them.
        """
        hole = (given.mask > 0.0).to(given.plate)
        confidence = given.guide[:, 3:4].clamp(0.0, 1.0) * hole
        carried = torch.where(confidence > 0.0, given.guide[:, :3], 0.0)
        plate = torch.where(hole > 0.0, 0.0, given.plate)
        share = _laid(confidence)
        known = _known(given)
        coarse = torch.zeros_like(plate) if coarse is None else coarse
        apart = stops(plate + carried) - stops(coarse)
        # Where carried pixels end it goes on from as much as is seen of them: or there is a step.
        coarse = relit(coarse, smooth(apart, (1.0 - hole) + hole * share))
        made = torch.where(share >= 1.0, carried, coarse + share * (carried - coarse))
        return torch.where(hole > 0.0, made, plate), known

    def _seen(
        self, given: Given, light: Tensor, known: Tensor, tokens: Tensor, box: Box | None
    ) -> Seen:
        """What the network goes by, of the whole picture or of a region."""
        noise = given.noise[:, :3]
        if noise.shape[1] == 0:
            noise = torch.zeros_like(light)
        hole = (given.mask > 0.0).to(light)
        lens = resampled(given.guide[:, 4:6], _size(light))
        if box is not None:
            light, known, hole, lens, noise = (
                box.cut(part) for part in (light, known, hole, lens, noise)
            )
        view = stops(light)
        weight = known + 0.02
        mean = (view * weight).mean((1, 2, 3), keepdim=True) / weight.mean((1, 2, 3), keepdim=True)
        return Seen(
            guess=light, stops=view, hole=hole, known=known, free=self._free(known), lens=lens,
            noise=noise, mean=mean, vector=given.vector, tokens=tokens,
        )  # fmt: skip

    def _start(self, seen: Seen) -> Tensor:
        """Where the flow begins: the guess, rough where nothing is known."""
        return seen.stops + self.noise_stops * seen.free * seen.hole * seen.noise

    def _free(self, known: Tensor) -> Tensor:
        """How far the network may depart: not where carried pixels are sure, nor in thin holes.

        Right beside what is known a smooth surface is hard to beat.
        """
        round_ = F.avg_pool2d(known, _NEAR_PX, 1, _NEAR_PX // 2, count_include_pad=False)
        far = ((_THIN - round_) / (_THIN - _DEEP)).clamp(0.0, 1.0)
        return (1.0 - self.kept(known)) * far

    def _tokens(self, given: Given) -> Tensor:
        reference = given.reference
        count, each = reference.shape[:2]
        if each == 0:
            return self.net.tokens(reference)
        size = small_size(*reference.shape[-2:], long_px=_REFERENCE_PX, cell_px=CELL_PX)
        view = stops(resampled(reference.flatten(0, 1), size))
        about = _about(view, view.mean((1, 2, 3), keepdim=True))
        return self.net.tokens(about.unflatten(0, (count, each)))


class _Level(NamedTuple):
    """A frame at one size, and what is to be made in it."""

    given: Given
    need: Tensor


def doubted(confidence: Tensor, *, sure: float, unsure: float) -> Tensor:
    """1 where carried pixels are not to be trusted, 0 where they are kept, smooth between."""
    off = ((sure - confidence) / (sure - unsure)).clamp(0.0, 1.0)
    return off * off * (3.0 - 2.0 * off)


def _laid(confidence: Tensor) -> Tensor:
    """How much of a carried pixel is laid over the surface that the guess is elsewhere."""
    return confidence * (1.0 + _DOUBT) / (confidence + _DOUBT)


def _smaller(level: _Level) -> _Level:
    """The same at half the size; a pixel is a hole where most of what it covers is."""
    given, hole = level.given, (level.given.mask > 0.0).to(level.given.plate)
    plate, _ = halved(given.plate.nan_to_num(0.0, 0.0, 0.0), 1.0 - hole)
    confidence = given.guide[:, 3:4].clamp(0.0, 1.0)
    carried, _ = halved(given.guide[:, :3], confidence)
    share = F.avg_pool2d(hole, 2, ceil_mode=True)
    sure = F.avg_pool2d(confidence * hole, 2, ceil_mode=True) / share.clamp_min(1e-6)
    lens = F.avg_pool2d(given.guide[:, 4:6], 2, ceil_mode=True, count_include_pad=False)
    noise = given.noise[:, :, ::2, ::2]  # as rough as before
    need = (F.avg_pool2d(level.need, 2, ceil_mode=True) > 0.5).to(plate)
    guide = torch.cat([carried, sure, lens], 1)
    mask = (share > 0.5).to(plate)
    return _Level(given._replace(plate=plate, guide=guide, mask=mask, noise=noise), need)


def _known(given: Given) -> Tensor:
    """How sure each pixel is: 1 outside the hole, as carried in it (B,1,H,W)."""
    hole = (given.mask > 0.0).to(given.plate)
    return (1.0 - hole) + hole * given.guide[:, 3:4].clamp(0.0, 1.0)


def _odds_error(odds: Tensor, pictures: tuple[Tensor, Tensor, Tensor], weight: Tensor) -> Tensor:
    """Cross entropy of the odds and whether what was made is nearer the truth than the guess."""
    guess, made, target = (stops(picture) for picture in pictures)
    off = [(p - target).abs().mean(1, keepdim=True) for p in (made, guess)]
    off = [F.avg_pool2d(e, _NEAR_PX, 1, _NEAR_PX // 2, count_include_pad=False) for e in off]
    better = (off[0] < off[1]).to(odds)
    each = F.binary_cross_entropy_with_logits(odds, better, reduction="none") * weight
    return each.sum() / weight.sum().clamp_min(1e-6)


def _about(view: Tensor, mean: Tensor) -> Tensor:
    return _SPREAD * (view - mean).clamp(-_CLAMP, _CLAMP)


def _celled(picture: Tensor) -> Tensor:
    """Sides made whole cells, borders repeated."""
    height, width = _size(picture)
    more = (-height % CELL_PX, -width % CELL_PX)
    return picture if more == (0, 0) else F.pad(picture, (0, more[1], 0, more[0]), mode="replicate")


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[2]), int(picture.shape[3])

"""Match: make a plate sit beside its references, learnt from the show's own frames.

What belongs here: how a frame becomes an example (the target is a real frame; the input is that
frame under other light and through other codecs), and what a model is shown when a shot is
rendered. What does not: the changes themselves (`degrade.py`, `codecs.py`), any network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.errors import UnknownName, WrongValue
from footagefit.records import Given, Pair
from footagefit.signature.record import GRADED
from footagefit.tasks import codecs, degrade
from footagefit.tasks.base import (
    Control,
    Controls,
    Task,
    TaskSpec,
    Window,
    fitted,
    lens_coordinates,
    vector_of,
)
from footagefit.tasks.degrade import Family
from footagefit.tasks.draws import chance, choice, uniform

SIGNATURE = (
    "signature.exposure_ev",
    "signature.white_mired",
    "signature.tint_duv",
    "signature.contrast",
    "signature.grain",
    "signature.sharpness",
    "signature.vignette_ev",
    "signature.k1",
)
FOLLOWED = {
    "strength": Control("", 0.0, 1.0, 1.0, "how much of the change to make"),
    "local": Control("", 0.0, 1.0, 1.0, "how much of what differs from place to place"),
    "tone": Control("", 0.0, 1.0, 1.0, "how much of what makes it lighter or darker"),
    "colour": Control("", 0.0, 1.0, 1.0, "how much of what changes its hues"),
    "anchor": Control("", 0.0, 1.0, 1.0, "how much of what the set says, where both show it"),
    "relit": Control(
        "", 0.0, 1.0, 0.0, "1 where the key itself moved: the set's light place by place"
    ),
}
OTHER, STILL = "other", "still"  # layers of a window that shows two real takes at once
_FURTHER = 0.5  # how often two real takes are brought further apart
_GUIDE = (18, 32)  # rows and columns of the lens coordinates: they are smooth
_LIMIT = 256.0  # light above which an example says nothing: a burnt-out sun


class Match(Task):
    """Self-supervised matching.

    Args:
        families: Changes of light to train on, by name; all by default.
        codecs: What files do to pictures, by name; all by default.
        size: Rows and columns of training pictures; None leaves frames as they are, for judging.
        least: Smallest share of a frame's sides that an example shows; 1 shows all of it.
        mirror: How often left and right are exchanged.
        references: Frames an example sits beside.
        harmonise: How often only an element in the frame is changed.
        keep: How often the input needs nothing done: it teaches to do no harm.
        worlds: How often target, input and references go through one unknown grade together, so
            that proxies teach what plates need.
        pairs: How often an example is two real takes of a set-up that do not sit together, judged
            on what stands still in both; where the dailies have such.
        replay: How often an example is a scene of the soundstage that bases were taught on, where
            training begins from weights: what they know is not unlearnt.
    """

    def __init__(
        self,
        *,
        families: Sequence[str] | None = None,
        codecs: Sequence[str] | None = None,
        size: Sequence[int] | None = (112, 192),
        least: float = 0.6,
        mirror: float = 0.5,
        references: int = 1,
        harmonise: float = 0.1,
        keep: float = 0.04,
        worlds: float = 0.6,
        pairs: float = 0.2,
        replay: float = 0.2,
    ) -> None:
        if size is not None and (len(size) != 2 or min(size) < 16):
            raise WrongValue(f"size: expected rows and columns of 16 or more, got {list(size)}")
        if not 0.1 <= least <= 1.0:
            raise WrongValue(f"least: expected a share from 0.1 to 1, got {least:g}")
        for name, share in (("pairs", pairs), ("replay", replay)):
            if not 0.0 <= share <= 0.5:
                raise WrongValue(f"{name}: expected a share from 0 to 0.5, got {share:g}")
        self.families = _chosen("family", families, degrade.FAMILIES)
        self.codecs = _chosen("codec", codecs, _codecs())
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.least = least
        self.mirror = mirror
        self.harmonise = harmonise
        self.keep = keep
        self.worlds = worlds
        self.pairs = pairs
        self.replay = replay
        self.spec = TaskSpec(
            name="match",
            guide=("lens.x", "lens.y"),
            vector=SIGNATURE,
            controls=FOLLOWED,
            models=("field", "diffusion"),
            references=references,
        )

    def pair(self, window: Window, rng: torch.Generator) -> Pair:
        """A frame under other light, and the frame itself to come back to."""
        if "after" in window.layers:
            return self._taught(window, rng)
        if OTHER in window.layers:
            return self._two_takes(window, rng)
        frames = window.frames_TCHW
        target, frame = self._cropped(frames[choice(rng, frames.shape[0])], rng)
        aspect = frames.shape[3] / frames.shape[2]
        references = self._references(window, target, rng)
        signature = window.signature
        if chance(rng, self.mirror):  # both: a camera on its stand finds things where they were
            target, references, frame = target.flip(2), references.flip(3), _mirrored(frame)
        if chance(rng, self.worlds):
            target, references = _another_world((target, references), rng)
            signature = _ungraded(signature)
        target = target.nan_to_num(0.0, _LIMIT, -1.0).clamp(-1.0, _LIMIT)
        plate = target if chance(rng, self.keep) else self.degraded(target, rng)
        mask = torch.ones_like(target[:1])
        if chance(rng, self.harmonise):
            mask = _element(rng, (target.shape[1], target.shape[2]))
            plate = target + mask * (plate - target)
        plate = plate.nan_to_num(0.0, _LIMIT, -1.0).clamp(-1.0, _LIMIT)
        weight = _certainty(plate, target)
        return _example(
            _Shown(plate, target, references, mask, weight), window, signature,
            frame=frame, aspect=aspect,
        )  # fmt: skip

    def given(self, window: Window, controls: Controls) -> Given:
        """Plates at full size; the alpha, where there is one, is the element to harmonise."""
        self.checked(controls)
        frames = window.frames_TCHW
        count, _, height, width = frames.shape
        mask = window.layers.get("alpha")
        guide = lens_coordinates(_GUIDE, aspect=width / height, signature=window.signature)
        vector = vector_of(SIGNATURE, window.signature)
        return Given(
            plate=frames,
            guide=guide.expand(count, *guide.shape),
            mask=frames.new_ones(count, 1, height, width) if mask is None else mask,
            reference=window.reference_RCHW[None].expand(count, -1, -1, -1, -1),
            vector=vector.expand(count, -1),
            noise=frames.new_zeros(count, 0, height, width),
        )

    def degraded(self, light: Tensor, rng: torch.Generator) -> Tensor:
        """The frame as another take might have it: other light, then another way to the file."""
        chosen = [family for family in self.families.values() if chance(rng, family.odds)]
        if not chosen and self.families:
            chosen = [list(self.families.values())[choice(rng, len(self.families))]]
        field = None
        for family in chosen:
            if family.field is None:
                light = family.change(light, rng)
            else:
                drawn = family.field(rng)
                field = drawn if field is None else field + drawn
        if field is not None:
            light = degrade.through(light, field)
        for family in self.codecs.values():
            if chance(rng, family.odds):
                light = family.change(light, rng)
        return light

    def _taught(self, window: Window, rng: torch.Generator) -> Pair:
        """An artist's own before and after, framed alike; nothing else is done to them."""
        both = torch.cat([window.frames_TCHW, window.layers["after"]], 1)
        cut, frame = self._cropped(both[choice(rng, both.shape[0])], rng)
        plate, target = cut[:3], cut[3:]
        whole = torch.ones_like(plate[:1])
        return _example(
            _Shown(plate, target, self._references(window, target, rng), whole, whole),
            window, window.signature, frame=frame, aspect=both.shape[3] / both.shape[2],
        )  # fmt: skip

    def _two_takes(self, window: Window, rng: torch.Generator) -> Pair:
        """A moment of one take, and the same moment of the one it shall sit with."""
        both = torch.cat([window.frames_TCHW, window.layers[OTHER], window.layers[STILL]], 1)
        cut, frame = self._cropped(both[0], rng)
        references = self._references(window, cut[:3], rng)
        if chance(rng, self.mirror):
            cut, references, frame = cut.flip(2), references.flip(3), _mirrored(frame)
        target, plate, still = cut[:3], cut[3:6], (cut[6:] > 0.99).float()
        if chance(rng, _FURTHER):
            plate = self.degraded(plate, rng)
        if chance(rng, self.worlds):
            target, plate, references = _another_world((target, plate, references), rng)
        target, plate = (
            p.nan_to_num(0.0, _LIMIT, -1.0).clamp(-1.0, _LIMIT) for p in (target, plate)
        )
        weight = still * _certainty(plate, target)
        return _example(
            _Shown(plate, target, references, torch.ones_like(still), weight),
            window, _ungraded(window.signature), frame=frame, aspect=both.shape[3] / both.shape[2],
        )  # fmt: skip

    def _cropped(
        self, picture: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, tuple[float, float, float, float]]:
        """Most or all of a frame at the training size, and which part it is."""
        scale = 1.0 if chance(rng, 0.4) else uniform(rng, self.least, 1.0)
        left, top = uniform(rng, 0.0, 1.0 - scale), uniform(rng, 0.0, 1.0 - scale)
        height, width = picture.shape[1:]
        rows = slice(int(top * height), max(int(top * height) + 8, int((top + scale) * height)))
        columns = slice(int(left * width), max(int(left * width) + 8, int((left + scale) * width)))
        cut = fitted(picture[:, rows, columns], self.size)
        frame = (left, top, left + scale, top + scale)
        return cut, frame

    def _references(self, window: Window, target: Tensor, rng: torch.Generator) -> Tensor:
        """As many references as the spec says: other frames, else other parts of this one."""
        there = window.reference_RCHW
        chosen = []
        for _ in range(self.spec.references):
            if there.shape[0] == 0:
                chosen.append(self._cropped(target, rng)[0])
                continue
            picture = there[choice(rng, there.shape[0])]
            chosen.append(fitted(picture, self.size or (target.shape[1], target.shape[2])))
        return torch.stack(chosen) if chosen else target.new_zeros(0, *target.shape)


class _Shown(NamedTuple):
    """The pictures (C,H,W) of an example; references (R,C,H,W)."""

    plate: Tensor
    target: Tensor
    references: Tensor
    mask: Tensor
    weight: Tensor


def _example(
    shown: _Shown, window: Window, signature: Mapping[str, object] | None,
    *, frame: tuple[float, float, float, float], aspect: float,
) -> Pair:  # fmt: skip
    """One example of a batch of one, told where in the frame of its lens it lies."""
    plate = shown.plate
    guide = lens_coordinates(_GUIDE, frame=frame, aspect=aspect, signature=window.signature)
    given = Given(
        plate=plate[None],
        guide=guide[None],
        mask=shown.mask[None],
        reference=shown.references[None],
        vector=vector_of(SIGNATURE, signature)[None],
        noise=plate.new_zeros(1, 0, *plate.shape[1:]),
    )
    return Pair(given, shown.target[None], {}, shown.weight[None])


def _codecs() -> Mapping[str, Family]:
    return codecs.CODECS


def _chosen(
    kind: str, names: Sequence[str] | None, known: Mapping[str, Family]
) -> dict[str, Family]:
    if names is None:
        return dict(known)
    for name in names:
        if name not in known:
            raise UnknownName(kind, name, known)
    return {name: family for name, family in known.items() if name in names}


def _mirrored(
    frame: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    """The part of a frame that a picture shows, after left and right are exchanged."""
    return frame[2], frame[1], frame[0], frame[3]


def _ungraded(signature: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """What was measured, less how it was graded: in another world that is not so."""
    return None if signature is None else {k: v for k, v in signature.items() if k not in GRADED}


def _another_world(pictures: Sequence[Tensor], rng: torch.Generator) -> list[Tensor]:
    """One unknown grade on target and references: exposed otherwise, or undone from display.

    Without it a model learns by heart what colour the show's walls have, and looks no more at the
    references that tell what colour they have today.
    """
    gain = 2.0 ** uniform(rng, -1.5, 1.5)
    power = 2.0 ** uniform(rng, -0.3, 0.4)
    open_up = uniform(rng, 0.0, 6.0) if chance(rng, 0.3) else 0.0
    colour = degrade.white_balance(rng)
    order = torch.randperm(3, generator=rng) if chance(rng, 0.15) else torch.arange(3)
    matrix = torch.eye(3)[order] + 0.12 * torch.randn(3, 3, generator=rng)
    matrix = gain * torch.exp2(colour[:, :, 0]) * matrix / matrix.sum(1, keepdim=True)

    def graded(light: Tensor) -> Tensor:
        held = light.clamp_min(0.0)
        bent = 0.18 * degrade.raised((held + 1e-4) / 0.18, power)
        if open_up:
            bent = bent * (1.0 + open_up * held.clamp_max(1.0) ** 4)
        bent = torch.where(light > 0, bent, light)
        return (matrix @ bent.flatten(-2)).view(light.shape)

    return [graded(picture) for picture in pictures]


def _element(rng: torch.Generator, size: tuple[int, int]) -> Tensor:
    """A soft-edged blob such as an inserted element leaves (1,H,W)."""
    coarse = torch.randn(1, 1, 5, 7, generator=rng)
    field = F.interpolate(coarse, size=size, mode="bicubic")[0]
    return torch.sigmoid(uniform(rng, 4.0, 30.0) * (field - uniform(rng, -0.3, 0.4)))


def _certainty(plate: Tensor, target: Tensor) -> Tensor:
    """Less weight where the input has clipped and only inpainting could tell (1,H,W)."""
    top = plate.amax()
    gone = (plate >= top * 0.999).all(0, keepdim=True) & (target > plate * 1.2).any(0, keepdim=True)
    return torch.where(gone, 0.2, 1.0)

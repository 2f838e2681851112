"""Pairs of staged takes with and without something that differs, from which a net is taught.

Here: a set-up's first take beside another one, filmed clean and with a prop moved, a costume of
another colour, a boom or a wire; where that is in the picture is what clean and faulty differ in.
Not here: the net and its lesson (`differing.py`).

Shapes: K moments, H rows, W columns, C channels, N examples.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from footagefit.catalogue.comparing import GREY, fitted
from footagefit.catalogue.differing import MOST, evidence
from footagefit.catalogue.differing_net import KINDS
from footagefit.catalogue.laying import laid
from footagefit.catalogue.outside import beside, opponent
from footagefit.dailies.pairs import warped
from footagefit.signature import coordinates
from footagefit.soundstage.filming import FRAME_S, film
from footagefit.soundstage.plan import Take
from footagefit.soundstage.script import write_script
from footagefit.soundstage.sensor import expose
from footagefit.soundstage.specs import Obstacle, SensorSpec, SetUp

SIZE_PX = (180, 320)
CLEAN = "clean"
Example = tuple[np.ndarray, np.ndarray, int]  # evidence in 8 bits, truth, kind
_STEP = MOST / 127  # of evidence as it is kept
_MOMENTS = (1, 6, 10)
_SEEN_EV = 0.3  # stops that a thing must change
_LEAST_SHARE = 0.0004  # of the picture: what covers less nobody can see
_FIRST_SEEDS = (700_000, 701_000)  # of scripts that nothing else is made of
_GAMMA = 2.4
QUALITIES = (85, 90, 95)  # of the JPEG that stands for a proxy's codec


@dataclass(frozen=True)
class Examples:
    """Pairs of takes, as they are kept.

    Attributes:
        evidence_NCHW: What the net is shown, in steps of 8 bits.
        truth_NHW: Where the thing is, or was.
        kinds_N: Index into `KINDS`; -1 where nothing differs, -2 where nobody can see it.
    """

    evidence_NCHW: np.ndarray
    truth_NHW: np.ndarray
    kinds_N: np.ndarray

    def shown(self, number: int) -> np.ndarray:
        """What the net is shown of one (C,H,W)."""
        return self.evidence_NCHW[number].astype(np.float32) * np.float32(_STEP)


@dataclass(frozen=True)
class _Recorded:
    """A take's moments as a proxy gives them back (K,H,W,C)."""

    frames_KHWC: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        return self.frames_KHWC[len(self.frames_KHWC) // 2]


def kept(folder: Path, number: int) -> Examples:
    """The examples of a show by its number, made where they are not there yet."""
    path = folder / f"takes_{number:05d}.npz"
    if not path.is_file():
        made = list(examples(_FIRST_SEEDS[number % 2] + number // 2))
        part = path.with_suffix(".part.npz")
        np.savez_compressed(
            part,
            evidence=np.array([e for e, _, _ in made], np.int8),
            truth=np.array([t for _, t, _ in made], bool),
            kinds=np.array([k for _, _, k in made], np.int8),
        )
        part.replace(path)
    with np.load(path) as stored:
        return Examples(stored["evidence"], stored["truth"], stored["kinds"])


def examples(seed: int) -> Iterator[Example]:
    """The pairs that one script gives."""
    rng = random.Random(7 * seed + 1)
    for takes in write_script("demo", seed).setups():
        if rng.random() >= 0.5:
            yield from _of_setup(takes, rng)


def _of_setup(takes: Sequence[Take], rng: random.Random) -> Iterator[Example]:
    """One take of a set-up beside its first: clean, and with each fault."""
    first = next(t for t in takes if t.number == 1)
    other = rng.choice([t for t in takes if t.number > 1])
    quality = rng.choice(QUALITIES)
    asked = as_first(other, first)
    hero = recorded(filmed(first.asked), first.sensor, first.seed, quality)
    clean = filmed(asked)
    take = recorded(clean, set_otherwise(first.sensor, rng), other.seed, quality)
    yield from _pair(hero, take, None, None, CLEAN)
    for kind in _kinds(first.asked, rng):
        images = filmed(faulty(asked, kind, rng))
        sensor = set_otherwise(first.sensor, rng)
        take = recorded(images, sensor, other.seed, quality)
        apart = _apart(images, clean, sensor)
        yield from _pair(hero, take, None, apart, kind)
        if kind in ("prop", "wardrobe"):  # the other way round
            yield from _pair(take, hero, apart, None, kind)


def as_first(other: Take, first: Take) -> SetUp:
    """Another take as it would have been shot with nothing wrong."""
    return replace(
        other.asked, wardrobe_hue=0.0, prop_shift_m=0.0, obstacle=None,
        lens=first.asked.lens, light=first.asked.light,
    )  # fmt: skip


def _kinds(asked: SetUp, rng: random.Random) -> list[str]:
    hung = "boom" if rng.random() < 0.7 else "wire"
    return ["wardrobe", hung, *(["prop"] if asked.framing != "close" else [])]


def faulty(asked: SetUp, kind: str, rng: random.Random) -> SetUp:
    """As the stage's own faults are."""
    if kind in ("boom", "wire"):
        return replace(asked, obstacle=Obstacle(kind, rng.randrange(10**6)))
    sign = rng.choice((-1.0, 1.0))
    if kind == "prop":
        return replace(asked, prop_shift_m=sign * rng.uniform(0.12, 0.3))
    return replace(asked, wardrobe_hue=sign * rng.uniform(60, 160))


def set_otherwise(sensor: SensorSpec, rng: random.Random) -> SensorSpec:
    """Now and then takes are exposed and balanced otherwise."""
    if rng.random() < 0.2:
        sensor = replace(sensor, exposure_ev=sensor.exposure_ev + rng.uniform(-0.8, 0.8))
    if rng.random() < 0.15:
        sensor = replace(sensor, white_k=1e6 / (1e6 / sensor.white_k + rng.uniform(-40, 40)))
    return sensor


def filmed(asked: SetUp) -> list[Tensor]:
    """Its moments, as light."""
    camera = film(asked, size_px=SIZE_PX)
    return [camera.frame(moment * FRAME_S, truth=False).image_CHW for moment in _MOMENTS]


def recorded(images: Sequence[Tensor], sensor: SensorSpec, seed: int, quality: int) -> _Recorded:
    """Through the sensor, 8 bits of gamma and a codec."""
    import cv2

    frames = []
    for image, moment in zip(images, _MOMENTS, strict=True):
        light = expose(image, sensor, seed=seed, frame=moment).permute(1, 2, 0).numpy()
        codes = (np.clip(light, 0, 1) ** (1 / _GAMMA) * 255).round().astype(np.uint8)
        packed = cv2.imencode(".jpg", codes, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        back = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.float32)
        frames.append((back / 255) ** np.float32(_GAMMA))
    return _Recorded(np.stack(frames))


def _apart(images: Sequence[Tensor], clean: Sequence[Tensor], sensor: SensorSpec) -> np.ndarray:
    """Where a fault shows (K,H,W): 1 there, as far as the sensor records it."""
    plain = replace(sensor, grain=0.0)

    def colours(pictures: Sequence[Tensor]) -> np.ndarray:
        light = [expose(p, plain, seed=0, frame=0).clamp_max(1.0) for p in pictures]
        stops = coordinates.stops(np.stack([p.permute(1, 2, 0).numpy() for p in light])) - GREY
        return opponent(stops.astype(np.float32))

    return (np.abs(colours(images) - colours(clean)).max(-1) > _SEEN_EV).astype(np.float32)


def _pair(
    hero: _Recorded, take: _Recorded, on_hero: np.ndarray | None, on_take: np.ndarray | None,
    kind: str,
) -> Iterator[Example]:  # fmt: skip
    """One example, or none where the takes cannot be held beside each other."""
    base, over = laid(hero.middle, hero.frames_KHWC), laid(hero.middle, take.frames_KHWC)
    fit = None if base is None or over is None else fitted(base, over)
    if base is None or over is None or fit is None:
        return
    truth = np.zeros(SIZE_PX, bool)
    if on_hero is not None:
        truth |= on_hero[len(on_hero) // 2] > 0.5
    if on_take is not None:
        layered = [np.repeat(plane[..., None], 3, -1) for plane in on_take]
        truth |= np.mean([warped(p, over.warp)[0][..., 0] for p in layered], 0) > 0.5
    code = KINDS.index(kind) if kind in KINDS else -1
    if code >= 0 and truth.mean() < _LEAST_SHARE:
        code = -2
    steps = np.clip(evidence(beside(base, over, fit)) / _STEP, -127, 127).round()
    yield steps.astype(np.int8), truth, code

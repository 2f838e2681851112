"""The plan of a show: scenes, set-ups, takes, and what goes wrong, as plain records.

A pure function of (preset, seed). No pixels, no files: `crew` shoots what is planned here.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Literal, cast

from footagefit.errors import UnknownName, WrongValue
from footagefit.footage.timecode import frames_of, timecode_of
from footagefit.records import Light
from footagefit.soundstage.plan import FAULTS, RATE, SHOW, Cut, Fault, Scene, Script, Take
from footagefit.soundstage.specs import LensSpec, Obstacle, SensorSpec, SetUp

_PLATED = ("exposure", "dropped", "wire")
_MOVES = ("static", "handheld", "dolly", "pan")
_FRAMINGS = ("wide", "medium", "close")

LENSES = (
    LensSpec("32 mm", 32.0, -0.04, 0.006, 0.28, 0.9, 0.35, 1.0, 0.0, 0.015),
    LensSpec("65 mm", 65.0, 0.018, 0.0, 0.12, 2.2, 0.2, 0.6, 0.0, 0.03),
    LensSpec("40 mm", 40.0, -0.075, 0.012, 0.4, 1.6, 0.6, 1.8, 0.0, 0.05),
)
_RACK_PX = 9.0  # third set-ups end with a focus pull
_BASE_EV = 1.2  # faces sit a little under 18% grey without it
_GRAIN = (
    SensorSpec(_BASE_EV, grain=0.02),
    SensorSpec(_BASE_EV, grain=0.045, grain_size_px=0.9, grain_chroma=0.4),
)


@dataclass(frozen=True)
class Preset:
    """How much is shot: scenes, set-ups and takes of each, frames, picture size.

    `truth_every` 0 leaves it at one frame of a scene's first take, and of takes with an obstacle.
    """

    scenes: int
    setups: int
    takes: int
    frames: int
    slate_frames: int
    size_px: tuple[int, int]
    truth_every: int
    plates: bool = False  # of every set-up's first take, not of the show's alone
    faults: tuple[str, ...] = tuple(FAULTS)


PRESETS = {
    "demo": Preset(4, 2, 3, 12, 5, (180, 320), 0),
    "small": Preset(1, 1, 4, 4, 2, (72, 128), 0, faults=("exposure", "dropped", "corrupt")),
    "brief": Preset(4, 2, 3, 8, 3, (72, 128), 0),
    "full": Preset(12, 4, 4, 48, 12, (540, 960), 24, plates=True),
}


def write_script(preset: str, seed: int, *, truth_every: int | None = None) -> Script:
    """The plan that a preset and a seed give, always the same one.

    Args:
        preset: One of `PRESETS`.
        seed: What everything random is drawn from.
        truth_every: Frames between those that truth is written of, 1 for all; the preset's own
            where None.
    """
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    size = PRESETS[preset]
    if truth_every is not None:
        if truth_every < 1:
            raise WrongValue(
                f"truth_every={truth_every} is no number of frames", hint="Say 1 for every frame"
            )
        size = replace(size, truth_every=truth_every)
    rng = random.Random(f"script {preset} {seed}")
    scenes = tuple(_scene(i, rng) for i in range(size.scenes))
    takes = _takes(scenes, size, rng)
    takes = _with_faults(takes, size, rng)
    takes = _named(takes)
    return Script(preset, seed, SHOW, size.size_px, scenes, takes, _cut(takes))


_PLACES = (
    ("INT. KITCHEN - DAY", "interior", 5600.0, 18.0),
    ("INT. HALLWAY - NIGHT", "night", 3200.0, 12.0),
    ("EXT. YARD - DAY", "exterior", 5600.0, 2.0),
    ("INT. STUDIO - DAY", "limbo", 4800.0, 45.0),
)


def _scene(index: int, rng: random.Random) -> Scene:
    name, kind, kelvin, softness = _PLACES[index % len(_PLACES)]
    side = rng.choice((-1.0, 1.0))
    light = Light(
        azimuth_deg=side * rng.uniform(25, 60), elevation_deg=rng.uniform(22, 50),
        softness_deg=softness, key_ev=rng.uniform(-0.2, 0.6) - (0.6 if kind == "night" else 0.0),
        key_k=kelvin, key_tint_duv=0.0, fill_ev=rng.uniform(-3.2, -2.0),
        fill_k=7000.0 if kind in ("exterior", "night") else kelvin, fill_tint_duv=0.0,
    )  # fmt: skip
    return Scene(str(12 + 15 * index), name, kind, rng.randrange(10**6), light, kelvin)


def _takes(scenes: tuple[Scene, ...], size: Preset, rng: random.Random) -> tuple[Take, ...]:
    made = []
    for index, scene in enumerate(scenes):
        for letter in range(size.setups):
            framing = _FRAMINGS[(letter + index) % len(_FRAMINGS)]
            move = cast(Literal["static"], rng.choice(_MOVES))
            lens = LENSES[letter % 2]
            for number in range(1, size.takes + 1):
                performance = rng.randrange(10**6)
                cameras = ("A", "B") if number == 1 and letter == 0 and size.scenes > 1 else ("A",)
                for camera in cameras:
                    own = lens if camera == "A" else LENSES[1]
                    asked = SetUp(
                        scene.set_seed, scene.kind, camera, framing, scene.light, own, performance,
                        move if camera == "A" else "static",
                        rack_px=_RACK_PX if letter == 2 and number == size.takes else 0.0,
                    )  # fmt: skip
                    made.append(_take(scene, letter, number, camera, asked, size, rng))
    return tuple(made)


def _take(
    scene: Scene,
    letter: int,
    number: int,
    camera: Literal["A", "B"],
    asked: SetUp,
    size: Preset,
    rng: random.Random,
) -> Take:
    setup = "" if letter == 0 else chr(ord("A") + letter - 1)
    sensor = replace(_GRAIN[letter % 2], white_k=scene.white_k)
    first = number == 1 and camera == "A"
    every = size.truth_every
    middle = (size.frames // 2,)
    truth = tuple(range(0, size.frames, every)) if every else ()
    if not every and first and letter == 0:
        truth = middle
    shot = f"sc{int(scene.number):03d}{setup}_t{number:02d}_{camera.lower()}"
    return Take(
        scene.number, setup, number, camera, "", shot, "", "", "", asked, sensor,
        rng.randrange(2**31), tuple(range(size.frames)), size.slate_frames,
        tail_slate=number > 1 and rng.random() < 0.2, circled=first,
        plate=f"sc{int(scene.number):03d}_{10 * (letter + 1):04d}"
        if first and ((letter == 0 and scene.number == "12") or size.plates) else "",
        truth=truth,
    )  # fmt: skip


def _with_faults(takes: tuple[Take, ...], size: Preset, rng: random.Random) -> tuple[Take, ...]:
    """Each kind of fault into a take of its own that is not the first of its set-up."""
    later = [i for i, take in enumerate(takes) if take.number > 1]
    rng.shuffle(later)
    made = list(takes)
    for kind in size.faults:
        shown = [i for i in later if kind != "prop" or made[i].asked.framing != "close"]
        if shown:  # what stands on a table is not in a close-up
            later.remove(shown[0])
            made[shown[0]] = _faulty(made[shown[0]], kind, size, rng)
    return tuple(made)


def _faulty(take: Take, kind: str, size: Preset, rng: random.Random) -> Take:
    amount = _amount(kind, take, size, rng)
    moments = take.moments
    touched = moments
    if kind == "dropped":
        start = rng.randrange(1, size.frames - int(amount))
        touched = tuple(range(start, start + int(amount)))
        moments = tuple(m for m in moments if m not in touched)
    if kind == "short":
        touched = ()
    asked, sensor = _changed(take, kind, amount, rng)
    fault = Fault(kind, take.shot, amount, FAULTS[kind], touched)
    plate = take.plate
    if kind in _PLATED:
        plate = f"sc{int(take.scene):03d}_{900 + take.number * 10 + _PLATED.index(kind):04d}"
    truth = (size.frames // 2,) if kind in ("wire", "boom") and not take.truth else take.truth
    truth = tuple(m for m in truth if m in moments)
    return replace(take, asked=asked, sensor=sensor, moments=moments, fault=fault, plate=plate,
                   truth=truth)  # fmt: skip


def _amount(kind: str, take: Take, size: Preset, rng: random.Random) -> float:
    sign = rng.choice((-1.0, 1.0))
    other = _other_lens(take.asked.lens)
    drawn = {
        "exposure": sign * rng.uniform(0.4, 1.2),
        "white_balance": sign * rng.uniform(25, 60),
        "contrast": rng.uniform(1.15, 1.4) if sign > 0 else rng.uniform(0.7, 0.87),
        "key_moved": sign * rng.uniform(35, 80),
        "lens_swap": other.focal_mm,
        "wire": 1.0,
        "boom": 1.0,
        "wardrobe": sign * rng.uniform(60, 160),
        "prop": sign * rng.uniform(0.12, 0.3),
        "dropped": float(rng.randint(1, max(1, size.frames // 5))),
        "short": float(rng.randint(3, 8)),
        "soft": rng.uniform(8.0, 14.0),
        "clipped": rng.uniform(2.0, 2.8),
        "corrupt": rng.uniform(0.4, 0.7),
    }
    return round(drawn[kind], 3)


def _other_lens(lens: LensSpec) -> LensSpec:
    return LENSES[2] if lens is LENSES[0] else LENSES[0]


def _changed(take: Take, kind: str, amount: float, rng: random.Random) -> tuple[SetUp, SensorSpec]:
    """The set-up and sensor with the fault in them."""
    asked, sensor = take.asked, take.sensor
    if kind == "exposure":
        return asked, replace(sensor, exposure_ev=sensor.exposure_ev + amount)
    if kind == "clipped":
        return asked, replace(sensor, exposure_ev=sensor.exposure_ev + amount, clip=1.0)
    if kind == "white_balance":
        return asked, replace(sensor, white_k=1e6 / (1e6 / sensor.white_k + amount))
    if kind == "contrast":
        return asked, replace(sensor, contrast=amount)
    if kind == "key_moved":
        return replace(asked, light=_moved(asked.light, amount)), sensor
    if kind == "lens_swap":
        return replace(asked, lens=_other_lens(asked.lens)), sensor
    if kind == "soft":
        return replace(asked, lens=replace(asked.lens, defocus_px=amount)), sensor
    if kind in ("wire", "boom"):
        hung = Obstacle("wire" if kind == "wire" else "boom", rng.randrange(10**6))
        return replace(asked, obstacle=hung), sensor
    if kind == "wardrobe":
        return replace(asked, wardrobe_hue=amount), sensor
    if kind == "prop":
        return replace(asked, prop_shift_m=amount), sensor
    return asked, sensor


def _moved(light: Light, by_deg: float) -> Light:
    """The key turned about the subject by a great-circle angle, at its own height."""
    height = math.radians(light.elevation_deg or 0.0)
    half = math.sin(math.radians(abs(by_deg)) / 2) / math.cos(height)
    turn = math.degrees(2 * math.asin(min(1.0, half))) * math.copysign(1, by_deg)
    azimuth = ((light.azimuth_deg or 0.0) + turn + 180.0) % 360.0 - 180.0
    return replace(light, azimuth_deg=azimuth)


def _named(takes: tuple[Take, ...]) -> tuple[Take, ...]:
    """Rolls, clip names and timecode of day, as the cameras would count them."""
    made = []
    scenes = list(dict.fromkeys(take.scene for take in takes))
    count: dict[str, int] = {}
    clock: dict[str, int] = {}
    for take in takes:
        day = scenes.index(take.scene) // 2
        roll = f"{take.camera}{day + 1:03d}"
        count[roll] = count.get(roll, 0) + 1
        start = clock.get(roll, frames_of(f"{9 + day:02d}:10:00:00", RATE))
        clock[roll] = start + take.length + 24 * 20
        date = f"2411{3 + day:02d}"
        made.append(
            replace(
                take,
                roll=roll,
                clip=f"{roll}C{count[roll]:03d}_{date}_R1AB",
                date=date,
                timecode=timecode_of(start, RATE),
            )
        )
    return tuple(made)


def _cut(takes: tuple[Take, ...]) -> tuple[Cut, ...]:
    """The circled takes in order, and the short take asked for more than it has."""
    made = []
    for take in takes:
        if take.circled:
            made.append(Cut(take.shot, max(2, len(take.moments) - 4)))
        elif take.fault is not None and take.fault.kind == "short":
            made.append(Cut(take.shot, len(take.moments) + int(take.fault.size)))
    return tuple(made)

"""People-like figures: a head with a face and hair, a neck, shoulders, arms, legs.

A figure is drawn once from a random generator and posed for every moment of a take. Heads have a
chart (`heads.py`); the rest are blobs that blend into each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from footagefit.soundstage.face import GENES, Face, faced
from footagefit.soundstage.sculpt import BUILD

SKIN_TONES = np.array(  # reflectance in linear ACEScg, lightest to darkest
    [[0.545, 0.435, 0.335], [0.465, 0.355, 0.260], [0.375, 0.275, 0.190], [0.290, 0.205, 0.133],
     [0.196, 0.135, 0.084], [0.121, 0.081, 0.050], [0.068, 0.045, 0.029]]
)  # fmt: skip


HAIR_TONES = np.array(  # black, dark brown, brown, auburn, blond, grey
    [[0.010, 0.009, 0.008], [0.026, 0.017, 0.011], [0.060, 0.036, 0.020], [0.095, 0.038, 0.018],
     [0.26, 0.18, 0.09], [0.24, 0.24, 0.24]]
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A person's build and colours.

    Attributes:
        scale: Half-height of the head in metres.
        build: Head radii over `scale`: across, up, deep.
        face: Who it is.
        hair: See `heads.chart`.
        long: How far hair hangs below the chin, in heads' half-heights; 0 for short hair.
        skin: Linear reflectance.
        tint: Linear reflectance of the hair.
        cloth: Linear reflectance of the costume.
        legs: Linear reflectance of what is worn below.
        weight: Girth of the body.
    """

    scale: float
    build: tuple[float, float, float]
    face: Face
    hair: tuple[float, ...]
    long: float
    skin: np.ndarray
    tint: np.ndarray
    cloth: np.ndarray
    legs: np.ndarray
    weight: float


def draw_figure(rng: np.random.Generator) -> Figure:
    """Somebody."""
    genes = rng.standard_normal(GENES)
    tone = rng.random() * (len(SKIN_TONES) - 1)
    low = int(tone)
    skin = SKIN_TONES[low] + (SKIN_TONES[min(low + 1, 6)] - SKIN_TONES[low]) * (tone - low)
    hair, long = _hair(rng)
    wide, deep = rng.random(2) - 0.5
    build = (BUILD[0] * (1 + 0.12 * wide), BUILD[1], BUILD[2] * (1 + 0.10 * deep))
    pale = 0.3 + 0.7 * min(1.0, float(skin.mean()) / 0.3)  # dark skin seldom has fair hair
    tint = HAIR_TONES[int(rng.choice(6, p=[0.24, 0.3, 0.22, 0.07, 0.09, 0.08]))]
    tint = HAIR_TONES[0] + (tint - HAIR_TONES[0]) * (pale - 0.3) / 0.7
    return Figure(
        scale=0.115 + 0.015 * rng.random(),
        build=build,
        face=faced(genes, pale=(pale - 0.3) / 0.7),
        hair=hair,
        long=long,
        skin=skin * _complexion(rng.random(3)),
        tint=tint * (0.8 + 0.4 * rng.random()),
        cloth=_cloth(rng),
        legs=_trousers(rng),
        weight=0.85 + 0.4 * rng.random(),
    )


def _complexion(drawn: np.ndarray) -> np.ndarray:
    """Lighter or darker, ruddy or sallow, and hardly anything else."""
    level, ruddy, sallow = 2 * drawn - 1
    return (1 + 0.1 * level) * (1 + np.array([0.04, -0.03, -0.02]) * ruddy
                                + np.array([0.01, 0.02, -0.07]) * sallow)  # fmt: skip


def _hair(rng: np.random.Generator) -> tuple[tuple[float, ...], float]:
    """A cut: bald, short, full or long; straight to curled."""
    bald = rng.random() < 0.1
    curl = float(rng.choice([0.0, 0.3, 1.0], p=[0.55, 0.25, 0.2]))
    thick = 0.0 if bald else 0.04 + 0.13 * rng.random() + 0.06 * curl
    line, recess = 0.52 + 0.16 * rng.random(), 0.16 * rng.random()
    cut = (
        thick, line, recess, 0.02 + 0.02 * rng.random(), curl,
        float(rng.choice([-0.25, 0.0, 0.25])), 9 * rng.random(),
    )  # fmt: skip
    long = 0.0 if bald or rng.random() < 0.55 else 0.1 + 1.2 * rng.random()
    hides = float(long > 0.5)  # the ears
    return tuple(float(v) for v in (*cut, hides)), float(long)


def _trousers(rng: np.random.Generator) -> np.ndarray:
    level = 0.02 + 0.28 * rng.random() ** 2
    return level * (1 + np.array([-0.15, 0.0, 0.3]) * rng.random() + 0.1 * rng.standard_normal(3))


def _cloth(rng: np.random.Generator) -> np.ndarray:
    level = 0.03 + 0.6 * rng.random() ** 1.8
    colour = rng.random(3) ** 0.7
    colour = colour / colour.mean()
    return np.clip(level * (1 + (colour - 1) * 0.75 * rng.random() ** 1.5), 0.02, 0.9)


def turn_y(degrees: float) -> np.ndarray:
    """World to local axes for something turned to its left by `degrees`."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])


def turn_x(degrees: float) -> np.ndarray:
    """World to local axes for something that looks up by `degrees`."""
    a = np.radians(degrees)
    return np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])


def turn_z(degrees: float) -> np.ndarray:
    """World to local axes for something tilted to image left by `degrees`."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])


@dataclass(frozen=True)
class Pose:
    """Where a figure is and how it holds itself.

    Attributes:
        place: The head's centre in the world.
        body_deg: Where the body faces; 0 is +z.
        yaw_deg: The head's turn over the body.
        pitch_deg: + looks up.
        roll_deg: Tilt.
        arms_deg: How far the arms are lifted, left and right.
    """

    place: tuple[float, float, float]
    body_deg: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    arms_deg: tuple[float, float]


@dataclass(frozen=True)
class Limb:
    """An ellipsoid of a body.

    Attributes:
        centre: In the world, metres.
        turn: World to its own axes.
        radii: Metres.
        what: `skin`, `cloth`, `legs` or `hair`.
        rest: Its centre in the figure's cloth, metres.
        shadow: Whether it throws one worth its cost.
    """

    centre: np.ndarray
    turn: np.ndarray
    radii: np.ndarray
    what: str
    rest: np.ndarray
    shadow: bool


MELT_M = {"skin": 0.008, "cloth": 0.034, "legs": 0.022, "hair": 0.012}
WORN = tuple(MELT_M)


class _Builder:
    """Puts limbs together, in half-heights of the head from its centre."""

    def __init__(self, place: np.ndarray, scale: float) -> None:
        self._place, self._scale = place, scale
        self.limbs: list[Limb] = []

    def put(self, at: tuple[float, ...], size: tuple[float, ...], what: str, frame: np.ndarray, *,
            own: np.ndarray | None = None, rest: tuple[float, ...] | None = None,
            shadow: bool = True) -> None:  # fmt: skip
        """A limb at a place of a frame, perhaps with axes of its own."""
        local = np.array(at) * self._scale
        turn = frame if own is None else own @ frame
        resting = local if rest is None else np.array(rest) * self._scale
        self.limbs.append(Limb(self._place + frame.T @ local, turn, np.array(size) * self._scale,
                               what, resting, shadow))  # fmt: skip


def head(figure: Figure, held: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The head's centre, turn and radii in the world."""
    turn = turn_z(held.roll_deg) @ turn_x(held.pitch_deg) @ turn_y(held.body_deg + held.yaw_deg)
    return np.array(held.place), turn, np.array(figure.build) * figure.scale


def pose(figure: Figure, held: Pose) -> list[Limb]:
    """The figure's limbs in the world; its head is `head`'s."""
    body = turn_y(held.body_deg)
    place, turn, _ = head(figure, held)
    made = _Builder(place, figure.scale)
    _neck(made, figure, body)
    _torso(made, body, figure.weight)
    for side, lift in zip((-1.0, 1.0), held.arms_deg, strict=True):
        _leg(made, body, side, figure.weight)
        _arm(made, body, side, lift, figure.weight)
    if figure.long > 0:
        _long_hair(made, figure, body, turn)
    return made.limbs


def _neck(made: _Builder, figure: Figure, body: np.ndarray) -> None:
    w = 0.9 + 0.1 * figure.weight
    made.put((0, -1.0, -0.27), (0.40 * w, 0.75, 0.43 * w), "skin", body)
    made.put((0, -1.55, -0.30), (0.55 * w, 0.36, 0.46 * w), "skin", body, shadow=False)
    for side in (-1.0, 1.0):  # tendons, from behind the ears to the pit of the throat
        made.put((side * 0.20, -1.12, -0.03), (0.055, 0.46, 0.055), "skin", body,
                 own=turn_x(-22) @ turn_z(side * 20), shadow=False)  # fmt: skip


def _torso(made: _Builder, body: np.ndarray, w: float) -> None:
    made.put((0, -2.85, -0.28), (1.12 * w, 1.25, 0.74 * w), "cloth", body)
    made.put((0, -2.26, -0.34), (1.12, 0.42, 0.46), "cloth", body, shadow=False)
    made.put((0, -1.66, -0.36), (0.50, 0.22, 0.44), "cloth", body, shadow=False)
    for side in (-1.0, 1.0):
        slope = turn_z(-side * 25)
        made.put((side * 0.70, -1.96, -0.38), (0.92, 0.19, 0.34), "cloth", body, own=slope,
                 shadow=False)  # fmt: skip
        made.put((side * 0.42, -2.62, 0.20), (0.50, 0.44, 0.26 * w), "cloth", body, shadow=False)
    made.put((0, -4.35, -0.22), (0.98 * w, 1.15, 0.64 * w), "cloth", body)
    made.put((0, -5.35, -0.25), (1.06 * w, 0.62, 0.70 * w), "cloth", body, shadow=False)
    made.put((0, -5.75, -0.28), (1.02 * w, 0.80, 0.68 * w), "legs", body)


def _leg(made: _Builder, body: np.ndarray, side: float, w: float) -> None:
    made.put((side * 0.52 * w, -7.4, -0.22), (0.52 * w, 1.9, 0.56 * w), "legs", body)
    made.put((side * 0.58 * w, -10.9, -0.36), (0.38 * w, 1.95, 0.42 * w), "legs", body)
    made.put((side * 0.62 * w, -13.0, 0.05), (0.32, 0.26, 0.72), "legs", body, shadow=False)


def _limb_turn(along: np.ndarray) -> np.ndarray:
    """Axes of a limb that runs along a direction: its own -y, its x as level as can be."""
    y = -along / math.sqrt(along @ along)
    x = np.array([y[1], -y[0], 0.0])  # y cross z
    level = math.hypot(y[0], y[1])
    x = np.array([1.0, 0.0, 0.0]) if level < 0.2 else x / (level if x[0] >= 0 else -level)
    x = x - y * (x @ y)
    x /= math.sqrt(x @ x)
    z = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return np.array([x, y, z])


def _arm(made: _Builder, body: np.ndarray, side: float, lift: float, weight: float) -> None:
    """Shoulder, upper arm, forearm and hand; elbow and shoulder swing forward by `lift`."""
    w = 0.85 + 0.15 * weight
    shoulder = np.array([side * (1.20 + 0.12 * weight), -2.50, -0.32])
    swing, bend = np.radians(0.22 * lift), np.radians(1.15 * lift + 8)
    upper = np.array([side * 0.16, -np.cos(swing), np.sin(swing)])
    lower = np.array([-side * 0.30 * np.sin(bend), -np.cos(bend), np.sin(bend)])
    upper, lower = upper / np.linalg.norm(upper), lower / np.linalg.norm(lower)
    elbow = shoulder + 2.45 * upper
    wrist = elbow + 2.05 * lower
    made.put(tuple(shoulder), (0.35 * w, 0.36, 0.38 * w), "cloth", body, shadow=False)

    def run(start: np.ndarray, along: np.ndarray, at: float, size: tuple[float, ...], what: str,
            rest_y: float, *, shadow: bool = False) -> None:  # fmt: skip
        middle = start + at * along
        made.put(tuple(middle), size, what, body, own=_limb_turn(along),
                 rest=(shoulder[0], rest_y, shoulder[2]), shadow=shadow)  # fmt: skip

    run(shoulder, upper, 1.15, (0.35 * w, 1.32, 0.37 * w), "cloth", -3.3, shadow=True)
    run(elbow, lower, 0.0, (0.29 * w, 0.36, 0.31 * w), "cloth", -4.6)
    run(elbow, lower, 0.85, (0.29 * w, 1.06, 0.30 * w), "cloth", -5.5, shadow=True)
    run(elbow, lower, 1.78, (0.22 * w, 0.22, 0.22 * w), "cloth", -6.4)
    run(wrist, lower, -0.02, (0.16, 0.34, 0.13), "skin", -6.7)
    run(wrist, lower, 0.42, (0.25, 0.36, 0.12), "skin", -7.1, shadow=True)
    palm = _limb_turn(lower)
    for finger in range(4):
        curl = lower + 0.25 * palm[2] * (0.6 + 0.2 * finger)
        root = wrist + 0.66 * lower + palm[0] * (finger - 1.5) * 0.118
        length = (0.26, 0.31, 0.29, 0.22)[finger]
        middle = root + curl / np.linalg.norm(curl) * length * 0.7
        made.put(tuple(middle), (0.060, length, 0.062), "skin", body, own=_limb_turn(curl),
                 rest=(shoulder[0], -7.5, 0.0), shadow=False)  # fmt: skip
    thumb = lower - side * 0.75 * palm[0] + 0.3 * palm[2]
    middle = wrist + 0.34 * lower - side * 0.24 * palm[0]
    made.put(tuple(middle), (0.075, 0.27, 0.075), "skin", body, own=_limb_turn(thumb),
             rest=(shoulder[0], -7.2, 0.0), shadow=False)  # fmt: skip


def _long_hair(made: _Builder, figure: Figure, body: np.ndarray, turn: np.ndarray) -> None:
    """Hair that falls behind the ears to the chin or the shoulders."""
    wide, long = figure.build[0], figure.long
    made.put((0, -0.10, -0.42), (wide * 1.05, 0.85, 0.56), "hair", turn, shadow=False)
    for side in (-1.0, 1.0):
        made.put((side * wide * 0.96, -0.25 - 0.4 * long, -0.22), (0.18, 0.62 + 0.4 * long, 0.32),
                 "hair", turn, own=turn_z(side * 4), shadow=False)  # fmt: skip
        made.put((side * wide * 0.62, -0.55 - 0.5 * long, -0.62), (0.30, 0.75 + 0.45 * long, 0.22),
                 "hair", turn, shadow=False)  # fmt: skip
    made.put((0, -0.75 - 0.5 * long, -0.72), (0.5, 0.7 + 0.45 * long, 0.22), "hair", turn)

"""People-like figures: a head with a face, hair, ears, a neck, shoulders, arms.

A figure is drawn once from a random generator and posed for every moment of a take. Heads are
bumps on an ellipsoid (see `geometry.Heads`); the rest are blobs that blend into each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Bumps of a face: direction (x right, y up, z front), height, width. Mirrored where x is not 0.
_FACE = (
    (0.00, 0.10, 1.00, 0.060, 0.0070),  # bridge of the nose
    (0.00, 0.00, 1.00, 0.085, 0.0075),
    (0.00, -0.10, 1.00, 0.125, 0.0085),
    (0.00, -0.17, 1.00, 0.135, 0.0075),  # tip
    (0.09, -0.20, 0.97, 0.055, 0.0045),  # nostrils
    (0.30, 0.14, 0.92, -0.105, 0.0260),  # eye sockets
    (0.345, 0.12, 0.92, 0.052, 0.0090),  # eyeballs
    (0.345, 0.175, 0.90, 0.024, 0.0042),  # upper lids
    (0.26, 0.30, 0.92, 0.040, 0.0180),  # brow ridge
    (0.44, 0.29, 0.84, 0.030, 0.0180),
    (0.00, 0.56, 0.90, 0.030, 0.1200),  # forehead
    (0.52, -0.14, 0.82, 0.048, 0.0420),  # cheekbones
    (0.42, -0.44, 0.80, -0.020, 0.0300),  # hollow beside the mouth
    (0.00, -0.44, 0.92, 0.050, 0.0380),  # muzzle
    (0.06, -0.450, 0.92, 0.018, 0.0046),  # upper lip
    (0.15, -0.465, 0.90, 0.014, 0.0050),
    (0.06, -0.540, 0.90, 0.022, 0.0052),  # lower lip
    (0.14, -0.530, 0.89, 0.014, 0.0052),
    (0.00, -0.494, 0.92, -0.026, 0.0016),  # the line between
    (0.08, -0.494, 0.91, -0.026, 0.0018),
    (0.15, -0.490, 0.89, -0.022, 0.0022),
    (0.00, -0.635, 0.85, -0.026, 0.0090),  # under the lip
    (0.00, -0.790, 0.74, 0.060, 0.0260),  # chin
    (0.80, -0.52, 0.30, -0.130, 0.1200),  # jaw narrows
    (0.80, 0.40, 0.45, -0.035, 0.0500),  # temples
    (0.00, 0.20, -1.00, 0.060, 0.3000),  # back of the skull
)
BUMPS = sum(1 if row[0] == 0 else 2 for row in _FACE)

SKIN_TONES = np.array(  # reflectance in linear ACEScg, lightest to darkest
    [[0.545, 0.435, 0.335], [0.465, 0.355, 0.260], [0.375, 0.275, 0.190], [0.290, 0.205, 0.133],
     [0.196, 0.135, 0.084], [0.121, 0.081, 0.050], [0.068, 0.045, 0.029]]
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A person's build and colours.

    Attributes:
        scale: Half-height of the head in metres.
        build: Head radii over `scale`: across, up, deep.
        bump: (M,5) this face's bumps.
        hair: Thickness, hairline, lean, softness.
        skin: Linear reflectance.
        cloth: Linear reflectance of the costume.
        weight: Girth of the body.
    """

    scale: float
    build: tuple[float, float, float]
    bump: np.ndarray
    hair: tuple[float, float, float, float]
    skin: np.ndarray
    cloth: np.ndarray
    weight: float


def draw_figure(rng: np.random.Generator) -> Figure:
    """Somebody."""
    rows = []
    stretch = 1 + 0.16 * rng.standard_normal(len(_FACE))
    for (x, y, z, height, width), factor in zip(_FACE, stretch, strict=True):
        shift = 0.012 * rng.standard_normal(2)
        for sign in (1.0,) if x == 0 else (1.0, -1.0):
            way = np.array([sign * (x + shift[0] * (x != 0)), y + shift[1], z])
            rows.append([*(way / np.linalg.norm(way)), height * factor, width])
    tone = rng.random() * (len(SKIN_TONES) - 1)
    low = int(tone)
    skin = SKIN_TONES[low] + (SKIN_TONES[min(low + 1, 6)] - SKIN_TONES[low]) * (tone - low)
    bald = rng.random() < 0.14
    hair = (
        0.0 if bald else 0.07 + 0.11 * rng.random(),
        0.10 + 0.30 * rng.random(),
        0.55 + 0.40 * rng.random(),
        0.025 + 0.04 * rng.random(),
    )
    cloth = _cloth(rng)
    build = (0.72 + 0.07 * rng.random(), 1.0, 0.86 + 0.08 * rng.random())
    return Figure(
        scale=0.115 + 0.015 * rng.random(),
        build=build,
        bump=np.array(rows),
        hair=hair,
        skin=skin * (0.9 + 0.2 * rng.random(3)),
        cloth=cloth,
        weight=0.85 + 0.4 * rng.random(),
    )


def _cloth(rng: np.random.Generator) -> np.ndarray:
    level = 0.03 + 0.6 * rng.random() ** 1.8
    colour = rng.random(3) ** 0.7
    colour = colour / colour.mean()
    return np.clip(level * (1 + (colour - 1) * rng.random() ** 1.5), 0.02, 0.9)


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


@dataclass
class Parts:
    """What a posed figure adds to a scene: rows for `Blobs` and `Heads`."""

    blobs: list[tuple[np.ndarray, np.ndarray, np.ndarray, str]]
    head: tuple[np.ndarray, np.ndarray, np.ndarray]


def pose(figure: Figure, held: Pose) -> Parts:
    """The figure's parts in the world; each blob is (centre, turn, radii, material)."""
    s = figure.scale
    body = turn_y(held.body_deg)
    turn = turn_z(held.roll_deg) @ turn_x(held.pitch_deg) @ turn_y(held.body_deg + held.yaw_deg)
    place = np.array(held.place)
    radii = np.array(figure.build) * s
    blobs: list[tuple[np.ndarray, np.ndarray, np.ndarray, str]] = []

    def put(local: tuple[float, ...], size: tuple[float, ...], what: str, own: np.ndarray) -> None:
        blobs.append((place + own.T @ (np.array(local) * s), own, np.array(size) * s, what))

    for side in (-1.0, 1.0):
        put((side * 0.745 * figure.build[0] / 0.72, 0.0, -0.12), (0.10, 0.24, 0.16), "skin", turn)
    w = figure.weight
    put((0, -1.05, -0.18), (0.40, 0.75, 0.42), "skin", body)
    put((0, -2.70, -0.15), (1.22 * w, 1.15, 0.74 * w), "cloth", body)
    put((0, -1.80, -0.2), (0.98 * w, 0.36, 0.46 * w), "cloth", body)
    put((0, -1.52, -0.2), (0.56, 0.34, 0.48), "cloth", body)
    put((0, -4.1, -0.1), (1.08 * w, 1.7, 0.70 * w), "cloth", body)
    put((0, -5.6, -0.12), (1.05 * w, 0.95, 0.74 * w), "cloth", body)
    for side in (-1.0, 1.0):
        put((side * 0.52 * w, -7.3, -0.1), (0.52 * w, 1.75, 0.56 * w), "cloth", body)
        put((side * 0.56 * w, -10.0, -0.2), (0.36 * w, 1.75, 0.40 * w), "cloth", body)
    for side, lift in zip((-1.0, 1.0), held.arms_deg, strict=True):
        _arm(put, body, side, lift, w)
    return Parts(blobs, (place, turn, radii))


def _arm(put, body: np.ndarray, side: float, lift: float, weight: float) -> None:
    """Shoulder, upper arm, forearm and hand; the forearm swings up in front by `lift`."""
    put((side * 1.10 * weight, -1.98, -0.15), (0.46, 0.42, 0.44), "cloth", body)
    upper = turn_z(side * 9) @ body
    put((side * 1.36 * weight, -2.75, -0.1), (0.36, 1.02, 0.38), "cloth", upper)
    a = np.radians(lift)
    reach = np.array([0.0, -np.cos(a), np.sin(a)])
    elbow = np.array([side * 1.52 * weight, -3.62, -0.1])
    middle = elbow + reach * 0.85
    fore = turn_x(-lift) @ body
    put(tuple(middle), (0.28, 0.95, 0.28), "cloth", fore)
    hand = elbow + reach * 1.95
    put(tuple(hand), (0.24, 0.36, 0.16), "skin", fore)

"""A set: figures, props, walls and their materials, moved through time.

Two ways to one: `dressing.crew_set` builds what a `SetUp` asks for; `wild.wild_set` ranges far
wider, for training. A `Set`'s `at(time_s)` lists that moment's parts; `scene.py` makes tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from footagefit.soundstage import materials as m
from footagefit.soundstage.figures import MELT_M, WORN, Figure, Pose, pose, turn_x, turn_y

Row = dict[str, object]
ROWS = len(WORN)  # materials a figure has: skin, cloth, legs, hair


@dataclass
class Lamp:
    """A source that belongs to the set: a practical, a window, a sky.

    Attributes:
        name: Its name among the sources.
        kind: `near`, `far` or `map`.
        place: Where it stands, for `near`.
        way: World direction to it, for `far`.
        size: Radius in metres (near) or tangent of the angular radius (far).
        ev: As everywhere.
        kelvin: As everywhere.
        aim: The way a window looks; all ways where None.
        gate: The opening that a far source comes through: see `lights.Source`.
        beyond: A window's radiance as seen from inside, over its `ev`.
        seed: Of the sky.
    """

    name: str
    kind: str
    ev: float
    kelvin: float
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)
    way: tuple[float, float, float] = (0.0, 1.0, 0.0)
    size: float = 0.05
    aim: tuple[float, float, float] | None = None
    gate: np.ndarray | None = None
    beyond: float = 0.0
    seed: int = 0


@dataclass
class Moving:
    """How something sways: amplitude and rate per axis, and where in its swing it starts."""

    amplitude: np.ndarray
    rate_hz: np.ndarray
    phase: np.ndarray

    def at(self, time_s: float) -> np.ndarray:
        """The offset at a moment."""
        return self.amplitude * np.sin(2 * np.pi * (self.rate_hz * time_s + self.phase))


def sway(rng: np.random.Generator, size: float, dims: int = 3) -> Moving:
    """A random slow movement."""
    amplitude = size * rng.standard_normal(dims)
    return Moving(amplitude, 0.15 + 0.5 * rng.random(dims), rng.random(dims))


@dataclass
class Actor:
    """A figure and its performance."""

    figure: Figure
    place: np.ndarray
    body_deg: float
    step: Moving
    look: Moving
    arms: tuple[float, float]

    def pose(self, time_s: float) -> Pose:
        """How it stands at a moment."""
        x, y, z = self.place + self.step.at(time_s)
        yaw, pitch, roll, left, right = self.look.at(time_s)
        return Pose(
            (x, y, z), self.body_deg, float(yaw), float(pitch), float(roll),
            (self.arms[0] + float(left), self.arms[1] + float(right)),
        )  # fmt: skip


@dataclass
class Thing:
    """A blob, a box or a bush of the set.

    Attributes:
        shape: `blob`, `box` or `bush`.
        centre: In the world.
        turn: World to its own axes.
        size: Radii, or half sides.
        material: Row of the table.
        group: Blobs of one group melt together; -1 stands alone.
        move: How it sways.
        melt: Over what distance blobs of its group melt, metres.
        rest: Its centre in the group's cloth.
        shadow: Whether it throws one worth its cost.
        cell: Distance between a bush's leaves, metres.
        density: How many of them there are, 0..1.
    """

    shape: str
    centre: np.ndarray
    turn: np.ndarray
    size: np.ndarray
    material: int
    group: int = -1
    move: Moving | None = None
    melt: float = 0.02
    rest: np.ndarray = field(default_factory=lambda: np.zeros(3))
    shadow: bool = True
    cell: float = 0.06
    density: float = 0.0


@dataclass
class Plane:
    """A wall or a floor: points x with normal . x = offset, with one opening or none.

    Attributes:
        normal: Unit, to where it is seen from.
        offset: Metres.
        turn: World to its own axes: x along, y up, z out.
        material: Row of the table.
        hole: Middle x, y and half sizes x, y in its own axes; negative sizes: none.
    """

    normal: np.ndarray
    offset: float
    turn: np.ndarray
    material: int
    hole: tuple[float, float, float, float] = (0.0, 0.0, -1.0, -1.0)


@dataclass
class Set:
    """Everything in front of the camera.

    Attributes:
        actors: Figures.
        things: Blobs and boxes.
        planes: Walls, floors, backdrops.
        table: Rows of the material table.
        lamps: Sources that belong to the set.
    """

    actors: list[Actor] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    planes: list[Plane] = field(default_factory=list)
    table: list[Row] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)

    def material(self, kind: int, base: np.ndarray, **more: float | np.ndarray) -> int:
        """Add a row to the table; returns its index."""
        row: Row = {
            "kind": kind, "base": np.asarray(base, float), "second": np.asarray(base, float) * 0.5,
            "tint": np.zeros(3), "scale": 8.0, "contrast": 0.2, "rough": 0.6,
            "shine": 0.04, "bump": 0.0, "glow": 0.0,
        }  # fmt: skip
        row.update(more)
        self.table.append(row)
        return len(self.table) - 1

    def at(self, time_s: float) -> list[Thing]:
        """Blobs and boxes of a moment, figures' bodies included."""
        things = []
        for thing in self.things:
            if thing.move is None:
                things.append(thing)
            else:
                things.append(replace(thing, centre=thing.centre + thing.move.at(time_s)))
        for index, actor in enumerate(self.actors):
            for limb in pose(actor.figure, actor.pose(time_s)):
                row = ROWS * index + WORN.index(limb.what)
                things.append(Thing("blob", limb.centre, limb.turn, limb.radii, row, row,
                                    melt=MELT_M[limb.what], rest=limb.rest,
                                    shadow=limb.shadow))  # fmt: skip
        return things

    def add_actor(self, actor: Actor, rng: np.random.Generator) -> None:
        """Add a figure; must come before anything else that has a material."""
        f = actor.figure
        self.material(m.SKIN, f.skin, second=f.skin * np.array([0.97, 0.84, 0.82]), tint=f.tint,
                      scale=55.0, contrast=0.25, rough=0.52 + 0.14 * rng.random(), shine=0.028,
                      bump=0.007 + 0.008 * f.face.age)  # fmt: skip
        for worn in (f.cloth, f.legs):
            weave = worn * (0.6 + 0.7 * rng.random(3))
            self.material(m.CLOTH, worn, second=np.clip(weave, 0.01, 0.9),
                          scale=float(rng.choice([9.0, 60.0, 300.0, 500.0])),
                          contrast=0.6 * rng.random() ** 1.8, rough=0.8 + 0.15 * rng.random(),
                          shine=0.025, bump=0.03 + 0.05 * rng.random())  # fmt: skip
        self.material(m.HAIR, f.tint, second=f.tint * 0.5, contrast=0.0, rough=0.66, shine=0.012)
        self.actors.append(actor)


def colour(
    rng: np.random.Generator, *, saturation: float, level: float | None = None
) -> np.ndarray:
    """A linear reflectance; saturation 0 is grey."""
    base = 0.03 + 0.75 * rng.random() ** 1.4 if level is None else level
    hue = rng.random(3) ** 0.8
    hue = hue / hue.mean()
    return np.clip(base * (1 + (hue - 1) * saturation), 0.015, 0.92)


def any_material(made: Set, rng: np.random.Generator, saturation: float) -> int:
    """A random material that is not a figure's."""
    kind = int(rng.choice([m.PAINT, m.CLOTH, m.WOOD, m.BRICK, m.METAL, m.LEAF],
                          p=[0.34, 0.16, 0.18, 0.1, 0.1, 0.12]))  # fmt: skip
    base = colour(rng, saturation=saturation)
    if kind == m.WOOD:
        base = np.array([0.30, 0.16, 0.08]) * (0.4 + 1.4 * rng.random()) * saturation + base * (
            1 - saturation
        )
    if kind == m.METAL:
        base = np.clip(base * 0.5 + 0.4, 0, 0.9)
    second = np.clip(
        base * (0.25 + 1.2 * rng.random(3) * saturation + 0.6 * (1 - saturation)), 0.01, 0.92
    )
    scales = {m.PAINT: (2, 30), m.CLOTH: (30, 400), m.WOOD: (6, 40), m.BRICK: (5, 14),
              m.METAL: (4, 60), m.LEAF: (8, 40)}  # fmt: skip
    low, high = scales[kind]
    glossy = kind == m.METAL or rng.random() < 0.25
    rough = 0.12 + 0.3 * rng.random() if glossy else 0.5 + 0.4 * rng.random()
    return made.material(
        kind, base, second=second, scale=float(low * (high / low) ** rng.random()),
        contrast=float(rng.random() ** 1.2), rough=rough,
        shine=0.05 if glossy else 0.035, bump=float(0.22 * rng.random() ** 3),
    )  # fmt: skip


def prop(made: Set, rng: np.random.Generator, centre: np.ndarray, size: float, sat: float) -> Thing:
    """A box or a blob with a random material."""
    turn = turn_x(rng.normal() * 8) @ turn_y(rng.random() * 360)
    shape = "box" if rng.random() < 0.5 else "blob"
    extent = size * (0.4 + 1.0 * rng.random(3))
    return Thing(shape, centre, turn, extent, any_material(made, rng, sat))


def wall(made: Set, normal: tuple[float, float, float], offset: float, material: int,
         hole: tuple[float, float, float, float] = (0.0, 0.0, -1.0, -1.0)) -> Plane:  # fmt: skip
    """A plane with its own axes: x along, y up, z out; perhaps with an opening."""
    n = np.asarray(normal, float)
    n = n / np.linalg.norm(n)
    up = np.array([0, 1, 0]) if abs(n[1]) < 0.9 else np.array([0, 0, 1.0])
    x = np.cross(up, n)
    x = x / np.linalg.norm(x)
    plane = Plane(n, offset, np.stack([x, np.cross(n, x), n]), material, hole)
    made.planes.append(plane)
    return plane


def bush(made: Set, rng: np.random.Generator, centre: np.ndarray, radii: np.ndarray, *,
         cell: float, leaf: int | None = None) -> int:  # fmt: skip
    """Foliage that sways; returns its material, for more of the same."""
    if leaf is None:
        leaf = leaves(made, rng)
    made.things.append(
        Thing("bush", centre, turn_y(rng.random() * 360), radii, leaf, move=sway(rng, 0.008),
              cell=cell, density=0.75 + 0.25 * rng.random())
    )  # fmt: skip
    return leaf


def leaves(made: Set, rng: np.random.Generator) -> int:
    """A material of leaves: green, now and then yellow or red."""
    green = np.array([0.055, 0.10, 0.03]) * (0.7 + 0.7 * rng.random())
    turned = np.array([0.26, 0.14, 0.03]) if rng.random() < 0.2 else np.array([0.13, 0.17, 0.05])
    return made.material(
        m.LEAF, green, second=turned, scale=14.0, contrast=0.35 + 0.5 * rng.random(),
        rough=0.45 + 0.2 * rng.random(), shine=0.04, bump=0.04,
    )  # fmt: skip

"""Sets: figures, props, walls and their materials, from a seed, moved through time.

Two ways in: `crew_set` builds what a `SetUp` asks for; `wild_set` ranges far wider, for
training. Both give a `Set`, whose `at(time_s)` lists that moment's parts; `scene.py` makes tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from footagefit.soundstage import materials as m
from footagefit.soundstage.figures import Figure, Pose, draw_figure, pose, turn_x, turn_y, turn_z

Row = dict[str, object]


@dataclass
class Lamp:
    """A source that belongs to the set: a practical, a window, a sky.

    Attributes:
        name: Its name among the sources.
        kind: `near`, `far` or `dome`.
        place: Where it stands, for `near`.
        way: World direction to it, for `far`.
        size: Radius in metres (near) or angular diameter in degrees (far).
        ev: As everywhere.
        kelvin: As everywhere.
    """

    name: str
    kind: str
    ev: float
    kelvin: float
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)
    way: tuple[float, float, float] = (0.0, 1.0, 0.0)
    size: float = 0.05


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
    """A blob or a box of the set."""

    shape: str
    centre: np.ndarray
    turn: np.ndarray
    size: np.ndarray
    material: int
    group: int = -1
    move: Moving | None = None


@dataclass
class Set:
    """Everything in front of the camera.

    Attributes:
        actors: Figures.
        things: Blobs and boxes.
        planes: (normal, offset, turn, material) of walls, floors, backdrops.
        table: Rows of the material table.
        lamps: Sources that belong to the set.
    """

    actors: list[Actor] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    planes: list[tuple[np.ndarray, float, np.ndarray, int]] = field(default_factory=list)
    table: list[Row] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)

    def material(self, kind: int, base: np.ndarray, **more: float | np.ndarray) -> int:
        """Add a row to the table; returns its index."""
        row: Row = {
            "kind": kind, "base": np.asarray(base, float), "second": np.asarray(base, float) * 0.5,
            "scale": 8.0, "contrast": 0.2, "rough": 0.6, "shine": 0.04, "bump": 0.0, "glow": 0.0,
        }  # fmt: skip
        row.update(more)
        self.table.append(row)
        return len(self.table) - 1

    def at(self, time_s: float) -> list[Thing]:
        """Blobs and boxes of a moment, figures' bodies included."""
        things = []
        for thing in self.things:
            shift = thing.move.at(time_s) if thing.move is not None else 0.0
            things.append(Thing(thing.shape, thing.centre + shift, thing.turn, thing.size,
                                thing.material, thing.group))  # fmt: skip
        for index, actor in enumerate(self.actors):
            skin, cloth = self._rows_of(index)
            for centre, turn, radii, what in pose(actor.figure, actor.pose(time_s)).blobs:
                row = skin if what == "skin" else cloth
                group = 2 * index + (what == "cloth")
                things.append(Thing("blob", centre, turn, radii, row, group))
        return things

    def _rows_of(self, actor: int) -> tuple[int, int]:
        return 2 * actor, 2 * actor + 1  # figures' materials come first in the table

    def add_actor(self, actor: Actor, rng: np.random.Generator) -> None:
        """Add a figure; must come before anything else that has a material."""
        f = actor.figure
        self.material(m.SKIN, f.skin, second=f.skin * np.array([0.96, 0.8, 0.78]), scale=60.0,
                      contrast=0.3, rough=0.38 + 0.2 * rng.random(), shine=0.035,
                      bump=0.08 + 0.08 * rng.random())  # fmt: skip
        weave = f.cloth * (0.5 + 0.9 * rng.random(3))
        self.material(m.CLOTH, f.cloth, second=np.clip(weave, 0.01, 0.9),
                      scale=float(rng.choice([12.0, 40.0, 220.0, 400.0])),
                      contrast=0.7 * rng.random() ** 1.5, rough=0.85, shine=0.03,
                      bump=0.25 * rng.random())  # fmt: skip
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
        shine=0.05 if glossy else 0.035, bump=float(0.4 * rng.random() ** 2),
    )  # fmt: skip


def prop(made: Set, rng: np.random.Generator, centre: np.ndarray, size: float, sat: float) -> Thing:
    """A box or a blob with a random material."""
    turn = turn_x(rng.normal() * 8) @ turn_y(rng.random() * 360)
    shape = "box" if rng.random() < 0.5 else "blob"
    extent = size * (0.4 + 1.0 * rng.random(3))
    return Thing(shape, centre, turn, extent, any_material(made, rng, sat))


def wall(made: Set, normal: tuple[float, float, float], offset: float, material: int) -> None:
    """A plane with its own axes: x along, y up, z out."""
    n = np.asarray(normal, float)
    n = n / np.linalg.norm(n)
    up = np.array([0, 1, 0]) if abs(n[1]) < 0.9 else np.array([0, 0, 1.0])
    x = np.cross(up, n)
    x = x / np.linalg.norm(x)
    made.planes.append((n, offset, np.stack([x, np.cross(n, x), n]), material))


def wild_set(rng: np.random.Generator) -> tuple[Set, float]:
    """A training set, far wider than any show; and how far the subject is from the camera axis."""
    made = Set()
    saturation = float(rng.choice([0.0, 0.25, 0.6, 1.0], p=[0.22, 0.22, 0.3, 0.26]))
    people = int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2]))
    for index in range(people):
        figure = draw_figure(rng)
        grey = figure.skin.mean()
        figure = Figure(
            **{**figure.__dict__, "skin": grey + (figure.skin - grey) * max(saturation, 0.15)}
        )
        place = np.array([(index - 0.5 * (people - 1)) * 0.38, 0.0, -0.15 * index])
        place = place + 0.05 * rng.standard_normal(3)
        actor = Actor(figure, place, rng.normal() * 38, sway(rng, 0.01), sway(rng, 14.0, 5),
                      (70 * rng.random(), 70 * rng.random()))  # fmt: skip
        made.add_actor(actor, rng)
    clutter = rng.integers(2, 9) if people == 0 else rng.integers(0, 6)
    for _ in range(int(clutter)):
        spread = 0.22 if people == 0 else 0.5
        centre = rng.standard_normal(3) * spread * np.array([1.2, 1.0, 0.8])
        if people and np.linalg.norm(centre[:2]) < 0.2:
            centre[2] -= 0.5
        size = 0.04 + 0.16 * rng.random() ** 1.5
        made.things.append(prop(made, rng, centre, size, saturation))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.34, 0.4, 0.26]))):
        tilt = np.array([0.7 * rng.standard_normal(), 0.7 * rng.standard_normal(), 1.0])
        if rng.random() < 0.4:
            tilt = np.array([0.1 * rng.standard_normal(), 1.0, 0.25])
        n = tilt / np.linalg.norm(tilt)
        wall(
            made, tuple(n), float(-(0.25 + 1.6 * rng.random())), any_material(made, rng, saturation)
        )
    if not made.table:
        made.material(m.PAINT, colour(rng, saturation=saturation))
    return made, saturation


def crew_set(set_seed: int, kind: str, performance_seed: int, *, wardrobe_hue: float = 0.0,
             prop_shift_m: float = 0.0) -> Set:  # fmt: skip
    """The set a crew asked for: the same from the same seed, whoever performs on it."""
    rng = np.random.default_rng([set_seed, 11])
    acting = np.random.default_rng([set_seed, performance_seed, 12])
    made = Set()
    people = 1 if kind == "limbo" or rng.random() < 0.45 else 2
    for index in range(people):
        figure = draw_figure(rng)
        if index == 0 and wardrobe_hue:
            figure = Figure(**{**figure.__dict__, "cloth": _hue_turned(figure.cloth, wardrobe_hue)})
        x = 0.0 if people == 1 else (index - 0.5) * 0.62
        place = np.array([x, 0.0, -0.25 * index]) + 0.02 * acting.standard_normal(3)
        body = (
            18.0 if people == 1 else (30.0 if index == 0 else -30.0)
        ) + 8 * rng.standard_normal()
        actor = Actor(figure, place, body, sway(acting, 0.012), sway(acting, 11.0, 5),
                      (20 + 50 * acting.random(), 20 + 60 * acting.random()))  # fmt: skip
        made.add_actor(actor, rng)
    if kind == "limbo":
        grey = 0.02 + 0.3 * rng.random()
        wall(made, (0, 0, 1), -1.6, made.material(m.PAINT, colour(rng, saturation=0.1, level=grey)))
        return made
    _dress(made, rng, kind, prop_shift_m)
    return made


_FLOOR_M = -1.35


def _dress(made: Set, rng: np.random.Generator, kind: str, prop_shift_m: float) -> None:
    """Floor, walls or a street, furniture that stands, things on a table, greenery."""
    wall(made, (0, 1, 0), _FLOOR_M, _plain(made, rng, (m.WOOD, m.PAINT, m.CLOTH)))
    if kind == "exterior":
        for side in (-1.0, 1.0):
            half = np.array([1.6, 2.2 + 2 * rng.random(), 1.5])
            _stand(made, rng, (side * (2.6 + rng.random()), -5.5 - 3 * rng.random()), half,
                   _plain(made, rng, (m.BRICK, m.PAINT)))  # fmt: skip
        for _ in range(3):
            _bush(
                made, rng, np.array([rng.uniform(-2.2, 2.2), -0.75, -2.5 - 2 * rng.random()]), 0.3
            )
    else:
        wall(made, (0.06 * rng.standard_normal(), 0, 1), -1.9 - rng.random(),
             _plain(made, rng, (m.PAINT, m.PAINT, m.BRICK)))  # fmt: skip
        wall(made, (1, 0, 0.05), -2.3 - rng.random(), _plain(made, rng, (m.PAINT,)))
        for side in (-1.0, 1.0):
            half = np.array([0.3 + 0.25 * rng.random(), 0.35 + 0.5 * rng.random(), 0.2])
            _stand(made, rng, (side * (0.9 + 0.5 * rng.random()), -1.35), half,
                   _plain(made, rng, (m.WOOD, m.PAINT)))  # fmt: skip
        frame = np.array([rng.uniform(-0.7, 0.7), 0.25 + 0.1 * rng.random(), -1.85])
        made.things.append(Thing("box", frame, np.eye(3), np.array([0.28, 0.2, 0.03]),
                                 any_material(made, rng, 0.6)))  # fmt: skip
        _bush(made, rng, np.array([-1.15, -0.55, -1.1]), 0.16)
    _table(made, rng, prop_shift_m)


def _plain(made: Set, rng: np.random.Generator, kinds: tuple[int, ...]) -> int:
    """A quiet material for what is large: low relief, low contrast, little colour."""
    kind = int(rng.choice(kinds))
    base = colour(rng, saturation=0.22, level=0.08 + 0.4 * rng.random())
    if kind == m.WOOD:
        base = np.array([0.21, 0.13, 0.075]) * (0.5 + rng.random())
    if kind == m.BRICK:
        base = np.array([0.25, 0.13, 0.09]) * (0.6 + 0.6 * rng.random())
    scale = {m.BRICK: 9.0, m.WOOD: 9.0, m.CLOTH: 60.0}.get(kind, 3.0 + 5 * rng.random())
    return made.material(kind, base, second=np.clip(base * 0.55 + 0.05, 0.02, 0.9), scale=scale,
                         contrast=0.15 + 0.35 * rng.random(), rough=0.6 + 0.3 * rng.random(),
                         bump=0.02 + 0.05 * rng.random())  # fmt: skip


def _stand(made: Set, rng: np.random.Generator, at: tuple[float, float], half: np.ndarray,
           material: int) -> None:  # fmt: skip
    """A box on the floor."""
    centre = np.array([at[0], _FLOOR_M + half[1], at[1]])
    made.things.append(Thing("box", centre, turn_y(rng.normal() * 8), half, material))


def _table(made: Set, rng: np.random.Generator, prop_shift_m: float) -> None:
    """A table at the figure's side with a few things on it; the first is the one that moves."""
    top, x = -0.62, 0.55
    _stand(made, rng, (x, -0.25), np.array([0.34, (top - _FLOOR_M) / 2, 0.26]),
           _plain(made, rng, (m.WOOD, m.PAINT)))  # fmt: skip
    for index in range(3):
        size = 0.05 + 0.05 * rng.random(3)
        size[1] *= 1.0 + rng.random()
        place = np.array([x - 0.2 + 0.2 * index, top + size[1], -0.15 - 0.2 * rng.random()])
        if index == 0:
            place[0] += prop_shift_m
        shape = "blob" if rng.random() < 0.6 else "box"
        turn = turn_y(360 * rng.random())
        made.things.append(Thing(shape, place, turn, size, any_material(made, rng, 0.7)))


def _bush(made: Set, rng: np.random.Generator, base: np.ndarray, size: float) -> None:
    """Foliage that sways."""
    leaf = made.material(
        m.LEAF, np.array([0.07, 0.10, 0.035]) * (0.6 + rng.random()),
        second=np.array([0.17, 0.20, 0.07]), scale=26.0, contrast=0.9, rough=0.55, bump=0.5,
    )  # fmt: skip
    for _ in range(9):
        centre = base + size * 1.5 * rng.standard_normal(3) * np.array([1, 0.9, 0.7])
        radii = size * (0.5 + 0.6 * rng.random(3))
        made.things.append(Thing("blob", centre, turn_z(rng.random() * 90), radii, leaf, -1,
                                 sway(rng, 0.012)))  # fmt: skip


def _hue_turned(rgb: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a colour about the grey axis (Rodrigues), keeping it a reflectance."""
    axis = np.ones(3) / np.sqrt(3)
    a = np.radians(degrees)
    turned = (
        rgb * np.cos(a) + np.cross(axis, rgb) * np.sin(a) + axis * (axis @ rgb) * (1 - np.cos(a))
    )
    spread = turned - turned.mean()
    grown = turned.mean() + spread * max(1.0, 0.25 * turned.mean() / (np.abs(spread).max() + 1e-6))
    return np.clip(grown, 0.02, 0.9)

"""What a crew asked for: rooms with a window, a yard under the sky, a hallway at night, a limbo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footagefit.soundstage import materials as m
from footagefit.soundstage.figures import draw_figure, turn_y, turn_z
from footagefit.soundstage.sets import (
    Actor,
    Lamp,
    Moving,
    Set,
    Thing,
    any_material,
    bush,
    colour,
    leaves,
    sway,
    wall,
)  # fmt: skip

_FLOOR_M = -1.58
_CURTAIN = 1000  # groups of figures are numbered by their materials, from 0


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
            figure = replace(figure, cloth=_hue_turned(figure.cloth, wardrobe_hue))
        x = 0.0 if people == 1 else (index - 0.5) * 0.62
        place = np.array([x, 0.0, -0.25 * index]) + 0.02 * acting.standard_normal(3)
        body = (
            18.0 if people == 1 else (30.0 if index == 0 else -30.0)
        ) + 8 * rng.standard_normal()
        actor = Actor(figure, place, body, sway(acting, 0.012), sway(acting, 9.0, 5),
                      (8 + 60 * acting.random() ** 2, 8 + 60 * acting.random() ** 2))  # fmt: skip
        made.add_actor(actor, rng)
    if kind == "limbo":
        grey = 0.02 + 0.3 * rng.random()
        paper = made.material(m.PAINT, colour(rng, saturation=0.1, level=grey), contrast=0.03)
        wall(made, (0, 0, 1), -1.6, paper)
    elif kind == "exterior":
        _yard(made, rng)
    else:
        _room(made, rng, night=kind == "night")
    _table(made, rng, prop_shift_m)
    return made


def _plain(made: Set, rng: np.random.Generator, kinds: tuple[int, ...]) -> int:
    """A quiet material for what is large: hardly any relief, low contrast, little colour."""
    kind = int(rng.choice(kinds))
    base = colour(rng, saturation=0.11, level=0.12 + 0.4 * rng.random())
    second, contrast = base * 0.8, 0.06 + 0.14 * rng.random()
    if kind == m.WOOD:
        base = np.array([0.24, 0.145, 0.08]) * (0.45 + 0.9 * rng.random())
        second, contrast = base * np.array([0.62, 0.55, 0.5]), 0.35 + 0.3 * rng.random()
    if kind == m.BRICK:
        base = np.array([0.25, 0.125, 0.085]) * (0.6 + 0.6 * rng.random())
        second, contrast = np.array([0.3, 0.28, 0.25]) * (0.6 + 0.5 * rng.random()), 0.9
    scale = {m.BRICK: 13.0, m.WOOD: 26.0, m.CLOTH: 60.0}.get(kind, 1.5 + 4 * rng.random())
    bump = {m.PAINT: 0.004, m.BRICK: 0.03, m.WOOD: 0.012, m.CLOTH: 0.05}[kind]
    return made.material(kind, base, second=np.clip(second, 0.01, 0.9), scale=scale,
                         contrast=contrast, rough=0.5 + 0.35 * rng.random(), bump=bump)  # fmt: skip


Three = tuple[float, ...] | np.ndarray


def _box(made: Set, centre: Three, half: Three, material: int, *, turn: np.ndarray | None = None,
         shadow: bool = True) -> Thing:  # fmt: skip
    thing = Thing("box", np.array(centre, float), np.eye(3) if turn is None else turn,
                  np.array(half, float), material, shadow=shadow)  # fmt: skip
    made.things.append(thing)
    return thing


def _room(made: Set, rng: np.random.Generator, *, night: bool) -> None:
    """A back wall with a window, a cabinet, a picture, a plant and a lamp."""
    wall(made, (0, 1, 0), _FLOOR_M, _plain(made, rng, (m.WOOD, m.WOOD, m.CLOTH)))
    side = float(rng.choice([-1.0, 1.0]))
    back = -1.9 - 0.7 * rng.random()
    paint = _plain(made, rng, (m.PAINT, m.PAINT, m.PAINT, m.BRICK))
    hole = (side * rng.uniform(0.62, 0.95), 0.12 + 0.1 * rng.random(), 0.34 + 0.1 * rng.random(),
            0.46 + 0.12 * rng.random())  # fmt: skip
    wall(made, (0, 0, 1), back, paint, hole)
    wall(made, (1, 0, 0.05), -2.6 - rng.random(), _plain(made, rng, (m.PAINT,)))
    trim = made.material(m.PAINT, np.full(3, 0.45 + 0.2 * rng.random()), contrast=0.05, rough=0.4)
    _box(made, (0, _FLOOR_M + 0.05, back + 0.01), (6.0, 0.05, 0.012), trim, shadow=False)
    _window(made, rng, hole, back, trim, night=night)
    top = _cabinet(made, rng, -side, back)
    _lamp(made, rng, (-side * 0.75, top, back + 0.3), night=night)
    _picture(made, rng, np.array([-side * rng.uniform(0.5, 0.9), 0.42 + 0.1 * rng.random(), back]))
    pot = np.array([side * (1.15 + 0.2 * rng.random()), _FLOOR_M + 0.42, back + 0.55])
    _plant(made, rng, pot)


def _window(made: Set, rng: np.random.Generator, hole: tuple[float, ...], back: float, trim: int,
            *, night: bool) -> None:  # fmt: skip
    """The frame with its bars, a curtain that sways, and what comes through."""
    x, y, wide, tall = hole
    for sign in (-1.0, 1.0):
        _box(made, (x + sign * (wide + 0.03), y, back), (0.035, tall + 0.06, 0.03), trim,
             shadow=False)  # fmt: skip
        _box(made, (x, y + sign * (tall + 0.03), back), (wide + 0.06, 0.035, 0.035), trim,
             shadow=False)  # fmt: skip
    _box(made, (x, y, back - 0.05), (0.018, tall, 0.015), trim, shadow=False)
    _box(made, (x, y, back - 0.05), (wide, 0.018, 0.015), trim, shadow=False)
    _box(made, (x, y - tall - 0.05, back + 0.05), (wide + 0.1, 0.018, 0.07), trim, shadow=False)
    _curtain(made, rng, (x, y, wide, tall), back)
    gate = np.array([[x, y, back], [wide, 0, 0], [0, tall, 0], [0, 0, -1.0]])
    area = 4 * wide * tall
    ev = -5.0 if night else -0.9 + 0.5 * rng.random()
    made.lamps.append(Lamp("window", "near", ev, 9500.0 if night else 6800.0, (x, y, back + 0.02),
                           size=0.8 * float(np.sqrt(wide * tall)), aim=(0.0, 0.0, 1.0),
                           beyond=(0.12 if night else 0.28) * np.pi / area,
                           seed=int(rng.integers(2**31))))  # fmt: skip
    if not night:
        way = (rng.uniform(-0.5, 0.5), rng.uniform(0.35, 0.7), -1.0)
        made.lamps.append(Lamp("sun", "far", 0.4 + 0.8 * rng.random(), 5200.0, way=way,
                               size=0.005, gate=gate))  # fmt: skip


def _curtain(made: Set, rng: np.random.Generator, hole: tuple[float, ...], back: float) -> None:
    """Folds of cloth beside the window, each swaying a little after the one before."""
    x, y, wide, tall = hole
    base = colour(rng, saturation=0.4, level=0.12 + 0.4 * rng.random())
    cloth = made.material(m.CLOTH, base, second=base * 0.8, scale=200.0, contrast=0.2, rough=0.9,
                          bump=0.03)  # fmt: skip
    rate, phase = 0.25 + 0.2 * rng.random(), rng.random()
    top = y + tall + 0.12
    middle, long = (top + _FLOOR_M) / 2, 0.56 * (top - _FLOOR_M)
    rail = made.material(m.METAL, np.full(3, 0.4), rough=0.35, shine=0.5, contrast=0.0)
    _box(made, (x, top, back + 0.1), (wide + 0.42, 0.014, 0.014), rail, shadow=False)
    for number, sign in enumerate((-1.0, 1.0)):
        for fold in range(5):
            at = np.array([x + sign * (wide - 0.08 + 0.075 * fold), middle, back + 0.09])
            at[2] += 0.022 * (fold % 2)
            swing = Moving(np.array([0.008, 0.0, 0.02]), np.full(3, rate),
                           np.full(3, phase - 0.12 * fold))  # fmt: skip
            size = np.array([0.052, long, 0.034])
            made.things.append(Thing("blob", at, np.eye(3), size, cloth, _CURTAIN + number, swing,
                                     melt=0.014, rest=at, shadow=fold % 2 == 0))  # fmt: skip


def _cabinet(made: Set, rng: np.random.Generator, side: float, back: float) -> float:
    """A cabinet with doors and a few things on it; returns the height of its top."""
    body = _plain(made, rng, (m.WOOD, m.PAINT))
    knob = made.material(m.METAL, np.array([0.6, 0.5, 0.35]), rough=0.3, shine=0.6, contrast=0.0)
    wide, tall, deep = 0.55 + 0.2 * rng.random(), 0.42 + 0.12 * rng.random(), 0.2
    x, z = side * 0.85, back + deep + 0.03
    y = _FLOOR_M + tall
    _box(made, (x, y, z), (wide, tall, deep), body)
    _box(made, (x, y + tall + 0.012, z), (wide + 0.02, 0.014, deep + 0.02), body, shadow=False)
    for sign in (-1.0, 1.0):
        _box(made, (x + sign * wide * 0.5, y, z + deep), (wide * 0.46, tall * 0.9, 0.012), body,
             shadow=False)  # fmt: skip
        made.things.append(Thing("blob", np.array([x + sign * 0.05, y + 0.05, z + deep + 0.03]),
                                 np.eye(3), np.full(3, 0.014), knob, shadow=False))  # fmt: skip
    top = y + tall + 0.026
    at = x + side * 0.12
    for _ in range(int(rng.integers(4, 9))):  # books that stand
        thick, high = 0.012 + 0.02 * rng.random(), 0.09 + 0.05 * rng.random()
        bound = colour(rng, saturation=0.45, level=0.05 + 0.3 * rng.random())
        cover = made.material(m.PAINT, bound, contrast=0.1, rough=0.5)
        at += side * thick
        _box(made, (at, top + high, z), (thick, high, 0.085), cover, shadow=False)
        at += side * (thick + 0.002)
    return top


def _lamp(made: Set, rng: np.random.Generator, foot: tuple[float, float, float], *,
          night: bool) -> None:  # fmt: skip
    """A table lamp, lit at night."""
    x, y, z = foot
    stem = made.material(m.METAL, np.full(3, 0.55), rough=0.35, shine=0.6, contrast=0.0)
    made.things.append(Thing("blob", np.array([x, y + 0.03, z]), np.eye(3),
                             np.array([0.07, 0.045, 0.07]), stem, shadow=False))  # fmt: skip
    _box(made, (x, y + 0.14, z), (0.008, 0.13, 0.008), stem, shadow=False)
    shade = made.material(m.GLOW, np.array([0.62, 0.56, 0.46]), glow=14.0 if night else 0.0,
                          contrast=0.0, rough=0.9)  # fmt: skip
    made.things.append(Thing("blob", np.array([x, y + 0.32, z]), np.eye(3),
                             np.array([0.115, 0.10, 0.115]), shade, shadow=False))  # fmt: skip
    if night:
        made.lamps.append(Lamp("practical0", "near", -1.2, 2600.0 + 500 * rng.random(),
                               (x, y + 0.32, z), size=0.10))  # fmt: skip


def _picture(made: Set, rng: np.random.Generator, at: np.ndarray) -> None:
    """A frame with a mount and a picture in it."""
    wide, tall = 0.16 + 0.14 * rng.random(), 0.14 + 0.12 * rng.random()
    wood = made.material(m.PAINT, np.full(3, 0.03 + 0.1 * rng.random()), rough=0.4, contrast=0.0)
    paper = made.material(m.PAINT, np.full(3, 0.62), contrast=0.0, rough=0.8)
    art = any_material(made, rng, 0.45)
    _box(made, at, (wide, tall, 0.02), wood, shadow=False)
    _box(made, at, (wide - 0.015, tall - 0.015, 0.022), paper, shadow=False)
    _box(made, at, (wide * 0.66, tall * 0.66, 0.024), art, shadow=False)


def _plant(made: Set, rng: np.random.Generator, at: np.ndarray) -> None:
    """A pot on a stand, with leaves."""
    clay = made.material(m.PAINT, np.array([0.30, 0.14, 0.08]) * (0.6 + 0.8 * rng.random()),
                         rough=0.7, contrast=0.1)  # fmt: skip
    _box(made, at - np.array([0, 0.26, 0]), (0.14, 0.17, 0.14), clay)
    green = leaves(made, rng)
    for _ in range(3):
        offset = rng.standard_normal(3) * np.array([0.12, 0.1, 0.08])
        radii = np.array([0.2, 0.26, 0.2]) * (0.7 + 0.5 * rng.random(3))
        bush(made, rng, at + np.array([0, 0.22, 0]) + offset, radii, cell=0.065, leaf=green)


def _yard(made: Set, rng: np.random.Generator) -> None:
    """Ground, houses with windows, a hedge, trees."""
    ground = np.array([0.115, 0.12, 0.06]) * (0.7 + 0.8 * rng.random())
    wall(made, (0, 1, 0), _FLOOR_M,
         made.material(m.PAINT, ground, second=ground * np.array([0.9, 0.6, 0.5]), scale=7.0,
                       contrast=0.9, rough=0.9, bump=0.05))  # fmt: skip
    for side in (-1.0, 1.0):
        _house(made, rng, side * (4.0 + rng.random()), -7.0 - 3 * rng.random())
    green = leaves(made, rng)
    for index in range(4):  # trees at the far end
        at = np.array([-10.0 + 6.5 * index + rng.standard_normal(), 0.6, -17.0 - 2 * rng.random()])
        radii = np.array([4.2, 2.6 + rng.random(), 2.0])
        bush(made, rng, at, radii, cell=0.27, leaf=green)
    for index in range(3):
        at = np.array([-2.6 + 2.4 * index + 0.5 * rng.standard_normal(), _FLOOR_M + 0.35,
                       -3.4 - 0.8 * rng.random()])  # fmt: skip
        bush(made, rng, at, np.array([1.1, 0.55 + 0.25 * rng.random(), 0.6]), cell=0.12, leaf=green)
    bark = made.material(m.WOOD, np.array([0.10, 0.075, 0.055]), second=np.full(3, 0.03), scale=9.0,
                         contrast=0.8, rough=0.9, bump=0.12)  # fmt: skip
    for side in (-1.0, 1.0):
        x, z = side * (1.7 + 0.9 * rng.random()), -4.4 - 1.2 * rng.random()
        made.things.append(
            Thing(
                "blob",
                np.array([x, _FLOOR_M + 1.3, z]),
                turn_z(rng.normal() * 4),
                np.array([0.13, 2.2, 0.13]),
                bark,
            )
        )
        crown = leaves(made, rng)
        for _ in range(2):
            at = np.array([x, 1.55, z]) + rng.standard_normal(3) * np.array([0.5, 0.25, 0.3])
            radii = np.array([1.0, 0.75, 0.9]) * (0.8 + 0.4 * rng.random())
            bush(made, rng, at, radii, cell=0.17, leaf=crown)
    made.lamps.append(Lamp("sky", "map", -1.7 + 0.5 * rng.random(), 5600.0,
                           seed=int(rng.integers(2**31))))  # fmt: skip


def _house(made: Set, rng: np.random.Generator, x: float, z: float) -> None:
    """A plain front with rows of windows."""
    front = _plain(made, rng, (m.BRICK, m.PAINT))
    glass = made.material(m.PAINT, np.full(3, 0.02), rough=0.08, shine=0.08, contrast=0.0)
    trim = made.material(m.PAINT, np.full(3, 0.5), contrast=0.0)
    turn = turn_y(rng.normal() * 6)
    half = np.array([2.4, 2.6 + 0.8 * rng.random(), 1.5])
    centre = np.array([x, _FLOOR_M + half[1], z])
    _box(made, centre, half, front, turn=turn)
    for column in (-0.62, 0.0, 0.62):
        for row in (-0.42, 0.12, 0.62):
            local = np.array([column * half[0], row * half[1], half[2]])
            _box(made, centre + turn.T @ local, (0.34, 0.52, 0.03), trim, turn=turn, shadow=False)
            _box(made, centre + turn.T @ local, (0.29, 0.47, 0.035), glass, turn=turn,
                 shadow=False)  # fmt: skip


def _table(made: Set, rng: np.random.Generator, prop_shift_m: float) -> None:
    """A table at the figure's side with a few things on it; the first is the one that moves."""
    top, x, z = -0.46, 0.56, 0.12
    wood = _plain(made, rng, (m.WOOD, m.WOOD, m.PAINT))
    _box(made, (x, top - 0.015, z), (0.40, 0.016, 0.27), wood)
    for sx in (-1.0, 1.0):
        for sz in (-1.0, 1.0):
            _box(made, (x + sx * 0.36, (top + _FLOOR_M) / 2, z + sz * 0.23),
                 (0.022, (top - _FLOOR_M) / 2, 0.022), wood)  # fmt: skip
    for index in range(3):
        place = np.array([x - 0.2 + 0.2 * index, top, z + 0.08 - 0.2 * rng.random()])
        if index == 0:
            place[0] += prop_shift_m
        _on_table(made, rng, place, int(rng.integers(0, 3)))


def _on_table(made: Set, rng: np.random.Generator, at: np.ndarray, what: int) -> None:
    """A vase, a stack of books or a fruit."""
    glazed = made.material(m.PAINT, colour(rng, saturation=0.45, level=0.06 + 0.4 * rng.random()),
                           contrast=0.08, rough=0.18 + 0.3 * rng.random(), shine=0.05)  # fmt: skip
    group = 2000 + len(made.things)
    if what == 0:
        belly = 0.05 + 0.02 * rng.random()
        for y, r, h in ((0.075, belly, 0.075), (0.165, belly * 0.42, 0.05), (0.205, belly * 0.6,
                                                                            0.012)):  # fmt: skip
            made.things.append(Thing("blob", at + np.array([0, y, 0]), np.eye(3),
                                     np.array([r, h, r]), glazed, group, melt=0.008,
                                     shadow=y < 0.1))  # fmt: skip
    elif what == 1:
        y = 0.0
        for _ in range(3):
            thick = 0.012 + 0.012 * rng.random()
            cover = made.material(m.PAINT, colour(rng, saturation=0.45,
                                                  level=0.05 + 0.3 * rng.random()))  # fmt: skip
            _box(made, at + np.array([0, y + thick, 0]), (0.085, thick, 0.06), cover,
                 turn=turn_y(rng.normal() * 15))  # fmt: skip
            y += 2 * thick
    else:
        r = 0.036 + 0.008 * rng.random()
        made.things.append(Thing("blob", at + np.array([0, r, 0]), np.eye(3),
                                 np.array([r, r * 0.94, r]), glazed))  # fmt: skip


def _hue_turned(rgb: np.ndarray, degrees: float) -> np.ndarray:
    """Another costume: the colour turned about the grey axis (Rodrigues), and plainly so."""
    axis = np.ones(3) / np.sqrt(3)
    a = np.radians(degrees)
    level = max(float(rgb.mean()), 0.14)
    chroma = rgb - rgb.mean()
    least = 0.3 * level
    if np.abs(chroma).max() < least:
        red = np.array([2.0, -1.0, -1.0]) / 2
        chroma = chroma / max(float(np.abs(chroma).max()), 1e-6) if chroma.any() else red
        chroma = chroma * least
    turned = (
        chroma * np.cos(a) + np.cross(axis, chroma) * np.sin(a)
        + axis * (axis @ chroma) * (1 - np.cos(a))
    )  # fmt: skip
    return np.clip(level + turned, 0.02, 0.9)

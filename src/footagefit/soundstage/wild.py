"""Training sets: figures, props, planes at any angle, foliage, or just a heap of shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footagefit.soundstage import materials as m
from footagefit.soundstage.figures import draw_figure
from footagefit.soundstage.sets import Actor, Set, any_material, bush, colour, prop, sway, wall

DRAWING = 4  # goes up when a (seed, index) becomes another picture: caches keep them apart


def wild_set(rng: np.random.Generator) -> tuple[Set, float]:
    """A training set, far wider than any show, its subject about the origin; and its saturation."""
    made = Set()
    saturation = float(rng.choice([0.0, 0.25, 0.6, 1.0], p=[0.22, 0.22, 0.3, 0.26]))
    people = int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2]))
    first = int(rng.integers(0, 2)) if people == 2 else 0  # who is in the middle
    for index in range(people):
        figure = draw_figure(rng)
        grey = figure.skin.mean()
        figure = replace(figure, skin=grey + (figure.skin - grey) * max(saturation, 0.15))
        place = np.array([(index - first) * 0.42, 0.0, -0.15 * index])
        place = place + 0.05 * rng.standard_normal(3)
        actor = Actor(figure, place, rng.normal() * 38, sway(rng, 0.01), sway(rng, 14.0, 5),
                      (70 * rng.random(), 70 * rng.random()))  # fmt: skip
        made.add_actor(actor, rng)
    clutter = rng.integers(2, 9) if people == 0 else rng.integers(0, 6)
    for index in range(int(clutter)):
        spread = 0.22 if people == 0 else 0.5
        spread *= 0.25 if people == 0 and index == 0 else 1.0  # something is in the middle
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
        hole = (0.0, 0.0, -1.0, -1.0)
        if rng.random() < 0.25:  # a window or a doorway
            hole = (*(0.8 * rng.standard_normal(2)), *(0.12 + 0.5 * rng.random(2)))
        wall(made, tuple(n), float(-(0.25 + 1.6 * rng.random())),
             any_material(made, rng, saturation), hole)  # fmt: skip
    for _ in range(int(rng.choice([0, 1, 2], p=[0.72, 0.18, 0.10]))):
        size = 0.06 + 0.3 * rng.random(3)
        centre = rng.standard_normal(3) * 0.4 - np.array([0.0, 0.0, 0.45 if people else 0.0])
        bush(made, rng, centre, size, cell=float(size.mean() * rng.uniform(0.14, 0.4)))
    if not made.table:
        made.material(m.PAINT, colour(rng, saturation=saturation))
    return made, saturation

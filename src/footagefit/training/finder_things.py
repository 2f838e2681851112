"""Wires, booms and dust to learn finding, and what is none of these: coverage and colour.

What belongs here: how such things look and move, drawn from a generator. What does not: the footage
that they hang in front of (`finder_footage`), the loop (`finder`).

Coverage is (H,W) in 0..1, at a frame's time t in frames; things are drawn fine and averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FINE = 4  # drawn at so many times the size
_SUBPIXEL = 3  # bits of a fine pixel


@dataclass
class Thing:
    """Something in front of the footage.

    Attributes:
        kind: `wire`, `boom` or `dust`.
        cover_THW: How much of each pixel it takes, for each frame.
        light_THWC: Its light, linear ACEScg.
    """

    kind: str
    cover_THW: np.ndarray
    light_THWC: np.ndarray


def wires(rng: np.random.Generator, size: tuple[int, int], level: float) -> list[Thing]:
    """One to four wires or cables: straight or sagging, still or swaying, dull, shining or bright.

    Args:
        rng: Of every draw.
        size: Rows and columns.
        level: The footage's usual light.
    """
    count = int(rng.choice([1, 2, 3, 4], p=[0.6, 0.22, 0.1, 0.08]))
    width = float(0.55 * 15 ** rng.random())  # 0.55 to 8 px
    still = rng.random() < 0.5
    first = hanging_curve(rng, size)
    colour = _wire_colour(rng, level)
    drift = _drift(rng, 0.0 if still else 5.0)
    together = rng.random() < 0.6
    made = []
    for number in range(count):
        curve = first if number == 0 else _beside(rng, first, size, together)
        made.append(_wire(rng, curve, size, width, colour, drift if together else
                          _drift(rng, 0.0 if still else 5.0)))  # fmt: skip
    return made


def hanging_curve(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Points (N,2) x, y of a curve across the frame, or to somewhere in it."""
    ends = [_on_border(rng, size), _on_border(rng, size)]
    least = 0.6 * min(size)
    for _ in range(8):
        if np.linalg.norm(ends[0] - ends[1]) > least:
            break
        ends[1] = _on_border(rng, size)
    if rng.random() < 0.25:  # ends on a performer or behind something
        inside = np.array([rng.uniform(0.2, 0.8) * size[1], rng.uniform(0.2, 0.8) * size[0]])
        if np.linalg.norm(ends[0] - inside) > 0.5 * min(size):
            ends[1] = inside
    way = ends[1] - ends[0]
    across = np.array([-way[1], way[0]])
    bend = 0.0 if rng.random() < 0.5 else float(rng.normal() * 0.07)
    sway = 0.0 if rng.random() < 0.8 else float(rng.normal() * 0.03)
    t = np.linspace(0.0, 1.0, 65)[:, None]
    return ends[0] + way * t + across * (4 * bend * t * (1 - t) + sway * np.sin(2 * np.pi * t))


def _on_border(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A place a little beyond the border, more often at top and bottom."""
    height, width = size
    side = int(rng.choice(4, p=[0.35, 0.25, 0.2, 0.2]))
    along = rng.random()
    return np.array([
        (along * width, -8.0), (along * width, height + 8.0),
        (-8.0, along * height), (width + 8.0, along * height),
    ][side])  # fmt: skip


def _beside(
    rng: np.random.Generator, curve: np.ndarray, size: tuple[int, int], together: bool
) -> np.ndarray:
    if not together:
        return hanging_curve(rng, size)
    step = rng.normal(size=2) * 0.12 * min(size)
    spread = np.linspace(rng.uniform(0.3, 1.0), rng.uniform(0.3, 1.0), len(curve))[:, None]
    return curve + step * spread


def _drift(rng: np.random.Generator, most_px: float) -> np.ndarray:
    """How far each of three frames has moved (T,2), and a turn (T,1) about the first end."""
    speed = rng.normal(size=2) * most_px * rng.random()
    turn = rng.normal() * 0.01 * (most_px > 0)
    t = np.arange(-1, 2)[:, None]
    return np.concatenate([speed * t, np.full((3, 1), turn) * t], 1)


def _moved(curve: np.ndarray, drift: np.ndarray) -> np.ndarray:
    c, s = np.cos(drift[2]), np.sin(drift[2])
    return (curve - curve[0]) @ np.array([[c, s], [-s, c]]) + curve[0] + drift[:2]


def _wire_colour(rng: np.random.Generator, level: float) -> np.ndarray:
    """Dull dark, metal, light or marker-coloured: shares of red, green and blue light."""
    kind = rng.random()
    grey = np.ones(3) * (1 + 0.08 * rng.normal(size=3))
    if kind < 0.45:
        return grey * level * 2.0 ** rng.uniform(-4.0, -0.8)
    if kind < 0.8:
        return grey * level * 2.0 ** rng.uniform(0.5, 3.0)
    if kind < 0.9:
        return grey * level * 2.0 ** rng.uniform(-0.8, 0.5)
    hue = np.eye(3)[int(rng.integers(3))] + 0.15 + 0.3 * rng.random(3)
    return hue * level * 2.0 ** rng.uniform(-1.0, 1.5)


def _wire(
    rng: np.random.Generator, curve: np.ndarray, size: tuple[int, int], width: float,
    colour: np.ndarray, drift: np.ndarray,
) -> Thing:  # fmt: skip
    """One wire with what light does along it; a round one shines along its middle."""
    light = np.exp2(_uneven(rng, size, 0.35 * rng.random()))[..., None] * colour
    covers, lights = [], []
    shines = rng.random() < 0.4 and width > 1.5
    opacity = 1.0 if rng.random() < 0.7 else rng.uniform(0.4, 1.0)
    twisted = rng.random() < 0.12
    speed = float(np.linalg.norm(drift[2, :2] - drift[1, :2]))
    steps = [0.0] if speed < 1.5 else [-0.25, 0.0, 0.25]  # half a frame of shutter
    for t in range(3):
        at = [drift[t] + (drift[2] - drift[1]) * s for s in steps]
        cover = np.mean([stroke(_moved(curve, a), size, width) for a in at], 0)
        shown = light
        if shines:
            side = _moved(curve, at[0]) + 0.18 * width
            shine = stroke(side, size, max(0.5, 0.35 * width))[..., None]
            shown = light * (1.0 + 3.0 * shine)
        if twisted:
            y, x = np.mgrid[0 : size[0], 0 : size[1]]
            shown = shown * (1.0 + 0.5 * np.sin((x + y) * 1.1))[..., None]
        covers.append(cover * opacity)
        lights.append(shown)
    return Thing("wire", np.stack(covers), np.stack(lights))


def stroke(curve: np.ndarray, size: tuple[int, int], width: float) -> np.ndarray:
    """Coverage of a curve of some width, finer than a pixel too."""
    import cv2

    fine = np.zeros((size[0] * _FINE, size[1] * _FINE), np.uint8)
    points = np.round(curve * _FINE * 2**_SUBPIXEL).astype(np.int32)[:, None]
    thick = max(1, round(width * _FINE))
    cv2.polylines(fine, [points], False, 255, thick, cv2.LINE_AA, _SUBPIXEL)
    small = cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA)
    thin = min(1.0, width * _FINE / thick)
    return small.astype(np.float32) * (thin / 255.0)


def boom(rng: np.random.Generator, size: tuple[int, int], level: float) -> Thing:
    """A pole with a microphone in foam or fur, dipping in from a border."""
    import cv2

    height, width = size
    scale = min(size) * rng.uniform(0.06, 0.2)  # half the microphone's width
    side = int(rng.choice(4, p=[0.66, 0.06, 0.14, 0.14]))
    reach = min(size) * rng.uniform(0.04, 0.42)
    along = rng.uniform(0.1, 0.9)
    tip = np.array([(along * width, reach), (along * width, height - reach),
                    (reach, along * height), (width - reach, along * height)][side])  # fmt: skip
    out = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)][side], float)
    lean = rng.normal() * 0.9
    c, s = np.cos(lean), np.sin(lean)
    out = np.array([[c, -s], [s, c]]) @ out
    head = tip + out * scale * rng.uniform(1.5, 5.0)
    far = head + out * 3.0 * max(size)
    drift = _drift(rng, 0.0 if rng.random() < 0.4 else 4.0)
    fur = _rough(rng, size, 0.5 + 2.5 * rng.random()) * scale * rng.uniform(0.02, 0.25)
    soft = rng.uniform(0.4, 3.0)
    grey = np.ones(3) * (1 + 0.06 * rng.normal(size=3))
    stops = rng.uniform(-4.5, -1.0) if rng.random() < 0.8 else rng.uniform(-1.0, 1.5)
    light = np.exp2(_uneven(rng, size, 0.5) + 0.4 * _rough(rng, size, 1.0))[..., None]
    light = light * grey * level * 2.0**stops
    pole, has_pole = scale * rng.uniform(0.12, 0.5), rng.random() < 0.9
    covers = []
    for t in range(3):
        points = _moved(np.stack([tip, head]), drift[t])
        foam = (0.5 + 0.5 * (scale - _far_from(points[0], points[1], size) + fur)).clip(0, 1)
        rod = np.zeros(size)
        if has_pole:
            rod = stroke(np.stack([points[1], far + drift[t, :2]]), size, 2 * pole)
        cover = np.maximum(foam, rod).astype(np.float32)
        covers.append(cv2.GaussianBlur(cover, (0, 0), soft).clip(0.0, 1.0))
    return Thing("boom", np.stack(covers), np.stack([light] * 3))


def _far_from(one: np.ndarray, other: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Distance of each pixel to a piece of a straight line (H,W)."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] + 0.5
    way = other - one
    share = ((x - one[0]) * way[0] + (y - one[1]) * way[1]) / max(1e-6, float(way @ way))
    share = share.clip(0.0, 1.0)
    return np.hypot(x - one[0] - share * way[0], y - one[1] - share * way[1])


def dust(rng: np.random.Generator, size: tuple[int, int], level: float) -> Thing:
    """Specks and hairs of a film scan: each in one frame alone, sharp, light or dark."""
    covers, lights = [], []
    bright = 1.0 if rng.random() < 0.5 else rng.uniform(0.0, 1.0)  # share that is light
    for _ in range(3):
        cover, light = np.zeros(size, np.float32), np.zeros((*size, 3), np.float32)
        for _ in range(int(rng.integers(1, 7))):
            each = _speck(rng, size) if rng.random() < 0.75 else _hair(rng, size)
            stops = rng.uniform(0.8, 4.0) if rng.random() < bright else rng.uniform(-5.0, -1.0)
            share = each[..., None]
            light = light * (1 - share) + share * level * 2.0**stops
            cover = np.maximum(cover, each)
        covers.append(cover)
        lights.append(light / np.maximum(cover, 1e-3)[..., None])
    return Thing("dust", np.stack(covers), np.stack(lights))


def _speck(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    radius = 0.8 * 9 ** rng.random()
    centre = rng.random(2) * np.array(size[::-1])
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    waves = [rng.normal() / k * np.sin(k * turn + 6.3 * rng.random()) for k in (1, 2, 3)]
    wobble = 1 + 0.35 * np.sum(waves, 0)
    stretch = rng.uniform(0.5, 1.0)
    outline = np.stack([np.cos(turn), stretch * np.sin(turn)], 1) * radius * wobble[:, None]
    return filled(centre + outline, size)


def filled(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Coverage of an outline's inside."""
    import cv2

    fine = np.zeros((size[0] * _FINE, size[1] * _FINE), np.uint8)
    cv2.fillPoly(fine, [np.round(outline * _FINE).astype(np.int32)[:, None]], 255)
    small = cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255.0


def _hair(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    length = rng.uniform(8, 60)
    turn = 6.3 * rng.random() + np.cumsum(rng.normal(size=24) * 0.25)
    path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1) * length / 24, 0)
    return stroke(path + rng.random(2) * np.array(size[::-1]), size, rng.uniform(0.6, 2.0))


def _uneven(rng: np.random.Generator, size: tuple[int, int], amount: float) -> np.ndarray:
    """A smooth field in stops: light differs along a thing."""
    import cv2

    few = rng.normal(size=(4, 5)).astype(np.float32) * amount
    return cv2.resize(few, size[::-1], interpolation=cv2.INTER_CUBIC)


def _rough(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Noise of some fineness, spread 1."""
    import cv2

    noise = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), sigma)
    return noise / max(1e-6, float(noise.std()))

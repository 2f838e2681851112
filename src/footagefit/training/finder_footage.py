"""Footage to hang wires before: three frames of a stage scene in motion, and its own thin things.

What belongs here: motion of camera and subject with parallax, what sets are full of and must stay
(blinds, frames, bars, writing, edges), what a camera and a codec add. What does not: the things to
be found (`finder_things`), the loop (`finder`).
"""

from __future__ import annotations

import numpy as np
import torch

from footagefit.tasks.codecs import grain, jpeg
from footagefit.training.finder_things import filled, stroke

FRAMES = 3


def footage(
    rng: np.random.Generator, one: dict[str, np.ndarray], other: dict[str, np.ndarray],
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Three frames (T,H,W,3) linear ACEScg, and where nobody can tell (T,H,W).

    Args:
        rng: Of every draw.
        one: A scene: `light` (h,w,3) and `near` (h,w) in 0..1.
        other: Another, whose subject may walk through.
        size: Rows and columns of the frames, smaller than the scene's.
    """
    light = one["light"].copy()
    doubt = np.zeros(light.shape[:2], np.float32)
    if rng.random() < 0.65:
        light = _set_dressing(rng, light)
    if rng.random() < 0.12:
        light, doubt = _cable(rng, light, doubt)
    if rng.random() < 0.4:  # finer texture than the stage's materials have
        light = light * np.exp2(_texture(rng, light.shape[:2]))[..., None]
    move = _camera(rng)
    frames, doubts = [], []
    walker = _walker(rng, other, size) if rng.random() < 0.45 else None
    for t in range(FRAMES):
        x, y = _places(light.shape[:2], size, move, t - 1)
        near = _read(one["near"], x, y)
        x, y = x + move["parallax"][0] * (t - 1) * near, y + move["parallax"][1] * (t - 1) * near
        frame, unsure = _read(light, x, y), _read(doubt, x, y)
        if walker is not None:
            frame, unsure = _walked(frame, unsure, walker, t)
        frames.append(frame)
        doubts.append(unsure)
    return np.stack(frames).clip(0.0, 100.0), np.stack(doubts)


def recorded(
    rng: np.random.Generator, frames_THWC: np.ndarray, draws: torch.Generator
) -> torch.Tensor:
    """Frames (T,3,H,W) as a camera and a codec leave them: soft, grained, clipped, compressed."""
    import cv2

    soft, noisy, packed = rng.uniform(0.0, 1.3), rng.random() < 0.8, rng.random() < 0.45
    flicker = 0.02 if rng.random() < 0.85 else 0.25
    state = draws.get_state()
    top = 2.0 ** rng.uniform(-0.3, 5.0)
    made = []
    for frame in frames_THWC:
        if soft > 0.3:
            frame = cv2.GaussianBlur(frame, (0, 0), soft, borderType=cv2.BORDER_REPLICATE)
        frame = frame * 2.0 ** (flicker * rng.normal())
        light = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1).contiguous()
        if noisy:
            light = grain(light, draws)
        light = light.clamp(-0.01, top)
        if packed:
            kept = draws.get_state()
            draws.set_state(state)  # one encoder for all three
            light = jpeg(light.clamp_min(0.0), draws)
            draws.set_state(kept)
        made.append(light)
    return torch.stack(made)


def _camera(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A camera's move over a frame: still, drifting, panning, shaking, turning, zooming."""
    kind = rng.random()
    most = 0.0 if kind < 0.3 else 1.5 if kind < 0.55 else 6.0 if kind < 0.9 else 16.0
    step = rng.normal(size=2) * most * 0.6
    return {
        "step": step,
        "turn": np.array(rng.normal() * 0.004 * (most > 0)),
        "zoom": np.array(rng.normal() * 0.004 * (most > 0)),
        "parallax": rng.normal(size=2) * most * 0.5,
        "start": rng.random(2),
        "jerk": rng.normal(size=2) * 0.3 * (most > 0),
        "flip": np.array(rng.random() < 0.5),
    }


def _places(
    scene: tuple[int, int], size: tuple[int, int], move: dict[str, np.ndarray], t: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where in the scene each pixel of a frame looks: columns, rows."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    x, y = x - size[1] / 2, y - size[0] / 2
    turn, zoom = float(move["turn"]) * t, 1.0 + float(move["zoom"]) * t
    c, s = np.cos(turn) * zoom, np.sin(turn) * zoom
    room = np.array([scene[1] - size[1], scene[0] - size[0]])
    left = size[1] / 2 + room[0] * move["start"][0] + move["step"][0] * t
    top = size[0] / 2 + room[1] * move["start"][1] + move["step"][1] * t
    left, top = left + move["jerk"][0] * (t > 0), top + move["jerk"][1] * (t > 0)
    across, down = left + c * x - s * y, top + s * x + c * y
    if move["flip"]:
        across = scene[1] - 1 - across
    return across.astype(np.float32), down.astype(np.float32)


def _read(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.remap(
        picture.astype(np.float32), x.astype(np.float32), y.astype(np.float32),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip


def _walker(
    rng: np.random.Generator, other: dict[str, np.ndarray], size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """What is near in another scene, on its way through."""
    near = other["near"]
    middle = float(np.quantile(near, rng.uniform(0.5, 0.85)))
    return {
        "light": other["light"] * 2.0 ** rng.normal(),
        "mask": (near > middle).astype(np.float32),
        "step": rng.normal(size=2) * 6.0 * rng.random(),
        "at": (rng.random(2) - 0.5) * np.array(size[::-1]) * 0.8,
    }


def _walked(
    frame: np.ndarray, doubt: np.ndarray, walker: dict[str, np.ndarray], t: int
) -> tuple[np.ndarray, np.ndarray]:
    height, width = frame.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x - walker["at"][0] - walker["step"][0] * (t - 1)
    y = y - walker["at"][1] - walker["step"][1] * (t - 1)
    inside = (x >= 0) & (y >= 0) & (x < walker["mask"].shape[1]) & (y < walker["mask"].shape[0])
    share = (_read(walker["mask"], x, y) * inside)[..., None]
    there = _read(walker["light"], x, y)
    return frame * (1 - share) + there * share, doubt * (1 - share[..., 0])


def _set_dressing(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    """Thin and straight things that belong to a set; they move with it and must stay."""
    for _ in range(int(rng.integers(1, 5))):
        draw = _DRESSING[int(rng.integers(len(_DRESSING)))]
        cover = draw(rng, light.shape[:2])[..., None]
        level = float(np.median(light)) + 0.01
        colour = level * 2.0 ** rng.uniform(-3.0, 2.0) * (1 + 0.15 * rng.normal(size=3))
        light = light * (1 - cover) + cover * colour.clip(0.0)
    return light


def _blinds(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Many lines side by side over some part of the frame."""
    step, width = rng.uniform(5, 26), rng.uniform(0.6, 4.0)
    return _rows(rng, size, step, width) * _patch(rng, size)


def _grid(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Tiles, panes, fences."""
    step, width = rng.uniform(10, 44), rng.uniform(0.6, 3.5)
    way = 6.3 * rng.random()
    both = [_rows(rng, size, step, width, w) for w in (way, way + np.pi / 2)]
    return np.maximum(*both) * _patch(rng, size)


def _rows(
    rng: np.random.Generator, size: tuple[int, int], step: float, width: float,
    way: float | None = None,
) -> np.ndarray:  # fmt: skip
    way = 6.3 * rng.random() if way is None else way
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    along = x * np.cos(way) + y * np.sin(way)
    along = along * (1 + 2e-4 * rng.normal() * along)  # nearer and farther
    off = np.abs((along / step + rng.random()) % 1.0 - 0.5) * step
    return (0.5 + 0.5 * width - off).clip(0.0, 1.0)


def _patch(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return filled(_quad(rng, size, rng.uniform(0.3, 1.2)), size)


def _quad(rng: np.random.Generator, size: tuple[int, int], share: float) -> np.ndarray:
    """A rectangle at an angle, a little out of square (4,2)."""
    half = np.array(size[::-1]) * share * (0.2 + 0.8 * rng.random(2)) / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    turn = rng.normal() * (0.05 if rng.random() < 0.6 else 0.8)
    c, s = np.cos(turn), np.sin(turn)
    corners = corners @ np.array([[c, s], [-s, c]]) * (1 + 0.06 * rng.normal(size=(4, 2)))
    return corners + rng.random(2) * np.array(size[::-1])


def _edges(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A plain face with straight edges: doors, tables, walls."""
    return filled(_quad(rng, size, rng.uniform(0.3, 1.6)), size)


def _frame(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A thin outline with corners: pictures, monitors, windows."""
    corners = _quad(rng, size, rng.uniform(0.15, 0.9))
    return stroke(np.concatenate([corners, corners[:1]]), size, rng.uniform(0.7, 5.0))


def _bar(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Posts and legs: too thick to be a wire, or too short."""
    one = rng.random(2) * np.array(size[::-1])
    thick = rng.random() < 0.5
    length = rng.uniform(0.3, 1.5) * max(size) if thick else rng.uniform(0.03, 0.16) * min(size)
    way = 6.3 * rng.random()
    two = one + length * np.array([np.cos(way), np.sin(way)])
    width = rng.uniform(13, 40) if thick else rng.uniform(0.7, 5)
    return stroke(np.stack([one, two]), size, width)


def _strokes(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Hair, grass, folds: many short curves side by side."""
    cover = np.zeros(size, np.float32)
    start, way = rng.random(2) * np.array(size[::-1]), 6.3 * rng.random()
    length, width = rng.uniform(10, 60), rng.uniform(0.6, 2.0)
    for _ in range(int(rng.integers(6, 18))):
        turn = way + 0.25 * rng.normal() + np.linspace(0, 1.0, 12) * rng.normal() * 0.8
        path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1) * length / 12, 0)
        cover = np.maximum(cover, stroke(path + start + rng.normal(size=2) * 14, size, width))
    return cover


def _writing(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Letters and figures."""
    import cv2

    cover = np.zeros(size, np.uint8)
    text = "".join(chr(int(c)) for c in rng.integers(33, 123, int(rng.integers(2, 12))))
    at = (int(rng.integers(0, size[1])) - 40, int(rng.integers(0, size[0])))
    scale, thick = float(rng.uniform(0.3, 2.2)), int(rng.integers(1, 5))
    cv2.putText(cover, text, at, int(rng.integers(0, 8)), scale, 255, thick, cv2.LINE_AA)
    return cover.astype(np.float32) / 255.0


def _specks(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Small spots that stay where they are: rivets, lamps, leaves."""
    cover = np.zeros(size, np.float32)
    count = int(rng.integers(3, 60))
    y, x = (rng.random(count) * s for s in size)
    cover[y.astype(int), x.astype(int)] = rng.uniform(4.0, 20.0)
    import cv2

    return cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.6, 2.0)).clip(0.0, 1.0)


_DRESSING = (_blinds, _grid, _edges, _edges, _frame, _bar, _bar, _strokes, _writing, _specks)


def _cable(
    rng: np.random.Generator, light: np.ndarray, doubt: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A line of the set's own, far as the set is: wire or not, nobody can tell from it."""
    height, width = light.shape[:2]
    ends = np.array([(-8.0, rng.random() * height), (width + 8.0, rng.random() * height)])
    if rng.random() < 0.5:
        ends = np.array([(rng.random() * width, -8.0), (rng.random() * width, height + 8.0)])
    cover = stroke(ends, (height, width), rng.uniform(0.6, 6.0))
    level = float(np.median(light)) + 0.01
    colour = level * 2.0 ** rng.uniform(-3.0, 2.0)
    return light * (1 - cover[..., None]) + cover[..., None] * colour, np.maximum(doubt, cover)


def _texture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Fine texture in stops, over part of the scene, the same in every frame."""
    import cv2

    noise = np.zeros(size, np.float32)
    for sigma in (0.6, 1.5, 4.0):  # about as much at each size, as in most that is photographed
        layer = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), sigma)
        noise += layer * (rng.random() / max(1e-6, float(layer.std())))
    few = rng.random((4, 5)).astype(np.float32)
    where = cv2.resize(few, size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return noise * where * rng.uniform(0.05, 0.5)

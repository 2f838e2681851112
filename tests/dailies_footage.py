"""Procedural shots and tiny movies of them, made on the fly."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np

from footagefit.dailies.entries import TRAIN, Link, Shot, Slate
from footagefit.dailies.examine import Exam, Settings, examine
from footagefit.dailies.finding import Found
from footagefit.dailies.show import Show
from footagefit.dailies.thinning import small, thin

HEIGHT, WIDTH = 90, 160


def scenery(seed: int, height: int = 3 * HEIGHT, width: int = 3 * WIDTH) -> np.ndarray:
    """A set to point a camera at: coloured clutter over soft shading, (H,W,3) in 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    out = np.empty((height, width, 3), np.float32)
    out[:] = rng.uniform(0.15, 0.6, 3)
    out *= (0.7 + 0.3 * np.sin(x / rng.uniform(60, 200) + rng.uniform(0, 6)))[..., None]
    for _ in range(70):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        ry, rx = rng.uniform(6, 50, 2)
        turn = rng.uniform(0, np.pi)
        dy, dx = y - cy, x - cx
        u = (dx * np.cos(turn) + dy * np.sin(turn)) / rx
        v = (dy * np.cos(turn) - dx * np.sin(turn)) / ry
        inside = (np.abs(u) ** 3 + np.abs(v) ** 3) < 1
        out[inside] = rng.uniform(0.02, 0.95, 3) * (0.8 + 0.2 * v[inside][:, None])
    return out.clip(0, 1)


def shot(
    seed: int,
    frames: int = 24,
    *,
    pan: tuple[float, float] = (0.4, 0.1),
    actor: float = 1.5,
    gain: float = 1.0,
    take: int = 0,
) -> np.ndarray:
    """A performance before a set, (T,H,W,3) uint8: same seed same set, `take` another actor's way.

    Args:
        seed: Of the set.
        frames: How many.
        pan: Camera, px a frame.
        actor: Something that moves in front, px a frame.
        gain: Exposure.
        take: Changes the actor's path only.
    """
    world = scenery(seed)
    rng = np.random.default_rng((seed, take))
    phase, speed = rng.uniform(0, 6), rng.uniform(0.15, 0.5)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    out = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(frames):
        top = round(HEIGHT + pan[1] * t) % (2 * HEIGHT)
        left = round(WIDTH + pan[0] * t) % (2 * WIDTH)
        view = world[top : top + HEIGHT, left : left + WIDTH].copy()
        cx = WIDTH / 2 + 12 * actor * np.sin(speed * t + phase)
        cy = HEIGHT * 0.6 + 4 * actor * np.cos(0.7 * speed * t + phase)
        inside = ((x - cx) / 14) ** 2 + ((y - cy) / 22) ** 2 < 1
        view[inside] = (0.75, 0.5, 0.4)
        grain = np.random.default_rng((seed, take, t)).normal(0, 0.008, view.shape)
        out[t] = ((view * gain + grain).clip(0, 1) * 255).astype(np.uint8)
    return out


def card(frames: int = 12, *, seed: int = 0) -> np.ndarray:
    """A drawn slate: dark board, light lines, the same in every frame."""
    rng = np.random.default_rng(seed)
    board = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    board[4:14] = 225
    for row in range(24, 84, 12):
        for column in range(10, int(rng.integers(90, 150)), 7):
            board[row : row + 6, column : column + 4] = 230
    return np.repeat(board[None], frames, 0)


def write_movie(
    path: Path,
    frames: np.ndarray,
    *,
    rate: int = 24,
    timecode: str | None = None,
    gop: int = 12,
    crf: int = 12,
    preset: str = "ultrafast",
    tagged: bool = True,
) -> Path:
    """An 8-bit H.264 proxy with right tags, or without those of its colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": preset, "threads": "1"}
        stream.gop_size = gop
        context = stream.codec_context
        context.color_range, context.colorspace = 1, 1
        if tagged:
            context.color_primaries, context.color_trc = 1, 1
        if timecode:
            stream.metadata["timecode"] = timecode
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def show_of(root: Path, work: Path) -> Show:
    return Show(name="test", roots=(root,), work=work, space="g24_rec709")


def shot_of(scene: str, take: str = "1", *, family: str = "", side: str = TRAIN) -> Shot:
    name = f"{scene}_T{take}"
    return Shot(
        name=name,
        slate=Slate(scene, take, "A"),
        scene=scene,
        setup=scene,
        first=1,
        last=20,
        links=(Link(f"{name}.mov", "proxy", 1, 20),),
        side=side,
        family=family or name,
    )


def examine_or_abort(item: Found, content: str, settings: Settings, *, threads: int = 0) -> Exam:
    """As `examine`, but a clip named so takes its process with it, as a bug in a decoder does."""
    if "deadly" in item.path:
        os.abort()
    return examine(item, content, settings, threads=threads)


def tiny(frames_THWC: np.ndarray) -> np.ndarray:
    """Frames as the scan sees them: 48 x 27, Y, Cb, Cr."""
    out = []
    for frame in frames_THWC:
        rgb = np.stack([small(thin(frame[..., c])) for c in range(3)], -1)
        y = rgb @ np.array([0.2126, 0.7152, 0.0722])
        cb, cr = (rgb[..., 2] - y) / 1.8556, (rgb[..., 0] - y) / 1.5748
        ycc = np.stack([16 + y * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255], -1)
        out.append(ycc.round().clip(0, 255).astype(np.uint8))
    return np.stack(out)

"""Scenes to learn light from: wild sets under several lights, by (seed, index), in batches.

    batch = draw(seed=0, index=12, count=4, size_px=(128, 128), lights=4)
    batch.images        # (B,L,3,H,W) one picture a light, linear ACEScg
    batch.lights        # B x L records of what the key was

The same (seed, index) gives the same scene on any machine. `Cache` keeps batches as float16.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.records import Light
from footagefit.soundstage import environment
from footagefit.soundstage import lights as lamp
from footagefit.soundstage.camera import Camera, view
from footagefit.soundstage.figures import head
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import lit, lit_apart, look
from footagefit.soundstage.scene import Scene, scene
from footagefit.soundstage.sets import Actor, Set
from footagefit.soundstage.tracing import subject
from footagefit.soundstage.wild import DRAWING, wild_set

_CHART_PX = (64, 128)  # of heads: in pictures up to 128 px, and in larger ones
_RAYS = 65_536  # rendered together, at most: steps are long beside their calls, and in the caches
_SCENES = 8  # and no more than these, so that threads share even a small batch
_LEAST_SUBJECT = 0.04  # of the frame
_CLOSE = 0.36  # of the cameras that could are close by somebody
_CLOSE_M = (0.08, 0.6)  # from the skin
_TENSORS = ("images", "albedo", "normals", "depth", "shadow", "codes")


@dataclass
class Batch:
    """Scenes and their truth.

    Attributes:
        images: (B,L,3,H,W) linear ACEScg, before lens and sensor.
        albedo: (B,3,H,W).
        normals: (B,3,H,W) camera axes, signed.
        depth: (B,1,H,W) metres.
        shadow: (B,L,1,H,W) share of the key that is seen.
        codes: (B,L,9) direction to the key (3), key and fill colour (3 + 3) in linear.
        lights: The same as records.
    """

    images: Tensor
    albedo: Tensor
    normals: Tensor
    depth: Tensor
    shadow: Tensor
    codes: Tensor
    lights: list[list[Light]]


def draw(*, seed: int, index: int, count: int, size_px: tuple[int, int], lights: int = 4,
         device: str = "cpu") -> Batch:  # fmt: skip
    """`count` scenes from `index` on, each under `lights` lights.

    A few scenes at a time go through each of as many Python threads as torch may use, every one on
    one core: small tensors gain nothing from more, and so the bits do not depend on their number.
    """
    fitting = max(1, _RAYS // (size_px[0] * size_px[1]))
    together = min(fitting, _SCENES) if device == "cpu" else count
    groups = [range(i, min(i + together, index + count))
              for i in range(index, index + count, together)]  # fmt: skip

    def some(numbers: range) -> Batch:
        with torch.inference_mode():
            return _scenes(seed, numbers, size_px=size_px, lights=lights, device=device)

    threads = torch.get_num_threads()
    workers = min(threads, len(groups)) if device == "cpu" else 1
    torch.set_num_threads(1)
    try:
        if workers == 1:
            made = [some(numbers) for numbers in groups]
        else:
            with ThreadPoolExecutor(workers) as pool:
                made = list(pool.map(some, groups))
    finally:
        torch.set_num_threads(threads)
    with torch.inference_mode():
        tensors = {n: torch.cat([getattr(b, n) for b in made]) for n in _TENSORS}
    return Batch(**tensors, lights=[row for b in made for row in b.lights])


def _scenes(seed: int, numbers: range, *, size_px: tuple[int, int], lights: int,
            device: str) -> Batch:  # fmt: skip
    """Some scenes together."""
    rngs = [np.random.default_rng([seed, number, 21]) for number in numbers]
    made = [wild_set(rng)[0] for rng in rngs]
    cameras = [wild_camera(rng, one) for rng, one in zip(rngs, made, strict=True)]
    asked = [[wild_light(rng, first=j == 0) for j in range(lights)] for rng in rngs]
    exposure = torch.tensor([[[[2.0 ** rng.uniform(-2.0, 2.0)]]] for rng in rngs]).float()
    rest = [_rest(rng) for rng in rngs]
    chart_px = _CHART_PX[max(size_px) > 128]
    stage = scene(made, chart_px=chart_px, device=device)
    cameras = aimed(cameras, stage, device)
    seen = look(stage, view(cameras, size_px, device=device))
    exposure = exposure.to(device)
    rim, _ = key_and_fill([light for light, *_ in rest], cameras, device)
    rim.name = "rim"
    white = torch.ones(len(made), 3)
    pairs = [key_and_fill([row[j] for row in asked], cameras, device) for j in range(lights)]
    dome, around = _dome("fill", white, white, device), _surroundings(rest, device)
    first, *keys = lit_apart(seen, [rim, *(key for key, _ in pairs)])
    ambient = lit(seen, dome).total  # linear: coloured below
    more = first.total + lit(seen, around).total
    images = [(part.total + ambient * fill.colour[:, :, None, None] + more) * exposure
              for part, (_, fill) in zip(keys, pairs, strict=True)]  # fmt: skip
    return Batch(
        torch.stack(images, 1), seen.picture(seen.surface.albedo), seen.normal, seen.depth,
        torch.stack([part.shadow for part in keys], 1), codes(asked).to(device), asked,
    )  # fmt: skip


def aimed(cameras: list[Camera], stage: Scene, device: str) -> list[Camera]:
    """Cameras brought to bear where they would see no subject: a wall alone teaches nothing."""
    for closer in (0.7, 0.6):
        small = view(cameras, (16, 16), device=device)
        share = subject(stage.parts, small.place, small.rays()).float().mean(1).tolist()
        if min(share) >= _LEAST_SUBJECT:
            break
        target = np.array([0.0, -0.03, 0.0])
        cameras = [
            camera if seen >= _LEAST_SUBJECT else replace(
                camera, target=tuple(target),
                place=tuple(target + closer * (np.array(camera.place) - np.array(camera.target))),
            )
            for camera, seen in zip(cameras, share, strict=True)
        ]  # fmt: skip
    return cameras


def wild_camera(rng: np.random.Generator, made: Set) -> Camera:
    """From macro to wide, from any side, level or not; often close by somebody's face."""
    distance = 0.28 * (3.4 / 0.28) ** rng.random()
    around, above = rng.normal() * 0.55, rng.normal() * 0.22
    target = np.array([0.0, -0.06, 0.0]) + 0.16 * distance * rng.standard_normal(3)
    away = np.array([math.sin(around) * math.cos(above), math.sin(above),
                     math.cos(around) * math.cos(above)])  # fmt: skip
    focal, roll = float(rng.choice([24, 32, 50, 85])), float(rng.normal() * 6)
    own = rng.spawn(1)[0]  # what is drawn for closeness changes nothing that is drawn later
    if made.actors and own.random() < _CLOSE:
        return _close(own, made.actors[int(own.integers(len(made.actors)))], roll)
    return Camera(tuple(target + distance * away), tuple(target), focal, roll)


def _close(rng: np.random.Generator, actor: Actor, roll: float) -> Camera:
    """On skin: from a face that fills the frame down to its pores."""
    centre, turn, radii = head(actor.figure, actor.pose(0.0))
    way = np.array([0.34, 0.36, 0.0]) * rng.standard_normal(3) + np.array([0.0, -0.15, 0.85])
    target = centre + turn.T @ (way / np.linalg.norm(way) * radii)
    distance = _CLOSE_M[0] * (_CLOSE_M[1] / _CLOSE_M[0]) ** rng.random()
    around, above = rng.normal() * 0.5, rng.normal() * 0.25
    away = np.array([math.sin(around) * math.cos(above), math.sin(above),
                     math.cos(around) * math.cos(above)])  # fmt: skip
    focal = float(rng.choice([32, 50, 85]))
    return Camera(tuple(target + turn.T @ away * distance), tuple(target), focal, roll)


def wild_light(rng: np.random.Generator, *, first: bool = False) -> Light:
    """Any key: frontal, side, back or top, hard or soft, warm or cool, over any fill.

    The first of a scene is more often where film puts it.
    """
    if first:
        azimuth, elevation = rng.normal() * 50, rng.normal() * 20 + 15
    else:
        way = rng.standard_normal(3) * np.array([1.0, 0.8, 1.0])
        azimuth, elevation = lamp.angles(tuple(way / np.linalg.norm(way)))
    return Light(
        azimuth_deg=float((azimuth + 180) % 360 - 180),
        elevation_deg=float(np.clip(elevation, -80, 89)),
        softness_deg=float(0.5 * 300 ** rng.random()), key_ev=float(rng.uniform(-1.5, 2.5)),
        key_k=float(1e6 / rng.uniform(90, 370)), key_tint_duv=float(rng.normal() * 0.004),
        fill_ev=float(rng.uniform(-6.0, 0.0)), fill_k=float(1e6 / rng.uniform(90, 330)),
        fill_tint_duv=float(rng.normal() * 0.004),
    )  # fmt: skip


def codes(asked: list[list[Light]]) -> Tensor:
    """Lights as numbers: direction, key colour, fill colour in linear (B,L,9)."""
    rows = [[[*lamp.direction(light), *key_rgb(light), *fill_rgb(light)] for light in row]
            for row in asked]  # fmt: skip
    return torch.tensor(rows, dtype=torch.float32)


def key_rgb(light: Light) -> tuple[float, ...]:
    """The key's linear colour."""
    return lamp.colour_of(light.key_ev or 0.0, light.key_k or 5600.0, light.key_tint_duv or 0.0)


def fill_rgb(light: Light) -> tuple[float, ...]:
    """The fill's linear colour."""
    return lamp.colour_of(light.fill_ev or 0.0, light.fill_k or 5600.0, light.fill_tint_duv or 0.0)


def key_and_fill(asked: list[Light], cameras: list[Camera], device: str) -> tuple[Source, Source]:
    """Each camera's key and fill, from lights in its axes."""
    ways = [np.asarray(lamp.direction(a)) @ c.axes() for a, c in zip(asked, cameras, strict=True)]
    spread = [[math.tan(math.radians(min(a.softness_deg or 1.0, 170.0) / 2))] for a in asked]
    fills = torch.tensor([fill_rgb(a) for a in asked], dtype=torch.float32)
    keys = torch.tensor([key_rgb(a) for a in asked], dtype=torch.float32)
    return _far("key", ways, spread, keys, device), _dome("fill", fills, fills, device)


def _far(name: str, ways: list[np.ndarray], spread: list[list[float]], rgb: Tensor,
         device: str) -> Source:  # fmt: skip
    towards = torch.from_numpy(np.stack(ways).astype(np.float32)).to(device)
    nowhere = torch.zeros_like(towards)
    radii = torch.tensor(spread, device=device)
    return Source(name, "far", towards, nowhere, radii, rgb.to(device), nowhere)


def _dome(name: str, above: Tensor, below: Tensor, device: str) -> Source:
    up = torch.tensor([[0.0, 1.0, 0.0]], device=device).expand(len(above), 3)
    return Source(name, "dome", up, torch.zeros_like(up), torch.ones(len(above), 1, device=device),
                  above.to(device), below.to(device))  # fmt: skip


def _rest(rng: np.random.Generator) -> tuple[Light, tuple[float, ...], Tensor]:
    """A rim light and surroundings that stay while the key moves; often hardly any."""
    rim = wild_light(rng)
    ev = -30.0 if rng.random() < 0.55 else float(rng.uniform(-2.5, 0.5))
    dim = rng.random() < 0.5
    rgb = lamp.colour_of(-30.0 if dim else float(rng.uniform(-5, -1)), rng.uniform(4500, 9000))
    around = (environment.plain, environment.sky, environment.studio)[int(rng.integers(0, 3))]
    return replace(rim, key_ev=ev), rgb, around(rng)


def _surroundings(rest: list[tuple[Light, tuple[float, ...], Tensor]], device: str) -> Source:
    """Skies and studios, one a scene."""
    rgb = torch.tensor([colour for _, colour, _ in rest], dtype=torch.float32)
    made = _dome("sky", rgb, rgb, device)
    made.kind = "map"
    made.around = torch.stack([around for *_, around in rest]).to(device)
    made.harmonics = torch.stack([environment.harmonics(a) for *_, a in rest]).to(device)
    return made


class Cache:
    """Batches on disk as float16 safetensors, keyed by what draws them.

    Args:
        folder: Where they are kept.
        seed: Of the scenes.
        count: Scenes a batch.
        size_px: Of the pictures.
        lights: Lights a scene.
    """

    def __init__(self, folder: Path, *, seed: int, count: int, size_px: tuple[int, int],
                 lights: int = 4) -> None:  # fmt: skip
        self._seed, self._count, self._size, self._lights = seed, count, size_px, lights
        rows, columns = size_px
        name = f"stage_v{DRAWING}_s{seed}_{rows}x{columns}_b{count}_l{lights}"
        self._folder = folder / name
        self._folder.mkdir(parents=True, exist_ok=True)

    def batch(self, index: int) -> dict[str, Tensor]:
        """Batch number `index` as float16 tensors, drawn on the first asking."""
        from safetensors.torch import load_file, save_file

        path = self._folder / f"{index:06d}.safetensors"
        if not path.exists():
            made = draw(seed=self._seed, index=index * self._count, count=self._count,
                        size_px=self._size, lights=self._lights)  # fmt: skip
            tensors = {n: getattr(made, n).clamp(-6e4, 6e4).half().contiguous() for n in _TENSORS}
            temporary = path.with_suffix(f".{os.getpid()}.part")
            save_file(tensors, temporary)
            os.replace(temporary, path)
        return load_file(path)

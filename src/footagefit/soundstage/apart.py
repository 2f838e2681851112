"""Training scenes with every source apart: many lights a scene, drawn later by weights.

    scenes = draw_apart(seed=0, index=12, count=4, size_px=(96, 96))
    scenes["keys"]      # (B,K,3,H,W) each far key alone, white, at ev 0
    plate = weight * scenes["keys"][:, 0] + fill * scenes["fill"] + scenes["around"]

Light adds, so that one rendering gives as many lit pictures as are wanted. What belongs here: the
wild scenes of `training.py`, source by source, and their cache. What does not: which lights an
example has (`tasks/`, `signature/`), lens and sensor. The same (seed, index) gives the same scene.

Shapes: B scenes, K keys, H rows, W columns.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import UnknownName
from footagefit.soundstage import environment
from footagefit.soundstage import lights as lamp
from footagefit.soundstage.camera import view
from footagefit.soundstage.dressing import crew_set
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import lit, lit_apart, look
from footagefit.soundstage.scene import scene
from footagefit.soundstage.specs import KINDS
from footagefit.soundstage.training import aimed, wild_camera
from footagefit.soundstage.wild import DRAWING, wild_set

KEYS = 8
SCENES = 4  # rendered and stored together
CREW = "crew"  # the family that nothing is taught on: the sets that the demo's crew dresses
_STREAM = 37
_SAID_EVERY_S = 5.0
_CHART_PX = 96  # fineness of faces: enough for small pictures


@dataclass(frozen=True)
class Apart:
    """A folder of scenes; can be pickled.

    Attributes:
        folder: Where they are cached.
        seed: Of the scenes.
        scenes: How many there are.
        size_px: Rows and columns.
        family: `crew` for the demo's dressed sets; wild sets where None.
    """

    folder: Path
    seed: int
    scenes: int
    size_px: tuple[int, int] = (96, 96)
    family: str | None = None

    def scene(self, number: int) -> dict[str, Tensor]:
        """A scene's tensors, without the batch; rendered when first asked for."""
        from safetensors import safe_open

        path = self._path(number // SCENES)
        if not path.exists():
            self._write(number // SCENES)
        at = number % SCENES
        with safe_open(path, framework="pt") as opened:
            names = list(opened.keys())
            return {n: opened.get_slice(n)[at : at + 1][0].float() for n in names}

    def render(self) -> None:
        """Render every scene that is not in the cache, saying how far it is."""
        missing = [b for b in range(math.ceil(self.scenes / SCENES)) if not self._path(b).exists()]
        for batch in told(missing, each=SCENES):
            self._write(batch)

    def _path(self, batch: int) -> Path:
        rows, columns = self.size_px
        name = f"apart_v{DRAWING}_s{self.seed}_{rows}x{columns}_k{KEYS}"
        name += "" if self.family is None else f"_{self.family}"
        return self.folder / name / f"{batch:06d}.safetensors"

    def _write(self, batch: int) -> None:
        from safetensors.torch import save_file

        path = self._path(batch)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = draw_apart(
            seed=self.seed,
            index=batch * SCENES,
            count=SCENES,
            size_px=self.size_px,
            family=self.family,
        )
        part = path.with_suffix(f".{os.getpid()}.part")
        save_file({n: t.clamp(-6e4, 6e4).half().contiguous() for n, t in made.items()}, part)
        os.replace(part, path)


def told(batches: Sequence[int], *, each: int) -> Iterator[int]:
    """Batches of so many scenes, saying how far they are."""
    began = said = time.monotonic()
    total = each * len(batches)
    for count, batch in enumerate(batches, start=1):
        yield batch
        now, done = time.monotonic(), each * count
        if now - said >= _SAID_EVERY_S and done < total:
            said, left = now, (now - began) / done * (total - done)
            line = f"soundstage: {done}/{total} scenes, ETA {left:.0f} s"
            print(line, file=sys.stderr, flush=True)


def draw_apart(
    *, seed: int, index: int, count: int, size_px: tuple[int, int], family: str | None = None
) -> dict[str, Tensor]:
    """Some scenes from `index` on.

    Returns:
        `keys` (B,K,3,H,W), `shadow` (B,K,1,H,W) share of each key that is seen, `ways` (B,K,3)
        directions to the keys in camera axes, `softness` (B,K) in degrees, `fill` (B,3,H,W) a
        white dome at ev 0, `around` (B,3,H,W) surroundings that stay, `albedo` (B,3,H,W),
        `normals` (B,3,H,W) camera axes, `depth` (B,1,H,W) metres, 0 where there is nothing.
    """
    with torch.inference_mode():
        return _drawn(seed, range(index, index + count), size_px, family)


def _drawn(
    seed: int, numbers: range, size_px: tuple[int, int], family: str | None
) -> dict[str, Tensor]:
    rngs = [np.random.default_rng([seed, number, _STREAM]) for number in numbers]
    made = [_set(rng, family) for rng in rngs]
    cameras = [wild_camera(rng, one) for rng, one in zip(rngs, made, strict=True)]
    ways = np.stack([[key_way(rng, k) for k in range(KEYS)] for rng in rngs])
    softness = np.array([[0.5 * 240 ** rng.random() for _ in range(KEYS)] for rng in rngs])
    maps = [_surroundings(rng) for rng in rngs]
    stage = scene(made, chart_px=_CHART_PX)
    cameras = aimed(cameras, stage, "cpu")
    seen = look(stage, view(cameras, size_px))
    white = torch.ones(len(made), 3)
    keys = [_key(ways[:, k], softness[:, k], cameras, white) for k in range(KEYS)]
    parts = lit_apart(seen, keys)
    return {
        "keys": torch.stack([part.total for part in parts], 1),
        "shadow": torch.stack([part.shadow for part in parts], 1),
        "ways": torch.from_numpy(ways).float(),
        "softness": torch.from_numpy(softness).float(),
        "fill": lit(seen, _dome("fill", white)).total,
        "around": lit(seen, _map(maps)).total,
        "albedo": seen.picture(seen.surface.albedo),
        "normals": seen.normal,
        "depth": seen.depth,
    }


def key_way(rng: np.random.Generator, number: int) -> tuple[float, float, float]:
    """Where a key stands: film's places first, then all over the front, the last anywhere."""
    if number < 2:
        azimuth, elevation = rng.normal() * 45, rng.normal() * 20 + 15
        azimuth, elevation = math.radians(azimuth), math.radians(max(-70.0, min(85.0, elevation)))
        flat = math.cos(elevation)
        return math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat
    way = rng.standard_normal(3)
    way /= np.linalg.norm(way)
    if number < KEYS - 1 and way[2] < 0.0:
        way[2] = -way[2]
    return float(way[0]), float(way[1]), float(way[2])


def _set(rng: np.random.Generator, family: str | None):
    """A wild set, or one that the demo's crew would dress."""
    if family is None:
        return wild_set(rng)[0]
    if family != CREW:
        raise UnknownName("family", family, [CREW])
    kind = str(rng.choice(KINDS))
    return crew_set(int(rng.integers(1 << 30)), kind, int(rng.integers(1 << 30)))


def _key(ways: np.ndarray, softness: np.ndarray, cameras: list, white: Tensor) -> Source:
    towards = np.stack([way @ camera.axes() for way, camera in zip(ways, cameras, strict=True)])
    way = torch.from_numpy(towards.astype(np.float32))
    spread = torch.tan(torch.deg2rad(torch.from_numpy(softness).float().clamp_max(170.0) / 2))
    nowhere = torch.zeros_like(way)
    return Source("key", "far", way, nowhere, spread[:, None], white, nowhere)


def _dome(name: str, colour: Tensor) -> Source:
    up = torch.tensor([[0.0, 1.0, 0.0]]).expand(len(colour), 3)
    ones = torch.ones(len(colour), 1)
    return Source(name, "dome", up, torch.zeros_like(up), ones, colour, colour)


def _surroundings(rng: np.random.Generator) -> tuple[tuple[float, ...], Tensor]:
    """A sky or a studio; half of them hardly there."""
    dim = rng.random() < 0.5
    rgb = lamp.colour_of(-12.0 if dim else float(rng.uniform(-5, -1)), rng.uniform(4500, 9000))
    around = (environment.plain, environment.sky, environment.studio)[int(rng.integers(0, 3))]
    return rgb, around(rng)


def _map(maps: list[tuple[tuple[float, ...], Tensor]]) -> Source:
    made = _dome("sky", torch.tensor([rgb for rgb, _ in maps], dtype=torch.float32))
    made.kind = "map"
    made.around = torch.stack([around for _, around in maps])
    made.harmonics = torch.stack([environment.harmonics(around) for _, around in maps])
    return made


__all__ = ["CREW", "KEYS", "SCENES", "Apart", "draw_apart", "key_way", "told"]

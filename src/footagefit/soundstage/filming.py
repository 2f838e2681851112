"""The door: ask for a set-up, get frames and their truth.

filming = film(SetUp(set_seed=7, framing="close"), size_px=(270, 480))
frame = filming.frame(0.5)
frame.image_CHW      # linear ACEScg through the lens, before the sensor
frame.truth          # tensors at the same size, see `truth.SCHEMA`
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from footagefit.errors import UnknownName
from footagefit.records import Light
from footagefit.soundstage import environment, lens, lights, sets
from footagefit.soundstage import materials as m
from footagefit.soundstage.camera import Camera, View, view
from footagefit.soundstage.dressing import crew_set
from footagefit.soundstage.figures import turn_z
from footagefit.soundstage.lights import Source
from footagefit.soundstage.render import Seen, lit, look
from footagefit.soundstage.scene import Scene, scene
from footagefit.soundstage.sets import Set, Thing
from footagefit.soundstage.shapes import applied, pick
from footagefit.soundstage.specs import FRAMINGS, KINDS, SetUp
from footagefit.soundstage.tiles import RAYS, from_tiles, into_tiles, padded

FRAME_S = 1 / 24
_RAYS = 16_384
_DISTANCE_M = {"wide": 3.4, "medium": 1.75, "close": 0.95, "macro": 0.5}
_DROP_M = {"wide": 0.22, "medium": 0.10, "close": 0.02, "macro": -0.01}
_JITTERS = ((-0.25, -0.25), (0.25, 0.25), (-0.25, 0.25), (0.25, -0.25))


@dataclass
class Filmed:
    """One frame.

    Attributes:
        image_CHW: Scene-linear ACEScg through the lens, before the sensor.
        truth: Tensors (C,H,W) by name, in the lens's picture; see `truth.SCHEMA`.
        light: The light as this camera sees it in this frame.
        mask_1HW: Where an obstacle is, or None.
        clean_CHW: The picture without it, or None.
    """

    image_CHW: Tensor
    truth: dict[str, Tensor]
    light: Light
    mask_1HW: Tensor | None = None
    clean_CHW: Tensor | None = None


class Filming:
    """A set-up that can be filmed at any moment.

    Args:
        setup: What the crew asked for.
        size_px: Height and width.
        samples: Rays a pixel where something ends; 1 for speed, 2 or 4 for smooth edges.
        device: Where to render.
    """

    def __init__(self, setup: SetUp, *, size_px: tuple[int, int], samples: int = 2,
                 device: str = "cpu") -> None:  # fmt: skip
        if setup.kind not in KINDS:
            raise UnknownName("kind of set", setup.kind, KINDS)
        if setup.framing not in FRAMINGS:
            raise UnknownName("framing", setup.framing, FRAMINGS)
        self.setup, self.size_px, self._samples = setup, size_px, samples
        self._device = device
        self._chart_px = 192 if size_px[0] <= 256 else 384  # faces as fine as the picture
        self._set = crew_set(
            setup.set_seed, setup.kind, setup.performance_seed,
            wardrobe_hue=setup.wardrobe_hue, prop_shift_m=setup.prop_shift_m,
        )  # fmt: skip
        shake = np.random.default_rng([setup.set_seed, setup.performance_seed, 13])
        self._shake = sets.sway(shake, 0.006)
        self._drift = float(shake.normal())
        # The key is asked for in camera A's axes at the start; camera B sees the same lamp.
        hero = _placed(replace(setup, camera="A")).axes()
        self._key_world = np.asarray(lights.direction(setup.light)) @ hero
        self._skies: dict[int, Tensor] = {}
        self._margin = lens.margin_px(size_px, setup.lens)

    def camera(self, time_s: float) -> Camera:
        """Where the camera is at a moment."""
        s = self.setup
        first = _placed(s)
        place, target, roll = np.array(first.place), np.array(first.target), 0.0
        if s.move == "handheld":
            offset = self._shake.at(time_s)
            place, target, roll = place + offset, target + offset * 1.6, float(offset[0] * 60)
        elif s.move == "dolly":
            place = place + (target - place) * 0.12 * time_s
        elif s.move == "pan":
            target = target + np.array([0.16 * time_s * math.copysign(1, self._drift), 0, 0])
        return replace(first, place=tuple(place), target=tuple(target), roll_deg=roll)

    def light_at(self, time_s: float) -> Light:
        """The light in this camera's axes at a moment."""
        local = self.camera(time_s).axes() @ self._key_world
        azimuth, elevation = lights.angles(tuple(local))
        return replace(self.setup.light, azimuth_deg=azimuth, elevation_deg=elevation)

    def sources(self) -> list[Source]:
        """Every source of the set-up, each of which renders alone."""
        light = self.setup.light
        spread = math.tan(math.radians(min(light.softness_deg or 1.0, 170.0) / 2))
        key = _source(
            "key", "far", way=self._key_world.tolist(), spread=spread,
            rgb=lights.colour_of(
                light.key_ev or 0.0, light.key_k or 5600.0, light.key_tint_duv or 0.0
            ),
        )  # fmt: skip
        fill_rgb = lights.colour_of(
            light.fill_ev or 0.0, light.fill_k or 5600.0, light.fill_tint_duv or 0.0
        )
        fill = _source("fill", "dome", rgb=fill_rgb, ground=fill_rgb)
        fill.hidden = self.setup.kind == "exterior"  # the sky is what is seen there
        made = [key, fill, *(self._from_set(lamp) for lamp in self._set.lamps)]
        return [source.on(self._device) for source in made]

    def _from_set(self, lamp: sets.Lamp) -> Source:
        """A source that belongs to the set."""
        rgb = lights.colour_of(lamp.ev, lamp.kelvin)
        made = _source(lamp.name, lamp.kind, rgb=rgb, place=lamp.place, way=lamp.way,
                       spread=lamp.size, ground=[c * lamp.beyond for c in rgb])  # fmt: skip
        if lamp.aim is not None:
            made.aim = torch.tensor([lamp.aim])
        if lamp.gate is not None:
            made.gate = torch.from_numpy(lamp.gate.astype(np.float32))[None]
        if lamp.kind == "map" or lamp.beyond > 0:
            made.around = self._sky(lamp.seed)
            made.harmonics = environment.harmonics(made.around[0])[None]
        return made

    def _sky(self, seed: int) -> Tensor:
        """The sky of the set (1,3,h,w), fine enough to be looked at."""
        if seed not in self._skies:
            rng = np.random.default_rng([seed, 31])
            self._skies[seed] = environment.sky(rng, size=(128, 256))[None]
        return self._skies[seed]

    def frame(self, time_s: float, *, truth: bool = True) -> Filmed:
        """The picture of a moment, and its truth unless that is not wanted."""
        hidden = truth and self.setup.obstacle is not None
        shown = self._shot(time_s, obstacle=True, truth=truth or hidden)
        if not hidden:
            return shown
        clean = self._shot(time_s, obstacle=False, truth=True)
        mask = self._mask(shown, clean)
        return replace(
            shown, clean_CHW=clean.image_CHW, mask_1HW=mask, truth=shown.truth if truth else {}
        )

    def _mask(self, shown: Filmed, clean: Filmed) -> Tensor:
        """Where the obstacle stands in the picture, a pixel wider for the lens's softness."""
        apart = (shown.truth["depth"] - clean.truth["depth"]).abs() > 1e-3
        wide = functional.max_pool2d(apart.float()[None], 3, 1, 1)[0]
        return wide

    def _things(self, time_s: float, obstacle: bool) -> Set:
        made = replace_set(self._set)
        if obstacle and self.setup.obstacle is not None:
            made.things += self._obstacle(made, time_s)
        return made

    def _obstacle(self, made: Set, time_s: float) -> list[Thing]:
        """A wire across the frame, or a boom from its top edge."""
        asked = self.setup.obstacle
        if asked is None:
            return []
        rng = np.random.default_rng([asked.seed, 15])
        at = self.camera(time_s)
        axes, near = at.axes(), 0.55 * _DISTANCE_M[self.setup.framing] * at.focal_mm / 32.0
        half = near * 12.45 / at.focal_mm
        swing = math.radians(asked.sway_deg) * math.sin(2 * math.pi * 0.7 * time_s + rng.random())
        if asked.kind == "wire":
            row = made.material(m.PAINT, np.full(3, 0.03 + 0.1 * rng.random()), rough=0.5)
            local = np.array([half * rng.uniform(-0.6, 0.6) + half * swing * 2, 0.0, -near])
            tilt = rng.uniform(-25, 25)
            size = np.array([half * 0.0035, half * 3.0, half * 0.0035])
        else:
            row = made.material(m.CLOTH, np.full(3, 0.05), scale=300.0, rough=0.95)
            local = np.array([half * rng.uniform(-0.5, 0.5) + half * swing * 3, half * 0.62, -near])
            tilt = rng.uniform(55, 75)
            size = np.array([half * 0.07, half * 0.34, half * 0.07])
        turn = turn_z(tilt) @ axes
        return [Thing("blob", np.array(at.place) + local @ axes, turn, size, row)]

    def _shot(self, time_s: float, *, obstacle: bool, truth: bool) -> Filmed:
        height, width = self.size_px
        edge = self._margin
        large = (height + 2 * edge, width + 2 * edge)
        wide = replace(self.camera(time_s), margin=large[1] / width)
        with torch.inference_mode():
            made = self._things(time_s, obstacle)
            stage = scene([made], time_s, chart_px=self._chart_px, device=self._device)
            sources = self.sources()
            rows, exact = [], []
            for band in view([wide], large, device=self._device).bands(_RAYS):
                rows.append(self._lit_band(stage, band, sources))
                if truth:
                    exact.append(self._truth(stage, band, sources, time_s, made))
            spec = self.setup.lens
            image = lens.through(torch.cat(rows, -2), spec, margin=edge)
            known = (
                {name: torch.cat([e[name] for e in exact], -2) for name in exact[0]}
                if exact
                else {}
            )
            bent = {
                name: lens.warped(values, spec, mode="nearest", margin=edge)
                for name, values in known.items()
            }
        return Filmed(image, bent, self.light_at(time_s))

    def _lit_band(self, stage: Scene, band: View, sources: list[Source]) -> Tensor:
        """All sources together (3,H,W): one ray a pixel, and more where something ends."""
        jitters = _JITTERS[: self._samples] if self._samples > 1 else ((0.0, 0.0),)
        seen = look(stage, band, jitter=jitters[0])
        first = _together(seen, sources)
        edges = torch.nonzero(_ends(seen))[:, 0]
        if len(jitters) == 1 or edges.numel() == 0:
            return first
        height, width = first.shape[1:]
        whole = functional.pad(first, (0, padded(width) - width, 0, padded(height) - height))
        rays = into_tiles(whole.permute(1, 2, 0)).reshape(-1, RAYS, 3)
        some = replace(band, tiles=edges)
        for jitter in jitters[1:]:
            more = _together(look(stage, some, jitter=jitter), sources)
            rays[edges] += into_tiles(more.permute(1, 2, 0)).reshape(-1, RAYS, 3)
        rays[edges] /= len(jitters)
        return from_tiles(rays.reshape(1, -1, 3), (height, width))[0]

    def _truth(
        self, stage: Scene, band: View, sources: list[Source], time_s: float, made: Set
    ) -> dict[str, Tensor]:
        seen = look(stage, band)
        truth = {
            "albedo": seen.picture(seen.surface.albedo)[0],
            "normals": seen.normal[0],
            "depth": seen.depth[0],
            "ids": seen.picture((seen.hits.item + 1).float())[0],
        }
        for source in sources:
            part = lit(seen, source)
            truth[f"light.{source.name}.direct"] = part.direct[0]
            truth[f"light.{source.name}.indirect"] = part.indirect[0]
            truth[f"shadow.{source.name}"] = part.shadow[0]
        for name, step in (("forward", FRAME_S), ("backward", -FRAME_S)):
            truth[f"motion.{name}"] = self._motion(seen, made, time_s, time_s + step)
        return truth

    def _motion(self, seen: Seen, made: Set, now_s: float, then_s: float) -> Tensor:
        """Where what is seen now will be: (2,H,W) pixels, u right, v down, before the lens."""
        wide = replace(self.camera(then_s), margin=seen.view.size[1] / self.size_px[1])
        there = view([wide], seen.view.size, device=self._device)
        after = scene([made], then_s, chart_px=self._chart_px, device=self._device)
        moved, _ = there.project(carried(seen, after))
        origin, _ = seen.view.project(seen.hits.point)
        still = (seen.hits.item >= 0)[..., None]
        return seen.picture(torch.where(still, moved - origin, torch.zeros_like(moved)))[0]


def _together(seen: Seen, sources: list[Source]) -> Tensor:
    """All sources of a single scene (3,H,W)."""
    total = lit(seen, sources[0]).total[0]
    for source in sources[1:]:
        total = total + lit(seen, source).total[0]
    return total


def _ends(seen: Seen) -> Tensor:
    """(T,) tiles in which a thing ends: another material, a step in depth, leaves."""
    hits = seen.hits
    item, distance = (v.reshape(-1, RAYS) for v in (hits.item, hits.distance))
    row = torch.where(hits.item < 0, -1, hits.material).reshape(-1, RAYS)
    first = seen.scene.parts.first
    solid = item.amax(1) >= first[1]  # planes alone have no edges of their own
    step = distance.amax(1) > 1.06 * distance.amin(1)
    return (row.amin(1) != row.amax(1)) | (step & solid) | (item.amax(1) >= first[4])


def _placed(setup: SetUp) -> Camera:
    """Where a set-up's camera stands before it moves; longer lenses stand further off."""
    distance = _DISTANCE_M[setup.framing] * setup.lens.focal_mm / 32.0
    around = math.radians(8.0 if setup.camera == "A" else -38.0)
    target = np.array([0.0, -_DROP_M[setup.framing], -0.05])
    place = target + distance * np.array([math.sin(around), 0.06, math.cos(around)])
    return Camera(tuple(place), tuple(target), setup.lens.focal_mm)


def film(
    setup: SetUp, *, size_px: tuple[int, int], samples: int = 2, device: str = "cpu"
) -> Filming:
    """Make a set-up ready to be filmed; see `Filming`."""
    return Filming(setup, size_px=size_px, samples=samples, device=device)


def carried(seen: Seen, later: Scene) -> Tensor:
    """Points that are seen now, where their objects have taken them (B,N,3)."""
    before, after, hits = seen.scene.parts, later.parts, seen.hits
    point = hits.point.clone()
    first = before.planes.normal.shape[1]
    for now, then in (
        (before.boxes, after.boxes),
        (before.blobs, after.blobs),
        (before.heads, after.heads),
        (before.bushes, after.bushes),
    ):
        count = now.centre.shape[1]
        mine = (hits.item >= first) & (hits.item < first + count)
        index = (hits.item - first).clamp(0, count - 1)
        turn, centre = pick(then.turn, index), pick(then.centre, index)
        moved = applied(turn.transpose(-1, -2), hits.local) + centre
        point = torch.where(mine[..., None], moved, point)
        first += count
    return point


def replace_set(made: Set) -> Set:
    """The same set with lists of its own."""
    return Set(
        list(made.actors), list(made.things), list(made.planes), list(made.table), list(made.lamps)
    )


def _source(
    name: str,
    kind: str,
    *,
    rgb: Sequence[float],
    way: Sequence[float] = (0.0, 1.0, 0.0),
    place: Sequence[float] = (0.0, 0.0, 0.0),
    spread: float = 1.0,
    ground: Sequence[float] = (0.0, 0.0, 0.0),
) -> Source:
    def row(values: Sequence[float]) -> Tensor:
        return torch.tensor([[float(v) for v in values]], dtype=torch.float32)

    towards = row(way)
    return Source(name, kind, towards / towards.norm(dim=-1, keepdim=True), row(place),
                  torch.tensor([[spread]]), row(rgb), row(ground))  # fmt: skip


__all__ = ["FRAME_S", "Filmed", "Filming", "View", "film"]

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
from footagefit.soundstage.render import Part, Seen, lit_apart, look
from footagefit.soundstage.scene import Scene, scene
from footagefit.soundstage.sets import Set, Thing
from footagefit.soundstage.shapes import applied, pick
from footagefit.soundstage.specs import FRAMINGS, KINDS, LensSpec, SetUp
from footagefit.soundstage.tiles import RAYS, SIDE, padded

FRAME_S = 1 / 24
_RAYS = 16_384
_DISTANCE_M = {"wide": 3.4, "medium": 1.75, "close": 0.95, "macro": 0.5}
_DROP_M = {"wide": 0.22, "medium": 0.10, "close": 0.02, "macro": -0.01}
_JITTERS = ((-0.13, -0.38), (0.38, -0.13), (0.13, 0.38), (-0.38, 0.13))
_TURN, _BEND = 0.8, 0.012  # cosine between neighbours; bend of one over depth, of itself


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
        samples: Rays a pixel where something ends, 1 to 5: the first goes through its centre, and
            is the truth's.
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

    def lens_at(self, time_s: float) -> LensSpec:
        """The lens as it is focused at a moment."""
        pulled = self.setup.rack_px * (0.5 + 0.5 * math.cos(math.pi * min(max(time_s, 0.0), 1.0)))
        return replace(self.setup.lens, defocus_px=self.setup.lens.defocus_px + pulled)

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
            eye = view([wide], large, device=self._device)
            rows, marks, exact = [], [], []
            for band in eye.bands(_RAYS):
                seen = look(stage, band)
                parts = lit_apart(seen, sources)
                rows.append(band.planar(_together(parts))[0])
                if self._samples > 1:
                    marks.append(_marks(seen))
                if truth:
                    names = [source.name for source in sources]
                    exact.append(
                        self._truth(seen, dict(zip(names, parts, strict=True)), time_s, made)
                    )
            image = torch.cat(rows, -2)
            if self._samples > 1:
                self._smooth(image, _ends(torch.cat(marks, -2)), stage, eye, sources)
            spec = self.lens_at(time_s)
            known = {n: torch.cat([e[n] for e in exact], -2) for n in (exact[0] if exact else ())}
            bent = {
                name: lens.warped(values, spec, mode="nearest", margin=edge)
                for name, values in known.items()
            }
        return Filmed(lens.through(image, spec, margin=edge), bent, self.light_at(time_s))

    def _smooth(self, image: Tensor, ends: Tensor, stage: Scene, eye: View,
                sources: list[Source]) -> None:  # fmt: skip
        """More rays in the pixels (H,W) where something ends; their mean, in place."""
        height, width = ends.shape
        whole = functional.pad(ends, (0, padded(width) - width, 0, padded(height) - height))
        places = torch.nonzero(whole)  # by row; neighbours are to be by each other:
        number = (places[:, 0] // SIDE) * padded(width) + places[:, 1] // SIDE
        places = places[number.argsort(stable=True)]
        jitters = torch.tensor(_JITTERS[: self._samples - 1], device=places.device)
        each = len(jitters)
        for some in places.split(_RAYS // each):
            at = some[:, None].flip(-1) + 0.5 + jitters  # (n,each,2) x, y
            at = at.reshape(-1, 2)
            spare = -len(at) % RAYS
            points = torch.cat([at, at[-1:].expand(spare, 2)])
            seen = look(stage, replace(eye, points=points))
            total = _together(lit_apart(seen, sources))[0, :, : len(at)]
            more = total.reshape(3, -1, each).sum(-1)
            y, x = some.unbind(-1)
            image[:, y, x] = (image[:, y, x] + more) / (1 + each)

    def _truth(
        self, seen: Seen, parts: dict[str, Part], time_s: float, made: Set
    ) -> dict[str, Tensor]:
        truth = {
            "albedo": seen.picture(seen.surface.albedo)[0],
            "normals": seen.normal[0],
            "depth": seen.depth[0],
            "ids": seen.picture((seen.hits.item + 1).float())[0],
        }
        for name, part in parts.items():
            truth[f"light.{name}.direct"] = part.direct[0]
            truth[f"light.{name}.indirect"] = part.indirect[0]
            truth[f"shadow.{name}"] = part.shadow[0]
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


def _together(parts: list[Part]) -> Tensor:
    """All sources (B,3,N)."""
    total = parts[0].straight + parts[0].around
    for part in parts[1:]:
        total = total.add_(part.straight).add_(part.around)
    return total


def _marks(seen: Seen) -> Tensor:
    """What tells where things end (5,H,W): material, one over depth, and the shape's normal."""
    hits = seen.hits
    row = torch.where(hits.item < 0, -1.0, hits.material.to(hits.distance.dtype))
    depth = seen.depth[0]
    closeness = torch.where(depth > 0, 1 / depth.clamp_min(1e-3), 0.0)
    return torch.cat([seen.picture(row)[0], closeness, seen.picture(hits.normal)[0]])


def _ends(marks: Tensor) -> Tensor:
    """(H,W) pixels in which a thing ends or an edge runs.

    One over depth runs straight over whatever is flat, at any angle: where it bends, something
    stands before something else.
    """
    row, near, normal = marks[:1], marks[1:2], marks[2:]
    ends = torch.zeros_like(row[0], dtype=torch.bool)
    for axis in (1, 2):
        count = row.shape[axis]
        one, two = (v.narrow(axis, 0, count - 1) for v in (row, normal))
        one_, two_ = (v.narrow(axis, 1, count - 1) for v in (row, normal))
        apart = ((one != one_) | ((two * two_).sum(0, keepdim=True) < _TURN))[0]
        ends.narrow(axis - 1, 0, count - 1).logical_or_(apart)
        ends.narrow(axis - 1, 1, count - 1).logical_or_(apart)
        middle = near.narrow(axis, 1, count - 2)
        bend = near.narrow(axis, 0, count - 2) + near.narrow(axis, 2, count - 2) - 2 * middle
        ends.narrow(axis - 1, 1, count - 2).logical_or_((bend.abs() > _BEND * middle)[0])
    return ends


def _placed(setup: SetUp) -> Camera:
    """Where a set-up's camera stands before it moves; longer lenses stand further off."""
    distance = _DISTANCE_M[setup.framing] * setup.lens.focal_mm / 32.0
    around = math.radians(8.0 if setup.camera == "A" else -38.0)
    target = np.array([0.0, -_DROP_M[setup.framing], -0.05])
    place = target + distance * np.array([math.sin(around), 0.06, math.cos(around)])
    return Camera(tuple(place), tuple(target), setup.lens.focal_mm, squeeze=setup.lens.squeeze)


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

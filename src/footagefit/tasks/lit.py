"""Plates and targets under drawn lights, from scenes whose sources are apart.

What belongs here: which lights a training example has, and the sums that make pictures of them.
What does not: rendering (`soundstage/apart.py`), degradations, what a task asks of a model.

Shapes: K keys, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from footagefit.footage.white import light_rgb
from footagefit.signature.light_vector import LUMA
from footagefit.tasks.draws import chance, choice, uniform

_MIDDLE_EV = -3.2  # log2 of the mean light of an exposed frame
_SMALLEST = 0.6  # part of a scene's picture that a framing shows at least

Scene = Mapping[str, Tensor]


@dataclass(frozen=True)
class Lamps:
    """Key, fill and the rest of one picture.

    Attributes:
        key: Which of the scene's keys.
        key_stops: (3,) of R, G and B: 0 renders an 18% card as 0.18.
        fill_stops: (3,) the same of the dome.
    """

    key: int
    key_stops: Tensor
    fill_stops: Tensor

    def exposed(self, stops: float) -> Lamps:
        """The same through another exposure."""
        return replace(self, key_stops=self.key_stops + stops, fill_stops=self.fill_stops + stops)


def colour_stops(ev: float, mired: float, duv: float = 0.0) -> Tensor:
    """Stops of R, G and B of a light."""
    rgb = light_rgb(round(1e6 / mired, 2), round(duv, 6))
    return torch.tensor(rgb).clamp_min(1e-3).log2() + ev


def drawn_lamps(rng: torch.Generator, key: int) -> Lamps:
    """A key of that direction and a fill, of any colours, the key usually well above."""
    fill_ev = -5.0 + 5.0 * math.sqrt(uniform(rng, 0.0, 1.0)) - uniform(rng, 0.0, 1.5)
    key_stops = colour_stops(0.0, uniform(rng, 110.0, 330.0), uniform(rng, -0.006, 0.006))
    fill = colour_stops(fill_ev, uniform(rng, 110.0, 330.0), uniform(rng, -0.006, 0.006))
    return Lamps(key, key_stops, fill)


def drawn_rest(scene: Scene, rng: torch.Generator, *, but: tuple[int, ...]) -> Tensor:
    """Light that stays whatever the key does: surroundings, and sometimes a second lamp."""
    rest = torch.zeros_like(scene["fill"])
    if chance(rng, 0.55):
        rest = rest + scene["around"] * 2.0 ** uniform(rng, -2.5, 0.5)
    others = [k for k in range(scene["keys"].shape[0]) if k not in but]
    if others and chance(rng, 0.3):
        stops = colour_stops(uniform(rng, -4.5, -0.8), uniform(rng, 110.0, 330.0))
        rest = rest + scene["keys"][others[choice(rng, len(others))]] * gain(stops)
    return rest


def picture(scene: Scene, lamps: Lamps, rest: Tensor) -> Tensor:
    """A scene under its lamps (3,H,W)."""
    lit = scene["keys"][lamps.key] * gain(lamps.key_stops)
    return lit + scene["fill"] * gain(lamps.fill_stops) + rest


def other_key(scene: Scene, key: int, rng: torch.Generator, *, apart_deg: float) -> int:
    """Another key at least so far off where there is one, else the farthest."""
    cosine = (scene["ways"] @ scene["ways"][key]).clamp(-1.0, 1.0)
    far = [k for k in range(len(cosine)) if cosine[k] < math.cos(math.radians(apart_deg))]
    return far[choice(rng, len(far))] if far else int(cosine.argmin())


def exposure_of(light: Tensor, rng: torch.Generator) -> float:
    """Stops that expose a picture as a cinematographer would, give or take."""
    middle = float(torch.log2(light.mean(0).clamp_min(1e-3)).mean())
    return 0.8 * (_MIDDLE_EV - middle) + uniform(rng, -1.2, 1.0)


def framed(
    scene: Scene, rng: torch.Generator, size: tuple[int, int], *, squeeze: bool = False
) -> dict[str, Tensor]:
    """A part of a scene at another size, perhaps mirrored, directions with it.

    Args:
        scene: Its tensors.
        rng: Draws the part.
        size: Rows and columns wanted.
        squeeze: Let the part be of any aspect, as frames are that are squeezed into a square.
    """
    height, width = scene["fill"].shape[1:]
    scale = 1.0 if chance(rng, 0.3) else uniform(rng, _SMALLEST, 1.0)
    flat = uniform(rng, 0.5, 1.0) if squeeze and chance(rng, 0.6) else 1.0
    rows, columns = max(16, int(scale * flat * height)), max(16, int(scale * width))
    top, left = choice(rng, height - rows + 1), choice(rng, width - columns + 1)
    mirrored = chance(rng, 0.5)
    turned = torch.tensor([-1.0 if mirrored else 1.0, 1.0, 1.0])
    made: dict[str, Tensor] = {}
    for name, tensor in scene.items():
        if tensor.ndim < 3:
            made[name] = tensor * turned if name == "ways" else tensor
            continue
        cut = tensor[..., top : top + rows, left : left + columns]
        flat = cut.reshape(-1, 1, rows, columns)
        if (rows, columns) != size:
            flat = torch.nn.functional.interpolate(flat, size=size, mode="bilinear")
        cut = flat.view(*tensor.shape[:-2], *size)
        made[name] = cut.flip(-1) if mirrored else cut
    if mirrored:
        made["normals"] = made["normals"] * turned[:, None, None]
    return made


def grey(light: Tensor) -> Tensor:
    """Black and white (3,H,W)."""
    weights = light.new_tensor(LUMA).view(3, 1, 1)
    return (light * weights).sum(0, keepdim=True).expand_as(light).contiguous()


def gain(stops: Tensor) -> Tensor:
    """What stops of R, G and B multiply a picture by (3,1,1)."""
    return torch.exp2(stops)[:, None, None]

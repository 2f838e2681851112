"""Teach the light estimator on the soundstage: how its shipped weights are made.

    python -m footagefit.training.estimator out=<folder> scenes=10016 steps=5826

Goes on where it stopped; writes `light.safetensors` (half precision) and `light.json`, its card.
What belongs here: its examples and its numbers. What does not: the net
(`signature/light_net.py`), the loop (`teaching.py`), the runs of tasks (`run.py`).

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.signature.light_net import SIZE_PX, LightNet
from footagefit.signature.light_vector import LUMA
from footagefit.soundstage.apart import CREW, Apart
from footagefit.tasks.draws import chance, choice, generator, normal, uniform
from footagefit.tasks.lit import drawn_lamps, drawn_rest, exposure_of, framed, gain, grey
from footagefit.training.teaching import Course, Lesson, asked, taught, written

HELD_OUT_SEED = 1_000_003
_SAVE_EVERY = 250
_EACH = 4  # lightings of a scene in a batch
_KEYED = 0.3  # how often a subject stands before black
_BARE = 0.2  # how often a key is nearly alone


LESSON = Lesson(
    out="base_work/light", scenes=10_016, steps=5826, batch=32, width=24, rate=2e-3
)  # the one that the shipped weights were taught by


def teach(lesson: Lesson) -> Path:
    """Train, or go on training; returns the file of weights."""
    folder = Path(lesson.out)
    folder.mkdir(parents=True, exist_ok=True)
    scenes = Apart(folder, lesson.seed, lesson.scenes)
    scenes.render()
    torch.manual_seed(lesson.seed)
    net = LightNet(width=lesson.width)

    def loss(step: int) -> Tensor:
        return torch.stack(list(terms(net, examples(scenes, step, lesson)).values())).sum()

    minutes = taught(
        net, lesson, Course("light", loss, decay=0.998, save_every=_SAVE_EVERY, orthogonal=True)
    )
    return _written(net.eval(), lesson, folder, minutes)


def examples(scenes: Apart, step: int, lesson: Lesson, *, hard: bool = True) -> dict[str, Tensor]:
    """A batch of pictures and the light on them; a function of the step alone.

    Args:
        scenes: To draw from.
        step: Of the lesson.
        lesson: Its batch and seed.
        hard: With subjects keyed on black, and keys nearly alone, among them.
    """
    rng = generator(lesson.seed, step, 5)
    made = []
    for _ in range(lesson.batch // _EACH):
        scene = scenes.scene(choice(rng, lesson.scenes))
        count = len(scene["ways"])
        drawn = [choice(rng, count) for _ in range(_EACH + 1)]
        names = ("keys", "ways", "softness")
        scene = {n: scene[n] for n in ("fill", "around", "normals", "depth")} | {
            n: scene[n][drawn] for n in names
        }
        scene = framed(scene, rng, (SIZE_PX, SIZE_PX), squeeze=True)
        made += [_example(scene, rng, key, hard=hard) for key in range(_EACH)]
    return {name: torch.stack([each[name] for each in made]) for name in made[0]}


def _example(
    scene: dict[str, Tensor], rng: torch.Generator, key: int, *, hard: bool
) -> dict[str, Tensor]:
    lamps = drawn_lamps(rng, key)
    rest = scene["fill"] * gain(lamps.fill_stops)
    rest = rest + drawn_rest(scene, rng, but=tuple(range(_EACH)))
    if hard and chance(rng, _BARE):
        dim = uniform(rng, 1.0, 6.0)
        rest, lamps = rest * 2.0**-dim, replace(lamps, fill_stops=lamps.fill_stops - dim)
    light = scene["keys"][key] * gain(lamps.key_stops) + rest
    there = (scene["depth"] > 0).float()
    mask = _subject(there, scene["depth"], rng)
    if hard and chance(rng, _KEYED):
        mask = _element(mask, there, scene["depth"], rng)
        light = light * mask
        if chance(rng, 0.3):
            mask = torch.ones_like(mask)
    stops = exposure_of(light, rng)
    light, lamps = light * 2.0**stops, lamps.exposed(stops)
    colours = torch.cat([lamps.key_stops, lamps.fill_stops])
    if chance(rng, 0.3):
        light = grey(light)
        levels = (torch.exp2(colours.view(2, 3)) @ light.new_tensor(LUMA)).log2()
        colours = levels[:, None].expand(2, 3).reshape(6)
    return {
        "plate": _through(light, rng),
        "mask": mask,
        "way": scene["ways"][key],
        "softness": scene["softness"][key].log2().reshape(1),
        "colours": colours,
        "normals": scene["normals"],
        "there": there,
    }


def _element(mask: Tensor, there: Tensor, depth: Tensor, rng: torch.Generator) -> Tensor:
    """What stands before black: a subject, never all of the frame and never next to nothing."""
    if float(mask.mean()) > 0.999:
        mask = there
        if float(there.mean()) > 0.05:
            near = depth[depth > 0].median() * uniform(rng, 0.8, 1.1)
            mask = there * (depth <= near).float()
    return mask if float(mask.mean()) >= 0.03 else torch.ones_like(mask)


def _through(light: Tensor, rng: torch.Generator) -> Tensor:
    """An unknown curve, clipping, blur and noise: what became of light on its way to a file."""
    light = light.clamp_min(0.0)
    if chance(rng, 0.5):
        power = 2.0 ** uniform(rng, -0.6, 0.5)
        light = 0.18 * ((light + 1e-4) / 0.18) ** power
    if chance(rng, 0.3):
        light = (light - uniform(rng, -0.01, 0.02)).clamp_min(0.0)
    if chance(rng, 0.3):
        knee = uniform(rng, 0.0, 0.8)
        light = light / (1.0 + knee * light) * (1.0 + knee * 0.18)
    if chance(rng, 0.5):
        light = light.clamp_max(2.0 ** uniform(rng, -1.0, 1.5))
    if chance(rng, 0.3):
        light = F.avg_pool2d(light[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    if chance(rng, 0.5):
        noise = normal(rng, *light.shape) * uniform(rng, 0.0, 0.05)
        light = (light + noise * (0.3 * light + 0.002).sqrt()).clamp_min(0.0)
    return light


def _subject(there: Tensor, depth: Tensor, rng: torch.Generator) -> Tensor:
    """All of the frame, what is there, or what is near: masks as people draw them."""
    kind = choice(rng, 4)
    if kind < 2 or float(there.mean()) < 0.05:
        return torch.ones_like(there)
    if kind == 2:
        return there
    near = depth[depth > 0].median()
    return there * (depth <= near * 1.05).float()


def terms(net: LightNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What training makes small."""
    out, normals = net(batch["plate"], batch["mask"])
    cosine = (out[:, :3] * batch["way"]).sum(1)
    sure = out[:, 3].exp()
    # Negative log likelihood of a von Mises-Fisher distribution on the sphere.
    likely = sure * (1.0 - cosine) - out[:, 3] + torch.log1p(-torch.exp(-2.0 * sure) * 0.999999)
    soft = (out[:, 4:5] - batch["softness"]).abs()
    colour = (out[:, 5:11] - batch["colours"]).abs()
    true = F.avg_pool2d(batch["normals"] * batch["there"], 4)
    inside = F.avg_pool2d(batch["there"], 4)
    shape = (inside - (normals * true).sum(1, keepdim=True)).mean()
    return {
        "way": likely.mean(), "turn": 0.5 * (1.0 - cosine).mean(), "softness": 0.1 * soft.mean(),
        "key": 0.25 * colour[:, :3].mean(), "fill": 0.1 * colour[:, 3:].mean(),
        "normals": 2.0 * shape,
    }  # fmt: skip


def judged(net: LightNet, scenes: Apart, lesson: Lesson, *, steps: int = 8) -> dict[str, float]:
    """Median errors on scenes that were not learnt from, keys in front of the subject."""
    rows = []
    with torch.no_grad():
        for step in range(steps):
            batch = examples(scenes, 1_000_000 + step, lesson, hard=False)
            out, _ = net(batch["plate"], batch["mask"])
            cosine = (out[:, :3] * batch["way"]).sum(1).clamp(-1, 1)
            rows.append(torch.stack([
                torch.rad2deg(torch.acos(cosine)), (out[:, 4] - batch["softness"][:, 0]).abs(),
                (out[:, 5:8] - batch["colours"][:, :3]).abs().mean(1), batch["way"][:, 2],
                out[:, 3],
            ]))  # fmt: skip
    error, soft, key, z, sure = torch.cat(rows, 1)
    front = z > 0
    surest = sure > sure.median()
    return {
        "direction_deg": float(error[front].median()),
        "direction_all_deg": float(error.median()),
        "direction_surer_half_deg": float(error[front & surest].median()),
        "softness_octaves": float(soft.median()), "key_stops": float(key.median()),
    }  # fmt: skip


def _written(net: LightNet, lesson: Lesson, folder: Path, minutes: float) -> Path:
    seed, most = lesson.seed + HELD_OUT_SEED, lesson.scenes
    held_out = Apart(folder, seed, min(most, 200))
    crew = Apart(folder, seed, min(most, 60), family=CREW)
    numbers = {}
    for name, scenes in (("wild", held_out), ("crew", crew)):
        scenes.render()
        apart = replace(lesson, scenes=scenes.scenes)
        numbers[name] = {k: round(v, 3) for k, v in judged(net, scenes, apart).items()}
    card = {"what": "the light estimator", "taught_on": "the soundstage's wild scenes alone",
            "lesson": lesson.plain, "minutes": round(minutes, 1), "held_out": numbers,
            "crew": "dressed sets, a family that nothing was taught on"}  # fmt: skip
    return written(net, folder / "light.safetensors", card)


if __name__ == "__main__":
    asked(teach, LESSON)

"""Teach a relight model to see shape before it is asked for light: where its base begins.

    python -m footagefit.training.perception out=<folder> scenes=10016 steps=2000
    footagefit train experiment=base/relight init_from=<folder>/seen work=<folder>

Seeing is the slow part of relighting, and the cheap one: one picture, half of the net. Goes on
where it stopped; writes a fit whose normals and heights are taught and whose changes are not.
What belongs here: the examples of that lesson and what it makes small. What does not: pairs of
lights (`tasks/relight.py`), the loop (`teaching.py`).

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.models.nets.light_code import lamp_of_way
from footagefit.models.relight import RelightModel, perceived, seen_normals
from footagefit.rendering.fits import Part, Recipe, load_fit, save_fit
from footagefit.soundstage.apart import CREW, Apart
from footagefit.tasks import codecs, lit
from footagefit.tasks.draws import chance, choice, generator, uniform
from footagefit.tasks.relight import mask_of, read_light
from footagefit.training.estimator import HELD_OUT_SEED
from footagefit.training.teaching import Course, Lesson, asked, taught

SIZE_PX = 48  # of the pictures, as of those that changes of light are taught with
_SAVE_EVERY = 250
_EACH = 2  # lightings of a scene in a batch
_FAINT = 1e-3
_KEYED = 0.25  # how often a subject stands before black
_FILED = 0.3  # how often a picture has been through files


@dataclass(frozen=True)
class SeeingLesson(Lesson):
    """A lesson that may go on from what was learnt before.

    Attributes:
        begin: A relight fit whose weights it begins from; nothing when empty.
    """

    begin: str = ""


LESSON = SeeingLesson(
    out="base_work/relight", scenes=10_016, steps=2000, batch=32, width=32, rate=2e-3
)


class Seeing(nn.Module):
    """What sees in a relight model, and what is asked of it in this lesson alone.

    Args:
        model: Whose net learns.
        width: Of its features.
    """

    def __init__(self, model: RelightModel, *, width: int) -> None:
        super().__init__()
        net = model.net
        self.perception, self.seen, self.old_code = net.perception, net.seen, net.old_code
        self.helped = nn.Conv2d(width, 5, 1)  # albedo (3), what the key reaches, its share
        self._perceive = net.perceive

    def forward(self, plate: Tensor, mask: Tensor, own: Tensor) -> dict[str, Tensor]:
        """At half size: `normals`, `height`, and five pictures that help to learn them."""
        x, normals, height, _ = self._perceive(plate, mask, lamp_of_way(own))
        return {"normals": normals, "height": height, "helped": self.helped(F.silu(x))}


def teach(lesson: SeeingLesson) -> Path:
    """Train, or go on training; returns the fit's folder."""
    folder = Path(lesson.out)
    folder.mkdir(parents=True, exist_ok=True)
    before = load_fit(lesson.begin) if lesson.begin else None  # first: it may not be there
    scenes = Apart(folder / "cache", lesson.seed, lesson.scenes)
    scenes.render()
    torch.manual_seed(lesson.seed)
    recipe = Recipe(Part("relight"), Part("relight", {"width": lesson.width}))
    model = recipe.build_model(recipe.build_task().spec)
    if not isinstance(model, RelightModel):
        raise TypeError(type(model).__name__)
    if before is not None:
        model.load_state_dict(before.model.state_dict())
    seeing = Seeing(model, width=lesson.width)

    def loss(step: int) -> Tensor:
        return torch.stack(list(terms(seeing, examples(scenes, step, lesson)).values())).sum()

    course = Course("seen", loss, decay=0.998, save_every=_SAVE_EVERY, orthogonal=True)
    minutes = taught(seeing, lesson, course)
    numbers = {}
    for name, family in (("wild", None), ("crew", CREW)):
        count = min(lesson.scenes, 60 if family else 200)
        held_out = Apart(folder / "cache", lesson.seed + HELD_OUT_SEED, count, family=family)
        held_out.render()
        numbers[name] = round(judged(seeing, held_out, lesson), 2)
    print(f"normals off by {numbers} degrees on scenes never seen", flush=True)
    card = {
        "run": "relight_seen",
        "parent": before and {"fit": before.path.name, "hash": before.hash},
        "lineage": {"stage": lesson.plain},
        "steps": lesson.steps,
        "minutes": round(minutes, 1),
        "measured": {"normals, degrees": numbers},
    }
    return save_fit(
        folder / "seen", recipe=recipe, weights=model.state_dict(), card=card, replace=True
    )


def examples(scenes: Apart, step: int, lesson: Lesson) -> dict[str, Tensor]:
    """A batch of pictures and what is to be seen in them; a function of the step alone."""
    rng = generator(lesson.seed, step, 7)
    made: list[dict[str, Tensor]] = []
    for _ in range(lesson.batch // _EACH):
        scene = scenes.scene(choice(rng, scenes.scenes))
        drawn = [choice(rng, len(scene["ways"])) for _ in range(_EACH + 1)]
        by_key = {n: scene[n][drawn] for n in ("keys", "shadow", "ways", "softness")}
        scene = lit.framed({**scene, **by_key}, rng, (SIZE_PX, SIZE_PX))
        made += [_example(scene, rng, key) for key in range(_EACH)]
    return {name: torch.stack([each[name] for each in made]) for name in made[0]}


def _example(scene: dict[str, Tensor], rng: torch.Generator, key: int) -> dict[str, Tensor]:
    lamps = lit.drawn_lamps(rng, key)
    rest = scene["fill"] * lit.gain(lamps.fill_stops)
    rest = rest + lit.drawn_rest(scene, rng, but=tuple(range(_EACH)))
    if chance(rng, 0.5):
        rest = rest * 2.0 ** -uniform(rng, 1.0, 4.0)
    alone = scene["keys"][key] * lit.gain(lamps.key_stops)
    light = torch.stack([alone + rest, alone]) * 2.0 ** lit.exposure_of(alone + rest, rng)
    if chance(rng, 0.3):
        light = torch.stack([lit.grey(each) for each in light])
    depth, there = scene["depth"], (scene["depth"] > 0).float()
    mask = mask_of(depth, rng)
    if chance(rng, _KEYED):
        mask = there if float(mask.mean()) > 0.999 else mask
        light, depth = light * mask, depth * mask
    share = ((light[1] + _FAINT) / (light[0] + 2 * _FAINT)).mean(0, keepdim=True)
    plate = light[0]
    if chance(rng, 0.4):
        plate = codecs.tone_curve(plate, rng)
    if chance(rng, _FILED):
        for family in codecs.CODECS.values():
            if chance(rng, 0.6 * family.odds):
                plate = family.change(plate, rng)
    return {
        "plate": plate.nan_to_num(0.0, 256.0, -1.0).clamp(-1.0, 256.0), "mask": mask,
        "normals": scene["normals"], "depth": depth, "albedo": scene["albedo"],
        "shadow": scene["shadow"][key], "share": share.clamp(0.0, 1.0),
        "own": read_light(scene["ways"][key], scene["softness"][key], rng),
    }  # fmt: skip


def terms(seeing: Seeing, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What training makes small."""
    made = seeing(batch["plate"], batch["mask"], batch["own"])
    size = (int(batch["plate"].shape[2]), int(batch["plate"].shape[3]))
    there = F.avg_pool2d((batch["depth"] > 0).float(), 2)
    count = there.sum().clamp_min(1.0)
    albedo, reached, share = made["helped"].split([3, 1, 1], 1)
    off = albedo - F.avg_pool2d((batch["albedo"] + 0.02).log2(), 2)
    weight = there.expand_as(off)
    about = (off * weight).sum((1, 2, 3), keepdim=True) / weight.sum(
        (1, 2, 3), keepdim=True
    ).clamp_min(1.0)
    reach = F.avg_pool2d(batch["shadow"], 2).clamp(0.0, 1.0)
    hidden = F.binary_cross_entropy_with_logits(reached, reach, reduction="none")
    part = (torch.sigmoid(share) - F.avg_pool2d(batch["share"], 2)).abs()
    return perceived(made, batch, size) | {
        "albedo": 0.2 * ((off - about).abs() * weight).sum() / (3.0 * count),
        "reached": 0.15 * (hidden * there).sum() / count,
        "share": 0.3 * (part * there).sum() / count,
    }


def judged(seeing: Seeing, scenes: Apart, lesson: Lesson, *, steps: int = 30) -> float:
    """Mean error of normals, in degrees, where something is."""
    total, count = 0.0, 0.0
    with torch.no_grad():
        for step in range(steps):
            batch = examples(scenes, 1_000_000 + step, lesson)
            made = seeing(batch["plate"], batch["mask"], batch["own"])
            cosine = (made["normals"] * seen_normals(batch["normals"])).sum(1, keepdim=True)
            there = F.avg_pool2d((batch["depth"] > 0).float(), 2)
            total += float((torch.rad2deg(torch.acos(cosine.clamp(-1, 1))) * there).sum())
            count += float(there.sum())
    return total / max(count, 1.0)


if __name__ == "__main__":
    asked(teach, LESSON)

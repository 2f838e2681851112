"""Examples with their pictures encoded before, on disk: steps then need no autoencoder.

What belongs here: the cache of latents, filling it, reading it in the place of footage. What does
not: what is encoded (`models/diffusion.py`), making examples (`examples.py`).

A folder holds `ab/<content>.safetensors`, an example each, named by what it was made from and how
it was encoded; and `<draw>.jsonl`, which lists the contents that a run's examples came to. Both
grow: a fill that was stopped goes on, and other runs find what they share.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset

from footagefit.errors import DiskFull, UsageError
from footagefit.models.diffusion import CACHED, DiffusionModel
from footagefit.records import Given, Pair
from footagefit.training.buckets import examples_of
from footagefit.training.examples import Examples, Source

if TYPE_CHECKING:
    from footagefit.tasks.base import Task
    from footagefit.training.fine_tune import FineTune
    from footagefit.training.run import Plan

VERSION = 2
_VECTOR = "vector"
_SAY_S = 15.0


class Kept(Dataset[Pair]):
    """A run's examples, over and over, from the cache; of their pictures only latents are left.

    Args:
        paths: A file for each.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)

    def __getitem__(self, index: int) -> Pair:
        held = load_file(self.paths[index % len(self.paths)])
        vector = held.pop(_VECTOR)
        none = torch.zeros(1, 3, 1, 1)
        one = torch.ones(1, 1, 1, 1)
        given = Given(none, none[:, :0], one, none[:, None][:, :0], vector, none[:, :0])
        return Pair(given, none, {CACHED + name: tensor for name, tensor in held.items()}, one)


def kept_for(plan: Plan, folder: Path, source: Source, task: Task, module: FineTune) -> Kept:
    """A run's examples from the cache of its work folder, encoded now where they are not there."""
    from footagefit.training.lightning import on_gpu

    if not isinstance(module.model, DiffusionModel):
        raise UsageError(
            f"model {plan.recipe.model.name} keeps no latents",
            hint="Say trainer.variants=0, or model=diffusion",
        )
    settings = plan.settings
    if on_gpu(settings):  # the base itself may be more than one device can hold
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        module.model.autoencoder.to(device)
    return filled(
        folder.parent.parent / "cache" / "latents",
        examples_of(source, plan.recipe, settings, task=task),
        module.model,
        variants=settings.variants,
        trust=settings.trust_cache,
        drawn={
            "task": plan.plain()["task"],
            "lineage": dict(plan.lineage),
            "seed": settings.seed,
            **({"group": settings.batch_size} if settings.buckets else {}),
        },
    )


def filled(
    folder: Path,
    examples: Examples,
    model: DiffusionModel,
    *,
    variants: int,
    trust: bool = False,
    drawn: Mapping[str, Any] | None = None,
) -> Kept:
    """Bring examples into the cache, those that are not there, and read them from it.

    Args:
        folder: The cache.
        examples: What the run would learn from; its first `variants` are kept.
        model: Encodes, on its device.
        variants: How many.
        trust: Take what is listed as it is, and make no example anew to compare.
        drawn: What the list of contents depends on beside the way of encoding.
    """
    how = model.encodes()
    key = _hash({"drawn": dict(drawn or {}), "variants": variants, "how": how})
    listing = folder / f"{key[:32]}.jsonl"
    known = _listed(listing) if trust else {}
    device = next(model.autoencoder.parameters()).device
    folder.mkdir(parents=True, exist_ok=True)
    paths, encoded, said = [], 0, time.monotonic()
    with listing.open("a" if trust else "w", encoding="utf-8") as lines:
        for index in range(variants):
            path = _place(folder, known.get(index, "none"))
            if not path.is_file():
                pair = examples[index]
                content = _content(pair, how)
                path = _place(folder, content)
                if not path.is_file():
                    _write(path, _encoded(model, pair, device))
                    encoded += 1
                lines.write(json.dumps({"index": index, "content": content}) + "\n")
            paths.append(path)
            if time.monotonic() - said > _SAY_S:
                said = time.monotonic()
                print(f"latents: {index + 1}/{variants}", file=sys.stderr, flush=True)
    print(f"latents: {variants} examples, {encoded} of them encoded now")
    return Kept(paths)


@torch.no_grad()
def _encoded(model: DiffusionModel, pair: Pair, device: torch.device) -> dict[str, Tensor]:
    there = Pair(
        Given(*(part.to(device) for part in pair.given)),
        pair.target.to(device), {}, pair.weight.to(device),
    )  # fmt: skip
    held = {n: t.cpu().contiguous().clone() for n, t in model.encode(there).items()}
    return {**held, _VECTOR: pair.given.vector.contiguous()}


def _content(pair: Pair, how: str) -> str:
    """What an example's latents are made from."""
    digest = hashlib.sha256(how.encode())
    for part in (*pair.given, pair.target, pair.weight):
        digest.update(str(tuple(part.shape)).encode())
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _place(folder: Path, content: str) -> Path:
    return folder / content[:2] / f"{content}.safetensors"


def _listed(path: Path) -> dict[int, str]:
    """Contents by index; a line that was cut short counts for nothing."""
    if not path.is_file():
        return {}
    found: dict[int, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[int(row["index"])] = str(row["content"])
    return found


def _write(path: Path, held: dict[str, Tensor]) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(held, part)
        os.replace(part, path)
    except OSError as error:
        raise DiskFull(
            f"a latent cannot be written ({error.strerror})",
            path=path.parent,
            hint="Make room, or say a smaller trainer.variants; what is there is kept",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _hash(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps({**value, "v": VERSION}, sort_keys=True).encode()).hexdigest()

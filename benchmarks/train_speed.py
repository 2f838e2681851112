"""What a training step costs, part by part, and what a look and its application cost a frame."""

from __future__ import annotations

import resource
import statistics
import time
from typing import Any

import torch
from rows import Row, medians

from footagefit.models.field import FieldModel
from footagefit.records import Given
from footagefit.rendering.fits import Recipe
from footagefit.tasks.draws import generator
from footagefit.training.examples import Batches, Examples, loader


def step_rows(source: Any, recipe: Recipe, *, quick: bool) -> list[Row]:
    """Waiting for data, forward, backward and the optimizer, as parts of a step."""
    steps, warm = (3, 1) if quick else (60, 20)
    task = recipe.build_task()
    model = recipe.build_model(task.spec)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    batches = Batches(steps=steps, batch_size=4 if quick else 8)
    parts: dict[str, list[float]] = {"data": [], "forward": [], "backward": [], "rest": []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    began = time.perf_counter()
    for index, batch in enumerate(
        loader(Examples(source, task, seed=1), batches, workers=0 if quick else 1)
    ):
        marks = [began, time.perf_counter()]
        loss = torch.stack(list(model.loss(batch, rng=generator(index)).values())).sum()
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        began = time.perf_counter()
        marks.append(began)
        if index >= warm:
            for name, one, other in zip(parts, marks, marks[1:], strict=False):
                parts[name].append(other - one)
    torch.set_num_threads(threads)
    costs = {f"{name} ms": 1e3 * statistics.fmean(values) for name, values in parts.items()}
    share = costs["data ms"] / sum(costs.values())
    return [Row("waiting for data, of a step", "part", share, costs, "<= 0.1", share <= 0.1)]


def apply_rows(*, quick: bool) -> list[Row]:
    """Look and apply on whole frames, beside copying them."""
    model = FieldModel(width=16, long_px=192, vector_size=16).eval()
    for layer in (model.net.local_head, model.net.global_head):
        torch.nn.init.normal_(layer.weight, std=0.02)
    rows = []
    sizes = {"HD": (1080, 1920, 0.12), "UHD": (2160, 3840, 0.4)}
    for name, (height, width, limit) in ({"small": (90, 160, 1.0)} if quick else sizes).items():
        given = _frame(height, width)
        with torch.no_grad():
            model.apply(model.look(model.small(given)), given)
            seconds = medians(
                {
                    "ours": lambda g=given: model.apply(model.look(model.small(g)), g),
                    "copy": lambda g=given: g.plate.clone(),
                },
                rounds=3 if quick else 9,
            )
        ours, copy = seconds["ours"], {"copy s": seconds["copy"]}
        rows.append(Row(f"look and apply, {name}", "s", ours, copy, f"<= {limit}", ours <= limit))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    rows.append(Row("peak of this process", "GB", peak, {}, "<= 2", peak <= 2))
    return rows


def _frame(height: int, width: int) -> Given:
    """A frame whose reference shows the same set, darker: all that a look can have to do."""
    rng = generator(height)
    panels = torch.rand(1, 3, 18, 32, generator=rng)
    plate = torch.nn.functional.interpolate(panels, (height, width), mode="nearest")
    grain = 0.02 * torch.randn(1, 3, height, width, generator=rng)
    reference = torch.nn.functional.interpolate(panels, (270, 480), mode="nearest")
    return Given(
        plate * (1.0 + grain),
        torch.zeros(1, 2, 18, 32),
        torch.ones(1, 1, height, width),
        0.5 * reference[None],
        torch.zeros(1, 16),
        torch.zeros(1, 0, height, width),
    )

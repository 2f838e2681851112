"""Judging a fit on shots: every method on the same frames, shot by shot, resumable.

What belongs here: the loop over shots, scores and pictures. What does not: finding shots and
printing (`commands/evaluate.py`), which methods (`ways.py`), which metrics (`measured.py`).

A report's folder::

    evaluation.json          the whole, see `results.py`
    shots/<shot>.json        one finished shot, and the key of what made it: a killed job goes on
    pictures/<shot>/*.png    plate, reference, target and every method, display-referred, 8 bit
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from footagefit.evaluation import measured, steadiness, ways
from footagefit.evaluation.examples import Drawn, examples_of, frames_of
from footagefit.evaluation.results import Example, Picture, ShotResult, Table, from_plain, write
from footagefit.evaluation.ways import Way
from footagefit.footage.view import View

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.dailies.data import Dailies
    from footagefit.dailies.entries import Shot
    from footagefit.tasks.base import Task


@dataclass(frozen=True)
class Asked:
    """What decides an evaluation's numbers.

    Attributes:
        frames: Consecutive frames judged of each shot.
        draws: Mismatches drawn for each shot.
        seed: Of the draws.
        unet_steps: Training steps of the per-shot U-Net; 0 leaves it out.
        long_side_px: Long side of the frames that examples are cut from.
        exposure_ev: Stops that pictures are shown at.
    """

    frames: int = 4
    draws: int = 2
    seed: int = 0
    unet_steps: int = 0
    long_side_px: int = 384
    exposure_ev: float = 0.0


@dataclass(frozen=True)
class _Finished:
    """A finished shot on disk."""

    key: str
    result: ShotResult


@dataclass
class Judge:
    """Judges shots one by one, keeping each.

    Args:
        dailies: The show's.
        task: As judged.
        methods: Ready to be set side by side, the fit's last.
        asked: Frames, draws, seed.
        folder: Of the report.
        identity: Hashes of fits and code: another identity judges anew.
        lpips: The metric, or None.
    """

    dailies: Dailies
    task: Task
    methods: Sequence[Way]
    asked: Asked
    folder: Path
    identity: Mapping[str, str]
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None
    kept: int = field(default=0, init=False)

    def shots(self, shots: Sequence[Shot]) -> Iterator[ShotResult]:
        """Each shot's result, in order."""
        for shot in shots:
            found = self._found(shot)
            self.kept += found is not None
            yield found or self._judged(shot)

    def _key(self, shot: Shot) -> str:
        said = {
            "asked": asdict(self.asked), "identity": dict(self.identity), "shot": asdict(shot),
            "methods": [w.method.name for w in self.methods],
            "view": asdict(self.dailies.view(shot)),
        }  # fmt: skip
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def _path(self, shot: Shot) -> Path:
        return self.folder / "shots" / f"{safe(shot.name)}.json"

    def _found(self, shot: Shot) -> ShotResult | None:
        try:
            raw = json.loads(self._path(shot).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if raw.get("key") != self._key(shot):
            return None
        result: ShotResult = from_plain(ShotResult, raw["result"])
        there = all((self.folder / p.path).is_file() for p in result.pictures)
        return result if there else None

    @torch.no_grad()
    def _judged(self, shot: Shot) -> ShotResult:
        reader = self.dailies.windows(shot.side).reader
        link = reader.link(shot)
        medium = reader.media[link.path]
        missing = [n - link.shift for n in medium.missing]
        keyframe, frames = frames_of(shot, self.asked.frames, missing=missing)
        examples: list[Example] = []
        runs: list[Table] = []
        worst: tuple[float, Drawn, dict[str, Tensor]] | None = None
        pictures: list[Picture] = []
        for draw in range(self.asked.draws):
            drawn, made = self._drawn(shot, draw, keyframe, frames)
            scored = [self._scored(d, made, i) for i, d in enumerate(drawn)]
            examples += scored
            runs.append(_runs(drawn, made))
            for index, (one, example) in enumerate(zip(drawn, scored, strict=True)):
                gain = example.metrics[ways.FIT]["psnr"] - example.metrics[ways.NOTHING]["psnr"]
                if worst is None or gain < worst[0]:
                    worst = (gain, one, {name: values[index] for name, values in made.items()})
            if draw == 0:
                middle = len(drawn) // 2
                shown = {name: values[middle] for name, values in made.items()}
                pictures += self._pictures(shot, drawn[middle], shown, "middle")
        if worst is not None:
            pictures += self._pictures(shot, worst[1], worst[2], "worst")
        result = ShotResult(
            shot=shot.name, scene=shot.scene, setup=shot.setup, take=shot.slate.take,
            clip=link.path, content=medium.content, frames=tuple(frames), keyframe=keyframe,
            metrics=_means([e.metrics for e in examples], runs), examples=tuple(examples),
            pictures=tuple(pictures),
        )  # fmt: skip
        write(_Finished(self._key(shot), result), self._path(shot))
        return result

    def _drawn(
        self, shot: Shot, draw: int, keyframe: int, frames: Sequence[int]
    ) -> tuple[list[Drawn], dict[str, list[Tensor]]]:
        """The judged frames under one mismatch, and what every method makes of them."""
        every = examples_of(
            self.dailies, shot, self.task, draw=draw, frames=[keyframe, *frames],
            seed=self.asked.seed,
        )  # fmt: skip
        key, drawn = every[0], every[1:]
        made = {}
        for way in self.methods:
            method = way.ready(key.pair)
            made[way.method.name] = [method(d.pair) for d in drawn]
        return drawn, made

    def _scored(self, drawn: Drawn, made: Mapping[str, Sequence[Tensor]], index: int) -> Example:
        table = {
            name: measured.of_frame(drawn.pair, values[index], lpips=self.lpips)
            for name, values in made.items()
        }
        return Example(drawn.draw, drawn.frame, drawn.reference, table)

    def _pictures(
        self, shot: Shot, drawn: Drawn, made: Mapping[str, Tensor], why: str
    ) -> list[Picture]:
        pair = drawn.pair
        view = self.dailies.view(shot)
        panes = {"plate": pair.given.plate[0], "target": pair.target[0]}
        if pair.given.reference.shape[1]:
            panes["reference"] = pair.given.reference[0, 0]
        panes |= {name: value[0] for name, value in made.items() if name != ways.NOTHING}
        found = []
        for name, light in panes.items():
            tail = f"{why}_{drawn.frame}_d{drawn.draw}_{safe(name)}.png"
            path = Path("pictures") / safe(shot.name) / tail
            save_picture(light, self.folder / path, view=view)
            found.append(Picture(name, drawn.frame, drawn.draw, why, path.as_posix()))
        return found


def save_picture(light_CHW: Tensor, path: Path, *, view: View) -> None:
    """An 8-bit display picture of scene-linear light, whole or not at all."""
    import os

    from PIL import Image

    from footagefit.footage.colour import preview

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.ascontiguousarray(light_CHW.permute(1, 2, 0).float().numpy())
    part = path.with_suffix(".part")
    Image.fromarray(preview(pixels, view)).save(part, format="PNG")
    os.replace(part, path)


def safe(name: str) -> str:
    """A name as a file may have it; names that differ stay apart."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    tail = "" if plain == name else "_" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return plain + tail


def _runs(drawn: Sequence[Drawn], made: Mapping[str, Sequence[Tensor]]) -> Table:
    """Metrics of consecutive frames; nothing where there is but one."""
    if len(drawn) < 2:
        return {}
    source = [steadiness.luminance(d.pair.given.plate[0].numpy()) for d in drawn]
    flows = steadiness.flows_of(source)
    return {n: measured.of_run(v, [d.pair for d in drawn], flows) for n, v in made.items()}


def _means(examples: Sequence[Table], runs: Sequence[Table]) -> Table:
    table: dict[str, dict[str, list[float]]] = {}
    for one in (*examples, *runs):
        for method, row in one.items():
            for metric, value in row.items():
                table.setdefault(method, {}).setdefault(metric, []).append(value)
    return {m: {k: float(np.mean(v)) for k, v in row.items()} for m, row in table.items()}


def curves_of(run: Path, *, most: int = 400) -> dict[str, list[tuple[float, float]]]:
    """A run's recorded numbers by name, as (step, value), thinned; nothing where it is gone."""
    curves: dict[str, list[tuple[float, float]]] = {}
    path = run / "record.jsonl"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in map(json.loads, text.splitlines()):
        for name, value in line.items():
            if name not in ("step", "s") and isinstance(value, int | float):
                curves.setdefault(name, []).append((float(line["step"]), float(value)))
    return {n: v[:: max(1, -(-len(v) // most))] for n, v in curves.items()}


def fit_record(fit: Any, folder: Path, run: Path | None) -> Any:
    """What the report says of a fit."""
    import os

    from footagefit.evaluation.results import FitRecord

    where = os.path.relpath(fit.path.resolve(), folder.resolve())
    curves = {} if run is None else curves_of(run)
    card = {k: v for k, v in fit.card.items() if k != "evaluation"}  # of an earlier judgement
    return FitRecord(fit.path.resolve().name, where, fit.hash, card, curves)

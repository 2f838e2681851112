"""What happens around a step: budget, reviews, checkpoints, and a clean end.

What belongs here: Lightning callbacks. What does not: the step (`fine_tune.py`), the folder of a
run and how it goes on (`run.py`).
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from safetensors.torch import load_file, save_file
from torch.func import functional_call

from footagefit.errors import DiskFull
from footagefit.evaluation.metrics import psnr, psnr_log
from footagefit.footage.view import View
from footagefit.records import Given, Pair
from footagefit.tasks.base import INSIDE
from footagefit.training.fine_tune import FineTune
from footagefit.training.memory import parted, shares, wearing, whole
from footagefit.training.record import Tracker, strip

Weights = dict[str, torch.Tensor]
Predict = Callable[[Given], torch.Tensor]
_TIMED = (10, 40)  # steps that a budget in minutes is timed over


class Budget(Callback):
    """Turns minutes into steps, once, and says how long it still takes.

    Args:
        path: Where the number of steps is kept, so that a resumed run keeps to it.
        minutes: None where steps were given.
        begun: When the run began, by `time.monotonic`; data and reviews count too.
    """

    def __init__(self, path: Path, *, minutes: float | None, begun: float) -> None:
        self.path, self.minutes, self.begun = path, minutes, begun
        self._clock = self._said = begun
        self._first = 0
        self._open = minutes is not None and not path.exists()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._clock = self._said = time.monotonic()
        self._first = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Time, freeze, report."""
        now, done = time.monotonic(), trainer.global_step - self._first
        if self._open and done == _TIMED[0]:
            self._clock = now
        if self._open and done == _TIMED[1]:
            self._freeze(trainer, pl_module, now)
        if now - self._said >= 15.0 and trainer.is_global_zero and done:
            self._said = now
            self._report(trainer, now, done)

    def _freeze(self, trainer: pl.Trainer, module: pl.LightningModule, now: float) -> None:
        each_s = (now - self._clock) / (_TIMED[1] - _TIMED[0])
        left_s = (self.minutes or 0.0) * 60.0 - (now - self.begun)
        steps = trainer.global_step + max(1, int(0.95 * left_s / each_s))
        steps = int(trainer.strategy.broadcast(steps))
        set_length(trainer, module, steps)
        self._open = False
        if trainer.is_global_zero:
            self.path.write_text(json.dumps({"steps": steps, "step_s": each_s}), encoding="utf-8")
            print(f"train: {self.minutes:g} minutes are {steps} steps of {each_s:.3f} s")

    def _report(self, trainer: pl.Trainer, now: float, done: int) -> None:
        loss = float(trainer.callback_metrics.get("train/loss", math.nan))
        total = trainer.max_steps
        left_s = (total - trainer.global_step) * (now - self._clock) / max(1, done)
        far, eta = f"{trainer.global_step}/{total} steps", f", ETA {left_s:.0f} s"
        if self._open:  # until it is timed nobody knows how many steps there are
            gone = (now - self.begun) / 60.0
            far, eta = f"step {trainer.global_step}, {gone:.1f} of {self.minutes:g} minutes", ""
        say(f"train: {far}, loss {loss:.4f}{eta}")


def say(line: str) -> None:
    """Tell what is being done, at once, beside what a command prints as its result."""
    print(line, file=sys.stderr, flush=True)


def set_length(trainer: pl.Trainer, module: pl.LightningModule, steps: int) -> None:
    """Let a run end at a step, schedule and all."""
    trainer.fit_loop.epoch_loop.max_steps = steps
    if isinstance(module, FineTune):
        module.total_steps = steps


class Review(Callback):
    """Looks at held-out frames at step 0 and every so often, with the averaged weights.

    Args:
        pairs: Held-out examples with fixed draws.
        shots: Review shots by name: what a supervisor compares checkpoints on.
        trackers: Where numbers and pictures go.
        every: Steps between looks; 0 looks at the ends only.
        patience: Looks without a gain after which the run ends; 0 never.
        best: Where the best weights are kept.
        views: How their pictures are shown, by shot.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        shots: dict[str, Pair],
        trackers: Sequence[Tracker],
        *,
        every: int,
        patience: int,
        best: Path,
        views: Mapping[str, View] | None = None,
    ) -> None:
        self.views = dict(views or {})
        self.pairs, self.shots, self.trackers = list(pairs), shots, list(trackers)
        self.every, self.patience, self.best_path = every, patience, best
        self.best, self.best_step, self.stale = -math.inf, -1, 0
        self.kept: dict[str, float] = {}  # numbers of the weights that are kept
        self.known: dict[int, torch.Tensor] = {}  # what parted best weights made, by pairs' ids
        self._looked = -1
        self.stopped: Callable[[], bool] = lambda: False  # whether the run ends before its time

    def state_dict(self) -> dict[str, Any]:
        """Kept in checkpoints."""
        return {
            "best": self.best,
            "best_step": self.best_step,
            "stale": self.stale,
            "kept": dict(self.kept),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Back from a checkpoint."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self.stale, self.kept = state_dict["stale"], dict(state_dict.get("kept", {}))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the first step."""
        if trainer.global_step == 0:
            self.look(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Now and then."""
        step = trainer.global_step
        for tracker in self.trackers if trainer.is_global_zero and step % 10 == 0 else ():
            values = {n: float(v) for n, v in trainer.callback_metrics.items()}
            if step != self._looked:
                tracker.numbers(step, {k: v for k, v in values.items() if k.startswith("train/")})
        if self.every and step % self.every == 0 and step != self._looked:
            self.look(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """After the last step; of parted weights, what the best made is kept to be judged.

        Of a run that was told to stop there is nothing to judge: it is looked at when it goes on.
        """
        if self.stopped():
            return
        if trainer.global_step != self._looked:
            self.look(trainer, pl_module)
        if isinstance(pl_module, FineTune) and self.pairs and parted(pl_module.model):
            trainer.strategy.barrier()  # the first rank has written them
            best = shares(load_file(self.best_path), pl_module.model)
            with predicting(pl_module, best) as predict:
                self.known = {id(pair): predict(pair.given) for pair in self.pairs}

    def look(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge, show, keep the best."""
        self._looked = trainer.global_step
        if not isinstance(pl_module, FineTune) or not self.pairs:
            return
        weights = average_of(pl_module)
        if trainer.is_global_zero:
            say(f"review: looking at {len(self.pairs)} held-out frames at step {self._looked}")
        if trainer.is_global_zero or parted(pl_module.model):
            with predicting(pl_module, weights) as predict:
                values, strips = self._judged(predict), self._strips(predict)
            shipped = whole(weights)
            if trainer.is_global_zero:
                self._show(trainer.global_step, values, strips)
                self._keep_best(trainer.global_step, shipped, values, about=pl_module.model.about())
        stale = bool(self.patience) and self.stale >= self.patience
        if trainer.strategy.reduce_boolean_decision(stale, all=False):
            trainer.should_stop = True

    def _show(self, step: int, values: dict[str, float], strips: dict[str, Any]) -> None:
        for tracker in self.trackers:
            tracker.numbers(step, values)
            for name, picture in strips.items():
                tracker.picture(step, name, picture)
        print(
            f"review: step {step}, {values['val/psnr']:.2f} dB "
            f"(plates {values['val/psnr_plate']:.2f} dB), log {values['val/psnr_log']:.2f} dB",
            flush=True,
        )

    def _strips(self, predict: Predict) -> dict[str, Any]:
        return {
            name: strip(
                pair.given.plate[0], predict(pair.given)[0], pair.target[0], _first(pair),
                view=self.views.get(name),
            )
            for name, pair in self.shots.items()
        }  # fmt: skip

    def _judged(self, predict: Predict) -> dict[str, float]:
        rows = []
        for pair in self.pairs:
            made, inside = predict(pair.given), pair.truth.get(INSIDE)
            rows.append(
                (
                    float(psnr(made, pair.target, mask=inside)),
                    float(psnr_log(made, pair.target, mask=inside)),
                    float(psnr(pair.given.plate, pair.target, mask=inside)),
                )
            )
        shown, log, before = (sum(column) / len(rows) for column in zip(*rows, strict=True))
        worst = min(row[0] - row[2] for row in rows)
        names = ("val/psnr", "val/psnr_log", "val/psnr_plate", "val/worst_gain")
        return dict(zip(names, (shown, log, before, worst), strict=True))

    def _keep_best(
        self, step: int, weights: Weights, values: dict[str, float], *, about: dict[str, str]
    ) -> None:
        value = values["val/psnr"]
        if value <= self.best:
            self.stale += 1
            if self.patience and self.stale >= self.patience:
                print(f"train: no gain in {self.stale} reviews, stopping early")
            return
        self.best, self.best_step, self.stale = value, step, 0
        self.kept = {**values, "val/step": float(self.best_step)}
        part = self.best_path.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        held = {n: w.detach().cpu().contiguous().clone() for n, w in weights.items()}
        save_file(held, part, metadata=about or None)
        os.replace(part, self.best_path)


class Checkpoints(Callback):
    """Saves the run, whole, so that it goes on from there to the bit; ends cleanly when told to.

    Args:
        folder: Where `last.ckpt` lies.
        every: Steps between saves.
    """

    def __init__(self, folder: Path, *, every: int) -> None:
        self.folder, self.every = folder, every
        self.told = False
        self.stopping = False  # told, and all ranks agree
        self._before: dict[int, Any] = {}

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.folder / "last.ckpt"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for SIGTERM and Ctrl-C, where this is the main thread."""
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._hear)
        except ValueError:
            self._before = {}

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save now and then, and before an end that was asked for."""
        told = bool(trainer.strategy.reduce_boolean_decision(self.told, all=False))
        if told or (self.every and trainer.global_step % self.every == 0):
            self.save(trainer)
        if told:
            self.stopping = True
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end, unless told to stop: then what was saved is to be gone on from."""
        if not self.told:
            self.save(trainer)
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Hand signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def save(self, trainer: pl.Trainer) -> None:
        """Write `last.ckpt`: whole, or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / "last.part"
        try:
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                os.replace(part, self.last)
        except (OSError, RuntimeError) as error:
            full = getattr(error, "errno", None) == errno.ENOSPC or "No space" in str(error)
            if not full and "write" not in str(error):
                raise
            part.unlink(missing_ok=True)
            raise DiskFull(
                f"no space for the checkpoint of step {trainer.global_step}",
                path=self.last,
                hint="Make room, then resume; the checkpoint before is whole",
            ) from error

    def _hear(self, number: int, frame: Any) -> None:
        if not self.told:  # past Python's buffers: what a signal interrupts may be writing to them
            os.write(2, b"\ntrain: told to stop; saving after this step or look, then it ends\n")
        self.told = True


def average_of(module: FineTune) -> Weights:
    """The weights that are judged and shipped, the average where one is kept; parted as those."""
    if module.ema.decay > 0 and module.ema.steps:
        return module.ema.weights()
    return dict(module.model.state_dict())


@contextmanager
@torch.no_grad()
def predicting(module: FineTune, weights: Weights) -> Iterator[Predict]:
    """Predictions by some weights of the module's model, on its device; all ranks, where parted.

    Args:
        module: Goes on from its own weights afterwards.
        weights: As parted as its own.
    """
    model, was = module.model, module.model.training
    together = parted(model)

    @torch.no_grad()
    def predict(given: Given) -> torch.Tensor:
        given = Given(*(part.to(module.device) for part in given))
        with torch.compiler.set_stance("force_eager"):  # other weights and sizes than a step's
            if together:
                return model.predict(given).cpu()
            return functional_call(_Predict(model), _prefixed(weights), (given,)).cpu()

    model.eval()
    try:
        with wearing(model, weights) if together else nullcontext():
            yield predict
    finally:
        model.train(was)


class _Predict(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, given: Given) -> torch.Tensor:
        return self.model.predict(given)


def _prefixed(weights: Weights) -> Weights:
    return {f"model.{name}": weight for name, weight in weights.items()}


def _first(pair: Pair) -> torch.Tensor | None:
    return pair.given.reference[0, 0] if pair.given.reference.shape[1] else None

"""The only LightningModule: a model, a task and an optimizer, whatever they are.

What belongs here: one step, its schedule, the average of the weights, and the guard against NaN.
What does not: which frames (`examples.py`), what a person sees of it (`callbacks.py`,
`record.py`), where a run lies and how it goes on (`run.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from footagefit.errors import FootagefitError
from footagefit.models.base import Model
from footagefit.records import Pair
from footagefit.tasks.draws import generator
from footagefit.training.memory import own, part
from footagefit.training.orthogonal import Orthogonal, parted


class BrokenRun(FootagefitError):
    """A run that cannot go on: numbers are no longer numbers."""


class FineTune(pl.LightningModule):
    """Fine-tune a model on a task.

    Args:
        model: What learns.
        seed: Every draw is a function of it and the step.
        total_steps: Length of the schedule.
        rate: Peak learning rate.
        warmup_steps: Steps to get there.
        weight_decay: Of AdamW, on matrices only.
        ema_decay: Of the average that is validated and shipped; 0 keeps none.
        keep_batch: Where the batch goes that a run broke on.
        compile_model: Fuse the nets with torch.compile; draws and slicing stay as they are.
        bf16: Work the loss out in half precision; weights stay whole.
        eight_bit: Keep AdamW's own numbers in 8 bits.
        fused: Let AdamW step in one pass over all weights; not beside a scaled loss (16 bit).
        orthogonal: Kernels step by momentum made orthogonal: for bases taught from nothing.
    """

    def __init__(
        self,
        model: Model,
        *,
        seed: int,
        total_steps: int,
        rate: float = 1e-3,
        warmup_steps: int = 50,
        weight_decay: float = 1e-4,
        ema_decay: float = 0.998,
        keep_batch: Path | None = None,
        compile_model: bool = False,
        bf16: bool = False,
        eight_bit: bool = False,
        fused: bool = True,
        orthogonal: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.seed = seed
        self.total_steps = total_steps
        self.rate = rate
        self.warmup_steps = warmup_steps
        self.weight_decay = weight_decay
        self.ema = Average(model, decay=ema_decay)
        self.keep_batch = keep_batch
        self.bf16 = bf16
        self.eight_bit, self.fused, self.orthogonal = eight_bit, fused, orthogonal
        self._parted = False
        for net in model.children() if compile_model else ():
            if any(True for _ in net.parameters()):
                net.compile()

    def configure_model(self) -> None:
        """Under FSDP each device keeps its share of the weights and of their average."""
        from pytorch_lightning.strategies import ModelParallelStrategy

        if self._parted or not isinstance(self.trainer.strategy, ModelParallelStrategy):
            return
        part(self.model, self.trainer.strategy.device_mesh["data_parallel"])
        self.ema = Average(self.model, decay=self.ema.decay)
        self.strict_loading = False  # what is parted is looked up one by one, frozen bases too
        self._parted = True

    def training_step(self, batch: Pair, index: int) -> Tensor:
        """The model's terms, added up."""
        step = index // self.trainer.accumulate_grad_batches
        rng = generator(self.seed, step, 1)  # not of the rank: ranks share one batch
        terms = self.terms(batch, rng=rng)
        total = torch.stack([term.float() for term in terms.values()]).sum()
        if not bool(torch.isfinite(total)):
            self._stop_on(batch, "the loss is not a number")
        logged = {f"train/{name}": value.detach() for name, value in terms.items()}
        logged["train/loss"] = total.detach()
        self.log_dict(logged, batch_size=len(batch.target), sync_dist=True)
        return total

    def terms(self, batch: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """The model's loss as training takes it: fused, in half precision, as was asked."""
        half = torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()
        with half:
            return self.model.loss(batch, rng=rng)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before a gradient that is no number reaches the weights."""
        for name, weight in self.model.named_parameters():
            if weight.grad is not None and not bool(torch.isfinite(own(weight.grad)).all()):
                self._stop_on(None, f"the gradient of {name} is not a number")

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step, and let the average follow before anything can be saved."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.ema.follow(self.model)

    def configure_optimizers(self) -> Any:
        """AdamW, or its orthogonal kin; warm-up, then a cosine to a fiftieth."""
        optimizer = self._optimizer()
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate_at)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _optimizer(self) -> Any:
        if self.orthogonal:
            return Orthogonal(parted(self.model, weight_decay=self.weight_decay), self.rate)
        matrices = [p for p in self.model.parameters() if p.ndim >= 2 and p.requires_grad]
        others = [p for p in self.model.parameters() if p.ndim < 2 and p.requires_grad]
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return self._adam()(groups, lr=self.rate, betas=(0.9, 0.98))

    def _adam(self) -> Any:
        if not self.eight_bit:
            return partial(torch.optim.AdamW, fused=self.fused)
        from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]

        return AdamW8bit

    def rate_at(self, step: int) -> float:
        """Part of the peak learning rate at a step."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        left = max(1, self.total_steps - self.warmup_steps)
        done = min(1.0, (step - self.warmup_steps) / left)
        return 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done))

    def _stop_on(self, batch: Pair | None, what: str) -> None:
        """Save the batch beside the run and end in one line."""
        path = None
        if batch is not None and self.keep_batch is not None:
            path = self.keep_batch / f"broken_batch_{self.global_step:06d}_{self.global_rank}.pt"
            path.parent.mkdir(parents=True, exist_ok=True)
            parts = {**batch.given._asdict(), "target": batch.target, "weight": batch.weight}
            torch.save({name: value.cpu() for name, value in parts.items()}, path)
        raise BrokenRun(
            f"step {self.global_step}: {what}",
            path=path,
            hint="Look at the saved batch; resume goes on from the last checkpoint, "
            "a lower trainer.rate often mends it",
        )


class Average(torch.nn.Module):
    """The running average of a model's weights, kept as buffers so that checkpoints hold it.

    The decay grows with the steps, (1 + n) / (10 + n) at most, so that short runs average too.

    Args:
        model: Whose weights.
        decay: In the long run.
    """

    def __init__(self, model: Model, *, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self._names = list(model.state_dict())
        for index, value in enumerate(model.state_dict().values()):
            self.register_buffer(f"average_{index}", value.detach().clone())

    @property
    def steps(self) -> int:
        """Steps followed so far."""
        return int(self.get_buffer("count"))

    @torch.no_grad()
    def follow(self, model: Model) -> None:
        """Move towards the model's weights."""
        self.get_buffer("count").add_(1)
        steps = self.steps
        decay = min(self.decay, (1.0 + steps) / (10.0 + steps))
        for index, value in enumerate(model.state_dict().values()):
            average = self.get_buffer(f"average_{index}")
            if average.is_floating_point():
                average.lerp_(value, 1.0 - decay)
            else:
                average.copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """The average as a state of the model."""
        return {name: self.get_buffer(f"average_{i}") for i, name in enumerate(self._names)}

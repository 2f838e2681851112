"""Lightning as we want it: one trainer, no logger, no words of its own.

What belongs here: making the trainer from settings, and hushing libraries. What does not: what
happens around a step (`callbacks.py`), the run (`run.py`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from footagefit.training.settings import Settings


def trainer_of(settings: Settings, steps: int, callbacks: Sequence[Any]) -> Any:
    """The trainer of a run; it neither logs nor saves: our callbacks do."""
    import pytorch_lightning as pl

    strategy: Any = settings.strategy
    if settings.devices > 1 and strategy in ("auto", "ddp"):
        from pytorch_lightning.strategies import DDPStrategy

        gpu = settings.accelerator == "gpu"
        strategy = DDPStrategy(process_group_backend="nccl" if gpu else "gloo")
    return pl.Trainer(
        accelerator=settings.accelerator if settings.accelerator != "auto" else "auto",
        devices=settings.devices,
        strategy=strategy,
        precision=_precision(settings),
        max_steps=steps,
        max_epochs=1,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        log_every_n_steps=10,
    )


def _precision(settings: Settings) -> Any:
    import torch

    if settings.precision == "auto":
        there = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        return "bf16-mixed" if there and settings.accelerator != "cpu" else "32-true"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[settings.precision]


def quiet() -> None:
    """Hush what Lightning says about itself; our own warnings stay."""
    import logging

    import pytorch_lightning  # noqa: F401  (sets its loggers' levels when imported)

    for module in ("pytorch_lightning", "lightning_fabric", "torch"):
        warnings.filterwarnings("ignore", module=module)
    for text in (".*does not have many workers.*", ".*LeafSpec.*", ".*treespec.*"):
        warnings.filterwarnings("ignore", message=text)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)

"""Lightning as we want it: one trainer, no logger, no words of its own.

What belongs here: making the trainer from settings, and hushing libraries. What does not: what
happens around a step (`callbacks.py`), the run (`run.py`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from footagefit.errors import MissingPart, UsageError
from footagefit.training.settings import Precision, Settings

_EIGHT_BITS_FROM = 4096  # numbers that a weight has at least for bitsandbytes to keep 8 bits each


def trainer_of(settings: Settings, steps: int, callbacks: Sequence[Any]) -> Any:
    """The trainer of a run; it neither logs nor saves: our callbacks do."""
    import pytorch_lightning as pl

    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=_strategy(settings),
        precision="16-mixed" if settings.precision == "16" else "32-true",  # bf16 is the step's own
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


def precision_of(settings: Settings) -> Precision:
    """32, bf16 or 16: `auto` is bf16 on GPUs that have it."""
    import torch

    if settings.precision != "auto":
        return settings.precision
    there = on_gpu(settings) and torch.cuda.is_bf16_supported()
    return "bf16" if there else "32"


def check_machine(settings: Settings) -> None:
    """Refuse, before anything is begun, what this machine cannot do."""
    import torch

    if settings.accelerator == "gpu" and not torch.cuda.is_available():
        raise MissingPart("no GPU is there", hint="Say trainer.accelerator=cpu, or auto")
    if settings.eight_bit:
        _check_eight_bits(settings)
    if settings.precision == "16" and not on_gpu(settings):
        raise UsageError("trainer.precision=16 needs a GPU", hint="Say trainer.precision=bf16")


def _check_eight_bits(settings: Settings) -> None:
    """Whether bitsandbytes is there, and takes a step on the CPU where that is what is used."""
    import torch

    hint = "Say trainer.eight_bit=false, or pip install bitsandbytes"
    if not find_spec("bitsandbytes"):
        raise MissingPart("trainer.eight_bit needs bitsandbytes", hint=hint)
    if on_gpu(settings):
        return
    try:
        from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]

        weight = torch.nn.Parameter(torch.zeros(_EIGHT_BITS_FROM))
        weight.grad = torch.ones_like(weight)
        AdamW8bit([weight], lr=1e-3).step()
    # Older ones have no kernels for a CPU, and say so in many ways.
    except (
        ImportError,
        OSError,
        RuntimeError,
        AttributeError,
        ValueError,
        AssertionError,
    ) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"bitsandbytes does not work on this CPU ({line})"
        raise MissingPart(what, hint=hint) from error


def on_gpu(settings: Settings) -> bool:
    """Whether a run uses a GPU."""
    import torch

    return settings.accelerator != "cpu" and torch.cuda.is_available()


def set_threads(settings: Settings) -> None:
    """CPU threads of torch: as many as are asked for, else the cores that loaders leave free.

    A thread that must wait for a core that a loader has makes all others wait with it.
    """
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    elif not on_gpu(settings):
        torch.set_num_threads(max(1, threads_at_first() - settings.workers))


@lru_cache(maxsize=1)
def threads_at_first() -> int:
    """Threads that torch began with: runs of a sweep share a process."""
    import torch

    return torch.get_num_threads()


def _strategy(settings: Settings) -> Any:
    from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy

    if settings.ranks == 1:
        return "auto"
    backend = "nccl" if on_gpu(settings) else "gloo"
    if settings.strategy != "fsdp":
        return DDPStrategy(process_group_backend=backend)
    return ModelParallelStrategy(
        data_parallel_size=settings.ranks,
        tensor_parallel_size=1,
        save_distributed_checkpoint=False,
        process_group_backend=backend,
    )


def quiet() -> None:
    """Hush what Lightning says about itself; our own warnings stay."""
    import logging

    import_module("pytorch_lightning")  # sets its loggers' levels when imported
    for module in ("pytorch_lightning", "lightning_fabric", "torch"):
        warnings.filterwarnings("ignore", module=module)
    for text in (".*does not have many workers.*", ".*LeafSpec.*", ".*treespec.*"):
        warnings.filterwarnings("ignore", message=text)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)

"""Whether a run fits into memory, told before it begins.

What belongs here: one step and one look, taken and forgotten. What does not: measuring what they
took (`dry_step.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from footagefit.errors import MissingPart
from footagefit.records import Pair
from footagefit.tasks.base import collated
from footagefit.tasks.draws import generator
from footagefit.training.callbacks import predicting
from footagefit.training.fine_tune import FineTune
from footagefit.training.memory import own, parted
from footagefit.training.settings import Settings


class Preflight(Callback):
    """The same where weights are parted, which is as a run begins; all ranks take part.

    Args:
        pairs: Examples, of which the largest is taken.
        settings: The run's.
    """

    def __init__(self, pairs: Sequence[Pair], settings: Settings) -> None:
        self.pairs, self.settings = pairs, settings

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the first look and the first step."""
        if isinstance(pl_module, FineTune) and parted(pl_module.model):
            preflight(pl_module, self.pairs, self.settings, device=pl_module.device)


def preflight(
    module: FineTune, pairs: Sequence[Pair], settings: Settings, *, device: torch.device
) -> None:
    """A step's memory, and a look's, before anything is begun; weights stay as they are.

    Of the largest picture: forward, backward, what the optimizer will keep, and one prediction.
    """
    if not pairs:
        return
    size = settings.batch_size // (settings.accumulate * settings.ranks)
    largest = max(pairs, key=lambda pair: pair.target[0].numel())
    batch = collated([largest] * size)
    try:
        module.to(device)
        batch = module.transfer_batch_to_device(batch, device, 0)
        terms = module.terms(batch, rng=generator(0))
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        learnt = [w for w in module.model.parameters() if w.requires_grad]
        bytes_each = 2 if settings.eight_bit else 8
        held = [torch.empty(own(w).numel() * bytes_each, dtype=torch.uint8, device=device)
                for w in learnt]  # fmt: skip
        with predicting(module, dict(module.model.state_dict())) as predict:
            predict(largest.given)
        del held
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise MissingPart(
            f"a step of {settings.batch_size} pictures does not fit into memory",
            hint=f"Say trainer.recompute=true, or trainer.accumulate={settings.accumulate * 2}",
        ) from error
    except _compiler_errors(settings) as error:
        raise MissingPart(
            f"torch.compile does not work here ({str(error).strip().splitlines()[0]})",
            hint="Say trainer.compile_model=false, or install a C++ compiler",
        ) from error
    module.zero_grad(set_to_none=True)


def _compiler_errors(settings: Settings) -> tuple[type[Exception], ...]:
    """What torch.compile raises, where it is asked for."""
    if not settings.compile_model:
        return ()
    from torch._dynamo.exc import TorchDynamoException

    return (TorchDynamoException,)

"""What a fit of a diffusion model holds: what was learnt, and which base it belongs to.

What belongs here: hooks on a model's state, so that averages, checkpoints and fits are small and
sure of their base without knowing why. What does not: what learns (`diffusion_families.py`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from footagefit.errors import WrongValue
from footagefit.models.diffusion_bases import Found
from footagefit.models.diffusion_places import BASES

_BELONGS = "belongs_to"  # the base's hash, a buffer


def hold_learnt_only(model: nn.Module, found: Found) -> None:
    """Leave frozen weights out of a model's state, and refuse states of another base."""
    belongs = torch.tensor(list(bytes.fromhex(found.hash)), dtype=torch.uint8)
    model.register_buffer(_BELONGS, belongs)
    learnt = {name for name, weight in model.named_parameters() if weight.requires_grad}
    frozen = tuple(n for n in model.state_dict() if n not in learnt and n != _BELONGS)
    model.register_state_dict_post_hook(partial(_without_base, frozen=frozen))
    model.register_load_state_dict_pre_hook(partial(_same_base, found=found))
    model.register_load_state_dict_post_hook(partial(_not_missing, frozen=frozen))


def _without_base(
    model: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any, frozen: tuple[str, ...]
) -> None:
    for name in frozen:
        state.pop(prefix + name, None)


def _same_base(
    model: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any, found: Found
) -> None:
    """Before anything is taken from it."""
    theirs = state.get(prefix + _BELONGS)
    if theirs is None:
        return
    was = bytes(theirs.cpu().tolist()).hex()
    if was != found.hash:
        raise WrongValue(
            f"it was learnt on another base ({was[:12]}) than {found.folder} ({found.hash[:12]})",
            hint=f"Put the base it names into {BASES}",
        )


def _not_missing(model: nn.Module, keys: Any, *, frozen: tuple[str, ...]) -> None:
    """The base is there already."""
    keys.missing_keys[:] = [k for k in keys.missing_keys if not k.endswith(frozen)]

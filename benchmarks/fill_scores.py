"""How good a filled hole is: nearness, sharpness, seam, steadiness, grain, all inside the hole.

Not a benchmark by itself; see `fill.py`. Nearness is judged before grain where a grain-free truth
is known, else against the plate, grain and all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from fill_ways import Made
from torch import Tensor

from footagefit.errors import MissingPart
from footagefit.evaluation import metrics, steadiness
from footagefit.evaluation.artefacts import seam_step
from footagefit.evaluation.perceptual import Lpips

_ALIKE_EV = 0.06  # how near the light of what was made must be for its grain to be told
_DETAIL, _CHI_MEDIAN = 0.1, 0.4549  # of the grain's variance; of a squared normal variable
_LEAST_PX = 64  # side of what LPIPS is shown


def lpips_or_none() -> Lpips | None:
    """The metric, where a real backbone is at hand."""
    try:
        return Lpips()
    except MissingPart as error:
        print(f"LPIPS is left out: {error}")
        return None


def near(made: Tensor, truth: Tensor, mask: Tensor, lpips: Lpips | None) -> dict[str, float]:
    """PSNR and SSIM in the hole, LPIPS of what is round it, the seam."""
    one, other, hole = made[None], truth[None], (mask > 0.5).float()[None]
    scores = {
        "psnr": float(metrics.psnr(one, other, mask=hole)),
        "ssim": float(metrics.ssim(one, other, mask=hole)),
    }
    if not bool((hole > 0.5).all()):
        scores["seam"] = float(seam_step(one, other, mask=hole))
    if lpips is not None:
        rows, columns = box_of(mask)
        inside = torch.where(hole > 0.5, one, other)[..., rows, columns]
        scores["lpips"] = float(lpips(inside, other[..., rows, columns]))
    return scores


def box_of(mask: Tensor) -> tuple[slice, slice]:
    """The hole's rows and columns, as large as a network wants to see."""
    made = []
    for axis, length in ((2, mask.shape[1]), (1, mask.shape[2])):
        there = (mask[0] > 0.5).any(axis - 1).nonzero().flatten()
        low, high = int(there.min()), int(there.max()) + 1
        more = max(8, (_LEAST_PX - (high - low) + 1) // 2)
        low = max(0, min(low - more, length - _LEAST_PX))
        made.append(slice(low, min(length, max(high + more, low + _LEAST_PX))))
    return made[0], made[1]


def sharpness(made: Tensor, truth: Tensor, mask: Tensor) -> float:
    """Gradient energy in the hole over the truth's own there: 1 is as sharp."""
    weight = _inner(mask)
    energy = [_gradients(p) for p in (made, truth)]
    own = float((energy[1] * weight).sum())
    return float((energy[0] * weight).sum()) / max(own, 1e-9)


def _gradients(picture: Tensor) -> Tensor:
    """Gradient of stops at a pixel (H,W), after a little blur that takes single pixels' noise."""
    soft = torch.nn.functional.avg_pool2d(
        _stops(picture)[None, None], 3, 1, 1, count_include_pad=False
    )[0, 0]
    across = torch.zeros_like(soft)
    across[:, 1:] = (soft[:, 1:] - soft[:, :-1]).abs()
    across[1:] += (soft[1:] - soft[:-1]).abs()
    return across


def _inner(mask: Tensor) -> Tensor:
    """The hole without its rim (H,W)."""
    hole = (mask > 0.5).float()
    inner = 1.0 - torch.nn.functional.max_pool2d(1.0 - hole[None], 5, 1, 2)[0]
    return inner[0] if bool(inner.any()) else hole[0]


def steady(made: Sequence[Tensor], truth: Sequence[Tensor], masks: Sequence[Tensor]) -> float:
    """Warping error in the hole over the truth's own there, along the truth's motion."""
    ours, own = ([steadiness.luminance(p.numpy()) for p in frames] for frames in (made, truth))
    flows = steadiness.flows_of(own)
    errors = []
    for frames in (ours, own):
        total = []
        for at, (back, forward) in enumerate(flows):
            here = (masks[at + 1][0] > 0.5).numpy()
            seen = steadiness.visible(back, forward) & here
            if seen.any():
                off = frames[at + 1] - steadiness.warped(frames[at], back)
                total.append(float((off**2)[seen].mean()))
        errors.append(float(np.mean(total)) if total else 0.0)
    return errors[0] / max(errors[1], 1e-12)


def grain(
    made: Made,
    plates: Sequence[Tensor],
    masks: Sequence[Tensor],
    clean: Sequence[Tensor],
) -> dict[str, float]:
    """Variance of the grain in the hole over what the plate has there, and neighbours' agreement.

    Grain is what a picture has over the grain-free truth, high-passed, where that has next to no
    detail beside the grain (or what was made would be charged with detail that it lacks) and what
    was made is of its light.
    """
    ours, own = [], []
    for m, bare, p, mask, c in zip(made.frames, made.bare, plates, masks, clean, strict=True):
        flat = _flat(c, p) & (_inner(mask) > 0.5) & ((_coarse(bare) - _coarse(c)).abs() < _ALIKE_EV)
        for found, picture in ((ours, m), (own, p)):
            found.append((_fine(picture) - _fine(c), flat))
    variance = [_variance(found) for found in (ours, own)]
    agree = [_agreement(found) for found in (ours, own)]
    return {
        "variance": variance[0] / max(variance[1], 1e-12),
        "agreement": agree[0] - agree[1],
        "pixels": float(sum(int(flat.sum()) for _, flat in own)),
    }


def _flat(clean: Tensor, plate: Tensor) -> Tensor:
    """Where the truth has a tenth of the grain's variance in detail at most (H,W)."""
    own = torch.nn.functional.avg_pool2d(_fine(clean).square()[None, None], 5, 1, 2)[0, 0]
    wide = torch.nn.functional.max_pool2d(own[None, None], 5, 1, 2)[0, 0]
    grain = float((_fine(plate) - _fine(clean)).square().median()) / _CHI_MEDIAN
    return wide < _DETAIL * grain


def _fine(picture: Tensor) -> Tensor:
    """Stops less their surroundings (H,W)."""
    return _stops(picture) - _coarse(picture)


def _coarse(picture: Tensor) -> Tensor:
    """Mean stops of a pixel's surroundings (H,W)."""
    stops = _stops(picture)[None, None]
    return torch.nn.functional.avg_pool2d(stops, 5, 1, 2, count_include_pad=False)[0, 0]


def _stops(picture: Tensor) -> Tensor:
    return torch.from_numpy(np.log2(steadiness.luminance(picture.numpy()) + steadiness.TOE))


def _variance(found: Sequence[tuple[Tensor, Tensor]]) -> float:
    values = torch.cat([fine[flat] for fine, flat in found])
    return float(values.square().mean()) if len(values) else 0.0


def _agreement(found: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Correlation of pixels side by side."""
    pairs = [(f[:, 1:] * f[:, :-1])[m[:, 1:] & m[:, :-1]] for f, m in found]
    return float(torch.cat(pairs).mean()) / max(_variance(found), 1e-12)

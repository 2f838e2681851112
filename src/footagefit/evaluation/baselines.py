"""What a person could do without us: the classical ways to make two pictures match.

What belongs here: baselines that need no training, each a function of plate and reference. The
learned one is `unet.py`, what is fitted to a solved frame `grid_fit.py`, what fills holes
`fills.py`. Every one works on log light, where it does best, and gives back scene-linear ACEScg;
none clamps. `oracle_gain` is an oracle: it sees the target.

Pictures are (3,H,W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from footagefit.evaluation.metrics import LOG_TOE

Baseline = Callable[[Tensor, Tensor], Tensor]


def identity(plate: Tensor, reference: Tensor) -> Tensor:
    """The plate as it is."""
    return plate


def oracle_gain(plate: Tensor, target: Tensor) -> Tensor:
    """One gain per channel, the best there is in log light: knows the target."""
    stops = (_log(target) - _log(plate)).flatten(1).median(1).values
    return plate * torch.exp2(stops)[:, None, None]


def reinhard(plate: Tensor, reference: Tensor) -> Tensor:
    """Mean and deviation of each log channel (Reinhard et al. 2001, in log instead of l-a-b)."""
    x, y = _log(plate).flatten(1), _log(reference).flatten(1)
    moved = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True).clamp_min(1e-4)
    moved = moved * y.std(1, keepdim=True) + y.mean(1, keepdim=True)
    return _light(moved.view_as(plate))


def monge_kantorovich(plate: Tensor, reference: Tensor) -> Tensor:
    """The linear map of least motion between Gaussians (Pitie and Kokaram 2007, eq. 12), in log."""
    x, y = _log(plate).flatten(1).double(), _log(reference).flatten(1).double()
    eye = 1e-6 * torch.eye(3, dtype=torch.float64)
    from_cov, to_cov = torch.cov(x) + eye, torch.cov(y) + eye
    root, back = _power(from_cov, 0.5), _power(from_cov, -0.5)
    matrix = back @ _power(root @ to_cov @ root, 0.5) @ back
    moved = matrix @ (x - x.mean(1, keepdim=True)) + y.mean(1, keepdim=True)
    return _light(moved.float().view_as(plate))


def histogram(plate: Tensor, reference: Tensor) -> Tensor:
    """Each log channel's ranks take the reference's values at those ranks."""
    return _light(_ranked(_log(plate).flatten(1), _log(reference).flatten(1)).view_as(plate))


def iterative_distribution(
    plate: Tensor, reference: Tensor, *, rounds: int = 12, seed: int = 0
) -> Tensor:
    """Iterative distribution transfer (Pitie, Kokaram and Dahyot 2007, section 3), in log.

    In each round both clouds of colours are turned by one random rotation, matched axis by axis,
    and turned back: the whole distribution arrives, not only mean and covariance.

    Args:
        plate: The frame to change.
        reference: Where its colours come from.
        rounds: Rotations; the first is none.
        seed: Of the rotations.
    """
    x, y = _log(plate).flatten(1), _log(reference).flatten(1)
    rng = torch.Generator().manual_seed(seed)
    for number in range(rounds):
        turn = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float32))[0]
        turn = torch.eye(3) if number == 0 else turn
        x = turn.T @ _ranked(turn @ x, turn @ y)
    return _light(x.view_as(plate))


CLASSICAL: Mapping[str, Baseline] = {
    "identity": identity,
    "reinhard-log": reinhard,
    "monge-kantorovich": monge_kantorovich,
    "histogram": histogram,
    "iterative-distribution": iterative_distribution,
}


def _ranked(x: Tensor, y: Tensor) -> Tensor:
    """Rows of x with the values that rows of y have at the same ranks."""
    ranks = x.argsort(1).argsort(1).double() / max(1, x.shape[1] - 1)
    place = ranks * (y.shape[1] - 1)
    below = place.floor().long()
    above = (below + 1).clamp_max(y.shape[1] - 1)
    ordered = y.sort(1).values
    part = (place - below).float()
    return ordered.gather(1, below) * (1 - part) + ordered.gather(1, above) * part


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp_min(1e-10) ** exponent) @ vectors.T


def _log(light: Tensor) -> Tensor:
    return torch.log2(light.clamp_min(0.0) + LOG_TOE)


def _light(log: Tensor) -> Tensor:
    return torch.exp2(log) - LOG_TOE

"""Random numbers for tasks: every one a function of (seed, step, rank) or (seed, frame).

What belongs here: making generators and drawing from them. Nothing else draws.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def generator(*parts: int) -> torch.Generator:
    """A CPU generator from numbers such as (seed, step, rank); near numbers give far streams."""
    digest = hashlib.sha256(",".join(str(int(p)) for p in parts).encode()).digest()
    made = torch.Generator(device="cpu")
    made.manual_seed(int.from_bytes(digest[:8], "little") & 0x7FFF_FFFF_FFFF_FFFF)
    return made


def uniform(rng: torch.Generator, low: float, high: float) -> float:
    """One number between two others."""
    return low + (high - low) * float(torch.rand((), generator=rng))


def normal(rng: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=rng)


def chance(rng: torch.Generator, odds: float) -> bool:
    """True that often."""
    return float(torch.rand((), generator=rng)) < odds


def choice(rng: torch.Generator, count: int) -> int:
    """A number from 0 to count - 1."""
    return int(torch.randint(count, (), generator=rng))

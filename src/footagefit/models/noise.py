"""Noise in latents, from the noise of pixels that a caller moved along a shot's motion.

What belongs here: keeping noise white, and each latent's noise with the pixels it stands for. What
does not: drawing by (seed, frame) and moving along motion (`rendering`, `motion`).

Shapes: B batch, N noise channels, H and W of pixels, C latent channels, h and w of latents.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.models.bridges import keyed

_ALWAYS = 20_131  # what noise is drawn from where the caller gave none: every frame has the same


def latent_noise(
    noise: Tensor, size: tuple[int, int], *, channels: int, factor: int, start: int = _ALWAYS
) -> Tensor:
    """White noise (B,C,h,w), a function of the pixels' noise alone.

    Each latent takes sums of its own factor x factor pixels with signs that are orthogonal to each
    other (Walsh functions, fewest changes of sign first): white again, and moved as they were.

    Args:
        noise: (B,N,H,W) white; N may be 0.
        size: h and w.
        channels: C.
        factor: Pixels that a latent covers each way.
        start: What is drawn from where there is none, all is 0, or pixels are too few.
    """
    batch, count, height, width = noise.shape
    wanted = (size[0] * factor, size[1] * factor)
    patterns = count * factor * factor
    few = height < wanted[0] or width < wanted[1] or patterns < channels
    if few or not bool(noise.any()):
        draws = [keyed(start, n.flatten()[:4096].float().cpu()) for n in noise]
        drawn = [torch.randn(channels, *size, generator=d) for d in draws]
        return torch.stack(drawn).to(noise)
    some = F.interpolate(noise, wanted, mode="nearest-exact")  # pixels left out, none twice
    signs = _walsh(factor).to(some)
    each = F.conv2d(some.flatten(0, 1)[:, None], signs, stride=factor)
    # Of every noise channel the same pattern, before any has the next.
    return each.unflatten(0, (batch, count)).transpose(1, 2).flatten(1, 2)[:, :channels]


def _walsh(factor: int) -> Tensor:
    """Orthonormal patterns of signs (F*F,1,F,F), coarse before fine."""
    rows = torch.ones(1, 1)
    while len(rows) < factor:
        rows = torch.cat([torch.cat([rows, rows], 1), torch.cat([rows, -rows], 1)])
    changes = (rows.diff(dim=1) != 0).sum(1)
    rows = rows[changes.argsort()] / factor**0.5
    order = (
        (torch.arange(factor)[:, None] + torch.arange(factor)[None]).flatten().argsort(stable=True)
    )
    return torch.einsum("ay,bx->abyx", rows, rows).flatten(0, 1)[order][:, None]

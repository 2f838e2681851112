"""What a diffusion base is told beside its latents: references as tokens, numbers as a hint.

Everything here begins at zero: an untrained base hears what it always heard. Tensors only.

Shapes: B batch, R references, C latent channels, L tokens of the empty prompt, P their width,
N tokens of the references, V vector entries, H entries of the hint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ROWS, _COLUMNS = 6, 10  # cells of a reference, each a token
_HEADS = 4


class ConditionsNet(nn.Module):
    """References and controls as what is added to the prompt's tokens and to its hint.

    The references' cells are tokens; the prompt's tokens ask them (Alayrac et al. 2022, a
    resampler) and what they hear is added through a layer of zeros.

    Args:
        latent_channels: C.
        prompt_tokens: L; an empty prompt's hardly differ, so each has a seat of its own.
        prompt_width: P.
        hint_width: H.
        vector_size: V; 0 takes none.
        width: Inside.
    """

    def __init__(
        self,
        *,
        latent_channels: int,
        prompt_tokens: int,
        prompt_width: int,
        hint_width: int,
        vector_size: int,
        width: int = 256,
    ) -> None:
        super().__init__()
        self.heads = _HEADS
        self.vector_size = vector_size
        self.rows, self.columns = _ROWS, _COLUMNS
        self.enter = nn.Linear(2 * latent_channels, width)
        self.place = nn.Parameter(0.02 * torch.randn(1, _ROWS * _COLUMNS, width))
        self.null = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.ask = nn.Linear(prompt_width, width)
        self.seat = nn.Parameter(0.02 * torch.randn(1, prompt_tokens, width))
        self.key = nn.Linear(width, width, bias=False)  # softmax would not hear one
        self.value = nn.Linear(width, width)
        self.tell = nn.Linear(width, prompt_width)
        self.read = nn.Linear(max(1, vector_size), width)
        self.hint = nn.Linear(width, hint_width)
        for layer in (self.tell, self.hint):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, prompt: Tensor, reference: Tensor, keep: Tensor, vector: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What to add to the prompt (B,L,P) and to the hint (B,H).

        Args:
            prompt: (1,L,P) the empty prompt's tokens.
            reference: (B,R,C,h,w) latents of the references; R may be 0.
            keep: (B,1,1) 0 where an example's references are left out.
            vector: (B,V).
        """
        batch, count = vector.shape[0], reference.shape[1]
        known = self.null.expand(batch, 1, -1)
        if count > 0:
            flat = reference.flatten(0, 1)
            mean = F.adaptive_avg_pool2d(flat, (self.rows, self.columns))
            square = F.adaptive_avg_pool2d(flat * flat, (self.rows, self.columns))
            spread = (square - mean * mean).clamp_min(0.0).add(1e-6).sqrt()
            cells = torch.cat([mean, spread], 1).flatten(2).transpose(1, 2)
            tokens = F.gelu(self.enter(cells) + self.place)
            tokens = tokens.reshape(batch, -1, tokens.shape[2])
            known = torch.cat([known, tokens], 1)
            keep = keep.expand(batch, 1, tokens.shape[1])
        else:  # every weight has its part in every step, as ranks that share one need
            idle = self.enter.weight.sum() + self.enter.bias.sum() + self.place.sum()
            known = known + 0.0 * idle
            keep = keep[:, :, :0]
        told = self.tell(self._heard(prompt, known, keep > 0))
        numbers = vector
        if self.vector_size == 0:
            numbers = torch.zeros(batch, 1, device=prompt.device, dtype=prompt.dtype)
        return told, self.hint(F.silu(self.read(numbers)))

    def _heard(self, prompt: Tensor, known: Tensor, keep: Tensor) -> Tensor:
        """Scaled dot-product attention (Vaswani et al. 2017, eq. 1); the null token always is."""
        batch = known.shape[0]
        heard = torch.cat([torch.ones_like(keep[:, :, :1]), keep], 2) if keep.shape[2] > 0 else None
        mask = None if heard is None else heard[:, None]
        wide = known.shape[2] // self.heads
        q = (self.ask(prompt) + self.seat).expand(batch, -1, -1)
        q = q.reshape(batch, -1, self.heads, wide).transpose(1, 2)
        k = self.key(known).view(batch, -1, self.heads, wide).transpose(1, 2)
        v = self.value(known).view(batch, -1, self.heads, wide).transpose(1, 2)
        told = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return told.transpose(1, 2).reshape(batch, -1, known.shape[2])


class Widened(nn.Module):
    """A base's first layer, kept as it is, and one of zeros beside it for channels of our own.

    Args:
        own: The base's layer: a convolution, or a linear one over the last axis.
        extra: Channels of our own, after those of the base.
    """

    def __init__(self, own: nn.Conv2d | nn.Linear, *, extra: int) -> None:
        super().__init__()
        self.own = own
        self.axis = 1 if isinstance(own, nn.Conv2d) else -1
        if isinstance(own, nn.Conv2d):
            self.count = own.in_channels
            self.extra: nn.Conv2d | nn.Linear = nn.Conv2d(
                extra,
                own.out_channels,
                own.kernel_size,  # pyright: ignore[reportArgumentType]
                stride=own.stride,  # pyright: ignore[reportArgumentType]
                padding=own.padding,  # pyright: ignore[reportArgumentType]
                bias=False,
            )
        else:
            self.count = own.in_features
            self.extra = nn.Linear(extra, own.out_features, bias=False)
        for weight in self.extra.parameters():
            nn.init.zeros_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """The base's layer of the first channels, and ours of the others."""
        own = x.narrow(self.axis, 0, self.count)
        rest = x.narrow(self.axis, self.count, x.shape[self.axis] - self.count)
        made = self.own(own)
        return made + self.extra(rest.to(self.extra.weight.dtype)).to(made.dtype)

    def merged(self) -> nn.Conv2d | nn.Linear:
        """Both as one layer, for the base alone."""
        own, extra = self.own, self.extra
        weight = torch.cat([own.weight, extra.weight.to(own.weight)], 1)
        if isinstance(own, nn.Conv2d):
            made: nn.Conv2d | nn.Linear = nn.Conv2d(
                weight.shape[1],
                own.out_channels,
                own.kernel_size,  # pyright: ignore[reportArgumentType]
                stride=own.stride,  # pyright: ignore[reportArgumentType]
                padding=own.padding,  # pyright: ignore[reportArgumentType]
                bias=own.bias is not None,
            )
        else:
            made = nn.Linear(weight.shape[1], own.out_features, bias=own.bias is not None)
        made.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
        if own.bias is not None:
            made.bias = nn.Parameter(own.bias.detach().clone(), requires_grad=False)
        return made

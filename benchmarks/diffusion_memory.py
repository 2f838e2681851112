"""What a training step of a base needs of a card's memory, worked out from shapes alone.

Not a benchmark by itself; `diffusion.py` prints it. The real configs of the families are built on
torch's meta device, which has shapes and no numbers: weights, what learns and its optimizer, and
every tensor that the forward pass keeps for the backward pass are counted. Kernels' own workspace,
the driver's half gigabyte and what the allocator wastes are not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.models.diffusion_bases import PROMPT_TOKENS, Prompt, library
from footagefit.models.diffusion_families import DENOISERS, Denoiser

SD15 = {"cross_attention_dim": 768, "attention_head_dim": 8}
SDXL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SD3 = {
    "sample_size": 128, "num_layers": 24, "num_attention_heads": 24, "attention_head_dim": 64,
    "caption_projection_dim": 1536, "pos_embed_max_size": 192, "in_channels": 16,
}  # fmt: skip
FLUX = {"guidance_embeds": True}
BASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "SD 1.5": ("UNet2DConditionModel", SD15, 4),
    "SDXL": ("UNet2DConditionModel", SDXL, 4),
    "SD3 medium": ("SD3Transformer2DModel", SD3, 16),
    "Flux.1 dev": ("FluxTransformer2DModel", FLUX, 16),
}
AUTOENCODER_GB = 84e6 * 4 / 1e9  # of every family, in whole precision
RANK = 16


@dataclass(frozen=True)
class Need:
    """Gigabytes, and weights in millions.

    Attributes:
        weights_m: Of the base's UNet or transformer.
        learnt_m: Of LoRA, widened layer and output layer.
        frozen_gb: Base in bf16 and autoencoder.
        kept_gb: What learns, its gradient, AdamW's two moments and the average.
        step_gb: What forward keeps for backward, a picture.
        again_gb: The same, blocks worked out again, with the largest block's own.
    """

    weights_m: float
    learnt_m: float
    frozen_gb: float
    kept_gb: float
    step_gb: float
    again_gb: float

    def total(self, *, again: bool, pictures: int = 1) -> float:
        """Of a step."""
        return self.frozen_gb + self.kept_gb + pictures * (self.again_gb if again else self.step_gb)


def need(name: str, side_px: int) -> Need:
    """What a step takes at a square of so many pixels a side."""
    kind, config, channels = BASES[name]
    denoiser = _built(kind, config)
    weights = sum(w.numel() for w in denoiser.net.parameters() if not w.requires_grad)
    learnt = sum(w.numel() for w in denoiser.net.parameters() if w.requires_grad)
    step, largest = _kept(denoiser, channels, side_px // 8)
    denoiser.recompute()
    again, _ = _kept(denoiser, channels, side_px // 8)
    return Need(
        weights / 1e6,
        learnt / 1e6,
        2 * weights / 1e9 + AUTOENCODER_GB,
        20 * learnt / 1e9,
        step / 1e9,
        (again + largest) / 1e9,
    )


def _built(kind: str, config: dict[str, Any]) -> Denoiser:
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        net = getattr(library(), kind)(**config).to(torch.bfloat16).requires_grad_(False)
        family = DENOISERS[kind]
        said = family.zeros(net.config)
        prompt = Prompt(said.tokens, said.pooled)
        return family(net, prompt, extra=7, rank=RANK, fresh=True, schedule={})


def _kept(denoiser: Denoiser, channels: int, side: int) -> tuple[int, int]:
    """Bytes that forward keeps for backward, and the most that one block does."""
    seen: dict[int, Any] = {}
    total = [0]
    weights = {w.untyped_storage()._cdata for w in denoiser.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in seen and storage._cdata not in weights:
            seen[storage._cdata] = storage  # held, or its place is given to another
            total[0] += storage.nbytes()
        return tensor

    largest = [0]
    hooks = [h for block in _blocks(denoiser.net) for h in _counting(block, total, largest)]
    with torch.device("meta"):
        x = torch.zeros(1, channels + 7, side, side)
        told = torch.zeros(1, 1, denoiser.prompt_width)
        hint = torch.zeros(1, denoiser.hint_width)
        with _flash(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            denoiser(x, torch.zeros(1), told, hint)
    for hook in hooks:
        hook.remove()
    return total[0], largest[0]


def _counting(block: nn.Module, total: list[int], largest: list[int]) -> Iterator[Any]:
    begun: list[int] = []
    yield block.register_forward_pre_hook(lambda *_: begun.append(total[0]))

    def end(*_: Any) -> None:
        largest[0] = max(largest[0], total[0] - begun.pop())

    yield block.register_forward_hook(end)


def _blocks(net: nn.Module) -> Iterator[nn.Module]:
    """What diffusers works out again as one."""
    names = ("BasicTransformerBlock", "JointTransformerBlock", "FluxTransformerBlock",
             "FluxSingleTransformerBlock", "ResnetBlock2D")  # fmt: skip
    return (m for m in net.modules() if type(m).__name__ in names)


class _Attention(torch.autograd.Function):
    """What a fused kernel keeps: its inputs, its output, and a number a row."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, out, q[..., :1].float())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # pyright: ignore
        q, k, v, _, _ = ctx.saved_tensors
        return torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)


@contextmanager
def _flash() -> Iterator[None]:
    """Attention that keeps what kernels on a GPU keep: no matrix of all pairs."""
    own: Callable[..., Tensor] = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = lambda query, key, value, **_: _Attention.apply(
        query, key, value
    )
    try:
        yield
    finally:
        F.scaled_dot_product_attention = own


__all__ = ["BASES", "PROMPT_TOKENS", "Need", "need"]

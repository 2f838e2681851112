"""How each family of pretrained bases is widened, taught by LoRA, and asked for a velocity.

What belongs here: UNets (SD 1.5, SD 2, SDXL and their inpainting kin), SD3 and Flux behind one
call. What does not: finding and loading them (`diffusion_bases.py`), what they are taught.

Shapes: B batch, C latent channels, h and w of latents, L tokens, P their width, H hint entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from footagefit.errors import WrongValue
from footagefit.models.diffusion_bases import PROMPT_TOKENS, Prompt
from footagefit.models.nets.conditions_net import Widened

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_JOINT = (*ATTENTION, "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
_TIMES = 1000  # training steps of SD3's and Flux's schedules


class Denoiser(nn.Module, ABC):
    """A base's UNet or DiT, frozen, with LoRA on its attention and channels of our own.

    Args:
        net: As diffusers loads it; changed in place.
        prompt: The base's empty prompt.
        extra: Channels of our own beside the base's.
        rank: Of the LoRA.
        fresh: Begin with an output of zeros, learnt whole, instead of the base's own.
        schedule: The base's scheduler config.
    """

    attention = ATTENTION
    packs = 1  # latents that the first layer takes as one
    ends: tuple[str, str]  # names of the first and the last layer
    tokens: Tensor
    pooled: Tensor | None

    def __init__(
        self, net: Any, prompt: Prompt, *, extra: int, rank: int, fresh: bool,
        schedule: dict[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        self.net = net
        self.held = net.dtype  # of the frozen weights; what learns is whole
        self.fresh, self.extra = fresh, extra
        self.channels, self.own = self._channels(net.config)
        self.hint_width = self._prepared(schedule)
        self.prompt_width = int(prompt.tokens.shape[2])
        self.register_buffer("tokens", prompt.tokens, persistent=False)
        self.register_buffer("pooled", prompt.pooled, persistent=False)
        self._taught(extra, rank)
        for name, weight in net.named_parameters():
            weight.requires_grad_(self._ours(name))
            if weight.requires_grad:  # what learns is whole, whatever the base is held in
                weight.data = weight.data.float()

    @abstractmethod
    def _channels(self, config: Any) -> tuple[int, int]:
        """Latent channels, and those the base wants beside them."""

    @abstractmethod
    def _prepared(self, schedule: dict[str, Any]) -> int:
        """Whatever the family needs first; entries of the hint."""

    @property
    @abstractmethod
    def multiple(self) -> int:
        """What rows and columns of latents are whole multiples of."""

    @staticmethod
    @abstractmethod
    def zeros(config: Any) -> Prompt:
        """An empty prompt where there are no text towers."""

    @staticmethod
    @abstractmethod
    def said(pipeline: Any) -> Prompt:
        """The empty prompt, said to the text towers."""

    @abstractmethod
    def forward(self, x: Tensor, s: Tensor, told: Tensor, hint: Tensor) -> Tensor:
        """The velocity (B,C,h,w).

        Args:
            x: (B, C + own + extra, h, w).
            s: (B,) times, 1 the beginning.
            told: (B,L,P) to add to the prompt.
            hint: (B,H) to add to what the base is told as one vector.
        """

    def beside(self, plate: Tensor, mask: Tensor) -> Tensor:
        """Channels that the base wants beside its latents, in its own order (B,own,h,w).

        Args:
            plate: (B,C,h,w) latents of the plate, without what the mask hides.
            mask: (B,f*f,h,w) each latent's pixels, 1 where the picture is made.
        """
        if self.own == self.channels:  # bases that change a picture, or are led by one
            return plate
        return plate[:, :0]

    def recompute(self) -> None:
        """Work blocks out again in the backward pass."""
        self.net.enable_gradient_checkpointing()

    def _taught(self, extra: int, rank: int) -> None:
        from peft import LoraConfig

        self.net.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, target_modules=list(self.attention))
        )
        first, last = self.ends
        put(self.net, first, Widened(self.net.get_submodule(first), extra=self.packs * extra))
        if self.fresh:
            end = self.net.get_submodule(last)
            for weight in end.parameters():
                # A weight of its own: the base's is shared with others of its kind.
                weight.data = torch.zeros_like(weight.data)
            end.register_forward_pre_hook(_whole)

    def _ours(self, name: str) -> bool:
        first, last = self.ends
        mine = ".lora_" in name or name.startswith(f"{first}.extra.")
        return mine or (self.fresh and name.startswith(f"{last}."))

    @property
    def _sum(self) -> Tensor:
        """The prompt's, which every DiT has."""
        return torch.zeros(()) if self.pooled is None else self.pooled

    def _typed(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(t.to(self.held) for t in tensors)


class UnetDenoiser(Denoiser):
    """SD 1.5, SD 2 and SDXL, with and without inpainting channels."""

    ends = ("conv_in", "conv_out")
    log_ratio: Tensor  # of noise to picture, by the base's own steps

    def _channels(self, config: Any) -> tuple[int, int]:
        own = config.in_channels - config.out_channels
        if own not in (0, config.out_channels, config.out_channels + 1):
            raise WrongValue(f"a UNet with {own} channels beside its latents is not known here")
        return config.out_channels, own

    def _prepared(self, schedule: dict[str, Any]) -> int:
        from footagefit.models.diffusion_bases import library

        known = {k: v for k, v in schedule.items() if not k.startswith("_")}
        made = library().DDPMScheduler.from_config(
            known or {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
        )
        self.prediction = str(made.config.prediction_type)
        kept = made.alphas_cumprod.double()
        ratio = ((1.0 - kept) / kept).sqrt().log().float()
        self.register_buffer("log_ratio", ratio.contiguous(), persistent=False)
        self.latest = float(torch.sigmoid(ratio[-1]))  # where the base's own schedule ends
        self.net.time_embedding.cond_proj = nn.Identity()  # the hint has its own layer of zeros
        return self.net.time_embedding.linear_1.in_features

    @property
    def multiple(self) -> int:
        """A half for each level but the last."""
        return 2 ** (len(self.net.config.block_out_channels) - 1)

    @staticmethod
    def zeros(config: Any) -> Prompt:
        """77 tokens; SDXL's sum beside them."""
        pooled = None
        if config.addition_embed_type == "text_time":
            ids = 6 * config.addition_time_embed_dim
            pooled = torch.zeros(1, config.projection_class_embeddings_input_dim - ids)
        return Prompt(torch.zeros(1, 77, config.cross_attention_dim), pooled)

    @staticmethod
    def said(pipeline: Any) -> Prompt:
        """One CLIP, or SDXL's two."""
        made = pipeline.encode_prompt(
            prompt="", device=torch.device("cpu"), num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )  # fmt: skip
        return Prompt(made[0], made[2] if len(made) > 2 else None)

    def beside(self, plate: Tensor, mask: Tensor) -> Tensor:
        """Inpainting kin take the mask, then what it leaves."""
        if self.own == self.channels + 1:
            return torch.cat([mask.mean(1, keepdim=True), plate], 1)
        return super().beside(plate, mask)

    def forward(self, x: Tensor, s: Tensor, told: Tensor, hint: Tensor) -> Tensor:
        """Fresh, its output is the velocity; else its prediction is made one."""
        if self.fresh:
            last = len(self.log_ratio) - 1
            return self._out(x, (s * (last + 1) - 1.0).clamp(0.0, float(last)), told, hint)
        s = s.clamp_max(self.latest)
        s4 = s[:, None, None, None]
        z = x[:, : self.channels]
        # The base wants noise and picture whose squares add up to 1 (Song et al. 2021, eq. 29).
        norm = (s4 * s4 + (1.0 - s4) ** 2).sqrt()
        seen = z / norm
        out = self._out(torch.cat([seen, x[:, self.channels :]], 1), self._time(s), told, hint)
        if self.prediction == "v_prediction":
            picture = ((1.0 - s4) * seen - s4 * out) / norm
            return (s4 * seen + (1.0 - s4) * out) / norm - picture
        if self.prediction == "sample":
            return (z - out) / s4
        return out - (z - s4 * out) / (1.0 - s4)

    def _time(self, s: Tensor) -> Tensor:
        """The base's own step of as much noise, between steps where it lies there."""
        table = self.log_ratio
        wanted = (s / (1.0 - s)).log().clamp(float(table[0]), float(table[-1]))
        above = torch.searchsorted(table, wanted.contiguous()).clamp(1, len(table) - 1)
        low, high = table[above - 1], table[above]
        return above - 1 + (wanted - low) / (high - low)

    def _out(self, x: Tensor, t: Tensor, told: Tensor, hint: Tensor) -> Tensor:
        batch, added = len(x), None
        x, tokens, hint = self._typed(x, self.tokens + told, hint)
        if self.pooled is not None:
            size = [8.0 * n for n in x.shape[-2:]]
            ids = x.new_tensor([*size, 0.0, 0.0, *size]).expand(batch, 6)
            added = {"text_embeds": self._typed(self.pooled)[0].expand(batch, -1), "time_ids": ids}
        out = self.net(
            x, t, encoder_hidden_states=tokens, timestep_cond=hint, added_cond_kwargs=added,
            return_dict=False,
        )[0]  # fmt: skip
        return out.float()


class Sd3Denoiser(Denoiser):
    """SD3 and SD3.5: a DiT that predicts a flow's velocity."""

    attention = _JOINT
    ends = ("pos_embed.proj", "proj_out")

    def _channels(self, config: Any) -> tuple[int, int]:
        return config.out_channels or config.in_channels, 0

    def _prepared(self, schedule: dict[str, Any]) -> int:
        return int(self.net.config.pooled_projection_dim)

    @property
    def multiple(self) -> int:
        """Its patches."""
        return int(self.net.config.patch_size)

    @staticmethod
    def zeros(config: Any) -> Prompt:
        """Tokens of CLIP and T5, and their sum."""
        tokens = torch.zeros(1, 77 + PROMPT_TOKENS, config.joint_attention_dim)
        return Prompt(tokens, torch.zeros(1, config.pooled_projection_dim))

    @staticmethod
    def said(pipeline: Any) -> Prompt:
        """Two CLIPs and T5."""
        made = pipeline.encode_prompt(
            prompt="", prompt_2=None, prompt_3=None, device=torch.device("cpu"),
            do_classifier_free_guidance=False, max_sequence_length=PROMPT_TOKENS,
        )  # fmt: skip
        return Prompt(made[0], made[2])

    def forward(self, x: Tensor, s: Tensor, told: Tensor, hint: Tensor) -> Tensor:
        """As the base gives it."""
        x, tokens, pooled = self._typed(x, self.tokens + told, self._sum + hint)
        return self.net(
            hidden_states=x, encoder_hidden_states=tokens, pooled_projections=pooled,
            timestep=_TIMES * s, return_dict=False,
        )[0].float()  # fmt: skip


class FluxDenoiser(Denoiser):
    """Flux.1: a DiT over packed 2 x 2 latents; its Fill and control kin too."""

    attention = _JOINT
    packs = 4
    ends = ("x_embedder", "proj_out")

    def _channels(self, config: Any) -> tuple[int, int]:
        channels = (config.out_channels or config.in_channels) // 4
        own = config.in_channels // 4 - channels
        if own not in (0, channels, channels + 64):
            raise WrongValue(f"a Flux with {own} channels beside its latents is not known here")
        return channels, own

    def _prepared(self, schedule: dict[str, Any]) -> int:
        return int(self.net.config.pooled_projection_dim)

    @property
    def multiple(self) -> int:
        """Its packing."""
        return 2

    @staticmethod
    def zeros(config: Any) -> Prompt:
        """T5's tokens and CLIP's sum."""
        tokens = torch.zeros(1, PROMPT_TOKENS, config.joint_attention_dim)
        return Prompt(tokens, torch.zeros(1, config.pooled_projection_dim))

    @staticmethod
    def said(pipeline: Any) -> Prompt:
        """CLIP and T5."""
        made = pipeline.encode_prompt(
            prompt="", prompt_2=None, device=torch.device("cpu"),
            max_sequence_length=PROMPT_TOKENS,
        )  # fmt: skip
        return Prompt(made[0], made[1])

    def beside(self, plate: Tensor, mask: Tensor) -> Tensor:
        """Fill takes what the mask leaves, then the mask, pixel by pixel."""
        if self.own == self.channels + 64:
            return torch.cat([plate, mask], 1)
        return super().beside(plate, mask)

    def forward(self, x: Tensor, s: Tensor, told: Tensor, hint: Tensor) -> Tensor:
        """As the base gives it; a distilled base is asked for a guidance of 1."""
        height, width = x.shape[-2:]
        parts = x.split([self.channels, self.own, x.shape[1] - self.channels - self.own], 1)
        packed = torch.cat([_packed(part) for part in parts if part.shape[1]], 2)
        packed, tokens, pooled = self._typed(packed, self.tokens + told, self._sum + hint)
        places = torch.zeros(height // 2, width // 2, 3, device=x.device)
        places[..., 1] = torch.arange(height // 2, device=x.device)[:, None]
        places[..., 2] = torch.arange(width // 2, device=x.device)[None]
        guided = bool(self.net.config.guidance_embeds)
        out = self.net(
            hidden_states=packed, encoder_hidden_states=tokens, pooled_projections=pooled,
            timestep=s, guidance=torch.ones_like(s) if guided else None,
            img_ids=places.view(-1, 3), txt_ids=places.new_zeros(tokens.shape[1], 3),
            return_dict=False,
        )[0].float()  # fmt: skip
        return F.pixel_shuffle(out.transpose(1, 2).unflatten(2, (height // 2, width // 2)), 2)


def _packed(x: Tensor) -> Tensor:
    """2 x 2 latents as one token (B,hw/4,4C)."""
    return F.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def _whole(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What comes from a base held in half precision, for a layer that is not."""
    return (given[0].to(next(layer.parameters()).dtype), *given[1:])


def put(net: nn.Module, name: str, layer: nn.Module) -> None:
    """A layer in the place of another, by its dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(net.get_submodule(parent), last, layer)


DENOISERS: dict[str, type[Denoiser]] = {
    "UNet2DConditionModel": UnetDenoiser,
    "SD3Transformer2DModel": Sd3Denoiser,
    "FluxTransformer2DModel": FluxDenoiser,
}


class Autoencoder(nn.Module):
    """Pictures as codes in -1..1 to latents and back; frozen, in whole precision.

    Args:
        net: As diffusers loads it.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net
        self.channels = int(net.config.latent_channels)
        self.factor = 2 ** (len(net.config.block_out_channels) - 1)
        self.scale = float(net.config.scaling_factor)
        self.shift = float(getattr(net.config, "shift_factor", None) or 0.0)

    def encode(self, codes: Tensor) -> Tensor:
        """(B,3,H,W) to (B,C,H/f,W/f); the mode, so that a picture has one code."""
        with torch.autocast(codes.device.type, enabled=False), torch.no_grad():
            each = [self.net.encode(p[None]).latent_dist.mode() for p in codes.float()]
            return (torch.cat(each) - self.shift) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        """The way back, a picture at a time."""
        with torch.autocast(latents.device.type, enabled=False):
            whole = latents.float() / self.scale + self.shift
            return torch.cat([self.net.decode(z[None], return_dict=False)[0] for z in whole])

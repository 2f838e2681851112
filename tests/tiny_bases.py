"""Pretrained bases of every family, tiny and random, saved as diffusers saves real ones."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("diffusers", reason='needs pip install "footagefit[diffusion]"')
pytest.importorskip("peft", reason='needs pip install "footagefit[diffusion]"')

from footagefit.models.diffusion_bases import library

WIDE = 24  # of a prompt's tokens, and of its sum
EPSILON = {"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
           "beta_end": 0.012, "num_train_timesteps": 1000}  # fmt: skip


def _unet(**changed: Any) -> Any:
    settings = {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "layers_per_block": 1,
        "block_out_channels": (16, 32),
        "norm_num_groups": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": WIDE,
        "attention_head_dim": 4,
    }
    return library().UNet2DConditionModel(**{**settings, **changed})


def _sdxl() -> Any:
    return _unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDE,
        use_linear_projection=True,
    )


def _sd3() -> Any:
    return library().SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
        attention_head_dim=8, num_attention_heads=4, joint_attention_dim=WIDE,
        caption_projection_dim=32, pooled_projection_dim=WIDE, pos_embed_max_size=64,
    )  # fmt: skip


def _flux(**changed: Any) -> Any:
    settings = {
        "in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 2, "joint_attention_dim": WIDE, "pooled_projection_dim": WIDE,
        "axes_dims_rope": (4, 4, 8),
    }  # fmt: skip
    return library().FluxTransformer2DModel(**{**settings, **changed})


def _flux_fill() -> Any:
    """Beside its 4 latents those of what the mask leaves, and the mask's 8 x 8 pixels of each."""
    return _flux(in_channels=4 * (4 + 4 + 64), out_channels=16, guidance_embeds=True)


FAMILIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "sd15": ("StableDiffusionPipeline", _unet),
    "sd2": ("StableDiffusionPipeline", lambda: _unet(use_linear_projection=True)),
    "sd2-inpaint": ("StableDiffusionInpaintPipeline", lambda: _unet(in_channels=9)),
    "sdxl": ("StableDiffusionXLPipeline", _sdxl),
    "sd3": ("StableDiffusion3Pipeline", _sd3),
    "flux": ("FluxPipeline", _flux),
    "flux-fill": ("FluxFillPipeline", _flux_fill),
}
PREDICTS = {"sd2": "v_prediction"}  # the others noise, or a flow's velocity


def tiny_base(folder: Path, family: str, *, seed: int = 0, towers: bool = False,
              prediction: str | None = None) -> Path:  # fmt: skip
    """Write one; `towers` brings text towers and tokenizers along."""
    pipeline, build = FAMILIES[family]
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        net = build()
        part = "unet" if "in_channels" in net.config and hasattr(net, "conv_in") else "transformer"
        for name, weight in net.named_parameters():
            if name.endswith("proj_out.weight"):
                torch.nn.init.normal_(weight, std=0.1)
        wide = (8,) * 4 if family == "flux-fill" else (8, 16)  # a mask is told by 8 x 8 pixels
        autoencoder = library().AutoencoderKL(
            block_out_channels=wide, norm_num_groups=4, latent_channels=4, layers_per_block=1,
            down_block_types=("DownEncoderBlock2D",) * len(wide),
            up_block_types=("UpDecoderBlock2D",) * len(wide),
            scaling_factor=0.5, shift_factor=0.1 if part == "transformer" else None,
        )  # fmt: skip
        net.save_pretrained(folder / part)
        autoencoder.save_pretrained(folder / "vae")
        index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": "0.35.0"}
        index |= {"vae": ["diffusers", "AutoencoderKL"]}
        index[part] = ["diffusers", type(net).__name__]
        index["scheduler"] = ["diffusers", "DDIMScheduler"]
        if towers:
            index |= _towers(folder, family)
    (folder / "scheduler").mkdir()
    schedule = {**EPSILON, "prediction_type": prediction or PREDICTS.get(family, "epsilon")}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(schedule))
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "README.md").write_text("---\nlicense: openrail++\n---\nTiny and random.\n")
    return folder


def _towers(folder: Path, family: str) -> dict[str, list[str]]:
    """CLIP for SD 1.5 and 2; two of them for SDXL, with T5 for SD3; CLIP and T5 for Flux."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    made = {}
    two = family in ("sdxl", "sd3")  # whose tokens, or sums, lie side by side
    projected = {"sdxl": ("_2",), "sd3": ("", "_2")}.get(family, ())
    for suffix in ("", "_2") if two else ("",):
        kind = "CLIPTextModelWithProjection" if suffix in projected else "CLIPTextModel"
        pooled = WIDE // 2 if family == "sd3" else WIDE
        _clip(folder, suffix, WIDE // 2 if two else WIDE, kind=kind, pooled=pooled)
        made[f"text_encoder{suffix}"] = ["transformers", kind]
        made[f"tokenizer{suffix}"] = ["transformers", "CLIPTokenizer"]
    last = {"sd3": "_3", "flux": "_2", "flux-fill": "_2"}.get(family)
    if last is not None:
        _t5(folder, last)
        made[f"text_encoder{last}"] = ["transformers", "T5EncoderModel"]
        made[f"tokenizer{last}"] = ["transformers", "T5Tokenizer"]
    return made


def _t5(folder: Path, suffix: str) -> None:
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    T5EncoderModel(
        T5Config(d_model=WIDE, d_ff=16, d_kv=8, num_layers=1, num_heads=2, vocab_size=128)
    ).save_pretrained(folder / f"text_encoder{suffix}")
    T5Tokenizer().save_pretrained(folder / f"tokenizer{suffix}")


def _clip(folder: Path, suffix: str, wide: int, *, kind: str, pooled: int) -> None:
    import transformers

    config = transformers.CLIPTextConfig(
        hidden_size=wide, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=8, projection_dim=pooled, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    getattr(transformers, kind)(config).save_pretrained(folder / f"text_encoder{suffix}")
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    tokenizer = transformers.CLIPTokenizer(vocab=words, merges=[], model_max_length=77)
    tokenizer.save_pretrained(folder / f"tokenizer{suffix}")

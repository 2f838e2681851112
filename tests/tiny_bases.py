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


FAMILIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "sd15": ("StableDiffusionPipeline", _unet),
    "sd2-inpaint": ("StableDiffusionInpaintPipeline", lambda: _unet(in_channels=9)),
    "sdxl": ("StableDiffusionXLPipeline", _sdxl),
    "sd3": ("StableDiffusion3Pipeline", _sd3),
    "flux": ("FluxPipeline", _flux),
}


def tiny_base(folder: Path, family: str, *, seed: int = 0, towers: bool = False,
              prediction: str = "epsilon") -> Path:  # fmt: skip
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
        autoencoder = library().AutoencoderKL(
            block_out_channels=(8, 16), norm_num_groups=4, latent_channels=4, layers_per_block=1,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
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
    schedule = {**EPSILON, "prediction_type": prediction}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(schedule))
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "README.md").write_text("---\nlicense: openrail++\n---\nTiny and random.\n")
    return folder


def _towers(folder: Path, family: str) -> dict[str, list[str]]:
    """CLIP for SD 1.5; two of them for SDXL; CLIP and T5 for Flux."""
    wide = WIDE // 2 if family == "sdxl" else WIDE
    import transformers

    transformers.utils.logging.disable_progress_bar()
    _clip(folder, "", wide, projected=False)
    made = {"text_encoder": ["transformers", "CLIPTextModel"]}
    made["tokenizer"] = ["transformers", "CLIPTokenizer"]
    if family == "sdxl":
        _clip(folder, "_2", wide, projected=True)
        made["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        made["tokenizer_2"] = ["transformers", "CLIPTokenizer"]
    if family == "flux":
        from transformers import T5Config, T5EncoderModel, T5Tokenizer

        T5EncoderModel(
            T5Config(d_model=WIDE, d_ff=16, d_kv=8, num_layers=1, num_heads=2, vocab_size=128)
        ).save_pretrained(folder / "text_encoder_2")
        T5Tokenizer().save_pretrained(folder / "tokenizer_2")
        made["text_encoder_2"] = ["transformers", "T5EncoderModel"]
        made["tokenizer_2"] = ["transformers", "T5Tokenizer"]
    return made


def _clip(folder: Path, suffix: str, wide: int, *, projected: bool) -> None:
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
    )

    config = CLIPTextConfig(
        hidden_size=wide, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=8, projection_dim=WIDE, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    kind(config).save_pretrained(folder / f"text_encoder{suffix}")
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    tokenizer = CLIPTokenizer(vocab=words, merges=[], model_max_length=77)
    tokenizer.save_pretrained(folder / f"tokenizer{suffix}")

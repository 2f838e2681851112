"""Bases of every family: found, told apart, said an empty prompt, asked as their pipelines ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file

from diffusion_made import TOWERS, a_given, a_model, base
from footagefit.errors import FootagefitWarning, MissingPart, UnknownName
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models import diffusion_places as places
from footagefit.models.diffusion import DiffusionModel
from footagefit.tasks.draws import generator
from tiny_bases import FAMILIES, WIDE, tiny_base

__all__ = ["base"]


class Seen(NamedTuple):
    """What inpainting kin are told: latents of what the mask leaves, and the mask's pixels."""

    latents: torch.Tensor
    mask: torch.Tensor


def plain_velocity(
    folder: Path, model: DiffusionModel, z: torch.Tensor, s: float, seen: Seen
) -> torch.Tensor:
    """The base's own, called as diffusers' pipelines call it."""
    found = bases.find(str(folder))
    net = bases.loaded(found, found.part, dtype=torch.float32)
    tokens, pooled = model.denoiser.tokens, model.denoiser.pooled
    if found.kind == "SD3Transformer2DModel":
        time = torch.tensor([1000.0 * s])
        return net(z, tokens, pooled, time, return_dict=False)[0]
    if found.kind == "FluxTransformer2DModel":
        return plain_flux(net, tokens, pooled, z, s, seen)
    noised = z / ((1 - s) ** 2 + s**2) ** 0.5
    x = noised
    if found.folder.name == "sd2-inpaint":
        shrunk = torch.nn.functional.interpolate(seen.mask, z.shape[-2:])
        x = torch.cat([noised, shrunk, seen.latents], 1)
    height, width = (8 * n for n in z.shape[-2:])
    ids = torch.tensor([[height, width, 0.0, 0.0, height, width]])
    time = model.denoiser._time(torch.tensor([s]))
    kept = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000).double() ** 2, 0)
    there = ((1 - kept) / kept).sqrt()[int(time)]
    assert float(there) == pytest.approx(s / (1 - s), rel=0.01)
    out = net(x, time, tokens, added_cond_kwargs={"text_embeds": pooled, "time_ids": ids},
              return_dict=False)[0]  # fmt: skip
    if found.folder.name == "sd2":  # v, as Salimans and Ho (2022) have it
        keep, share = ((1 - s) / ((1 - s) ** 2 + s**2) ** 0.5, s / ((1 - s) ** 2 + s**2) ** 0.5)
        return (keep * out + share * noised) - (keep * noised - share * out)
    return out - (z - s * out) / (1 - s)


def plain_flux(net, tokens, pooled, z: torch.Tensor, s: float, seen: Seen) -> torch.Tensor:
    from diffusers import FluxFillPipeline, FluxPipeline

    rows, columns = z.shape[-2:]
    packed = FluxPipeline._pack_latents(z, 1, 4, rows, columns)
    filled = net.config.in_channels > packed.shape[2]
    if filled:
        own = types.SimpleNamespace(
            vae_scale_factor=8, _pack_latents=FluxFillPipeline._pack_latents,
            vae=types.SimpleNamespace(config=types.SimpleNamespace(shift_factor=0.0,
                                                                   scaling_factor=1.0)),
        )  # fmt: skip
        beside = FluxFillPipeline.prepare_mask_latents(
            own, seen.mask, seen.latents, 1, 4, 1, 8 * rows, 8 * columns, z.dtype, "cpu", None
        )
        packed = torch.cat([packed, beside[1], beside[0]], 2)
    ids = FluxPipeline._prepare_latent_image_ids(1, rows // 2, columns // 2, "cpu", z.dtype)
    out = net(
        packed, tokens, pooled, torch.tensor([s]), ids, torch.zeros(tokens.shape[1], 3),
        guidance=torch.ones(1) if filled else None, return_dict=False,
    )[0]  # fmt: skip
    return FluxPipeline._unpack_latents(out, rows * 8, columns * 8, 8)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_begins_at_zero_leaves_the_bases_first_output(base, family):
    model = a_model(base(family), objective="flow")
    denoiser, factor = model.denoiser, model.autoencoder.factor
    rng = generator(1)
    z = torch.randn(1, 4, 12, 16, generator=rng)  # SDXL is told rows before columns
    hole = torch.zeros(1, 1, 12, 16)
    hole[..., 3:8, 5:9] = 1.0
    hole = hole.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    if family == "flux-fill":
        hole[..., 30:45, 21:51] = 1.0  # which is told pixel by pixel
    seen = Seen(torch.randn(1, 4, 12, 16, generator=rng), hole)
    beside = denoiser.beside(seen.latents, torch.nn.functional.pixel_unshuffle(hole, factor))
    x = torch.cat([z, beside, torch.randn(1, denoiser.extra, 12, 16, generator=rng)], 1)
    given = a_given()
    with torch.no_grad():
        told, hint = model.conditions(
            denoiser.tokens, torch.randn(1, 2, 4, 8, 8), torch.ones(1, 1, 1), given.vector
        )
        made = denoiser(x, torch.tensor([0.4]), told, hint)
        wanted = plain_velocity(base(family), model, z, 0.4, seen)
    assert float(wanted.std()) > 0.01
    assert torch.allclose(made, wanted, atol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_whatever_a_unet_predicts_becomes_a_velocity(base, tmp_path, prediction, monkeypatch):
    folder = tiny_base(tmp_path / "unet", "sd15", prediction=prediction)
    denoiser = a_model(folder, objective="flow").denoiser
    picture, noise = torch.randn(2, 1, 4, 8, 8, generator=generator(3))

    def knows(x, t, told, hint):
        share = 0.3 / (0.3**2 + 0.7**2) ** 0.5
        keep = 0.7 / (0.3**2 + 0.7**2) ** 0.5
        return {
            "epsilon": noise, "sample": picture, "v_prediction": keep * noise - share * picture
        }[prediction]  # fmt: skip

    monkeypatch.setattr(denoiser, "_out", knows)
    z = 0.7 * picture + 0.3 * noise
    made = denoiser(torch.cat([z, z, z[:, :3]], 1), torch.tensor([0.3]), z, z)
    assert torch.allclose(made, noise - picture, atol=1e-4)


@pytest.mark.parametrize("family", TOWERS)
def test_the_empty_prompt_is_said_once_and_kept(base, family, monkeypatch):
    folder = base(family)
    first = a_model(folder)
    denoiser = first.denoiser
    assert denoiser.tokens.shape[2] == WIDE
    assert float(denoiser.tokens.abs().mean()) > 0.0
    if family == "sd15":
        from transformers import CLIPTextModel, CLIPTokenizer

        words = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
        ids = words("", padding="max_length", max_length=77, return_tensors="pt").input_ids
        tower = CLIPTextModel.from_pretrained(str(folder / "text_encoder"))
        with torch.no_grad():
            assert torch.allclose(tower(ids)[0], denoiser.tokens, atol=1e-5)
    summed = family in ("sdxl", "sd3", "flux")
    assert summed == (denoiser.pooled is not None)
    monkeypatch.setattr(type(denoiser), "said", None)
    again = a_model(folder).denoiser
    assert torch.equal(again.tokens, denoiser.tokens)
    kept = next((Path(os.environ[hashes.CACHE]) / "prompts").glob(f"{first.found.hash[:32]}*"))
    held = load_file(kept)
    assert torch.equal(held["tokens"], denoiser.tokens)
    if summed:
        assert torch.equal(again.pooled, denoiser.pooled)
        assert torch.equal(held["pooled"], denoiser.pooled)
        assert float(denoiser.pooled.abs().mean()) > 0.0
    monkeypatch.undo()
    kept.unlink()
    assert torch.equal(a_model(folder).denoiser.tokens, denoiser.tokens)


def test_without_towers_zeros_are_used_and_said(base, tmp_path, monkeypatch):
    monkeypatch.setenv(hashes.CACHE, str(tmp_path))
    with pytest.warns(FootagefitWarning, match="no text towers there"):
        model = DiffusionModel(base=str(base("flux-fill")), vector_size=4, side_px=32)
    assert float(model.denoiser.tokens.abs().max()) == 0.0


def test_bases_are_found_by_name_and_told_apart(base, tmp_path, monkeypatch):
    folder = base("sd15")
    monkeypatch.setenv(places.BASES, str(folder.parent))
    assert bases.find("somebody/sd15").hash == bases.find(str(folder)).hash
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert bases.find(str(copy)).hash == bases.find(str(folder)).hash
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(bytes(raw))
    assert bases.find(str(copy)).hash != bases.find(str(folder)).hash
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub" / "models--house--base" / "snapshots" / "abc"
    shutil.copytree(folder, kept)
    assert bases.find("house/base").folder == kept


def test_bases_that_cannot_be_had_are_one_line(base, tmp_path, monkeypatch):
    monkeypatch.delenv(places.BASES, raising=False)
    with pytest.raises(MissingPart, match=r"none was named.*model\.base="):
        bases.find(None)
    with pytest.raises(MissingPart, match=r"nobody/nothing is not at hand.*FOOTAGEFIT_BASES"):
        bases.find("nobody/nothing")
    copy = tmp_path / "copy"
    shutil.copytree(base("sd15"), copy)
    (copy / "unet" / "diffusion_pytorch_model.safetensors").rename(copy / "unet" / "model.bin")
    with pytest.raises(MissingPart, match="no safetensors"):
        bases.find(str(copy))
    config = json.loads((copy / "unet" / "config.json").read_text())
    (copy / "unet" / "config.json").write_text(json.dumps({**config, "_class_name": "Other"}))
    with pytest.raises(UnknownName, match="kind of base 'Other'"):
        bases.find(str(copy))
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingPart, match=r"pip install .footagefit\[diffusion\]"):
        a_model(base("sd15"))


def test_nothing_of_the_extra_is_imported_before_it_is_used():
    code = (
        "import sys, footagefit; from footagefit.models import diffusion;"
        "from footagefit.training import run, memory;"
        "extra = {'diffusers', 'peft', 'accelerate', 'transformers', 'huggingface_hub'};"
        "sys.exit(','.join(sorted(extra & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

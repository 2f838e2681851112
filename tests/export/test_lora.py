"""A LoRA of every family under the names that diffusers and ComfyUI look for, and merged."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch

from footagefit.errors import FootagefitWarning
from footagefit.export.lora import lora_state, merged
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models.diffusion import DiffusionModel
from tiny_bases import FAMILIES, tiny_base

RANK = 4


@pytest.fixture(params=FAMILIES)
def model(request, tmp_path, monkeypatch) -> DiffusionModel:
    """Taught something."""
    monkeypatch.setenv(hashes.CACHE, str(tmp_path / "cache"))
    folder = tiny_base(tmp_path / request.param, request.param)
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)
        torch.manual_seed(1)
        made = DiffusionModel(base=str(folder), side_px=32, rank=RANK, objective="flow")
        for name, weight in made.named_parameters():
            if "lora_B" in name or ".extra." in name:
                torch.nn.init.normal_(weight, std=0.1)
    return made.eval()


def base_net(model: DiffusionModel):
    """Of its own: what is fused into it stays in it."""
    return copy.deepcopy(bases.loaded(model.found, model.found.part, dtype=torch.float32))


def wanted_of(model: DiffusionModel) -> dict[str, torch.Tensor]:
    """The base's weights with the LoRA in them, from the layers themselves."""
    wanted = {n: w.clone() for n, w in base_net(model).state_dict().items()}
    for name, layer in model.denoiser.net.named_modules():
        if hasattr(layer, "lora_A") and "default" in layer.lora_A:
            up, down = layer.lora_B["default"].weight, layer.lora_A["default"].weight
            wanted[f"{name}.weight"] += (up @ down).detach()
    return wanted


def test_diffusers_reads_it(model):
    net = base_net(model)
    net.load_lora_adapter(lora_state(model, "diffusers"), prefix=model.found.part)
    net.fuse_lora()
    net.unload_lora()
    wanted = wanted_of(model)
    assert all(torch.allclose(w, wanted[n], atol=1e-6) for n, w in net.state_dict().items())


def test_comfyui_finds_every_weight_by_its_names(model):
    """As its `comfy/lora.py` has them: UNets `lora_unet_` and underscores, DiTs `transformer.`."""
    net = base_net(model)
    state, plain = lora_state(model, "comfyui"), net.state_dict()
    unet = model.found.part == "unet"
    known = {}
    for name in plain:
        place = name.removesuffix(".weight")
        known[f"lora_unet_{place.replace('.', '_')}" if unet else f"transformer.{place}"] = name
    found = set()
    for stem, name in known.items():
        if f"{stem}.lora_up.weight" not in state:
            continue
        names = [f"{stem}.{end}" for end in ("lora_up.weight", "lora_down.weight", "alpha")]
        up, down, alpha = (state[n] for n in names)
        found |= set(names)
        plain[name] = plain[name] + (float(alpha) / down.shape[0]) * (up @ down)
    assert found == set(state)
    assert len(found) >= 3 * 4
    wanted = wanted_of(model)
    assert all(torch.allclose(w, wanted[n], atol=1e-6) for n, w in plain.items())


def test_merged_it_gives_what_the_fit_gives(model):
    from footagefit.export.lora import _apart

    net = merged(model)
    assert _apart(model, net) < 1e-4
    assert not [n for n, _ in net.named_parameters() if "lora" in n]
    packs, extra = model.denoiser.packs, model.denoiser.extra
    assert net.config.in_channels == base_net(model).config.in_channels + packs * extra

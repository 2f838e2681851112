"""A diffusion fit for other people's tools: its LoRA as a file, or merged into its base.

What belongs here: key names, merging, reading back what was written. What does not: learning it
(`models/diffusion.py`). A LoRA file holds what was learnt on the base's attention and no more: the
widened layer, a bridge's output layer and what the base is told of references and controls are
this package's own, and go into a merged folder's `beside.safetensors`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from footagefit.export.baked import NotExportable
from footagefit.export.placing import placed, write_record
from footagefit.models.diffusion import DiffusionModel
from footagefit.models.diffusion_bases import library
from footagefit.models.diffusion_families import put
from footagefit.models.nets.conditions_net import Widened
from footagefit.rendering.fits import Fit

Keys = Literal["diffusers", "comfyui"]
SUFFIXES = (".safetensors",)
BESIDE = "beside.safetensors"
_DOWN, _UP = ".lora_A.default.weight", ".lora_B.default.weight"
_LIMIT = 1e-3  # rms by which a merged base may differ from the fit, over the fit's own


def learnt_of(fit: Fit, to: str) -> DiffusionModel:
    """The fit's diffusion model.

    Raises:
        NotExportable: Another model.
    """
    if not isinstance(fit.model, DiffusionModel):
        raise NotExportable(
            f"to={to} takes fits of model diffusion, and this fit's model is "
            f"{fit.recipe.model.name}",
            path=fit.path,
            hint="Say to=nuke, flame, onnx, lut or cdl",
        )
    return fit.model


def lora_state(model: DiffusionModel, keys: Keys) -> dict[str, Tensor]:
    """The LoRA under the names that diffusers, or ComfyUI, looks for."""
    part = model.found.part
    state: dict[str, Tensor] = {}
    for name, weight in model.denoiser.net.named_parameters():
        ends = next((e for e in (_DOWN, _UP) if name.endswith(e)), None)
        if ends is None:
            continue
        place = name.removesuffix(ends)
        held = weight.detach().cpu().contiguous().clone()
        if keys == "diffusers":
            state[f"{part}.{place}.lora_{'A' if ends == _DOWN else 'B'}.weight"] = held
            continue
        stem = f"lora_unet_{place.replace('.', '_')}" if part == "unet" else f"{part}.{place}"
        state[f"{stem}.lora_{'down' if ends == _DOWN else 'up'}.weight"] = held
        state[f"{stem}.alpha"] = torch.tensor(float(min(weight.shape)))
    return state


def export_lora(
    fit: Fit, out: Path, *, keys: Keys, record: dict[str, Any], replace: bool
) -> dict[str, Any]:
    """Write the LoRA as one file, and read it back."""
    from safetensors.torch import load_file, save_file

    model = learnt_of(fit, "lora" if keys == "diffusers" else keys)
    state = lora_state(model, keys)
    with placed(out, suffixes=SUFFIXES, replace=replace) as part:
        save_file(state, part, metadata={**model.about(), "fit": fit.hash})
        back = load_file(part)
        if back.keys() != state.keys():
            raise NotExportable("what was written does not read back", path=out)
    apart = max(float((back[n] - state[n]).abs().max()) for n in state)
    return {**record, **model.about(), "parity": {keys: apart}}


def export_merged(fit: Fit, out: Path, *, record: dict[str, Any], replace: bool) -> dict[str, Any]:
    """Write the base's UNet or transformer with all that was learnt in it, and read it back."""
    from safetensors.torch import save_file

    model = learnt_of(fit, "merged")
    about = model.about()
    net = merged(model)
    beside = {n: t.contiguous() for n, t in model.conditions.state_dict().items()}
    with placed(out, replace=replace) as part:
        net.save_pretrained(part / model.found.part)
        save_file(beside, part / BESIDE, metadata={**about, "fit": fit.hash})
        back = getattr(library(), model.found.kind).from_pretrained(
            str(part / model.found.part), local_files_only=True, torch_dtype=net.dtype
        )
        apart = _apart(model, back)
        if apart > _LIMIT:
            raise NotExportable(f"merged, it departs from the fit by {apart:.2g}", path=out)
        record = {**record, **about, "parity": {"diffusers": apart}}
        write_record(part, record)
    return record


def merged(model: DiffusionModel) -> Any:
    """The base's net with LoRA and widened layer in its own weights; the model stays as it is."""
    net = copy.deepcopy(model.denoiser.net)
    first, _ = model.denoiser.ends
    net.fuse_lora()
    net.unload_lora()
    layer = net.get_submodule(first)
    if isinstance(layer, Widened):
        put(net, first, layer.merged())
    channels = net.config.in_channels
    net.register_to_config(
        in_channels=channels + model.denoiser.packs * model.denoiser.extra,
        out_channels=net.config.out_channels or channels,
    )
    if model.found.part == "unet":
        net.time_embedding.cond_proj = None
    return net


@torch.no_grad()
def _apart(model: DiffusionModel, net: Any) -> float:
    """How far a merged net's output lies from the fit's, rms over the fit's own."""
    denoiser = model.denoiser
    side = 4 * denoiser.multiple
    rng = torch.Generator().manual_seed(0)
    count = denoiser.channels + denoiser.own + denoiser.extra
    x = torch.randn(1, count, side, side, generator=rng)
    asked = (x, torch.tensor([0.5]), torch.zeros(1, 1, denoiser.prompt_width),
             torch.zeros(1, denoiser.hint_width))  # fmt: skip
    wanted = denoiser(*asked)
    if model.found.part == "unet":
        net.time_embedding.cond_proj = torch.nn.Identity()
    own, denoiser.net = denoiser.net, net
    try:
        made = denoiser(*asked)
    finally:
        denoiser.net = own
    size = float(wanted.square().mean().sqrt())
    return float((made - wanted).square().mean().sqrt()) / max(size, 1e-12)

"""Diffusion bases by LoRA: what a step and a sample cost, beside a loop written plainly.

    python benchmarks/diffusion.py
    python benchmarks/diffusion.py --compiled
    python benchmarks/diffusion.py --quick --json diffusion.json

Bases are random: of SDXL's size where a GPU is at hand, at 512 and 1024 px in bf16, blocks kept,
worked out again and compiled; a tiny one on the CPU. The plain loop is diffusers and peft with
nothing of ours: the same net, LoRA, widened layer, optimizer and latents. Memory by card size is
worked out from the families' real shapes (`diffusion_memory.py`). What a look keeps of a plate's
detail is judged on a staged UHD frame, with an autoencoder that keeps none.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusion_memory import BASES, SDXL, need
from rows import Row, arguments, show
from staged import frame, scene
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch.nn import functional as F

from footagefit.errors import MissingPart
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models.base import resampled
from footagefit.models.diffusion import CACHED, DiffusionModel
from footagefit.models.guided import Fitted, Grid, Ratio
from footagefit.records import Given, Pair
from footagefit.tasks.draws import generator

TINY = {
    **SDXL,
    "block_out_channels": (32, 64),
    "norm_num_groups": 8,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1),
    "attention_head_dim": (4, 4),
    "cross_attention_dim": 64,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 48 + 64,
}
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
WAYS: dict[str, dict[str, bool]] = {
    "": {}, "recomputed, ": {"again": True}, "compiled, ": {"fused": True},
}  # fmt: skip
CARDS_GB = (8, 12, 16, 24, 32, 48, 80)


def main() -> None:
    options = arguments(
        __doc__ or "",
        more=lambda parser: parser.add_argument(
            "--compiled", action="store_true", help="on the CPU too, where it takes minutes"
        ),
    )
    warnings.simplefilter("ignore")
    rows: list[Row] = []

    def add(title: str, more: list[Row]) -> None:
        show(title, more)
        sys.stdout.flush()
        rows.extend(more)

    size = (216, 384) if options.quick else (2160, 3840)
    add("Detail kept, a staged frame", detail(size))
    try:
        bases.library()
    except MissingPart as missing:
        print(f"\n{missing}")
    else:
        with tempfile.TemporaryDirectory() as temporary:
            os.environ[hashes.CACHE] = str(Path(temporary) / "cache")
            ways = [w for w in WAYS if not w.startswith("compiled") or options.compiled]
            beside_plain(Path(temporary), add, ways=ways, quick=options.quick)
        if not options.quick:
            add("Memory of a step by shapes (computed, not measured)", memory())
    show("Diffusion", rows, options.json)


def beside_plain(
    folder: Path, add: Callable[[str, list[Row]], None], *, ways: Sequence[str], quick: bool
) -> None:
    """Steps and samples beside the plain loop: a tiny base, and SDXL's size where a GPU is.

    Args:
        folder: Where bases are written.
        add: Takes a table.
        ways: Of `WAYS`, those that the tiny one is timed in.
        quick: A few rounds.
    """
    write_base(folder / "tiny", TINY, levels=2, dtype=torch.float32)
    add("A tiny base on the CPU", by_way(folder / "tiny", 64, torch.device("cpu"), ways=ways,
                                         rounds=3 if quick else 40))  # fmt: skip
    if not torch.cuda.is_available():
        print("\nno GPU is at hand: rows of SDXL's size are left out")
        return
    write_base(folder / "sdxl", SDXL, levels=4, dtype=torch.bfloat16)
    for side in (512, 1024):
        add(f"SDXL's size, {torch.cuda.get_device_name()}, {side} px",
            by_way(folder / "sdxl", side, torch.device("cuda"), ways=list(WAYS),
                   rounds=3 if quick else 20))  # fmt: skip


def write_base(folder: Path, config: dict[str, Any], *, levels: int, dtype: torch.dtype) -> Path:
    """A random base, as diffusers saves one."""
    if folder.is_dir():
        return folder
    torch.manual_seed(0)
    library = bases.library()
    library.UNet2DConditionModel(**config).to(dtype).save_pretrained(folder / "unet")
    wide = (128, 256, 512, 512) if levels == 4 else (16,) * levels
    library.AutoencoderKL(
        block_out_channels=wide, latent_channels=4, layers_per_block=2 if levels == 4 else 1,
        norm_num_groups=32 if levels == 4 else 4, scaling_factor=0.13025,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
    ).save_pretrained(folder / "vae")  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "random"}))
    return folder


class Ours:
    """A step and a sample as a run takes them, latents from the cache."""

    def __init__(self, folder: Path, side: int, device: torch.device, *, again: bool = False,
                 fused: bool = False) -> None:  # fmt: skip
        torch.manual_seed(0)
        self.model = DiffusionModel(base=str(folder), side_px=side, vector_size=16,
                                    lpips_weight=0.0).to(device).train()  # fmt: skip
        if again:
            self.model.denoiser.recompute()
        if fused:
            self.model.denoiser.compile()
        self.device, self.step_index = device, 0
        self.pair = self._pair(side)
        learnt = [w for w in self.model.parameters() if w.requires_grad]
        self.optimizer = torch.optim.AdamW(learnt, lr=1e-4, fused=True)  # as a run has it

    def _pair(self, side: int) -> Pair:
        rng = generator(1)
        plate = torch.rand(1, 3, side, side, generator=rng).to(self.device)
        self.given = Given(
            plate, torch.zeros(1, 2, 18, 32, device=self.device), torch.ones_like(plate[:, :1]),
            plate[:, None], torch.zeros(1, 16, device=self.device), plate[:, :0],
        )  # fmt: skip
        pair = Pair(self.given, 0.5 * plate, {}, torch.ones_like(plate[:, :1]))
        with torch.no_grad():
            held = {CACHED + n: t for n, t in self.model.encode(pair).items()}
        return pair._replace(truth=held)

    def step(self) -> None:
        """Forward, backward, optimizer."""
        self.step_index += 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.model.loss(self.pair, rng=generator(0, self.step_index))["latent"]
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    @torch.inference_mode()
    def sample(self) -> None:
        """Encode, one step, decode, fit a look."""
        self.model.eval()
        self.model.look(self.model.small(self.given))
        self.model.train()


class Plain:
    """The same with diffusers and peft alone."""

    def __init__(self, folder: Path, side: int, device: torch.device, *, again: bool = False,
                 fused: bool = False) -> None:  # fmt: skip
        from peft import LoraConfig

        library = bases.library()
        self.device = device
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        self.unet = library.UNet2DConditionModel.from_pretrained(
            str(folder / "unet"), torch_dtype=dtype
        ).requires_grad_(False)
        self.vae = library.AutoencoderKL.from_pretrained(str(folder / "vae")).to(device)
        self.unet.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=ATTENTION))
        own = self.unet.conv_in
        self.unet.conv_in = nn.Conv2d(4 + 4 + 1 + 2, own.out_channels, 3, padding=1).to(dtype)
        self.unet.conv_in.weight.data.zero_()
        self.unet.conv_in.weight.data[:, :4] = own.weight.data
        self.unet.to(device).train()
        for weight in self.unet.parameters():
            weight.data = weight.data.float() if weight.requires_grad else weight.data
        if again:
            self.unet.enable_gradient_checkpointing()
        if fused:
            self.unet.compile()
        learnt = [w for w in self.unet.parameters() if w.requires_grad]
        self.optimizer = torch.optim.AdamW(learnt, lr=1e-4)
        config, latents = self.unet.config, side // self.factor
        self.plate = torch.rand(1, 3, side, side, device=device)
        self.z = torch.randn(1, 11, latents, latents, device=device)
        self.wanted = torch.randn(1, 4, latents, latents, device=device)
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        self.asked = {
            "encoder_hidden_states": torch.zeros(1, 77, config.cross_attention_dim, device=device),
            "added_cond_kwargs": {
                "text_embeds": torch.zeros(1, pooled, device=device),
                "time_ids": torch.zeros(1, 6, device=device),
            },
            "return_dict": False,
        }

    @property
    def factor(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def _out(self, x: Tensor) -> Tensor:
        time = torch.tensor([500.0], device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            return self.unet(x, time, **self.asked)[0]

    def step(self) -> None:
        """Forward, backward, optimizer."""
        F.mse_loss(self._out(self.z).float(), self.wanted).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    @torch.inference_mode()
    def sample(self) -> None:
        """Encode, one step, decode."""
        z = self.vae.encode(self.plate).latent_dist.mode()
        made = z - self._out(torch.cat([z, self.z[:, 4:]], 1)).float()
        self.vae.decode(made)


def timed(jobs: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Median seconds, taking turns, each waited for."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds + 2):
        for name, job in jobs.items():
            wait()
            begun = time.perf_counter()
            job()
            wait()
            if turn >= 2:
                taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in taken.items()}


def by_way(
    folder: Path, side: int, device: torch.device, *, ways: Sequence[str], rounds: int
) -> list[Row]:
    """Steps and samples a second beside the plain loop; on a GPU a step's memory too."""
    rows = []
    for name in ways:
        way = WAYS[name]
        peak = _peaks(folder, side, device, way) if device.type == "cuda" else {}
        ours, plain = (kind(folder, side, device, **way) for kind in (Ours, Plain))
        try:
            ours.step()
        except TorchDynamoException as error:
            print(f"\ntorch.compile does not work here ({str(error).strip().splitlines()[0]}): "
                  "its rows are left out")  # fmt: skip
            continue
        rows += _rows(name, ours, plain, rounds=rounds)
        if peak:
            beside = {"plain diffusers": peak["plain"]}
            rows.append(Row(f"{name}peak of a step", "GB", peak["ours"], beside))
    return rows


def _rows(name: str, ours: Ours, plain: Plain, *, rounds: int) -> list[Row]:
    found = []
    for what in ("step", "sample"):
        each = timed({"ours": getattr(ours, what), "plain": getattr(plain, what)}, rounds=rounds)
        rate = 1.0 / each["ours"]
        beside = {"plain diffusers": 1.0 / each["plain"]}
        found.append(Row(f"{name}{what}s", "a second", rate, beside))
    return found


def _peaks(folder: Path, side: int, device: torch.device, way: dict[str, bool]) -> dict[str, float]:
    peak = {}
    for key, kind in (("ours", Ours), ("plain", Plain)):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        one = kind(folder, side, device, **way)
        one.step()
        one.step()
        peak[key] = torch.cuda.max_memory_allocated() / 1e9
        del one
    return peak


def detail(size: tuple[int, int]) -> list[Row]:
    """Gradient energy where nothing should change, over the plate's own; 1 keeps all of it."""
    plate = frame(scene(), 1, size)[None]
    small = resampled(plate, (288, 512))
    x = (torch.arange(512) + 0.5) / 512
    asked = -((x - 0.5) * 8.0).clamp(0.0, 1.0).expand(1, 3, 288, 512)
    seen = F.interpolate(F.avg_pool2d(small, 8), scale_factor=8, mode="bilinear")  # all detail lost
    change = asked + 0.05 * torch.randn(asked.shape, generator=generator(2))
    there = (36, 64)
    kinds: dict[str, Fitted] = {"grid": Grid(), "ratio": Ratio()}
    third = size[1] // 3

    def energy(light: Tensor) -> float:
        part = torch.log2(light[..., :third].clamp_min(0.0) + 2.0**-8)
        return float(part.diff(dim=-1).square().mean() + part.diff(dim=-2).square().mean())

    rows = []
    for name, kind in kinds.items():
        look = kind.look(
            resampled(small, there), resampled(change, there), torch.ones(1, 1, *there)
        )
        kept = energy(kind.apply(look, plate)) / energy(plate)
        diffused = energy(resampled(seen * torch.exp2(change), size)) / energy(plate)
        rows.append(Row(f"gradient energy kept, {name}", "of the plate's", kept,
                        {"the diffused picture itself": diffused}, "within 1%",
                        abs(kept - 1.0) <= 0.01))  # fmt: skip
    return rows


def memory() -> list[Row]:
    """Gigabytes of a step with one picture, and the cards that hold it."""
    rows = []
    for name in BASES:
        for side in (512, 1024):
            found = need(name, side)
            whole, again = found.total(again=False), found.total(again=True)
            print(f"{name} {side} px: base {found.weights_m:.0f} million, "
                  f"learnt {found.learnt_m:.1f} million")  # fmt: skip
            fits = next((c for c in CARDS_GB if again + 1.5 < c), 0)
            rows.append(Row(f"{name}, {side} px, recomputed", "GB", again,
                            {"blocks kept": whole, "frozen": found.frozen_gb,
                             "smallest card": float(fits)}))  # fmt: skip
    return rows


if __name__ == "__main__":
    main()

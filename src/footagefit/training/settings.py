"""How a run goes: its budget, its optimizer, its machine; the constructor is the schema."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from footagefit.errors import UsageError, WrongValue

Precision = Literal["32", "bf16", "16", "auto"]
# What may differ when a run goes on: how fast, how long it is looked at; never what it learns.
MAY_CHANGE = (
    "workers", "threads", "devices", "nodes", "meet", "compile_model", "recompute", "review_every",
    "save_every",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Everything of a run that is neither show, task nor model.

    Attributes:
        max_steps: Length in optimizer steps; None where `max_minutes` says.
        max_minutes: Length in minutes, made steps once, after timing.
        batch_size: Pictures in a step, over all devices.
        accumulate: Parts a step's batch is worked through in.
        recompute: Work blocks out again in the backward pass instead of keeping what they made.
        rate: Peak learning rate.
        warmup_steps: Steps to get there.
        weight_decay: Of AdamW.
        eight_bit: Keep AdamW's own numbers in 8 bits; needs bitsandbytes; not with fsdp.
        orthogonal: Kernels step by momentum made orthogonal: for bases taught from nothing.
        clip: Longest gradient, by norm.
        ema_decay: Of the averaged weights that are judged and shipped.
        precision: 32, bf16, 16, or auto: bf16 where the device has it.
        devices: How many a machine; more than one run under torchrun.
        nodes: Machines.
        meet: `host:port` where they find each other; None asks SLURM for them, by submitit.
        accelerator: cpu, gpu or auto.
        strategy: auto, ddp, or fsdp: weights, average and optimizer parted over the devices.
        workers: Loader processes.
        threads: CPU threads of torch; None is one for each core that loaders leave free.
        compile_model: Fuse the nets with torch.compile.
        review_every: Steps between looks at held-out frames; 0 looks at the ends only.
        save_every: Steps between checkpoints.
        patience: Reviews without a gain after which a run stops early; 0 never.
        val_windows: Held-out frames that are judged.
        long_side_px: Long side of the frames in the cache.
        buckets: Let pictures keep their frames' shape, with as many pixels as `task.size`; those of
            a step have one.
        seed: Of every draw.
        variants: Examples that a run draws from over and over, their latents kept on disk; 0 draws
            each anew and keeps none. Of models that work in latents.
        cache_only: Fill that cache, and train nothing.
        trust_cache: Take what it lists as it is, and read no footage for it.
    """

    max_steps: int | None = 1500
    max_minutes: float | None = None
    batch_size: int = 8
    accumulate: int = 1
    recompute: bool = False
    rate: float = 1e-3
    warmup_steps: int = 50
    weight_decay: float = 1e-4
    eight_bit: bool = False
    orthogonal: bool = False
    clip: float = 1.0
    ema_decay: float = 0.998
    precision: Precision = "auto"
    devices: int = 1
    nodes: int = 1
    meet: str | None = None
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    workers: int = 1
    threads: int | None = None
    compile_model: bool = False
    review_every: int = 250
    save_every: int = 250
    patience: int = 0
    val_windows: int = 24
    long_side_px: int = 384
    buckets: bool = False
    seed: int = 0
    variants: int = 0
    cache_only: bool = False
    trust_cache: bool = False

    def __post_init__(self) -> None:
        self._check_length()
        if self.strategy == "fsdp" and (self.ranks < 2 or self.precision == "16"):
            raise UsageError(
                "trainer.strategy=fsdp parts a model over several devices, in 32 bit or bf16",
                hint="Say trainer.devices=<2 or more> and trainer.precision=bf16",
            )
        if self.strategy == "fsdp" and self.eight_bit:
            raise UsageError(
                "trainer.eight_bit steps whole weights, and trainer.strategy=fsdp parts them",
                hint="Say one of them: parted, AdamW's own numbers are shared out already",
            )
        if self.orthogonal and (
            self.strategy == "fsdp" or self.eight_bit or self.precision == "16"
        ):
            raise UsageError(
                "trainer.orthogonal steps whole kernels: not with trainer.strategy=fsdp, "
                "trainer.eight_bit or trainer.precision=16",
                hint="Say trainer.orthogonal=false, or leave those",
            )
        if self.variants < 0 or (self.variants == 0 and (self.cache_only or self.trust_cache)):
            raise UsageError(
                "trainer.cache_only and trainer.trust_cache are about a cache, and none is kept",
                hint="Say trainer.variants=<how many examples to keep>, such as 2000",
            )
        if self.variants and self.ranks > 1 and not self.trust_cache:
            raise UsageError(
                "several devices read a cache of latents, and one fills it",
                hint="Fill it with trainer.devices=1 trainer.cache_only=true, then say "
                "trainer.trust_cache=true",
            )
        if self.buckets and self.variants % max(1, self.batch_size):
            whole = -(-self.variants // self.batch_size) * self.batch_size
            raise UsageError(
                "with trainer.buckets whole steps are kept, and trainer.variants is no multiple of "
                "trainer.batch_size",
                hint=f"Say trainer.variants={whole}",
            )
        parts = self.ranks * self.accumulate
        if self.batch_size < 1 or self.batch_size % parts:
            raise WrongValue(
                f"trainer.batch_size: {self.batch_size} pictures do not divide into {parts} parts "
                "(devices x nodes x accumulate)",
                hint=f"Say trainer.batch_size={max(1, self.batch_size // parts) * parts}",
            )

    def _check_length(self) -> None:
        """One budget, and more than nothing of it."""
        for name, value, unit in (
            ("max_minutes", self.max_minutes, "minutes"),
            ("max_steps", self.max_steps, "steps"),
        ):
            if value is not None and not 0 < value < math.inf:
                raise WrongValue(
                    f"trainer.{name}: a run takes more than 0 {unit}, got {value:g}",
                    hint=f"Say trainer.{name}={5 if unit == 'minutes' else 1500}",
                )
        if (self.max_steps is None) == (self.max_minutes is None):
            raise UsageError(
                "a run is as long as trainer.max_steps or trainer.max_minutes says: one of them",
                hint="Say trainer.max_minutes=5 alone, trainer=minutes (5 of them), or "
                "trainer.max_steps=1500 alone",
            )

    @property
    def ranks(self) -> int:
        """Processes that share a batch."""
        return self.devices * self.nodes

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @staticmethod
    def from_plain(raw: dict[str, Any]) -> Settings:
        """From JSON."""
        return Settings(**raw)

    def changed(self, other: Settings) -> list[str]:
        """Names of what differs and may not when a run goes on."""
        names = [f.name for f in fields(self) if f.name not in MAY_CHANGE]
        return [n for n in names if getattr(self, n) != getattr(other, n)]

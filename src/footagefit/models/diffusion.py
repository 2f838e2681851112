"""The diffusion model: a big pretrained base, taught a show by LoRA, behind the same contract.

What belongs here: what a base is shown of an example, what it is taught, and how its pictures
become looks or pixels. What does not: bases themselves (`diffusion_bases.py`,
`diffusion_families.py`), ways from latents to latents (`bridges.py`), fitting looks (`guided.py`).

Where light changes (match, relight) the made picture is never the output: a field is fitted from
the plate, as the autoencoder gives it back, to the made picture, and goes on the full-size plate.
Pixels of the autoencoder reach the result inside holes alone.

Shapes: B batch, R references, C latent channels, G guide channels, H and W of pictures, h and w of
latents, f pixels that a latent covers each way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from footagefit.errors import WrongValue
from footagefit.models.base import Amounts, Look, Model, bucket, resampled, scaled, shrunk_to
from footagefit.models.bridges import Bridge, Flow, Way, draws_of
from footagefit.models.diffusion_bases import empty_prompt, find, library, loaded, scheduler
from footagefit.models.diffusion_families import DENOISERS, Autoencoder
from footagefit.models.diffusion_state import hold_learnt_only
from footagefit.models.fill import doubted
from footagefit.models.guided import Fitted, Grid, Ratio
from footagefit.models.holes import cut, hole_boxes, put_back
from footagefit.models.nets.codes import WHITE, codes_of, light_of
from footagefit.models.nets.conditions_net import ConditionsNet
from footagefit.models.nets.light import TOE, gain_and_offset
from footagefit.models.noise import latent_noise
from footagefit.models.tiles import tiled
from footagefit.records import Given, Pair

CACHED = "latent."  # entries of a pair's truth that are what `encode` gave
_SURE, _UNSURE = 0.9, 0.5  # confidence of carried pixels that stand, and of those that do not
_BESIDE = 0.1  # what a latent outside the hole counts in the loss, where pixels are made
_CROP_LATENTS = 32  # side of the crop that likeness is judged on
Known = dict[str, Tensor]
Likeness = Callable[[Tensor, Tensor], Tensor]  # of pictures in 0..1, a number each


class DiffusionModel(Model):
    """A frozen base with LoRA, its first layer widened, that makes looks or pixels.

    Untrained it returns the plate to the bit (looks), or is the base itself (pixels).

    Args:
        guide_channels: What the task adds beside the plate; where it is four or more, it opens
            with carried R, G, B and how sure they are.
        vector_size: Controls and signature with present flags.
        base: A diffusers folder, or a name to look for; see `diffusion_bases.find`.
        base_hash: Of the base's content: no other is taken, and it is found under any name.
        bases: Folders to look for it in, before those of FOOTAGEFIT_BASES.
        makes: `look`, `pixels`, or `auto`: pixels where the guide carries some.
        objective: `bridge`, `flow`, or `auto`: a bridge for looks, a flow for pixels.
        look: `grid`, or `ratio`, which is finer.
        side_px: The working picture has as many pixels as a square of this side.
        rank: Of the LoRA.
        steps: Of the sampler; None is 1 for a bridge and 12 for a flow.
        times: What a bridge's times are drawn from.
        bridge_noise: Of a bridge.
        flow_mean: Of the logit of a flow's times.
        flow_spread: Its deviation.
        flow_shift: Above 1 a flow stays longer in noise.
        latent_weight: Of the squared error of the velocity.
        lpips_weight: Of LPIPS on a decoded crop.
        drop_reference: How often an example's references are left out.
        depth_cells: Of a grid, along luminance.
        long_cells: Of a grid, along the longer side.
        tile_px: Largest tile of pixels that is worked at once; 0 works on all at once.
        overlap_px: What neighbouring tiles share.
        dtype: How the frozen weights are held: 32, bf16, or auto: bf16 where a GPU has it.
    """

    def __init__(
        self,
        *,
        guide_channels: int = 2,
        vector_size: int = 0,
        base: str | None = None,
        base_hash: str | None = None,
        bases: Sequence[str] = (),
        makes: Literal["auto", "look", "pixels"] = "auto",
        objective: Literal["auto", "bridge", "flow"] = "auto",
        look: Literal["grid", "ratio"] = "grid",
        side_px: int = 512,
        rank: int = 16,
        steps: int | None = None,
        times: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
        bridge_noise: float = 0.005,
        flow_mean: float = 0.0,
        flow_spread: float = 1.0,
        flow_shift: float = 1.0,
        latent_weight: float = 1.0,
        lpips_weight: float = 10.0,
        drop_reference: float = 0.1,
        depth_cells: int = 4,
        long_cells: int = 16,
        tile_px: int = 0,
        overlap_px: int = 128,
        dtype: Literal["auto", "32", "bf16"] = "auto",
    ) -> None:
        super().__init__()
        self.carried = guide_channels >= 4
        self.makes = _chosen(makes, "pixels" if self.carried else "look")
        kind = _chosen(objective, "flow" if self.makes == "pixels" else "bridge")
        self.way: Way
        if kind == "bridge":
            self.way = Bridge(steps=steps or 1, times=times, noise=bridge_noise)
        else:
            self.way = Flow(steps=steps or 12, mean=flow_mean, spread=flow_spread, shift=flow_shift)
        self.fitted: Fitted = Ratio()
        if look == "grid":
            self.fitted = Grid(depth_cells=depth_cells, long_cells=long_cells)
        self.latent_weight, self.lpips_weight = latent_weight, lpips_weight
        self.drop_reference = drop_reference
        self.likeness: Likeness | None = None  # given by whoever trains
        library()
        self.found = find(base, content=base_hash, folders=bases)
        self._build(guide_channels, vector_size, rank=rank, fresh=kind == "bridge",
                    dtype=_held(dtype))  # fmt: skip
        self.side_px, self.tile_px, self.overlap_px = side_px, tile_px, overlap_px
        if side_px < self.cell_px or (tile_px and tile_px % self.cell_px):
            raise WrongValue(f"side_px and tile_px: expected {self.cell_px} or more, in multiples")

    def _build(
        self, guide_channels: int, vector_size: int, *, rank: int, fresh: bool, dtype: torch.dtype
    ) -> None:
        found = self.found
        net = loaded(found, found.part, dtype=dtype)
        self.autoencoder = Autoencoder(loaded(found, "vae", dtype=torch.float32))
        channels = self.autoencoder.channels
        kind = DENOISERS[found.kind]
        self.denoiser = kind(
            net,
            empty_prompt(found, kind, net.config),
            extra=channels * (2 if self.carried else 1) + 1 + guide_channels - 3 * self.carried,
            rank=rank,
            fresh=fresh,
            schedule=scheduler(found),
        )
        if self.denoiser.channels != channels:
            raise WrongValue(
                f"{found.part} has {self.denoiser.channels} latents, the autoencoder {channels}"
            )
        self.conditions = ConditionsNet(
            latent_channels=channels,
            prompt_tokens=self.denoiser.tokens.shape[1],
            prompt_width=self.denoiser.prompt_width,
            hint_width=self.denoiser.hint_width,
            vector_size=vector_size,
        )
        self.cell_px = self.autoencoder.factor * self.denoiser.multiple
        hold_learnt_only(self, found)

    def about(self) -> dict[str, str]:
        """The base that a fit of it needs."""
        found = self.found
        name = found.name.rstrip("/").rpartition("/")[2] if "/" in found.name else found.name
        return {"base": name, "base_hash": found.hash, "base_licence": found.licence}

    def small(self, given: Given) -> Given:
        """Every picture as large as the base works at; one way for frames and their proxies."""
        return shrunk_to(given, self._bucket, partial(self._bucket, side=self.side_px // 2))

    @torch.no_grad()
    def look(self, given_small: Given) -> Look:
        """The field from the plate to the made picture; of pixels, the picture itself.

        That is `made` (B,3,H,W), weighed by how much of it is to be seen, `there` (B,1,1,1).
        """
        known = self.encode_given(given_small)
        made = self._sampled(known, given_small)
        if self.makes == "pixels":
            light = light_of(self._decoded(made))
            return {"made": light, "there": light.new_ones(len(light), 1, 1, 1)}
        size = _size(made)
        before, after = (
            resampled(light_of(self._decoded(z)).clamp_min(0.0), size)
            for z in (known["plate"], made)
        )
        plate = resampled(given_small.plate, size)
        change = torch.log2((after + TOE) / (before + TOE))
        sure = resampled(given_small.mask.clamp(1e-3, 1.0), size)
        seen = plate.amax(1, keepdim=True) < 0.9 * WHITE  # above, codes say nothing
        return self.fitted.look(plate, change, sure * seen)

    def apply(self, look: Look, given: Given) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The plate with the field on it, or with the made pixels in its hole."""
        if self.makes == "pixels":
            return self._filled(look, given)
        return self.fitted.apply(look, given.plate)

    def kept(self, confidence: Tensor) -> Tensor:
        """How much of a carried pixel stands as it is, 0 to 1; the rest is made."""
        return 1.0 - doubted(confidence, sure=_SURE, unsure=_UNSURE)

    def share(self, confidence: Tensor) -> Tensor:
        """How much of a carried pixel's light, its grain with it, is in what comes out, 0 to 1."""
        return self.kept(confidence)

    def followed(self, look: Look, amounts: Amounts) -> Look:
        """As much of a look as is asked for."""
        if self.makes == "pixels":
            return scaled(look, amounts.strength)
        return self.fitted.followed(look, amounts)

    def layers(self, look: Look, given: Given) -> dict[str, Tensor]:
        """`gain` and `offset` (B,3,H,W): plate x gain + offset is the result; `confidence`."""
        gain, offset = gain_and_offset(given.plate, self.apply(look, given))
        layers = {"gain": gain, "offset": offset}
        if self.carried:
            sure = self.kept(resampled(given.guide[:, 3:4], _size(given.plate)))
            layers["confidence"] = torch.where(given.mask > 0, sure, 1.0)
        return layers

    def predict(self, given: Given) -> Tensor:
        """Decide and apply; pixels are made round each hole, as large as they are if they fit."""
        if self.makes == "look":
            return super().predict(given)
        out = given.plate.clone()
        for index, box in enumerate(hole_boxes(given.mask, least_px=self.side_px)):
            if box is None:
                continue
            there = cut(given, index, box)
            rows, columns = box
            look = self.look(self.small(there))
            out[index : index + 1, :, rows, columns] = self.apply(look, there)
        return out

    def loss(self, pair: Pair, *, rng: torch.Generator) -> dict[str, Tensor]:
        """`latent`: squared error of the velocity; `lpips`: likeness of a decoded crop."""
        known = {n.removeprefix(CACHED): t for n, t in pair.truth.items() if n.startswith(CACHED)}
        known = known or self.encode(pair)
        draws = draws_of(rng, known["target"])
        source = self._source(known)
        drawn = self.way.drawn(source, known["target"], draws)
        heard = [float(torch.rand((), generator=d)) >= self.drop_reference for d in draws]
        keep = source.new_tensor(heard)[:, None, None]
        made = self._velocity(drawn.z, drawn.s, known, pair.given.vector, keep)
        weight = known["weight"]
        off = ((made - drawn.velocity).square().mean(1, keepdim=True) * weight).sum((1, 2, 3))
        latent = (off / weight.sum((1, 2, 3)).clamp_min(1e-6)).mean()
        terms = {"latent": self.latent_weight * latent}
        if self.likeness is not None:
            ends = self.way.end(drawn, made)
            unlike = self._unlike(ends, known["target"], self.likeness, rng)
            counts = (weight.sum((1, 2, 3)) > 0).to(unlike)  # some examples have no target
            unlike = (unlike * counts).sum() / counts.sum().clamp_min(1.0)
            terms["lpips"] = self.lpips_weight * unlike
        return terms

    def encodes(self) -> str:
        """What latents depend on beside the pictures: which base, and how it is shown them."""
        shown = (self.makes, self.carried, self.side_px, self.cell_px, WHITE)
        return f"{self.found.hash} {shown}"

    def encode(self, pair: Pair) -> Known:
        """All that the loss needs of an example's pictures, in whole precision; it can be kept."""
        with torch.autocast(pair.target.device.type, enabled=False):
            small = self.small(pair.given)
            known = self.encode_given(small)
            size = _size(small.plate)
            known["target"] = self._latents(resampled(pair.target, size))
            there = _size(known["target"])
            weight = resampled(pair.weight * pair.given.mask, there)
        if self.makes == "pixels":
            weight = weight.clamp_min(_BESIDE)
        known["weight"] = weight
        return known

    @torch.no_grad()
    def encode_given(self, small: Given) -> Known:
        """Latents of the pictures, and what else there is of each latent."""
        factor = self.autoencoder.factor
        mask = small.mask.clamp(0.0, 1.0)
        hole = mask if self.makes == "pixels" else torch.zeros_like(mask)
        # Under a hole codes are 0, a grey, as inpainting bases were taught.
        known = {"plate": self.autoencoder.encode(codes_of(small.plate) * (1.0 - hole))}
        size = _size(known["plate"])
        known["mask"] = nn.functional.pixel_unshuffle(hole, factor)
        geometry = small.guide
        if self.carried:
            light = torch.lerp(small.plate, small.guide[:, :3], hole)
            known["carried"] = self._latents(light)
            geometry = small.guide[:, 3:]
        known["sheet"] = torch.cat([resampled(mask, size), resampled(geometry, size)], 1)
        shape = small.reference.shape
        if shape[1]:
            flat = self._latents(small.reference.flatten(0, 1))
            known["reference"] = flat.unflatten(0, shape[:2])
        else:
            known["reference"] = known["plate"][:, None][:, :0]
        return known

    def _filled(self, look: Look, given: Given) -> Tensor:
        """Carried pixels in the hole where they are sure, and made ones elsewhere."""
        size, there = _size(given.plate), look["there"]
        made = resampled(look["made"], size)
        if self.carried:
            guide = resampled(given.guide[:, :4], size)
            kept = self.kept(guide[:, 3:4])
            made = there * kept * guide[:, :3] + (1.0 - kept) * made
        mixed = torch.where(there >= 1.0, made, given.plate * (1.0 - there) + made)
        return put_back(given.plate, mixed, given.mask)

    def _latents(self, light: Tensor) -> Tensor:
        return self.autoencoder.encode(codes_of(light))

    def _decoded(self, latents: Tensor) -> Tensor:
        if self.tile_px and max(latents.shape[-2:]) * self.autoencoder.factor > self.tile_px:
            self.autoencoder.net.enable_tiling()
        return self.autoencoder.decode(latents)

    def _source(self, known: Known) -> Tensor:
        """Where a bridge begins."""
        return known["carried"] if "carried" in known else known["plate"]

    def _sampled(self, known: Known, small: Given) -> Tensor:
        source = self._source(known)
        size = _size(source)
        noise = latent_noise(
            small.noise, size, channels=source.shape[1], factor=self.autoencoder.factor
        )
        keep = source.new_ones(len(source), 1, 1)

        def velocity(z: Tensor, s: Tensor) -> Tensor:
            return self._velocity(z, s, known, small.vector, keep)

        return self.way.sample(velocity, source, noise.to(source))

    def _velocity(self, z: Tensor, s: Tensor, known: Known, vector: Tensor, keep: Tensor) -> Tensor:
        """The base's, told all that is known."""
        beside = [self.denoiser.beside(known["plate"], known["mask"])]
        beside += [known[n] for n in ("plate", "carried") if n in known]
        x = torch.cat([z, *beside, known["sheet"]], 1)
        told, hint = self.conditions(self.denoiser.tokens, known["reference"], keep, vector)
        factor = self.autoencoder.factor
        return tiled(
            lambda part: self.denoiser(part, s, told, hint),
            x,
            tile=0 if self.training else self.tile_px // factor,
            overlap=self.overlap_px // factor,
            multiple=self.denoiser.multiple,
        )

    def _unlike(
        self, made: Tensor, target: Tensor, likeness: Likeness, rng: torch.Generator
    ) -> Tensor:
        """How unlike a crop of each picture's two latents looks, decoded (B,)."""
        rows, columns = (min(n, _CROP_LATENTS) for n in target.shape[-2:])
        top = int(torch.randint(target.shape[2] - rows + 1, (), generator=rng))
        left = int(torch.randint(target.shape[3] - columns + 1, (), generator=rng))
        part = (..., slice(top, top + rows), slice(left, left + columns))
        ends = self.autoencoder.decode(made[part])
        with torch.no_grad():
            wanted = self.autoencoder.decode(target[part])
        shown = [(0.5 * (codes + 1.0)).clamp(0.0, 1.0) for codes in (ends, wanted)]
        return likeness(shown[0], shown[1])

    def _bucket(self, height: int, width: int, side: int | None = None) -> tuple[int, int]:
        return bucket(height, width, side_px=side or self.side_px, cell_px=self.cell_px)


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[2]), int(picture.shape[3])


def _chosen(said: str, otherwise: str) -> str:
    return otherwise if said == "auto" else said


def _held(dtype: str) -> torch.dtype:
    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if dtype == "bf16" or (dtype == "auto" and half) else torch.float32

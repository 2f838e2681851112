"""Ways to relight, and how each is judged: for `relight.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.models.base import resampled
from footagefit.models.nets.light_code import asked, lamp_of, level
from footagefit.models.relight import RelightModel
from footagefit.records import Given
from footagefit.signature.light_vector import VECTOR
from footagefit.tasks.base import vector_of
from footagefit.tasks.light_controls import values_of


@dataclass(frozen=True)
class Case:
    """A plate, a light to ask for, and the truth.

    Attributes:
        plate: (3,H,W) scene-linear.
        target: (3,H,W) the same under the other light.
        mask: (1,H,W) where it is judged.
        controls: What is asked, by name.
        turn_deg: How far the key moves.
        old: Controls that state the plate's own light.
    """

    plate: Tensor
    target: Tensor
    mask: Tensor
    controls: Mapping[str, float]
    turn_deg: float
    old: Mapping[str, float]


def given_of(case: Case, controls: Mapping[str, float], reference: Tensor | None = None) -> Given:
    """What the model is shown."""
    plate, size = case.plate[None], case.plate.shape[1:]
    none = plate.new_zeros(1, 0, 3, 16, 16)
    return Given(
        plate, plate.new_zeros(1, 0, *size), case.mask[None],
        none if reference is None else reference[None, None],
        vector_of(VECTOR, values_of(controls))[None], plate.new_zeros(1, 0, *size),
    )  # fmt: skip


def ways(model: RelightModel, case: Case, *, reference: Tensor | None = None,
         mean: Tensor | None = None) -> dict[str, Tensor]:  # fmt: skip
    """Every way's picture (3,H,W)."""
    with torch.no_grad():
        shown = given_of(case, case.controls)
        made = {"identity": case.plate, "ours": model.predict(shown)[0]}
        told = given_of(case, {**case.controls, **case.old})
        made["ours, plate's light told"] = model.predict(told)[0]
        made["spherical harmonics"] = by_harmonics(model, shown)[0]
        if reference is not None:
            made["ours by reference"] = model.predict(given_of(case, {}, reference))[0]
    if mean is not None:
        made["mean of all lights"] = mean
    return made


def confidence(model: RelightModel, case: Case) -> float:
    """Mean of ours' inside the mask."""
    with torch.no_grad():
        look = model.look(model.small(given_of(case, case.controls)))
    shown = resampled(look["confidence"], (case.mask.shape[1], case.mask.shape[2]))[0]
    return float((shown * case.mask).sum() / case.mask.sum().clamp_min(1.0))


def by_harmonics(model: RelightModel, given: Given) -> Tensor:
    """Low-frequency relighting: the ratio of two irradiances of second order, on the same normals
    and between the same lights as ours (Ramamoorthi and Hanrahan 2001, eq. 12).
    """  # noqa: D205
    small = model.small(given)
    old, new, _ = asked(small.vector, model.own_light(small))
    _, normals, _, _ = model.net.perceive(small.plate, small.mask, old)

    def light(lamp: object) -> Tensor:
        cosine = (normals * lamp.way[:, :, None, None]).sum(1, keepdim=True)  # pyright: ignore
        wide = 0.25 + 0.5 * cosine + 0.15625 * (3.0 * cosine.square() - 1.0)
        contrast = torch.exp2(level(lamp.fill) - level(lamp.key))[:, :, None, None]  # pyright: ignore
        return wide.clamp_min(0.0) + contrast + 0.05

    ratio = (light(new) / light(old)).clamp(0.05, 20.0)
    return given.plate * resampled(ratio, (given.plate.shape[2], given.plate.shape[3]))


def scored(made: Tensor, case: Case) -> float:
    """PSNR on the display's curve inside the mask, after the best global scale of light."""
    inside = case.mask[0] > 0.5
    best = _error(best_scaled(made, case)[:, inside], case.target[:, inside].clamp(0.0, 4.0))
    return float(-10.0 * torch.log10(torch.tensor(best).clamp_min(1e-9)))


def best_scaled(made: Tensor, case: Case) -> Tensor:
    """A picture at the global scale that brings it nearest to the truth."""
    inside = case.mask[0] > 0.5
    a, b = made[:, inside].clamp_min(0.0), case.target[:, inside].clamp(0.0, 4.0)
    scale = (a * b).sum() / (a * a).sum().clamp_min(1e-9)
    best = min((_error(a * scale * s, b), s) for s in (0.8, 0.9, 1.0, 1.1, 1.25))
    return made.clamp_min(0.0) * scale * best[1]


def off_stops(made: Tensor, case: Case, where: Tensor) -> float:
    """Mean error in stops at the best global scale, at some places (H,W)."""
    both = torch.stack([best_scaled(made, case), case.target]).clamp_min(0.0) + 0.01
    off = (both[0] / both[1]).log2().abs().mean(0)
    return float(off[where].mean())


def _error(a: Tensor, b: Tensor) -> float:
    return float((_shown(a) - _shown(b)).square().mean())


def _shown(light: Tensor) -> Tensor:
    light = light.clamp(0.0, 1.0)
    return torch.where(
        light < 0.0031308, 12.92 * light, 1.055 * light.clamp_min(1e-6) ** (1 / 2.4) - 0.055
    )


def ratio_gradients(made: Tensor, case: Case) -> float:
    """Correlation of the gradients of log ratio images, made and true, at 48 pixels."""

    def log_ratio(light: Tensor) -> Tensor:
        pair = torch.stack([light, case.plate]).mean(1, keepdim=True).clamp_min(0.0) + 0.01
        small = F.interpolate(pair, size=(48, 48), mode="area").log2()
        return small[0, 0] - small[1, 0]

    one, two = log_ratio(made), log_ratio(case.target)
    a = torch.cat([one.diff(dim=0).flatten(), one.diff(dim=1).flatten()])
    b = torch.cat([two.diff(dim=0).flatten(), two.diff(dim=1).flatten()])
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-9))


def found_way(light: Tensor, normals: Tensor, albedo: Tensor, mask: Tensor) -> Tensor:
    """The key's direction in a picture (3,): least squares of its shading on true normals."""
    inside = mask[0] > 0.5
    shading = (light.mean(0) / albedo.mean(0).clamp_min(0.02))[inside]
    shading = shading.clamp_max(float(shading.quantile(0.95)))
    basis = normals[:, inside].t()
    way = torch.tensor([0.0, 0.0, 1.0])
    weight = torch.ones_like(shading)
    for _ in range(3):
        lean = torch.cat([basis, torch.ones(len(basis), 1)], 1) * weight[:, None]
        both = lean.t() @ lean + 1e-3 * torch.eye(4)
        found = torch.linalg.solve(both, lean.t() @ (shading * weight))
        way = F.normalize(found[:3], dim=0)
        weight = (basis @ way > 0).float() + 1e-3
    return way


def angle_deg(a: Tensor, b: Tensor) -> float:
    """Between two unit vectors."""
    return float(torch.rad2deg(torch.acos((a * b).sum().clamp(-1, 1))))


__all__ = ["Case", "angle_deg", "by_harmonics", "confidence", "found_way", "given_of",
           "lamp_of", "off_stops", "ratio_gradients", "scored", "ways"]  # fmt: skip

"""The methods an evaluation sets side by side, each made ready for one shot and mismatch.

What belongs here: which methods a task is judged against, and how each is prepared. What does not:
the methods themselves (`baselines.py`, `grid_fit.py`, `fills.py`, `unet.py`), scores (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from footagefit.evaluation.results import Method

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.models.base import Model
    from footagefit.records import Pair
    from footagefit.rendering.fits import Fit

Made = Callable[["Pair"], "Tensor"]
Ready = Callable[["Pair"], Made]  # given the shot's keyframe, solved

FIT, AGAINST, BEGAN, NOTHING = "this fit", "against", "began from", "untouched"
UNET_WIDTH = 16
_TRANSFORMS = ("match", "relight")


@dataclass(frozen=True)
class Way:
    """A method and how it is made ready from the shot's solved keyframe."""

    method: Method
    ready: Ready


def untouched() -> Way:
    """Doing nothing."""
    return Way(Method(NOTHING, "nothing", "the plate as it is"), lambda key: _plate)


def alone(fit: Fit) -> Way:
    """A fit by itself."""
    return _of_model(FIT, "fit", fit.path.name, fit)


def ways_of(fit: Fit, *, against: Fit | None, unet_steps: int) -> list[Way]:
    """Every method for the fit's task, the fit itself last."""
    found = [untouched()]
    task = fit.recipe.task.name
    found += _transforms() if task in _TRANSFORMS else _fills()
    if unet_steps:
        about = f"U-Net as TuNet trains it, {UNET_WIDTH} channels, {unet_steps} steps on a keyframe"
        found.append(Way(Method("per-shot U-Net", "keyframe", about), _unet(unet_steps)))
    began = _began(fit)
    if began is not None:
        found.append(_of_model(BEGAN, "base", f"{began.path.name}, untrained on the show", began))
    if against is not None:
        found.append(_of_model(AGAINST, "against", against.path.name, against))
    found.append(alone(fit))
    return found


def shipped(name: str) -> Path:
    """Where a base of that name would lie in the package."""
    return Path(__file__).resolve().parents[1] / "models" / "weights" / name


def _began(fit: Fit) -> Fit | None:
    """The shipped base that a fit's weights began from, if it is the one that lies here."""
    from footagefit.rendering.fits import load_fit

    parent = fit.card.get("parent") or {}
    path = shipped(str(parent.get("fit", "")))
    if not parent or not path.is_dir():
        return None
    base = load_fit(path)
    return base if base.hash == parent.get("hash") else None


def _plate(pair: Pair) -> Tensor:
    return pair.given.plate


def _of_model(name: str, kind: str, about: str, fit: Fit) -> Way:
    model: Model = fit.model

    def made(pair: Pair) -> Tensor:
        return fit.task.composite(pair.given, model.predict(pair.given))

    return Way(Method(name, kind, about), lambda key: made)


def _transforms() -> list[Way]:
    from footagefit.evaluation.baselines import CLASSICAL, oracle_gain
    from footagefit.evaluation.grid_fit import apply_grid, fit_grid

    found = []
    for name, classical in CLASSICAL.items():
        if name == "identity":
            continue

        def made(pair: Pair, classical: Callable[..., Tensor] = classical) -> Tensor:
            if not pair.given.reference.shape[1]:
                return pair.given.plate
            return classical(pair.given.plate[0], pair.given.reference[0, 0])[None]

        about = (classical.__doc__ or "").splitlines()[0].rstrip(".")
        found.append(Way(Method(name, "classical", about), lambda key, made=made: made))

    def grid(key: Pair) -> Made:
        fitted = fit_grid(key.given.plate[0], key.target[0])
        return lambda pair: apply_grid(fitted, pair.given.plate[0])[None]

    def gain(pair: Pair) -> Tensor:
        return oracle_gain(pair.given.plate[0], pair.target[0])[None]

    solved = "bilateral grid fitted to one solved frame of the shot, no learning"
    found.append(Way(Method("keyframe grid", "keyframe", solved), grid))
    found.append(
        Way(Method("oracle gain", "oracle", "the best gain, target known"), lambda _: gain)
    )
    return found


def _fills() -> list[Way]:
    from footagefit.evaluation.fills import inpainted

    found = []
    for name, way in (("telea", "telea"), ("navier-stokes", "navier-stokes")):

        def made(pair: Pair, way: str = way) -> Tensor:
            mask = (pair.given.mask > 0).float()
            return inpainted(pair.given.plate[0], mask[0], way=way)[None]  # pyright: ignore

        method = Method(name, "classical", f"OpenCV's inpainting ({name})")
        found.append(Way(method, lambda key, made=made: made))
    return found


def _unet(steps: int) -> Ready:
    from footagefit.evaluation.unet import apply_tiled, train_unet

    def ready(key: Pair) -> Made:
        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            both = torch.cat([key.given.plate, key.target], 1)
            for index in range(10_000_000):
                picture = both.flip(3) if index % 2 else both
                pair = torch.cat([picture, both])
                yield pair[:, :3], pair[:, 3:]

        with torch.enable_grad():
            net, _ = train_unet(batches(), width=UNET_WIDTH, max_steps=steps)
        return lambda pair: apply_tiled(net, pair.given.plate)

    return ready

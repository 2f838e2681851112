"""The methods an evaluation sets side by side, each made ready for one shot and mismatch.

What belongs here: which methods a task is judged against, and how each is prepared. What does not:
the methods themselves (`baselines.py`, `grid_fit.py`, `fills.py`, `unet.py`), scores (`judge.py`).

Which make sense follows from what a task does. One that changes the light of pixels (match,
relight) stands beside what matches colours. One that makes pixels where a mask says that there are
none (extend, clean-up) stands beside what fills: inpainting where each frame has pixels around its
hole; hold and blend from the frames that are whole, the solved keyframe being one of them.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from footagefit.errors import UnknownName
from footagefit.evaluation.examples import Drawn
from footagefit.evaluation.results import Method

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.models.base import Model
    from footagefit.records import Pair
    from footagefit.rendering.fits import Fit

    Fill = Callable[[Mapping[int, Tensor], int], Tensor]


@dataclass(frozen=True)
class Run:
    """Frames of a shot under one mismatch.

    Attributes:
        key: The frame that keyframe methods are shown solved; it is not judged.
        frames: The judged ones, one after another.
    """

    key: Drawn
    frames: Sequence[Drawn]


Made = Callable[[Drawn], "Tensor"]
Ready = Callable[[Run], Made | None]  # None: nothing to go by in such a run

FIT, AGAINST, BEGAN, NOTHING = "this fit", "against", "began from", "untouched"
UNET_WIDTH = 16
_TRANSFORMS = ("match", "relight")


@dataclass(frozen=True)
class Way:
    """A method and how it is made ready for a run."""

    method: Method
    ready: Ready


def untouched() -> Way:
    """Doing nothing."""
    return Way(Method(NOTHING, "nothing", "the plate as it is"), lambda _: _of_pair(_plate))


def alone(fit: Fit) -> Way:
    """A fit by itself."""
    return _of_model(FIT, "fit", fit.path.name, fit)


def ways_of(
    fit: Fit, *, against: Fit | None, unet_steps: int, names: Sequence[str] | None = None
) -> list[Way]:
    """Every method for the fit's task, the fit itself last.

    Args:
        fit: What is judged.
        against: Another fit, or None.
        unet_steps: Of the per-shot U-Net; 0 leaves it out.
        names: Of the methods between nothing and the fits; all of them by default.
    """
    found: list[Way] = []
    task = fit.recipe.task.name
    found += _transforms() if task in _TRANSFORMS else _fills()
    if unet_steps:
        about = f"U-Net as TuNet trains it, {UNET_WIDTH} channels, {unet_steps} steps on a keyframe"
        found.append(Way(Method("per-shot U-Net", "keyframe", about), _unet(unet_steps)))
    found = [untouched(), *_named(found, names, task)]
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


def _named(found: Sequence[Way], names: Sequence[str] | None, task: str) -> list[Way]:
    if names is None:
        return list(found)
    known = {way.method.name: way for way in found}
    for name in names:
        if name not in known:
            raise UnknownName(f"method beside a {task} fit", name, known)
    return [known[name] for name in names]


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


def _of_pair(change: Callable[[Pair], Tensor]) -> Made:
    return lambda drawn: change(drawn.pair)


def _of_model(name: str, kind: str, about: str, fit: Fit) -> Way:
    model: Model = fit.model

    def made(pair: Pair) -> Tensor:
        return fit.task.composite(pair.given, model.predict(pair.given))

    return Way(Method(name, kind, about), lambda _: _of_pair(made))


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
        found.append(Way(Method(name, "classical", about), lambda _, made=made: _of_pair(made)))

    def grid(run: Run) -> Made:
        fitted = fit_grid(run.key.pair.given.plate[0], run.key.pair.target[0])
        return _of_pair(lambda pair: apply_grid(fitted, pair.given.plate[0])[None])

    def gain(pair: Pair) -> Tensor:
        return oracle_gain(pair.given.plate[0], pair.target[0])[None]

    solved = "bilateral grid fitted to one solved frame of the shot, no learning"
    found.append(Way(Method("keyframe grid", "keyframe", solved), grid))
    best = Method("oracle gain", "oracle", "the best gain, target known")
    found.append(Way(best, lambda _: _of_pair(gain)))
    return found


def _fills() -> list[Way]:
    from footagefit.evaluation import fills

    found = []
    for name in typing.get_args(fills.Way):
        method = Method(name, "classical", f"OpenCV's inpainting ({name})")
        found.append(Way(method, _inpainting(name)))
    hold = "the nearest frame that is whole"
    blend = "the nearest whole frames before and after, blended"
    found.append(Way(Method("hold", "keyframe", hold), _over_time(fills.held)))
    found.append(Way(Method("blend", "keyframe", blend), _over_time(fills.blended)))
    return found


def _inpainting(way: Any) -> Ready:
    from footagefit.evaluation.fills import inpainted

    def made(pair: Pair) -> Tensor:
        hole = (pair.given.mask[0] > 0).float()
        return _inside(pair, inpainted(pair.given.plate[0], hole, way=way))

    def ready(run: Run) -> Made | None:
        left = all(bool((d.pair.given.mask == 0).any()) for d in run.frames)
        return _of_pair(made) if left else None

    return ready


def _over_time(fill: Fill) -> Ready:
    def ready(run: Run) -> Made:
        whole = {d.frame: d.pair.given.plate[0] for d in run.frames
                 if not bool((d.pair.given.mask > 0).any())}  # fmt: skip
        whole[run.key.frame] = run.key.pair.target[0]
        return lambda drawn: _inside(drawn.pair, fill(whole, drawn.frame))

    return ready


def _inside(pair: Pair, light: Tensor) -> Tensor:
    """Light where the mask says, the plate to the bit where it does not."""
    plate, mask = pair.given.plate, pair.given.mask
    return torch.where(mask > 0, plate + mask * (light[None] - plate), plate)


def _unet(steps: int) -> Ready:
    from footagefit.evaluation.unet import apply_tiled, crops, train_unet

    def ready(run: Run) -> Made:
        key = run.key.pair
        with torch.enable_grad():
            solved = crops(key.given.plate, key.target)
            net, _ = train_unet(solved, width=UNET_WIDTH, max_steps=steps)
        return _of_pair(lambda pair: apply_tiled(net, pair.given.plate))

    return ready

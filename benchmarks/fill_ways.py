"""Ways to fill what was cut out: ours, as a render makes it, and those that need no training.

Not a benchmark by itself; see `fill.py`. Ours goes through the very plan and passes of
`footagefit infer`, from files; judged frames are made, and each is had with and without grain.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from fill_shots import FIRST, Shot, write, write_masks
from torch import Tensor

from footagefit.evaluation.fills import blended, held, inpainted
from footagefit.rendering.ask import Ask
from footagefit.rendering.canvas import Extend
from footagefit.rendering.fill_asked import Filling
from footagefit.rendering.fill_plan import plan_of
from footagefit.rendering.filling import Filler
from footagefit.rendering.fits import Fit


@dataclass
class Hole:
    """What was cut out of a shot.

    Attributes:
        kind: `tube`, `wire`, `border`, `drop`, `handle`.
        masks: (1,H,W) for every frame of the shot, 1 where pixels went.
        judged: Places of the frames that are judged.
        seen: Whether other frames show at the same place what it hides.
    """

    kind: str
    masks: list[Tensor]
    judged: Sequence[int]
    seen: bool = True


@dataclass
class Made:
    """What a way made of the judged frames (3,H,W), in their order.

    Attributes:
        frames: As they would be delivered.
        bare: Before grain went on; the same where a way knows none.
    """

    frames: list[Tensor]
    bare: list[Tensor]


class Bare:
    """A dressing that also keeps what it had before grain."""

    def __init__(self, dressing) -> None:
        self._dressed, self._plain = dressing, copy.copy(dressing)
        self._plain.grain = None
        self.grain = dressing.grain
        self.bare: Tensor | None = None

    def __call__(self, *pictures: Tensor, **named) -> Tensor:
        self.bare = self._plain(*pictures, **named)
        return self._dressed(*pictures, **named)


def ours(shot: Shot, hole: Hole, fits: dict[str, Fit | Path], folder: Path) -> Made:
    """The judged frames as a render makes them."""
    ask = _asked(shot, hole, fits, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filler = Filler(plan_of(ask))
        filler.look()
        both = Bare(filler._making._dressing)
        filler._making.__dict__["_dressing"] = both
        made = Made([], [])
        for at in hole.judged:
            if FIRST + at in filler.cut:
                print(f"{shot.name}, {hole.kind}: {FIRST + at} is beyond confidence, held instead")
                frame = held(_left(shot, hole), at)
                made.frames.append(frame)
                made.bare.append(frame)
                continue
            both.bare = None
            frame = filler.filled(FIRST + at).rgb_CHW
            there = hole.masks[at] > 0
            made.frames.append(frame)
            bare = frame if both.bare is None else both.bare
            made.bare.append(torch.where(there, bare, frame))
        filler.plan.forget()
    return made


def _asked(shot: Shot, hole: Hole, fits: dict[str, Fit | Path], folder: Path) -> Ask:
    out = folder / "ours.####.exr"
    folder.mkdir(parents=True, exist_ok=True)
    plates, numbers = shot.plates, list(shot.numbers)
    if hole.kind in ("tube", "wire"):
        cut = [torch.where(m > 0, torch.zeros_like(p), p)
               for p, m in zip(plates, hole.masks, strict=True)]  # fmt: skip
        plate = write(folder / "plate.####.exr", cut, numbers)
        mask = write_masks(folder / "mask.####.exr", hole.masks, numbers)
        return Ask(plate=plate, fit=fits["cleanup"], out=out, mask=mask)
    extend = Extend()
    if hole.kind == "border":
        wide = int((hole.masks[0][0, 0] > 0).sum()) // 2
        plates = [p[..., wide : p.shape[2] - wide].contiguous() for p in plates]
        extend = Extend(left=wide, right=wide)
    else:
        there = [n for n, mask in enumerate(hole.masks) if not bool((mask > 0).all())]
        plates, numbers = [plates[n] for n in there], [numbers[n] for n in there]
        extend = Extend(head=there[0], tail=len(hole.masks) - 1 - there[-1])
    plate = write(folder / "plate.####.exr", plates, numbers)
    return Ask(plate=plate, fit=fits["extend"], out=out, fill=Filling(extend=extend))


def baselines(shot: Shot, hole: Hole) -> dict[str, list[Tensor]]:
    """Every way without us that makes sense for a hole, over the judged frames."""
    if hole.kind in ("drop", "handle"):
        left = _left(shot, hole)
        made = {"hold": [held(left, at) for at in hole.judged]}
        if hole.kind == "drop":
            made["blend"] = [blended(left, at) for at in hole.judged]
        return made
    if hole.kind == "border":
        return {
            "mirror": [_mirrored(shot.plates[at], hole.masks[at]) for at in hole.judged],
            "nearest frame": [_nearest(shot, hole, at) for at in hole.judged],
        }
    pairs = [(shot.plates[at] * (hole.masks[at] == 0), hole.masks[at]) for at in hole.judged]
    return {
        "telea": [inpainted(p, m, way="telea") for p, m in pairs],
        "navier-stokes": [inpainted(p, m, way="navier-stokes") for p, m in pairs],
        "nearest frame": [_nearest(shot, hole, at) for at in hole.judged],
    }


def _left(shot: Shot, hole: Hole) -> dict[int, Tensor]:
    """The frames that are whole."""
    return {n: p for n, (p, m) in enumerate(zip(shot.plates, hole.masks, strict=True))
            if not bool((m > 0).any())}  # fmt: skip


def _nearest(shot: Shot, hole: Hole, at: int) -> Tensor:
    """What the nearest frame shows at the very same place; where none does, Telea's."""
    out, left = shot.plates[at].clone(), hole.masks[at] > 0
    for other in sorted(range(len(shot.plates)), key=lambda n: (abs(n - at), n)):
        use = left & ~(hole.masks[other] > 0)
        out = torch.where(use, shot.plates[other], out)
        left = left & ~use
    if bool(left.any()) and hole.kind == "border":
        return _mirrored(torch.where(left, torch.zeros_like(out), out), left.float())
    return inpainted(out * ~left, left.float()) if bool(left.any()) else out


def _mirrored(plate: Tensor, mask: Tensor) -> Tensor:
    """Columns beyond the plate mirrored at its edges."""
    there = (mask[0, 0] == 0).nonzero().flatten()
    low, high = int(there.min()), int(there.max()) + 1
    inner = plate[..., low:high]
    reach = max(low, plate.shape[2] - high)
    wide = torch.nn.functional.pad(inner[None], (reach, reach, 0, 0), mode="reflect")[0]
    return wide[..., reach - low : reach - low + plate.shape[2]]

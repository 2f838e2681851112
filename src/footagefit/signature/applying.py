"""Effects in the order that light meets them, put on clean pixels and taken off footage.

Here: which effects, in which order, with which of a signature's records; dressing filled pixels.
Not here: any one effect, clips in and out (`commands/apply.py`).

Light passes the glass (distortion, lateral colour, sharpness, bloom, vignette), then meets the
grain; taking off goes the other way. Distortion is resampling: a picture comes back as sharp as a
bicubic filter leaves it, and not beyond its borders. Sharpness does not come off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from footagefit.errors import UnknownName, WrongValue
from footagefit.signature import bloom, chromatic, distortion, sharpness, vignette
from footagefit.signature.grain import Grain
from footagefit.signature.grain_removal import Removal
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.record import Lens

# Any, for each module's functions take its own record.
_GLASS: dict[str, Any] = {
    "distortion": distortion, "chromatic": chromatic, "sharpness": sharpness, "bloom": bloom,
    "vignette": vignette,
}  # fmt: skip
EFFECTS = (*_GLASS, "grain")
REMOVABLE = tuple(e for e in EFFECTS if e != "sharpness")


class Chain:
    """Some effects of a signature, ready for frames.

    Args:
        lens: The lens's record.
        grain: The grain's, or None.
        effects: Which; all that were measured by default.
        seed: Of the grain. To take grain off: the seed it was put on with; None shrinks grain of
            unknown seed.

    Raises:
        UnknownName: No such effect.
        WrongValue: An effect that was asked for was not measured.
    """

    def __init__(
        self,
        lens: Lens,
        grain: Grain | None,
        *,
        effects: Sequence[str] | None = None,
        seed: int | None = 0,
    ) -> None:
        self.lens, self.seed = lens, seed
        there = [e for e in _GLASS if getattr(lens, e) is not None]
        there += [] if grain is None else ["grain"]
        for name in effects or ():
            if name not in EFFECTS:
                raise UnknownName("effect", name, EFFECTS)
            if name not in there:
                raise WrongValue(
                    f"{name} was not measured", hint=f"Measured: {', '.join(there) or 'nothing'}"
                )
        self.effects = tuple(e for e in EFFECTS if e in (there if effects is None else effects))
        if "grain" not in self.effects:
            grain = None
        self._made = None if grain is None or seed is None else Synthesis(grain, seed=seed)
        self._off = None if grain is None else Removal(grain)

    def apply(self, frame_CHW: Tensor, *, number: int) -> Tensor:
        """Every effect on a clean frame.

        Args:
            frame_CHW: Scene-linear ACEScg.
            number: The frame's number: grain differs by it.
        """
        out = frame_CHW
        for name in self.effects:
            if name != "grain":
                out = _GLASS[name].apply(out, getattr(self.lens, name))
            elif self._made is not None:
                out = self._made.apply(out, number=number)
        return out

    def remove(self, frame_CHW: Tensor, *, number: int) -> Tensor:
        """Every effect taken off a frame, the last one first.

        Raises:
            WrongValue: Sharpness is among them.
        """
        out = frame_CHW
        for name in reversed(self.effects):
            if name == "sharpness":
                raise WrongValue(
                    "sharpness cannot be taken off: what is blurred away is gone",
                    hint=f"Say effects={','.join(e for e in self.effects if e in REMOVABLE)}",
                )
            if name != "grain":
                out = _GLASS[name].remove(out, getattr(self.lens, name))
            elif self._made is not None:
                out = self._made.remove(out, number=number)
            elif self._off is not None:
                out = self._off.remove(out)
        return out

    def bent(self, alpha_1HW: Tensor, *, back: bool) -> Tensor:
        """Coverage follows the picture where that is bent or straightened."""
        lens = self.lens.distortion
        if lens is None or "distortion" not in self.effects:
            return alpha_1HW
        made = (distortion.remove if back else distortion.apply)(alpha_1HW, lens)
        return made.clamp(0.0, 1.0)


def dressed(plate_CHW: Tensor, fill_CHW: Tensor, mask_1HW: Tensor, chain: Chain, *,
            number: int) -> Tensor:  # fmt: skip
    """Filled pixels with the lens and grain of their neighbours; the plate's own are untouched.

    Args:
        plate_CHW: Scene-linear ACEScg.
        fill_CHW: Clean pixels, in the plate's framing.
        mask_1HW: 1 where the fill stands; softer towards its rim.
        chain: Without `distortion`, where the fill is framed as the plate is.
        number: The frame's number.
    """
    made = chain.apply(fill_CHW, number=number)
    mixed = plate_CHW + mask_1HW * (made - plate_CHW)
    mixed = torch.where(mask_1HW >= 1.0, made, mixed)
    return torch.where(mask_1HW > 0.0, mixed, plate_CHW)
